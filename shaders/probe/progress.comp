// Subgroups that hand a word around in a ring, each waiting for its turn: 1 means that its turn came each time. Every wait
// is bounded, so that it also ends where one that waits keeps the others from going on.
#version 450
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_memory_scope_semantics : require
layout(local_size_x = 128) in;
layout(set = 0, binding = 0) buffer Data { uint data[128]; };
shared uint turn, starved;

const uint ROUNDS = 16u, LOOKS = 1u << 12;

uint look() {
  return subgroupBroadcastFirst(atomicLoad(turn, gl_ScopeWorkgroup, gl_StorageSemanticsShared, gl_SemanticsAcquire));
}

void main() {
  if (gl_LocalInvocationIndex == 0u) turn = starved = 0u;
  barrier();
  uint count = gl_NumSubgroups, looks = 0u;
  for (uint mine = gl_SubgroupID; mine < ROUNDS * count && looks < LOOKS; mine += count) {
    looks = 0u;
    while (looks < LOOKS && look() != mine)
      looks = subgroupBroadcastFirst(atomicOr(starved, 0u)) == 0u ? looks + 1u : LOOKS;
    if (!subgroupElect()) continue;
    if (looks < LOOKS)
      atomicStore(turn, mine + 1u, gl_ScopeWorkgroup, gl_StorageSemanticsShared, gl_SemanticsRelease);
    else
      atomicOr(starved, 1u);
  }
  if (gl_LocalInvocationIndex < 64u) data[gl_LocalInvocationIndex] = count > 1u && looks < LOOKS ? 1u : 0u;
}
