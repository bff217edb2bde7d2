/* The pieces of pass_fold, each a file: what one op can be replaced by, and what becomes of control ops. */
#ifndef KILN_SRC_PASS_FOLD_FOLD_H
#define KILN_SRC_PASS_FOLD_FOLD_H

#include "pass/util.h"

/* A value that is always equal to the op's one result, or NULL. New ops are made at the builder's place, before `op`.
 */
ir_value *fold_constant(ir_builder *b, const ir_op *op);
ir_value *fold_identity(ir_builder *b, const ir_op *op);
ir_value *fold_comparison(ir_builder *b, const ir_op *op); /* of integers whose ranges decide it */

/* A load or store whose mask is one literal: true drops the mask. A load that reads nothing gives its `other` value. */
bool fold_mask(ir_builder *b, ir_op *op, ir_value **value);

/* Simplifies a control op whose regions are still to be walked; what its results and arguments become is renamed. True
 * when something changed. An op that has been emptied into its surroundings is to be erased: then *gone is true. */
bool fold_control(pass_renames *names, ir_op *op, bool *gone);

/* Drops what nobody uses, last to first. `keep_reads`: reads of memory stay. */
bool fold_drop_dead(ir_region *region, bool keep_reads);

/* Takes the i-th carried value (of for, while) or result (of when, switch) away from op, regions and yields. */
void fold_remove_carried(ir_op *op, uint32_t at);
void fold_remove_result(ir_op *op, uint32_t at);
bool fold_has_effects(const ir_op *op, bool keep_reads);

#endif
