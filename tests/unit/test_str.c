/* base/str: strings, edit distance, growing text, tables, the map. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/table.h"
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

static void utf8_is_recognised(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
  } rows[] = {{"a", 1},
              {"\x7f", 1},
              {"\xc2\x80", 2},
              {"\xe2\x82\xac", 3},
              {"\xf0\x9f\x94\xa5", 4},
              {"\x80", 0},
              {"\xc0\x80", 0},
              {"\xc3", 0},
              {"\xe0\x9f\x80", 0},
              {"\xed\xa0\x80", 0},
              {"\xf0\x8f\x80\x80", 0},
              {"\xf4\x90\x80\x80", 0},
              {"\xf5\x80\x80\x80", 0},
              {"\xe2\x82x", 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(str_utf8_size(str_from(rows[i].bytes), 0), rows[i].size);
}

static void whole_numbers_are_read(void **state) {
  (void)state;
  uint64_t value = 7;
  assert_true(str_read_u64(STR("18446744073709551615"), &value) && value == UINT64_MAX);
  value = 7;
  static const char *const wrong[] = {"", "18446744073709551616", "1 ", "-1", "+1", "0x1", "1e3"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(str_read_u64(str_from(wrong[i]), &value));
  assert_int_equal(value, 7);
}

static void tables_line_up(void **state) {
  (void)state;
  static const char *const titles[] = {"name", ">bytes", "note"};
  table t = TABLE_NEW(&memory, titles);
  table_str(&t, STR("\xc3\xa9"));
  table_cell(&t, "%d", 1234567);
  table_str(&t, STR(""));
  table_str(&t, STR("longer"));
  table_cell(&t, "%d", 5);
  table_str(&t, STR("x"));
  text printed = text_new(&memory);
  table_print(&t, &printed);
  assert_string_equal(printed.data,
                      "name      bytes  note\n"
                      "\xc3\xa9       1234567\n"
                      "longer        5  x\n");
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
      cmocka_unit_test(strings_compare_by_bytes),
      cmocka_unit_test(copies_end_with_a_zero_byte),
      cmocka_unit_test(utf8_is_recognised),
      cmocka_unit_test(whole_numbers_are_read),
      cmocka_unit_test(tables_line_up),
      cmocka_unit_test(distance_counts_edits),
      cmocka_unit_test(text_grows),
      cmocka_unit_test(map_keeps_order_and_replaces),
      cmocka_unit_test(hashes_differ_by_size_seed_and_byte),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
