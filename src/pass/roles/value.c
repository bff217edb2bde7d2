/* Scalars that are known beforehand: places on axes, indices of loops, and what is computed from them. */
#include "ir/eval/eval.h"
#include "pass/roles/follow.h"

enum { DEPTH_MOST = 200 }; /* of what is computed */

void follow_set(follower *f, const ir_value *v, bool known, uint64_t bits) {
  f->known[v->id] = (follow_known){FOLLOW_SET, known, bits};
  f->time++;
}

static bool compute(follower *f, const ir_value *v, uint32_t depth, uint64_t *bits);

static bool compute_op(follower *f, const ir_op *op, uint32_t depth, uint64_t *bits) {
  uint64_t in[3] = {0};
  if (!ir_evals_one(op) || ir_op_get(op->code)->host_ulp > 0) return false;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (!compute(f, op->operands[i], depth + 1, &in[i])) return false;
  return ir_eval_one(op, in, bits);
}

static bool compute(follower *f, const ir_value *v, uint32_t depth, uint64_t *bits) {
  follow_known *entry = &f->known[v->id];
  if (entry->time == FOLLOW_SET || entry->time == f->time) return *bits = entry->bits, entry->known;
  if (v->type.kind != IR_TILE || v->type.shape.rank > 0 || depth > DEPTH_MOST) return false;
  bool known;
  const int64_t place = roles_place(f->r, f->unit, v, &known);
  uint64_t found = ir_bits_from_i64(IR_I32, place);
  if (!known) known = v->def && compute_op(f, v->def, depth, &found);
  *entry = (follow_known){f->time, known, found};
  *bits = found;
  return known;
}

bool follow_bits(follower *f, const ir_value *v, uint64_t *bits) { return compute(f, v, 0, bits); }

bool follow_integer(follower *f, const ir_value *v, int64_t *out) {
  uint64_t bits;
  if (ir_is_float(v->type.dtype) || !follow_bits(f, v, &bits)) return false;
  *out = ir_bits_to_i64(v->type.dtype, bits);
  return true;
}
