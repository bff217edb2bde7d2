/* Making a plan: the grid walked with model/step.h, index maps followed by number, the passes run, memory placed. */
#include "pass/plan/plan.h"

#include <string.h>

#include "ir/eval/eval.h"
#include "pass/util.h"

enum { MAX_STEPS_FOLLOWED = 1 << 20 };

/* ---- index maps by number ---- */

typedef struct follower {
  const ir_kernel *kernel;
  const step_grid *grid;
  int64_t parallel[STEP_MAX_AXES];
  uint64_t *bits;     /* by value id */
  plan_block *blocks; /* `known` becomes false once a map needs data */
  bool ok;            /* this map, so far */
} follower;

static bool follow_op(void *user, ir_op *op) {
  follower *f = user;
  uint64_t in[3] = {0};
  if (op->code == IR_yield) return true;
  f->ok = ir_evals_one(op);
  for (uint32_t i = 0; f->ok && i < op->operand_count; i++) in[i] = f->bits[op->operands[i]->id];
  f->ok = f->ok && ir_eval_one(op, in, &f->bits[op->results[0]->id]);
  return f->ok;
}

static void follow_map(void *user, uint32_t which, const int64_t *index, int64_t *block) {
  follower *f = user;
  const ir_block *b = &f->kernel->blocks[which];
  int64_t merged[STEP_MAX_AXES];
  step_merge(f->grid, f->parallel, index, merged);
  for (uint32_t axis = 0; axis < f->kernel->axis_count; axis++)
    f->bits[f->kernel->axes[axis].index->id] = ir_bits_from_i64(IR_I32, merged[axis]);
  memset(block, 0, sizeof(int64_t) * b->size.rank);
  f->ok = true;
  if (!b->map) return;
  if (!ir_walk(b->map, follow_op, f)) {
    f->blocks[which].known = false;
    return;
  }
  const ir_op *yield = pass_yield_of(b->map);
  for (uint32_t axis = 0; axis < yield->operand_count; axis++)
    block[axis] = ir_bits_to_i64(IR_I32, f->bits[yield->operands[axis]->id]);
}

/* ---- the walk ---- */

static void note_step(plan *p, uint32_t at, const step_record *step) {
  for (uint32_t i = 0; i < p->block_count; i++) {
    const step_operand *operand = &step->operand[i];
    p->blocks[i].visits += operand->changed;
    if (at >= PLAN_STEPS_SHOWN) continue;
    memcpy(p->blocks[i].shown[at].block, operand->block, sizeof operand->block);
    p->blocks[i].shown[at].changed = operand->changed;
  }
}

/* Every unit walks the sequential axes at its own place on the parallel ones. */
static bool follow_units(plan *p, follower *f, step_walk *walk, const step_operand_desc *operands) {
  step_grid across = step_parallel_part(&p->grid), along = step_sequential_part(&p->grid);
  uint64_t length = p->units ? p->steps / p->units : 0, at = 0;
  for (uint64_t run = 0; run < p->units; run++) {
    step_unflatten(&across, run, f->parallel);
    if (!step_walk_init(walk, &along, (step_share){0, length}, operands, p->block_count, follow_map, f)) return false;
    while (step_next(walk)) {
      note_step(p, at < PLAN_STEPS_SHOWN ? (uint32_t)at : PLAN_STEPS_SHOWN, &walk->record);
      at++;
    }
  }
  return true;
}

static void follow_walk(arena *a, plan *p) {
  const ir_kernel *k = p->kernel;
  if (p->dynamic || p->steps > MAX_STEPS_FOLLOWED || p->block_count > STEP_MAX_OPERANDS) return;
  follower f = {.kernel = k, .grid = &p->grid, .blocks = p->blocks};
  f.bits = ARENA_ARRAY(a, uint64_t, (size_t)k->value_count + 1);
  step_operand_desc *operands = ARENA_ARRAY(a, step_operand_desc, (size_t)p->block_count + 1);
  for (uint32_t i = 0; i < p->block_count; i++) {
    operands[i] = (step_operand_desc){.rank = p->blocks[i].size.rank, .slots = 1};
    p->blocks[i].known = true;
    p->blocks[i].shown = ARENA_ARRAY(a, plan_visit, PLAN_STEPS_SHOWN);
  }
  if (follow_units(p, &f, ARENA_NEW(a, step_walk), operands)) return;
  for (uint32_t i = 0; i < p->block_count; i++) p->blocks[i].known = false;
}

/* ---- what the kernel says ---- */

static bool read_grid(arena *a, const ir_kernel *k, plan *p) {
  p->axis_names = ARENA_ARRAY(a, kiln_str, (size_t)k->axis_count + 1);
  p->grid = step_grid_of(k);
  for (uint32_t i = 0; i < k->axis_count; i++) {
    p->axis_names[i] = k->axes[i].name;
    p->dynamic |= (uint32_t)(k->axes[i].bound != NULL) << i;
  }
  step_grid across = step_parallel_part(&p->grid);
  return step_count(&p->grid, &p->steps) && step_count(&across, &p->units);
}

