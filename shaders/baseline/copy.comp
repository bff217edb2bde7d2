// Copies floats: eight vec4 per invocation, 2048 floats per workgroup. A subgroup's part is contiguous.
#version 450
#extension GL_KHR_shader_subgroup_basic : require
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Range { uint first_unit, unit_end; };

void main() {
  uint s = gl_SubgroupSize;
  uint i = (first_unit + gl_WorkGroupID.x) * 512u + gl_SubgroupID * s * 8u + gl_SubgroupInvocationID;
  y[i] = x[i];
  y[i + s] = x[i + s];
  y[i + 2u * s] = x[i + 2u * s];
  y[i + 3u * s] = x[i + 3u * s];
  y[i + 4u * s] = x[i + 4u * s];
  y[i + 5u * s] = x[i + 5u * s];
  y[i + 6u * s] = x[i + 6u * s];
  y[i + 7u * s] = x[i + 7u * s];
}
