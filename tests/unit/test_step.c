/* Grid walks and block windows, against nested loops and element-by-element counting. */
#include "unit.h"

#include <string.h>

#include "model/step.h"
#include "random.h"

static void no_map(void *user, uint32_t operand, const int64_t *index, int64_t *block) {
  (void)user, (void)operand, (void)index, (void)block;
}

/* block = (i, k), (k, j), (i, j) of a matmul on grid (i, j, k) */
static void matmul_map(void *user, uint32_t operand, const int64_t *index, int64_t *block) {
  static const uint8_t axes[3][2] = {{0, 2}, {2, 1}, {0, 1}};
  (void)user;
  for (uint32_t dim = 0; dim < 2; dim++) block[dim] = index[axes[operand][dim]];
}

static step_share all_of(const step_grid *grid) {
  uint64_t count = 0;
  assert_true(step_count(grid, &count));
  return (step_share){0, count};
}

static void no_axes_is_one_step(void **state) {
  (void)state;
  step_grid grid = {0};
  step_walk *walk = test_malloc(sizeof *walk);
  assert_true(step_walk_init(walk, &grid, all_of(&grid), NULL, 0, no_map, NULL));
  assert_true(step_next(walk));
  assert_true(walk->record.first && walk->record.last);
  assert_int_equal(walk->record.flat_count, 1);
  assert_false(step_next(walk));
  test_free(walk);
}

static void empty_axis_is_no_step(void **state) {
  (void)state;
  step_grid grid = {.rank = 2, .size = {4, 0}};
  step_walk *walk = test_malloc(sizeof *walk);
  assert_true(step_walk_init(walk, &grid, all_of(&grid), NULL, 0, no_map, NULL));
  assert_false(step_next(walk));
  test_free(walk);
}

static void impossible_grids_are_refused(void **state) {
  (void)state;
  uint64_t count;
  assert_false(step_count(&(step_grid){.rank = 3, .size = {INT64_MAX, 2, 2}}, &count));
  assert_false(step_count(&(step_grid){.rank = 1, .size = {-1}}, &count));
  assert_true(step_count(&(step_grid){.rank = 2, .size = {INT64_MAX, 0}}, &count));
  step_grid grid = {.rank = 1, .size = {4}};
  step_walk *walk = test_malloc(sizeof *walk);
  assert_false(step_walk_init(walk, &grid, (step_share){0, 5}, NULL, 0, no_map, NULL));
  assert_false(step_walk_init(walk, &grid, (step_share){3, 2}, NULL, 0, no_map, NULL));
  test_free(walk);
}

static void matmul_walk_tells_when_blocks_change(void **state) {
  (void)state;
  step_grid grid = {.rank = 3, .size = {2, 2, 3}};
  step_operand_desc operands[3] = {{2, 2}, {2, 2}, {2, 1}};
  step_walk *walk = test_malloc(sizeof *walk);
  assert_true(step_walk_init(walk, &grid, all_of(&grid), operands, 3, matmul_map, NULL));
  uint32_t fetched[3] = {0}, written[3] = {0};
  for (uint64_t flat = 0; step_next(walk); flat++) {
    const step_record *step = &walk->record;
    assert_int_equal(step->flat, flat);
    assert_int_equal(step->axis_first[2], step->index[2] == 0);
    assert_int_equal(step->axis_last[2], step->index[2] == 2);
    for (uint32_t which = 0; which < 3; which++) {
      fetched[which] += step->operand[which].changed;
      written[which] += step->operand[which].leaves;
      assert_int_equal(step->operand[which].slot, step->operand[which].visit % operands[which].slots);
    }
    assert_int_equal(step->operand[2].leaves, step->index[2] == 2); /* the accumulator leaves after its last k */
  }
  assert_int_equal(fetched[0], 12);
  assert_int_equal(fetched[1], 12);
  assert_int_equal(fetched[2], 4);
  assert_int_equal(written[2], 4);
  test_free(walk);
}

/* An index map of random values: what a table may do. */
static void table_map(void *user, uint32_t operand, const int64_t *index, int64_t *block) {
  const step_grid *grid = user;
  uint64_t flat = step_flatten(grid, index);
  assert_in_range(flat, 0, 4095);
  random_state r = {flat / 2 * 977 + operand};
  block[0] = random_below(&r, 3);
}

