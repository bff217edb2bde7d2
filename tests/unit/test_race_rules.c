/* The rules of the GPU machine's memory, one small program each: who is ordered after whom, and which edge lacks when
 * nobody is. Each program also goes to the oracle.
 *
 * A statement is UNIT VERB OPERANDS; statements are parted by ';'. Buffers are t (tmem), s and z (smem) and g (gmem),
 * whole or as s[first:end:step]; barriers are numbers, 4 and 5 want two arrivals; operations have a letter.
 *   load store atomic B | fence | arrive N | wait N | signal N | take N [keep] | fork U | join U
 *   in X SRC DST [N] | out X SRC DST | add X SRC DST | cp X SRC DST | mma X ACC A B [N] | wg X A | commit N
 *   await X [read] | tload B | tstore B | tawait | tcommit */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "race_play.h"

#define MAX_WORDS 8
#define NONE RACE_EDGES /* no race */

typedef struct statement {
  char text[128];
  char *words[MAX_WORDS];
  uint32_t count;
  unit_id unit;
} statement;

typedef struct script {
  play p;
  uint32_t op_of[26];
} script;

static void split(statement *s, const char *from, size_t size) {
  *s = (statement){0};
  assert_true(size < sizeof s->text);
  memcpy(s->text, from, size);
  for (char *word = strtok(s->text, " "); word; word = strtok(NULL, " ")) {
    assert_true(s->count < MAX_WORDS);
    s->words[s->count++] = word;
  }
  s->unit = (unit_id)strtoul(s->words[0], NULL, 10);
}

static uint32_t number(const statement *s, uint32_t word) { return (uint32_t)strtoul(s->words[word], NULL, 10); }

/* "s[2:10:3]": the buffer's number and its elements. */
static uint32_t operand(const statement *s, uint32_t word, race_area *area) {
  static const char buffers[] = "tsgz";
  const char *name = s->words[word];
  int first = 0, end = ORACLE_ELEMENTS, step = 1;
  if (name[1] == '[') sscanf(name + 1, "[%d:%d:%d", &first, &end, &step);
  *area = (race_area){.offset = first, .rank = 1, .extents = {(end - first + step - 1) / step}, .strides = {step}};
  return (uint32_t)(strchr(buffers, name[0]) - buffers);
}

static uint32_t touch(script *c, const statement *s, int op, race_kind kind, uint32_t word) {
  race_area area;
  uint32_t buffer = operand(s, word, &area);
  play_touch(&c->p, s->unit, op, kind, buffer, area);
  return buffer;
}

/* ---- verbs ---- */

typedef struct verb {
  const char *name;
  void (*play)(script *, const statement *, const struct verb *);
  race_task task;
  race_kind load, store;
} verb;

static int issue(script *c, const statement *s, const verb *v, uint32_t pipe) {
  return (int)play_issue(&c->p, s->unit, v->task, pipe, 0);
}

static void name_it(script *c, const statement *s, int op) { c->op_of[s->words[2][0] - 'a'] = (uint32_t)op; }

/* The operation may arrive on a barrier: then it is done, but not ended; it may still be awaited. */
static void name_and_arrive(script *c, const statement *s, int op, uint32_t arrival) {
  name_it(c, s, op);
  if (s->count > arrival) play_arrive_op(&c->p, number(s, arrival), (uint32_t)op);
}

static void play_access(script *c, const statement *s, const verb *v) { touch(c, s, -1, v->load, 2); }

static void play_tmem(script *c, const statement *s, const verb *v) { touch(c, s, issue(c, s, v, 0), v->load, 2); }

static void play_wgmma(script *c, const statement *s, const verb *v) {
  int op = issue(c, s, v, 0);
  touch(c, s, op, v->load, 3);
  name_it(c, s, op);
}

static void play_copy(script *c, const statement *s, const verb *v) {
  int op = issue(c, s, v, 0);
  touch(c, s, op, v->load, 3);
  touch(c, s, op, v->store, 4);
  name_and_arrive(c, s, op, 5);
}

