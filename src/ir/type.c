/* Tile and ref types: making, comparing, broadcasting, printing. */
#include "ir/ir.h"

int64_t ir_count(const ir_type *t) {
  int64_t count = 1;
  for (uint32_t i = 0; i < t->shape.rank; i++) count *= ir_extent(t, i);
  return count;
}

bool ir_shape_known(const ir_shape *shape) {
  for (uint32_t i = 0; i < shape->rank; i++)
    if (!ir_dim_known(shape->dims[i])) return false;
  return true;
}

ir_type ir_tile_type(ir_dtype dtype, const ir_shape *shape) {
  ir_type type = {.kind = IR_TILE, .dtype = dtype};
  if (shape) type.shape = *shape;
  return type;
}

ir_type ir_ref_type(ir_dtype dtype, ir_space space, const ir_shape *shape) {
  return (ir_type){.kind = IR_REF, .dtype = dtype, .space = space, .shape = *shape};
}

ir_truth ir_shape_equal(const ir_shape *a, const ir_shape *b) {
  if (a->rank != b->rank) return IR_NO;
  ir_truth all = IR_YES;
  for (uint32_t i = 0; i < a->rank; i++) {
    ir_truth one = ir_dim_equal(a->dims[i], b->dims[i]);
    if (one == IR_NO) return IR_NO;
    if (one == IR_UNKNOWN) all = IR_UNKNOWN;
  }
  return all;
}

static bool is_one(ir_dim d) { return ir_dim_known(d) && d->value == 1; }

static bool broadcast_dim(ir_dim a, ir_dim b, ir_dim *out) {
  *out = is_one(a) || ir_dim_known(b) ? b : a;
  if (is_one(b)) *out = a;
  return is_one(a) || is_one(b) || ir_dim_equal(a, b) != IR_NO;
}

bool ir_shape_broadcast(const ir_shape *a, const ir_shape *b, ir_shape *out) {
  const ir_shape *longer = a->rank >= b->rank ? a : b, *shorter = longer == a ? b : a;
  uint32_t lead = longer->rank - shorter->rank;
  ir_shape result = *longer;
  for (uint32_t i = 0; i < shorter->rank; i++) {
    if (!broadcast_dim(longer->dims[lead + i], shorter->dims[i], &result.dims[lead + i])) return false;
  }
  *out = result;
  return true;
}

void ir_type_print(text *t, const ir_type *type) {
  const char *name = ir_dtype_get(type->dtype)->name;
  if (type->kind > IR_REF) name = type->kind == IR_BARRIER ? "barrier" : "semaphore";
  text_add(t, str_from(name));
  if (type->shape.rank == 0) return;
  for (uint32_t i = 0; i < type->shape.rank; i++) {
    text_add(t, i ? STR(", ") : STR("["));
    ir_dim_print(t, type->shape.dims[i]);
  }
  text_char(t, ']');
}

kiln_str ir_type_text(ir_module *m, const ir_type *type) {
  text t = text_new(&m->arena);
  ir_type_print(&t, type);
  return text_str(&t);
}

kiln_str ir_dim_text(ir_module *m, ir_dim d) {
  text t = text_new(&m->arena);
  ir_dim_print(&t, d);
  return text_str(&t);
}
