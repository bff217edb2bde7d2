/* Grid walks and block windows: see step.h. */
#include "model/step.h"

#include <string.h>

_Static_assert((int)STEP_MAX_AXES >= (int)IR_MAX_AXES, "a grid fits a step");

step_grid step_grid_of(const ir_kernel *k) {
  step_grid grid = {.rank = k->axis_count};
  for (uint32_t axis = 0; axis < grid.rank; axis++) {
    grid.size[axis] = k->axes[axis].bound ? 1 : k->axes[axis].extent->value;
    grid.parallel[axis] = k->axes[axis].parallel;
  }
  return grid;
}

bool step_count(const step_grid *grid, uint64_t *out) {
  uint64_t count = 1;
  bool empty = false;
  for (uint32_t axis = 0; axis < grid->rank; axis++) {
    if (grid->size[axis] < 0) return false;
    if (grid->size[axis] == 0)
      empty = true;
    else if (__builtin_mul_overflow(count, (uint64_t)grid->size[axis], &count))
      return false;
  }
  *out = empty ? 0 : count;
  return count <= INT64_MAX;
}

/* ---- the rules, in numbers ---- */

#define STEP_ADD(a, b) ((a) + (b))
#define STEP_SUB(a, b) ((a) - (b))
#define STEP_DIV(a, b) ((a) / (b))
#define STEP_MOD(a, b) ((a) % (b))
#define STEP_EQUAL(a, b) ((a) == (b))
#define STEP_ONE 1
#define STEP_ZERO 0

static void fill_walk(step_record *out, uint64_t flat, uint64_t begin, uint64_t end) {
#define STEP_FIELD(name, formula) out->name = formula;
#define STEP_AXIS(name, formula)
#include "model/step_rules.def"
}

static void fill_axis(step_record *out, uint32_t axis, uint64_t flat, uint64_t behind, uint64_t size) {
  uint64_t index;
#define SET_index(formula) out->index[axis] = (int64_t)(index = (formula));
#define SET_axis_first(formula) out->axis_first[axis] = formula;
#define SET_axis_last(formula) out->axis_last[axis] = formula;
#define STEP_FIELD(name, formula)
#define STEP_AXIS(name, formula) SET_##name(formula)
#include "model/step_rules.def"
}

void step_record_at(const step_grid *grid, step_share share, uint64_t flat, step_record *out) {
  uint64_t behind = 1;
  out->rank = grid->rank;
  out->flat = flat;
  out->local_count = share.end - share.begin;
  fill_walk(out, flat, share.begin, share.end);
  for (uint32_t axis = grid->rank; axis-- > 0; behind *= (uint64_t)grid->size[axis])
    fill_axis(out, axis, flat, behind, (uint64_t)grid->size[axis]);
  out->flat_count = behind;
}

void step_unflatten(const step_grid *grid, uint64_t flat, int64_t *index) {
  step_record at;
  step_record_at(grid, (step_share){0}, flat, &at);
  memcpy(index, at.index, grid->rank * sizeof *index);
}

uint64_t step_flatten(const step_grid *grid, const int64_t *index) {
  uint64_t flat = 0;
  for (uint32_t axis = 0; axis < grid->rank; axis++) flat = flat * (uint64_t)grid->size[axis] + (uint64_t)index[axis];
  return flat;
}

static step_grid part(const step_grid *grid, bool parallel) {
  step_grid out = {0};
  for (uint32_t axis = 0; axis < grid->rank; axis++) {
    if (grid->parallel[axis] != parallel) continue;
    out.parallel[out.rank] = parallel;
    out.size[out.rank++] = grid->size[axis];
  }
  return out;
}

step_grid step_parallel_part(const step_grid *grid) { return part(grid, true); }
step_grid step_sequential_part(const step_grid *grid) { return part(grid, false); }

void step_merge(const step_grid *grid, const int64_t *parallel, const int64_t *sequential, int64_t *index) {
  for (uint32_t axis = 0; axis < grid->rank; axis++) index[axis] = grid->parallel[axis] ? *parallel++ : *sequential++;
}

bool step_share_of(const step_grid *grid, uint32_t units, uint32_t which, step_share *out) {
  step_grid across = step_parallel_part(grid), along = step_sequential_part(grid);
  for (uint32_t axis = 0; axis < across.rank; axis++)
    if (!grid->parallel[axis]) return false;
  uint64_t runs, length;
  if (units == 0 || !step_count(&across, &runs) || !step_count(&along, &length)) return false;
  uint64_t each = runs / units + (runs % units != 0);
  uint64_t first = each * which < runs ? each * which : runs;
  uint64_t end = runs - first < each ? runs : first + each;
  *out = (step_share){first * length, end * length};
  return true;
}

