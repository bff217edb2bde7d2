/* The allocator's two clients: placements are checked for overlap and against the best of all orders; the heap against
 * a plain list of what is alive. */
#include "unit.h"

#include <string.h>

#include "fault_alloc.h"
#include "model/alloc.h"
#include "random.h"

enum { MAX_ITEMS = 64 };

static machine gpu(void) {
  machine m;
  assert_true(machine_make(MACHINE_GPU, (uint32_t[]){1, 1, 2, 2, 4}, &m));
  return m;
}

static alloc_item smem(uint32_t serial, uint64_t size, uint32_t first, uint32_t last) {
  return (alloc_item){.key = {SPACE_GPU_SMEM, 2, serial}, .name = STR("s"), .size = size, .first = first, .last = last};
}

/* Places and checks what must always hold; the report's one use goes to *use. */
static void place(alloc_item *items, uint32_t count, alloc_use *use) {
  UNIT_ARENA(a);
  machine m = gpu();
  alloc_report report;
  uint32_t culprit;
  assert_true(alloc_place(&a, &m, items, count, &report, &culprit));
  assert_int_equal(report.use_count, 1);
  *use = report.uses[0];
  uint64_t top = 0;
  for (uint32_t i = 0; i < count; i++) {
    assert_int_equal(items[i].offset % items[i].align, 0);
    if (items[i].size && items[i].offset + items[i].size > top) top = items[i].offset + items[i].size;
    for (uint32_t j = 0; j < i; j++) {
      if (!alloc_meet(&items[i], &items[j])) continue;
      bool apart =
          items[i].offset + items[i].size <= items[j].offset || items[j].offset + items[j].size <= items[i].offset;
      assert_true(apart || items[i].size == 0 || items[j].size == 0);
    }
  }
  assert_int_equal(use->peak, top);
  assert_true(use->live <= use->peak);
  arena_finish(&a);
}

static void dead_room_is_used_again(void **state) {
  (void)state;
  alloc_item items[] = {smem(0, 1024, 0, 3), smem(1, 1024, 4, 7), smem(2, 512, 2, 5)};
  alloc_use use;
  place(items, 3, &use);
  assert_int_equal(items[0].offset, items[1].offset);
  assert_int_equal(use.peak, 1536);
  assert_int_equal(use.live, 1536);
  assert_int_equal(use.total, 2560);
  assert_int_equal(use.live_at, 2);
}

static void lifetimes_include_both_ends(void **state) {
  (void)state;
  alloc_item items[] = {smem(0, 64, 0, 3), smem(1, 64, 3, 7)};
  alloc_use use;
  place(items, 2, &use);
  assert_int_equal(use.peak, 128);
}

static void alignment_is_kept(void **state) {
  (void)state;
  alloc_item items[] = {smem(0, 3, 0, 1), smem(1, 5, 0, 1)};
  items[0].align = 1;
  items[1].align = 256;
  alloc_use use;
  place(items, 2, &use);
  assert_int_equal(items[1].offset, 0); /* the larger goes down first, so nothing is lost */
  assert_int_equal(use.peak, 8);
}

static void wrong_requests_name_the_item(void **state) {
  (void)state;
  UNIT_ARENA(a);
  machine m = gpu();
  alloc_report report;
  uint32_t culprit;
  alloc_item odd[] = {smem(0, 4, 0, 1), smem(1, 4, 0, 1)};
  odd[1].align = 24;
  assert_false(alloc_place(&a, &m, odd, 2, &report, &culprit));
  assert_int_equal(culprit, 1);
  alloc_item huge[] = {smem(0, UINT64_MAX / 2, 0, 1), smem(1, UINT64_MAX / 2, 0, 1)};
  assert_false(alloc_place(&a, &m, huge, 2, &report, &culprit));
  assert_int_equal(culprit, 1);
  arena_finish(&a);
}

static void copies_of_a_space_are_packed_apart(void **state) {
  (void)state;
  UNIT_ARENA(a);
  machine m = gpu();
  alloc_item items[] = {smem(0, 64, 0, 9), smem(1, 32, 0, 9), smem(0, 128, 0, 9)};
  items[1].key.owner = 3;
  items[2].key.space = SPACE_GPU_TMEM;
  alloc_report report;
  uint32_t culprit;
  assert_true(alloc_place(&a, &m, items, 3, &report, &culprit));
  assert_int_equal(report.use_count, 3);
  assert_int_equal(report.uses[0].owner, 2);
  assert_int_equal(report.uses[1].owner, 3);
  assert_int_equal(report.uses[2].space, SPACE_GPU_TMEM);
  for (uint32_t i = 0; i < 3; i++) assert_int_equal(items[i].offset, 0);
  assert_true(alloc_fits(&report.uses[0]));
  m.limit[SPACE_GPU_SMEM] = 48;
  assert_true(alloc_place(&a, &m, items, 3, &report, &culprit));
  assert_false(alloc_fits(&report.uses[0]));
  assert_true(alloc_fits(&report.uses[1]));
  arena_finish(&a);
}

