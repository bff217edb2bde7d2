// Adds floats: four vec4 per invocation, 1024 floats per workgroup. A subgroup's part is contiguous.
#version 450
#extension GL_KHR_shader_subgroup_basic : require
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1) readonly buffer Y { vec4 y[]; };
layout(set = 0, binding = 2) writeonly buffer Z { vec4 z[]; };
layout(push_constant) uniform Range { uint first_unit, unit_end; };

void main() {
  uint s = gl_SubgroupSize;
  uint i = (first_unit + gl_WorkGroupID.x) * 256u + gl_SubgroupID * s * 4u + gl_SubgroupInvocationID;
  z[i] = x[i] + y[i];
  z[i + s] = x[i + s] + y[i + s];
  z[i + 2u * s] = x[i + 2u * s] + y[i + 2u * s];
  z[i + 3u * s] = x[i + 3u * s] + y[i + 3u * s];
}
