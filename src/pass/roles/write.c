/* Writes the text of one unit: the pieces of all units in the order found, in the loops that were found in it. */
#include "pass/roles/write.h"

/* ---- pieces ---- */

static bool is_own(const writer *w, const ir_value *v) {
  const roles_value *info = v->id < w->r->value_count ? &w->r->values[v->id] : NULL;
  return info && info->home == ROLES_MADE && info->piece == w->at->piece;
}

static bool prepare_operands(void *user, ir_op *op) {
  writer *w = user;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (!is_own(w, op->operands[i])) write_value(w, op->operands[i]);
  return true;
}

static void write_op(writer *w, ir_op *op) {
  prepare_operands(w, op);
  for (uint32_t i = 0; i < op->region_count; i++) ir_walk(op->regions[i], prepare_operands, w);
  if (!ir_clone_op(&w->b, op, w->map)) w->r->failed = true;
  for (uint32_t i = 0; i < op->result_count && !w->r->failed; i++) {
    ir_value *slot = write_slot(w, op->results[i]);
    VEC_PUSH(w->r->arena, &w->mapped, op->results[i]->id);
    if (slot) pass_store_whole(&w->b, slot, w->map[op->results[i]->id]);
  }
}

static void write_text(writer *w, const roles_piece *piece) {
  for (ir_op *op = piece->first;; op = op->next) {
    if (op->result_count == 0 || is_own(w, op->results[0])) write_op(w, op);
    if (op == piece->last) return;
  }
}

/* All are read before any is written: they may change places. */
static void write_values(writer *w, ir_value *const *from, ir_value *const *to, uint32_t count) {
  ir_value **values = ARENA_ARRAY(w->r->arena, ir_value *, count + 1);
  for (uint32_t i = 0; i < count; i++)
    if (w->r->values[to[i]->id].slot) values[i] = write_value(w, from[i]);
  for (uint32_t i = 0; i < count; i++)
    if (values[i]) pass_store_whole(&w->b, write_slot(w, to[i]), values[i]);
}

static ir_value *const *carriers_of(const ir_op *op) {
  if (op->code == IR_for) return op->regions[0]->args + 1;
  return op->code == IR_while ? op->regions[0]->args : op->results;
}

static void write_piece(writer *w, const roll_node *node) {
  const roles_piece *piece = &w->r->pieces.data[node->piece];
  const ir_op *op = piece->first;
  w->at = node;
  w->unit = w->r->units.data[node->unit];
  w->b.loc = op->loc;
  if (piece->kind == ROLES_TEXT) write_text(w, piece);
  if (piece->kind == ROLES_BEGIN)
    write_values(w, op->operands + (op->code == IR_for ? 3 : 0), carriers_of(op), op->result_count);
  if (piece->kind == ROLES_HAND_ON) write_values(w, op->operands, carriers_of(op->parent->owner), op->operand_count);
  write_forget(w);
}

/* ---- loops ---- */

/* Where the index of a loop begins, and what it is called: as a loop of a unit that it goes with, step by step. */
typedef struct counting {
  int64_t first;
  kiln_str name;
  bool found;
} counting;

static kiln_str name_of_loop(const roles *r, const roll_node *node, uint32_t depth) {
  const roles_step *step = r->pieces.data[node->piece].around;
  for (; step; step = step->around)
    if (step->depth == depth + 1 && step->op->code == IR_for) return step->op->regions[0]->args[0]->name;
  return (kiln_str){0};
}

static void find_counting(const roles *r, const roll_node *node, size_t level, counting *out) {
  for (size_t i = 0; i < node->body_count; i++) find_counting(r, &node->body[i], level, out);
  const roll_row *row = node->rows;
  for (size_t i = 0; row && i < level; i++) row = row->inner;
  for (uint32_t d = node->depth; row && !out->found && d-- > 0;)
    if (row->by[d] == 1) *out = (counting){node->base[d], name_of_loop(r, node, d), true};
}

static void write_nodes(writer *w, const roll_node *nodes, size_t count);

static void write_loop_of(writer *w, const roll_node *node) {
  const ir_builder outer = w->b;
  counting counts = {0};
  find_counting(w->r, node, w->loops.count, &counts);
  ir_region *body = ir_region_new(&w->b, NULL);
  ir_value *index = ir_region_arg(&w->b, body, pass_i32(), counts.name);
  VEC_PUSH(w->r->arena, &w->loops, (write_loop){index, counts.first});
  w->b = pass_inside(&w->b, body);
  write_nodes(w, node->body, node->body_count);
  w->loops.count--;
  w->b = outer;
  ir_value *bounds[] = {ir_scalar_i32(&w->b, counts.first), ir_scalar_i32(&w->b, counts.first + node->count),
                        ir_scalar_i32(&w->b, 1)};
  const ir_attrs attrs = {0};
  ir_make_control(&w->b, IR_for, bounds, 3, &body, 1, NULL, 0, &attrs);
}

static void write_nodes(writer *w, const roll_node *nodes, size_t count) {
  for (size_t i = 0; i < count && !w->r->failed; i++) {
    if (nodes[i].count > 0)
      write_loop_of(w, &nodes[i]);
    else
      write_piece(w, &nodes[i]);
  }
}

/* ---- the kernel ---- */

static void open_writer(writer *w, roles *r) {
  ir_kernel *k = r->kernel;
  *w = (writer){.r = r, .b = {.module = k->module, .kernel = k, .diags = r->c->diags, .loc = k->loc}};
  w->b.region = ir_region_new(&w->b, NULL);
  w->map = ARENA_ARRAY(r->arena, ir_value *, r->value_count + 1);
  w->slots = ARENA_ARRAY(r->arena, ir_value *, r->slot_count * r->units.count + 1);
  w->memory = ARENA_ARRAY(r->arena, ir_value **, r->scratches.count + 1);
  for (size_t i = 0; i < r->scratches.count; i++) {
    const size_t owners =
        r->scratches.data[i].depth > DEPTH_GPU_BLOCK ? r->units.count : r->machine.count[DEPTH_GPU_BLOCK];
    w->memory[i] = ARENA_ARRAY(r->arena, ir_value *, owners);
  }
  w->top = w->b;
  w->top.before = ir_scalar_i32(&w->b, 0)->def;
}

static bool has_room_for_blocks(roles *r) {
  for (size_t i = 0; i < r->scratches.count; i++) {
    const ir_op *op = r->scratches.data[i].op;
    if (r->scratches.data[i].has_peers && op->results[0]->type.shape.rank == KILN_MAX_RANK)
      return roles_decline(r, op->loc, "the memory of all blocks would have more than %d dimensions", KILN_MAX_RANK);
  }
  return true;
}

bool roles_write(roles *r, const roll_list *order) {
  writer w;
  if (roll_size(r, order) > ROLES_TEXT_MOST)
    return roles_decline(r, r->kernel->loc, "its order does not repeat itself: more than %d operations",
                         ROLES_TEXT_MOST);
  if (!has_room_for_blocks(r)) return false;
  open_writer(&w, r);
  write_nodes(&w, order->nodes, order->count);
  if (r->failed) return false;
  pass_set_body(r->kernel, w.b.region);
  write_peers(&w);
  r->kernel->team_count = 0;
  if (r->whole_grid) r->kernel->axis_count = 0;
  return true;
}
