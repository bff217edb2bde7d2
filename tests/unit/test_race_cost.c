/* What the race detector costs: memory by pattern and by length of the run, and time. Times are printed; they are
 * judged only where a wrong order of growth would show. */
#include "unit.h"

#include <stdio.h>
#include <time.h>

#include "race/inner.h"

static const char SITE[8];
static const int TAG[2];

static double now(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void touch(race *r, race_buffer *b, unit_id unit, race_kind kind, uint32_t site, race_area area) {
  race_touch(r, &(race_access){b, unit, NULL, kind, &SITE[site]}, &area);
}

static race_area row(int64_t offset, int64_t stride, int64_t count) {
  return (race_area){.offset = offset, .rank = 1, .extents = {count}, .strides = {stride}};
}

static race_area tile(int64_t offset, int64_t pitch, int64_t rows, int64_t columns) {
  return (race_area){.offset = offset, .rank = 2, .extents = {rows, columns}, .strides = {pitch, 1}};
}

/* ---- shadow memory by pattern ---- */

#define SIDE 256

typedef void (*pattern)(race *r, race_buffer *b);

static void by_elements(race *r, race_buffer *b) {
  for (int64_t i = 0; i < SIDE * SIDE; i++) touch(r, b, 0, RACE_STORE, 1, row(i, 1, 1));
}

static void by_columns(race *r, race_buffer *b) {
  for (int64_t i = 0; i < SIDE; i++) touch(r, b, 0, RACE_STORE, 1, row(i, SIDE, SIDE));
}

static void by_tiles_of_units(race *r, race_buffer *b) {
  for (unit_id unit = 0; unit < 16; unit++)
    touch(r, b, unit, RACE_STORE, 1, tile(unit / 4 * 64 * SIDE + unit % 4 * 64, SIDE, 64, 64));
}

static void by_narrow_tiles(race *r, race_buffer *b) {
  for (unit_id unit = 0; unit < 8; unit++) touch(r, b, unit, RACE_STORE, 1, tile(unit * 32, SIDE, SIDE, 32));
}

static void in_turns(race *r, race_buffer *b) {
  for (unit_id unit = 0; unit < 4; unit++) touch(r, b, unit, RACE_STORE, 1, row(unit, 4, SIDE * SIDE / 4));
}

static void loaded_by_all(race *r, race_buffer *b) {
  for (unit_id unit = 0; unit < 64; unit++) touch(r, b, unit, RACE_LOAD, 1, row(0, 1, SIDE * SIDE));
}

static void halo(race *r, race_buffer *b) {
  for (unit_id unit = 0; unit < 4; unit++) touch(r, b, unit, RACE_LOAD, 1, row(unit * 16000, 1, 17000));
}

/* No more than 2 bytes a byte for elements of one byte, and far less for wider ones. */
static void shadow_is_small_on_ordinary_patterns(void **state) {
  (void)state;
  static const struct {
    const char *name;
    pattern play;
    double most; /* bytes per element */
  } patterns[] = {
      {"element by element", by_elements, 0.2},
      {"column by column", by_columns, 0.2},
      {"a tile a unit", by_tiles_of_units, 0.2},
      {"two units to a page", by_narrow_tiles, 1.25},
      {"units in turns", in_turns, 2},
      {"loaded by all", loaded_by_all, 0.2},
      {"with a halo", halo, 0.2},
  };
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    race *r = race_create(mem_default(), 64);
    race_buffer *b = race_buffer_new(r, TAG, SIDE * SIDE);
    patterns[i].play(r, b);
    double each = (double)race_shadow_bytes(r) / (SIDE * SIDE);
    printf("race_cost: shadow, %-20s %.3f bytes per element\n", patterns[i].name, each);
    assert_int_equal(race_report_count(r), 0);
    assert_true(each <= patterns[i].most);
    race_destroy(r);
  }
}

