// Softmax of 4096 x 1024 floats: maximum, then exponentials stored and summed, then scaled.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "rows.glsl"
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) buffer Y { vec4 y[]; };

void main() {
  uint first = row() * WIDTH + gl_SubgroupInvocationID, step = gl_SubgroupSize, end = (row() + 1u) * WIDTH;
  if (row() >= unit_end) return;
  vec4 top4 = x[first];
  for (uint i = first + step; i < end; i += step) top4 = max(top4, x[i]);
  float top = subgroupMax(max_of(top4));
  vec4 total4 = vec4(0.0);
  for (uint i = first; i < end; i += step) {
    vec4 e = exp(x[i] - top);
    y[i] = e;
    total4 += e;
  }
  float scale = 1.0 / subgroupAdd(sum_of(total4));
  for (uint i = first; i < end; i += step) y[i] *= scale;
}
