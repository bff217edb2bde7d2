/* Ops in order, and control flow. Every lane of a unit takes the same way, so branches and loops are plain ones; what
 * they carry is one scalar per register of a tile, or a place in memory for tiles that do not fit registers. */
#include "pass/util.h"
#include "spirv/lower.h"

/* Values that leave a region: where they live, and their registers. */
typedef struct carried {
  uint32_t count; /* values */
  const ir_type **types;
  spv_points *points;
  uint32_t *memories; /* + 1 */
  spv_carry flat;     /* all registers, value after value */
} carried;

static void op(spv_lower *low, const ir_op *of);

/* ---- what is read and written inside ---- */

typedef struct traffic {
  spv_lower *low;
  bool *read, *written; /* by memory */
} traffic;

static bool note_traffic(void *user, ir_op *inner) {
  traffic *t = user;
  const uint32_t effects = ir_op_get(inner->code)->effects;
  for (size_t m = 0; ir_hands_over(inner) && m < t->low->memories.count; m++) t->read[m] = t->written[m] = true;
  if (!(effects & E_INDEXES)) return true;
  if (effects & E_READS) t->read[spv_memory_of_ref(t->low, inner->operands[0])] = true;
  if (effects & E_WRITES && (!pass_only_looks(inner) || inner->attrs->order))
    t->written[spv_memory_of_ref(t->low, inner->operands[0])] = true;
  return true;
}

/* A loop's body may see what an earlier round of it wrote. */
static void enter_loop(spv_lower *low, const ir_op *loop) {
  size_t count = low->memories.count;
  traffic t = {low, ARENA_ARRAY(low->arena, bool, count + 1), ARENA_ARRAY(low->arena, bool, count + 1)};
  for (uint32_t r = 0; r < loop->region_count; r++) ir_walk(loop->regions[r], note_traffic, &t);
  for (size_t m = 0; m < count; m++) {
    spv_memory *memory = &low->memories.data[m];
    if (!t.written[m] && memory->kind == SPV_BUFFER) continue;
    memory->version++;
    if (memory->kind == SPV_BUFFER && !t.read[m]) continue;
    memory->dirty = memory->read = true;
  }
}

/* ---- carried values ---- */

static void plan_carried(spv_lower *low, carried *all, ir_value *const *values, uint32_t count, loc at) {
  if (count > SPV_MOST_CARRIED) {
    diag_report(low->diags, DIAG_spirv_too_many_results, at, (long long)count, (long long)SPV_MOST_CARRIED);
    spv_give_up(low);
  }
  spv_ids types = {0};
  *all = (carried){.count = count};
  all->types = ARENA_ARRAY(low->arena, const ir_type *, count + 1);
  all->points = ARENA_ARRAY(low->arena, spv_points, count + 1);
  all->memories = ARENA_ARRAY(low->arena, uint32_t, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    const ir_type *type = all->types[i] = &values[i]->type;
    if (spv_register_count(low, type) > SPV_ACCUMULATE) {
      spv_set_memory(low, values[i]);
      all->memories[i] = low->homes[values[i]->id].memory + 1;
      continue;
    }
    spv_register_points(low, type, &all->points[i]);
    for (size_t k = 0; k < all->points[i].count; k++) VEC_PUSH(low->arena, &types, spv_num_type(low, type->dtype));
  }
  all->flat.count = (uint32_t)types.count;
  all->flat.types = types.data;
  all->flat.values = ARENA_ARRAY(low->arena, spv_id, types.count + 1);
}

/* The registers of `values`, evaluated here; tiles in memory are copied. */
static void evaluate(spv_lower *low, const carried *all, ir_value *const *values, spv_id *registers) {
  uint32_t next = 0;
  for (uint32_t i = 0; i < all->count; i++) spv_prepare(low, values[i]);
  for (uint32_t i = 0; i < all->count; i++) {
    if (all->memories[i]) {
      const spv_home *home = &low->homes[values[i]->id];
      if (home->kind == SPV_MEMORY && home->memory == all->memories[i] - 1) continue; /* handed on unchanged */
      spv_to_memory(low, values[i], all->memories[i] - 1);
      continue;
    }
    for (size_t k = 0; k < all->points[i].count; k++)
      registers[next++] = spv_eval(low, values[i], &all->points[i].data[k]);
  }
}

static void bind(spv_lower *low, const carried *all, ir_value *const *values, const spv_id *registers) {
  for (uint32_t i = 0; i < all->count; i++) {
    if (all->memories[i]) {
      low->homes[values[i]->id] = (spv_home){.kind = SPV_MEMORY, .memory = all->memories[i] - 1};
      continue;
    }
    spv_set_registers(low, values[i], &all->points[i], registers);
    registers += all->points[i].count;
  }
}

