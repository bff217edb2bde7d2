/* The written attributes of ops, attrs.def as an array for parser and printer. Private to src/ir. */
#ifndef KILN_SRC_IR_ATTRS_H
#define KILN_SRC_IR_ATTRS_H

#include "ir/ir.h"

typedef enum attr_kind { ATTR_TYPE, ATTR_SHAPE, ATTR_INT, ATTR_LIST, ATTR_AXES, ATTR_FLAG, ATTR_WORD } attr_kind;

typedef enum attr_id {
#define ATTR(name, bit, kind, field) ATTR_ID_##name,
#include "ir/attrs.def"
  ATTR_COUNT
} attr_id;

typedef struct attr_info {
  const char *name;
  uint32_t bit;
  attr_kind kind;
  size_t offset; /* of the field in ir_attrs */
} attr_info;
const attr_info *ir_attr_get(attr_id id);

/* The words of an attribute, and back. */
bool ir_attr_word(attr_id id, kiln_str word, uint32_t *out);
const char *ir_attr_word_text(attr_id id, uint32_t value);
kiln_str ir_attr_words(attr_id id, arena *a); /* all of them, for messages */

/* How texts name an attribute of an op; NULL when the op has it not. */
const char *ir_attr_name(ir_code code, attr_id id);
/* What an op does when the attribute is not written; false: it must be. */
bool ir_attr_optional(ir_code code, attr_id id);
/* Completes what was left out from the operands' types. `given` has a bit per attr_id. */
void ir_attrs_complete(ir_code code, ir_attrs *attrs, uint64_t given, ir_value *const *operands,
                       uint32_t operand_count);

#endif
