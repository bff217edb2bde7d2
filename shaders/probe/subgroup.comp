// Sum, maximum, ballot and shuffle over a subgroup of any size, checked in the shader: 1 means right.
#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Data { uint data[128]; };

void main() {
  uint lane = gl_SubgroupInvocationID;
  uvec4 running = subgroupBallot(true);
  uint count = subgroupBallotBitCount(running);
  uint last = subgroupBallotFindMSB(running);
  bool right = subgroupAdd(1u) == count && subgroupMax(lane) == last;
  right = right && subgroupAdd(lane) == subgroupShuffle(subgroupInclusiveAdd(lane), last);
  right = right && subgroupShuffle(lane * 3u + 1u, last - lane) == (last - lane) * 3u + 1u;
  data[gl_LocalInvocationIndex] = right ? 1u : 0u;
}
