/* The rules that types alone do not keep: what is visible where, how regions end, what may be written, what an index
 * map may use. Run on every parsed kernel, where a broken rule is the user's mistake, and in checking builds after
 * every pass, where it is ours. */
#include "ir/layout.h"

typedef struct verifier {
  const ir_kernel *kernel;
  diag_sink *diags;
  uint8_t *visible; /* by value id */
  uint32_t *uses;   /* by value id: operands seen */
  uint8_t *written; /* by param */
  bool ok;
} verifier;

#define REJECT(v, at, id, ...) ((v)->ok = false, diag_report((v)->diags, DIAG_##id, (at), __VA_ARGS__))

static bool is_scalar(const ir_value *value, ir_dtype dtype) {
  return value->type.kind == IR_TILE && value->type.dtype == dtype && value->type.shape.rank == 0;
}

static bool same_type(const ir_type *a, const ir_type *b) {
  return a->kind == b->kind && a->dtype == b->dtype && ir_shape_equal(&a->shape, &b->shape) != IR_NO;
}

static kiln_str show(const verifier *v, const ir_value *value) { return ir_type_text(v->kernel->module, &value->type); }

/* ---- what is visible ---- */

static void define(verifier *v, const ir_value *value) { v->visible[value->id] = 1; }

static void hide(verifier *v, const ir_region *region) {
  for (uint32_t i = 0; i < region->arg_count; i++) v->visible[region->args[i]->id] = 0;
  for (const ir_op *op = region->first; op; op = op->next)
    for (uint32_t i = 0; i < op->result_count; i++) v->visible[op->results[i]->id] = 0;
}

static bool sees_through(ir_code code) { return ir_op_get(code)->effects & E_INDEXES || ir_is_recast(code); }

static void check_operands(verifier *v, const ir_op *op) {
  for (uint32_t i = 0; i < op->operand_count; i++) {
    const ir_value *operand = op->operands[i];
    if (operand->id >= v->kernel->value_count || !v->visible[operand->id])
      REJECT(v, op->loc, not_visible, STR_FMT(operand->name));
    else
      v->uses[operand->id]++;
    if (operand->type.kind == IR_REF && !sees_through(op->code) && !ir_has_strides(v->kernel, operand))
      REJECT(v, op->loc, view_user, ir_op_get(op->code)->text);
  }
}

/* ---- regions and control ---- */

static const ir_op *ending(const ir_region *region) {
  return region->last && region->last->code == IR_yield ? region->last : NULL;
}

static void check_yield(verifier *v, const ir_op *op, const ir_region *region) {
  const ir_op *yield = ending(region);
  uint32_t count = yield ? yield->operand_count : 0;
  loc at = yield ? yield->loc : op->loc;
  if (count != op->result_count) {
    REJECT(v, at, yield_count, ir_op_get(op->code)->text, op->result_count, count);
    return;
  }
  for (uint32_t i = 0; i < count; i++)
    if (!same_type(&yield->operands[i]->type, &op->results[i]->type))
      REJECT(v, at, yield_type, i + 1, STR_FMT(show(v, yield->operands[i])), STR_FMT(show(v, op->results[i])));
}

static void check_carried(verifier *v, const ir_op *op, const ir_region *region, uint32_t first_init,
                          uint32_t first_arg) {
  for (uint32_t i = 0; i < op->result_count; i++) {
    const ir_value *init = op->operands[first_init + i], *arg = region->args[first_arg + i];
    if (!same_type(&init->type, &arg->type) || !same_type(&arg->type, &op->results[i]->type))
      REJECT(v, op->loc, carried_type, STR_FMT(arg->name), STR_FMT(show(v, init)), STR_FMT(show(v, arg)));
  }
}

static void check_scalar(verifier *v, const ir_op *op, uint32_t operand, ir_dtype dtype, const char *what) {
  const ir_value *value = op->operands[operand];
  if (!is_scalar(value, dtype))
    REJECT(v, op->loc, expected_scalar, what, ir_dtype_get(dtype)->name, STR_FMT(show(v, value)));
}

static void check_for(verifier *v, const ir_op *op) {
  static const char *const names[] = {"the begin of a for", "the end of a for", "the step of a for"};
  for (uint32_t i = 0; i < 3; i++) check_scalar(v, op, i, IR_I32, names[i]);
  const ir_op *step = op->operands[2]->def;
  if (step && step->code == IR_full && ir_bits_to_i64(IR_I32, step->attrs->bits) <= 0)
    REJECT(v, op->loc, step_not_positive, (long long)ir_bits_to_i64(IR_I32, step->attrs->bits));
  check_carried(v, op, op->regions[0], 3, 1);
  check_yield(v, op, op->regions[0]);
}