static void play_mma(script *c, const statement *s, const verb *v) {
  race_area acc;
  operand(s, 3, &acc);
  int op = issue(c, s, v, (uint32_t)acc.offset);
  for (uint32_t word = 4; word < 6; word++)
    touch(c, s, op, s->words[word][0] == 't' ? RACE_MMA_LOAD_TMEM : RACE_MMA_LOAD_SMEM, word);
  touch(c, s, op, v->store, 3);
  name_and_arrive(c, s, op, 6);
}

static void play_commit(script *c, const statement *s, const verb *v) {
  play_arrive_op(&c->p, number(s, 2), (uint32_t)issue(c, s, v, 0));
}

/* Verbs that are one call. */
#define PLAY_UNIT(verb_name, call)                                             \
  static void verb_name(script *c, const statement *s, const struct verb *v) { \
    (void)v;                                                                   \
    call;                                                                      \
  }
PLAY_UNIT(play_awaited, play_await(&c->p, s->unit, c->op_of[s->words[2][0] - 'a'], s->count > 3))
PLAY_UNIT(play_taken, assert_true(play_take(&c->p, number(s, 2), s->unit, 1, s->count > 3)))
PLAY_UNIT(play_signalled, play_signal(&c->p, number(s, 2), s->unit, -1, 1))
PLAY_UNIT(play_waited, assert_true(play_wait(&c->p, number(s, 2), s->unit)))
PLAY_UNIT(play_fenced, play_fence(&c->p, s->unit))
PLAY_UNIT(play_arrival, play_arrive(&c->p, number(s, 2), s->unit))
PLAY_UNIT(play_forked, play_fork(&c->p, s->unit, number(s, 2)))
PLAY_UNIT(play_joined, play_join(&c->p, s->unit, number(s, 2)))
PLAY_UNIT(play_loads_over, play_await_tmem(&c->p, s->unit))
PLAY_UNIT(play_stores_over, play_commit_tmem(&c->p, s->unit))

static const verb VERBS[] = {
    {.name = "load", .play = play_access, .load = RACE_LOAD},
    {.name = "store", .play = play_access, .load = RACE_STORE},
    {.name = "atomic", .play = play_access, .load = RACE_ATOMIC},
    {.name = "in", .play = play_copy, .task = RACE_TASK_COPY, .load = RACE_COPY_IN_LOAD, .store = RACE_COPY_IN_STORE},
    {.name = "out",
     .play = play_copy,
     .task = RACE_TASK_COPY,
     .load = RACE_COPY_OUT_LOAD,
     .store = RACE_COPY_OUT_STORE},
    {.name = "add",
     .play = play_copy,
     .task = RACE_TASK_COPY,
     .load = RACE_COPY_OUT_LOAD,
     .store = RACE_COPY_OUT_UPDATE},
    {.name = "cp",
     .play = play_copy,
     .task = RACE_TASK_COPY_TMEM,
     .load = RACE_COPY_TMEM_LOAD,
     .store = RACE_COPY_TMEM_STORE},
    {.name = "mma", .play = play_mma, .task = RACE_TASK_MMA, .store = RACE_MMA_STORE},
    {.name = "wg", .play = play_wgmma, .task = RACE_TASK_WGMMA, .load = RACE_WGMMA_LOAD},
    {.name = "tload", .play = play_tmem, .task = RACE_TASK_TMEM_LOAD, .load = RACE_TMEM_LOAD},
    {.name = "tstore", .play = play_tmem, .task = RACE_TASK_TMEM_STORE, .load = RACE_TMEM_STORE},
    {.name = "commit", .play = play_commit, .task = RACE_TASK_COMMIT},
    {.name = "await", .play = play_awaited},
    {.name = "tawait", .play = play_loads_over},
    {.name = "tcommit", .play = play_stores_over},
    {.name = "fence", .play = play_fenced},
    {.name = "arrive", .play = play_arrival},
    {.name = "wait", .play = play_waited},
    {.name = "signal", .play = play_signalled},
    {.name = "take", .play = play_taken},
    {.name = "fork", .play = play_forked},
    {.name = "join", .play = play_joined},
};

static void play_statement(script *c, const statement *s) {
  for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
    if (strcmp(VERBS[i].name, s->words[1]) != 0) continue;
    VERBS[i].play(c, s, &VERBS[i]);
    return;
  }
  fail_msg("no such verb: %s", s->words[1]);
}

/* ---- rules ---- */

