/* The race detector: which accesses of a concurrent run are not ordered.
 *
 * Whoever runs the units tells it what happens, in the order in which it happens: accesses, hand-offs, asynchronous
 * work. Reports do not depend on that order: two accesses race when nothing orders them, whoever came first. It knows
 * units by number and places in the program by opaque pointers; it reads and prints no kernel.
 *
 * A unit has two views of the past. Its generic view is what its loads and stores are ordered after. Its asynchronous
 * view is what the copies and products that it issues are ordered after, in shared memory: it lacks the unit's own
 * latest accesses until race_fence. `kinds.def` says which view an access is checked against. Hand-offs carry both.
 *
 * An asynchronous operation (race_op) takes the views of its issuer at its issue, works on its own, and is behind
 * whoever awaits it, and behind whomever that one tells. It may be behind other operations without any wait: see
 * race_pipe.
 *
 * Memory: a clock has one entry per unit heard of, but what many learn at one barrier they keep once; a barrier keeps
 * two phases; an operation lives while something may still ask about it; a page of 64 elements takes 4 bytes of shadow
 * memory while all have the same past, and 28 + 16 for each past when they differ. Nothing grows with the length of the
 * run, but a semaphore with the signals that nobody took, and what is never awaited. When memory is out the detector
 * goes blind and says so by race_failed; nothing else needs checking. */
#ifndef KILN_SRC_RACE_RACE_H
#define KILN_SRC_RACE_RACE_H

#include "model/semaphore.h"
#include "model/unit.h"

typedef struct race race;

race *race_create(mem m, uint32_t units); /* units are 0 .. units - 1, all unordered; NULL when memory is out */
void race_destroy(race *r);               /* accepts NULL; frees the buffers and operations that are left */
bool race_failed(const race *r);          /* memory ran out: reports may be missing */

/* ---- units ---- */

void race_fence(race *r, unit_id unit);               /* `commit smem`: asynchronous work sees what the unit saw */
void race_fork(race *r, unit_id whole, unit_id part); /* the part begins after all that the whole did and knows */
void race_join(race *r, unit_id whole, unit_id part); /* and back; what is in flight is handed over both ways */
void race_retire(race *r, unit_id unit);              /* it has ended, and so has all that it had in flight */

/* ---- asynchronous operations ---- */

typedef enum race_task {
  RACE_TASK_COPY,      /* between gmem and smem: awaited through a barrier, a semaphore or race_await */
  RACE_TASK_WGMMA,     /* those of a unit run one after the other; awaited by race_await */
  RACE_TASK_MMA,       /* on a tmem accumulator: pipelined; awaited through its barrier, or that of a later commit */
  RACE_TASK_COPY_TMEM, /* smem to tmem: like an mma */
  RACE_TASK_COMMIT,    /* `commit mma arrive`: touches nothing, is done when all of its unit's MMA and COPY_TMEM are */
  RACE_TASK_TMEM_LOAD, /* awaited by race_await_tmem */
  RACE_TASK_TMEM_STORE /* awaited by race_commit_tmem */
} race_task;

typedef struct race_op race_op;
typedef struct race_buffer race_buffer;

/* Elements of a buffer: every choice of 0 <= i[d] < extents[d] is the `width` elements from offset + sum i[d] *
 * strides[d]. Whatever is outside the buffer is left out. */
typedef struct race_area {
  int64_t offset;
  uint32_t width; /* 0 counts as 1; more when a view's elements span several of the buffer's */
  uint32_t rank;
  int64_t extents[KILN_MAX_RANK], strides[KILN_MAX_RANK];
} race_area;

/* What a tmem mma accumulates into. Two mma whose pipes are equal run one after the other, if the unit that issues the
 * second knows that the first was issued; and every mma runs after the COPY_TMEM of equal `across` that its unit knows
 * of. A unit knows its own, and what was known to those it heard from. */
typedef struct race_pipe {
  const race_buffer *buffer;
  race_area area;
  uint32_t type;   /* of the accumulator's elements */
  uint32_t across; /* the cluster axes that take part */
} race_pipe;

/* An operation starts with the views that its unit has now. `pipe`: for MMA all of it, for COPY_TMEM only `across`;
 * else NULL. Gives NULL only when memory is out; all functions below accept that. The caller ends the operation when it
 * will make no access and no arrival for it any more, and has awaited it if it means to. */
race_op *race_issue(race *r, unit_id unit, race_task task, const void *site, const race_pipe *pipe);
void race_end(race *r, race_op *op);

/* The unit knows that the operation is done; with `read_only`, for a COPY, that it has read its source. */
void race_await(race *r, unit_id unit, race_op *op, bool read_only);
void race_await_tmem(race *r, unit_id unit);  /* `await tmem`: its TMEM_LOADs are done */
void race_commit_tmem(race *r, unit_id unit); /* `commit tmem`: its TMEM_STOREs are done */