static void placements_explain_themselves(void **state) {
  (void)state;
  UNIT_ARENA(a);
  alloc_item items[] = {smem(0, 1024, 0, 9), smem(1, 512, 3, 9)};
  items[0].name = STR("acc");
  alloc_use use;
  place(items, 2, &use);
  text t = text_new(&a);
  alloc_explain(items, 1, &t);
  assert_true(str_is(text_str(&t), "at 1024, behind acc, alive 3..9"));
  arena_finish(&a);
}

/* ---- against the best of all orders ---- */

static uint64_t peak_of_order(const alloc_item *items, const uint32_t *order, uint32_t count) {
  uint64_t offset[8], peak = 0;
  for (uint32_t i = 0; i < count; i++) {
    const alloc_item *item = &items[order[i]];
    uint64_t at = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (uint32_t j = 0; j < i; j++) {
        const alloc_item *other = &items[order[j]];
        if (!alloc_meet(item, other) || at + item->size <= offset[j] || offset[j] + other->size <= at) continue;
        at = offset[j] + other->size;
        moved = true;
      }
    }
    offset[i] = at;
    if (at + item->size > peak) peak = at + item->size;
  }
  return peak;
}

static uint64_t best_peak(const alloc_item *items, uint32_t *order, uint32_t from, uint32_t count) {
  if (from == count) return peak_of_order(items, order, count);
  uint64_t best = UINT64_MAX;
  for (uint32_t i = from; i < count; i++) {
    uint32_t swap = order[from];
    order[from] = order[i], order[i] = swap;
    uint64_t peak = best_peak(items, order, from + 1, count);
    if (peak < best) best = peak;
    order[i] = order[from], order[from] = swap;
  }
  return best;
}

static void random_items(random_state *r, alloc_item *items, uint32_t count, uint32_t times) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t first = random_below(r, times);
    items[i] = smem(i, 1 + random_below(r, 64), first, first + random_below(r, times - first));
    items[i].align = 1;
  }
}

static void small_placements_are_nearly_best(void **state) {
  (void)state;
  random_state r = random_start("alloc small");
  uint64_t ours = 0, best = 0;
  for (int round = 0; round < 60; round++) {
    uint32_t order[7] = {0, 1, 2, 3, 4, 5, 6};
    alloc_item items[7];
    random_items(&r, items, 7, 8);
    alloc_use use;
    place(items, 7, &use);
    uint64_t least = best_peak(items, order, 0, 7);
    assert_true(least <= use.peak);
    ours += use.peak;
    best += least;
  }
  assert_true(ours * 100 <= best * 101); /* within one percent over all */
}

static void large_placements_are_sound_and_repeatable(void **state) {
  (void)state;
  random_state r = random_start("alloc large");
  for (int round = 0; round < 40; round++) {
    uint32_t count = 1 + random_below(&r, MAX_ITEMS);
    alloc_item items[MAX_ITEMS], again[MAX_ITEMS];
    random_items(&r, items, count, 40);
    for (uint32_t i = 0; i < count; i++) {
      items[i].align = 1u << random_below(&r, 6);
      if (random_below(&r, 8) == 0) items[i].size = 0;
    }
    memcpy(again, items, sizeof again);
    alloc_use use, same;
    place(items, count, &use);
    place(again, count, &same);
    assert_int_equal(use.peak, same.peak);
    for (uint32_t i = 0; i < count; i++) assert_int_equal(items[i].offset, again[i].offset);
    assert_true(use.peak <= use.live + use.live / 2 + 64 * 32); /* holes and alignment stay bounded */
  }
}