/* A ring of one place: each element is handed over, and stored in an event of its own. */
static void events_do_not_fill_the_shadow(void **state) {
  (void)state;
  enum { STEPS = 65536 };
  race *r = race_create(mem_default(), 3);
  race_buffer *b = race_buffer_new(r, TAG, STEPS);
  race_barrier full = {0}, empty = {0};
  uint64_t most = 0;
  for (uint64_t step = 0; step < STEPS; step++) {
    if (step > 0) race_observe(r, &empty, step - 1, 0);
    race_arrive(r, &full, step, 0);
    race_observe(r, &full, step, 1);
    touch(r, b, 1, RACE_STORE, 1, row((int64_t)step, 1, 1));
    race_arrive(r, &empty, step, 1);
    if (race_shadow_bytes(r) > most) most = race_shadow_bytes(r);
  }
  printf("race_cost: shadow, %-20s %.3f bytes per element\n", "an event an element", (double)most / STEPS);
  assert_true(most <= 2 * STEPS + 65536);
  touch(r, b, 2, RACE_LOAD, 1, row(0, 1, STEPS));
  assert_int_equal(race_report_count(r), 1);
  race_destroy(r);
}

/* ---- no growth with the length of the run ---- */

/* A ring of slots: one unit refills them by copies, another multiplies from them, a third takes the results. */
typedef struct ring {
  race *r;
  race_buffer *gmem, *smem, *tmem;
  race_barrier full[4], empty[4], result[2], taken[2];
} ring;

static void ring_load(ring *g, uint64_t step) {
  uint32_t slot = step % 4;
  if (step >= 4) race_observe(g->r, &g->empty[slot], step / 4 - 1, 0);
  race_op *copy = race_issue(g->r, 0, RACE_TASK_COPY, &SITE[1], NULL);
  race_area from = row((int64_t)(step % 64) * 4096, 1, 4096), to = row(slot * 4096, 1, 4096);
  race_touch(g->r, &(race_access){g->gmem, 0, copy, RACE_COPY_IN_LOAD, &SITE[1]}, &from);
  race_touch(g->r, &(race_access){g->smem, 0, copy, RACE_COPY_IN_STORE, &SITE[1]}, &to);
  race_arrive_op(g->r, &g->full[slot], step / 4, copy);
  race_end(g->r, copy);
}

static void commit(ring *g, race_barrier *b, uint64_t phase) {
  race_op *op = race_issue(g->r, 1, RACE_TASK_COMMIT, &SITE[2], NULL);
  race_arrive_op(g->r, b, phase, op);
  race_end(g->r, op);
}

static void ring_multiply(ring *g, uint64_t step) {
  uint32_t slot = step % 4, half = step / 8 % 2;
  race_area acc = row(half * 128, 1, 128), from = row(slot * 4096, 1, 4096);
  if (step % 8 == 0 && step >= 16) race_observe(g->r, &g->taken[half], step / 16 - 1, 1);
  race_observe(g->r, &g->full[slot], step / 4, 1);
  race_op *mma = race_issue(g->r, 1, RACE_TASK_MMA, &SITE[3], &(race_pipe){.buffer = g->tmem, .area = acc});
  race_touch(g->r, &(race_access){g->smem, 1, mma, RACE_MMA_LOAD_SMEM, &SITE[3]}, &from);
  race_touch(g->r, &(race_access){g->tmem, 1, mma, RACE_MMA_STORE, &SITE[3]}, &acc);
  race_end(g->r, mma);
  commit(g, &g->empty[slot], step / 4);
  if (step % 8 == 7) commit(g, &g->result[half], step / 16);
}

static void ring_store(ring *g, uint64_t step) {
  uint32_t half = step / 8 % 2;
  race_area acc = row(half * 128, 1, 128);
  if (step % 8 != 7) return;
  race_observe(g->r, &g->result[half], step / 16, 2);
  race_op *load = race_issue(g->r, 2, RACE_TASK_TMEM_LOAD, &SITE[4], NULL);
  race_touch(g->r, &(race_access){g->tmem, 2, load, RACE_TMEM_LOAD, &SITE[4]}, &acc);
  race_end(g->r, load);
  race_await_tmem(g->r, 2);
  race_arrive(g->r, &g->taken[half], step / 16, 2);
}

