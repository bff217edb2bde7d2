// Layer normalisation of 4096 x 1024 floats with scale and shift: sum and sum of squares in one pass, then the result.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "rows.glsl"
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) readonly buffer Scale { vec4 scale[]; };
layout(set = 0, binding = 2) readonly buffer Shift { vec4 shift[]; };
layout(set = 0, binding = 3) writeonly buffer Y { vec4 y[]; };

void main() {
  uint base = row() * WIDTH, lane = gl_SubgroupInvocationID, step = gl_SubgroupSize;
  if (row() >= unit_end) return;
  vec4 total = vec4(0.0), squares = vec4(0.0);
  for (uint i = lane; i < WIDTH; i += step) {
    vec4 value = x[base + i];
    total += value;
    squares += value * value;
  }
  float mean = subgroupAdd(sum_of(total)) / 1024.0;
  float variance = subgroupAdd(sum_of(squares)) / 1024.0 - mean * mean;
  float factor = inversesqrt(variance + 1e-5);
  for (uint i = lane; i < WIDTH; i += step) y[base + i] = (x[base + i] - mean) * factor * scale[i] + shift[i];
}
