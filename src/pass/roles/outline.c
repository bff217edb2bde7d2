/* The kernel's text divided: control ops within which units meet, which they go through step by step, and the pieces of
 * text between, which are run as they stand. And which values outlive their piece: they need memory meanwhile. */
#include "pass/roles/roles.h"

typedef struct outliner {
  roles *r;
  uint32_t *height; /* by value id: cheap ops below one another */
  uint32_t *asked;  /* by value id: 1 + the last piece that asked for it */
} outliner;

enum { HEIGHT_MOST = 24 }; /* what takes longer to compute is kept */

/* ---- ops ---- */

bool roles_is_cheap(const ir_op *op) {
  if (ir_is_view(op->code) || op->code == IR_peer || op->code == IR_full || op->code == IR_iota) return true;
  if (ir_op_get(op->code)->form == IR_FORM_EFFECT || op->result_count != 1) return false;
  bool scalar = op->results[0]->type.shape.rank == 0;
  for (uint32_t i = 0; i < op->operand_count; i++) scalar = scalar && op->operands[i]->type.shape.rank == 0;
  return scalar;
}

static uint32_t height_of(const outliner *o, const ir_op *op) {
  uint32_t height = 0;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (o->height[op->operands[i]->id] > height) height = o->height[op->operands[i]->id];
  return height + 1;
}

/* ---- pieces and steps ---- */

static uint32_t add_piece(outliner *o, roles_piece_kind kind, ir_op *op, const roles_step *around) {
  const roles_piece piece = {kind, op, op, around, around ? around->depth : 0, 1};
  VEC_PUSH(o->r->arena, &o->r->pieces, piece);
  return (uint32_t)o->r->pieces.count - 1;
}

static roles_step *add_step(outliner *o, roles_steps *to, roles_step_kind kind, ir_op *op) {
  roles_step *step = ARENA_NEW(o->r->arena, roles_step);
  *step = (roles_step){.kind = kind, .op = op, .number = UINT32_MAX};
  VEC_PUSH(o->r->arena, &to->steps, step);
  return step;
}

typedef struct making {
  roles *r;
  uint32_t piece;
} making;

/* All that is made within a piece is the piece's own. */
static bool make_within(void *user, ir_op *op) {
  const making *m = user;
  const roles_value made = {.home = ROLES_MADE, .piece = m->piece};
  for (uint32_t i = 0; i < op->result_count; i++) m->r->values[op->results[i]->id] = made;
  for (uint32_t i = 0; i < op->region_count; i++)
    for (uint32_t k = 0; k < op->regions[i]->arg_count; k++) m->r->values[op->regions[i]->args[k]->id] = made;
  m->r->pieces.data[m->piece].size++;
  return true;
}

static void add_text(outliner *o, roles_steps *to, ir_op *op, const roles_step *around, uint32_t *open) {
  roles *r = o->r;
  if (roles_is_cheap(op) && height_of(o, op) <= HEIGHT_MOST) {
    o->height[op->results[0]->id] = height_of(o, op);
    return;
  }
  if (*open == UINT32_MAX) {
    *open = add_piece(o, ROLES_TEXT, op, around);
    add_step(o, to, ROLES_PIECE, op)->number = *open;
  }
  r->pieces.data[*open].last = op;
  making m = {r, *open};
  make_within(&m, op);
  for (uint32_t i = 0; i < op->region_count; i++) ir_walk(op->regions[i], make_within, &m);
}

static void add_scratch(outliner *o, roles_steps *to, ir_op *op) {
  roles *r = o->r;
  space_id space;
  machine_space(MACHINE_GPU, op->attrs->space, &space);
  const bool counts = op->attrs->kind == IR_SEMAPHORE, within = op->attrs->kind == IR_BARRIER;
  uint32_t depth = space_info_of(space)->depth;
  const bool global = counts && space_info_of(space)->storage == SPACE_BUFFER;
  if (!global && depth < DEPTH_GPU_BLOCK) depth = DEPTH_GPU_BLOCK;
  if (within) depth = op->attrs->across ? DEPTH_GPU_CLUSTER : DEPTH_GPU_BLOCK;
  add_step(o, to, ROLES_SCRATCH, op)->number = (uint32_t)r->scratches.count;
  VEC_PUSH(r->arena, &r->scratches, (roles_scratch){.op = op, .depth = depth});
}

