/* Matrix products: each side is viewed as (batch, rows, columns). Where that takes no more than strides the product
 * reads the operand in place; else it is copied, and widened where the accumulator is wider. A product whose one use is
 * an addition waits for it: acc + dot(a, b) is computed onto acc. */
#include <limits.h>
#include <string.h>

#include "host/flat/flatten.h"

typedef struct side { /* of a dot: which axes play which role, in order */
  uint32_t axes[KILN_MAX_RANK];
  uint32_t batch, middle, last; /* how many of each */
} side;

static bool listed(const ir_list *list, uint32_t axis) {
  for (uint32_t k = 0; k < list->count; k++)
    if (list->at[k] == axis) return true;
  return false;
}

static void add_list(side *s, const ir_list *list) {
  for (uint32_t k = 0; k < list->count; k++) s->axes[s->batch + s->middle + s->last++] = (uint32_t)list->at[k];
}

static void add_rest(side *s, uint32_t rank, const ir_list *batch, const ir_list *contract) {
  for (uint32_t d = 0; d < rank; d++)
    if (!listed(batch, d) && !listed(contract, d)) s->axes[s->batch + s->middle + s->last++] = d;
}

/* (batch, rest, contracted) on the left, (batch, contracted, rest) on the right. */
static side side_of(const ir_op *op, bool right) {
  const ir_attrs *attrs = op->attrs;
  const ir_list *batch = right ? &attrs->rhs_batch : &attrs->lhs_batch;
  const ir_list *contract = right ? &attrs->rhs_contract : &attrs->lhs_contract;
  const uint32_t rank = op->operands[right]->type.shape.rank;
  side s = {0};
  add_list(&s, batch);
  s.batch = s.last, s.last = 0;
  if (right)
    add_list(&s, contract);
  else
    add_rest(&s, rank, batch, contract);
  s.middle = s.last, s.last = 0;
  if (right)
    add_rest(&s, rank, batch, contract);
  else
    add_list(&s, contract);
  return s;
}

/* Joins the dimensions [from, from + count) of `at` into one. False when strides do not allow it. */
static bool join(const host_operand *at, uint32_t from, uint32_t count, host_operand *out, uint32_t to) {
  out->dims[to] = 1;
  out->strides[to] = out->dense_strides[to] = 0;
  for (uint32_t d = from + count; d-- > from;) {
    if (at->dims[d] == 1) continue;
    if (out->dims[to] == 1) {
      out->strides[to] = at->strides[d];
      out->dense_strides[to] = at->dense_strides[d];
    } else if (at->strides[d] != out->strides[to] * out->dims[to] ||
               (at->box != HOST_NONE && at->dense_strides[d] != out->dense_strides[to] * out->dims[to])) {
      return false;
    }
    out->dims[to] *= at->dims[d];
  }
  return true;
}

static bool to_matrix(const host_operand *at, const side *s, host_operand *out) {
  *out = *at;
  out->rank = 3;
  return join(at, 0, s->batch, out, 0) && join(at, s->batch, s->middle, out, 1) &&
         join(at, s->batch + s->middle, s->last, out, 2);
}

/* One of the last two strides is an element, the other no less than a row and within an int. */
static bool strides_suit(const host_operand *at, const int64_t *strides, int64_t bytes) {
  bool along = strides[2] == bytes || at->dims[2] <= 1, down = strides[1] == bytes || at->dims[1] <= 1;
  int64_t pitch = along ? strides[1] : strides[2], least = along ? at->dims[2] : at->dims[1];
  int64_t other = along ? at->dims[1] : at->dims[2];
  if (!along && !down) return false;
  return other <= 1 || (pitch >= least * bytes && pitch % bytes == 0 && pitch / bytes <= INT_MAX);
}

static bool blas_suits(const host_operand *at, int64_t bytes) {
  return strides_suit(at, at->strides, bytes) && (at->box == HOST_NONE || strides_suit(at, at->dense_strides, bytes));
}

host_operand *flat_converted(flat *f, const host_operand *at, ir_dtype from, ir_dtype to) {
  const uint32_t from_bytes = (uint32_t)ir_dtype_bytes(from), to_bytes = (uint32_t)ir_dtype_bytes(to);
  uint64_t count = 1;
  for (uint32_t d = 0; d < at->rank; d++) count *= (uint64_t)at->dims[d];
  uint32_t tile = flat_tile_new(f, count * to_bytes, 0);
  host_operand *out = ARENA_NEW(f->arena, host_operand);
  *out = (host_operand){.slot = f->tiles[tile].slot, .box = HOST_NONE, .staging = HOST_NONE, .rank = at->rank};
  memcpy(out->dims, at->dims, sizeof out->dims);
  flat_dense_strides(out->dims, out->rank, to_bytes, out->strides);
  f->tiles[tile].holds = 1;
  VEC_PUSH(f->arena, &f->borrowed, tile);
  if (from == to) {
    flat_copy(f, at, out, to_bytes);
    return out;
  }
  flat_group *g = flat_lone_begin(f, at->dims, at->rank);
  g->inputs[0] = (flat_input){.at = *at, .bytes = from_bytes, .tile = HOST_NONE, .memory = HOST_NONE};
  g->regs[0] = (flat_reg){.bytes = from_bytes, .input = 0, .made_by = HOST_NONE, .tile = HOST_NONE};
  g->regs[1] = (flat_reg){.bytes = to_bytes, .input = HOST_NONE, .made_by = 0, .tile = tile};
  g->micros[0] = (flat_micro){.run = {.fn = ir_convert_lanes(from, to), .out = 1}};
  g->input_count = g->micro_count = 1;
  g->reg_count = 2;
  flat_standalone(f, g);
  return out;
}