typedef struct rule {
  const char *name;
  race_edge edge; /* that lacks, or NONE */
  const char *text;
} rule;

static race_edge play_rule(const rule *row) {
  script c = {0};
  play_start(&c.p, mem_default());
  for (const char *at = row->text; *at; at += strspn(at, "; ")) {
    statement s;
    size_t size = strcspn(at, ";");
    split(&s, at, size);
    play_statement(&c, &s);
    at += size;
  }
  int racy = play_compare(&c.p);
  uint32_t reports = race_report_count(c.p.r);
  race_edge edge = reports ? race_report_at(c.p.r, 0)->edge : NONE;
  if (racy < 0 || (racy > 0) != (reports > 0)) fail_msg("%s: the oracle disagrees", row->name);
  play_finish(&c.p);
  return edge;
}

static void play_rules(const rule *rules, size_t count) {
  for (size_t i = 0; i < count; i++) {
    race_edge edge = play_rule(&rules[i]);
    if (edge != rules[i].edge)
      fail_msg("%s: %s: wanted edge %d, got %d", rules[i].name, rules[i].text, rules[i].edge, edge);
  }
}

#define RULES(test, ...)                             \
  static void test(void **state) {                   \
    (void)state;                                     \
    static const rule rules[] = {__VA_ARGS__};       \
    play_rules(rules, sizeof rules / sizeof *rules); \
  }
#define RACE(edge) RACE_EDGE_##edge

RULES(units_and_barriers, {"two units write", RACE(ORDER), "0 store g; 1 store g"},
      {"one unit writes twice", NONE, "0 store g; 0 load g; 0 store g"}, {"two units read", NONE, "0 load g; 1 load g"},
      {"a read, then another unit's write", RACE(ORDER), "0 load g; 1 store g"},
      {"neighbours are apart", NONE, "0 store g[0:63]; 1 store g[63:64]; 2 store g[64:70]"},
      {"strides are exact", NONE, "0 store g[0:99:3]; 1 store g[1:99:3]; 2 load g[2:99:3]"},
      {"strides that meet", RACE(ORDER), "0 store g[0:99:3]; 1 store g[1:99:2]"},
      {"a barrier hands over", NONE, "0 store g; 0 arrive 0; 1 wait 0; 1 load g"},
      {"without the wait", RACE(ORDER), "0 store g; 0 arrive 0; 1 load g"},
      {"what comes after the arrival is not handed over", RACE(ORDER), "0 arrive 0; 0 store g; 1 wait 0; 1 load g"},
      {"hand-overs add up", NONE, "0 store g; 0 arrive 0; 1 wait 0; 1 arrive 1; 2 wait 1; 2 store g"},
      {"all arrivals of a phase count", NONE,
       "0 store g[0:4]; 1 store g[4:8]; 0 arrive 4; 1 arrive 4; 2 wait 4; 2 load g[0:8]"},
      {"the write before the last", NONE, "0 store g; 0 arrive 0; 1 wait 0; 1 store g; 1 arrive 1; 2 wait 1; 2 load g"},
      {"a read between is not forgotten", RACE(ORDER),
       "0 store g; 0 arrive 0; 1 wait 0; 2 wait 0; 1 load g; 2 load g; 2 arrive 1; 3 wait 1; 3 store g"},
      {"fork and join order", NONE, "0 store g; 0 fork 3; 3 load g; 3 store s; 0 join 3; 0 load s"},
      {"parts are not ordered", RACE(ORDER), "0 fork 3; 0 fork 4; 3 store s; 4 store s"},
      {"atomics do not race with each other", NONE, "0 atomic g; 1 atomic g; 0 atomic g"},
      {"but with loads", RACE(ORDER), "0 atomic g; 1 load g"},
      {"and a load before them", RACE(ORDER), "0 load g; 1 atomic g"},
      {"and with stores", RACE(ORDER), "0 store g; 1 atomic g"})

/* JAX restarts its clocks with each cluster and keeps the log: who has counted as far as another is compared with it;
 * the spec's 9.3. Here clusters are units that nothing orders, whatever they did before. */