static void check_while(verifier *v, const ir_op *op) {
  check_carried(v, op, op->regions[0], 0, 0);
  check_carried(v, op, op->regions[1], 0, 0);
  check_yield(v, op, op->regions[1]);
  const ir_op *test = ending(op->regions[0]);
  if (!test || test->operand_count != 1 || !is_scalar(test->operands[0], IR_BOOL))
    REJECT(v, test ? test->loc : op->loc, while_condition,
           test && test->operand_count ? (int)show(v, test->operands[0]).size : 0,
           test && test->operand_count ? show(v, test->operands[0]).data : "");
}

static bool is_inside_warps(const ir_op *op) {
  for (const ir_op *around = op->parent->owner; around; around = around->parent->owner)
    if (around->code == IR_warps) return true;
  return false;
}

static void check_warps(verifier *v, const ir_op *op) {
  check_yield(v, op, op->regions[0]);
  if (is_inside_warps(op)) REJECT(v, op->loc, nested_warps, "");
}

static void check_branches(verifier *v, const ir_op *op) {
  bool when = op->code == IR_when;
  check_scalar(v, op, 0, when ? IR_BOOL : IR_I32, when ? "the condition of a when" : "the index of a switch");
  for (uint32_t i = 0; i < op->region_count; i++) check_yield(v, op, op->regions[i]);
}

static void check_region(verifier *v, const ir_region *region);

static void check_control(verifier *v, const ir_op *op) {
  for (uint32_t i = 0; i < op->region_count; i++) check_region(v, op->regions[i]);
  if (op->code == IR_for)
    check_for(v, op);
  else if (op->code == IR_while)
    check_while(v, op);
  else if (op->code == IR_scope)
    check_yield(v, op, op->regions[0]);
  else if (op->code == IR_warps)
    check_warps(v, op);
  else
    check_branches(v, op);
  for (uint32_t i = 0; i < op->region_count; i++) hide(v, op->regions[i]);
}

/* ---- memory ---- */

static const ir_param *param_of(const ir_kernel *k, const ir_value *ref) {
  ref = ir_root_ref(ref);
  for (uint32_t i = 0; i < k->param_count; i++)
    if (k->params[i].ref == ref) return &k->params[i];
  for (uint32_t i = 0; i < k->block_count; i++)
    if (k->blocks[i].ref == ref) return &k->params[k->blocks[i].param];
  return NULL;
}

static void check_store(verifier *v, const ir_op *op) {
  const ir_param *p = param_of(v->kernel, ir_written_ref(op));
  if (p && p->direction == KILN_IN) REJECT(v, op->loc, input_written, STR_FMT(p->name));
}

static void check_region(verifier *v, const ir_region *region) {
  for (uint32_t i = 0; i < region->arg_count; i++) define(v, region->args[i]);
  for (const ir_op *op = region->first; op; op = op->next) {
    check_operands(v, op);
    if (op->code == IR_yield && op->next) REJECT(v, op->loc, yield_not_last, "");
    if (ir_op_get(op->code)->effects & E_WRITES) check_store(v, op);
    if (op->region_count) check_control(v, op);
    for (uint32_t i = 0; i < op->result_count; i++) define(v, op->results[i]);
  }
}

/* ---- blocks, params ---- */

static bool map_op_allowed(const ir_kernel *k, const ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  const bool orders_text = info->effects & (E_CONTROL | E_TERMINATOR) && !(info->effects & E_SYNC);
  if (info->form != IR_FORM_EFFECT || orders_text) return true;
  const ir_param *p = op->code == IR_load ? param_of(k, op->operands[0]) : NULL;
  return p && p->prefetch;
}

typedef struct map_check {
  verifier *v;
  const ir_block *block;
} map_check;

static bool check_map_op(void *user, ir_op *op) {
  const map_check *check = user;
  const ir_kernel *k = check->v->kernel;
  if (!map_op_allowed(k, op)) REJECT(check->v, op->loc, map_reads_memory, STR_FMT(k->params[check->block->param].name));
  return true;
}

