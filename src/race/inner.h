/* What the detector is made of: the structures and functions that its files share. Start with race.h.
 *
 *   room.c    memory: small blocks by size, freed as a whole
 *   counts.c  counts by slot
 *   clock.c   clocks, which share what they have in common, and pairs of them
 *   op.c      asynchronous operations: who knows of them, what they follow
 *   bundle.c  what a hand-off carries; barriers and semaphores
 *   state.c   what is remembered of an element: marks, shared by all elements with the same past
 *   shadow.c  which state each element of a buffer is in
 *   touch.c   an access: checks marks, and moves elements from state to state
 *   sweep.c   states that nobody can tell apart any more become one
 *   area.c    boxes of elements as rows
 *   report.c  what was found */
#ifndef KILN_SRC_RACE_INNER_H
#define KILN_SRC_RACE_INNER_H

#include "race/race.h"

/* ---- room.c ---- */

#define RACE_ROOM_CLASSES 9 /* blocks of 16 .. 4096 bytes */

typedef struct race_chunk {
  struct race_chunk *next, *prev;
  size_t size; /* this header included */
} race_chunk;

typedef struct race_room_book {
  mem mem;
  race_chunk *chunks;
  uint8_t *fresh; /* the unused end of the newest chunk of small blocks */
  size_t fresh_size;
  void *spare[RACE_ROOM_CLASSES];
  uint64_t used; /* bytes handed out */
} race_room_book;

void *race_room(race *r, size_t size);              /* zeroed; NULL, and the detector has failed, when memory is out */
void race_room_give(race *r, void *p, size_t size); /* accepts NULL */
/* Makes room for `need` elements, by doubling; false, and all is as it was, when memory is out. */
bool race_room_grow(race *r, void **data, uint32_t *capacity, uint32_t need, size_t size);
void race_room_finish(race_room_book *book);
size_t race_room_size(size_t size); /* what a block of that size takes */

/* ---- counts.c ---- */

/* Sparse: only who was ever heard of, by slot. A unit has two slots: one counts what it did, one what it observed. */
typedef struct race_counts {
  uint32_t *slots;  /* ascending */
  uint32_t *counts; /* of each; behind the slots, in one block of memory */
  uint32_t count, capacity;
} race_counts;

static inline uint32_t race_slot_done(unit_id unit) { return 2 * unit; }
static inline uint32_t race_slot_observed(unit_id unit) { return 2 * unit + 1; }

uint32_t race_counts_at(const race_counts *list, uint32_t slot);
void race_counts_raise(race *r, race_counts *list, uint32_t slot, uint32_t count); /* to at least `count` */
void race_counts_join(race *r, race_counts *into, const race_counts *from);
bool race_counts_cover(const race_counts *list, const race_counts *other); /* none of the other's is larger */
void race_counts_drop_covered(race_counts *list, const race_counts *by);
void race_counts_free(race *r, race_counts *list);

/* ---- clock.c ---- */

/* What many clocks have in common. */
typedef struct race_common {
  race_counts counts;
  uint32_t refs;
  struct race_common *next, **link; /* of all */
} race_common;

typedef struct race_clock {
  race_common *common; /* NULL: nothing */
  race_counts own;     /* beyond it */
} race_clock;

#define RACE_JOINS 16

/* What a join of two shared lists came to. */
typedef struct race_joined {
  const race_common *mine, *other;
  race_common *result;
} race_joined;

static inline uint32_t race_clock_at(const race_clock *clock, uint32_t slot) {
  const uint32_t own = race_counts_at(&clock->own, slot);
  return own > 0 || !clock->common ? own : race_counts_at(&clock->common->counts, slot);
}

static inline void race_clock_raise(race *r, race_clock *clock, uint32_t slot, uint32_t count) {
  if (!clock->common || race_counts_at(&clock->common->counts, slot) < count)
    race_counts_raise(r, &clock->own, slot, count);
}

#define RACE_MOST_OWN 32 /* counts that a clock hands on by themselves */

void race_clock_join_shared(race *r, race_clock *into, race_clock *from); /* of any two */

/* `from` says the same as before. Clocks of few units stay as they are. */
static inline void race_clock_join(race *r, race_clock *into, race_clock *from) {
  if (into->common || from->common || from->own.count > RACE_MOST_OWN)
    race_clock_join_shared(r, into, from);
  else if (from->own.count > 0)
    race_counts_join(r, &into->own, &from->own);
}

void race_clock_free(race *r, race_clock *clock);

/* The two views of one past. `async` is never ahead of `generic`. What was observed counts for both, so its slots are
 * asked of `generic` only. */
typedef struct race_views {
  race_clock generic, async;
  struct race_views *next, **link; /* of those that are not a unit's own; link NULL: not among them */
} race_views;

void race_views_list(race *r, race_views *views); /* from now on, until they are freed */
void race_views_join(race *r, race_views *into, race_views *from);
void race_views_clear(race *r, race_views *views); /* keeps the room */
void race_views_free(race *r, race_views *views);