/* ---- barriers and semaphores: what their users learn from each other ---- */

/* One barrier; zeroed is new. Phases are numbered as in model/barrier.h: an arrival counts towards phase `phase` (the
 * completed ones so far), a waiter observes it once it has completed. Only the last two phases are kept; to observe an
 * older one teaches nothing. */
typedef struct race_bundle race_bundle;
typedef struct race_barrier {
  uint64_t phase[2];
  race_bundle *bundle[2];
} race_barrier;

void race_arrive(race *r, race_barrier *b, uint64_t phase, unit_id unit);
void race_arrive_op(race *r, race_barrier *b, uint64_t phase, race_op *op); /* the operation is done, and arrives */
void race_observe(race *r, race_barrier *b, uint64_t phase, unit_id unit);  /* of a phase long over: one after it */
void race_barrier_free(race *r, race_barrier *b);

/* One semaphore; zeroed is new. Spans are those that model/semaphore.h gives: a wait learns from exactly the signals
 * whose units of count it took. */
typedef struct race_signal_entry race_signal_entry;
typedef struct race_semaphore {
  race_signal_entry *first, *last;
} race_semaphore;

void race_signal(race *r, race_semaphore *s, semaphore_span given, unit_id unit);
void race_signal_op(race *r, race_semaphore *s, semaphore_span given, race_op *op);
void race_take(race *r, race_semaphore *s, semaphore_span taken, bool keep, unit_id unit);
void race_semaphore_free(race *r, race_semaphore *s);

/* One element of a buffer, by ordered atomics: who acquires learns from all that was released there before. */
void race_release(race *r, struct race_buffer *b, uint64_t element, unit_id unit);
void race_acquire(race *r, struct race_buffer *b, uint64_t element, unit_id unit);

/* ---- memory ---- */

/* A buffer of elements that are touched as wholes: as small as any access to it. `tag` names it in reports; buffers of
 * one tag count as one buffer when reports are told apart. */
race_buffer *race_buffer_new(race *r, const void *tag, uint64_t elements); /* NULL when memory is out; accepted below */
/* One sharer is done with the buffer: what it knows to be over is over. */
void race_buffer_release(race *r, race_buffer *b, unit_id unit);
/* The end of its life. With a site: reports operations that are still in flight on it, as far as those who released
 * it know. Accesses of units are not judged: they end before the release. */
void race_buffer_free(race *r, race_buffer *b, unit_id unit, const void *site);

typedef enum race_kind {
#define RACE_KIND(id, ...) RACE_##id,
#include "race/kinds.def"
  RACE_KINDS
} race_kind;

typedef struct race_access {
  race_buffer *buffer;
  unit_id unit;     /* who does it; ignored with `op` */
  race_op *op;      /* NULL: the unit itself */
  race_kind kind;   /* of the unit: LOAD, STORE, ATOMIC; of an operation: any other */
  const void *site; /* in the program */
} race_access;

/* One access. True when it added a report. */
bool race_touch(race *r, const race_access *access, const race_area *area);

/* The same in pieces, for elements that are no box: begin, any number of rows, end. */
void race_touch_begin(race *r, const race_access *access);
void race_touch_row(race *r, int64_t offset, int64_t stride, uint64_t count);
bool race_touch_end(race *r);

uint64_t race_shadow_bytes(const race *r); /* taken for shadow memory now */
uint64_t race_shadow_most(const race *r);  /* and at the end of any access */

/* ---- reports ---- */

typedef enum race_edge {
#define RACE_EDGE(id, text) RACE_EDGE_##id,
#include "race/edges.def"
  RACE_EDGES
} race_edge;

typedef struct race_side {
  const void *site;
  unit_id unit; /* the issuer, for an operation */
  race_kind kind;
} race_side;

/* Once per pair of sites and tag. */
typedef struct race_report {
  race_side first, second; /* `first` happened first, or was issued first, as far as that can be said */
  const void *tag;
  uint64_t element; /* the first one found */
  race_edge edge;   /* what is missing */
  /* Clocks count a unit's hand-offs: where the first access's unit was at it or its issue, and how far the second's had
   * heard of that unit. RACE_UNHEARD: of both one unit, or the second was issued before. */
  uint32_t clock, heard;
} race_report;
#define RACE_UNHEARD UINT32_MAX

uint32_t race_report_count(const race *r);
const race_report *race_report_at(const race *r, uint32_t index); /* valid until the next access */
const char *race_edge_text(race_edge edge);
const char *race_kind_text(race_kind kind); /* "copy's store to smem" */
bool race_kind_writes(race_kind kind);      /* WRITE and UPDATE */
bool race_kind_is_async(race_kind kind);    /* checked against the asynchronous view */

#endif
