/* Machines, units and keys: the tables hold together, and the arithmetic agrees with a tree built by hand. */
#include "unit.h"

#include <string.h>

#include "model/key.h"
#include "random.h"

static void tables_are_consistent(void **state) {
  (void)state;
  for (uint32_t space = 0; space < SPACE_COUNT; space++) {
    const space_info *info = space_info_of((space_id)space);
    machine m;
    assert_true(machine_make(info->machine, NULL, &m));
    assert_true(info->depth < m.levels);
    assert_true(info->align && (info->align & (info->align - 1)) == 0);
    assert_true(strlen(info->doc) > 0);
    space_id found;
    assert_true(machine_space(info->machine, info->named, &found));
    assert_int_equal(found, space);
    assert_int_equal(m.limit[space], info->limit);
  }
  for (uint32_t level = 0; level < LEVEL_COUNT; level++) {
    const level_info *info = level_info_of((level_id)level);
    level_id found;
    assert_true(machine_find_level(info->machine, str_from(info->name), &found));
    assert_int_equal(found, level);
    assert_true(info->size >= 1);
  }
}

static void machines_have_their_levels(void **state) {
  (void)state;
  machine gpu, tpu;
  assert_string_equal(machine_name(MACHINE_GPU), "gpu");
  assert_string_equal(machine_name(MACHINE_TPU), "tpu");
  assert_true(machine_make(MACHINE_GPU, NULL, &gpu));
  assert_true(machine_make(MACHINE_TPU, NULL, &tpu));
  assert_int_equal(gpu.levels, 5);
  assert_int_equal(tpu.levels, 3);
  assert_int_equal(gpu.units, 1 + 1 + 1 + 1 + 4);
  assert_int_equal(machine_level(&gpu, 3), LEVEL_GPU_THREAD);
  assert_int_equal(machine_info_of(MACHINE_GPU)->program, LEVEL_GPU_THREAD);
  space_id gpu_smem, tpu_smem;
  assert_true(machine_space(MACHINE_GPU, IR_SPACE_SMEM, &gpu_smem));
  assert_true(machine_space(MACHINE_TPU, IR_SPACE_SMEM, &tpu_smem));
  assert_int_not_equal(gpu_smem, tpu_smem);
  assert_false(machine_space(MACHINE_GPU, IR_SPACE_VMEM, &gpu_smem));
}

static void too_many_units_are_refused(void **state) {
  (void)state;
  machine m;
  assert_false(machine_make(MACHINE_GPU, (uint32_t[]){1, UINT32_MAX, UINT32_MAX, 0, 0}, &m));
  assert_false(machine_make(MACHINE_GPU, (uint32_t[]){1, MACHINE_MAX_UNITS, 1, 1, 1}, &m));
  assert_true(machine_make(MACHINE_GPU, (uint32_t[]){1, 1 << 20, 2, 4, 4}, &m));
  assert_int_equal(m.count[4], 1 << 25);
}

/* A unit of the reference tree, built by walking it level by level. */
typedef struct node {
  unit_id parent;
  uint32_t depth, index;
} node;

static uint32_t build_tree(const machine *m, node *nodes) {
  uint32_t count = 0, level_begin = 0;
  for (uint32_t i = 0; i < m->size[0]; i++) nodes[count++] = (node){UNIT_NONE, 0, i};
  for (uint32_t depth = 1; depth < m->levels; depth++) {
    uint32_t level_end = count;
    for (unit_id parent = level_begin; parent < level_end; parent++)
      for (uint32_t i = 0; i < m->size[depth]; i++) nodes[count++] = (node){parent, depth, i};
    level_begin = level_end;
  }
  return count;
}

static unit_id ancestor(const node *nodes, unit_id u, uint32_t depth) {
  while (u != UNIT_NONE && nodes[u].depth > depth) u = nodes[u].parent;
  return u != UNIT_NONE && nodes[u].depth == depth ? u : UNIT_NONE;
}

static void check_unit(const machine *m, const node *nodes, unit_id u) {
  assert_int_equal(unit_depth(m, u), nodes[u].depth);
  assert_int_equal(unit_index(m, u), nodes[u].index);
  assert_int_equal(unit_parent(m, u), nodes[u].parent);
  if (nodes[u].depth > 0) assert_int_equal(unit_child(m, nodes[u].parent, nodes[u].index), u);
  assert_int_equal(unit_at(m, nodes[u].depth, unit_ordinal(m, u)), u);
  for (uint32_t depth = 0; depth < m->levels; depth++) {
    assert_int_equal(unit_above(m, u, depth), ancestor(nodes, u, depth));
    unit_range below = unit_below(m, u, depth);
    for (unit_id other = 0; other < m->units; other++) {
      bool inside = nodes[other].depth == depth && ancestor(nodes, other, nodes[u].depth) == u;
      assert_int_equal(inside, other - below.first < below.count);
    }
  }
}

static void unit_arithmetic_agrees_with_a_tree(void **state) {
  (void)state;
  random_state r = random_start("units");
  for (int round = 0; round < 40; round++) {
    uint32_t sizes[MACHINE_MAX_LEVELS];
    for (uint32_t depth = 0; depth < MACHINE_MAX_LEVELS; depth++) sizes[depth] = 1 + random_below(&r, 3);
    machine m;
    node nodes[512];
    assert_true(machine_make(random_below(&r, 2) ? MACHINE_GPU : MACHINE_TPU, sizes, &m));
    assert_int_equal(build_tree(&m, nodes), m.units);
    for (unit_id u = 0; u < m.units; u++) check_unit(&m, nodes, u);
    assert_int_equal(unit_child(&m, m.units - 1, 0), UNIT_NONE);
    for (uint32_t depth = 0; depth < m.levels; depth++) assert_int_equal(unit_at(&m, depth, m.count[depth]), UNIT_NONE);
    assert_int_equal(unit_at(&m, m.levels, 0), UNIT_NONE);
    assert_int_equal(unit_below(&m, 0, m.levels).count, 0);
    assert_int_equal(unit_below(&m, m.units - 1, 0).count, 0);
    assert_int_equal(unit_child(&m, 0, sizes[1]), UNIT_NONE);
  }
}