/* ---- op.c ---- */

typedef struct race_ops {
  race_op **data;
  uint32_t count, capacity;
} race_ops;

/* Somebody observed the end of an operation: whoever has heard of `unit` since then knows it, too. */
typedef struct race_cover {
  unit_id unit;
  uint32_t count : 31;
  uint32_t read_only : 1;
} race_cover;

/* Operations that an operation follows and that its views do not know to be over. Tails are shared. */
typedef struct race_lineage {
  race_op *op;
  struct race_lineage *next;
  uint32_t refs;
} race_lineage;

struct race_op {
  const void *site;
  unit_id unit;
  race_task task;
  uint32_t issued;      /* what its unit had done by then */
  uint32_t holders;     /* the caller, lists of operations: they may still pass it on */
  uint32_t refs;        /* marks and lineages: they only ask whether it is over */
  uint64_t serial;      /* in order of issue */
  race_views views;     /* at its issue; empty without holders, as all below */
  race_lineage *before; /* what it follows */
  race_ops tasks;       /* what its unit knew at its issue to be issued; until race_end */
  race_pipe *pipe;      /* NULL unless MMA */
  uint32_t across;
  race_cover *covers;
  uint32_t cover_count, cover_capacity;
};

typedef struct race_unit {
  uint32_t now; /* its count of events: a new one begins with everything it lets others know. 0: never acted */
  uint32_t observations;
  race_views views;
  race_ops tasks;         /* MMA and COPY_TMEM that it knows to be issued, not to be over */
  race_ops issued;        /* those that its next commit waits for */
  race_ops products;      /* its last WGMMA, which follows all before it */
  race_ops loads, stores; /* of tmem, unawaited */
} race_unit;

race_unit *race_unit_of(race *r, unit_id unit);
void race_unit_turn(race *r, unit_id unit); /* the next event begins: what came before may have become known */

void race_ops_push(race *r, race_ops *list, race_op *op);
/* Adds what `views` does not know to be over and the list does not have. */
void race_ops_add_all(race *r, race_ops *list, const race_ops *from, const race_views *views);
void race_ops_settle(race *r, race_ops *list, const race_views *views); /* drops what is known to be over */
void race_ops_clear(race *r, race_ops *list);                           /* keeps the room */
void race_ops_free(race *r, race_ops *list);

static inline bool race_op_is_task(const race_op *op) {
  return op->task == RACE_TASK_MMA || op->task == RACE_TASK_COPY_TMEM;
}
void race_op_ref(race_op *op); /* accepts NULL, as the next */
void race_op_unref(race *r, race_op *op);
bool race_op_known(const race_op *op, const race_views *views, bool read_only);
bool race_op_follows(const race_op *op, const race_op *earlier); /* by its lineage */
void race_op_observe(race *r, unit_id unit, race_op *op, bool read_only);

/* ---- bundle.c ---- */

struct race_bundle {
  race_views views;
  race_ops done;  /* operations that arrived: who observes the bundle observes them */
  race_ops tasks; /* operations that are known to be issued */
};

struct race_signal_entry {
  struct race_signal_entry *next, *prev;
  semaphore_span span;
  uint64_t known_from; /* who signalled knew of all entries from that unit of count on: whoever takes this one does */
  unit_id unit;        /* that signalled, at its event; UNIT_NONE: an operation did */
  uint32_t event;
  race_bundle bundle;
};

/* ---- state.c ---- */

/* One access, as it is remembered. */
typedef struct race_mark {
  race_op *op; /* or NULL: `unit` itself, at its event `count` */
  const void *site;
  unit_id unit;
  uint32_t count;
  race_kind kind;
} race_mark;

/* Marks of reads and updates. They only grow at the end, so several states can share one list, each seeing as much of
 * it as there was in its time. */
typedef struct race_marks {
  uint32_t refs, count, capacity;
  race_mark data[];
} race_marks;

/* What elements of equal past have in common: the last write, and the reads and updates since, as far as a later one
 * does not stand for them. Numbered; 0 is "never touched". */
typedef uint32_t race_state_id;

typedef struct race_state {
  race_mark write; /* site NULL and kind RACE_KINDS: none */
  race_marks *marks;
  uint32_t mark_count; /* as many of `marks` belong to it */
  uint32_t refs;
  uint32_t hash, marks_hash;
  race_state_id next; /* of its bucket; of the unused */
  bool updates;       /* among the marks */
} race_state;

#define RACE_STATES_EACH 256

/* States stay where they are made. */
typedef struct race_state_book {
  race_state **groups; /* of so many each */
  uint32_t count, group_capacity;
  race_state_id spare;
  race_state_id *buckets; /* a power of two of them */
  uint32_t bucket_count, live;
} race_state_book;

