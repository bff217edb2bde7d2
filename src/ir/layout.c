/* Layouts: digits of indices, bytes, packing. See layout.h. */
#include "ir/layout.h"

#include <string.h>

/* ---- the address map ---- */

/* A dimension of memory while tiles cut it: index / divisor % extent of one dimension of the array. */
typedef struct memory_dim {
  uint32_t dim; /* KILN_MAX_RANK: of none, extent 1 */
  int64_t divisor, extent;
  bool leading; /* the highest digit of its dimension */
} memory_dim;

typedef struct memory_dims {
  uint32_t count;
  memory_dim at[IR_MAX_DIGITS + KILN_MAX_RANK];
} memory_dims;

static memory_dims in_order(const kiln_layout *layout, const int64_t *dims, uint32_t rank) {
  memory_dims out = {.count = rank};
  for (uint32_t k = 0; k < rank; k++) {
    uint32_t dim = layout->rank ? layout->minor_to_major[rank - 1 - k] : k;
    out.at[k] = (memory_dim){dim, 1, dims[dim], true};
  }
  return out;
}

/* A tile of more dimensions than there are: the missing major ones have one element. */
static void widen(memory_dims *dims, uint32_t rank) {
  while (dims->count < rank) {
    memmove(dims->at + 1, dims->at, dims->count * sizeof *dims->at);
    dims->at[0] = (memory_dim){KILN_MAX_RANK, 1, 1, true};
    dims->count++;
  }
}

/* False when a box would be cut unevenly: its parts are no digits then (and XLA never writes that). */
static bool cut(memory_dims *dims, const struct kiln_tile_box *tile) {
  widen(dims, tile->rank);
  memory_dim *outer = dims->at + dims->count - tile->rank;
  for (uint32_t k = 0; k < tile->rank; k++) {
    const int64_t size = tile->dims[k];
    memory_dim *whole = &outer[k], *inner = &outer[tile->rank + k];
    if (!whole->leading && whole->extent % size) return false;
    *inner = (memory_dim){whole->dim, whole->divisor, size, false};
    *whole = (memory_dim){whole->dim, whole->divisor * size, (whole->extent + size - 1) / size, whole->leading};
  }
  dims->count += tile->rank;
  return true;
}

static bool add_digits(const memory_dims *dims, ir_address *out) {
  *out = (ir_address){.elements = 1};
  for (uint32_t k = dims->count; k-- > 0;) {
    const memory_dim *d = &dims->at[k];
    if (d->extent > 1)
      out->digits[out->count++] = (ir_digit){d->dim, d->divisor, d->leading ? 0 : d->extent, out->elements};
    if (!i64_mul(out->elements, d->extent, &out->elements)) return false;
  }
  return true;
}

bool ir_address_of(const kiln_layout *layout, const int64_t *dims, uint32_t rank, ir_address *out) {
  memory_dims memory = in_order(layout, dims, rank);
  for (uint32_t i = 0; i < layout->tile_count; i++)
    if (!cut(&memory, &layout->tiles[i])) return false;
  return add_digits(&memory, out);
}

