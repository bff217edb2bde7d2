/* What several passes need: constants in the IR, whole accesses, moving ops, and the ranges of index values. */
#ifndef KILN_SRC_PASS_UTIL_H
#define KILN_SRC_PASS_UTIL_H

#include "pass/pass.h"

ir_type pass_i32(void); /* a scalar tile */

/* A value whose every element is one literal: made by `full`. */
bool pass_splat(const ir_value *v, uint64_t *bits);
bool pass_integer(const ir_value *v, int64_t *out); /* the same for a scalar of an integer or bool type */

int64_t pass_divisor(int64_t extent, int64_t limit); /* the largest that is at most `limit`; 1 when none is */

bool pass_region_has_roles(ir_region *region); /* loops whose trips may run side by side */
bool pass_has_roles(ir_kernel *k);

const ir_param *pass_param_of(const ir_kernel *k, const ir_value *root); /* NULL for scratch */

/* A param that nobody writes, by its own name or an alias. */
bool pass_read_only(const ir_kernel *k, const ir_value *root);

/* Whether two params may be one memory: the same, or one the other's alias. Scratch shares with nobody. */
bool pass_share_memory(const ir_kernel *k, const ir_value *root, const ir_value *other);
bool pass_view_reaches_outside(const ir_kernel *k, const ir_op *view); /* it may, of what it is a view of */
void pass_drop_edges(ir_kernel *k);                                    /* of views that are known to stay inside */
bool pass_at_edge(const ir_value *ref); /* some view on the way to the root may reach outside: then reads fill */

/* A load or store of all of its ref, unmasked; the index of one; and one that is made. */
bool pass_whole_access(const ir_op *op);
ir_attrs pass_whole_index(ir_builder *b, const ir_shape *shape);
ir_value *pass_load_whole(ir_builder *b, ir_value *ref);
void pass_store_whole(ir_builder *b, ir_value *ref, ir_value *v);
void pass_clear(ir_builder *b, ir_value *ref); /* stores zeros */

ir_index pass_point(ir_builder *b, int32_t operand, int64_t start); /* one element of a dimension; operand -1: none */
ir_attrs pass_row_index(ir_builder *b, const ir_shape *shape, int32_t operand, int64_t start); /* all behind that one */
ir_value *pass_scratch(ir_builder *b, ir_space space, ir_dtype dtype, const ir_shape *shape, kiln_str name);

ir_builder pass_before(const pass_ctx *c, ir_op *op); /* makes ops in front of one, for the same place in the text */
ir_builder pass_inside(const ir_builder *b, ir_region *region); /* .. at the end of a region */

/* The ops of the body that a pass asks for: collected before it changes any, as a walk must not meet what it makes. */
typedef VEC(ir_op *) pass_ops;
pass_ops pass_collect(const pass_ctx *c, bool (*wanted)(ir_code code));
/* Ops that are written as others: `expand`, its builder in front of the op, finds what stands for the results; false:
 * the op stays. True: some op went. */
typedef bool (*pass_expand_fn)(pass_ctx *c, ir_builder *b, const ir_op *op, ir_value **results);
bool pass_expand(pass_ctx *c, bool (*wanted)(ir_code code), pass_expand_fn expand);

void pass_append(ir_region *region, ir_op *op);    /* unlinks the op and puts it at the region's end */
void pass_erase_all(ir_region *region);            /* what its ops use is used no more */
void pass_set_body(ir_kernel *k, ir_region *body); /* .. of the body before it */
ir_op *pass_yield_of(const ir_region *region);     /* NULL when the region ends without one */
/* Replaces in a region and all within it only. */
void pass_replace_within(ir_region *region, ir_value *old, ir_value *new_value);
/* Replacements made during one walk, which looks up the operands of every op it comes to: linear in the kernel, where
 * replacing at once would walk all of it for each. */
typedef struct pass_renames {
  arena *arena;
  VEC(ir_value *) to; /* by value id */
} pass_renames;
void pass_rename(pass_renames *r, const ir_value *from, ir_value *to);
void pass_update(const pass_renames *r, ir_op *op);
/* Empties a region into the place before `op`; its yields become the op's results. */
void pass_splice(pass_renames *names, ir_region *region, ir_op *op);

bool pass_only_looks(const ir_op *op);      /* an atomic that changes nothing: `or` with 0, no release */
bool pass_same_width(const ir_op *bitcast); /* between types of one width */
bool pass_pure(const ir_op *op);            /* no memory, no control: may be dropped, joined and moved */
/* The places of arrivals at, and signals of, those barriers or semaphores: how many are found, `most` at the most. */
uint32_t pass_find_help(const ir_kernel *k, const ir_value *made, loc *out, uint32_t most);

/* Where an integer, or every element of a tile of them, must lie. Everything, when nothing is known. */
typedef struct pass_range {
  int64_t low, high;
} pass_range;
pass_range pass_range_of(const ir_kernel *k, const ir_value *v);

#endif