/* Beyond the number that orders are tried for; the pairs are too many to check, so each moment's items are. */
static void very_many_items_do_not_overlap(void **state) {
  (void)state;
  enum { MANY = 5000, MOMENTS = 60 };
  random_state r = random_start("alloc many");
  alloc_item *items = test_calloc(MANY, sizeof *items);
  for (int long_lived = 0; long_lived < 2; long_lived++) {
    for (uint32_t i = 0; i < MANY; i++) {
      uint32_t first = random_below(&r, MOMENTS), longest = long_lived ? MOMENTS : 4;
      items[i] = smem(i, random_below(&r, 64), first, first + random_below(&r, longest));
      items[i].align = 8;
    }
    UNIT_ARENA(a);
    machine m = gpu();
    alloc_report report;
    uint32_t culprit;
    assert_true(alloc_place(&a, &m, items, MANY, &report, &culprit));
    uint8_t *taken = test_malloc(report.uses[0].peak);
    for (uint32_t now = 0; now < 2 * MOMENTS; now++) {
      uint64_t live = 0;
      memset(taken, 0, report.uses[0].peak);
      for (uint32_t i = 0; i < MANY; i++) {
        if (items[i].first > now || items[i].last < now || items[i].size == 0) continue;
        assert_int_equal(items[i].offset % 8, 0);
        assert_true(items[i].offset + items[i].size <= report.uses[0].peak);
        assert_null(memchr(taken + items[i].offset, 1, items[i].size));
        memset(taken + items[i].offset, 1, items[i].size);
        live += items[i].size;
      }
      assert_true(live <= report.uses[0].live);
      if (now == report.uses[0].live_at) assert_int_equal(live, report.uses[0].live);
    }
    assert_true(report.uses[0].peak < report.uses[0].total);
    test_free(taken);
    arena_finish(&a);
  }
  test_free(items);
}

/* ---- the heap ---- */

static alloc_request request(uint32_t serial, uint64_t size, uint32_t sharers) {
  return (alloc_request){
      .key = {SPACE_GPU_SMEM, 2, serial}, .name = STR("s"), .size = size, .dtype = IR_F32, .sharers = sharers};
}

static void fresh_memory_is_poisoned(void **state) {
  (void)state;
  float floats[5];
  alloc_poison_fill(floats, sizeof floats, IR_F32, ALLOC_FILL);
  for (int i = 0; i < 5; i++) assert_true(floats[i] != floats[i]);
  int16_t shorts[3];
  alloc_poison_fill(shorts, sizeof shorts, IR_I16, ALLOC_FILL);
  assert_int_equal(shorts[2], INT16_MIN);
  alloc_poison_fill(shorts, sizeof shorts, IR_I16, ALLOC_LARGE);
  assert_int_equal(shorts[2], INT16_MAX);
  uint64_t longs[2];
  alloc_poison_fill(longs, sizeof longs, IR_U64, ALLOC_LARGE);
  assert_true(longs[1] == UINT64_MAX);
  uint8_t bytes[4];
  alloc_poison_fill(bytes, sizeof bytes, IR_BOOL, ALLOC_FILL);
  assert_int_equal(bytes[3], 0);
  alloc_poison_fill(bytes, sizeof bytes, IR_BOOL, ALLOC_PATTERN);
  assert_int_equal(bytes[3], 0xA5);
  alloc_poison_fill(bytes, sizeof bytes, IR_U8, ALLOC_ZERO);
  assert_int_equal(bytes[0], 0);
}

static void sharers_find_one_block(void **state) {
  (void)state;
  machine m = gpu();
  alloc_heap *heap = alloc_heap_create(mem_default(), &m, &(alloc_heap_desc){.record = true});
  alloc_request wanted = request(0, 64, 2);
  alloc_block *one, *two;
  assert_int_equal(alloc_acquire(heap, &wanted, &one), ALLOC_OK);
  assert_int_equal(alloc_acquire(heap, &wanted, &two), ALLOC_OK);
  assert_ptr_equal(one, two);
  alloc_release(heap, one);
  assert_int_equal(alloc_live(heap), 1);
  assert_ptr_equal(alloc_find(heap, wanted.key), two);
  alloc_release(heap, two);
  assert_int_equal(alloc_live(heap), 0);
  assert_null(alloc_find(heap, wanted.key));
  alloc_report report = alloc_heap_report(heap);
  assert_int_equal(report.item_count, 1);
  assert_int_equal(report.uses[0].peak, 64);
  assert_int_equal(report.uses[0].now, 0);
  alloc_heap_destroy(heap);
}

static void diverging_sharers_are_told(void **state) {
  (void)state;
  machine m = gpu();
  alloc_heap *heap = alloc_heap_create(mem_default(), &m, &(alloc_heap_desc){0});
  alloc_request first = request(0, 64, 2), other = request(0, 32, 2), elsewhere = request(0, 64, 2);
  elsewhere.site = 7;
  alloc_block *block;
  assert_int_equal(alloc_acquire(heap, &first, &block), ALLOC_OK);
  assert_int_equal(alloc_acquire(heap, &other, &block), ALLOC_DIVERGED);
  assert_int_equal(alloc_acquire(heap, &elsewhere, &block), ALLOC_DIVERGED);
  assert_int_equal(alloc_acquire(heap, &first, &block), ALLOC_OK);
  assert_int_equal(alloc_acquire(heap, &first, &block), ALLOC_DIVERGED); /* a third of two */
  alloc_heap_destroy(heap);
}

