// Integer and float arithmetic whose results are exact on every device; src/vulkan/selftest.c computes the same in C.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Data { uint data[128]; };

void main() {
  uint i = gl_LocalInvocationIndex;
  uint value = data[i];
  precise float part = float(value & 0xffffu);
  precise float mixed = (part * 0.5 + 3.0) / 4.0;
  uint whole = value * 3u + (value >> 7) - value % 1000u + value / 77u;
  data[64u + i] = whole ^ floatBitsToUint(mixed);
}