static void a_long_ring_takes_no_more_than_a_short_one(void **state) {
  (void)state;
  ring g = {.r = race_create(mem_default(), 3)};
  g.gmem = race_buffer_new(g.r, &TAG[0], 64 * 4096);
  g.smem = race_buffer_new(g.r, &TAG[1], 4 * 4096);
  g.tmem = race_buffer_new(g.r, &TAG[0], 256);
  uint64_t early = 0;
  double start = now();
  for (uint64_t step = 0; step < 10000; step++) {
    ring_load(&g, step);
    ring_multiply(&g, step);
    ring_store(&g, step);
    if (step == 200) early = g.r->room.used;
  }
  printf("race_cost: ring, %.0f ns a step (a copy, a product, two hand-offs); %llu bytes\n", (now() - start) / 10000,
         (unsigned long long)g.r->room.used);
  assert_int_equal(race_report_count(g.r), 0);
  assert_true(g.r->room.used <= early + 4096);
  race_destroy(g.r);
}

/* ---- time ---- */

static void hand_offs_are_cheap(void **state) {
  (void)state;
  race *r = race_create(mem_default(), 16);
  race_barrier barriers[16] = {0};
  double start = now();
  for (uint64_t i = 0; i < 10000; i++) {
    race_arrive(r, &barriers[i % 16], i / 16, i % 16);
    race_observe(r, &barriers[i % 16], i / 16, (i + 1) % 16);
  }
  double spent = now() - start;
  printf("race_cost: 10,000 hand-offs among 16 units: %.2f ms\n", spent / 1e6);
  assert_true(spent < 1e9);
  assert_true(r->room.used < 65536);
  race_destroy(r);
}

static void report_time(const char *what, double start, uint64_t count) {
  printf("race_cost: %-44s %.1f ns\n", what, (now() - start) / (double)count);
}

static void accesses_are_cheap(void **state) {
  (void)state;
  enum { TIMES = 100000 };
  race *r = race_create(mem_default(), 4);
  race_buffer *b = race_buffer_new(r, TAG, 65536);
  double start = now();
  for (int64_t i = 0; i < TIMES; i++) touch(r, b, 0, RACE_STORE, 1, row(i % 65536, 1, 1));
  report_time("one element stored", start, TIMES);
  start = now();
  for (int64_t i = 0; i < TIMES; i++) touch(r, b, 0, i % 2 ? RACE_STORE : RACE_LOAD, 1, row(5, 1, 1));
  report_time("one element loaded, stored, loaded ..", start, TIMES);
  start = now();
  for (int64_t i = 0; i < TIMES / 100; i++) {
    race_unit_turn(r, 0);
    touch(r, b, 0, RACE_STORE, 1, row(0, 1, 65536));
  }
  report_time("64 elements of 65536 stored, event by event", start, TIMES / 100 * 1024);
  start = now();
  for (int64_t i = 0; i < TIMES / 100; i++) touch(r, b, 0, i % 2 ? RACE_STORE : RACE_LOAD, 1, tile(0, 512, 128, 64));
  report_time("a tile of 128 x 64 in a row of 512", start, TIMES / 100);
  race_destroy(r);
}

/* Weights that all units load: the time of each load does not grow with their number. */
static double load_by_units(uint32_t units) {
  race *r = race_create(mem_default(), units);
  race_buffer *b = race_buffer_new(r, TAG, 4096);
  double start = now();
  for (uint32_t again = 0; again < 3; again++) {
    for (unit_id unit = 0; unit < units; unit++) {
      race_unit_turn(r, unit);
      touch(r, b, unit, RACE_LOAD, 1, row(0, 1, 4096));
    }
  }
  double spent = now() - start;
  assert_true(r->room.used < 65536 + 600ull * units);
  race_destroy(r);
  return spent / units / 3;
}

