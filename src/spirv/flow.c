/* Instructions of a function body, and structured control flow. */
#include "spirv/module.h"

/* ---- instructions ---- */

void spv_do(spv_module *m, SpvOp op, const uint32_t *operands, size_t count) {
  spv_write(m, SPV_BODY, op, operands, count);
}

spv_id spv_emit(spv_module *m, SpvOp op, spv_id type, const uint32_t *operands, size_t count) {
  return spv_emit_at(m, m->outer.count, op, type, operands, count);
}

spv_id spv_emit_at(spv_module *m, size_t depth, SpvOp op, spv_id type, const uint32_t *operands, size_t count) {
  spv_id id = spv_new(m);
  spv_words *body = depth < m->outer.count ? &m->outer.data[depth] : &m->sections[SPV_BODY];
  VEC_PUSH(m->arena, body, (uint32_t)(count + 3) << SpvWordCountShift | (uint32_t)op);
  VEC_PUSH(m->arena, body, type);
  VEC_PUSH(m->arena, body, id);
  for (size_t i = 0; i < count; i++) VEC_PUSH(m->arena, body, operands[i]);
  return id;
}

spv_id spv_glsl(spv_module *m) {
  if (m->glsl) return m->glsl;
  m->glsl = spv_new(m);
  /* "GLSL.std.450" in little-endian words, with its closing zero */
  spv_write(m, SPV_IMPORTS, SpvOpExtInstImport, SPV_LIST(m->glsl, 0x4c534c47, 0x6474732e, 0x3035342e, 0));
  return m->glsl;
}

spv_id spv_ext(spv_module *m, enum GLSLstd450 op, spv_id type, const uint32_t *operands, size_t count) {
  spv_words words = {0};
  VEC_PUSH(m->arena, &words, spv_glsl(m));
  VEC_PUSH(m->arena, &words, (uint32_t)op);
  for (size_t i = 0; i < count; i++) VEC_PUSH(m->arena, &words, operands[i]);
  return spv_emit(m, SpvOpExtInst, type, words.data, words.count);
}

/* ---- functions and blocks ---- */

static void enter_block(spv_module *m, spv_id label) {
  m->block = label;
  m->line = m->column = 0;
}

spv_id spv_function_begin(spv_module *m, spv_id result, spv_id function_type) {
  spv_id id = spv_new(m);
  spv_write(m, SPV_HEAD, SpvOpFunction, SPV_LIST(result, id, SpvFunctionControlMaskNone, function_type));
  return id;
}

spv_id spv_param(spv_module *m, spv_id type) {
  spv_id id = spv_new(m);
  spv_write(m, SPV_HEAD, SpvOpFunctionParameter, SPV_LIST(type, id));
  return id;
}

void spv_function_enter(spv_module *m) {
  spv_id label = spv_new(m);
  spv_write(m, SPV_HEAD, SpvOpLabel, SPV_LIST(label));
  enter_block(m, label);
}

static void append(spv_module *m, spv_words *to, const spv_words *from) {
  for (size_t i = 0; i < from->count; i++) VEC_PUSH(m->arena, to, from->data[i]);
}

/* Head and body join the finished functions, so that a next function finds both empty. */
void spv_function_end(spv_module *m) {
  spv_write(m, SPV_BODY, SpvOpFunctionEnd, NULL, 0);
  append(m, &m->sections[SPV_HELPERS], &m->sections[SPV_HEAD]);
  append(m, &m->sections[SPV_HELPERS], &m->sections[SPV_BODY]);
  m->sections[SPV_HEAD].count = m->sections[SPV_BODY].count = 0;
  m->block = 0;
}

spv_aside spv_aside_begin(spv_module *m) {
  spv_aside aside = {
      .head = m->sections[SPV_HEAD], .body = m->sections[SPV_BODY], .outer = m->outer, .block = m->block};
  m->outer = (spv_streams){0};
  m->sections[SPV_HEAD] = m->sections[SPV_BODY] = (spv_words){0};
  return aside;
}

