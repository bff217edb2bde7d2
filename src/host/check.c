/* Faults found while running: indices outside an array, and reads of memory that nothing wrote. Every op reports its
 * first fault; the run goes on with what the language says of such accesses, and ends with KILN_ERROR_FAULT.
 * What was written is in the shadows of the heap's blocks. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/crew/crew.h"

enum { REPORTS_MOST = 64 };

struct host_faults {
  mem mem;
  const ir_op *reported[REPORTS_MOST];
  size_t count;
};

host_faults *host_faults_create(const kiln_host_plan *plan) {
  host_faults *faults = mem_calloc(plan->context->mem, 1, sizeof *faults);
  if (faults) faults->mem = plan->context->mem;
  return faults;
}

void host_faults_destroy(host_faults *faults) {
  if (faults) mem_free(faults->mem, faults, sizeof *faults);
}

size_t host_faults_count(const host_faults *faults) { return faults->count; }

/* ---- texts ---- */

enum { TEXT_MOST = 256 };
typedef struct line {
  char text[TEXT_MOST];
  size_t size;
} line;

static void add(line *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(line *to, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int written = vsnprintf(to->text + to->size, TEXT_MOST - to->size, format, args);
  va_end(args);
  to->size += written < 0 ? 0 : (size_t)written;
  if (to->size >= TEXT_MOST) to->size = TEXT_MOST - 1;
}

/* As ir_say_shape, without memory of its own. */
static void add_shape(line *to, uint32_t rank, const int64_t *dims) {
  for (uint32_t d = 0; d < rank; d++) add(to, "%s%lld", d ? ", " : "[", (long long)dims[d]);
  if (rank > 0) add(to, "]");
}

static bool already_reported(host_faults *faults, const ir_op *op) {
  for (size_t i = 0; i < faults->count && i < REPORTS_MOST; i++)
    if (faults->reported[i] == op) return true;
  if (faults->count < REPORTS_MOST) faults->reported[faults->count] = op;
  return faults->count++ >= REPORTS_MOST;
}

static void report(host_unit *unit, diag_id id, const ir_op *op, const line *index, const host_root *root) {
  char unit_text[TEXT_MOST];
  if (already_reported(unit->faults, op)) return;
  host_describe_unit(unit, unit_text, sizeof unit_text);
  const host_box_info *whole = &unit->plan->boxes[root->box];
  line shape = {.size = 0};
  add(&shape, "%s", ir_dtype_get(root->dtype)->name);
  add_shape(&shape, whole->rank, whole->dims);
  diag_extra extra = {.unit = {unit_text, strlen(unit_text)}, .seed = unit->plan->seed};
  diag_report_with(unit->plan->context->diags, id, op->loc, &extra,
                   op->code == IR_store    ? "store to"
                   : op->code == IR_atomic ? "atomic on"
                                           : "load from",
                   STR_FMT(root->name), index->text, shape.text);
}

/* ---- bounds ---- */

static int64_t start_of(const host_unit *unit, const struct host_place_dim *dim) {
  return dim->slot == HOST_NONE ? dim->start : host_cell(unit, dim->slot);
}

/* Edge views may reach outside their array, but an index outside the view itself is a fault everywhere. */
static bool dim_outside(const host_unit *unit, const host_place *place, uint32_t d, int64_t first, int64_t last) {
  const host_box *from = &unit->box[place->from];
  if (first < 0 || last >= place->dim[d].extent) return true;
  return !unit->plan->boxes[place->from].edge && (first < from->low[d] || last >= from->high[d]);
}

static void index_text(const host_unit *unit, const host_place *place, line *out) {
  for (uint32_t d = 0; d < place->rank; d++) {
    const struct host_place_dim *dim = &place->dim[d];
    int64_t start = start_of(unit, dim);
    add(out, "%s%lld", d ? ", " : "[", (long long)start);
    if (!dim->point) add(out, " : %lld", (long long)dim->size);
    if (dim->stride > 1) add(out, " : %lld", (long long)dim->stride);
  }
  add(out, "]");
}

static bool box_outside(const host_unit *unit, const host_place *place) {
  bool outside = false;
  for (uint32_t d = 0; d < place->rank; d++) {
    const struct host_place_dim *dim = &place->dim[d];
    int64_t start = start_of(unit, dim);
    if (dim->size == 0) return false;
    outside = outside || dim_outside(unit, place, d, start, start + (dim->size - 1) * dim->stride);
  }
  return outside;
}

/* Under a mask only the lanes that take part count. */
static bool masked_outside(const host_unit *unit, const host_check *check) {
  const host_place *place = &check->place;
  const uint8_t *mask = unit->slot[check->mask];
  int64_t index[KILN_MAX_RANK] = {0}, count = 1;
  for (uint32_t d = 0; d < place->rank; d++) count *= place->dim[d].size;
  for (int64_t at = 0; at < count; at++) {
    for (uint32_t d = 0; mask[at] && d < place->rank; d++) {
      int64_t element = start_of(unit, &place->dim[d]) + index[d] * place->dim[d].stride;
      if (dim_outside(unit, place, d, element, element)) return true;
    }
    for (uint32_t d = place->rank; d-- > 0 && ++index[d] == place->dim[d].size;) index[d] = 0;
  }
  return false;
}

void host_check_bounds(host_unit *unit, const host_check *check, const ir_op *op) {
  if (unit->box[check->box].inside) return;
  if (check->mask == HOST_NONE ? !box_outside(unit, &check->place) : !masked_outside(unit, check)) return;
  line index = {.size = 0};
  index_text(unit, &check->place, &index);
  report(unit, DIAG_out_of_bounds, op, &index, &unit->plan->roots[unit->plan->boxes[check->place.from].root]);
}

void host_fault(host_unit *unit, diag_id id, uint32_t box, const int64_t *index, uint32_t rank, const ir_op *op) {
  line words = {.size = 0};
  add_shape(&words, rank, index);
  report(unit, id, op, &words, &unit->plan->roots[unit->plan->boxes[box].root]);
}

/* ---- shadows ---- */

alloc_block *host_block_of(const host_unit *unit, uint32_t box) { return unit->block[unit->plan->boxes[box].root]; }

/* How many elements from the i-th of a row on take part and lie side by side. */
static int64_t run_of(const host_unit *unit, const host_access *access, const host_row *row, int64_t i) {
  if (access->mask != HOST_NONE) return unit->slot[access->mask][row->at + i];
  return row->stride == (int64_t)row->bytes ? row->high - i : 1;
}

static uint64_t offset_of(const host_row *row, int64_t i) { return (uint64_t)(host_row_element(row, i) - row->root); }

/* The bytes of an access that are one row; else 0. */
static uint64_t access_run(const host_unit *unit, const host_access *access) {
  if (access->mask != HOST_NONE) return 0;
  return host_box_run(&unit->box[access->box], &unit->plan->boxes[access->box]);
}

typedef struct search {
  const alloc_block *block;
  uint64_t where; /* the first byte that nothing wrote */
  bool found;
} search;

static void find_unwritten(void *user, host_unit *unit, const host_access *access, const host_row *row) {
  search *s = user;
  for (int64_t i = row->low, run; i < row->high && !s->found; i += run ? run : 1) {
    run = run_of(unit, access, row, i);
    s->found = alloc_first_unwritten(s->block, offset_of(row, i), (uint64_t)run * row->bytes, &s->where);
  }
}

void host_check_read(host_unit *unit, const host_access *access, const ir_op *op) {
  search s = {.block = host_block_of(unit, access->box)};
  crew_touch(unit, access, RACE_LOAD, op);
  if (!s.block->shadow) return;
  const uint64_t run = access_run(unit, access);
  if (run > 0)
    s.found = alloc_first_unwritten(s.block, (uint64_t)unit->box[access->box].offset, run, &s.where);
  else
    host_each_row(unit, access, find_unwritten, &s);
  if (!s.found) return;
  const host_root *root = &unit->plan->roots[unit->plan->boxes[access->box].root];
  const host_box_info *whole = &unit->plan->boxes[root->box];
  int64_t index[KILN_MAX_RANK] = {0}, element = (int64_t)(s.where / ir_dtype_bytes(root->dtype));
  line words = {.size = 0};
  for (uint32_t d = whole->rank; d-- > 0; element /= whole->dims[d]) index[d] = element % whole->dims[d];
  add_shape(&words, whole->rank, index);
  report(unit, DIAG_uninitialized_read, op, &words, root);
}

static void mark(void *user, host_unit *unit, const host_access *access, const host_row *row) {
  for (int64_t i = row->low, run; i < row->high; i += run ? run : 1) {
    run = run_of(unit, access, row, i);
    alloc_mark(user, offset_of(row, i), (uint64_t)run * row->bytes);
  }
}

void host_mark_written(host_unit *unit, const host_access *access, const ir_op *op) {
  crew_touch(unit, access, RACE_STORE, op);
  alloc_block *block = host_block_of(unit, access->box);
  const uint64_t run = access_run(unit, access);
  if (block->shadow && run > 0)
    alloc_mark(block, (uint64_t)unit->box[access->box].offset, run);
  else if (block->shadow)
    host_each_row(unit, access, mark, block);
}