/* A tile in memory that the next round computes from the present one goes through a second place. */
static void evaluate_next(spv_lower *low, const carried *all, ir_value *const *values, spv_id *registers) {
  for (uint32_t i = 0; i < all->count; i++) {
    if (!all->memories[i]) continue;
    const spv_home *home = &low->homes[values[i]->id];
    if (home->kind == SPV_VIRTUAL) spv_materialize(low, values[i]);
  }
  evaluate(low, all, values, registers);
}

static const ir_op *terminator(const ir_region *region) { return region->last; }

/* ---- loops ---- */

typedef struct open_loop {
  const ir_op *op;
  carried all;
  spv_loop loop;
  spv_id *phis, *next; /* as many as registers, and one before for `for` */
  uint32_t lead;
} open_loop;

static void open(spv_lower *low, open_loop *l, ir_value *const *inits, uint32_t count) {
  plan_carried(low, &l->all, l->op->results, count, l->op->loc);
  evaluate(low, &l->all, inits, l->all.flat.values);
  l->phis = ARENA_ARRAY(low->arena, spv_id, l->all.flat.count + 2);
  l->next = ARENA_ARRAY(low->arena, spv_id, l->all.flat.count + 2);
  enter_loop(low, l->op);
  l->loop = spv_code_loop(&low->code);
}

static void open_phis(spv_lower *low, open_loop *l) {
  const spv_carry *flat = &l->all.flat;
  for (uint32_t i = 0; i < flat->count; i++)
    l->phis[l->lead + i] = spv_code_phi(&low->code, &l->loop, flat->types[i], flat->values[i]);
}

static void close(spv_lower *low, open_loop *l, const ir_region *body, spv_id again) {
  const ir_op *last = terminator(body);
  const size_t count = l->all.flat.count + l->lead;
  if (last) evaluate_next(low, &l->all, last->operands, l->next + l->lead);
  const spv_id *left = spv_code_loop_end(&low->code, &l->loop, l->phis, l->next, count, again);
  bind(low, &l->all, l->op->results, left + l->lead);
}

static uint32_t divisor(uint32_t a, uint32_t b) { return b ? divisor(b, a % b) : a; }

/* i + step, but never past the largest integer: where that is near, the last step only goes to the end. */
static spv_id advance(spv_lower *low, spv_id i, spv_id step, spv_id end) {
  spv_code *c = &low->code;
  const spv_fact by = *spv_fact_of(c, step), limit = *spv_fact_of(c, end);
  if (limit.high + by.high <= INT32_MAX) return spv_op2(c, SpvOpIAdd, c->u32, i, step);
  spv_id left = spv_op2(c, SpvOpISub, c->u32, end, i);
  return spv_op2(c, SpvOpIAdd, c->u32, i, spv_glsl2(c, GLSLstd450UMin, c->u32, left, step));
}

static void emit_loop(spv_lower *low, const ir_op *of, spv_id begin, spv_id step) {
  spv_code *c = &low->code;
  open_loop l = {.op = of, .lead = 1};
  spv_id end = spv_eval_scalar(low, of->operands[1]);
  open(low, &l, of->operands + 3, of->operand_count - 3);
  spv_id i = l.phis[0] = spv_code_phi(c, &l.loop, c->u32, begin);
  const spv_fact first = *spv_fact_of(c, begin), limit = *spv_fact_of(c, end), by = *spv_fact_of(c, step);
  if (limit.high > first.low) spv_range(c, i, first.low, limit.high - 1, divisor(first.multiple, by.multiple));
  open_phis(low, &l);
  spv_loop_test(c->m, &l.loop, false);
  const bool begins = limit.low > first.high;
  if (!begins) spv_loop_body(c->m, &l.loop, SPV(c->m, SpvOpSLessThan, c->boolean, i, end));
  const ir_region *body = of->regions[0];
  spv_set_scalar(low, body->args[0], i);
  bind(low, &l.all, body->args + 1, l.phis + 1);
  spv_region(low, body);
  l.next[0] = advance(low, i, step, end);
  close(low, &l, body, begins ? SPV(c->m, SpvOpSLessThan, c->boolean, l.next[0], end) : 0);
}

/* The one trip of a loop, without the loop: drivers that run lanes under masks go through the text of a loop that ends
 * once more than it has trips. */
static void emit_trip(spv_lower *low, const ir_op *of, spv_id i) {
  const ir_region *body = of->regions[0];
  carried all;
  plan_carried(low, &all, of->results, of->result_count, of->loc);
  evaluate(low, &all, of->operands + 3, all.flat.values);
  enter_loop(low, of);
  bind(low, &all, body->args + 1, all.flat.values);
  spv_set_scalar(low, body->args[0], i);
  spv_region(low, body);
  const ir_op *last = terminator(body);
  if (last) evaluate_next(low, &all, last->operands, all.flat.values);
  bind(low, &all, of->results, all.flat.values);
}

/* Roles that run side by side: each subgroup has its trips, and all meet at the end. What the loop carries is each
 * subgroup's own. */
