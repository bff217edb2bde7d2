/* Claims on devices: all clusters of a launch start there, so that no work is left to be taken over. Every answer is
 * -1, and known to be: loops that end with it are loops of one turn. */
#include "pass/expand/expand.h"
#include "pass/util.h"

/* Of memory that a claim answers in. */
typedef struct uses {
  arena *arena;
  const ir_value *root;
  VEC(ir_op *) loads;
  bool written; /* not by claims alone */
} uses;

static bool note_use(void *user, ir_op *op) {
  uses *u = user;
  for (uint32_t k = 0; k < op->operand_count; k++) {
    if (op->operands[k]->type.kind != IR_REF || ir_root_ref(op->operands[k]) != u->root) continue;
    u->written = u->written || (op->code != IR_claim && ir_op_get(op->code)->effects & E_WRITES);
    if (op->code == IR_load && op->operands[k]->type.dtype == IR_I32 && !op->attrs->masked)
      VEC_PUSH(u->arena, &u->loads, op);
  }
  return true;
}

static void answer(pass_ctx *c, ir_op *load) {
  ir_builder b = pass_before(c, load);
  ir_value *none = expand_int(&b, &load->results[0]->type.shape, -1);
  none->name = load->results[0]->name;
  ir_replace_uses(c->kernel, load->results[0], none);
  ir_erase(load);
}

/* Who reads what nothing but claims writes knows it. */
static void answer_all(pass_ctx *c, const ir_value *numbers) {
  uses u = {.arena = &c->kernel->module->arena, .root = ir_root_ref(numbers)};
  ir_walk(c->kernel->body, note_use, &u);
  for (size_t i = 0; i < u.loads.count && !u.written; i++) answer(c, u.loads.data[i]);
}

static bool is_claim(ir_code code) { return code == IR_claim; }

static bool settle(pass_ctx *c, ir_builder *b, const ir_op *claim, ir_value **results) {
  ir_value *numbers = claim->operands[0], *barrier = claim->operands[1];
  (void)results;
  answer_all(c, numbers); /* first: what is stored here is a write */
  pass_store_whole(b, numbers, expand_int(b, &numbers->type.shape, -1));
  ir_make(b, IR_arrive, &barrier, 1, &(ir_attrs){0});
  return true;
}

bool pass_settle_claims(pass_ctx *c) { return pass_expand(c, is_claim, settle); }