static void random_walks_agree_with_loops(void **state) {
  (void)state;
  random_state r = random_start("steps");
  step_walk *walk = test_malloc(sizeof *walk);
  for (int round = 0; round < 200; round++) {
    step_grid grid = {.rank = 1 + random_below(&r, 4)};
    for (uint32_t axis = 0; axis < grid.rank; axis++) grid.size[axis] = 1 + random_below(&r, 4);
    uint64_t count;
    assert_true(step_count(&grid, &count));
    uint64_t begin = random_below(&r, (uint32_t)count), end = begin + random_below(&r, (uint32_t)(count - begin) + 1);
    step_operand_desc operand = {1, 1 + random_below(&r, 3)};
    assert_true(step_walk_init(walk, &grid, (step_share){begin, end}, &operand, 1, table_map, &grid));
    int64_t previous = -1, visits = -1;
    for (uint64_t flat = begin; flat < end; flat++) {
      assert_true(step_next(walk));
      const step_record *step = &walk->record;
      assert_int_equal(step->flat, flat);
      assert_int_equal(step->local, flat - begin);
      assert_int_equal(step_flatten(&grid, step->index), flat);
      for (uint32_t axis = 0; axis < grid.rank; axis++) {
        assert_int_equal(step->axis_first[axis], step->index[axis] == 0);
        assert_int_equal(step->axis_last[axis], step->index[axis] == grid.size[axis] - 1);
      }
      assert_int_equal(step->first, flat == begin);
      assert_int_equal(step->last, flat + 1 == end);
      int64_t block, following, index[STEP_MAX_AXES];
      table_map(&grid, 0, step->index, &block);
      assert_int_equal(step->operand[0].block[0], block);
      assert_int_equal(step->operand[0].changed, block != previous);
      if (block != previous) visits++;
      assert_int_equal(step->operand[0].visit, visits);
      assert_int_equal(step->operand[0].slot, visits % operand.slots);
      if (flat + 1 < end) {
        step_unflatten(&grid, flat + 1, index);
        table_map(&grid, 0, index, &following);
        assert_int_equal(step->operand[0].leaves, following != block);
      }
      previous = block;
    }
    assert_false(step_next(walk));
  }
  test_free(walk);
}

/* The record of any step is found without walking there. */
static void records_are_found_at_once(void **state) {
  (void)state;
  const step_grid grid = {.rank = 3, .size = {3, 1, 4}};
  const step_share share = {5, 9};
  step_walk *walk = test_malloc(sizeof *walk);
  step_record *record = test_calloc(1, sizeof *record);
  assert_true(step_walk_init(walk, &grid, share, NULL, 0, no_map, NULL));
  for (uint64_t flat = share.begin; step_next(walk); flat++) {
    step_record_at(&grid, share, flat, record);
    assert_memory_equal(record->index, walk->record.index, sizeof record->index);
    assert_int_equal(record->index[0], flat / 4);
    assert_int_equal(record->index[2], flat % 4);
    assert_int_equal(record->local, flat - 5);
    assert_int_equal(record->first, flat == 5);
    assert_int_equal(record->last, flat == 8);
    assert_true(record->axis_first[1] && record->axis_last[1]);
    assert_int_equal(record->axis_first[2], flat == 8);
    assert_int_equal(record->axis_last[2], flat == 7);
    assert_int_equal(record->axis_last[0], flat == 8);
    assert_int_equal(record->flat_count, 12);
    assert_int_equal(record->local_count, 4);
  }
  assert_true(record->last);
  test_free(record);
  test_free(walk);
}

static void shares_follow_jax(void **state) {
  (void)state;
  step_grid grid = {.rank = 2, .size = {4, 4}, .parallel = {true, false}};
  static const uint64_t rows[7][6] = {{0}, {4}, {2, 2}, {2, 2, 0}, {1, 1, 1, 1}, {1, 1, 1, 1, 0}, {1, 1, 1, 1, 0, 0}};
  for (uint32_t units = 1; units <= 6; units++) {
    uint64_t at = 0;
    for (uint32_t which = 0; which < units; which++) {
      step_share share;
      assert_true(step_share_of(&grid, units, which, &share));
      assert_int_equal(share.begin, at);
      assert_int_equal(share.end - share.begin, rows[units][which] * 4);
      at = share.end;
    }
    assert_int_equal(at, 16);
  }
  step_share share;
  step_grid behind = {.rank = 2, .size = {4, 4}, .parallel = {false, true}};
  assert_false(step_share_of(&behind, 2, 0, &share));
}