static bool is_blas(ir_dtype d) { return d == IR_F32 || d == IR_F64; }

/* The side as a matrix of element type `wide`. */
static host_operand matrix_of(flat *f, const ir_op *op, bool right, ir_dtype wide) {
  const ir_value *v = op->operands[right];
  const side s = side_of(op, right);
  ir_list axes = {.count = v->type.shape.rank};
  for (uint32_t d = 0; d < axes.count; d++) axes.at[d] = s.axes[d];
  host_operand *at = flat_at(f, v), out;
  if (axes.count > 0) at = flat_transpose(f, at, &axes);
  const int64_t bytes = (int64_t)ir_dtype_bytes(wide);
  bool ready = v->type.dtype == wide && to_matrix(at, &s, &out);
  if (ready && is_blas(wide) ? blas_suits(&out, bytes) : ready && flat_is_dense(at, (uint32_t)bytes)) return out;
  at = flat_converted(f, at, v->type.dtype, wide);
  to_matrix(at, &s, &out);
  return out;
}

static void stage(flat *f, host_operand *at) {
  if (at->box == HOST_NONE || f->boxes.data[at->box].inside) return;
  const host_box_info *box = &f->boxes.data[at->box];
  uint64_t bytes = ir_dtype_bytes(box->dtype);
  for (uint32_t d = 0; d < box->rank; d++) bytes *= (uint64_t)box->dims[d];
  at->staging = flat_slot(f, bytes);
  flat_free_slot(f, at->staging);
}

enum {
  PART_ROWS = 60,  /* a multiple of the rows that ordered products work on at a time */
  SHARED = 1 << 20 /* multiplications that are worth another thread's attention */
};

/* The BLAS has threads of its own. Where parts begin depends on nothing but the shape. */
static void find_parts(flat *f, host_dot *dot) {
  const bool blas = dot->kind == HOST_DOT_F64 || (dot->kind == HOST_DOT_F32 && !host_ordered_here());
  const double work = (double)dot->batch * (double)dot->m * (double)dot->n * (double)dot->k;
  dot->shared = !blas && work > SHARED;
  dot->part = dot->shared && dot->m > PART_ROWS ? PART_ROWS : dot->m;
  dot->parts = dot->m > 0 ? (dot->m + dot->part - 1) / dot->part : 1;
  f->plan->divides |= dot->shared;
  f->plan->calls_blas |= blas;
}

static bool fits_blas(const host_dot *dot) { return dot->m <= INT_MAX && dot->n <= INT_MAX && dot->k <= INT_MAX; }

/* Emits the product into `slot`, which is dense. */
static void emit_dot(flat *f, const ir_op *op, uint32_t slot, ir_dtype wide, bool accumulate) {
  host_dot *dot = ARENA_NEW(f->arena, host_dot);
  const int64_t bytes = (int64_t)ir_dtype_bytes(wide);
  dot->kind = host_dot_kind_of(wide);
  dot->a = matrix_of(f, op, false, wide);
  dot->b = matrix_of(f, op, true, wide);
  dot->batch = dot->a.dims[0];
  dot->m = dot->a.dims[1];
  dot->k = dot->a.dims[2];
  dot->n = dot->b.dims[2];
  dot->accumulate = accumulate;
  dot->c = (host_operand){.slot = slot,
                          .box = HOST_NONE,
                          .staging = HOST_NONE,
                          .rank = 3,
                          .dims = {dot->batch, dot->m, dot->n},
                          .strides = {dot->m * dot->n * bytes, dot->n * bytes, bytes}};
  if (is_blas(wide) && !fits_blas(dot)) f->too_large = true;
  find_parts(f, dot);
  stage(f, &dot->a);
  stage(f, &dot->b);
  flat_take(f, op->operands[0]);
  flat_take(f, op->operands[1]);
  flat_emit(f, HOST_DOT, dot);
}