RULES(clusters_are_apart,
      {"as many events in both", RACE(ORDER),
       "0 load g[0:8]; 0 arrive 0; 0 store g[8:16]; 1 load g[0:8]; 1 arrive 1; 1 store g[8:16]"},
      {"more events in the second", RACE(ORDER),
       "0 store g; 1 arrive 1; 1 wait 1; 1 arrive 1; 1 wait 1; 1 arrive 1; 1 store g"},
      {"more events in the first", RACE(ORDER), "0 arrive 0; 0 wait 0; 0 arrive 0; 0 wait 0; 0 store g; 1 store g"},
      {"a semaphore orders them", NONE, "0 store g; 0 signal 0; 1 take 0; 1 store g"})

/* JAX joins all arrivals ever made; the spec's 3.1. */
RULES(phases_are_apart,
      {"an arrival towards the next phase is not learnt", RACE(ORDER),
       "0 arrive 4; 1 arrive 4; 0 store g; 0 arrive 4; 1 wait 4; 1 load g"},
      {"until that phase is waited for", NONE,
       "0 arrive 4; 1 arrive 4; 0 store g; 0 arrive 4; 2 arrive 4; 1 wait 4; 1 load g"},
      {"an older phase goes on to count through its waiters", NONE,
       "0 store g; 0 arrive 0; 1 wait 0; 2 arrive 0; 1 arrive 1; 3 wait 1; 3 load g"})

RULES(semaphores, {"a signal hands over", NONE, "0 store g; 0 signal 0; 1 take 0; 1 load g"},
      {"each unit of count carries its own signal", RACE(ORDER),
       "0 signal 0; 1 store g; 1 signal 0; 2 take 0; 2 load g"},
      {"so two of them carry both", NONE, "0 signal 0; 1 store g; 1 signal 0; 2 take 0; 2 take 0; 2 load g"},
      {"a wait that keeps the count learns, too", NONE,
       "0 store g; 0 signal 0; 1 take 0 keep; 2 take 0; 1 load g; 2 load g"},
      {"other semaphores do not", RACE(ORDER), "0 store g; 0 signal 0; 0 signal 1; 1 load g"})

RULES(copies_in, {"waited for", NONE, "0 in a g s 0; 0 wait 0; 0 load s"},
      {"not waited for", RACE(ARRIVAL), "0 in a g s 0; 0 load s"},
      {"in another unit", NONE, "0 in a g s 0; 1 wait 0; 1 load s"},
      {"in another unit, not waited for", RACE(ARRIVAL), "0 in a g s 0; 1 load s"},
      {"waiting for another copy's barrier", RACE(ARRIVAL), "0 in a g s 0; 0 in b g z 1; 0 wait 1; 0 load s"},
      {"two copies on one barrier", NONE, "0 in a g s[0:8] 4; 0 in b g s[8:16] 4; 1 wait 4; 1 load s[0:16]"},
      {"onto one place", RACE(ARRIVAL), "0 in a g s 4; 0 in b g s 4"},
      {"a second one after the first was waited for needs no fence", NONE, "0 in a g s 0; 0 wait 0; 0 in b g s 1"},
      {"nor in another unit", NONE, "0 in a g s 0; 1 wait 0; 1 in b g s 1"},
      {"over one's own store", RACE(FENCE), "0 store s; 0 in a g s 0"},
      {"after a fence", NONE, "0 store s; 0 fence; 0 in a g s 0"},
      {"a fence before the store", RACE(FENCE), "0 fence; 0 store s; 0 in a g s 0"},
      {"a fence after the issue", RACE(FENCE), "0 store s; 0 in a g s 0; 0 fence"},
      {"over one's own load", RACE(FENCE), "0 load s; 0 in a g s 0"},
      {"over another's store: the writer fences", NONE, "0 store s; 0 fence; 0 arrive 0; 1 wait 0; 1 in a g s 1"},
      {"over another's store: the issuer fences", NONE, "0 store s; 0 arrive 0; 1 wait 0; 1 fence; 1 in a g s 1"},
      {"over another's store: nobody fences", RACE(FENCE), "0 store s; 0 arrive 0; 1 wait 0; 1 in a g s 1"},
      {"over another's store: fences too early", RACE(FENCE),
       "0 fence; 0 store s; 0 arrive 0; 1 fence; 1 wait 0; 1 in a g s 1"},
      {"over another's store: fenced after the arrival", RACE(FENCE),
       "0 store s; 0 arrive 0; 0 fence; 1 wait 0; 1 in a g s 1"},
      {"from gmem just stored: no fence is asked for", NONE, "0 store g; 0 in a g s 0"},
      {"the source is read until it arrives", RACE(ARRIVAL), "0 in a g s 0; 0 store g"},
      {"the source after it arrived", NONE, "0 in a g s 0; 0 wait 0; 0 store g"},
      {"awaited without a barrier", NONE, "0 in a g s; 0 await a; 0 load s"},
      {"observed, then passed on", NONE, "0 in a g s 0; 1 wait 0; 1 arrive 1; 2 wait 1; 2 store s; 2 store g"})

