/* The search. A node for every step of the present run keeps what was ready there, what was tried, and which steps of
 * the run came before it of necessity. */
#include "host/schedule/explore.h"

#include <string.h>

typedef struct who_list {
  choice_who *data;
  uint32_t count, capacity;
} who_list;

/* A step that was made here before; nothing new would come of it as long as only others are made that keep it. */
typedef struct sleeper {
  choice_who who;
  choice_touch *touches;
  uint32_t count;
} sleeper;

typedef struct node {
  who_list ready, todo; /* todo: what is tried, or to be tried */
  choice_step step;     /* made in the present run */
  choice_touch *touches;
  uint32_t touch_capacity;
  uint64_t *before; /* a bit for each step that had to come before this one */
  uint32_t words;
  sleeper *asleep;
  uint32_t asleep_count, asleep_capacity;
} node;

typedef struct search {
  const explore_desc *desc;
  explore_result result;
  node *nodes; /* of the present run; those behind `depth` are kept for their memory */
  uint32_t depth, node_count, node_capacity;
  uint32_t fixed; /* steps whose choice is given: all but the last of them are made as before */
  bool cut;
} search;

/* ---- memory ---- */

/* Room for `wanted` of `size` bytes each; false when memory is out. */
static bool reserve(search *s, void *data, uint32_t *capacity, uint32_t wanted, size_t size) {
  if (wanted <= *capacity) return true;
  void **at = data, *grown = mem_grow(s->desc->mem, *at, capacity, wanted, size);
  if (!grown) return s->result.failed = true, false;
  *at = grown;
  return true;
}

static bool has(const who_list *list, choice_who who) {
  for (uint32_t i = 0; i < list->count; i++)
    if (list->data[i] == who) return true;
  return false;
}

static void add(search *s, who_list *list, choice_who who) {
  if (has(list, who) || !reserve(s, &list->data, &list->capacity, list->count + 1, sizeof who)) return;
  list->data[list->count++] = who;
}

static void free_asleep(search *s, node *n, uint32_t from) {
  for (uint32_t i = from; i < n->asleep_count; i++)
    mem_free(s->desc->mem, n->asleep[i].touches, n->asleep[i].count * sizeof(choice_touch));
  n->asleep_count = from;
}

static void put_asleep(search *s, node *n, const choice_step *step) {
  if (!reserve(s, &n->asleep, &n->asleep_capacity, n->asleep_count + 1, sizeof *n->asleep)) return;
  choice_touch *touches = mem_alloc(s->desc->mem, step->count * sizeof *touches);
  if (!touches && step->count > 0) {
    s->result.failed = true;
    return;
  }
  if (step->count > 0) memcpy(touches, step->touches, step->count * sizeof *touches);
  n->asleep[n->asleep_count++] = (sleeper){step->who, touches, step->count};
}

static bool is_asleep(const node *n, choice_who who) {
  for (uint32_t i = 0; i < n->asleep_count; i++)
    if (n->asleep[i].who == who) return true;
  return false;
}

static void free_search(search *s) {
  const mem m = s->desc->mem;
  for (uint32_t i = 0; i < s->node_count; i++) {
    node *n = &s->nodes[i];
    free_asleep(s, n, 0);
    mem_free(m, n->asleep, n->asleep_capacity * sizeof *n->asleep);
    mem_free(m, n->ready.data, n->ready.capacity * sizeof(choice_who));
    mem_free(m, n->todo.data, n->todo.capacity * sizeof(choice_who));
    mem_free(m, n->touches, n->touch_capacity * sizeof *n->touches);
    mem_free(m, n->before, n->words * sizeof *n->before);
  }
  mem_free(m, s->nodes, s->node_capacity * sizeof *s->nodes);
}

/* ---- what had to come before ---- */

static bool comes_before(const node *n, uint32_t step) { return n->before[step / 64] >> step % 64 & 1; }

static void put_before(node *n, uint32_t step) { n->before[step / 64] |= UINT64_C(1) << step % 64; }

static void put_all_before(node *n, const node *earlier, uint32_t step) {
  for (uint32_t w = 0; w <= step / 64 && w < earlier->words; w++) n->before[w] |= earlier->before[w];
  put_before(n, step);
}

static bool clear_before(search *s, node *n, uint32_t steps) {
  if (!reserve(s, &n->before, &n->words, steps / 64 + 1, sizeof *n->before)) return false;
  memset(n->before, 0, n->words * sizeof *n->before);
  return true;
}

/* ---- what else is worth trying ---- */

static void try_here(search *s, uint32_t at, choice_who who) {
  node *n = &s->nodes[at];
  if (has(&n->ready, who))
    add(s, &n->todo, who);
  else
    for (uint32_t i = 0; i < n->ready.count; i++) add(s, &n->todo, n->ready.data[i]);
}