static void narrow_result(flat *f, const ir_value *v, ir_dtype from, uint32_t wide_slot, uint32_t slot) {
  uint32_t tile = flat_tile_of(f, slot, 0);
  host_operand *wide = flat_operand_dense(f, &v->type, wide_slot);
  flat_group *g = flat_lone_begin(f, wide->dims, wide->rank);
  const uint32_t bytes = (uint32_t)ir_dtype_bytes(from);
  flat_dense_strides(wide->dims, wide->rank, bytes, wide->strides);
  g->inputs[0] = (flat_input){.at = *wide, .bytes = bytes, .tile = HOST_NONE, .memory = HOST_NONE};
  g->regs[0] = (flat_reg){.bytes = bytes, .input = 0, .made_by = HOST_NONE, .tile = HOST_NONE};
  g->regs[1] = (flat_reg){.bytes = flat_bytes(v), .input = HOST_NONE, .made_by = 0, .tile = tile};
  g->micros[0] = (flat_micro){.run = {.fn = ir_convert_lanes(from, v->type.dtype), .out = 1}};
  g->input_count = g->micro_count = 1;
  g->reg_count = 2;
  flat_standalone(f, g);
}

/* Computes a waiting product to a tile of its own. */
void flat_product(flat *f, const ir_value *v) {
  const ir_op *op = flat_value_of(f, v)->product;
  const ir_dtype dtype = v->type.dtype, from = ir_dtype_wide(dtype);
  flat_at(f, op->operands[0]);
  flat_at(f, op->operands[1]);
  if (from == dtype) {
    /* The result's slot first: its lifetime begins before the copies of the operands end. */
    uint32_t slot = flat_result_tile(f, v);
    emit_dot(f, op, slot, dtype, false);
    return;
  }
  uint32_t wide = flat_slot(f, (uint64_t)ir_count(&v->type) * ir_dtype_bytes(from)), slot = flat_result_tile(f, v);
  emit_dot(f, op, wide, from, false);
  flat_free_slot(f, wide);
  narrow_result(f, v, from, wide, slot);
}

/* The op that alone uses a value; NULL when there are more, or it is elsewhere, or far away. */
static const ir_op *only_user(const flat *f, const ir_op *op) {
  uint32_t near = 256;
  if (f->values[op->results[0]->id].left != 1) return NULL;
  for (const ir_op *user = op->next; user && near > 0; user = user->next, near--)
    for (uint32_t k = 0; k < user->operand_count; k++)
      if (user->operands[k] == op->results[0]) return user;
  return NULL;
}

void flat_dot(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0];
  flat_value *value = flat_value_of(f, v);
  value->kind = FLAT_PRODUCT;
  value->product = op;
  value->home = f->region;
  const ir_op *user = only_user(f, op);
  if (user && user->code == IR_add && v->type.shape.rank > 0 && ir_dtype_wide(v->type.dtype) == v->type.dtype)
    VEC_PUSH(f->arena, &f->products, v->id);
  else
    flat_product(f, v);
}

/* A slot with the other addend's elements that may be overwritten: its own, if this is its last use. */
static uint32_t accumulator(flat *f, const ir_value *x, const ir_value *sum) {
  const host_operand *at = flat_at(f, x);
  flat_value *value = flat_value_of(f, x), *result = flat_value_of(f, sum);
  flat_tile *tile = value->tile == HOST_NONE ? NULL : &f->tiles[value->tile];
  bool dense = at->slot != HOST_NONE && at->offset == 0 && flat_is_dense(at, flat_bytes(x));
  if (dense && tile && tile->uses == 1 && tile->holds == 0 && tile->slot == at->slot) {
    uint32_t kept = value->tile;
    tile->uses += result->left;
    flat_set_at(f, sum, flat_operand_dense(f, &sum->type, at->slot), kept);
    flat_take(f, x);
    return at->slot;
  }
  uint32_t slot = flat_result_tile(f, sum);
  flat_copy(f, at, flat_operand_dense(f, &x->type, slot), flat_bytes(x));
  flat_take(f, x);
  return slot;
}

bool flat_accumulate(flat *f, const ir_op *add) {
  const ir_value *left = add->operands[0], *right = add->operands[1], *sum = add->results[0];
  bool product_right = flat_value_of(f, right)->kind == FLAT_PRODUCT;
  if (!product_right && flat_value_of(f, left)->kind != FLAT_PRODUCT) return false;
  const ir_value *product = product_right ? right : left, *other = product_right ? left : right;
  const ir_op *dot = flat_value_of(f, product)->product;
  flat_at(f, other);
  flat_at(f, dot->operands[0]);
  flat_at(f, dot->operands[1]);
  if (other == product || flat_value_of(f, product)->kind != FLAT_PRODUCT) return false;
  flat_value_of(f, product)->kind = FLAT_NONE;
  flat_value_of(f, product)->left = 0;
  emit_dot(f, dot, accumulator(f, other, sum), sum->type.dtype, true);
  return true;
}
