// Copies floats: eight vec4 per invocation, 2048 floats per workgroup.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Range { uint first_unit, unit_end; };

void main() {
  uint i = (first_unit + gl_WorkGroupID.x) * 512u + gl_LocalInvocationIndex;
  y[i] = x[i];
  y[i + 64u] = x[i + 64u];
  y[i + 128u] = x[i + 128u];
  y[i + 192u] = x[i + 192u];
  y[i + 256u] = x[i + 256u];
  y[i + 320u] = x[i + 320u];
  y[i + 384u] = x[i + 384u];
  y[i + 448u] = x[i + 448u];
}