void spv_aside_end(spv_module *m, const spv_aside *aside) {
  m->sections[SPV_HEAD] = aside->head;
  m->sections[SPV_BODY] = aside->body;
  m->outer = aside->outer;
  m->block = aside->block;
  m->line = 0;
}

void spv_return(spv_module *m) {
  spv_write(m, SPV_BODY, SpvOpReturn, NULL, 0);
  m->block = 0;
}

void spv_branch(spv_module *m, spv_id label) {
  spv_write(m, SPV_BODY, SpvOpBranch, SPV_LIST(label));
  m->block = 0;
}

void spv_label(spv_module *m, spv_id label) {
  if (m->block) spv_branch(m, label);
  spv_write(m, SPV_BODY, SpvOpLabel, SPV_LIST(label));
  enter_block(m, label);
}

/* ---- selection ---- */

spv_if spv_if_begin(spv_module *m, spv_id condition) {
  spv_if branch = {.otherwise = spv_new(m), .merge = spv_new(m)};
  spv_id then_label = spv_new(m);
  SPV_DO(m, SpvOpSelectionMerge, branch.merge, SpvSelectionControlMaskNone);
  SPV_DO(m, SpvOpBranchConditional, condition, then_label, branch.otherwise);
  m->block = 0;
  spv_label(m, then_label);
  return branch;
}

void spv_if_else(spv_module *m, spv_if *branch) {
  branch->then_end = m->block;
  branch->has_else = true;
  spv_branch(m, branch->merge);
  spv_label(m, branch->otherwise);
}

void spv_if_end(spv_module *m, spv_if *branch) {
  if (!branch->has_else) spv_if_else(m, branch);
  branch->else_end = m->block;
  spv_label(m, branch->merge);
}

spv_id spv_if_phi(spv_module *m, const spv_if *branch, spv_id type, spv_id then_value, spv_id else_value) {
  if (then_value == else_value) return then_value;
  return SPV(m, SpvOpPhi, type, then_value, branch->then_end, else_value, branch->else_end);
}

/* ---- loops ---- */

spv_loop spv_loop_begin(spv_module *m) {
  spv_loop loop = {.header = spv_new(m), .next = spv_new(m), .merge = spv_new(m), .before = m->block};
  VEC_PUSH(m->arena, &m->outer, m->sections[SPV_BODY]);
  m->sections[SPV_BODY] = (spv_words){0};
  m->block = 0;
  spv_label(m, loop.header);
  return loop;
}

spv_id spv_loop_phi(spv_module *m, spv_loop *loop, spv_id type, spv_id first) {
  spv_id id = SPV(m, SpvOpPhi, type, first, loop->before, 0, loop->next);
  VEC_PUSH(m->arena, &loop->patches, m->sections[SPV_BODY].count - 2);
  return id;
}

void spv_loop_test(spv_module *m, spv_loop *loop, bool unroll) {
  SPV_DO(m, SpvOpLoopMerge, loop->merge, loop->next, unroll ? SpvLoopControlUnrollMask : SpvLoopControlDontUnrollMask);
  spv_label(m, spv_new(m));
}

void spv_loop_body(spv_module *m, spv_loop *loop, spv_id condition) {
  spv_id body = spv_new(m);
  SPV_DO(m, SpvOpBranchConditional, condition, body, loop->merge);
  m->block = 0;
  spv_label(m, body);
}

void spv_loop_end(spv_module *m, spv_loop *loop, const spv_id *next, size_t count, spv_id again) {
  spv_label(m, loop->next);
  if (again) {
    SPV_DO(m, SpvOpBranchConditional, again, loop->header, loop->merge);
    m->block = 0;
  } else {
    spv_branch(m, loop->header);
  }
  spv_words inner = m->sections[SPV_BODY];
  for (size_t i = 0; i < count; i++) inner.data[loop->patches.data[i]] = next[i];
  m->sections[SPV_BODY] = m->outer.data[--m->outer.count];
  spv_branch(m, loop->header);
  append(m, &m->sections[SPV_BODY], &inner);
  spv_label(m, loop->merge);
}
