/* Which unit runs next. A seed gives an order in which grid points start, and, where several units are alive, who makes
 * the next steps: the same seed, the same run. */
#include "host/sched.h"

uint64_t sched_random(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* A Feistel network is a bijection on the next power of four; what falls outside goes round again. */
uint64_t sched_place(uint64_t seed, uint64_t count, uint64_t index) {
  if (seed == 0 || count < 2) return index;
  uint32_t half = 1;
  while (half < 32 && (count - 1) >> (2 * half)) half++;
  const uint64_t mask = (UINT64_C(1) << half) - 1;
  do {
    uint64_t left = index >> half, right = index & mask;
    for (uint64_t round = 0; round < 4; round++) {
      uint64_t state = seed + (round << 56) + right, next = left ^ (sched_random(&state) & mask);
      left = right;
      right = next;
    }
    index = left << half | right;
  } while (index >= count);
  return index;
}