/* Whether nothing of the steps that do not need step `at`, from there to `step`, has to come before `step`. */
static bool may_begin(const search *s, uint32_t at, uint32_t step) {
  for (uint32_t k = at + 1; k < step; k++)
    if (!comes_before(&s->nodes[k], at) && comes_before(&s->nodes[step], k)) return false;
  return true;
}

static void note_either(search *s, const choice_step *first, const choice_step *second) {
  if (s->result.either[0]) return;
  s->result.either[0] = first->site;
  s->result.either[1] = second->site;
}

/* Step `late` could have come before step `early`: it, or whoever leads to it, is to be tried there, unless one of
 * those is already. */
static void reverse(search *s, uint32_t early, uint32_t late) {
  choice_who first = CHOICE_NONE;
  note_either(s, &s->nodes[early].step, &s->nodes[late].step);
  for (uint32_t k = early + 1; k <= late; k++) {
    if (k < late && comes_before(&s->nodes[k], early)) continue;
    if (!may_begin(s, early, k)) continue;
    const choice_who who = s->nodes[k].step.who;
    if (has(&s->nodes[early].todo, who)) return;
    if (first == CHOICE_NONE || k == late) first = who;
  }
  try_here(s, early, first);
}

/* The newest step, seen from those before it. Only the nearest that race with it count: what is behind them is found
 * once those are exchanged. */
static void find_races(search *s, uint32_t late) {
  node *n = &s->nodes[late];
  if (!clear_before(s, n, late)) return;
  for (uint32_t i = late; i-- > 0;)
    if (s->nodes[i].step.who == n->step.who) {
      put_all_before(n, &s->nodes[i], i);
      break;
    }
  for (uint32_t i = late; i-- > 0;) {
    if (comes_before(n, i)) continue;
    const choice_relation how = choice_relate(&s->nodes[i].step, &n->step);
    if (how == CHOICE_APART) continue;
    if (how == CHOICE_RACING) reverse(s, i, late);
    put_all_before(n, &s->nodes[i], i);
  }
}

/* The unit's last step before the present one; UINT32_MAX: there is none. */
static uint32_t last_of(const search *s, choice_who who) {
  for (uint32_t i = s->depth; i-- > 0;)
    if (s->nodes[i].step.who == who) return i;
  return UINT32_MAX;
}

/* Whether step k leads up to the unit's next one, whose last is `own`. */
static bool leads_to(const search *s, uint32_t k, uint32_t own) {
  return own != UINT32_MAX && (k == own || (k < own && comes_before(&s->nodes[own], k)));
}

/* The unit `who` is to come before step `at`: whoever has to come first on its way there is tried. */
static void put_in_front(search *s, uint32_t at, choice_who who, uint32_t own) {
  choice_who first = who;
  for (uint32_t k = s->depth; k-- > at + 1;)
    if (leads_to(s, k, own)) first = s->nodes[k].step.who; /* the earliest: nothing that leads there is before it */
  try_here(s, at, first);
}

/* Who waits for a count may do so in vain if others come first, whether or not it was given more in the end. */
static void find_robbers(search *s, const choice_step *waits) {
  if (!choice_waits_for_count(waits)) return;
  const uint32_t own = last_of(s, waits->who);
  for (uint32_t i = 0; i < s->depth; i++)
    if (!leads_to(s, i, own) && choice_robs(&s->nodes[i].step, waits)) {
      note_either(s, &s->nodes[i].step, waits);
      put_in_front(s, i, waits->who, own);
    }
}

/* Whether one of the arrivals of the phase that the newest step completes had to come behind step `wait`. */
static bool holds_phase(const search *s, const choice_touch *last, uint32_t wait) {
  for (uint32_t i = wait + 1; i <= s->depth; i++)
    if (comes_before(&s->nodes[i], wait) && choice_same_phase(last, &s->nodes[i].step)) return true;
  return false;
}

/* The newest step completes phases: could that have been before those came who waited for the phase before? Who waited
 * for an earlier one would have been left behind by an earlier phase. */
static void find_left_behind(search *s) {
  const choice_step *step = &s->nodes[s->depth].step;
  for (uint32_t k = 0; k < step->count; k++) {
    const choice_touch *last = &step->touches[k];
    for (uint32_t i = last->last ? s->depth : 0; i-- > 0;)
      if (choice_left_behind_by(&s->nodes[i].step, last) && !holds_phase(s, last, i)) reverse(s, i, s->depth);
  }
}

/* ---- the chooser ---- */

