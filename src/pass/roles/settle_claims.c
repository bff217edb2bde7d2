/* Claims on devices: all clusters of a launch start there, so that no work is left to be taken over. Every answer is
 * -1, and known to be: loops that end with it are loops of one turn. */
#include "pass/expand/expand.h"
#include "pass/util.h"

typedef struct uses {
  const ir_value *root;
  bool claimed, written; /* by claims, by others */
} uses;

static bool note_use(void *user, ir_op *op) {
  uses *u = user;
  for (uint32_t k = 0; k < op->operand_count; k++) {
    if (op->operands[k]->type.kind != IR_REF || ir_root_ref(op->operands[k]) != u->root) continue;
    u->claimed = u->claimed || op->code == IR_claim;
    u->written = u->written || (op->code != IR_claim && ir_op_get(op->code)->effects & E_WRITES);
  }
  return true;
}

/* Whether it reads what nothing but claims writes. */
static bool reads_answer(pass_ctx *c, const ir_op *load) {
  uses u = {.root = ir_root_ref(load->operands[0])};
  if (load->operands[0]->type.dtype != IR_I32 || load->attrs->masked) return false;
  ir_walk(c->kernel->body, note_use, &u);
  return u.claimed && !u.written;
}

static bool is_load(ir_code code) { return code == IR_load; }
static bool is_claim(ir_code code) { return code == IR_claim; }

static bool answer(pass_ctx *c, ir_builder *b, const ir_op *load, ir_value **results) {
  if (!reads_answer(c, load)) return false;
  results[0] = expand_int(b, &load->results[0]->type.shape, -1);
  return true;
}

static bool settle(pass_ctx *c, ir_builder *b, const ir_op *claim, ir_value **results) {
  ir_value *numbers = claim->operands[0], *barrier = claim->operands[1];
  (void)c;
  (void)results;
  pass_store_whole(b, numbers, expand_int(b, &numbers->type.shape, -1));
  ir_make(b, IR_arrive, &barrier, 1, &(ir_attrs){0});
  return true;
}

static bool is_no_claim(void *user, ir_op *op) {
  (void)user;
  return op->code != IR_claim;
}

bool pass_settle_claims(pass_ctx *c) {
  if (ir_walk(c->kernel->body, is_no_claim, NULL)) return false;
  pass_expand(c, is_load, answer); /* first: it looks for the claims */
  return pass_expand(c, is_claim, settle);
}