bool step_walk_init(step_walk *walk, const step_grid *grid, step_share share, const step_operand_desc *operands,
                    uint32_t operand_count, step_map find, void *user) {
  uint64_t count;
  if (operand_count > STEP_MAX_OPERANDS || grid->rank > STEP_MAX_AXES || !step_count(grid, &count)) return false;
  if (share.end > count || share.begin > share.end) return false;
  memset(walk, 0, sizeof *walk);
  walk->grid = *grid;
  walk->share = share;
  walk->map = find;
  walk->user = user;
  walk->operands = operands;
  step_record *record = &walk->record;
  record->rank = grid->rank;
  record->flat_count = count;
  record->local_count = share.end - share.begin;
  record->operand_count = operand_count;
  for (uint32_t which = 0; which < operand_count; which++) record->operand[which].rank = operands[which].rank;
  return true;
}

static bool same_block(const int64_t *a, const int64_t *b, uint32_t rank) {
  return rank == 0 || memcmp(a, b, rank * sizeof *a) == 0;
}

/* Takes the block that was looked up one step ahead, and looks up the next one. */
static void advance_operand(step_walk *walk, uint32_t which, const int64_t *next_index) {
  step_record *record = &walk->record;
  step_operand *operand = &record->operand[which];
  int64_t *ahead = walk->next_block[which];
  if (record->first) walk->map(walk->user, which, record->index, ahead);
  operand->changed = record->first || !same_block(ahead, operand->block, operand->rank);
  if (operand->changed && !record->first) operand->visit++;
  uint32_t slots = walk->operands[which].slots;
  operand->slot = slots > 1 ? (uint32_t)(operand->visit % slots) : 0;
  memcpy(operand->block, ahead, sizeof operand->block);
  if (!record->last) walk->map(walk->user, which, next_index, ahead);
  operand->leaves = record->last || !same_block(ahead, operand->block, operand->rank);
}

bool step_next(step_walk *walk) {
  step_record *record = &walk->record;
  uint64_t local = walk->started ? record->local + 1 : 0;
  if (local >= record->local_count) return false;
  walk->started = true;
  step_record_at(&walk->grid, walk->share, walk->share.begin + local, record);
  int64_t next_index[STEP_MAX_AXES] = {0};
  if (!record->last) step_unflatten(&walk->grid, record->flat + 1, next_index);
  for (uint32_t which = 0; which < record->operand_count; which++) advance_operand(walk, which, next_index);
  return true;
}

/* Saturating, so that a wild index from an index map stays far outside the array. */
static int64_t scaled(int64_t index, int64_t size) {
  int64_t product;
  if (!__builtin_mul_overflow(index, size, &product)) return product;
  return index < 0 ? INT64_MIN / 2 : INT64_MAX / 2;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

block_dim block_dim_of(const ir_block *block, const ir_type *array, uint32_t axis) {
  const bool squeezed = block->squeezed >> axis & 1, element = block->element >> axis & 1;
  return (block_dim){
      .kind = squeezed  ? BLOCK_SQUEEZED
              : element ? BLOCK_ELEMENT
                        : BLOCK_TILED,
      .size = block->size.dims[axis]->value,
      .array = ir_extent(array, axis),
  };
}

block_rule block_rule_of(const block_dim *dim) {
  switch (dim->kind) {
    case BLOCK_TILED: return (block_rule){dim->size, 0};
    case BLOCK_ELEMENT: return (block_rule){1, -dim->padding_low};
    case BLOCK_SQUEEZED: return (block_rule){1, 0};
    case BLOCK_WHOLE: break;
  }
  return (block_rule){0, 0};
}

block_window block_place(const block_dim *dim, int64_t index) {
  const block_rule rule = block_rule_of(dim);
  block_window out = {.size = dim->size};
  if (dim->kind == BLOCK_SQUEEZED) out.size = 1;
  if (dim->kind == BLOCK_WHOLE) out.size = dim->array;
  if (!i64_add(scaled(index, rule.scale), rule.offset, &out.origin)) out.origin = INT64_MIN / 2;
  out.origin = clamp(out.origin, INT64_MIN / 2, INT64_MAX / 2);
  int64_t begin = clamp(out.origin, 0, dim->array);
  int64_t end = clamp(out.origin + out.size, begin, dim->array);
  out.valid = end - begin;
  out.skip = out.valid ? begin - out.origin : 0;
  return out;
}

bool block_inside(const block_dim *dim, int64_t index) {
  const block_window window = block_place(dim, index);
  return window.valid == window.size;
}

int64_t block_count(const block_dim *dim) {
  switch (dim->kind) {
    case BLOCK_TILED: return dim->size ? dim->array / dim->size + (dim->array % dim->size != 0) : 0;
    case BLOCK_ELEMENT: return 0;
    case BLOCK_SQUEEZED: return dim->array;
    case BLOCK_WHOLE: return 1;
  }
  return 0;
}

bool block_ragged(const block_dim *dim) {
  return dim->kind == BLOCK_ELEMENT || (dim->kind == BLOCK_TILED && dim->size && dim->array % dim->size != 0);
}
