// Adds floats: four vec4 per invocation, 1024 floats per workgroup.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) readonly buffer Y { vec4 y[]; };
layout(set = 0, binding = 2) writeonly buffer Z { vec4 z[]; };
layout(push_constant) uniform Range { uint first_unit, unit_end; };

void main() {
  uint i = (first_unit + gl_WorkGroupID.x) * 256u + gl_LocalInvocationIndex;
  vec4 a = x[i] + y[i], b = x[i + 64u] + y[i + 64u], c = x[i + 128u] + y[i + 128u], d = x[i + 192u] + y[i + 192u];
  z[i] = a, z[i + 64u] = b, z[i + 128u] = c, z[i + 192u] = d;
}
