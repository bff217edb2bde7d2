/* Guides: their texts, and how they are followed. */
#include "host/schedule/guide.h"

#include <string.h>

bool guide_add(guide *g, choice_who who) {
  choice_who *choices = mem_grow(g->mem, g->choices, &g->capacity, g->count + 1, sizeof who);
  if (!choices) return g->failed = true, false;
  g->choices = choices;
  choices[g->count++] = who;
  return true;
}

bool guide_copy(guide *g, const choice_who *choices, uint32_t count) {
  g->count = 0;
  for (uint32_t i = 0; i < count; i++)
    if (!guide_add(g, choices[i])) return false;
  return true;
}

void guide_free(guide *g) {
  mem_free(g->mem, g->choices, g->capacity * sizeof *g->choices);
  g->choices = NULL;
  g->count = g->capacity = 0;
}

uint32_t guide_switches(const guide *g) {
  uint32_t switches = 0;
  for (uint32_t i = 1; i < g->count; i++) switches += g->choices[i] != g->choices[i - 1];
  return switches;
}

/* ---- texts ---- */

static void print_who(choice_who who, text *out) {
  if (who & CHOICE_TASK)
    text_format(out, "%u.%u", (unsigned)(who >> 24), (unsigned)(who & 0xffffff));
  else
    text_format(out, "%s%u", who & CHOICE_LANE ? "L" : "", (unsigned)who);
}

void guide_print(const guide *g, text *out) {
  if (g->count == 0) text_char(out, '-');
  for (uint32_t i = 0, times; i < g->count; i += times) {
    for (times = 1; i + times < g->count && g->choices[i + times] == g->choices[i]; times++) continue;
    if (i > 0) text_char(out, ',');
    print_who(g->choices[i], out);
    if (times > 1) text_format(out, "x%u", times);
  }
}

static bool read_number(kiln_str *rest, uint64_t *out) {
  size_t size = 0;
  while (size < rest->size && rest->data[size] >= '0' && rest->data[size] <= '9') size++;
  if (size == 0 || size > 9 || !str_read_u64((kiln_str){rest->data, size}, out)) return false;
  *rest = (kiln_str){rest->data + size, rest->size - size};
  return true;
}

static bool skip(kiln_str *rest, char c) {
  if (rest->size == 0 || rest->data[0] != c) return false;
  *rest = (kiln_str){rest->data + 1, rest->size - 1};
  return true;
}

bool guide_parse(guide *g, kiln_str written) {
  g->count = 0;
  if (str_is(written, "-")) return true;
  do {
    uint64_t unit, serial, times = 1;
    const bool lane = skip(&written, 'L');
    if (!read_number(&written, &unit)) return false;
    choice_who who = lane ? CHOICE_LANE | unit : unit;
    if (!lane && skip(&written, '.')) {
      if (!read_number(&written, &serial)) return false;
      who = choice_task((uint32_t)unit, (uint32_t)serial);
    }
    if (skip(&written, 'x') && !read_number(&written, &times)) return false;
    while (times-- > 0)
      if (g->count >= 1 << 24 || !guide_add(g, who)) return false;
  } while (skip(&written, ','));
  return written.size == 0;
}

/* ---- following ---- */

static bool is_among(choice_who who, const choice_who *ready, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (ready[i] == who) return true;
  return false;
}

static choice_who choose(void *user, const choice_who *ready, uint32_t count) {
  follower *f = user;
  while (f->at < f->guide->count) {
    const choice_who who = f->guide->choices[f->at++];
    if (is_among(who, ready, count)) return who;
  }
  const choice_who last = f->made.count > 0 ? f->made.choices[f->made.count - 1] : CHOICE_NONE;
  return is_among(last, ready, count) ? last : ready[0];
}

static void made(void *user, const choice_step *step, bool faulty) {
  follower *f = user;
  if (!guide_add(&f->made, step->who)) f->failed = true;
  if (f->faulty_at == UINT32_MAX && f->each) f->each(f->user, step);
  if (faulty && f->faulty_at == UINT32_MAX) f->faulty_at = f->made.count;
}

static void stuck(void *user, const choice_step *step) {
  (void)user;
  (void)step;
}

follower follower_of(mem m, const guide *g) {
  return (follower){.guide = g, .made = {.mem = m}, .faulty_at = UINT32_MAX};
}

chooser follower_chooser(follower *f) { return (chooser){f, choose, made, stuck}; }