static void limits_are_kept(void **state) {
  (void)state;
  machine m = gpu();
  m.limit[SPACE_GPU_SMEM] = 100;
  alloc_heap *heap =
      alloc_heap_create(mem_default(), &m, &(alloc_heap_desc){.enforce_limits = true, .total_limit = 150});
  alloc_request a = request(0, 60, 1), b = request(1, 60, 1), c = request(2, 40, 1), acc = request(0, 60, 1);
  acc.key.space = SPACE_GPU_ACC;
  alloc_block *block, *first;
  assert_int_equal(alloc_acquire(heap, &a, &first), ALLOC_OK);
  assert_int_equal(alloc_acquire(heap, &b, &block), ALLOC_OVER_SPACE);
  assert_null(block);
  assert_int_equal(alloc_acquire(heap, &c, &block), ALLOC_OK);
  assert_int_equal(alloc_acquire(heap, &acc, &block), ALLOC_OVER_TOTAL);
  acc.size = 50; /* exactly what is left */
  assert_int_equal(alloc_acquire(heap, &acc, &block), ALLOC_OK);
  alloc_release(heap, block);
  alloc_release(heap, first);
  assert_int_equal(alloc_acquire(heap, &b, &block), ALLOC_OK); /* the space is full to the byte */
  assert_int_equal(alloc_acquire(heap, &(alloc_request){.key = {SPACE_GPU_GMEM, 0, 0}, .size = UINT64_MAX}, &block),
                   ALLOC_OVER_TOTAL);
  alloc_heap_destroy(heap);
}

static void bounds_do_not_wrap(void **state) {
  (void)state;
  alloc_block block = {.item = {.size = 16}};
  assert_true(alloc_inside(&block, 0, 16));
  assert_true(alloc_inside(&block, 16, 0));
  assert_false(alloc_inside(&block, 8, 9));
  assert_false(alloc_inside(&block, UINT64_MAX, 2));
  assert_false(alloc_inside(&block, 2, UINT64_MAX));
}

static void shadows_agree_with_bytes(void **state) {
  (void)state;
  random_state r = random_start("shadow");
  machine m = gpu();
  alloc_heap *heap = alloc_heap_create(mem_default(), &m, &(alloc_heap_desc){.shadow = true});
  for (uint32_t round = 0; round < 100; round++) {
    uint32_t size = 1 + random_below(&r, 100);
    uint8_t written[100] = {0};
    alloc_request wanted = request(round, size, 1);
    alloc_block *block;
    assert_int_equal(alloc_acquire(heap, &wanted, &block), ALLOC_OK);
    for (int step = 0; step < 20; step++) {
      uint32_t offset = random_below(&r, size), length = random_below(&r, size - offset + 1);
      uint64_t where = 0;
      uint8_t *hole = memchr(written + offset, 0, length);
      assert_int_equal(alloc_first_unwritten(block, offset, length, &where), hole != NULL);
      if (hole) assert_int_equal(where, hole - written);
      length = random_below(&r, size - offset + 1) / 2;
      alloc_mark(block, offset, length);
      memset(written + offset, 1, length);
    }
    alloc_release(heap, block);
  }
  alloc_heap_destroy(heap);
}

static void fresh_bytes_begin_on_a_line_and_are_used_again(void **state) {
  (void)state;
  machine m = gpu();
  alloc_heap *heap = alloc_heap_create(mem_default(), &m, &(alloc_heap_desc){.poison = ALLOC_PATTERN, .shadow = true});
  alloc_request wanted = request(0, 100, 1), other = request(1, 40, 1);
  alloc_block *block, *between;
  assert_int_equal(alloc_acquire(heap, &wanted, &block), ALLOC_OK);
  assert_int_equal((uintptr_t)block->bytes % 64, 0);
  void *bytes = block->bytes;
  memset(bytes, 1, 100);
  alloc_mark(block, 0, 100);
  alloc_release(heap, block);
  assert_int_equal(alloc_acquire(heap, &other, &between), ALLOC_OK);
  wanted.key.serial = 2;
  assert_int_equal(alloc_acquire(heap, &wanted, &block), ALLOC_OK);
  assert_ptr_equal(block->bytes, bytes);
  assert_ptr_not_equal(between->bytes, bytes);
  assert_int_equal(block->bytes[99], 0xA5); /* poisoned again, and unwritten */
  uint64_t where = 7;
  assert_true(alloc_first_unwritten(block, 0, 100, &where));
  assert_int_equal(where, 0);
  alloc_heap_destroy(heap);
}

