/* base/str: strings, edit distance, growing text, the map. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "fault_alloc.h"

static arena memory;
static jmp_buf out;

static int set_up(void **state) {
  (void)state;
  arena_init(&memory, mem_default(), 0);
  memory.guard = &out;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_finish(&memory);
  return 0;
}

static void strings_compare_by_bytes(void **state) {
  (void)state;
  assert_true(str_equal((kiln_str){0}, STR("")));
  assert_true(str_is(STR("grid"), "grid"));
  assert_false(str_is(STR("grid"), "gri"));
  assert_false(str_equal((kiln_str){"a\0b", 3}, (kiln_str){"a\0c", 3}));
  assert_true(str_starts(STR("vulkan:2"), STR("vulkan:")));
  assert_false(str_starts(STR("vul"), STR("vulkan")));
  assert_int_equal(str_from(NULL).size, 0);
}

static void copies_end_with_a_zero_byte(void **state) {
  (void)state;
  kiln_str copy = str_copy(&memory, (kiln_str){"abcdef", 3});
  assert_int_equal(copy.size, 3);
  assert_string_equal(copy.data, "abc");
  assert_string_equal(str_format(&memory, "%d-%s", 42, "x").data, "42-x");
}

static void distance_counts_edits(void **state) {
  (void)state;
  assert_int_equal(str_distance(STR("kernel"), STR("kernel")), 0);
  assert_int_equal(str_distance(STR("kernel"), STR("kernal")), 1);
  assert_int_equal(str_distance(STR("kenrel"), STR("kernel")), 1); /* swapped neighbours */
  assert_int_equal(str_distance(STR("max"), STR("maximum")), 4);
  assert_int_equal(str_distance(STR(""), STR("abc")), 3);
  assert_int_equal(str_distance(STR("completely"), STR("unlike that")), 8);
  char longest[200];
  memset(longest, 'x', sizeof longest);
  assert_int_equal(str_distance((kiln_str){longest, 200}, (kiln_str){longest, 199}), 8);
  assert_int_equal(str_distance((kiln_str){longest, 200}, (kiln_str){longest, 200}), 0);
}

static void text_grows(void **state) {
  (void)state;
  text t = text_new(&memory);
  for (int i = 0; i < 1000; i++) {
    text_add(&t, STR("ab"));
    text_char(&t, 'c');
    text_format(&t, "%03d", i);
  }
  kiln_str all = text_str(&t);
  assert_int_equal(all.size, 6000);
  assert_memory_equal(all.data + 5994, "abc999", 7); /* with its zero byte */
}

static void map_keeps_order_and_replaces(void **state) {
  (void)state;
  map m = map_new(&memory);
  int values[3000];
  char key[16];
  assert_null(map_get(&m, STR("k1")));
  for (int i = 0; i < 3000; i++) {
    snprintf(key, sizeof key, "k%d", i);
    map_put(&m, str_from(key), &values[i]);
  }
  map_put(&m, STR("k7"), &values[0]);
  map_put(&m, STR("none"), NULL);
  assert_int_equal(m.count, 3001);
  for (int i = 0; i < 3000; i++) {
    snprintf(key, sizeof key, "k%d", i);
    assert_true(str_is(m.entries[i].key, key));
    assert_ptr_equal(map_get(&m, str_from(key)), &values[i == 7 ? 0 : i]);
  }
  assert_true(map_has(&m, STR("none")));
  assert_null(map_get(&m, STR("none")));
  assert_false(map_has(&m, STR("k3000")));
}

static void hashes_differ_by_size_seed_and_byte(void **state) {
  (void)state;
  const char zeros[32] = {0};
  uint64_t seen[64];
  size_t count = 0;
  for (size_t size = 0; size <= 32; size++) seen[count++] = hash_bytes(zeros, size, 0);
  for (uint64_t seed = 1; seed < 20; seed++) seen[count++] = hash_bytes(zeros, 9, seed);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < i; j++) assert_true(seen[i] != seen[j]);
}

static bool build(arena *a) {
  jmp_buf guard;
  if (!ARENA_GUARD(a, guard)) return false;
  map m = map_new(a);
  text t = text_new(a);
  for (int i = 0; i < 2000; i++) {
    map_put(&m, str_format(a, "key %d", i), a);
    text_format(&t, "%d,", i);
  }
  return true;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    arena a;
    arena_init(&a, fault_mem(&fault), 0);
    bool built = build(&a);
    assert_int_equal(built, fault.calls < fault.fail_at);
    arena_finish(&a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strings_compare_by_bytes),     cmocka_unit_test(copies_end_with_a_zero_byte),
      cmocka_unit_test(distance_counts_edits),        cmocka_unit_test(text_grows),
      cmocka_unit_test(map_keeps_order_and_replaces), cmocka_unit_test(hashes_differ_by_size_seed_and_byte),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