/* A state to make: after a write only `write`; after another access the marks that go on, and `more`. */
typedef struct race_next_state {
  const race_mark *write, *more;
  const race_mark *kept;
  uint32_t kept_count, kept_hash;
  race_marks *source; /* `kept` is its beginning, and `more` can go behind it; NULL: a new list */
  uint32_t spare;     /* room to leave in a new list */
  bool updates;
} race_next_state;

bool race_states_init(race *r);
race_state_id race_state_make(race *r, const race_next_state *next); /* with a reference for the caller */
bool race_marks_extend(const race_marks *marks, uint32_t count);     /* a mark can go behind the first `count` */
void race_state_drop(race *r, race_state_id id);                     /* it has no references, and is in no bucket */
/* Puts a state into its bucket anew; gives the equal one that is there already, or itself. */
race_state_id race_state_enter(race *r, race_state_id id);
void race_state_ref(race *r, race_state_id id, uint32_t times);
void race_state_unref(race *r, race_state_id id, uint32_t times);
uint32_t race_mark_hash(uint32_t seed, const race_mark *mark);

/* ---- sweep.c ---- */

#define RACE_SWEEP_LEAST 1024 /* states: fewer are not worth it */

void race_sweep(race *r); /* between two accesses */

/* ---- shadow.c ---- */

#define RACE_PAGE 64

/* Elements of a page, by state; the masks are disjoint and cover the page. */
typedef struct race_part {
  uint64_t mask;
  race_state_id state;
} race_part;

typedef struct race_page {
  race_part *parts;
  uint32_t count, capacity;
  uint32_t next_spare; /* while it is not in use */
} race_page;

/* An element that ordered atomics touch: a barrier of one phase that never ends. */
typedef struct race_word {
  uint64_t element;
  race_barrier told;
  struct race_word *next;
} race_word;

struct race_buffer {
  const void *tag;
  uint64_t elements, pages;
  uint32_t *page; /* a state's id, or with the bit MIXED a place in `mixed` */
  race_page *mixed;
  uint32_t mixed_count, mixed_capacity, mixed_spare;
  struct race_buffer *next, *prev;
  race_clock over; /* what those who released it know */
  race_word *words;
};

/* ---- bundle.c ---- */

void race_words_free(race *r, race_buffer *b);

/* ---- touch.c ---- */

#define RACE_MEMO 64

typedef struct race_touch_now {
  race_buffer *buffer;
  race_mark me;
  const race_views *views;
  const race_clock *view; /* the one that the kind is checked against */
  uint32_t reports;       /* before it */
  race_state_id written;  /* what a write makes of every state, with a reference; 0: not made yet */
  uint64_t memo_used;     /* a bit per entry */
  race_mark *sorting;     /* room for a long list of marks */
  uint32_t sorting_capacity;
  race_state_id memo_from[RACE_MEMO], memo_to[RACE_MEMO]; /* both hold references */
} race_touch_now;

race_state_id race_touch_step(race *r, race_state_id from, uint64_t element); /* no reference is handed over */
/* Applies the access at hand to a row that ascends and is inside. */
void race_shadow_touch(race *r, race_buffer *b, uint64_t offset, uint64_t stride, uint64_t count);
void race_shadow_rename(race *r, race_buffer *b, const race_state_id *names); /* of all its states */

/* ---- report.c ---- */

typedef struct race_report_book {
  race_report *data;
  uint32_t count, capacity;
  uint32_t *slots; /* hash table of places in `data`, plus 1 */
  uint32_t slot_count;
} race_report_book;

typedef enum race_mode { RACE_MODE_READ, RACE_MODE_WRITE, RACE_MODE_UPDATE } race_mode;

/* The rows of kinds.def. */
typedef struct race_kind_row {
  const char *role;
  race_mode mode;
  bool async;
  race_edge unawaited; /* ORDER: an access of a unit itself */
} race_kind_row;
extern const race_kind_row race_kind_rows[RACE_KINDS];

static inline race_mode race_kind_mode(race_kind kind) { return race_kind_rows[kind].mode; }

/* `earlier` came first in time, `later` is the access at hand, with the views of its unit or operation. */
void race_report_pair(race *r, const race_buffer *b, const race_mark *earlier, const race_mark *later,
                      const race_views *views, uint64_t element);

struct race {
  race_room_book room;
  bool failed;
  uint32_t unit_count;
  race_unit *units;
  uint64_t op_serial;
  race_signal_entry *spare_entry;
  race_common *commons;
  race_joined joins[RACE_JOINS];
  race_views *views;    /* of operations and of what is handed over */
  race_buffer *buffers; /* that are alive */
  race_state_book states;
  uint32_t sweep_at; /* so many states */
  uint64_t shadow_bytes, shadow_most;
  race_touch_now touch;
  race_report_book reports;
};

static inline race_state *race_state_of(const race *r, race_state_id id) {
  return &r->states.groups[id / RACE_STATES_EACH][id % RACE_STATES_EACH];
}

#endif
