/* base/mem: the hook's wrappers, the arena, growable arrays, checked sizes. */
#include "unit.h"

#include <string.h>

#include "fault_alloc.h"

static void wrappers_count_exactly(void **state) {
  (void)state;
  fault_alloc fault = {0};
  mem m = fault_mem(&fault);
  char *block = mem_alloc(m, 10);
  assert_int_equal(fault.bytes, 10);
  memcpy(block, "123456789", 10);
  block = mem_resize(m, block, 10, 1000);
  assert_string_equal(block, "123456789");
  assert_int_equal(fault.bytes, 1000);
  mem_free(m, block, 1000);
  assert_int_equal(fault.bytes, 0);
}

static void empty_and_overflowing_requests_give_null(void **state) {
  (void)state;
  fault_alloc fault = {0};
  mem m = fault_mem(&fault);
  assert_null(mem_alloc(m, 0));
  assert_null(mem_calloc(m, 0, 8));
  assert_null(mem_calloc(m, SIZE_MAX / 2, 3));
  mem_free(m, NULL, 0);
  assert_int_equal(fault.calls, 0);
}

static void calloc_zeroes(void **state) {
  (void)state;
  mem m = mem_default();
  unsigned char *block = mem_calloc(m, 100, 3);
  for (int i = 0; i < 300; i++) assert_int_equal(block[i], 0);
  mem_free(m, block, 300);
}

static void failed_resize_keeps_the_block(void **state) {
  (void)state;
  fault_alloc fault = {.fail_at = 2};
  mem m = fault_mem(&fault);
  char *block = mem_alloc(m, 4);
  memcpy(block, "abc", 4);
  assert_null(mem_resize(m, block, 4, 8));
  assert_string_equal(block, "abc");
  mem_free(m, block, 4);
  assert_int_equal(fault.bytes, 0);
}

static void arrays_grow_as_far_as_is_wanted(void **state) {
  (void)state;
  fault_alloc fault = {.fail_at = 3};
  mem m = fault_mem(&fault);
  uint32_t capacity = 0;
  uint16_t *data = mem_grow(m, NULL, &capacity, 1, sizeof *data);
  assert_true(data && capacity >= 1);
  const uint32_t full = capacity;
  for (uint16_t i = 0; i < full; i++) data[i] = i;
  assert_ptr_equal(mem_grow(m, data, &capacity, full, sizeof *data), data);
  data = mem_grow(m, data, &capacity, full + 1, sizeof *data);
  assert_true(data && capacity > full);
  for (uint16_t i = 0; i < full; i++) assert_int_equal(data[i], i);
  const uint32_t before = capacity;
  assert_null(mem_grow(m, data, &capacity, before + 1, sizeof *data));
  assert_null(mem_grow(mem_default(), data, &capacity, UINT32_MAX, sizeof *data));
  assert_null(mem_grow(mem_default(), data, &capacity, before + 1, SIZE_MAX / 2));
  assert_int_equal(capacity, before);
  mem_free(m, data, capacity * sizeof *data);
  assert_int_equal(fault.bytes, 0);
}

static void arena_blocks_are_zeroed_aligned_and_apart(void **state) {
  (void)state;
  arena a;
  arena_init(&a, mem_default(), 0);
  jmp_buf out;
  if (!ARENA_GUARD(&a, out)) fail();
  unsigned char *blocks[500];
  for (size_t i = 0; i < 500; i++) {
    blocks[i] = arena_alloc(&a, i * 7);
    assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
    for (size_t j = 0; j < i * 7; j++) assert_int_equal(blocks[i][j], 0);
    memset(blocks[i], (int)(i & 0xff), i * 7);
  }
  for (size_t i = 0; i < 500; i++)
    for (size_t j = 0; j < i * 7; j++) assert_int_equal(blocks[i][j], i & 0xff);
  arena_finish(&a);
}

/* Every way of asking that must leave by the guard. */
static void ask(arena *a, int way) {
  size_t capacity = SIZE_MAX / 2 + 1;
  switch (way) {
    case 0: arena_alloc(a, SIZE_MAX); return;
    case 1: arena_alloc(a, SIZE_MAX - 64); return;
    case 2: arena_array(a, SIZE_MAX / 4, 8); return;
    case 3: vec_grow(a, NULL, 0, &capacity, 8); return;
    case 4: arena_alloc(a, 1001); return; /* past the limit */
    default: arena_out(a);
  }
}

static bool comes_back(arena *a, int way) {
  jmp_buf out;
  if (!ARENA_GUARD(a, out)) return false;
  arena_alloc(a, 16);
  ask(a, way);
  return true;
}

static void arena_leaves_by_the_guard(void **state) {
  (void)state;
  for (int way = 0; way <= 5; way++) {
    arena a;
    arena_init(&a, mem_default(), 1000);
    if (comes_back(&a, way)) fail_msg("way %d came back", way);
    arena_finish(&a);
  }
}

static void arena_limit_allows_exactly_itself(void **state) {
  (void)state;
  arena a;
  arena_init(&a, mem_default(), 1024);
  jmp_buf out;
  if (!ARENA_GUARD(&a, out)) fail();
  arena_alloc(&a, 1000);
  arena_alloc(&a, 16);
  assert_int_equal(a.used, 1024);
  arena_finish(&a);
  assert_int_equal(a.used, 0);
}

static bool fill_arena(arena *a) {
  jmp_buf out;
  if (!ARENA_GUARD(a, out)) return false;
  VEC(uint64_t) numbers = {0};
  for (uint64_t i = 0; i < 20000; i++) VEC_PUSH(a, &numbers, i * i);
  for (uint64_t i = 0; i < 20000; i++) assert_int_equal(numbers.data[i], i * i);
  char *copy = arena_copy(a, "kept", 5);
  assert_string_equal(copy, "kept");
  return true;
}

static void every_arena_allocation_may_fail(void **state) {
  (void)state;
  fault_alloc fault;
  size_t failures = 0;
  FAULT_SWEEP(fault) {
    arena a;
    arena_init(&a, fault_mem(&fault), 0);
    bool filled = fill_arena(&a);
    assert_int_equal(filled, fault.calls < fault.fail_at);
    failures += !filled;
    arena_finish(&a);
  }
  assert_true(failures > 5);
}

static void sizes_are_checked(void **state) {
  (void)state;
  size_t size;
  int64_t number;
  assert_true(size_mul(SIZE_MAX, 1, &size));
  assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &size));
  assert_false(size_add(SIZE_MAX, 1, &size));
  assert_true(i64_mul(INT64_MIN, 1, &number));
  assert_false(i64_mul(INT64_MIN, -1, &number));
  assert_false(i64_add(INT64_MAX, 1, &number));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrappers_count_exactly),
      cmocka_unit_test(empty_and_overflowing_requests_give_null),
      cmocka_unit_test(calloc_zeroes),
      cmocka_unit_test(failed_resize_keeps_the_block),
      cmocka_unit_test(arrays_grow_as_far_as_is_wanted),
      cmocka_unit_test(arena_blocks_are_zeroed_aligned_and_apart),
      cmocka_unit_test(arena_leaves_by_the_guard),
      cmocka_unit_test(arena_limit_allows_exactly_itself),
      cmocka_unit_test(every_arena_allocation_may_fail),
      cmocka_unit_test(sizes_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
