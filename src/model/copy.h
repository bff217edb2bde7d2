/* Asynchronous copies: start, source read, destination written, waited for.
 *
 * A copy goes STARTED -> READ -> WRITTEN; whoever moves the bytes says so, early or late as its mode wants. What it
 * tells the rest of the program on the way is part of the copy: reading signals the source semaphore, writing signals
 * the destination semaphore (bytes, both) or arrives on a barrier (once). Copies without those are waited for by the
 * unit that started them, through its queue of groups: a group is the copies up to a commit, and a wait leaves at most
 * n of the newest groups in flight. */
#ifndef KILN_SRC_MODEL_COPY_H
#define KILN_SRC_MODEL_COPY_H

#include "model/barrier.h"
#include "model/semaphore.h"

typedef enum copy_stage { COPY_STARTED, COPY_READ, COPY_WRITTEN } copy_stage;

typedef struct copy_desc {
  uint32_t bytes;
  semaphore *source, *destination; /* may be NULL */
  barrier *arrival;                /* may be NULL */
  bool commit;                     /* closes the open group, this copy included */
  void *client;                    /* what the client keeps with it */
  const void *site;                /* where in the program it is started */
  uint32_t event;                  /* its number in a trace */
} copy_desc;

typedef struct copy {
  uint64_t id, group;
  copy_stage stage;
  bool read_awaited;         /* its unit knows that the source has been read */
  bool awaited;              /* a part of its unit knows that it is over */
  struct copy_queue *origin; /* of a copy that a part did not start: the queue of the whole; else NULL */
  copy_desc desc;
} copy;

/* Told of each copy that a wait covers; `forgotten`: no wait will again. */
typedef void (*copy_awaited_fn)(void *user, const copy *awaited, bool read_only, bool forgotten);

/* The copies of one unit. Ids and groups count from 0 and are never used again. */
typedef struct copy_queue {
  mem mem;
  copy *pending; /* in order of start; left when they were waited for, or told somebody else */
  uint32_t count, capacity;
  uint64_t started, group;       /* next id; the open group */
  uint64_t forked, forked_group; /* what they were when this queue was split off */
  copy_awaited_fn awaited;       /* may be NULL */
  void *user;
} copy_queue;

void copy_queue_init(copy_queue *q, mem m);
void copy_queue_free(copy_queue *q);

sync_result copy_start(copy_queue *q, const copy_desc *desc, uint64_t *id);
void copy_commit(copy_queue *q);                         /* closes the open group; an empty one counts */
const copy *copy_find(const copy_queue *q, uint64_t id); /* NULL once waited for */

/* Moves a copy to its next stage, and tells semaphores and barrier. The fault of a barrier or semaphore is passed on.
 */
sync_result copy_advance(copy_queue *q, uint64_t id, copy_stage to);

/* READY once all but the newest `groups` committed groups are written (read, when `read_only`), and then forgets those
 * that are written. The open group is not waited for. `*next` (may be NULL): the oldest copy that keeps the wait
 * blocked. */
sync_result copy_wait_groups(copy_queue *q, uint64_t groups, bool read_only, uint64_t *next);
/* The same for copies that were never grouped: at most `copies` still in flight. */
sync_result copy_wait_copies(copy_queue *q, uint64_t copies, bool read_only, uint64_t *next);

/* A unit splits: each part begins with what the whole has in flight, and may wait for it. False when memory is out. */
bool copy_queue_fork(copy_queue *part, copy_queue *whole);
/* A part ends: what it started and did not wait for goes to the end of the whole's queue, as if the parts had started
 * theirs one after the other. `moved` is told of the new ids. */
typedef void (*copy_moved_fn)(void *user, uint64_t from, uint64_t to);
bool copy_queue_join(copy_queue *whole, copy_queue *part, copy_moved_fn moved, void *user);
void copy_queue_joined(copy_queue *whole); /* all parts have ended: what they waited for is forgotten */

/* The end of the unit: no copy may be left but those whose source it knows to have been read. `*left` (may be NULL):
 * the first one that is. */
sync_result copy_finish(const copy_queue *q, const copy **left);

#endif
