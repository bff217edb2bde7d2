/* The search for schedules against one that tries every order: on random little programs both must find the same ends,
 * and the search needs no more runs. */
#include "unit.h"

#include <string.h>

#include "host/schedule/explore.h"
#include "random.h"

enum { PROGRAMS = 2000, UNITS_MOST = 4, OPS_MOST = 5, BARRIERS = 2, SEMAPHORES = 2, ENDS_MOST = 4096, STEPS_MOST = 64 };

typedef enum op_kind { OP_ARRIVE, OP_WAIT, OP_TEST, OP_SIGNAL, OP_TAKE, OP_COUNT, OP_KINDS } op_kind;

/* A test or count that says no skips the operation behind it. */
typedef struct op {
  op_kind kind;
  uint32_t object;
  uint64_t amount;
} op;

typedef struct program {
  uint32_t units, ops[UNITS_MOST], expected[BARRIERS];
  op op[UNITS_MOST][OPS_MOST];
} program;

/* All that an end may differ in: where each unit is, what it was told, which phases and units of count were whose. */
typedef struct state {
  uint32_t at[UNITS_MOST];
  uint64_t told[UNITS_MOST][OPS_MOST];
  uint32_t arrived[BARRIERS], waits[BARRIERS][UNITS_MOST];
  uint64_t phase[BARRIERS], seen[BARRIERS][UNITS_MOST], given[SEMAPHORES], taken[SEMAPHORES], left_behind;
} state;

static program random_program(random_state *r) {
  program p = {.units = 2 + random_below(r, UNITS_MOST - 1)};
  for (uint32_t b = 0; b < BARRIERS; b++) p.expected[b] = 1 + random_below(r, 2);
  for (uint32_t u = 0; u < p.units; u++) {
    p.ops[u] = 1 + random_below(r, p.units == 2 ? OPS_MOST : p.units == 3 ? 4 : 2);
    for (uint32_t i = 0; i < p.ops[u]; i++)
      p.op[u][i] = (op){(op_kind)random_below(r, OP_KINDS), random_below(r, BARRIERS), 1 + random_below(r, 2)};
  }
  return p;
}

/* ---- what a step does ---- */

static const op *next_op(const program *p, const state *s, uint32_t u) {
  return s->at[u] < p->ops[u] ? &p->op[u][s->at[u]] : NULL;
}

static bool is_ready(const program *p, const state *s, uint32_t u) {
  const op *o = next_op(p, s, u);
  if (!o) return false;
  if (o->kind == OP_WAIT) return s->phase[o->object] > s->seen[o->object][u];
  return o->kind != OP_TAKE || s->given[o->object] - s->taken[o->object] >= o->amount;
}

static choice_touch arrive(const program *p, state *s, uint32_t b) {
  choice_touch touch = {.kind = CHOICE_ARRIVE, .object = b, .begin = s->phase[b]};
  touch.last = s->arrived[b] + 1 == p->expected[b];
  if (!touch.last) return s->arrived[b]++, touch;
  s->arrived[b] = 0;
  s->phase[b]++;
  for (uint32_t u = 0; u < p->units; u++)
    if (s->waits[b][u] && s->seen[b][u] + 1 < s->phase[b]) s->left_behind = 1;
  return touch;
}

/* Who comes when two phases more are over is too late. */
static void look(state *s, uint32_t b, uint32_t u) {
  if (s->seen[b][u] + 1 < s->phase[b]) s->left_behind = 1;
  s->waits[b][u] = 1;
}

static choice_touch see(state *s, uint32_t b, uint32_t u) {
  look(s, b, u);
  return (choice_touch){.kind = CHOICE_OBSERVE, .object = b, .begin = s->seen[b][u]++};
}

/* What the step tells its unit is put down as well. */
static choice_touch step(const program *p, state *s, uint32_t u) {
  const op *o = next_op(p, s, u);
  const uint32_t object = o->object, semaphore = BARRIERS + object;
  uint64_t *told = &s->told[u][s->at[u]++];
  choice_touch touch = {.object = semaphore};
  switch (o->kind) {
    case OP_ARRIVE: touch = arrive(p, s, object); break;
    case OP_WAIT: touch = see(s, object, u); break;
    case OP_TEST:
      *told = s->phase[object] > s->seen[object][u];
      if (*told) look(s, object, u), s->seen[object][u]++;
      touch = (choice_touch){.kind = CHOICE_TEST, .object = object};
      if (!*told && s->at[u] < p->ops[u]) s->at[u]++;
      return touch;
    case OP_SIGNAL:
      touch = (choice_touch){.kind = CHOICE_SIGNAL, .object = semaphore, .begin = s->given[object]};
      touch.end = s->given[object] += o->amount;
      break;
    case OP_TAKE:
      touch = (choice_touch){.kind = CHOICE_TAKE, .object = semaphore, .begin = s->taken[object]};
      touch.end = s->taken[object] += o->amount;
      break;
    default:
      touch.kind = CHOICE_COUNT;
      *told = s->given[object] - s->taken[object];
      if (*told == 0 && s->at[u] < p->ops[u]) s->at[u]++;
      return touch;
  }
  *told = touch.begin;
  return touch;
}