RULES(copies_out, {"of one's own store", RACE(FENCE), "0 store s; 0 out a s g"},
      {"after a fence", NONE, "0 store s; 0 fence; 0 out a s g"},
      {"the source is overwritten", RACE(AWAIT_COPIES), "0 out a s g; 0 store s"},
      {"the source is read", NONE, "0 out a s g; 0 load s"},
      {"awaited for reading: the source is free", NONE, "0 out a s g; 0 await a read; 0 store s"},
      {"awaited for reading: the destination is not", RACE(AWAIT_WRITE), "0 out a s g; 0 await a read; 0 load g"},
      {"awaited", NONE, "0 out a s g; 0 await a; 0 store s; 0 load g"},
      {"awaited twice", NONE, "0 out a s g; 0 await a read; 0 await a; 0 await a; 0 store g"},
      {"the older one awaited", RACE(AWAIT_COPIES),
       "0 out a s[0:4] g[0:4]; 0 out b s[4:8] g[4:8]; 0 await a; 0 load g[0:8]"},
      {"two onto one place", RACE(AWAIT_COPIES), "0 out a s g; 0 out b z g"},
      {"awaited and passed on", NONE, "0 out a s g; 0 await a; 0 arrive 0; 1 wait 0; 1 load g; 1 store s"},
      {"passed on, not awaited", RACE(AWAIT_COPIES), "0 out a s g; 0 arrive 0; 1 wait 0; 1 load g"},
      {"another unit that never heard of it", RACE(ORDER), "0 out a s g; 1 load g"},
      {"two blocks' onto one place", RACE(ORDER), "0 out a s g; 1 out b z g"},
      {"over one's own store to gmem: judged as in smem", RACE(FENCE), "0 store g; 0 out a s g"},
      {"a load of gmem before it, through an awaited copy in", RACE(FENCE),
       "0 load g; 0 in a g s 0; 0 wait 0; 0 out b z g"},
      {"sums do not race", NONE, "0 add a s g; 1 add b z g; 0 add c s g"},
      {"but with a load", RACE(AWAIT_COPIES), "0 add a s g; 0 load g"})

/* JAX hands out a few clock slots round robin, so five more copies make it forget; the spec's 4.3. */
RULES(any_number_of_operations,
      {"the first of many", RACE(ARRIVAL),
       "0 in a g s 0; 0 in b g z[0:2] 1; 0 wait 1; 0 in c g z[2:4] 1; 0 wait 1; 0 in d g z[4:6] 1; 0 wait 1;"
       "0 in e g z[6:8] 1; 0 wait 1; 0 fence; 0 in f g s 2"},
      {"waiting for the fifth is not waiting for the first", RACE(ARRIVAL),
       "0 in a g s 0; 0 in b g z[0:2] 1; 0 wait 1; 0 in c g z[2:4] 1; 0 wait 1; 0 in d g z[4:6] 1; 0 wait 1;"
       "0 in e g z[6:8] 1; 0 wait 1; 0 in f g z[8:9] 1; 0 wait 1; 0 load s"},
      {"an uncommitted store to tmem, five operations on", RACE(COMMIT_TMEM),
       "0 tstore t[0:8]; 0 in b g z[0:2] 1; 0 in c g z[2:4] 1; 0 in d g z[4:6] 1; 0 in e g z[6:8] 1;"
       "0 mma f t[0:8] s s 0"})

