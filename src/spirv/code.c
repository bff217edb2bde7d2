/* Looking pure instructions up before making them, and placing them as far out as their operands allow. */
#include "spirv/code.h"

void spv_code_init(spv_code *c, spv_module *m) {
  *c = (spv_code){.m = m, .arena = m->arena};
  c->boolean = spv_type_bool(m);
  c->u32 = spv_type_int(m, 32, false);
  c->f32 = spv_type_float(m, 32);
  c->words = spv_type_vector(m, c->u32, 4);
  spv_scope_push(c);
}

/* ---- facts ---- */

uint32_t spv_level(const spv_code *c) { return (uint32_t)c->scopes.count - 1; }

spv_fact *spv_fact_of(spv_code *c, spv_id id) {
  while (c->facts.count <= id) {
    spv_id next = (spv_id)c->facts.count;
    VEC_PUSH(c->arena, &c->facts, (spv_fact){.low = INT32_MIN, .high = INT32_MAX, .multiple = 1, .base = next});
  }
  return &c->facts.data[id];
}

void spv_range(spv_code *c, spv_id id, int64_t low, int64_t high, uint32_t multiple) {
  spv_fact *fact = spv_fact_of(c, id);
  fact->low = low;
  fact->high = high;
  fact->multiple = multiple;
}

void spv_here(spv_code *c, spv_id id) { spv_fact_of(c, id)->level = spv_level(c); }

/* ---- scopes ---- */

void spv_scope_push(spv_code *c) {
  VEC_PUSH(c->arena, &c->scopes, (spv_scope){.known = map_new(c->arena), .stream = c->m->outer.count});
}

void spv_scope_pop(spv_code *c) { c->scopes.count--; }

spv_loop spv_code_loop(spv_code *c) {
  spv_loop loop = spv_loop_begin(c->m);
  spv_scope_push(c);
  return loop;
}

spv_id spv_code_phi(spv_code *c, spv_loop *loop, spv_id type, spv_id first) {
  spv_id id = spv_loop_phi(c->m, loop, type, first);
  spv_here(c, id);
  return id;
}

const spv_id *spv_code_loop_end(spv_code *c, spv_loop *loop, const spv_id *phis, const spv_id *next, size_t count,
                                spv_id again) {
  const spv_id *left = again ? next : phis;
  spv_loop_end(c->m, loop, next, count, again);
  spv_scope_pop(c);
  for (size_t i = 0; i < count; i++)
    if (spv_fact_of(c, left[i])->level > spv_level(c)) spv_here(c, left[i]);
  return left;
}

spv_if spv_code_if(spv_code *c, spv_id condition) {
  spv_if branch = spv_if_begin(c->m, condition);
  spv_scope_push(c);
  return branch;
}

void spv_code_else(spv_code *c, spv_if *branch) {
  spv_if_else(c->m, branch);
  spv_scope_pop(c);
  spv_scope_push(c);
}

void spv_code_end(spv_code *c, spv_if *branch) {
  spv_if_end(c->m, branch);
  spv_scope_pop(c);
}

spv_id spv_code_join(spv_code *c, const spv_if *branch, spv_id type, spv_id then_value, spv_id else_value) {
  spv_id id = spv_if_phi(c->m, branch, type, then_value, else_value);
  if (id != then_value) spv_here(c, id);
  return id;
}

/* ---- the memory ---- */

static kiln_str key_text(const uint32_t *key, size_t count) {
  return (kiln_str){(const char *)key, count * sizeof *key};
}

spv_id spv_recall(spv_code *c, const uint32_t *key, size_t count) {
  for (size_t i = c->scopes.count; i-- > 0;) {
    void *found = map_get(&c->scopes.data[i].known, key_text(key, count));
    if (found) return (spv_id)(uintptr_t)found;
  }
  return 0;
}

void spv_memorize(spv_code *c, const uint32_t *key, size_t count, spv_id value, uint32_t level) {
  map_put(&c->scopes.data[level].known, key_text(key, count), (void *)(uintptr_t)value);
}

/* The innermost scope that writes where the scope `level` does: the end of that body lies in it. */
static uint32_t writable(const spv_code *c, uint32_t level) {
  size_t stream = c->scopes.data[level].stream;
  uint32_t at = spv_level(c);
  while (c->scopes.data[at].stream != stream) at--;
  return at;
}

