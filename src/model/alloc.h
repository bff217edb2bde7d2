/* The allocator: one book of who has which memory when, kept for two clients.
 *
 * The compiler (alloc_place) knows every lifetime beforehand and wants offsets: dead ranges are used again, the peak is
 * small, and each offset can be explained. The executor (alloc_heap) learns lifetimes as they happen and wants bytes:
 * poisoned, bounded, counted, shadowed. Both describe an allocation by the same `alloc_item` and answer with the same
 * `alloc_report`. What runs on the bytes keeps the block that it was given and never looks it up again. */
#ifndef KILN_SRC_MODEL_ALLOC_H
#define KILN_SRC_MODEL_ALLOC_H

#include "ir/ir.h"
#include "model/key.h"

#define ALLOC_NONE UINT32_MAX

/* One allocation. Points in time are whatever the client counts: program points, or the heap's own events. */
typedef struct alloc_item {
  alloc_key key;
  kiln_str name;        /* for people */
  uint64_t size;        /* bytes; 0 is fine and takes no room */
  uint32_t align;       /* a power of two; 0: the space's own */
  uint32_t first, last; /* alive from first to last, both included */
  uint64_t offset;      /* within the owner's copy of the space; set by alloc_place */
  uint32_t above;       /* the item whose end it was put behind, or ALLOC_NONE at the bottom; set by alloc_place */
} alloc_item;

/* What one unit's copy of one space came to. */
typedef struct alloc_use {
  space_id space;
  unit_id owner;
  uint32_t items;   /* allocations made */
  uint64_t total;   /* bytes of all of them, as if none had shared room */
  uint64_t live;    /* most bytes alive at one time: no placement can need less */
  uint64_t peak;    /* bytes needed, holes and alignment included; a heap's is `live` */
  uint64_t limit;   /* 0: none */
  uint64_t now;     /* bytes alive now; the heap's only */
  uint32_t live_at; /* the point in time of `live` */
} alloc_use;

typedef struct alloc_report {
  const alloc_item *items;
  uint32_t item_count;
  const alloc_use *uses; /* by space, then owner */
  uint32_t use_count;
} alloc_report;

/* ---- the compiler's client ---- */

/* Gives every item an offset so that items of one copy whose lifetimes meet do not overlap, and fills the report (which
 * points at `items`). Deterministic: depends on nothing but the arguments. A copy whose peak passes the machine's limit
 * is placed all the same; the caller compares peak with limit. False when a size is too large to add up, or an
 * alignment is not a power of two; then `*culprit` is the item. */
bool alloc_place(arena *a, const machine *m, alloc_item *items, uint32_t count, alloc_report *out, uint32_t *culprit);

/* "at 2048, behind acc, alive 3..9": why an item lies where it does. */
void alloc_explain(const alloc_item *items, uint32_t which, text *out);

bool alloc_fits(const alloc_use *use);
static inline bool alloc_meet(const alloc_item *a, const alloc_item *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* ---- the executor's client ---- */

/* What fresh memory holds. */
typedef enum alloc_poison {
  ALLOC_ZERO,
  ALLOC_FILL, /* ir_fill_bits: NaN, the smallest integer, false; what JAX's interpreter calls "nan", but for integers */
  ALLOC_LARGE,  /* NaN, the largest integer, true: JAX's TPU and GPU interpret modes */
  ALLOC_PATTERN /* bytes 0xA5, for a reader who looks at bits */
} alloc_poison;

void alloc_poison_fill(void *bytes, uint64_t size, ir_dtype dtype, alloc_poison poison);

typedef enum alloc_result {
  ALLOC_OK,
  ALLOC_OUT_OF_MEMORY, /* the host has no more */
  ALLOC_OVER_SPACE,    /* the space's limit */
  ALLOC_OVER_TOTAL,    /* the heap's limit */
  ALLOC_DIVERGED       /* sharers of one key ask for different things: they do not run the same sequence */
} alloc_result;

typedef struct alloc_block {
  alloc_item item;
  ir_dtype dtype;
  uint32_t site;    /* who asks: sharers must agree */
  uint32_t sharers; /* how many acquire it */
  uint32_t guests;  /* how many else hold it */
  uint32_t acquired, released;
  uint8_t *bytes;  /* fresh ones begin on a cache line; NULL for size 0 */
  uint8_t *shadow; /* a bit per byte, set once written; NULL unless the heap keeps shadows, or when all of it is */
  void *room;      /* what was taken from the host for them; NULL for borrowed bytes */
  void *client;    /* what the client keeps with it; NULL in a new one */
  struct alloc_block *next; /* of the spares */
} alloc_block;

typedef struct alloc_heap_desc {
  alloc_poison poison;
  bool shadow;          /* keep a bit per byte that tells whether it was ever written */
  bool record;          /* keep released items for the report; else only the sums */
  bool enforce_limits;  /* of the machine's spaces */
  uint64_t total_limit; /* bytes of all spaces together; 0: none */
} alloc_heap_desc;

/* Used by one thread at a time: units that a thread runs have one for what they own, and what all threads share stands
 * in one that is made before they start. */
typedef struct alloc_heap alloc_heap;
alloc_heap *alloc_heap_create(mem m, const machine *on, const alloc_heap_desc *desc); /* NULL when out of memory */
void alloc_heap_destroy(alloc_heap *heap);

typedef struct alloc_request {
  alloc_key key;
  kiln_str name; /* must outlive the heap */
  uint64_t size;
  ir_dtype dtype;
  uint32_t site;    /* an op's id, or any number that the same program gives the same request */
  uint32_t sharers; /* units that acquire and release it; 0 counts as 1 */
  void *bytes;      /* memory that there is already, as a parameter's array; NULL: fresh, poisoned */
  bool written;     /* all of it counts as written */
} alloc_request;

/* The first sharer makes the block, the others find it. It dies when all `sharers` have released it; its room is kept
 * for the next request of its size, so that a loop's scratch costs the host one allocation. */
alloc_result alloc_acquire(alloc_heap *heap, const alloc_request *request, alloc_block **out);
/* Borrowed bytes are elsewhere from now on; what they hold counts as unwritten again, unless all of it is written. */
void alloc_move(alloc_block *block, void *bytes);
alloc_block *alloc_find(const alloc_heap *heap, alloc_key key); /* NULL when not alive */
void alloc_hold(alloc_block *block); /* for one who did not ask for it: it lives until that one releases it too */
void alloc_release(alloc_heap *heap, alloc_block *block);
bool alloc_ends(const alloc_block *block); /* the next release is the last */
alloc_block *alloc_each(const alloc_heap *heap,
                        uint32_t *cursor);   /* those alive, from cursor 0; NULL behind the last */
uint64_t alloc_most(const alloc_heap *heap); /* bytes that were alive at a time, of all spaces */
uint32_t alloc_live(const alloc_heap *heap); /* blocks alive: 0 at the end of a program, or something leaked */

static inline bool alloc_inside(const alloc_block *block, uint64_t offset, uint64_t size) {
  return offset <= block->item.size && size <= block->item.size - offset;
}
/* The range must be inside. Without a shadow every byte counts as written. */
void alloc_mark(alloc_block *block, uint64_t offset, uint64_t size);
void alloc_unmark(alloc_block *block, uint64_t offset, uint64_t size);
bool alloc_first_unwritten(const alloc_block *block, uint64_t offset, uint64_t size, uint64_t *where);

/* Items are the released ones, if recorded. Valid until the heap is used again. */
alloc_report alloc_heap_report(alloc_heap *heap);

#endif