static void loads_by_many_units_cost_as_much_each(void **state) {
  (void)state;
  double few = load_by_units(256), many = load_by_units(16384);
  printf("race_cost: a load of what 256 units load %.0f ns, of what 16384 do %.0f ns\n", few, many);
  assert_true(many < 20 * few); /* 64 times as many units */
}

/* The n-th unit waits for n counts of one semaphore, leaves them, and gives one more. The last signal stands for all:
 * who takes it looks at no other. */
static void a_chain_of_waits_is_not_walked(void **state) {
  (void)state;
  enum { UNITS = 1024 };
  race *r = race_create(mem_default(), UNITS);
  race_semaphore turn = {0};
  double start = now();
  for (unit_id unit = 0; unit < UNITS; unit++) {
    race_take(r, &turn, (semaphore_span){0, unit}, true, unit);
    race_signal(r, &turn, (semaphore_span){unit, unit + 1}, unit);
    assert_int_equal(turn.last->known_from, 0);
  }
  report_time("a wait in a chain of 1024 units", start, UNITS);
  assert_int_equal(race_clock_at(&r->units[UNITS - 1].views.generic, race_slot_done(0)), 1);
  race_signal(r, &turn, (semaphore_span){UNITS, UNITS + 1}, 0);
  assert_int_equal(turn.last->known_from, UNITS); /* the first unit has heard of nobody */
  race_semaphore_free(r, &turn);
  race_destroy(r);
}

/* All units meet at a barrier, phase by phase; gives the processor's nanoseconds for each unit and phase. */
static double meet(uint32_t units, uint64_t *bytes) {
  enum { PHASES = 20 };
  race *r = race_create(mem_default(), units);
  race_barrier b = {0};
  const clock_t start = clock();
  for (uint64_t phase = 0; phase < PHASES; phase++) {
    for (unit_id unit = 0; unit < units; unit++) race_arrive(r, &b, phase, (unit + 7) % units);
    for (unit_id unit = 0; unit < units; unit++) race_observe(r, &b, phase, unit);
  }
  const double spent = (double)(clock() - start) * 1e9 / CLOCKS_PER_SEC;
  for (unit_id unit = 0; unit < units; unit++)
    assert_int_equal(race_clock_at(&r->units[unit].views.generic, race_slot_done(units - 1)),
                     PHASES + (unit == units - 1));
  *bytes = r->room.used;
  race_destroy(r);
  return spent / PHASES / units;
}

/* What they learn there is the same for all: it is kept once. */
static void barriers_of_many_units_cost_as_much_each(void **state) {
  (void)state;
  static const uint32_t units[] = {128, 1024, 8192};
  double each[3];
  for (uint32_t i = 0; i < 3; i++) {
    uint64_t bytes;
    each[i] = meet(units[i], &bytes);
    printf("race_cost: a barrier of %4u units: %.0f ns a unit and phase, %.0f bytes a unit\n", units[i], each[i],
           (double)bytes / units[i]);
    assert_true(bytes < 65536 + 256ull * units[i]);
  }
  assert_true(each[2] < 20 * each[0]); /* 64 times as many units */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shadow_is_small_on_ordinary_patterns),
      cmocka_unit_test(events_do_not_fill_the_shadow),
      cmocka_unit_test(a_long_ring_takes_no_more_than_a_short_one),
      cmocka_unit_test(hand_offs_are_cheap),
      cmocka_unit_test(accesses_are_cheap),
      cmocka_unit_test(loads_by_many_units_cost_as_much_each),
      cmocka_unit_test(a_chain_of_waits_is_not_walked),
      cmocka_unit_test(barriers_of_many_units_cost_as_much_each),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
