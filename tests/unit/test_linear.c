/* Linear maps over bits against brute force over every index. */
#include "unit.h"

#include <string.h>

#include "ir/linear.h"

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static linear random_map(uint64_t *state, uint32_t in, uint32_t out) {
  linear matrix = {.in = in, .out = out};
  for (uint32_t i = 0; i < in; i++) matrix.basis[i] = next_random(state) & ((UINT64_C(1) << out) - 1);
  return matrix;
}

static void compose_and_invert(void **unused) {
  (void)unused;
  uint64_t state = 88172645463325252u;
  uint32_t inverted = 0;
  for (uint32_t round = 0; round < 400; round++) {
    linear a = random_map(&state, 1 + round % 7, 1 + round % 5), b = random_map(&state, a.out, 6);
    linear both = linear_compose(&a, &b);
    bool reached[64] = {false}, injective = true;
    for (uint64_t x = 0; x < UINT64_C(1) << a.in; x++) {
      uint64_t y = linear_apply(&a, x);
      assert_int_equal(linear_apply(&both, x), linear_apply(&b, y));
      injective &= !reached[y];
      reached[y] = true;
    }
    uint32_t count = 0;
    for (uint64_t y = 0; y < UINT64_C(1) << a.out; y++) count += reached[y];
    assert_int_equal(count, UINT64_C(1) << linear_rank(&a));
    assert_int_equal(injective, linear_is_injective(&a));
    assert_int_equal(count == UINT64_C(1) << a.out, linear_is_surjective(&a));
    linear inverse;
    assert_int_equal(linear_invert(&a, &inverse), linear_is_surjective(&a));
    if (!linear_is_surjective(&a)) continue;
    inverted++;
    for (uint64_t y = 0; y < UINT64_C(1) << a.out; y++)
      assert_int_equal(linear_apply(&a, linear_apply(&inverse, y)), y);
  }
  assert_true(inverted > 50);
}

/* Every element is held exactly once, and a packet is consecutive. */
static void stream_covers(void **unused) {
  (void)unused;
  const int64_t shapes[][3] = {{1, 1, 1}, {1, 4, 16}, {3, 5, 7}, {8, 2, 1}, {1, 1, 1024}, {2, 128, 4}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
    for (uint32_t lane_bits = 0; lane_bits <= 6; lane_bits++) {
      layout l = layout_stream(shapes[s], 3, lane_bits, 2);
      assert_true(linear_is_surjective(&l.map));
      uint32_t used = layout_lane_mask(&l);
      uint32_t held[4096] = {0};
      for (uint32_t reg = 0; reg < 1u << l.register_bits; reg++)
        for (uint32_t lane = 0; lane < 1u << lane_bits; lane++) {
          if (lane & ~used) continue;
          int64_t at[3];
          layout_at(&l, reg, lane, at);
          held[(at[0] << l.bits[1] | at[1]) << l.bits[2] | at[2]]++;
        }
      for (uint32_t i = 0; i < 1u << l.map.out; i++) assert_int_equal(held[i], 1);
      if (shapes[s][2] >= 4) assert_true(l.map.basis[0] == 1 && l.map.basis[1] == 2);
    }
}

static void shapes_of_operands(void **unused) {
  (void)unused;
  layout l = layout_stream((const int64_t[]){4, 8, 16}, 3, 3, 2);
  layout dropped = layout_drop(&l, 1), turned = layout_transpose(&l, (const uint32_t[]){2, 0, 1}), flat;
  layout grown = layout_insert(&dropped, 1, 3);
  assert_true(layout_reshape(&l, (const uint32_t[]){5, 4}, 2, &flat));
  assert_false(layout_reshape(&l, (const uint32_t[]){5, 5}, 2, &flat));
  assert_true(layout_reshape(&l, (const uint32_t[]){5, 4}, 2, &flat));
  for (uint32_t reg = 0; reg < 64; reg++)
    for (uint32_t lane = 0; lane < 8; lane++) {
      int64_t at[3], less[2], axes[3], wide[3], two[2];
      layout_at(&l, reg, lane, at);
      layout_at(&dropped, reg, lane, less);
      layout_at(&turned, reg, lane, axes);
      layout_at(&grown, reg, lane, wide);
      layout_at(&flat, reg, lane, two);
      assert_true(less[0] == at[0] && less[1] == at[2]);
      assert_true(axes[0] == at[2] && axes[1] == at[0] && axes[2] == at[1]);
      assert_true(wide[0] == at[0] && wide[1] == 0 && wide[2] == at[2]);
      assert_true(two[0] == at[0] * 8 + at[1] && two[1] == at[2]);
    }
  assert_int_equal(layout_compact(&dropped).register_bits + 2, dropped.register_bits);
}

static void convert_finds_the_holder(void **unused) {
  (void)unused;
  layout rows = layout_stream((const int64_t[]){8, 16}, 2, 3, 2),
         columns = layout_stream((const int64_t[]){16, 8}, 2, 3, 0);
  columns = layout_transpose(&columns, (const uint32_t[]){1, 0});
  linear conversion;
  assert_true(layout_convert(&rows, &columns, &conversion));
  assert_false(layout_convert_is_local(&rows, &columns, &conversion));
  for (uint32_t reg = 0; reg < 1u << columns.register_bits; reg++)
    for (uint32_t lane = 0; lane < 8; lane++) {
      uint64_t from = linear_apply(&conversion, (uint64_t)lane << columns.register_bits | reg);
      int64_t wanted[2], found[2];
      layout_at(&columns, reg, lane, wanted);
      layout_at(&rows, (uint32_t)from & ((1u << rows.register_bits) - 1), (uint32_t)(from >> rows.register_bits),
                found);
      assert_memory_equal(wanted, found, sizeof wanted);
    }
  layout copies = layout_insert(&(layout){.lane_bits = 3, .map = {.in = 3}}, 0, 0); /* a scalar: every lane has one */
  assert_true(layout_convert(&copies, &copies, &conversion));
  assert_true(layout_convert_is_local(&copies, &copies, &conversion));
}

static void prints(void **unused) {
  (void)unused;
  UNIT_ARENA(a);
  layout l = layout_stream((const int64_t[]){2, 8}, 2, 1, 2);
  text printed = text_new(&a);
  layout_print(&printed, &l);
  assert_true(str_is(text_str(&printed), "registers (0, 1) (0, 2) (1, 0) lanes (0, 4)"));
  arena_finish(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compose_and_invert),       cmocka_unit_test(stream_covers), cmocka_unit_test(shapes_of_operands),
      cmocka_unit_test(convert_finds_the_holder), cmocka_unit_test(prints),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
