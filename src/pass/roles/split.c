/* The text of every role: the kernel's with the role's place in all teams as numbers, folded, so that what is another
 * role's is gone. Memory becomes what it stands for: one scratch a block where the block's threads share it, one a role
 * where they do not; a peer is the other block's. */
#include "pass/roles/phase.h"

/* ---- texts ---- */

void phase_places(const phasing *p, const role *r, uint32_t *places) {
  const uint32_t numbers[IR_TEAM_COUNT] = {[IR_TEAM_CLUSTER] = r->block, [IR_TEAM_THREADS] = r->thread};
  ir_team_places(p->c->kernel, numbers, places);
}

static void fold_text(pass_ctx *c, ir_region *region) {
  ir_region *body = c->kernel->body;
  c->kernel->body = region;
  pass_fold(c);
  c->kernel->body = body;
}

typedef struct naming {
  phasing *p;
  val *copies; /* by value id of the kernel's text */
} naming;

void phase_name(phasing *p, const ir_value *v, const ir_value *made) {
  while (p->made_by.count <= v->id) VEC_PUSH(p->arena, &p->made_by, NULL);
  p->made_by.data[v->id] = made;
}

static bool name_scratch(void *user, ir_op *op) {
  naming *n = user;
  if (op->code == IR_scratch) phase_name(n->p, n->copies[op->results[0]->id], op->results[0]);
  return true;
}

typedef struct warps_ops {
  arena *arena;
  VEC(ir_op *) all;
} warps_ops;

static bool note_warps(void *user, ir_op *op) {
  warps_ops *ops = user;
  if (op->code == IR_warps) VEC_PUSH(ops->arena, &ops->all, op);
  return true;
}

/* What a warp asks for stands for the same in the kernel's text. */
static bool name_copy(void *user, ir_op *op) {
  const naming *n = user;
  if (op->code != IR_scratch) return true;
  phase_name(n->p, n->copies[op->results[0]->id], n->p->made_by.data[op->results[0]->id]);
  return true;
}

/* warps w { .. }: a region for each of them, with its number in place of the index. */
static void write_parts(phasing *p, ir_op *op) {
  ir_builder b = pass_before(p->c, op);
  ir_region *parts[PHASE_PARTS];
  for (uint32_t i = 0; i < PHASE_PARTS; i++) {
    val *copies = ARENA_ARRAY(p->arena, val, p->c->kernel->value_count + 2);
    ir_builder within = pass_inside(&b, parts[i] = ir_region_new(&b, NULL));
    copies[op->regions[0]->args[0]->id] = ir_scalar_i32(&within, i);
    ir_clone_region(&within, op->regions[0], copies);
    ir_walk(op->regions[0], name_copy, &(naming){p, copies});
  }
  ir_make_control(&b, IR_warps, NULL, 0, parts, PHASE_PARTS, NULL, 0, NULL);
  ir_erase(op);
}

static void split_role(phasing *p, role *r) {
  warps_ops ops = {.arena = p->arena};
  ir_walk(r->text, note_warps, &ops);
  if (ops.all.count == 0) return;
  r->parts = ARENA_ARRAY(p->arena, role, PHASE_PARTS);
  for (uint32_t i = 0; i < PHASE_PARTS; i++) {
    r->parts[i] = (role){.block = r->block, .thread = r->thread, .warp = i, .whole = r};
  }
  for (size_t i = 0; i < ops.all.count; i++) write_parts(p, ops.all.data[i]);
}

uint32_t phase_part_of(const ir_op *op) {
  const ir_region *region = op->parent;
  for (; region->owner; region = region->owner->parent)
    for (uint32_t i = 0; region->owner->code == IR_warps && i < region->owner->region_count; i++)
      if (region->owner->regions[i] == region) return 1 + i;
  return 0;
}

/* In place of the indices of the teams stand those of the role. */
static void write_text(phasing *p, role *r, val *copies) {
  const ir_kernel *k = p->c->kernel;
  uint32_t places[IR_MAX_TEAMS];
  r->text = ir_region_new(&p->top, NULL);
  ir_builder b = pass_inside(&p->top, r->text);
  phase_places(p, r, places);
  for (uint32_t i = 0; i < k->team_count; i++) copies[k->teams[i].index->id] = ir_scalar_i32(&b, places[i]);
  ir_clone_region(&b, k->body, copies);
}

/* ---- memory ---- */

/* A memory of the kernel's text, and what stands for it in each block, or in each role. */
typedef struct room {
  const ir_value *made;
  val *of; /* by block; by role, and there by its parts, when it is a thread's own */
} room;

typedef struct rooms {
  phasing *p;
  const role *role;
  VEC(room) all;
} rooms;

bool phase_is_own(const ir_value *scratch) {
  const ir_space space = scratch->def->attrs->space;
  return space == IR_SPACE_ACC || space == IR_SPACE_REGS;
}

