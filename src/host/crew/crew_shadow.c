/* What was ever written, as tasks see it: copies carry it along with the elements, products and copies that combine
 * must not read what nothing wrote. */
#include <string.h>

#include "host/crew/crew.h"

/* A row of elements that exist: its first one's offset in memory, and its number in the dense tile. */
typedef struct row {
  uint64_t offset;
  int64_t stride, at, count;
} row;
typedef void (*row_fn)(void *user, const crew_side *side, const row *row);

static uint64_t element_bytes(const crew_side *side) { return ir_dtype_bytes(side->info.dtype); }

/* Elements that lie side by side are one row. */
static void each_row(const crew_side *side, row_fn each, void *user) {
  const host_box_info *info = &side->info;
  const uint64_t bytes = element_bytes(side), run = host_box_run(&side->box, info);
  int64_t index[KILN_MAX_RANK];
  if (run > 0) {
    each(user, side, &(row){(uint64_t)side->box.offset, (int64_t)bytes, 0, (int64_t)(run / bytes)});
    return;
  }
  if (info->rank == 0 || host_box_empty(&side->box, info->rank)) return;
  memcpy(index, side->box.low, sizeof index);
  const uint32_t last = info->rank - 1;
  do {
    int64_t offset = side->box.offset, at = 0;
    for (uint32_t d = 0; d < info->rank; d++) {
      const int64_t i = d == last ? side->box.low[d] : index[d];
      offset += i * info->strides[d];
      at = at * info->dims[d] + i;
    }
    const int64_t count = side->box.high[last] - side->box.low[last];
    each(user, side, &(row){(uint64_t)offset, info->strides[last], at, count});
  } while (host_next_row(&side->box, info->rank, index));
}

static bool lies_dense(const crew_side *side, const row *r) { return r->stride == (int64_t)element_bytes(side); }

static uint64_t offset_of(const row *r, int64_t i) { return (uint64_t)((int64_t)r->offset + i * r->stride); }

/* ---- all of it ---- */

static void mark_row(void *user, const crew_side *side, const row *r) {
  const uint64_t bytes = element_bytes(side);
  (void)user;
  if (lies_dense(side, r)) alloc_mark(side->block, r->offset, (uint64_t)r->count * bytes);
  for (int64_t i = 0; !lies_dense(side, r) && i < r->count; i++) alloc_mark(side->block, offset_of(r, i), bytes);
}

void crew_mark_written(const crew_side *side) {
  if (side->block && side->block->shadow) each_row(side, mark_row, NULL);
}

/* ---- what is missing ---- */

typedef struct search {
  bool found;
  uint64_t where; /* byte */
} search;

static void search_row(void *user, const crew_side *side, const row *r) {
  search *s = user;
  const uint64_t bytes = element_bytes(side);
  if (s->found) return;
  if (lies_dense(side, r))
    s->found = alloc_first_unwritten(side->block, r->offset, (uint64_t)r->count * bytes, &s->where);
  for (int64_t i = 0; !lies_dense(side, r) && i < r->count && !s->found; i++)
    s->found = alloc_first_unwritten(side->block, offset_of(r, i), bytes, &s->where);
}

static search first_unwritten(const crew_side *side) {
  search s = {.found = false};
  if (side->block && side->block->shadow) each_row(side, search_row, &s);
  return s;
}

bool crew_all_written(const crew_side *side) { return !first_unwritten(side).found; }

void crew_check_written(const crew_task *task, const crew_side *side) {
  const search s = first_unwritten(side);
  if (!s.found) return;
  const host_box_info *whole = &task->unit->plan->boxes[side->root->box];
  int64_t index[KILN_MAX_RANK] = {0}, element = (int64_t)(s.where / ir_dtype_bytes(whole->dtype));
  for (uint32_t d = whole->rank; d-- > 0; element /= whole->dims[d]) index[d] = element % whole->dims[d];
  host_fault(task->unit, DIAG_uninitialized_read, side->root->box, index, whole->rank, task->op);
}

/* ---- carried along ---- */

typedef struct notes {
  uint8_t *unwritten; /* by number in the dense tile */
} notes;

static void note_row(void *user, const crew_side *side, const row *r) {
  const notes *n = user;
  uint64_t where;
  for (int64_t i = 0; i < r->count; i++)
    n->unwritten[r->at + i] = alloc_first_unwritten(side->block, offset_of(r, i), element_bytes(side), &where);
}

bool crew_note_unwritten(const crew_side *from, uint8_t *unwritten) {
  if (!first_unwritten(from).found) return false;
  memset(unwritten, 0, (size_t)host_box_count(&from->info));
  each_row(from, note_row, &(notes){unwritten});
  return true;
}

static void carry_row(void *user, const crew_side *side, const row *r) {
  const notes *n = user;
  for (int64_t i = 0; i < r->count; i++)
    (n->unwritten[r->at + i] ? alloc_unmark : alloc_mark)(side->block, offset_of(r, i), element_bytes(side));
}

void crew_carry_unwritten(const crew_side *to, uint8_t *unwritten) {
  if (to->block->shadow) each_row(to, carry_row, &(notes){unwritten});
}
