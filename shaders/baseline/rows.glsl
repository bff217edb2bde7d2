// What the row kernels share: one subgroup owns one row of 1024 floats, as 256 vec4; the grid is split by rows.
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
layout(local_size_x = 64) in;
layout(push_constant) uniform Range { uint first_unit, unit_end; };
const uint WIDTH = 256u;

uint row() { return first_unit + gl_WorkGroupID.x * gl_NumSubgroups + gl_SubgroupID; }
float sum_of(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
float max_of(vec4 v) { return max(max(v.x, v.y), max(v.z, v.w)); }