static val room_for(rooms *s, const ir_value *made, uint32_t block, uint32_t part) {
  phasing *p = s->p;
  const bool own = phase_is_own(made);
  const uint32_t which = own ? (uint32_t)(s->role - p->roles) * (1 + PHASE_PARTS) + part : block;
  room *found = NULL;
  for (size_t i = 0; i < s->all.count && !found; i++)
    if (s->all.data[i].made == made) found = &s->all.data[i];
  if (!found) {
    VEC_PUSH(p->arena, &s->all,
             (room){made, ARENA_ARRAY(p->arena, val, own ? p->role_count * (1 + PHASE_PARTS) : p->blocks)});
    found = &s->all.data[s->all.count - 1];
  }
  if (!found->of[which]) {
    ir_attrs attrs = *made->def->attrs;
    found->of[which] = ir_make1(&p->top, IR_scratch, NULL, 0, &attrs);
    found->of[which]->name = made->name;
  }
  return found->of[which];
}

static bool is_memory(const ir_value *v) { return v->type.kind == IR_REF; }

static void stand_for(ir_region *within, ir_op *op, val by) {
  pass_replace_within(within, op->results[0], by);
  ir_erase(op);
}

bool phase_peer_block(const phasing *p, const ir_op *peer, uint32_t *out) {
  const ir_team_axes axes = ir_team_axes_of(p->c->kernel, IR_TEAM_CLUSTER);
  int64_t place[KILN_MAX_RANK];
  for (uint32_t i = 0; i < axes.count; i++)
    if (!pass_integer(peer->operands[1 + i], &place[i])) return false;
  *out = ir_team_number(axes, place);
  return *out != UINT32_MAX;
}

static bool is_place(ir_code code) { return code == IR_scratch || code == IR_peer; }

/* Peers first, as they name scratch that is still there. */
static bool settle_memory(rooms *s, const role *r) {
  phasing *p = s->p;
  ir_region *body = p->c->kernel->body;
  s->role = r;
  p->c->kernel->body = r->text;
  const pass_ops ops = pass_collect(p->c, is_place);
  p->c->kernel->body = body;
  for (size_t i = 0; i < ops.count; i++) {
    ir_op *op = ops.data[i];
    uint32_t block;
    if (op->code != IR_peer) continue;
    if (!phase_peer_block(p, op, &block))
      return phase_decline(p, op->loc, "the block that is meant is known only when it runs");
    if (is_memory(op->results[0])) stand_for(r->text, op, room_for(s, p->made_by.data[op->operands[0]->id], block, 0));
  }
  for (size_t i = 0; i < ops.count; i++) {
    ir_op *op = ops.data[i];
    if (op->code == IR_scratch && is_memory(op->results[0]))
      stand_for(r->text, op, room_for(s, p->made_by.data[op->results[0]->id], r->block, phase_part_of(op)));
  }
  return true;
}

/* ---- all of it ---- */

static bool tally_scratch(void *user, ir_op *op) {
  if (op->code == IR_scratch && !is_memory(op->results[0])) phase_add_tallies(user, op);
  return true;
}

/* It and its parts, which hear as one. */
static void hear_nothing(const phasing *p, role *r, val *heard) {
  r->heard = heard ? heard : ARENA_ARRAY(p->arena, val, p->tallies.count + 1);
  r->taken = ARENA_ARRAY(p->arena, val, p->tallies.count + 1);
  for (uint32_t i = 0; r->parts && i < PHASE_PARTS; i++) hear_nothing(p, &r->parts[i], r->heard);
}

bool phase_split(phasing *p) {
  const ir_kernel *k = p->c->kernel;
  p->blocks = ir_team_units(k, IR_TEAM_CLUSTER, IR_ALL_AXES);
  p->threads = ir_team_units(k, IR_TEAM_THREADS, IR_ALL_AXES);
  p->role_count = p->blocks * p->threads;
  p->roles = ARENA_ARRAY(p->arena, role, p->role_count);
  ir_walk(k->body, tally_scratch, p);
  const uint32_t values = k->value_count;
  val *copies = ARENA_ARRAY(p->arena, val, values + 1);
  rooms s = {.p = p};
  for (uint32_t i = 0; i < p->role_count; i++) {
    role *r = &p->roles[i];
    *r = (role){.block = i / p->threads, .thread = i % p->threads};
    for (uint32_t id = 0; id < values; id++) copies[id] = NULL;
    write_text(p, r, copies);
    ir_walk(k->body, name_scratch, &(naming){p, copies});
    split_role(p, r);
  }
  for (uint32_t i = 0; i < p->role_count; i++) fold_text(p->c, p->roles[i].text);
  if (!phase_can_share(p)) return false;
  if (!p->spins) phase_renew(p);
  for (uint32_t i = 0; i < p->role_count; i++) hear_nothing(p, &p->roles[i], NULL);
  for (uint32_t i = 0; i < p->role_count; i++)
    if (!settle_memory(&s, &p->roles[i])) return false;
  return true;
}