static bool is_ragged(const ir_block *block, const ir_type *array) {
  bool ragged = false;
  for (uint32_t axis = 0; axis < block->size.rank; axis++) {
    const block_dim dim = block_dim_of(block, array, axis);
    ragged = ragged || block_ragged(&dim);
  }
  return ragged;
}

static void read_blocks(arena *a, const ir_kernel *k, plan *p) {
  p->blocks = ARENA_ARRAY(a, plan_block, (size_t)k->block_count + 1);
  p->block_count = k->block_count;
  for (uint32_t i = 0; i < k->block_count; i++) {
    const ir_param *param = &k->params[k->blocks[i].param];
    plan_block *block = &p->blocks[i];
    *block = (plan_block){.name = param->name, .direction = param->direction, .array = param->ref->type};
    block->param = k->blocks[i].param;
    block->size = k->blocks[i].size;
    block->bytes = ir_dtype_bytes(block->array.dtype);
    for (uint32_t axis = 0; axis < block->size.rank; axis++) block->bytes *= (uint64_t)block->size.dims[axis]->value;
    block->ragged = is_ragged(&k->blocks[i], &block->array);
  }
}

typedef struct reading {
  arena *arena;
  plan *plan;
  pass_id at; /* the last pass that leaves the blocks as they are written */
  bool counted;
} reading;

static void read_kernel(void *user, pass_id id, const ir_kernel *k) {
  reading *r = user;
  plan *p = r->plan;
  if (id != r->at) return;
  r->counted = read_grid(r->arena, k, p);
  if (!r->counted) return;
  read_blocks(r->arena, k, p);
  follow_walk(r->arena, p);
  p->steps_shown = p->steps < PLAN_STEPS_SHOWN ? (uint32_t)p->steps : PLAN_STEPS_SHOWN;
}

bool plan_make(arena *a, ir_kernel *k, const pass_target *target, diag_sink *diags, plan *out) {
  /* Crews go without find_parallel. */
  reading r = {.arena = a, .plan = out, .at = ir_is_crew(k) ? PASS_expand_views : PASS_find_parallel};
  *out = (plan){.kernel = k, .target = *target};
  if (pass_run(k, target, diags, PASS_COUNT, read_kernel, &r) != KILN_OK) return false;
  if (!r.counted) {
    diag_report(diags, DIAG_grid_limit, k->loc, STR_FMT(k->name));
    return false;
  }
  if (!pass_memory_of(a, k, target, diags, &out->memory)) return false;
  out->machine = out->memory.machine.kind;
  return true;
}

uint64_t plan_shared_bytes(const plan *p) {
  const alloc_report *report = &p->memory.report;
  uint64_t bytes = p->kept_bytes;
  for (uint32_t i = 0; i < report->use_count; i++)
    if (report->uses[i].space == machine_info_of(p->machine)->shared) bytes += report->uses[i].peak;
  return bytes;
}

/* ---- words that both renderings use ---- */

void plan_bytes(text *out, uint64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  uint32_t unit = 0;
  double value = (double)bytes;
  while (value >= 1024 && unit < 6) value /= 1024, unit++;
  bool whole = value == (double)(uint64_t)value || unit == 0;
  text_format(out, whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static kiln_str loop_name(const ir_op *op) {
  return op->code == IR_for ? op->regions[0]->args[0]->name : (kiln_str){0};
}

void plan_point(const plan *p, uint32_t point, text *out) {
  const memory_point *at = &p->memory.points[point];
  if (!at->op) {
    text_add(out, at->leaves ? STR("end") : STR("start"));
    return;
  }
  const char *word = ir_op_get(at->op->code)->text;
  text_format(out, at->leaves ? "end %s" : "%s", word);
  kiln_str name = at->op->region_count ? loop_name(at->op) : ir_root_ref(at->op->operands[0])->name;
  if (name.size) text_format(out, " %.*s", STR_FMT(name));
}

uint32_t plan_point_line(const plan *p, uint32_t point) {
  uint32_t line = 0, column = 0;
  if (p->memory.points[point].op) loc_position(p->memory.points[point].op->loc, &line, &column);
  return line;
}

const char *plan_level_of(const plan *p, const alloc_use *use) {
  const machine *m = &p->memory.machine;
  return level_info_of(machine_level(m, unit_depth(m, use->owner)))->name;
}

kiln_str plan_item_name(const plan *p, uint32_t item) {
  kiln_str name = p->memory.report.items[item].name;
  return name.size ? name : STR("scratch");
}