static void units_contain_what_is_below(void **state) {
  (void)state;
  machine m;
  assert_true(machine_make(MACHINE_GPU, (uint32_t[]){1, 2, 2, 2, 4}, &m));
  unit_id block = unit_at(&m, 2, 1), thread = unit_at(&m, 3, 3);
  assert_true(unit_contains(&m, block, thread));
  assert_true(unit_contains(&m, block, block));
  assert_false(unit_contains(&m, thread, block));
  assert_false(unit_contains(&m, unit_at(&m, 2, 0), thread));
}

static void owners_follow_the_space(void **state) {
  (void)state;
  machine m;
  assert_true(machine_make(MACHINE_GPU, (uint32_t[]){1, 2, 2, 2, 4}, &m));
  unit_id warp = unit_at(&m, 4, 13); /* cluster 0, block 1, thread 1, warp 1 */
  assert_int_equal(unit_owner(&m, warp, SPACE_GPU_GMEM), 0);
  assert_int_equal(unit_owner(&m, warp, SPACE_GPU_SMEM), unit_at(&m, 2, 1));
  assert_int_equal(unit_owner(&m, warp, SPACE_GPU_REGS), unit_at(&m, 3, 3));
  assert_int_equal(unit_owner(&m, unit_at(&m, 1, 1), SPACE_GPU_SMEM), unit_at(&m, 2, 2));
  assert_int_equal(machine_copies(&m, SPACE_GPU_SMEM), 4);
}

static void assert_printed(const machine *m, unit_id u, const char *expected) {
  UNIT_ARENA(a);
  text t = text_new(&a);
  unit_print(m, u, &t);
  assert_true(str_is(text_str(&t), expected));
  arena_finish(&a);
}

static void units_print_their_path(void **state) {
  (void)state;
  machine m, one;
  assert_true(machine_make(MACHINE_GPU, (uint32_t[]){1, 4, 2, 2, 4}, &m));
  assert_true(machine_make(MACHINE_TPU, (uint32_t[]){2, 2, 1}, &one));
  assert_printed(&m, 0, "device 0");
  assert_printed(&m, unit_at(&m, 3, 10), "cluster 2 block 1 thread 0");
  assert_printed(&m, unit_at(&m, 4, 3), "cluster 0 block 0 thread 0 warp 3");
  assert_printed(&one, unit_at(&one, 2, 3), "device 1 core 1");
  assert_printed(&one, UNIT_NONE, "no unit");
}

static void serials_run_in_lock_step(void **state) {
  (void)state;
  machine m;
  assert_true(machine_make(MACHINE_GPU, (uint32_t[]){1, 1, 2, 2, 4}, &m));
  key_serials serials[4] = {0};
  alloc_key keys[4];
  for (uint32_t i = 0; i < 4; i++) {
    unit_id thread = unit_at(&m, 3, i);
    if (i % 2) key_take(&m, &serials[i], thread, SPACE_GPU_ACC); /* private: must not disturb the shared count */
    key_take(&m, &serials[i], thread, SPACE_GPU_SMEM);
    keys[i] = key_take(&m, &serials[i], thread, SPACE_GPU_TMEM);
  }
  assert_true(key_equal(keys[0], keys[1]));
  assert_true(key_hash(keys[0]) == key_hash(keys[1]));
  assert_false(key_equal(keys[0], keys[2]));
  assert_int_equal(keys[0].serial, keys[2].serial); /* the same buffer over there */
  assert_int_equal(keys[0].serial, 1);
}

static void split_units_do_not_reuse_keys(void **state) {
  (void)state;
  machine m;
  assert_true(machine_make(MACHINE_GPU, NULL, &m));
  key_serials thread = {0};
  alloc_key before = key_take(&m, &thread, unit_at(&m, 3, 0), SPACE_GPU_SMEM);
  key_serials warp = key_fork(&thread);
  alloc_key inside = key_take(&m, &warp, unit_at(&m, 4, 1), SPACE_GPU_SMEM);
  key_join(&thread, &warp);
  alloc_key after = key_take(&m, &thread, unit_at(&m, 3, 0), SPACE_GPU_SMEM);
  assert_false(key_equal(before, inside));
  assert_false(key_equal(inside, after));
  key_serials behind = {0};
  key_take(&m, &thread, 0, SPACE_GPU_GMEM);
  key_serials ahead = key_fork(&thread);
  key_take(&m, &ahead, 0, SPACE_GPU_GMEM);
  key_join(&ahead, &behind); /* who counted less changes nothing */
  key_join(&thread, &ahead);
  assert_int_equal(key_take(&m, &thread, 0, SPACE_GPU_GMEM).serial, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_are_consistent),         cmocka_unit_test(machines_have_their_levels),
      cmocka_unit_test(too_many_units_are_refused),    cmocka_unit_test(unit_arithmetic_agrees_with_a_tree),
      cmocka_unit_test(units_contain_what_is_below),   cmocka_unit_test(owners_follow_the_space),
      cmocka_unit_test(units_print_their_path),        cmocka_unit_test(serials_run_in_lock_step),
      cmocka_unit_test(split_units_do_not_reuse_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
