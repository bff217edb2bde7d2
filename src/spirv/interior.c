/* Blocks inside of their arrays and blocks at an edge: the body of a ragged kernel is written twice under one branch,
 * taken by a comparison of block indices once per unit. In the first copy every start of an access is known to leave
 * room for its whole extent, so that the usual proofs need no mask; the second has the masks. */
#include <string.h>

#include "spirv/lower.h"

/* A start, not known to be from 0 to `most`, of an access that is in range when it is. */
typedef struct bound {
  const ir_value *start;
  int64_t most;
} bound;

typedef struct guard {
  spv_lower *low;
  VEC(bound) bounds;
} guard;

/* Whether a scalar is arithmetic on block indices and constants. */
static bool is_known(spv_lower *low, const ir_value *value) {
  const ir_op *def = value->def;
  if (value->type.kind != IR_TILE || value->type.shape.rank > 0 || low->homes[value->id].must_keep) return false;
  if (low->homes[value->id].kind == SPV_REGISTERS || low->seen[value->id] == low->walk) return true;
  if (!def || (ir_op_get(def->code)->form != IR_FORM_MAP && def->code != IR_convert && def->code != IR_full))
    return false;
  for (uint32_t i = 0; i < def->operand_count; i++)
    if (!is_known(low, def->operands[i])) return false;
  low->seen[value->id] = low->walk;
  return true;
}

static void add_bound(guard *g, const ir_value *start, int64_t most) {
  const spv_fact fact = *spv_fact_of(&g->low->code, spv_eval_scalar(g->low, start));
  bool always = fact.low >= 0 && fact.high <= most, never = fact.low > most || fact.high < 0;
  if (always || never) return;
  for (size_t i = 0; i < g->bounds.count; i++)
    if (g->bounds.data[i].start == start) {
      if (most < g->bounds.data[i].most) g->bounds.data[i].most = most;
      return;
    }
  VEC_PUSH(g->low->arena, &g->bounds, (bound){start, most});
}

static bool note_access(void *user, ir_op *op) {
  guard *g = user;
  if (op->code != IR_load && op->code != IR_store && op->code != IR_view) return true;
  for (uint32_t d = 0; d < op->attrs->index_count; d++) {
    const ir_index *index = &op->attrs->index[d];
    int64_t span = index->point ? 0 : (index->size->value - 1) * index->stride;
    int64_t most = ir_extent(&op->operands[0]->type, d) - 1 - span;
    if (index->operand < 0 || most < 0 || span < 0) continue;
    const ir_value *start = op->operands[index->operand];
    if (is_known(g->low, start)) add_bound(g, start, most);
  }
  return true;
}

/* The same number under an id of its own, for which the range holds here. */
static void narrow(spv_lower *low, const bound *of) {
  spv_code *c = &low->code;
  spv_id wide = spv_eval_scalar(low, of->start), id = SPV(c->m, SpvOpCopyObject, c->u32, wide);
  const spv_fact fact = *spv_fact_of(c, wide);
  spv_here(c, id);
  spv_range(c, id, fact.low > 0 ? fact.low : 0, fact.high < of->most ? fact.high : of->most, fact.multiple);
  spv_set_scalar(low, of->start, id);
}

static spv_id all_hold(const guard *g) {
  spv_code *c = &g->low->code;
  spv_id all = 0;
  for (size_t i = 0; i < g->bounds.count; i++) {
    const bound *of = &g->bounds.data[i];
    spv_id start = spv_eval_scalar(g->low, of->start);
    all = spv_both(c, all, spv_op2(c, SpvOpULessThanEqual, c->boolean, start, spv_int(c, of->most)));
  }
  return all;
}

/* ---- two copies ---- */

/* What writing a copy of the body changes, other than code. */
typedef struct state {
  spv_home *homes;
  spv_memory *memories;
  size_t memory_count, value_count;
  uint32_t shared_words, slab_words;
} state;

static state state_of(const spv_lower *low) {
  state s = {.memory_count = low->memories.count, .value_count = low->kernel->value_count + 1};
  s.homes = arena_copy(low->arena, low->homes, s.value_count * sizeof *s.homes);
  s.memories = arena_copy(low->arena, low->memories.data, s.memory_count * sizeof *s.memories);
  s.shared_words = low->shared_words;
  s.slab_words = low->slab_words;
  return s;
}

/* As before the first copy; a unit runs one of the two, so that both may use the same memory. */
static void rewind(spv_lower *low, const state *before) {
  memcpy(low->homes, before->homes, before->value_count * sizeof *before->homes);
  low->memories.count = before->memory_count;
  for (size_t m = 0; m < before->memory_count; m++) {
    bool uses_spare = low->memories.data[m].uses_spare;
    low->memories.data[m] = before->memories[m];
    low->memories.data[m].uses_spare |= uses_spare;
  }
  low->shared_words = before->shared_words;
  low->slab_words = before->slab_words;
}

/* Words of code, with helpers inlined, as a driver will have them. */
static size_t words_so_far(const spv_lower *low) { return low->module.sections[SPV_BODY].count + low->called_words; }

static size_t write_copy(spv_lower *low, const ir_region *body) {
  size_t start = words_so_far(low);
  spv_region(low, body);
  return words_so_far(low) - start;
}

void spv_body(spv_lower *low, const ir_region *body) {
  guard g = {.low = low};
  low->walk++;
  if (!low->one_copy) ir_walk((ir_region *)body, note_access, &g);
  if (g.bounds.count == 0) {
    spv_region(low, body);
    return;
  }
  state before = state_of(low);
  spv_if branch = spv_code_if(&low->code, all_hold(&g));
  for (size_t i = 0; i < g.bounds.count; i++) narrow(low, &g.bounds.data[i]);
  low->interior_words = write_copy(low, body);
  uint32_t shared = low->shared_words, slab = low->slab_words;
  spv_code_else(&low->code, &branch);
  rewind(low, &before);
  low->edge_words = write_copy(low, body);
  spv_code_end(&low->code, &branch);
  if (shared > low->shared_words) low->shared_words = shared;
  if (slab > low->slab_words) low->slab_words = slab;
}
