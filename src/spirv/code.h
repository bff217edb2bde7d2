/* Writing code that does not repeat itself: pure instructions are looked up before they are made, made as far out of
 * the loops as their operands allow, and folded when they are integer arithmetic on constants. What is known of each
 * integer (its range, what it is a multiple of, how it differs from another by a constant) is kept beside its id:
 * bounds checks and the alignment of memory accesses are decided from that alone. */
#ifndef KILN_SRC_SPIRV_CODE_H
#define KILN_SRC_SPIRV_CODE_H

#include "spirv/module.h"

/* What is known of an id. Ranges are of the value read as a signed 32-bit integer. */
typedef struct spv_fact {
  int64_t low, high;
  uint32_t multiple; /* of this; 0: the value is zero */
  uint32_t level;    /* the scope that it was made in */
  spv_id base;       /* value = base + add, without wrapping; base 0: a constant */
  int64_t add;
  const int32_t *each; /* its value in each lane, where it depends on nothing but the lane */
} spv_fact;

/* Where pure instructions made now are known: one per branch side and loop body. */
typedef struct spv_scope {
  map known;     /* the instruction's words -> id */
  size_t stream; /* body it writes into, as a depth of spv_emit_at */
} spv_scope;

typedef struct spv_code {
  spv_module *m;
  arena *arena;
  VEC(spv_fact) facts; /* by id */
  VEC(spv_scope) scopes;
  spv_words key;
  uint32_t lanes;                       /* of the subgroup */
  bool free_order;                      /* float arithmetic may be fused: sums whose order is nobody's promise */
  spv_id boolean, u32, f32, f64, words; /* types; 64-bit ones on demand; words: a vector of four u32 */
} spv_code;

void spv_code_init(spv_code *c, spv_module *m);
uint32_t spv_level(const spv_code *c); /* of the innermost scope */
spv_fact *spv_fact_of(spv_code *c, spv_id id);
void spv_range(spv_code *c, spv_id id, int64_t low, int64_t high, uint32_t multiple);
void spv_here(spv_code *c, spv_id id); /* was made in the innermost scope, and must not be used outside */

/* ---- pure instructions: the id of an equal one, or a new one as far out as possible ---- */
spv_id spv_pure(spv_code *c, SpvOp op, spv_id type, const uint32_t *operands, size_t count, size_t first_id,
                size_t id_count);
spv_id spv_op1(spv_code *c, SpvOp op, spv_id type, spv_id a);
spv_id spv_op2(spv_code *c, SpvOp op, spv_id type, spv_id a, spv_id b);
spv_id spv_op3(spv_code *c, SpvOp op, spv_id type, spv_id a, spv_id b, spv_id d);
spv_id spv_glsl1(spv_code *c, enum GLSLstd450 op, spv_id type, spv_id a);
spv_id spv_glsl2(spv_code *c, enum GLSLstd450 op, spv_id type, spv_id a, spv_id b);
spv_id spv_bitcast(spv_code *c, spv_id type, spv_id a);
spv_id spv_extract(spv_code *c, spv_id type, spv_id composite, uint32_t index);
spv_id spv_select(spv_code *c, spv_id type, spv_id condition, spv_id yes,
                  spv_id no);                     /* folds constant and equal sides */
spv_id spv_both(spv_code *c, spv_id a, spv_id b); /* and of bools; 0 stands for true */

/* What the memory of results of other kinds is kept in: keys of the caller's own making. */
spv_id spv_recall(spv_code *c, const uint32_t *key, size_t count);
void spv_memorize(spv_code *c, const uint32_t *key, size_t count, spv_id value, uint32_t level);

/* ---- 32-bit integers, folded, with facts ---- */
spv_id spv_int(spv_code *c, int64_t value);
bool spv_is_int(spv_code *c, spv_id id, int64_t *value);
bool spv_in_lane(spv_code *c, spv_id id, uint32_t lane, int64_t *value); /* false when more than the lane decides */
void spv_set_lane(spv_code *c, spv_id id);                               /* it is the lane's number */
spv_id spv_add(spv_code *c, spv_id a, spv_id b);
spv_id spv_sub(spv_code *c, spv_id a, spv_id b);
spv_id spv_mul(spv_code *c, spv_id a, spv_id b);
spv_id spv_div_const(spv_code *c, spv_id a, uint32_t b); /* a not negative by its facts */
spv_id spv_mod_const(spv_code *c, spv_id a, uint32_t b);
spv_id spv_and_const(spv_code *c, spv_id a, uint32_t b);
spv_id spv_shl_const(spv_code *c, spv_id a, uint32_t b);
spv_id spv_shr_const(spv_code *c, spv_id a, uint32_t b);
spv_id spv_min(spv_code *c, spv_id a, spv_id b);
spv_id spv_max(spv_code *c, spv_id a, spv_id b);

/* ---- scopes around structured control flow ---- */
void spv_scope_push(spv_code *c);
void spv_scope_pop(spv_code *c);
spv_loop spv_code_loop(spv_code *c); /* opens the loop and its scope */
spv_id spv_code_phi(spv_code *c, spv_loop *loop, spv_id type, spv_id first);
/* Closes both; where each phi is once the loop is over. `again`: see spv_loop_end. */
const spv_id *spv_code_loop_end(spv_code *c, spv_loop *loop, const spv_id *phis, const spv_id *next, size_t count,
                                spv_id again);
spv_if spv_code_if(spv_code *c, spv_id condition);
void spv_code_else(spv_code *c, spv_if *branch);
void spv_code_end(spv_code *c, spv_if *branch);
spv_id spv_code_join(spv_code *c, const spv_if *branch, spv_id type, spv_id then_value, spv_id else_value);

/* Writing where the scope `level` writes, at the end of it as it stands, and back. No branches and loops meanwhile: the
 * blocks around would not know of them. */
typedef struct spv_detour {
  size_t depth, scope_count;
  spv_words body;
  spv_streams outer;
} spv_detour;
spv_detour spv_detour_begin(spv_code *c, uint32_t level);
void spv_detour_end(spv_code *c, const spv_detour *detour);

#endif