static void emit_roles(spv_lower *low, const ir_op *of) {
  int64_t trips;
  spv_id first = low->subgroups > 1 ? low->subgroup : spv_int(&low->code, 0);
  low->in_role = true;
  if (pass_integer(of->operands[1], &trips) && trips == low->subgroups)
    emit_trip(low, of, first);
  else
    emit_loop(low, of, first, spv_int(&low->code, low->subgroups));
  low->in_role = false;
  spv_barrier(low);
}

static void emit_for(spv_lower *low, const ir_op *of) {
  if (of->attrs && of->attrs->roles)
    emit_roles(low, of);
  else
    emit_loop(low, of, spv_eval_scalar(low, of->operands[0]), spv_eval_scalar(low, of->operands[2]));
}

static void emit_while(spv_lower *low, const ir_op *of) {
  spv_code *c = &low->code;
  open_loop l = {.op = of};
  open(low, &l, of->operands, of->operand_count);
  open_phis(low, &l);
  spv_loop_test(c->m, &l.loop, false);
  const ir_region *condition = of->regions[0], *body = of->regions[1];
  bind(low, &l.all, condition->args, l.phis);
  spv_region(low, condition);
  spv_prepare(low, terminator(condition)->operands[0]);
  spv_loop_body(c->m, &l.loop, spv_eval_scalar(low, terminator(condition)->operands[0]));
  bind(low, &l.all, body->args, l.phis);
  spv_region(low, body);
  close(low, &l, body, 0);
}

/* ---- choices ---- */

/* What one side did to memory holds after both; a barrier of one side does not. */
static void merge_memory(spv_lower *low, const spv_memory *before, size_t count) {
  for (size_t m = 0; m < count; m++) {
    low->memories.data[m].dirty |= before[m].dirty;
    low->memories.data[m].read |= before[m].read;
  }
}

static void run_case(spv_lower *low, const carried *all, const ir_region *region, spv_id *registers) {
  spv_region(low, region);
  const ir_op *last = terminator(region);
  if (all->count) evaluate(low, all, last->operands, registers);
}

/* Case `k` when its condition holds, else one of the later ones. */
static void choose(spv_lower *low, const ir_op *of, spv_id index, const carried *all, uint32_t k, spv_id *registers) {
  spv_code *c = &low->code;
  if (k + 1 == of->region_count) {
    run_case(low, all, of->regions[k], registers);
    return;
  }
  size_t count = low->memories.count;
  spv_memory *before = arena_copy(low->arena, low->memories.data, count * sizeof *before);
  spv_id *mine = ARENA_ARRAY(low->arena, spv_id, all->flat.count + 1);
  bool is_when = of->code == IR_when;
  spv_id condition = is_when ? index : spv_op2(c, SpvOpSLessThanEqual, c->boolean, index, spv_int(c, k));
  spv_if branch = spv_code_if(c, condition);
  run_case(low, all, of->regions[k], mine);
  spv_code_else(c, &branch);
  merge_memory(low, before, count);
  choose(low, of, index, all, k + 1, registers);
  spv_code_end(c, &branch);
  merge_memory(low, before, count);
  for (uint32_t i = 0; i < all->flat.count; i++)
    registers[i] = spv_code_join(c, &branch, all->flat.types[i], mine[i], registers[i]);
}

static void emit_choice(spv_lower *low, const ir_op *of) {
  carried all;
  plan_carried(low, &all, of->results, of->result_count, of->loc);
  choose(low, of, spv_eval_scalar(low, of->operands[0]), &all, 0, all.flat.values);
  bind(low, &all, of->results, all.flat.values);
}

/* ---- ops ---- */

static void op(spv_lower *low, const ir_op *of) {
  spv_line(&low->module, of->loc);
  switch (of->code) {
    case IR_store: spv_store_op(low, of); return;
    case IR_atomic: spv_atomic_op(low, of); return;
    case IR_view:
    case IR_scratch:
    case IR_yield: return;
    case IR_for: emit_for(low, of); return;
    case IR_while: emit_while(low, of); return;
    case IR_when:
    case IR_switch: emit_choice(low, of); return;
    case IR_dot: spv_dot_op(low, of); return;
    default: break;
  }
  ir_form form = ir_op_get(of->code)->form;
  if (of->code == IR_load && spv_private_of(low, of))
    spv_private_load(low, of);
  else if (form == IR_FORM_REDUCE)
    spv_reduce_op(low, of);
  else if (form == IR_FORM_SCAN)
    spv_scan_op(low, of);
  else if (low->homes[of->results[0]->id].must_keep)
    spv_materialize(low, of->results[0]);
}

void spv_region(spv_lower *low, const ir_region *region) {
  for (const ir_op *of = region->first; of; of = of->next) {
    op(low, of);
    if (of->next) spv_cut(low);
  }
}