static void check_map(verifier *v, const ir_block *block) {
  ir_walk(block->map, check_map_op, &(map_check){v, block});
  check_region(v, block->map);
  const ir_op *yield = ending(block->map);
  uint32_t count = yield ? yield->operand_count : 0;
  if (count != block->size.rank) REJECT(v, block->loc, map_count, block->size.rank, count);
  for (uint32_t i = 0; i < count; i++)
    if (!is_scalar(yield->operands[i], IR_I32))
      REJECT(v, block->loc, expected_scalar, "a block index", "i32", STR_FMT(show(v, yield->operands[i])));
  hide(v, block->map);
}

static void check_aliases(verifier *v) {
  const ir_kernel *k = v->kernel;
  for (uint32_t i = 0; i < k->param_count; i++) {
    const ir_param *p = &k->params[i];
    if (p->alias < 0) continue;
    if (p->filled) REJECT(v, p->loc, alias_filled, STR_FMT(p->name));
    const ir_param *of = &k->params[p->alias];
    if (of->direction != KILN_IN || p->direction != KILN_OUT)
      REJECT(v, p->loc, alias_direction, STR_FMT(p->name), STR_FMT(of->name));
    if (!same_type(&p->ref->type, &of->ref->type))
      REJECT(v, p->loc, alias_type, STR_FMT(p->name), STR_FMT(show(v, p->ref)), STR_FMT(of->name),
             STR_FMT(show(v, of->ref)));
    if (!ir_layout_equal(&p->layout, &of->layout)) REJECT(v, p->loc, alias_layout, STR_FMT(p->name), STR_FMT(of->name));
    for (uint32_t j = 0; j < i; j++)
      if (k->params[j].alias == p->alias) REJECT(v, p->loc, alias_twice, STR_FMT(of->name), STR_FMT(k->params[j].name));
  }
}

static void check_blocks(verifier *v) {
  const ir_kernel *k = v->kernel;
  for (uint32_t i = 0; i < k->block_count; i++) {
    const ir_param *p = &k->params[k->blocks[i].param];
    if (p->prefetch) REJECT(v, k->blocks[i].loc, block_of_prefetch, STR_FMT(p->name));
    check_map(v, &k->blocks[i]);
  }
}

static bool mark_written(void *user, ir_op *op) {
  verifier *v = user;
  const ir_value *written = ir_written_ref(op);
  const ir_param *p = written ? param_of(v->kernel, written) : NULL;
  if (p) v->written[p - v->kernel->params] = 1;
  return true;
}

/* Asked of texts only: a pass may find out that a store never runs. */
static void check_written(verifier *v) {
  const ir_kernel *k = v->kernel;
  ir_walk(k->body, mark_written, v);
  for (uint32_t i = 0; i < k->param_count; i++) {
    const ir_param *p = &k->params[i];
    if (p->direction == KILN_OUT && p->alias < 0 && !p->filled && !v->written[i])
      REJECT(v, p->loc, never_written, STR_FMT(p->name));
  }
}

static void check_teams(verifier *v) {
  const ir_kernel *k = v->kernel;
  if (k->team_count > 0 && k->machine != IR_MACHINE_GPU)
    REJECT(v, k->teams[0].loc, team_of_machine, ir_team_name(k->teams[0].level));
}

/* Our own bookkeeping: `uses` must count operands. */
static bool check_uses(void *user, ir_op *op) {
  verifier *v = user;
  for (uint32_t i = 0; i < op->result_count; i++) {
    const ir_value *r = op->results[i];
    if (v->uses[r->id] != r->uses) REJECT(v, op->loc, use_count, r->id, r->uses, v->uses[r->id]);
  }
  return v->ok;
}

bool ir_verify(const ir_kernel *k, diag_sink *diags) {
  arena *a = &k->module->arena;
  verifier v = {.kernel = k, .diags = diags, .ok = true};
  v.visible = ARENA_ARRAY(a, uint8_t, k->value_count);
  v.uses = ARENA_ARRAY(a, uint32_t, k->value_count);
  v.written = ARENA_ARRAY(a, uint8_t, k->param_count);
  for (uint32_t i = 0; i < k->param_count; i++) define(&v, k->params[i].ref);
  for (uint32_t i = 0; i < k->axis_count; i++) define(&v, k->axes[i].index);
  for (uint32_t i = 0; i < k->team_count; i++) define(&v, k->teams[i].index);
  check_teams(&v);
  check_aliases(&v);
  check_blocks(&v);
  for (uint32_t i = 0; i < k->block_count; i++) define(&v, k->blocks[i].ref);
  check_region(&v, k->body);
  if (v.ok && !k->bound) check_written(&v);
  if (v.ok) ir_walk(k->body, check_uses, &v);
  return v.ok;
}
