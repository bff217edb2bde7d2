/* Semaphores and arrays of them. */
#include "model/semaphore.h"

uint32_t semaphore_read(const semaphore *s) { return (uint32_t)(s->signalled - s->taken); }

sync_result semaphore_signal(semaphore *s, uint32_t amount, semaphore_span *given) {
  uint32_t have = semaphore_read(s);
  if (amount > SEMAPHORE_MAX || have > SEMAPHORE_MAX - amount)
    return sync_fault(SYNC_SEMAPHORE_OVERFLOW, UNIT_NONE, have, amount);
  if (given) *given = (semaphore_span){s->signalled, s->signalled + amount};
  s->signalled += amount;
  return sync_ready();
}

sync_result semaphore_wait(semaphore *s, uint32_t amount, bool keep, semaphore_span *taken) {
  uint32_t have = semaphore_read(s);
  if (have < amount) return sync_blocked(have, amount);
  if (taken) *taken = (semaphore_span){s->taken, s->taken + amount};
  if (s->taken + amount > s->seen) s->seen = s->taken + amount;
  if (!keep) s->taken += amount;
  return sync_ready();
}

sync_result semaphore_finish(const semaphore *s, bool last) {
  uint32_t left = semaphore_read(s);
  if (last && s->seen == s->signalled) return sync_ready();
  return left ? sync_fault(SYNC_SEMAPHORE_LEAK, UNIT_NONE, left, 0) : sync_ready();
}

sync_result semaphore_array_init(semaphore_array *array, mem m, uint32_t rank, const int64_t *dims) {
  *array = (semaphore_array){.mem = m, .rank = rank};
  uint64_t count;
  if (rank > KILN_MAX_RANK || !sync_count(rank, dims, &count)) return sync_fault(SYNC_OUTSIDE, UNIT_NONE, rank, 0);
  for (uint32_t axis = 0; axis < rank; axis++) array->dims[axis] = dims[axis];
  array->elements = count <= SIZE_MAX / 2 ? mem_calloc(m, (size_t)count, sizeof(semaphore)) : NULL;
  if (!array->elements) return sync_fault(SYNC_MEMORY, UNIT_NONE, 0, 0);
  array->count = count;
  return sync_ready();
}

void semaphore_array_free(semaphore_array *array) {
  mem_free(array->mem, array->elements, (size_t)array->count * sizeof(semaphore));
  *array = (semaphore_array){0};
}

semaphore *semaphore_at(const semaphore_array *array, const int64_t *index) {
  uint64_t place;
  return sync_place(array->rank, array->dims, index, &place) ? &array->elements[place] : NULL;
}