/* One rounding an operation, as on the host: without the decoration drivers fuse, and even cancel `x + c - c`. */
static void keep_rounding(spv_code *c, SpvOp op, spv_id id) {
  bool rounds = op == SpvOpFAdd || op == SpvOpFSub || op == SpvOpFMul || op == SpvOpFDiv;
  if (rounds && !c->free_order) spv_decorate(c->m, id, SpvDecorationNoContraction, NULL, 0);
}

spv_id spv_pure(spv_code *c, SpvOp op, spv_id type, const uint32_t *operands, size_t count, size_t first_id,
                size_t id_count) {
  c->key.count = 0;
  VEC_PUSH(c->arena, &c->key, (uint32_t)op);
  VEC_PUSH(c->arena, &c->key, type);
  for (size_t i = 0; i < count; i++) VEC_PUSH(c->arena, &c->key, operands[i]);
  spv_id id = spv_recall(c, c->key.data, c->key.count);
  if (id) return id;
  uint32_t level = 0;
  for (size_t i = first_id; i < first_id + id_count; i++) {
    uint32_t of_operand = spv_fact_of(c, operands[i])->level;
    if (of_operand > level) level = of_operand;
  }
  level = writable(c, level);
  id = spv_emit_at(c->m, c->scopes.data[level].stream, op, type, operands, count);
  spv_fact_of(c, id)->level = level;
  keep_rounding(c, op, id);
  spv_memorize(c, c->key.data, c->key.count, id, level);
  return id;
}

spv_detour spv_detour_begin(spv_code *c, uint32_t level) {
  spv_module *m = c->m;
  level = writable(c, level);
  spv_detour detour = {c->scopes.data[level].stream, c->scopes.count, m->sections[SPV_BODY], m->outer};
  c->scopes.count = level + 1;
  if (detour.depth < m->outer.count) {
    m->sections[SPV_BODY] = m->outer.data[detour.depth];
    m->outer.count = detour.depth;
  }
  return detour;
}

void spv_detour_end(spv_code *c, const spv_detour *detour) {
  spv_module *m = c->m;
  c->scopes.count = detour->scope_count;
  if (detour->depth == detour->outer.count) return;
  m->outer = detour->outer;
  m->outer.data[detour->depth] = m->sections[SPV_BODY];
  m->sections[SPV_BODY] = detour->body;
}

spv_id spv_op1(spv_code *c, SpvOp op, spv_id type, spv_id a) { return spv_pure(c, op, type, SPV_LIST(a), 0, 1); }

spv_id spv_op2(spv_code *c, SpvOp op, spv_id type, spv_id a, spv_id b) {
  return spv_pure(c, op, type, SPV_LIST(a, b), 0, 2);
}

spv_id spv_op3(spv_code *c, SpvOp op, spv_id type, spv_id a, spv_id b, spv_id d) {
  return spv_pure(c, op, type, SPV_LIST(a, b, d), 0, 3);
}

spv_id spv_glsl1(spv_code *c, enum GLSLstd450 op, spv_id type, spv_id a) {
  return spv_pure(c, SpvOpExtInst, type, SPV_LIST(spv_glsl(c->m), (uint32_t)op, a), 2, 1);
}

spv_id spv_glsl2(spv_code *c, enum GLSLstd450 op, spv_id type, spv_id a, spv_id b) {
  return spv_pure(c, SpvOpExtInst, type, SPV_LIST(spv_glsl(c->m), (uint32_t)op, a, b), 2, 2);
}

spv_id spv_bitcast(spv_code *c, spv_id type, spv_id a) { return spv_op1(c, SpvOpBitcast, type, a); }

spv_id spv_extract(spv_code *c, spv_id type, spv_id composite, uint32_t index) {
  return spv_pure(c, SpvOpCompositeExtract, type, SPV_LIST(composite, index), 0, 1);
}

spv_id spv_select(spv_code *c, spv_id type, spv_id condition, spv_id yes, spv_id no) {
  if (yes == no || !condition || condition == spv_const_bool(c->m, true)) return yes;
  if (condition == spv_const_bool(c->m, false)) return no;
  return spv_op3(c, SpvOpSelect, type, condition, yes, no);
}

spv_id spv_both(spv_code *c, spv_id a, spv_id b) {
  if (!a || a == b) return b;
  if (!b) return a;
  return spv_op2(c, SpvOpLogicalAnd, c->boolean, a, b);
}
