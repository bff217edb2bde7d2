// Five rounds over shared memory: everybody adds what another invocation holds, with barriers between.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Data { uint data[128]; };
shared uint held[64];

void main() {
  uint i = gl_LocalInvocationIndex;
  held[i] = data[i];
  for (uint round = 0u; round < 5u; round++) {
    barrier();
    uint next = held[i] + held[(i * 7u + round + 13u) % 64u];
    barrier();
    held[i] = next;
  }
  data[64u + i] = held[i];
}
