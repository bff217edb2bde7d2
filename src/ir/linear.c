/* Linear maps over bits: products, ranks and inverses by elimination over GF(2), and layouts of tiles. */
#include "ir/linear.h"

#include <string.h>

/* ---- maps ---- */

uint64_t linear_apply(const linear *matrix, uint64_t index) {
  uint64_t result = 0;
  for (uint32_t i = 0; i < matrix->in; i++)
    if (index >> i & 1) result ^= matrix->basis[i];
  return result;
}

linear linear_compose(const linear *first, const linear *second) {
  linear matrix = {.in = first->in, .out = second->out};
  for (uint32_t i = 0; i < first->in; i++) matrix.basis[i] = linear_apply(second, first->basis[i]);
  return matrix;
}

/* Rows reduced so that each has a top bit of its own; `from` tells which inputs make up each row. */
typedef struct echelon {
  uint32_t rank;
  uint64_t row[LINEAR_BITS], from[LINEAR_BITS];
  uint32_t top[LINEAR_BITS]; /* the row's highest bit */
} echelon;

static uint32_t highest(uint64_t bits) { return 63u - (uint32_t)__builtin_clzll(bits); }

/* Takes out of `value` what the rows can make; notes in *from which inputs that took. */
static uint64_t reduce(const echelon *e, uint64_t value, uint64_t *from) {
  for (uint32_t i = 0; i < e->rank; i++)
    if (value >> e->top[i] & 1) {
      value ^= e->row[i];
      *from ^= e->from[i];
    }
  return value;
}

/* Keeps the rows fully reduced: no row has another row's top bit, so that reduce() needs one pass. */
static echelon eliminate(const linear *matrix) {
  echelon e = {0};
  for (uint32_t i = 0; i < matrix->in; i++) {
    uint64_t from = UINT64_C(1) << i;
    uint64_t value = reduce(&e, matrix->basis[i], &from);
    if (!value) continue;
    uint32_t top = highest(value);
    for (uint32_t k = 0; k < e.rank; k++)
      if (e.row[k] >> top & 1) {
        e.row[k] ^= value;
        e.from[k] ^= from;
      }
    e.row[e.rank] = value;
    e.from[e.rank] = from;
    e.top[e.rank++] = top;
  }
  return e;
}

uint32_t linear_rank(const linear *matrix) { return eliminate(matrix).rank; }
bool linear_is_injective(const linear *matrix) { return linear_rank(matrix) == matrix->in; }
bool linear_is_surjective(const linear *matrix) { return linear_rank(matrix) == matrix->out; }

bool linear_invert(const linear *matrix, linear *inverse) {
  echelon e = eliminate(matrix);
  if (e.rank != matrix->out) return false;
  *inverse = (linear){.in = matrix->out, .out = matrix->in};
  for (uint32_t bit = 0; bit < matrix->out; bit++) reduce(&e, UINT64_C(1) << bit, &inverse->basis[bit]);
  return true;
}

/* ---- layouts ---- */

uint32_t layout_axis_bits(int64_t extent) { return extent <= 1 ? 0 : highest((uint64_t)extent - 1) + 1; }

/* Where an axis's bits begin in the packed coordinates. */
static uint32_t axis_shift(const layout *l, uint32_t axis) {
  uint32_t shift = 0;
  for (uint32_t i = axis + 1; i < l->rank; i++) shift += l->bits[i];
  return shift;
}

layout layout_stream(const int64_t *extents, uint32_t rank, uint32_t lane_bits, uint32_t vector_bits) {
  layout l = {.lane_bits = lane_bits, .rank = rank};
  uint32_t total = 0;
  for (uint32_t i = 0; i < rank; i++) total += l.bits[i] = layout_axis_bits(extents[i]);
  uint32_t vector = rank && vector_bits < l.bits[rank - 1] ? vector_bits : rank ? l.bits[rank - 1] : 0;
  uint32_t lanes = lane_bits < total - vector ? lane_bits : total - vector;
  l.register_bits = total - lanes;
  l.map = (linear){.in = l.register_bits + lane_bits, .out = total};
  for (uint32_t i = 0; i < l.register_bits; i++) l.map.basis[i] = UINT64_C(1) << (i < vector ? i : i + lanes);
  for (uint32_t i = 0; i < lanes; i++) l.map.basis[l.register_bits + i] = UINT64_C(1) << (vector + i);
  return l;
}

int64_t layout_axis(const layout *l, uint64_t packed, uint32_t axis) {
  return (int64_t)(packed >> axis_shift(l, axis) & ((UINT64_C(1) << l->bits[axis]) - 1));
}

void layout_at(const layout *l, uint32_t reg, uint32_t lane, int64_t *coordinates) {
  uint64_t packed = linear_apply(&l->map, (uint64_t)lane << l->register_bits | reg);
  for (uint32_t i = 0; i < l->rank; i++) coordinates[i] = layout_axis(l, packed, i);
}

