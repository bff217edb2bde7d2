/* The attribute table, and what left-out attributes stand for. */
#include "ir/attrs.h"

static const attr_info attrs[ATTR_COUNT] = {
#define ATTR(name, bit, kind, field) {#name, bit, ATTR_##kind, offsetof(ir_attrs, field)},
#include "ir/attrs.def"
};

static const struct {
  attr_id id;
  uint32_t value;
  const char *text;
} words[] = {
#define WORD(attr, value, text) {ATTR_ID_##attr, value, text},
#include "ir/attrs.def"
};
enum { WORDS = sizeof words / sizeof *words };

bool ir_attr_word(attr_id id, kiln_str word, uint32_t *out) {
  for (size_t i = 0; i < WORDS; i++)
    if (words[i].id == id && str_is(word, words[i].text)) return *out = words[i].value, true;
  return false;
}

const char *ir_attr_word_text(attr_id id, uint32_t value) {
  for (size_t i = 0; i < WORDS; i++)
    if (words[i].id == id && words[i].value == value) return words[i].text;
  return "";
}

kiln_str ir_attr_words(attr_id id, arena *a) {
  text t = text_new(a);
  for (size_t i = 0; i < WORDS; i++)
    if (words[i].id == id) text_format(&t, "%s%s", t.size ? ", " : "", words[i].text);
  return text_str(&t);
}

const attr_info *ir_attr_get(attr_id id) { return &attrs[id]; }

const char *ir_attr_name(ir_code code, attr_id id) {
  const ir_op_info *info = ir_op_get(code);
  if (info->form == IR_FORM_REDUCE && id == ATTR_ID_axes) return "axis";
  return info->attrs & attrs[id].bit ? attrs[id].name : NULL;
}

bool ir_attr_optional(ir_code code, attr_id id) {
  switch (id) {
    case ATTR_ID_keep:
    case ATTR_ID_reverse:
    case ATTR_ID_stride:
    case ATTR_ID_stride_axis:
    case ATTR_ID_keys:
    case ATTR_ID_batch_dims:
    case ATTR_ID_index_batch_dims:
    case ATTR_ID_mode:
    case ATTR_ID_combine:
    case ATTR_ID_precision:
    case ATTR_ID_interior:
    case ATTR_ID_lhs_contract:
    case ATTR_ID_rhs_contract:
    case ATTR_ID_lhs_batch:
    case ATTR_ID_rhs_batch: return true;
    case ATTR_ID_axes: return code != IR_reverse;
    case ATTR_ID_type: return code == IR_dot;
    default: return false;
  }
}

static ir_dtype accumulator(ir_dtype dtype) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (info->bits >= 32) return dtype;
  return info->class == IR_CLASS_FLOAT ? IR_F32 : IR_I32;
}

static uint64_t given_bit(attr_id id) { return UINT64_C(1) << id; }

/* A float before an integer, then the one of more bits. */
static ir_dtype wider(ir_dtype a, ir_dtype b) {
  const ir_dtype_info *x = ir_dtype_get(a), *y = ir_dtype_get(b);
  bool x_float = x->class == IR_CLASS_FLOAT, y_float = y->class == IR_CLASS_FLOAT;
  if (x_float != y_float) return x_float ? a : b;
  return y->bits > x->bits ? b : a;
}

static void set_axis(ir_list *list, uint32_t axis) { *list = (ir_list){.count = 1, .at = {axis}}; }

/* The matrix product of the last two axes, the ones before them batches; a vector has one axis, which is contracted. */
static void complete_dot(ir_attrs *a, uint64_t given, const ir_type *lhs, const ir_type *rhs) {
  const uint64_t lists = given_bit(ATTR_ID_lhs_contract) | given_bit(ATTR_ID_rhs_contract) |
                         given_bit(ATTR_ID_lhs_batch) | given_bit(ATTR_ID_rhs_batch);
  uint32_t left = lhs->shape.rank, right = rhs->shape.rank, batch = left < right ? left : right;
  if (!(given & given_bit(ATTR_ID_type))) a->type = wider(accumulator(lhs->dtype), accumulator(rhs->dtype));
  if (given & lists || left == 0 || right == 0) return;
  set_axis(&a->lhs_contract, left - 1);
  set_axis(&a->rhs_contract, right > 1 ? right - 2 : 0);
  batch = batch > 2 ? batch - 2 : 0;
  a->lhs_batch.count = a->rhs_batch.count = batch;
  for (uint32_t i = 0; i < batch; i++) a->lhs_batch.at[i] = a->rhs_batch.at[i] = i;
}

void ir_attrs_complete(ir_code code, ir_attrs *a, uint64_t given, ir_value *const *operands, uint32_t operand_count) {
  if (code == IR_sort && !(given & given_bit(ATTR_ID_keys))) a->keys = 1;
  if (code == IR_dot && operand_count == 2) complete_dot(a, given, &operands[0]->type, &operands[1]->type);
  if (ir_op_get(code)->form != IR_FORM_REDUCE || operand_count != 1 || given & given_bit(ATTR_ID_axes)) return;
  for (a->axes.count = 0; a->axes.count < operands[0]->type.shape.rank; a->axes.count++)
    a->axes.at[a->axes.count] = a->axes.count;
}

int32_t ir_list_find(const ir_list *list, int64_t value) {
  for (uint32_t i = 0; i < list->count; i++)
    if (list->at[i] == value) return (int32_t)i;
  return -1;
}
