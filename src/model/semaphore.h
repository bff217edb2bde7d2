/* Semaphores: signal and wait on a count.
 *
 * Copies signal the bytes they moved, so one wait may stand for several copies, or part of one. Counts are 32 bits, as
 * on every device. Beside the count a semaphore numbers every unit of count it ever received: a wait reports which of
 * them it took, so that a race checker can learn from exactly those signals, and from no later one. */
#ifndef KILN_SRC_MODEL_SEMAPHORE_H
#define KILN_SRC_MODEL_SEMAPHORE_H

#include "kiln/kernel.h"
#include "model/sync.h"

#define SEMAPHORE_MAX INT32_MAX

typedef struct semaphore {
  uint64_t signalled, taken; /* all units of count ever given and taken; the count is the difference */
  uint64_t seen;             /* units up to this one were waited for, and kept */
} semaphore;

/* Units of count [begin, end), numbered from the semaphore's birth. */
typedef struct semaphore_span {
  uint64_t begin, end;
} semaphore_span;

uint32_t semaphore_read(const semaphore *s);
sync_result semaphore_signal(semaphore *s, uint32_t amount, semaphore_span *given); /* `given` may be NULL */
/* READY once the count is at least `amount`; then takes it, unless `keep`. `taken` (may be NULL) is what satisfied it.
 */
sync_result semaphore_wait(semaphore *s, uint32_t amount, bool keep, semaphore_span *taken);
/* At the end of its life the count must be 0. `last`: nobody will get its memory, so that a count that was waited for
 * may as well be kept. */
sync_result semaphore_finish(const semaphore *s, bool last);

typedef struct semaphore_array {
  mem mem;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  uint64_t count;
  semaphore *elements;
} semaphore_array;

sync_result semaphore_array_init(semaphore_array *array, mem m, uint32_t rank, const int64_t *dims);
void semaphore_array_free(semaphore_array *array);
semaphore *semaphore_at(const semaphore_array *array, const int64_t *index); /* NULL when outside */

#endif
