/* Memory that blocks of a cluster ask one another for: one array of all blocks, of which each has a row. Then the same
 * memory in another block is another row.
 *
 *   scratch s: f32[8]                     scratch s: f32[2, 8]
 *   let p = peer s at 1 - c     becomes   let p = view s[1 - c, :]      */
#include "pass/roles/write.h"

ir_value *write_blocks(writer *w, const ir_op *scratch) {
  const ir_type *type = &scratch->results[0]->type;
  const int64_t blocks = w->r->machine.count[DEPTH_GPU_BLOCK];
  ir_shape shape = {.rank = type->shape.rank + 1, .dims = {ir_dim_const(w->top.module, blocks)}};
  for (uint32_t d = 0; d < type->shape.rank; d++) shape.dims[d + 1] = type->shape.dims[d];
  return pass_scratch(&w->top, type->space, type->dtype, &shape, scratch->results[0]->name);
}

ir_value *write_row(ir_builder *b, ir_value *all, ir_value *block, int64_t number) {
  const ir_attrs attrs = pass_row_index(b, &all->type.shape, block ? 1 : -1, block ? 0 : number);
  return ir_make1(b, IR_view, (ir_value *[]){all, block}, 1 + (block != NULL), &attrs);
}

/* ---- peers ---- */

/* A row of the memory of all blocks. */
static bool is_row(const writer *w, const ir_value *ref) {
  if (!ref->def || ref->def->code != IR_view) return false;
  for (size_t i = 0; i < w->r->scratches.count; i++)
    if (w->r->scratches.data[i].has_peers && w->memory[i][0] == ref->def->operands[0]) return true;
  return false;
}

static const ir_value *row_under(const writer *w, const ir_value *ref) {
  while (!is_row(w, ref)) ref = ref->def->operands[0];
  return ref;
}

/* The views of a row again, of the row of another block. */
static ir_value *in_row(const writer *w, ir_builder *b, ir_value *ref, ir_value *block) {
  const ir_op *op = ref->def;
  if (is_row(w, ref)) return write_row(b, op->operands[0], block, 0);
  ir_value *under = in_row(w, b, op->operands[0], block);
  if (op->code == IR_peer) return under;
  ir_value **operands = arena_copy(w->r->arena, op->operands, op->operand_count * sizeof *operands);
  operands[0] = under;
  return ir_make1(b, op->code, operands, op->operand_count, op->attrs);
}

/* The number of the block with those coordinates in the cluster of the one whose row is `row`. */
static ir_value *block_at(const writer *w, ir_builder *b, const ir_op *peer, const ir_value *row) {
  const uint32_t own = (uint32_t)row->def->attrs->index[0].start->value, size = w->r->machine.size[DEPTH_GPU_BLOCK];
  ir_value *within = ir_scalar_i32(b, 0);
  const ir_team_axes axes = ir_team_axes_of(w->r->kernel, IR_TEAM_CLUSTER);
  for (uint32_t i = 0; i < axes.count; i++) {
    within = ir_map2(b, IR_mul, within, ir_scalar_i32(b, axes.at[i].extent->value));
    within = ir_map2(b, IR_add, within, peer->operands[1 + i]);
  }
  return ir_map2(b, IR_add, within, ir_scalar_i32(b, own - own % size));
}

static void expand_peer(writer *w, ir_op *op) {
  ir_builder b = pass_before(w->r->c, op);
  const ir_value *row = row_under(w, op->operands[0]);
  ir_value *ref = in_row(w, &b, op->operands[0], block_at(w, &b, op, row));
  ir_replace_uses(w->r->kernel, op->results[0], ref);
  ir_erase(op);
}

static bool is_peer(ir_code code) { return code == IR_peer; }

void write_peers(writer *w) {
  const pass_ops ops = pass_collect(w->r->c, is_peer);
  for (size_t i = 0; i < ops.count; i++) expand_peer(w, ops.data[i]);
}