RULES(products_in_registers, {"operand just stored", RACE(FENCE), "0 store s; 0 wg a s"},
      {"operand fenced", NONE, "0 store s; 0 fence; 0 wg a s"},
      {"operand overwritten", RACE(AWAIT_MMA), "0 wg a s; 0 store s"},
      {"operand overwritten after the wait", NONE, "0 wg a s; 0 await a; 0 store s"},
      {"operand refilled by another unit", NONE, "0 wg a s; 0 await a; 0 arrive 0; 1 wait 0; 1 in b g s 1"},
      {"operand refilled too early", RACE(AWAIT_MMA), "0 wg a s; 0 arrive 0; 1 wait 0; 1 in b g s 1"})

RULES(tensor_memory, {"store, load", RACE(COMMIT_TMEM), "0 tstore t; 0 tload t"},
      {"store, commit, load", NONE, "0 tstore t; 0 tcommit; 0 tload t"},
      {"store, await, load", RACE(COMMIT_TMEM), "0 tstore t; 0 tawait; 0 tload t"},
      {"load, store", RACE(AWAIT_TMEM), "0 tload t; 0 tstore t"},
      {"load, await, store", NONE, "0 tload t; 0 tawait; 0 tstore t"},
      {"load, commit, store", RACE(AWAIT_TMEM), "0 tload t; 0 tcommit; 0 tstore t"},
      {"loads do not race", NONE, "0 tload t; 0 tload t; 1 tload t"},
      {"stores do", RACE(COMMIT_TMEM), "0 tstore t; 0 tstore t"},
      {"store, then an operand of a product", RACE(COMMIT_TMEM), "0 tstore t[8:16]; 0 mma a t[0:8] t[8:16] s"},
      {"store, then its accumulator", RACE(COMMIT_TMEM), "0 tstore t[0:8]; 0 mma a t[0:8] s s"},
      {"commit of a product waits for no store", RACE(COMMIT_TMEM), "0 tstore t; 0 commit 0; 0 wait 0; 0 tload t"},
      {"handed over awaited", NONE, "0 tstore t; 0 tcommit; 0 arrive 0; 1 wait 0; 1 tload t"},
      {"handed over not awaited", RACE(COMMIT_TMEM), "0 tstore t; 0 arrive 0; 1 wait 0; 1 tcommit; 1 tload t"},
      {"a part's store, committed by the whole", NONE, "0 fork 3; 3 tstore t; 0 join 3; 0 tcommit; 0 tload t"})