static bool open_node(search *s, const choice_who *ready, uint32_t count) {
  if (!reserve(s, &s->nodes, &s->node_capacity, s->depth + 1, sizeof *s->nodes)) return false;
  if (s->node_count == s->depth) s->nodes[s->node_count++] = (node){0};
  node *n = &s->nodes[s->depth];
  n->todo.count = n->ready.count = 0;
  free_asleep(s, n, 0);
  for (uint32_t i = 0; i < count; i++) add(s, &n->ready, ready[i]);
  const node *before = s->depth > 0 ? n - 1 : NULL;
  for (uint32_t i = 0; before && i < before->asleep_count; i++) {
    const sleeper *one = &before->asleep[i];
    const choice_step step = {one->who, one->touches, one->count, NULL};
    if (choice_keeps(&before->step, &step)) put_asleep(s, n, &step);
  }
  return !s->result.failed;
}

/* Who went last goes on, where that is new. */
static choice_who first_choice(const search *s, const node *n) {
  choice_who found = CHOICE_NONE;
  for (uint32_t i = 0; i < n->ready.count; i++) {
    const choice_who who = n->ready.data[i];
    if (is_asleep(n, who)) continue;
    if (s->depth > 0 && who == n[-1].step.who) return who;
    if (found == CHOICE_NONE) found = who;
  }
  return found;
}

static choice_who choose(void *user, const choice_who *ready, uint32_t count) {
  search *s = user;
  if (s->depth < s->fixed) return s->nodes[s->depth].step.who;
  s->result.too_long = s->result.too_long || (s->desc->longest && s->depth >= s->desc->longest);
  s->cut = true;
  if (s->result.too_long || !open_node(s, ready, count)) return CHOICE_NONE;
  node *n = &s->nodes[s->depth];
  n->step.who = first_choice(s, n);
  s->cut = n->step.who == CHOICE_NONE;
  if (!s->cut) add(s, &n->todo, n->step.who);
  return n->step.who;
}

static void made(void *user, const choice_step *step, bool faulty) {
  search *s = user;
  (void)faulty;
  node *n = &s->nodes[s->depth];
  const bool is_new = s->depth + 1 >= s->fixed;
  if (is_new && reserve(s, &n->touches, &n->touch_capacity, step->count, sizeof *n->touches)) {
    if (step->count > 0) memcpy(n->touches, step->touches, step->count * sizeof *n->touches);
    n->step = (choice_step){step->who, n->touches, step->count, step->site};
    find_races(s, s->depth);
    find_robbers(s, &n->step);
    find_left_behind(s);
  }
  s->depth++;
}

static void stuck(void *user, const choice_step *step) { find_robbers(user, step); }

/* ---- the loop ---- */

static bool tell_end(search *s) {
  uint32_t capacity = 0;
  choice_who *choices = NULL;
  if (s->depth > s->result.longest) s->result.longest = s->depth;
  s->result.schedules++;
  if (!s->desc->ended) return true;
  if (!reserve(s, &choices, &capacity, s->depth, sizeof *choices)) return false;
  for (uint32_t i = 0; i < s->depth; i++) choices[i] = s->nodes[i].step.who;
  const bool goes_on = s->desc->ended(s->desc->user, choices, s->depth);
  mem_free(s->desc->mem, choices, capacity * sizeof *choices);
  return goes_on;
}

static choice_who untried(const node *n) {
  for (uint32_t i = 0; i < n->todo.count; i++)
    if (!is_asleep(n, n->todo.data[i])) return n->todo.data[i];
  return CHOICE_NONE;
}

/* Goes back to the last step where something is left to be tried; false when there is none. */
static bool go_back(search *s) {
  while (s->depth > 0) {
    node *n = &s->nodes[--s->depth];
    if (!is_asleep(n, n->step.who)) put_asleep(s, n, &n->step);
    const choice_who next = untried(n);
    if (next == CHOICE_NONE) continue;
    n->step.who = next;
    s->fixed = s->depth + 1;
    return true;
  }
  return false;
}

/* Choices that are left over, that of the next run among them. */
static uint64_t count_open(const search *s) {
  uint64_t count = 0;
  for (uint32_t d = 0; d < s->fixed; d++)
    for (uint32_t i = 0; i < s->nodes[d].todo.count; i++) {
      const choice_who who = s->nodes[d].todo.data[i];
      count += d + 1 == s->fixed || who != s->nodes[d].step.who ? !is_asleep(&s->nodes[d], who) : 0;
    }
  return count;
}

/* One run more; false: the last one. */
static bool search_on(search *s) {
  explore_result *r = &s->result;
  s->depth = 0;
  s->cut = false;
  if (!s->desc->run(s->desc->user, &(chooser){s, choose, made, stuck})) r->failed = true;
  if (r->failed || r->too_long) return false;
  if (s->cut) r->cut++;
  const bool wanted = s->cut || tell_end(s);
  r->complete = !go_back(s);
  return wanted && !r->complete && (s->desc->limit == 0 || r->schedules + r->cut < s->desc->limit);
}

explore_result explore(const explore_desc *desc) {
  search s = {.desc = desc};
  while (search_on(&s)) continue;
  if (!s.result.complete) s.result.open = count_open(&s);
  free_search(&s);
  return s.result;
}
