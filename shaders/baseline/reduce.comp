// Sums of the rows of 4096 x 1024 floats, with four independent loads in flight.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "rows.glsl"
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float y[]; };

void main() {
  uint first = row() * WIDTH + gl_SubgroupInvocationID, step = gl_SubgroupSize, end = (row() + 1u) * WIDTH;
  if (row() >= unit_end) return;
  vec4 a = vec4(0.0), b = a, c = a, d = a;
  for (uint i = first; i < end; i += 4u * step) {
    a += x[i];
    b += x[i + step];
    c += x[i + 2u * step];
    d += x[i + 3u * step];
  }
  float total = subgroupAdd(sum_of((a + b) + (c + d)));
  if (subgroupElect()) y[row()] = total;
}