bool ir_layout_even(const kiln_layout *layout) {
  static const int64_t ones[KILN_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  ir_address address;
  return ir_address_of(layout, ones, layout->rank, &address);
}

int64_t ir_address_at(const ir_address *address, const int64_t *index) {
  int64_t at = 0;
  for (uint32_t k = 0; k < address->count; k++) {
    const ir_digit *d = &address->digits[k];
    int64_t digit = index[d->dim] / d->divisor;
    at += (d->modulus ? digit % d->modulus : digit) * d->stride;
  }
  return at;
}

bool ir_type_address(const kiln_layout *layout, const ir_type *type, ir_address *out) {
  int64_t dims[KILN_MAX_RANK];
  for (uint32_t d = 0; d < type->shape.rank; d++) dims[d] = ir_extent(type, d);
  return ir_address_of(layout, dims, type->shape.rank, out);
}

ir_address ir_param_address(const ir_param *param) {
  ir_address out;
  ir_type_address(&param->layout, &param->ref->type, &out);
  return out;
}

uint32_t ir_layout_element_bits(const kiln_layout *layout, ir_dtype dtype) {
  return layout->element_bits ? layout->element_bits : ir_dtype_get(dtype)->stored;
}

/* Of less than a byte: a whole number of elements share one. */
static size_t bytes_of(size_t elements, uint32_t bits) {
  return bits < 8 ? (elements + 8 / bits - 1) / (8 / bits) : elements * (bits / 8);
}

static int64_t bytes_in(const kiln_layout *layout, const ir_type *type) {
  ir_address address;
  ir_type_address(layout, type, &address);
  return (int64_t)bytes_of((size_t)address.elements, ir_layout_element_bits(layout, type->dtype));
}

int64_t ir_param_bytes(const ir_param *param) { return bytes_in(&param->layout, &param->ref->type); }

int64_t ir_scratch_bytes(const ir_op *scratch) { return bytes_in(&scratch->attrs->layout, &scratch->results[0]->type); }

/* ---- comparing, printing ---- */

bool ir_layout_equal(const kiln_layout *a, const kiln_layout *b) {
  if (a->rank != b->rank || a->tile_count != b->tile_count || a->element_bits != b->element_bits) return false;
  for (uint32_t k = 0; k < a->rank; k++)
    if (a->minor_to_major[k] != b->minor_to_major[k]) return false;
  for (uint32_t i = 0; i < a->tile_count; i++) {
    const struct kiln_tile_box *x = &a->tiles[i], *y = &b->tiles[i];
    if (x->rank != y->rank || memcmp(x->dims, y->dims, x->rank * sizeof *x->dims) != 0) return false;
  }
  return true;
}

void ir_layout_print(text *t, const kiln_layout *layout) {
  text_char(t, '{');
  for (uint32_t k = 0; k < layout->rank; k++) text_format(t, "%s%u", k ? "," : "", layout->minor_to_major[k]);
  if (layout->tile_count || layout->element_bits) text_char(t, ':');
  for (uint32_t i = 0; i < layout->tile_count; i++) {
    text_add(t, i ? STR("(") : STR("T("));
    for (uint32_t k = 0; k < layout->tiles[i].rank; k++)
      text_format(t, "%s%lld", k ? "," : "", (long long)layout->tiles[i].dims[k]);
    text_char(t, ')');
  }
  if (layout->element_bits) text_format(t, "E(%u)", layout->element_bits);
  text_char(t, '}');
}

/* ---- packing ---- */

/* The next index in row-major order; false behind the last. */
static bool next_index(const kiln_array *array, int64_t *index) {
  for (uint32_t d = array->rank; d-- > 0;) {
    if (++index[d] < array->dims[d]) return true;
    index[d] = 0;
  }
  return false;
}

static bool address_of_array(const kiln_layout *layout, const kiln_array *array, ir_address *out) {
  bool known = (uint32_t)array->dtype < IR_DTYPE_COUNT && array->rank <= KILN_MAX_RANK;
  bool whole = layout->element_bits == 0 || layout->element_bits == ir_dtype_get((ir_dtype)array->dtype)->bits;
  return known && whole && (layout->rank == 0 || layout->rank == array->rank) &&
         ir_address_of(layout, array->dims, array->rank, out);
}

size_t kiln_layout_size(const kiln_layout *layout, const kiln_array *array) {
  ir_address address;
  size_t size;
  if (!address_of_array(layout, array, &address) || address.elements < 0) return 0;
  if (!size_mul((size_t)address.elements, kiln_dtype_size(array->dtype), &size)) return 0;
  return bytes_of((size_t)address.elements, ir_layout_element_bits(layout, (ir_dtype)array->dtype));
}

/* An element of less than a byte, from or to its place among others. */
static void convert_bits(uint8_t *memory, uint8_t *element, size_t at, uint32_t bits, bool pack) {
  uint8_t *byte = memory + at * bits / 8;
  const uint32_t shift = (uint32_t)(at * bits % 8), ones = (1u << bits) - 1;
  if (pack)
    *byte = (uint8_t)((*byte & ~(ones << shift)) | (*element & ones) << shift);
  else
    *element = (uint8_t)(*byte >> shift & ones);
}

static void convert(const kiln_layout *layout, const kiln_array *array, uint8_t *memory, bool pack) {
  const size_t bytes = kiln_dtype_size(array->dtype);
  uint8_t *row_major = array->data;
  int64_t index[KILN_MAX_RANK] = {0};
  ir_address address;
  if (!address_of_array(layout, array, &address) || address.elements <= 0) return;
  const uint32_t bits = ir_layout_element_bits(layout, (ir_dtype)array->dtype);
  do {
    const size_t at = (size_t)ir_address_at(&address, index);
    uint8_t *element = memory + at * bytes;
    if (bits < 8)
      convert_bits(memory, row_major, at, bits, pack);
    else
      memcpy(pack ? element : row_major, pack ? row_major : element, bytes);
    row_major += bytes;
  } while (next_index(array, index));
}

void kiln_layout_pack(const kiln_layout *layout, const kiln_array *array, void *memory) {
  convert(layout, array, memory, true);
}

void kiln_layout_unpack(const kiln_layout *layout, const void *memory, const kiln_array *array) {
  convert(layout, array, (uint8_t *)(uintptr_t)memory, false);
}
