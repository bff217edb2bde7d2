// Subgroups that go different ways, each of whose lanes hand values around in shared memory: 1 means right. MEET() is what
// is to order them.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Data { uint data[128]; };
shared uint held[64];

void main() {
  uint lane = gl_SubgroupInvocationID, size = gl_SubgroupSize, first = gl_SubgroupID * size, value = lane;
  if (gl_SubgroupID % 2u == 0u) {
    for (uint round = 0u; round < 2u + gl_SubgroupID; round++) {
      held[first + lane] = value;
      MEET();
      value = held[first + (lane + 1u) % size];
      MEET();
    }
  } else {
    for (uint round = 0u; round < 3u; round++) {
      held[first + lane] = value;
      MEET();
      value = held[first + (lane + 1u) % size];
      MEET();
    }
  }
  uint rounds = gl_SubgroupID % 2u == 0u ? 2u + gl_SubgroupID : 3u;
  data[gl_LocalInvocationIndex] = value == (lane + rounds) % size ? 1u : 0u;
}
