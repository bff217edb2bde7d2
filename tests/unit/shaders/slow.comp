// Runs for about as many steps as word 0 says, in one invocation after another.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Data { uint data[]; };

void main() {
  uint value = gl_GlobalInvocationID.x;
  for (uint i = 0u; i < data[0]; i++) value = value * 1664525u + 1013904223u;
  data[1u + gl_LocalInvocationIndex] = value;
}