/* ---- ends ---- */

typedef struct ends {
  const program *program;
  state state, found[ENDS_MOST];
  uint32_t count;
  uint64_t runs;
} ends;

static void begin(ends *e, const program *p) {
  e->program = p;
  e->count = 0;
  e->runs = 0;
  memset(&e->state, 0, sizeof e->state);
}

static void note_end(ends *e) {
  e->runs++;
  for (uint32_t i = 0; i < e->count; i++)
    if (memcmp(&e->found[i], &e->state, sizeof e->state) == 0) return;
  assert_true(e->count < ENDS_MOST);
  memcpy(&e->found[e->count++], &e->state, sizeof e->state);
}

/* Every order; false when there are too many. */
static bool try_every_order(ends *e, uint64_t most) {
  const state before = e->state;
  bool any = false;
  for (uint32_t u = 0; u < e->program->units; u++) {
    if (!is_ready(e->program, &e->state, u)) continue;
    any = true;
    step(e->program, &e->state, u);
    if (!try_every_order(e, most)) return false;
    memcpy(&e->state, &before, sizeof before);
  }
  if (!any) note_end(e);
  return e->runs <= most;
}

static void tell_stuck(const ends *e, const chooser *by) {
  for (uint32_t u = 0; u < e->program->units; u++) {
    const op *o = next_op(e->program, &e->state, u);
    if (!o || o->kind != OP_TAKE) continue;
    const choice_touch wish = {.kind = CHOICE_TAKE, .object = BARRIERS + o->object, .begin = 0, .end = UINT64_MAX};
    by->stuck(by->user, &(choice_step){u, &wish, 1, NULL});
  }
}

static bool run_once(void *user, const chooser *by) {
  ends *e = user;
  memset(&e->state, 0, sizeof e->state);
  for (;;) {
    choice_who ready[UNITS_MOST];
    uint32_t count = 0;
    for (uint32_t u = 0; u < e->program->units; u++)
      if (is_ready(e->program, &e->state, u)) ready[count++] = u;
    if (count == 0) break;
    const choice_who who = by->choose(by->user, ready, count);
    if (who == CHOICE_NONE) break;
    const choice_touch touch = step(e->program, &e->state, (uint32_t)who);
    by->made(by->user, &(choice_step){who, &touch, 1, NULL}, false);
  }
  tell_stuck(e, by);
  return true;
}

static bool note_schedule(void *user, const choice_who *choices, uint32_t count) {
  (void)choices;
  assert_true(count <= UNITS_MOST * OPS_MOST);
  note_end(user);
  return true;
}

static void show(const program *p) {
  static const char *const kinds[] = {"arrive", "wait", "test", "signal", "take", "count"};
  for (uint32_t b = 0; b < BARRIERS; b++) print_message("barrier %u takes %u\n", b, p->expected[b]);
  for (uint32_t u = 0; u < p->units; u++)
    for (uint32_t i = 0; i < p->ops[u]; i++)
      print_message("unit %u: %s %u by %llu\n", u, kinds[p->op[u][i].kind], p->op[u][i].object,
                    (unsigned long long)p->op[u][i].amount);
}

static void finds_every_end(void **unused) {
  (void)unused;
  static ends every, searched;
  random_state random = random_start("explore");
  uint64_t orders = 0, schedules = 0, programs = 0;
  for (uint32_t i = 0; i < PROGRAMS; i++) {
    const program p = random_program(&random);
    begin(&every, &p);
    begin(&searched, &p);
    if (!try_every_order(&every, 20000)) continue;
    const explore_desc desc = {.mem = mem_default(), .user = &searched, .run = run_once, .ended = note_schedule};
    const explore_result result = explore(&desc);
    assert_true(result.complete && !result.failed);
    assert_int_equal(result.schedules, searched.runs);
    assert_true(searched.runs + result.cut <= every.runs);
    if (searched.count != every.count) show(&p);
    assert_int_equal(searched.count, every.count);
    for (uint32_t k = 0; k < every.count; k++) {
      bool known = false;
      for (uint32_t j = 0; j < searched.count && !known; j++)
        known = memcmp(&every.found[k], &searched.found[j], sizeof(state)) == 0;
      assert_true(known);
    }
    programs++;
    orders += every.runs;
    schedules += searched.runs + result.cut;
  }
  print_message("%llu programs: %llu orders, %llu runs of the search\n", (unsigned long long)programs,
                (unsigned long long)orders, (unsigned long long)schedules);
  assert_true(programs > PROGRAMS / 2 && schedules * 4 < orders);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(finds_every_end)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