static roles_steps *outline_region(outliner *o, ir_region *region, const roles_step *around);

static void carry_values(const outliner *o, const roles_step *step) {
  const ir_op *op = step->op;
  const roles_value carried = {.home = ROLES_CARRIED, .loop = step};
  for (uint32_t i = 0; i < op->result_count; i++) o->r->values[op->results[i]->id] = carried;
  for (uint32_t i = 0; i < op->region_count; i++)
    for (uint32_t k = 0; k < op->regions[i]->arg_count && op->code != IR_warps; k++)
      o->r->values[op->regions[i]->args[k]->id] = carried;
  if (op->code == IR_for) o->r->values[op->regions[0]->args[0]->id].home = ROLES_INDEX;
}

static void add_control(outliner *o, roles_steps *to, ir_op *op, const roles_step *around) {
  const bool loop = op->code == IR_for || op->code == IR_while;
  roles_step *step = add_step(o, to, ROLES_CONTROL, op);
  step->around = around;
  step->depth = (around ? around->depth : 0) + loop;
  if (loop && op->result_count > 0) step->number = add_piece(o, ROLES_BEGIN, op, around);
  carry_values(o, step);
  step->regions = ARENA_ARRAY(o->r->arena, roles_steps, op->region_count);
  for (uint32_t i = 0; i < op->region_count; i++) step->regions[i] = *outline_region(o, op->regions[i], step);
}

static void add_yield(outliner *o, roles_steps *to, ir_op *op, const roles_step *around) {
  const bool condition = around && around->op->code == IR_while && op->parent == around->op->regions[0];
  if (!condition && op->operand_count > 0) to->hand_on = add_piece(o, ROLES_HAND_ON, op, around);
}

static bool is_meeting(const ir_op *op) { return ir_op_get(op->code)->effects & E_SYNC && op->region_count == 0; }

static roles_steps *outline_region(outliner *o, ir_region *region, const roles_step *around) {
  roles_steps *out = ARENA_NEW(o->r->arena, roles_steps);
  uint32_t open = UINT32_MAX;
  out->hand_on = UINT32_MAX;
  for (ir_op *op = region->first; op; op = op->next) {
    const bool control = op->region_count > 0 && ir_orders_units(op);
    if (control || is_meeting(op) || op->code == IR_scratch || op->code == IR_yield) open = UINT32_MAX;
    if (control)
      add_control(o, out, op, around);
    else if (is_meeting(op))
      add_step(o, out, ROLES_MEETING, op);
    else if (op->code == IR_scratch)
      add_scratch(o, out, op);
    else if (op->code == IR_yield)
      add_yield(o, out, op, around);
    else
      add_text(o, out, op, around, &open);
  }
  return out;
}

/* ---- what outlives its piece ---- */

const ir_value *roles_carrier(const ir_value *v) {
  const ir_op *op = v->def ? v->def : v->region ? v->region->owner : NULL;
  if (!op || (op->code != IR_for && op->code != IR_while)) return v;
  ir_value *const *args = op->regions[0]->args + (op->code == IR_for);
  for (uint32_t i = 0; i < op->result_count; i++)
    if (op->results[i] == v || (op->code == IR_while && op->regions[1]->args[i] == v)) return args[i];
  return v;
}

static void need(outliner *o, const ir_value *v, uint32_t piece);

static void need_handed_on(outliner *o, const roles_steps *steps, uint32_t which) {
  if (steps->hand_on != UINT32_MAX) need(o, o->r->pieces.data[steps->hand_on].first->operands[which], steps->hand_on);
}