/* The layout with every basis vector rebuilt from the axes of `l` given by `axes` (-1: a new axis, always 0). */
static layout rebuild(const layout *l, const int32_t *axes, const uint32_t *bits, uint32_t rank) {
  layout out = {.register_bits = l->register_bits, .lane_bits = l->lane_bits, .rank = rank};
  out.map.in = l->map.in;
  for (uint32_t k = 0; k < rank; k++) out.map.out += out.bits[k] = axes[k] < 0 ? bits[k] : l->bits[axes[k]];
  for (uint32_t i = 0; i < l->map.in; i++)
    for (uint32_t k = 0; k < rank; k++)
      if (axes[k] >= 0)
        out.map.basis[i] |= (uint64_t)layout_axis(l, l->map.basis[i], (uint32_t)axes[k]) << axis_shift(&out, k);
  return out;
}

layout layout_drop(const layout *l, uint32_t axis) {
  int32_t axes[KILN_MAX_RANK] = {0};
  for (uint32_t k = 0; k + 1 < l->rank; k++) axes[k] = (int32_t)(k < axis ? k : k + 1);
  return rebuild(l, axes, NULL, l->rank - 1);
}

layout layout_insert(const layout *l, uint32_t axis, uint32_t bits) {
  int32_t axes[KILN_MAX_RANK] = {0};
  uint32_t widths[KILN_MAX_RANK] = {0};
  for (uint32_t k = 0; k <= l->rank; k++) axes[k] = k < axis ? (int32_t)k : (int32_t)k - 1;
  axes[axis] = -1;
  widths[axis] = bits;
  return rebuild(l, axes, widths, l->rank + 1);
}

layout layout_transpose(const layout *l, const uint32_t *axes) {
  int32_t sources[KILN_MAX_RANK] = {0};
  for (uint32_t k = 0; k < l->rank; k++) sources[k] = (int32_t)axes[k];
  return rebuild(l, sources, NULL, l->rank);
}

bool layout_reshape(const layout *l, const uint32_t *bits, uint32_t rank, layout *out) {
  uint32_t total = 0;
  for (uint32_t k = 0; k < rank; k++) total += bits[k];
  if (total != l->map.out) return false;
  *out = *l;
  out->rank = rank;
  memset(out->bits, 0, sizeof out->bits);
  for (uint32_t k = 0; k < rank; k++) out->bits[k] = bits[k];
  return true;
}

layout layout_compact(const layout *l) {
  layout out = *l;
  out.register_bits = out.map.in = 0;
  for (uint32_t i = 0; i < l->map.in; i++) {
    if (i < l->register_bits && !l->map.basis[i]) continue;
    out.register_bits += i < l->register_bits;
    out.map.basis[out.map.in++] = l->map.basis[i];
  }
  return out;
}

uint32_t layout_lane_mask(const layout *l) {
  uint32_t mask = 0;
  for (uint32_t i = 0; i < l->lane_bits; i++)
    if (l->map.basis[l->register_bits + i]) mask |= 1u << i;
  return mask;
}

bool layout_convert(const layout *from, const layout *to, linear *out) {
  linear inverse;
  if (from->map.out != to->map.out || !linear_invert(&from->map, &inverse)) return false;
  *out = linear_compose(&to->map, &inverse);
  /* Prefer the own lane: where a lane bit sends to the same coordinates in both, it needs no detour. */
  for (uint32_t i = 0; i < to->lane_bits && i < from->lane_bits; i++)
    if (to->map.basis[to->register_bits + i] == from->map.basis[from->register_bits + i])
      out->basis[to->register_bits + i] = UINT64_C(1) << (from->register_bits + i);
  return true;
}

bool layout_convert_is_local(const layout *from, const layout *to, const linear *conversion) {
  if (from->lane_bits != to->lane_bits) return false;
  for (uint32_t i = 0; i < conversion->in; i++) {
    uint64_t lane = conversion->basis[i] >> from->register_bits;
    uint64_t own = i < to->register_bits ? 0 : UINT64_C(1) << (i - to->register_bits);
    if (lane != own) return false;
  }
  return true;
}

static void print_basis(text *out, const layout *l, uint64_t basis) {
  text_char(out, ' ');
  text_char(out, '(');
  for (uint32_t axis = 0; axis < l->rank; axis++)
    text_format(out, "%s%lld", axis ? ", " : "", (long long)layout_axis(l, basis, axis));
  text_char(out, ')');
}

void layout_print(text *out, const layout *l) {
  text_add(out, STR("registers"));
  for (uint32_t i = 0; i < l->register_bits; i++) print_basis(out, l, l->map.basis[i]);
  text_add(out, STR(" lanes"));
  for (uint32_t i = 0; i < l->lane_bits; i++) print_basis(out, l, l->map.basis[l->register_bits + i]);
}
