/* Layouts: the digits of the address map against XLA's definition followed index by index, on random layouts. */
#include "unit.h"

#include <string.h>

#include "ir/layout.h"
#include "random.h"

enum { MOST_DIMS = KILN_MAX_RANK * (2 + KILN_MAX_TILES) };

typedef struct position {
  uint32_t rank;
  int64_t index[MOST_DIMS], dims[MOST_DIMS];
} position;

/* XLA: a tile turns the last dimensions into (which tile, where in it). */
static position into_tiles(const position *at, const struct kiln_tile_box *tile) {
  uint32_t kept = at->rank - tile->rank;
  position out = {.rank = at->rank + tile->rank};
  for (uint32_t k = 0; k < at->rank; k++) {
    int64_t size = k < kept ? 1 : tile->dims[k - kept];
    out.index[k] = at->index[k] / size;
    out.dims[k] = (at->dims[k] + size - 1) / size;
    if (k < kept) continue;
    out.index[tile->rank + k] = at->index[k] % size;
    out.dims[tile->rank + k] = size;
  }
  return out;
}

static int64_t row_major(const position *at) {
  int64_t place = 0;
  for (uint32_t k = 0; k < at->rank; k++) place = place * at->dims[k] + at->index[k];
  return place;
}

static int64_t place_by_definition(const kiln_layout *layout, const int64_t *dims, const int64_t *index) {
  position at = {.rank = layout->rank};
  for (uint32_t k = 0; k < at.rank; k++) {
    uint32_t dim = layout->minor_to_major[at.rank - 1 - k];
    at.index[k] = index[dim];
    at.dims[k] = dims[dim];
  }
  for (uint32_t i = 0; i < layout->tile_count; i++) at = into_tiles(&at, &layout->tiles[i]);
  return row_major(&at);
}

static int64_t between(random_state *r, int64_t low, int64_t high) {
  return low + (int64_t)random_below(r, (uint32_t)(high - low + 1));
}

static kiln_layout random_layout(random_state *r, uint32_t rank) {
  kiln_layout out = {.rank = rank, .tile_count = (uint32_t)between(r, 0, 3)};
  for (uint32_t k = 0; k < rank; k++) out.minor_to_major[k] = k;
  for (uint32_t k = rank; k-- > 1;) {
    uint32_t other = (uint32_t)between(r, 0, k), kept = out.minor_to_major[k];
    out.minor_to_major[k] = out.minor_to_major[other];
    out.minor_to_major[other] = kept;
  }
  for (uint32_t i = 0; i < out.tile_count; i++) {
    out.tiles[i].rank = (uint32_t)between(r, 1, rank);
    for (uint32_t k = 0; k < out.tiles[i].rank; k++) out.tiles[i].dims[k] = between(r, 1, 5);
  }
  return out;
}

/* Every element has the place that the definition says, and travels there and back. */
static void check_layout(const kiln_layout *layout, const int64_t *dims) {
  kiln_array array = {.dtype = KILN_I32, .rank = layout->rank};
  int64_t count = 1, index[KILN_MAX_RANK] = {0};
  for (uint32_t d = 0; d < layout->rank; d++) count *= array.dims[d] = dims[d];
  size_t size = kiln_layout_size(layout, &array);
  assert_true(size >= (size_t)count * 4);
  int32_t *rows = calloc((size_t)count, 4), *back = calloc((size_t)count, 4), *memory = malloc(size);
  memset(memory, 0xff, size);
  for (int64_t i = 0; i < count; i++) rows[i] = (int32_t)i;
  array.data = rows;
  kiln_layout_pack(layout, &array, memory);
  for (int64_t i = 0; i < count; i++) {
    int64_t rest = i;
    for (uint32_t d = layout->rank; d-- > 0; rest /= dims[d]) index[d] = rest % dims[d];
    assert_int_equal(memory[place_by_definition(layout, dims, index)], i);
  }
  array.data = back;
  kiln_layout_unpack(layout, memory, &array);
  assert_memory_equal(rows, back, (size_t)count * 4);
  free(rows), free(back), free(memory);
}

/* The same for elements of less than a byte, which share bytes, the first in the low bits. */
static void check_packed(const kiln_layout *layout, const int64_t *dims, kiln_dtype dtype) {
  kiln_layout packed = *layout;
  kiln_array array = {.dtype = dtype, .rank = layout->rank};
  const uint32_t bits = packed.element_bits = dtype == KILN_U2 ? 2 : 4, ones = (1u << bits) - 1;
  int64_t count = 1, index[KILN_MAX_RANK] = {0};
  for (uint32_t d = 0; d < layout->rank; d++) count *= array.dims[d] = dims[d];
  size_t size = kiln_layout_size(&packed, &array), whole = kiln_layout_size(layout, &array);
  assert_int_equal(size, (whole * bits + 7) / 8);
  uint8_t *rows = malloc((size_t)count), *back = malloc((size_t)count), *memory = calloc(size, 1);
  for (int64_t i = 0; i < count; i++) rows[i] = (uint8_t)((i * 7 + 1) & ones);
  array.data = rows;
  kiln_layout_pack(&packed, &array, memory);
  for (int64_t i = 0; i < count; i++) {
    int64_t rest = i;
    for (uint32_t d = layout->rank; d-- > 0; rest /= dims[d]) index[d] = rest % dims[d];
    size_t at = (size_t)place_by_definition(layout, dims, index) * bits;
    assert_int_equal(memory[at / 8] >> at % 8 & ones, rows[i]);
  }
  array.data = back;
  kiln_layout_unpack(&packed, memory, &array);
  assert_memory_equal(rows, back, (size_t)count);
  free(rows), free(back), free(memory);
}

