/* Elements at computed places at run time: windows of dense tiles, single elements of them, and sorting. */
#include <string.h>

#include "host/host.h"

/* ---- windows ---- */

static int64_t clamp(int64_t value, int64_t most) { return value > most ? most : value < 0 ? 0 : value; }

/* Rows of the part, each with its place in the whole. */
void host_run_window(host_unit *unit, const host_window *window) {
  const uint32_t outer = window->rank > 0 ? window->rank - 1 : 0;
  const int64_t row_bytes = (window->rank > 0 ? window->sizes[outer] : 1) * (int64_t)window->bytes;
  int64_t base = 0, rows = 1, index[KILN_MAX_RANK] = {0}, strides[KILN_MAX_RANK], stride = window->bytes;
  uint8_t *part = unit->slot[window->part], *whole = unit->slot[window->whole];
  for (uint32_t d = window->rank; d-- > 0;) {
    strides[d] = stride;
    base += clamp(host_cell(unit, window->starts[d]), window->dims[d] - window->sizes[d]) * stride;
    stride *= window->dims[d];
  }
  for (uint32_t d = 0; d < outer; d++) rows *= window->sizes[d];
  for (int64_t row = 0; row_bytes > 0 && row < rows; row++, part += row_bytes) {
    int64_t offset = base;
    for (uint32_t d = 0; d < outer; d++) offset += index[d] * strides[d];
    memcpy(window->write ? whole + offset : part, window->write ? part : whole + offset, (size_t)row_bytes);
    for (uint32_t d = outer; d-- > 0 && ++index[d] == window->sizes[d];) index[d] = 0;
  }
}

/* ---- single elements ---- */

#define TAKE(type)                                                                                                  \
  for (int64_t i = 0; i < take->count; i++) ((type *)(void *)out)[i] = ((const type *)(const void *)in)[number[i]]; \
  break

enum { TAKE_STRIP = 256 };

void host_run_take(host_unit *unit, const host_take *all) {
  int64_t number[TAKE_STRIP];
  const uint8_t *in = unit->slot[all->in];
  for (int64_t first = 0; first < all->count; first += TAKE_STRIP) {
    const host_take part = {.count = all->count - first < TAKE_STRIP ? all->count - first : TAKE_STRIP}, *take = &part;
    uint8_t *out = unit->slot[all->out] + first * (int64_t)all->bytes;
    memset(number, 0, sizeof number);
    for (uint32_t d = 0; d < all->rank; d++) {
      const int32_t *index = (const int32_t *)(const void *)unit->slot[all->indices[d]] + first;
      for (int64_t i = 0; i < take->count; i++)
        number[i] = number[i] * all->dims[d] + clamp(index[i], all->dims[d] - 1);
    }
    switch (all->bytes) {
      case 1: TAKE(uint8_t);
      case 2: TAKE(uint16_t);
      case 4: TAKE(uint32_t);
      default: TAKE(uint64_t);
    }
  }
}

/* ---- sorting ---- */

/* Unsigned numbers in the order of the elements: NaN last, zeros of both signs equal. */
static uint64_t ordered(ir_dtype dtype, uint64_t bits) {
  const uint64_t sign = UINT64_C(1) << 63;
  switch (ir_dtype_get(dtype)->class) {
    case IR_CLASS_SINT: return (uint64_t)ir_bits_to_i64(dtype, bits) ^ sign;
    case IR_CLASS_FLOAT: break;
    default: return bits;
  }
  double value = ir_bits_to_f64(dtype, bits) + 0.0;
  if (value != value) return UINT64_MAX;
  memcpy(&bits, &value, sizeof bits);
  return bits & sign ? ~bits : bits | sign;
}

typedef struct order {
  const uint64_t *keys; /* key after key, `count` of each */
  int64_t count;
  uint32_t key_count;
} order;

static bool before_or_equal(const order *o, int32_t a, int32_t b) {
  for (uint32_t k = 0; k < o->key_count; k++) {
    const uint64_t *key = o->keys + k * o->count;
    if (key[a] != key[b]) return key[a] < key[b];
  }
  return true;
}

static void merge(const order *o, int32_t *to, const int32_t *from, int64_t first, int64_t middle, int64_t end) {
  int64_t left = first, right = middle;
  for (int64_t i = first; i < end; i++) {
    bool take_left = right == end || (left < middle && before_or_equal(o, from[left], from[right]));
    to[i] = from[take_left ? left++ : right++];
  }
}

/* Numbers of the elements in order, equal ones as they stood; `other` is as long. */
static const int32_t *sort_numbers(const order *o, int32_t *numbers, int32_t *other) {
  for (int64_t i = 0; i < o->count; i++) numbers[i] = (int32_t)i;
  for (int64_t width = 1; width < o->count; width *= 2) {
    for (int64_t first = 0; first < o->count; first += 2 * width) {
      int64_t middle = clamp(first + width, o->count), end = clamp(first + 2 * width, o->count);
      merge(o, other, numbers, first, middle, end);
    }
    int32_t *swap = numbers;
    numbers = other;
    other = swap;
  }
  return numbers;
}

/* One row along the axis; `first` is the number of its first element. */
static void sort_row(host_unit *unit, const host_sort *sort, int64_t first) {
  uint64_t *keys = (uint64_t *)(void *)unit->slot[sort->spare];
  int32_t *numbers = (int32_t *)(keys + sort->key_count * sort->count);
  for (uint32_t k = 0; k < sort->key_count; k++) {
    const host_sort_part *part = &sort->parts[k];
    const uint8_t *in = unit->slot[part->in] + first * part->bytes;
    for (int64_t i = 0; i < sort->count; i++)
      keys[k * sort->count + i] = ordered(part->dtype, host_bits(in + i * sort->inner * part->bytes, part->bytes));
  }
  const order o = {keys, sort->count, sort->key_count};
  const int32_t *sorted = sort_numbers(&o, numbers, numbers + sort->count);
  for (uint32_t k = 0; k < sort->part_count; k++) {
    const host_sort_part *part = &sort->parts[k];
    const int64_t pitch = sort->inner * part->bytes;
    if (part->out == HOST_NONE) continue;
    const uint8_t *in = unit->slot[part->in] + first * part->bytes;
    uint8_t *out = unit->slot[part->out] + first * part->bytes;
    for (int64_t i = 0; i < sort->count; i++) memcpy(out + i * pitch, in + sorted[i] * pitch, part->bytes);
  }
}

void host_run_sort(host_unit *unit, const host_sort *sort) {
  for (int64_t outer = 0; outer < sort->outer; outer++)
    for (int64_t inner = 0; inner < sort->inner; inner++)
      sort_row(unit, sort, outer * sort->count * sort->inner + inner);
}
