/* Pass unroll: a short loop of a known number of trips over elementwise work is written out, so that one walk over the
 * tile does all trips, and none of them passes through memory.
 *
 *   let z = for i in 0 .. 3 with (y = x) {              let t0 = x * v
 *     yield y * v                             becomes   let t1 = t0 * v
 *   }                                                   let z = t1 * v
 *
 * Loops that came from the grid stay, for they are named in reports; so does everything when a checker watches. */
#include "pass/util.h"

enum { TRIPS = 16, OPS = 64 }; /* at most, of a loop; of all trips together */

typedef struct unrolling {
  pass_ctx *c;
  pass_renames names;
  VEC(ir_value *) map; /* by value id: what stands for it in the present trip */
  bool changed;
} unrolling;

typedef struct trips {
  int64_t begin, step, count;
} trips;

static bool count_trips(const ir_op *loop, trips *out) {
  int64_t end;
  if (!pass_integer(loop->operands[0], &out->begin) || !pass_integer(loop->operands[1], &end)) return false;
  if (!pass_integer(loop->operands[2], &out->step) || out->step <= 0 || end <= out->begin) return false;
  out->count = (end - 1 - out->begin) / out->step + 1;
  return out->count <= TRIPS;
}

/* What may become part of one walk over a tile. */
static bool is_light(const ir_op *op) {
  const ir_form form = ir_op_get(op->code)->form;
  if (op->code == IR_load || op->code == IR_store || op->code == IR_view || op->code == IR_yield) return true;
  return form == IR_FORM_MAP || (form == IR_FORM_SHAPE && op->code != IR_dot);
}

static bool is_short(const ir_op *op, trips *out) {
  if (op->code != IR_for || (op->attrs && op->attrs->grid_axis > 0) || !count_trips(op, out)) return false;
  int64_t room = OPS / out->count;
  for (const ir_op *inner = op->regions[0]->first; inner; inner = inner->next)
    if (!is_light(inner) || room-- == 0) return false;
  return true;
}

/* What stands for a value of the body. */
static ir_value *present(const unrolling *u, ir_value *v) {
  ir_value *mapped = u->map.data[v->id];
  return mapped ? mapped : v;
}

static void write_out(unrolling *u, ir_op *loop, trips of) {
  while (u->map.count < u->c->kernel->value_count) VEC_PUSH(u->names.arena, &u->map, NULL);
  const ir_region *body = loop->regions[0];
  const ir_op *yield = pass_yield_of(body);
  ir_builder b = pass_before(u->c, loop);
  for (uint32_t k = 0; k < loop->result_count; k++) u->map.data[body->args[k + 1]->id] = loop->operands[k + 3];
  for (int64_t trip = 0; trip < of.count; trip++) {
    ir_value *next[OPS];
    u->map.data[body->args[0]->id] = ir_scalar_i32(&b, of.begin + trip * of.step);
    ir_clone_region(&b, body, u->map.data);
    for (uint32_t k = 0; k < loop->result_count; k++) next[k] = present(u, yield->operands[k]);
    for (uint32_t k = 0; k < loop->result_count; k++) u->map.data[body->args[k + 1]->id] = next[k];
  }
  for (uint32_t k = 0; k < loop->result_count; k++)
    pass_rename(&u->names, loop->results[k], u->map.data[body->args[k + 1]->id]);
  ir_erase(loop);
  u->changed = true;
}

static void visit(unrolling *u, ir_region *region) {
  for (ir_op *op = region->first, *next; op; op = next) {
    trips of;
    next = op->next;
    pass_update(&u->names, op);
    for (uint32_t r = 0; r < op->region_count; r++) visit(u, op->regions[r]);
    if (is_short(op, &of) && op->result_count <= OPS) write_out(u, op, of);
  }
}

bool pass_unroll(pass_ctx *c) {
  if (c->target->check) return false;
  unrolling u = {.c = c, .names = {.arena = &c->kernel->module->arena}};
  visit(&u, c->kernel->body);
  return u.changed;
}