static void parts_merge_to_the_whole(void **state) {
  (void)state;
  step_grid grid = {.rank = 4, .size = {2, 3, 4, 5}, .parallel = {true, false, true, false}};
  step_grid across = step_parallel_part(&grid), along = step_sequential_part(&grid);
  assert_int_equal(across.rank, 2);
  assert_int_equal(across.size[1], 4);
  assert_int_equal(along.size[0], 3);
  int64_t index[STEP_MAX_AXES];
  step_merge(&grid, (int64_t[]){1, 3}, (int64_t[]){2, 4}, index);
  assert_int_equal(step_flatten(&grid, index), ((1 * 3 + 2) * 4 + 3) * 5 + 4);
}

static void check_window(const block_dim *dim, int64_t index) {
  block_window window = block_place(dim, index);
  int64_t begin = dim->kind == BLOCK_TILED      ? index * dim->size
                  : dim->kind == BLOCK_ELEMENT  ? index - dim->padding_low
                  : dim->kind == BLOCK_SQUEEZED ? index
                                                : 0;
  int64_t size = dim->kind == BLOCK_SQUEEZED ? 1 : dim->kind == BLOCK_WHOLE ? dim->array : dim->size;
  int64_t valid = 0, first = -1;
  for (int64_t i = 0; i < size; i++) {
    if (begin + i < 0 || begin + i >= dim->array) continue;
    if (valid++ == 0) first = i;
  }
  assert_int_equal(window.origin, begin);
  assert_int_equal(window.size, size);
  assert_int_equal(window.valid, valid);
  assert_int_equal(block_inside(dim, index), valid == size);
  assert_int_equal(window.skip, valid ? first : 0);
}

static void windows_agree_with_counting(void **state) {
  (void)state;
  for (int kind = BLOCK_TILED; kind <= BLOCK_WHOLE; kind++)
    for (int64_t array = 0; array <= 9; array++)
      for (int64_t size = 1; size <= 5; size++)
        for (int64_t index = -4; index <= 12; index++)
          check_window(&(block_dim){(block_kind)kind, size, array, size / 2}, index);
}

static void ragged_edges_are_known(void **state) {
  (void)state;
  block_dim even = {BLOCK_TILED, 4, 12, 0}, odd = {BLOCK_TILED, 4, 13, 0}, whole = {BLOCK_WHOLE, 13, 13, 0};
  assert_int_equal(block_count(&even), 3);
  assert_int_equal(block_count(&odd), 4);
  assert_int_equal(block_count(&whole), 1);
  assert_false(block_ragged(&even));
  assert_true(block_ragged(&odd));
  assert_false(block_ragged(&whole));
}

static void wild_indices_stay_outside(void **state) {
  (void)state;
  block_dim dim = {BLOCK_TILED, 1 << 20, 1 << 30, 0};
  assert_int_equal(block_place(&dim, INT64_MAX).valid, 0);
  assert_int_equal(block_place(&dim, INT64_MIN).valid, 0);
  dim.kind = BLOCK_ELEMENT;
  dim.padding_low = 3;
  assert_int_equal(block_place(&dim, INT64_MIN).valid, 0);
  assert_int_equal(block_place(&dim, INT64_MAX).valid, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_axes_is_one_step),           cmocka_unit_test(empty_axis_is_no_step),
      cmocka_unit_test(impossible_grids_are_refused),  cmocka_unit_test(matmul_walk_tells_when_blocks_change),
      cmocka_unit_test(random_walks_agree_with_loops), cmocka_unit_test(shares_follow_jax),
      cmocka_unit_test(records_are_found_at_once),     cmocka_unit_test(parts_merge_to_the_whole),
      cmocka_unit_test(windows_agree_with_counting),   cmocka_unit_test(ragged_edges_are_known),
      cmocka_unit_test(wild_indices_stay_outside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