/* Whatever flows into a carried value is needed with it. */
static void need_carried(outliner *o, const ir_value *v, const roles_step *step) {
  const ir_op *op = step->op;
  const bool loop = op->code == IR_for || op->code == IR_while;
  uint32_t which = 0;
  if (loop) {
    const uint32_t fixed = op->code == IR_for;
    while (op->regions[0]->args[fixed + which] != v) which++;
    need(o, op->operands[(fixed ? 3 : 0) + which], step->number);
    need_handed_on(o, &step->regions[op->region_count - 1], which);
    return;
  }
  while (op->results[which] != v) which++;
  for (uint32_t i = 0; i < op->region_count; i++) need_handed_on(o, &step->regions[i], which);
}

/* False: it has one. */
static bool take_slot(outliner *o, const ir_value *v) {
  roles_value *info = &o->r->values[v->id];
  if (info->slot) return false;
  info->slot = ++o->r->slot_count;
  return true;
}

static void need(outliner *o, const ir_value *v, uint32_t piece) {
  const roles_value *info = &o->r->values[v->id];
  if (o->asked[v->id] == piece + 1) return;
  o->asked[v->id] = piece + 1;
  if (info->home == ROLES_INDEX) {
    need(o, info->loop->op->operands[0], piece);
    need(o, info->loop->op->operands[2], piece);
  } else if (info->home == ROLES_MADE) {
    if (info->piece != piece) take_slot(o, v);
  } else if (info->home == ROLES_CARRIED) {
    const ir_value *carrier = roles_carrier(v);
    if (take_slot(o, carrier)) need_carried(o, carrier, info->loop);
  } else if (v->def && roles_is_cheap(v->def)) {
    for (uint32_t i = 0; i < v->def->operand_count; i++) need(o, v->def->operands[i], piece);
  } else if (v->def && is_meeting(v->def)) {
    roles_decline(o->r, v->def->loc, "the result of `%s` depends on who comes first", ir_op_get(v->def->code)->text);
  }
}

typedef struct needing {
  outliner *o;
  uint32_t piece;
} needing;

static bool need_operands(void *user, ir_op *op) {
  const needing *n = user;
  for (uint32_t i = 0; i < op->operand_count; i++) need(n->o, op->operands[i], n->piece);
  return true;
}

static void need_text(outliner *o, uint32_t number) {
  const roles_piece piece = o->r->pieces.data[number];
  needing n = {o, number};
  for (ir_op *op = piece.first; piece.kind == ROLES_TEXT; op = op->next) {
    const bool own = op->result_count == 0 || o->r->values[op->results[0]->id].home == ROLES_MADE;
    if (own) need_operands(&n, op);
    for (uint32_t i = 0; i < op->region_count; i++) ir_walk(op->regions[i], need_operands, &n);
    if (op == piece.last) break;
  }
}

/* ---- memory of other blocks ---- */

/* What other blocks ask for must be known to them at all times: not scratch within a piece. */
static bool note_peer(void *user, ir_op *op) {
  roles *r = user;
  if (op->code != IR_peer) return true;
  const ir_value *root = ir_root_ref(op->results[0]);
  for (size_t i = 0; i < r->scratches.count; i++) {
    if (r->scratches.data[i].op->results[0] != root) continue;
    r->scratches.data[i].has_peers = true;
    return true;
  }
  return roles_decline(r, op->loc, "this memory of another block comes and goes between two meetings");
}

bool roles_outline(roles *r) {
  outliner o = {.r = r};
  r->value_count = r->kernel->value_count;
  r->values = ARENA_ARRAY(r->arena, roles_value, r->value_count + 1);
  o.height = ARENA_ARRAY(r->arena, uint32_t, r->value_count + 1);
  o.asked = ARENA_ARRAY(r->arena, uint32_t, r->value_count + 1);
  r->body = outline_region(&o, r->kernel->body, NULL);
  for (uint32_t i = 0; i < r->pieces.count; i++) need_text(&o, i);
  return ir_walk(r->kernel->body, note_peer, r) && !r->declined;
}
