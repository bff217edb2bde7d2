/* The race detector against its oracle: random small programs, run in a random legal order. */
#include "unit.h"

#include "race_play.h"
#include "random.h"

#define PROGRAMS 8000
#define EVENTS 160
#define WHOLES 16 /* most units; each may have one part */

typedef struct running {
  uint32_t op;
  unit_id unit;
  race_task task;
  race_kind kinds[3];
  uint32_t buffers[3], count, done; /* accesses */
  race_area areas[3];
  bool over, ended;
} running;

typedef struct program {
  play p;
  random_state random;
  bool parted[WHOLES]; /* its part runs, so it does not */
  running runs[ORACLE_OPS];
  uint32_t run_count;
  uint32_t wholes;          /* units */
  uint32_t pull;            /* programs differ in how much they synchronise, */
  bool stores;              /* else units only load and update */
  uint32_t tasks, barriers; /* in which operations they have, a bit each, and in how many barriers */
} program;

enum { TMEM, SMEM, GMEM, SMEM2 };

static uint32_t below(program *g, uint32_t bound) { return random_below(&g->random, bound); }

/* Mostly a few elements near the start, so that accesses meet; at times strides, boxes, and ends of pages. */
static race_area random_area(program *g) {
  uint32_t shape = below(g, 9);
  race_area area = {.offset = below(g, 12), .rank = 1, .extents = {1 + below(g, 8)}, .strides = {1}};
  if (shape == 0) area = (race_area){.offset = below(g, 8), .rank = 1, .extents = {1 + below(g, 100)}, .strides = {3}};
  if (shape == 1) area = (race_area){.offset = 60, .rank = 2, .extents = {3, 5}, .strides = {20, -2}, .width = 2};
  if (shape == 2) area = (race_area){.offset = 0, .rank = 1, .extents = {64 + below(g, 140)}, .strides = {1}};
  if (shape == 3) area.rank = 0;
  if (shape == 4) area = (race_area){.offset = 10, .rank = 1, .extents = {1 + below(g, 10)}, .strides = {-3}};
  return area;
}

static unit_id random_unit(program *g) {
  unit_id whole = below(g, g->wholes);
  return g->parted[whole] ? whole + WHOLES : whole;
}

/* ---- operations ---- */

static void plan(running *run, race_kind kind, uint32_t buffer, race_area area) {
  run->kinds[run->count] = kind;
  run->buffers[run->count] = buffer;
  run->areas[run->count++] = area;
}

static void plan_copy(program *g, running *run) {
  uint32_t smem = below(g, 2) ? SMEM : SMEM2;
  if (below(g, 2)) {
    plan(run, RACE_COPY_IN_LOAD, GMEM, random_area(g));
    plan(run, RACE_COPY_IN_STORE, smem, random_area(g));
  } else {
    plan(run, RACE_COPY_OUT_LOAD, smem, random_area(g));
    plan(run, below(g, 3) ? RACE_COPY_OUT_STORE : RACE_COPY_OUT_UPDATE, GMEM, random_area(g));
  }
}

static race_area accumulator(uint32_t pipe) {
  return (race_area){.offset = 8 * pipe, .rank = 1, .extents = {8}, .strides = {1}};
}

static void plan_wgmma(program *g, running *run, uint32_t pipe) {
  plan(run, RACE_WGMMA_LOAD, SMEM, random_area(g));
  if (below(g, 2)) plan(run, RACE_WGMMA_STORE, GMEM, accumulator(pipe));
}

static void plan_mma(program *g, running *run, uint32_t pipe) {
  if (below(g, 2)) plan(run, RACE_MMA_LOAD_SMEM, SMEM, random_area(g));
  if (below(g, 2)) plan(run, RACE_MMA_LOAD_TMEM, TMEM, random_area(g));
  plan(run, RACE_MMA_STORE, TMEM, accumulator(pipe));
}

static void plan_task(program *g, running *run, uint32_t pipe) {
  switch (run->task) {
    case RACE_TASK_COPY: plan_copy(g, run); break;
    case RACE_TASK_WGMMA: plan_wgmma(g, run, pipe); break;
    case RACE_TASK_MMA: plan_mma(g, run, pipe); break;
    case RACE_TASK_COPY_TMEM:
      plan(run, RACE_COPY_TMEM_LOAD, SMEM, random_area(g));
      plan(run, RACE_COPY_TMEM_STORE, TMEM, random_area(g));
      break;
    case RACE_TASK_TMEM_LOAD: plan(run, RACE_TMEM_LOAD, TMEM, random_area(g)); break;
    case RACE_TASK_TMEM_STORE: plan(run, RACE_TMEM_STORE, TMEM, random_area(g)); break;
    case RACE_TASK_COMMIT: break;
  }
}

/* Whether all that the operation follows is over, so that it may go on. */
static bool may_run(const program *g, const running *run) {
  for (uint32_t i = 0; i < g->run_count; i++)
    if (!g->runs[i].over && g->p.o->ops[run->op].before.has[g->runs[i].op]) return false;
  return true;
}

static void finish(program *g, running *run) {
  bool by_barrier = run->task == RACE_TASK_COPY || run->task == RACE_TASK_MMA || run->task == RACE_TASK_COMMIT;
  run->over = true;
  if (!by_barrier || below(g, 3) == 0) return;
  if (run->task == RACE_TASK_COPY && below(g, 4) == 0)
    play_signal(&g->p, below(g, PLAY_SEMAPHORES), run->unit, (int)run->op, 1 + below(g, 2));
  else
    play_arrive_op(&g->p, below(g, g->barriers), run->op);
}