RULES(products_in_tensor_memory, {"result unawaited", RACE(COMMIT_MMA), "0 mma a t[0:8] s s; 0 tload t[0:8]"},
      {"by its barrier", NONE, "0 mma a t[0:8] s s 0; 0 wait 0; 0 tload t[0:8]"},
      {"by a commit", NONE, "0 mma a t[0:8] s s; 0 commit 0; 0 wait 0; 0 tload t[0:8]"},
      {"by a commit nobody waited for", RACE(COMMIT_MMA), "0 mma a t[0:8] s s; 0 commit 0; 0 tload t[0:8]"},
      {"one accumulator is a pipe", NONE, "0 mma a t[0:8] s s; 0 mma b t[0:8] s s; 0 mma c t[0:8] s s"},
      {"whose end stands for all of it", NONE,
       "0 mma a t[0:8] s s; 0 mma b t[0:8] z z 0; 0 wait 0; 0 store s; 0 store z; 0 tload t[0:8]"},
      {"and whose middle for its beginning only", RACE(COMMIT_MMA),
       "0 mma a t[0:8] s s 0; 0 mma b t[0:8] z z; 0 wait 0; 0 tload t[0:8]"},
      {"accumulators that overlap are none", RACE(COMMIT_MMA), "0 mma a t[0:8] s s; 0 mma b t[4:12] s s"},
      {"a commit covers what came before it", NONE,
       "0 mma a t[0:8] s s; 0 commit 0; 0 mma b t[8:16] s s; 0 wait 0; 0 tload t[0:8]"},
      {"and nothing after it", RACE(COMMIT_MMA),
       "0 mma a t[0:8] s s; 0 commit 0; 0 mma b t[8:16] s s; 0 wait 0; 0 tload t[8:16]"},
      {"nor another unit's", RACE(COMMIT_MMA),
       "0 mma a t[0:8] s s; 0 arrive 0; 1 wait 0; 1 commit 1; 1 wait 1; 1 tload t[0:8]"},
      {"but its part's", NONE, "0 fork 3; 3 mma a t[0:8] s s; 0 join 3; 0 commit 0; 0 wait 0; 0 tload t[0:8]"},
      {"the pipe goes on in another unit", NONE, "0 mma a t[0:8] s s; 0 arrive 0; 1 wait 0; 1 mma b t[0:8] s s"},
      {"if that one heard of it", RACE(COMMIT_MMA), "0 mma a t[0:8] s s; 1 mma b t[0:8] s s"},
      {"through a copy's arrival, too", NONE, "0 mma a t[0:8] s s; 0 in b g z 0; 1 wait 0; 1 mma c t[0:8] s s"},
      {"and that one's wait is the first one's, too", NONE,
       "0 mma a t[0:8] s s; 0 arrive 0; 1 wait 0; 1 mma b t[0:8] z z 1; 2 wait 1; 2 tload t[0:8]; 2 store s"},
      {"two that follow one are not ordered", RACE(COMMIT_MMA),
       "0 mma a t[0:8] s s; 0 arrive 0; 1 wait 0; 1 mma b t[0:8] s s; 0 mma c t[0:8] s s"},
      {"operand just stored", RACE(FENCE), "0 store s; 0 mma a t[0:8] s s"},
      {"operand fenced", NONE, "0 store s; 0 fence; 0 mma a t[0:8] s s"},
      {"operand overwritten", RACE(COMMIT_MMA), "0 mma a t[0:8] s s; 0 store s"},
      {"operand overwritten after the wait", NONE, "0 mma a t[0:8] s s 0; 0 wait 0; 0 store s"},
      {"operand refilled after the wait needs no fence", NONE, "0 mma a t[0:8] s s 0; 0 wait 0; 0 in b g s 1"},
      {"operand in tmem overwritten", RACE(COMMIT_MMA), "0 mma a t[0:8] t[8:16] s; 0 tstore t[8:16]"},
      {"a copy's arrival says nothing of the product", RACE(COMMIT_MMA),
       "0 mma a t[0:8] s s; 0 in b g z 0; 0 wait 0; 0 tload t[0:8]"})

RULES(copies_to_tensor_memory, {"of one's own store", RACE(FENCE), "0 store s; 0 cp a s t[8:16]"},
      {"then a product", NONE, "0 cp a s t[8:16]; 0 mma b t[0:8] t[8:16] z"},
      {"into its accumulator", NONE, "0 cp a s t[0:8]; 0 mma b t[0:8] z z"},
      {"after a product", RACE(COMMIT_MMA), "0 mma b t[0:8] z z; 0 cp a s t[0:8]"},
      {"after a product that was waited for", NONE, "0 mma b t[0:8] z z 0; 0 wait 0; 0 cp a s t[0:8]"},
      {"two onto one place", RACE(COMMIT_MMA), "0 cp a s t[0:8]; 0 cp b s t[0:8]"},
      {"its result loaded", RACE(COMMIT_MMA), "0 cp a s t[0:8]; 0 tload t[0:8]"},
      {"committed", NONE, "0 cp a s t[0:8]; 0 commit 0; 0 wait 0; 0 tload t[0:8]; 0 store s"},
      {"its source overwritten", RACE(COMMIT_MMA), "0 cp a s t[0:8]; 0 store s"},
      {"for products on several accumulators", NONE,
       "0 cp a s t[16:24]; 0 mma b t[0:8] t[16:24] z; 0 mma c t[8:16] t[16:24] z 0; 0 wait 0; 0 store s"},
      {"in another unit", NONE, "0 cp a s t[8:16]; 0 arrive 0; 1 wait 0; 1 mma b t[0:8] t[8:16] z"})

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(units_and_barriers),
      cmocka_unit_test(clusters_are_apart),
      cmocka_unit_test(phases_are_apart),
      cmocka_unit_test(semaphores),
      cmocka_unit_test(copies_in),
      cmocka_unit_test(copies_out),
      cmocka_unit_test(any_number_of_operations),
      cmocka_unit_test(products_in_registers),
      cmocka_unit_test(tensor_memory),
      cmocka_unit_test(products_in_tensor_memory),
      cmocka_unit_test(copies_to_tensor_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
