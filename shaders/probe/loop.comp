// Counts the trips of a loop whose length the compiler cannot know; word 1 must come out equal to word 0.
#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Data { uint data[128]; };

void main() {
  uint trips = 0u;
  uint limit = data[0];
  for (uint i = 0u; i != limit; i++) trips += (data[0] == limit) ? 1u : 0u;
  if (gl_LocalInvocationIndex == 0u) data[1] = trips;
}
