/* Shorter schedules with the same fault: delta debugging. First choices are left out, in ever smaller parts, then what
 * one unit does is put side by side. */
#include "host/schedule/guide.h"

#include <string.h>

typedef struct shrinking {
  guide *best;
  guide next;
  guide_test fails;
  void *user;
  uint32_t left; /* tries */
  bool failed;   /* memory is out */
} shrinking;

static bool try_next(shrinking *s) {
  if (s->left == 0 || s->failed) return false;
  s->left--;
  if (!s->fails(s->user, &s->next)) return false;
  const guide old = *s->best;
  *s->best = s->next;
  s->next = old;
  return true;
}

static void add(shrinking *s, const choice_who *choices, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) s->failed = s->failed || !guide_add(&s->next, choices[i]);
}

static bool without(shrinking *s, uint32_t begin, uint32_t end) {
  const guide *g = s->best;
  s->next.count = 0;
  add(s, g->choices, begin);
  add(s, g->choices + end, g->count - end);
  return try_next(s);
}

/* Leaves out parts of that size; whether any could be. */
static bool leave_out(shrinking *s, uint32_t size) {
  bool any = false;
  for (uint32_t at = s->best->count; at > 0 && s->left > 0;) {
    const uint32_t begin = at > size ? at - size : 0;
    any = without(s, begin, at) || any;
    at = begin;
    if (at > s->best->count) at = s->best->count;
  }
  return any;
}

static uint32_t end_of_run(const guide *g, uint32_t at) {
  uint32_t end = at + 1;
  while (end < g->count && g->choices[end] == g->choices[at]) end++;
  return end;
}

/* The run at `from` right behind the one that ends at `to`. */
static bool move(shrinking *s, uint32_t to, uint32_t from) {
  const guide *g = s->best;
  const uint32_t end = end_of_run(g, from);
  s->next.count = 0;
  add(s, g->choices, to);
  add(s, g->choices + from, end - from);
  add(s, g->choices + to, from - to);
  add(s, g->choices + end, g->count - end);
  return guide_switches(&s->next) < guide_switches(g) && try_next(s);
}

static bool put_together(shrinking *s) {
  for (uint32_t at = 0; at < s->best->count; at = end_of_run(s->best, at)) {
    const uint32_t to = end_of_run(s->best, at);
    for (uint32_t from = to; from < s->best->count; from = end_of_run(s->best, from))
      if (s->best->choices[from] == s->best->choices[at] && move(s, to, from)) return true;
  }
  return false;
}

bool guide_shrink(guide *g, guide_test fails, void *user, uint32_t most) {
  shrinking s = {.best = g, .next = {.mem = g->mem}, .fails = fails, .user = user, .left = most};
  bool any = true;
  while (any && s.left > 0 && !s.failed) {
    any = false;
    for (uint32_t size = g->count; size > 0; size /= 2) any = leave_out(&s, size) || any;
    while (put_together(&s)) any = true;
  }
  guide_free(&s.next);
  return !s.failed;
}