static void random_layouts_follow_the_definition(void **unused) {
  (void)unused;
  random_state state = random_start("layouts");
  int checked = 0;
  for (int round = 0; round < 4000; round++) {
    uint32_t rank = (uint32_t)between(&state, 1, 4);
    kiln_layout layout = random_layout(&state, rank);
    int64_t dims[KILN_MAX_RANK];
    if (!ir_layout_even(&layout)) continue;
    checked++;
    for (uint32_t d = 0; d < rank; d++) dims[d] = between(&state, 1, 7);
    check_layout(&layout, dims);
    check_packed(&layout, dims, round % 2 ? KILN_I4 : KILN_U2);
  }
  assert_true(checked > 500);
}

/* XLA's own example, and the packing of bf16 pairs of rows on a TPU. */
static void known_places(void **unused) {
  (void)unused;
  kiln_layout two = {.rank = 2, .minor_to_major = {1, 0}, .tile_count = 1, .tiles = {{2, {2, 2}}}};
  kiln_layout tpu = {.rank = 2, .minor_to_major = {1, 0}, .tile_count = 2, .tiles = {{2, {8, 128}}, {2, {2, 1}}}};
  ir_address at;
  assert_true(ir_address_of(&two, (int64_t[]){3, 5}, 2, &at));
  assert_int_equal(at.elements, 24);
  assert_int_equal(ir_address_at(&at, (int64_t[]){2, 3}), 17);
  assert_true(ir_address_of(&tpu, (int64_t[]){64, 256}, 2, &at));
  assert_int_equal(at.elements, 64 * 256);
  assert_int_equal(ir_address_at(&at, (int64_t[]){1, 0}), 1);
  assert_int_equal(ir_address_at(&at, (int64_t[]){0, 1}), 2);
  assert_int_equal(ir_address_at(&at, (int64_t[]){2, 0}), 256);
  assert_int_equal(ir_address_at(&at, (int64_t[]){0, 128}), 1024);
}

/* What XLA's own description of tiled layouts, and the layouts that it gives arrays on a TPU, come to. */
static void recorded_places(void **unused) {
  (void)unused;
  static const struct {
    kiln_layout layout;
    int64_t dims[4], index[4], place, elements;
  } rows[] = {
      {{2, {1, 0}, 2, {{2, {2, 4}}, {2, {2, 1}}}, 0}, {4, 8}, {3, 5}, 27, 32},
      {{2, {1, 0}, 2, {{2, {2, 4}}, {4, {2, 1, 1, 1}}}, 0}, {8, 8}, {6, 5}, 51, 64},
      {{2, {1, 0}, 1, {{2, {8, 128}}}, 0}, {12, 320}, {5, 130}, 1666, 6144},
      {{2, {1, 0}, 1, {{2, {8, 128}}}, 0}, {12, 320}, {10, 200}, 4424, 6144},
      {{2, {1, 0}, 2, {{2, {8, 128}}, {2, {2, 1}}}, 0}, {16, 256}, {9, 130}, 3077, 4096},
      {{2, {1, 0}, 2, {{2, {16, 128}}, {2, {2, 1}}}, 0}, {64, 256}, {16, 0}, 4096, 16384},
      {{2, {0, 1}, 2, {{2, {16, 128}}, {2, {2, 1}}}, 0}, {256, 64}, {200, 3}, 2449, 16384},
      {{2, {1, 0}, 2, {{2, {8, 128}}, {2, {4, 1}}}, 0}, {64, 256}, {31, 127}, 7167, 16384},
      {{2, {1, 0}, 1, {{2, {2, 128}}}, 0}, {2, 256}, {1, 1}, 129, 512},
      {{1, {0}, 1, {{1, {1024}}}, 0}, {3000}, {1500}, 1500, 3072},
      {{4, {3, 2, 1, 0}, 1, {{2, {8, 128}}}, 0}, {2, 3, 10, 300}, {1, 2, 3, 130}, 32130, 36864},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ir_address at;
    assert_true(ir_address_of(&rows[i].layout, rows[i].dims, rows[i].layout.rank, &at));
    assert_int_equal(at.elements, rows[i].elements);
    assert_int_equal(ir_address_at(&at, rows[i].index), rows[i].place);
  }
}

static void what_fits_nowhere_has_no_size(void **unused) {
  (void)unused;
  kiln_layout layout = {.rank = 2, .minor_to_major = {1, 0}, .tile_count = 1, .tiles = {{2, {16384, 16384}}}};
  kiln_array array = {.dtype = KILN_F64, .rank = 2, .dims = {INT64_MAX / 2, 4}};
  assert_int_equal(kiln_layout_size(&layout, &array), 0);
  array.rank = 1;
  assert_int_equal(kiln_layout_size(&layout, &array), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_layouts_follow_the_definition),
      cmocka_unit_test(known_places),
      cmocka_unit_test(recorded_places),
      cmocka_unit_test(what_fits_nowhere_has_no_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