static void borrowed_bytes_stay_as_they_are(void **state) {
  (void)state;
  machine m = gpu();
  uint8_t mine[32] = {1, 2, 3}, next[32] = {4};
  uint64_t where;
  alloc_heap *heap = alloc_heap_create(mem_default(), &m, &(alloc_heap_desc){.poison = ALLOC_FILL, .shadow = true});
  alloc_request out = request(0, sizeof mine, 1), in = request(1, sizeof mine, 1);
  out.bytes = in.bytes = mine;
  in.written = true;
  alloc_block *written, *fresh;
  assert_int_equal(alloc_acquire(heap, &out, &fresh), ALLOC_OK);
  assert_int_equal(alloc_acquire(heap, &in, &written), ALLOC_OK);
  assert_ptr_equal(fresh->bytes, mine);
  assert_int_equal(mine[2], 3);
  assert_false(alloc_first_unwritten(written, 0, 32, &where));
  alloc_mark(fresh, 0, 32);
  assert_false(alloc_first_unwritten(fresh, 0, 32, &where));
  alloc_move(fresh, next);
  assert_ptr_equal(fresh->bytes, next);
  assert_true(alloc_first_unwritten(fresh, 0, 32, &where));
  alloc_release(heap, fresh);
  alloc_release(heap, written);
  assert_int_equal(alloc_live(heap), 0);
  alloc_heap_destroy(heap);
}

static void random_heaps_agree_with_a_list(void **state) {
  (void)state;
  random_state r = random_start("heap");
  machine m = gpu();
  alloc_heap *heap = alloc_heap_create(mem_default(), &m, &(alloc_heap_desc){0});
  alloc_block *alive[MAX_ITEMS] = {NULL};
  uint64_t live = 0, peak = 0;
  for (int step = 0; step < 5000; step++) {
    uint32_t which = random_below(&r, MAX_ITEMS);
    alloc_request wanted = request(which, 1 + which * 8, 1);
    assert_ptr_equal(alloc_find(heap, wanted.key), alive[which]);
    if (alive[which]) {
      assert_int_equal(alive[which]->bytes[0], which);
      alloc_release(heap, alive[which]);
      alive[which] = NULL;
      live -= wanted.size;
    } else {
      assert_int_equal(alloc_acquire(heap, &wanted, &alive[which]), ALLOC_OK);
      memset(alive[which]->bytes, (int)which, (size_t)wanted.size);
      live += wanted.size;
    }
    if (live > peak) peak = live;
    alloc_use use = alloc_heap_report(heap).uses[0];
    assert_int_equal(use.now, live);
    assert_int_equal(use.peak, peak);
  }
  alloc_heap_destroy(heap);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  machine m = gpu();
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    alloc_heap *heap = alloc_heap_create(fault_mem(&fault), &m, &(alloc_heap_desc){.shadow = true, .record = true});
    for (uint32_t i = 0; heap && i < 20; i++) {
      alloc_request wanted = request(i, 16, 1);
      wanted.key.owner = i;
      alloc_block *block;
      if (alloc_acquire(heap, &wanted, &block) != ALLOC_OK) break;
      if (i % 2) alloc_release(heap, block);
    }
    alloc_heap_destroy(heap);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dead_room_is_used_again),
      cmocka_unit_test(lifetimes_include_both_ends),
      cmocka_unit_test(alignment_is_kept),
      cmocka_unit_test(wrong_requests_name_the_item),
      cmocka_unit_test(copies_of_a_space_are_packed_apart),
      cmocka_unit_test(placements_explain_themselves),
      cmocka_unit_test(small_placements_are_nearly_best),
      cmocka_unit_test(large_placements_are_sound_and_repeatable),
      cmocka_unit_test(very_many_items_do_not_overlap),
      cmocka_unit_test(fresh_memory_is_poisoned),
      cmocka_unit_test(sharers_find_one_block),
      cmocka_unit_test(diverging_sharers_are_told),
      cmocka_unit_test(limits_are_kept),
      cmocka_unit_test(bounds_do_not_wrap),
      cmocka_unit_test(shadows_agree_with_bytes),
      cmocka_unit_test(fresh_bytes_begin_on_a_line_and_are_used_again),
      cmocka_unit_test(borrowed_bytes_stay_as_they_are),
      cmocka_unit_test(random_heaps_agree_with_a_list),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