static void advance(program *g, running *run) {
  if (run->over || !may_run(g, run)) return;
  if (run->done == run->count) {
    finish(g, run);
    return;
  }
  uint32_t i = run->done++;
  play_touch(&g->p, run->unit, (int)run->op, run->kinds[i], run->buffers[i], run->areas[i]);
}

static void issue(program *g) {
  running *run = &g->runs[g->run_count++];
  uint32_t pipe = below(g, 2), across = below(g, 6) == 0;
  *run = (running){.unit = random_unit(g), .task = (race_task)below(g, RACE_TASK_TMEM_STORE + 1)};
  while (!(g->tasks >> run->task & 1)) run->task = (race_task)below(g, RACE_TASK_TMEM_STORE + 1);
  run->op = play_issue(&g->p, run->unit, run->task, pipe, across);
  plan_task(g, run, pipe);
  bool at_once = run->task == RACE_TASK_TMEM_LOAD || run->task == RACE_TASK_TMEM_STORE || below(g, 3) == 0;
  for (uint32_t step = 0; at_once && step < 4; step++) advance(g, run);
}

/* Something happens to some operation: it goes on, is awaited, or ends. */
static void handle_op(program *g) {
  if (g->run_count == 0) return;
  uint32_t back = below(g, g->run_count < 6 ? g->run_count : 6);
  running *run = &g->runs[g->run_count - 1 - back];
  bool read = run->task == RACE_TASK_COPY;
  if (run->ended) return;
  if (!run->over)
    advance(g, run);
  else if (below(g, 3))
    play_await(&g->p, below(g, 4) ? run->unit : random_unit(g), run->op, read && below(g, 3) == 0);
  else
    run->ended = true, play_end(&g->p, run->op);
}

/* ---- units ---- */

static void part_or_join(program *g) {
  unit_id whole = below(g, g->wholes);
  if (g->parted[whole])
    play_join(&g->p, whole, whole + WHOLES);
  else
    play_fork(&g->p, whole, whole + WHOLES);
  g->parted[whole] = !g->parted[whole];
}

static void touch(program *g) {
  static const race_kind kinds[] = {RACE_LOAD, RACE_LOAD, RACE_ATOMIC, RACE_STORE};
  play_touch(&g->p, random_unit(g), -1, kinds[below(g, g->stores ? 4 : 3)], SMEM + below(g, 3), random_area(g));
}

static void synchronise(program *g) {
  unit_id unit = random_unit(g);
  switch (below(g, 12)) {
    case 0:
    case 1: play_fence(&g->p, unit); break;
    case 2:
    case 3:
    case 4: play_arrive(&g->p, below(g, g->barriers), unit); break;
    case 5:
    case 6:
    case 7:
    case 8: play_wait(&g->p, below(g, g->barriers), unit); break;
    case 9: play_signal(&g->p, below(g, PLAY_SEMAPHORES), unit, -1, 1 + below(g, 3)); break;
    case 10: play_take(&g->p, below(g, PLAY_SEMAPHORES), unit, 1 + below(g, 3), below(g, 3) == 0); break;
    default: below(g, 2) ? play_await_tmem(&g->p, unit) : play_commit_tmem(&g->p, unit);
  }
}

static void step(program *g) {
  uint32_t choice = below(g, 10 + g->pull);
  if (choice < 3)
    touch(g);
  else if (choice < 5)
    issue(g);
  else if (choice < 9)
    handle_op(g);
  else if (below(g, 8) == 0)
    part_or_join(g);
  else
    synchronise(g);
}

static int run_program(uint64_t seed) {
  static program g;
  g = (program){.random = {seed}};
  g.wholes = below(&g, 4) ? 3 : WHOLES;
  g.pull = below(&g, 60);
  g.tasks = 1u << below(&g, RACE_TASK_TMEM_STORE + 1) | 1u << below(&g, RACE_TASK_TMEM_STORE + 1);
  if (below(&g, 3) == 0) g.tasks = ~0u;
  g.stores = below(&g, 3) > 0;
  g.barriers = 1 + below(&g, PLAY_BARRIERS);
  play_start(&g.p, mem_default());
  uint32_t events = 10 + below(&g, EVENTS);
  for (uint32_t i = 0; i < events && !oracle_full(g.p.o); i++) step(&g);
  assert_false(race_failed(g.p.r));
  int racy = play_compare(&g.p);
  play_finish(&g.p);
  return racy;
}

static void detector_and_oracle_agree(void **state) {
  (void)state;
  random_state seeds = random_start("race_random");
  uint32_t with = 0, without = 0;
  for (uint32_t i = 0; i < PROGRAMS; i++) {
    uint64_t seed = random_next(&seeds);
    int racy = run_program(seed);
    if (racy < 0) fail_msg("program %u, seed %llu", i, (unsigned long long)seed);
    *(racy ? &with : &without) += 1;
  }
  printf("race_random: %u programs with a race, %u without\n", with, without);
  assert_true(with > PROGRAMS / 10 && without > PROGRAMS / 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(detector_and_oracle_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
