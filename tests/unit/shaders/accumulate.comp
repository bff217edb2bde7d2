// total[i] += part[i] for the grid points of one dispatch; one invocation each.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer Part { uint part[]; };
layout(set = 0, binding = 1) buffer Total { uint total[]; };
layout(push_constant) uniform Range { uint first_unit, unit_end; };

void main() {
  uint i = first_unit + gl_GlobalInvocationID.x;
  if (i < unit_end) total[i] += part[i];
}
