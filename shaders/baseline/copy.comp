// Copies floats: eight vec4 per invocation, 2048 floats per workgroup.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Range { uint first_unit, unit_end; };

void main() {
  uint i = (first_unit + gl_WorkGroupID.x) * 512u + gl_LocalInvocationIndex;
  vec4 a = x[i], b = x[i + 64u], c = x[i + 128u], d = x[i + 192u];
  vec4 e = x[i + 256u], f = x[i + 320u], g = x[i + 384u], h = x[i + 448u];
  y[i] = a, y[i + 64u] = b, y[i + 128u] = c, y[i + 192u] = d;
  y[i + 256u] = e, y[i + 320u] = f, y[i + 384u] = g, y[i + 448u] = h;
}
