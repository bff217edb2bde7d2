/* Reports: who comes first, which edge lacks, and each pair of places once. */
#include "race/inner.h"

const race_kind_row race_kind_rows[RACE_KINDS] = {
#define GENERIC false
#define ASYNC true
#define RACE_KIND(id, mode, view, role, unawaited) {role, RACE_MODE_##mode, view, RACE_EDGE_##unawaited},
#include "race/kinds.def"
#undef GENERIC
#undef ASYNC
};

static const char *const EDGES[] = {
#define RACE_EDGE(id, text) text,
#include "race/edges.def"
};

const char *race_edge_text(race_edge edge) { return EDGES[edge]; }
const char *race_kind_text(race_kind kind) { return race_kind_rows[kind].role; }
bool race_kind_writes(race_kind kind) { return race_kind_mode(kind) != RACE_MODE_READ; }
bool race_kind_is_async(race_kind kind) { return race_kind_rows[kind].async; }

uint32_t race_report_count(const race *r) { return r->reports.count; }
const race_report *race_report_at(const race *r, uint32_t index) { return &r->reports.data[index]; }

/* ---- the missing edge ---- */

static race_side side_of(const race_mark *mark) { return (race_side){mark->site, mark->unit, mark->kind}; }

/* Whether the unit of `mark` has heard that `op` was issued. */
static bool heard_of(race *r, const race_mark *mark, const race_op *op) {
  if (mark->unit == op->unit) return true;
  const race_clock *view = &race_unit_of(r, mark->unit)->views.generic;
  return race_clock_at(view, race_slot_done(op->unit)) >= op->issued;
}

/* Whether the later access in time is an operation that was issued before the other. */
static bool is_swapped(race *r, const race_mark *earlier, const race_mark *later) {
  if (!later->op) return false;
  if (earlier->op) return later->op->serial < earlier->op->serial;
  if (earlier->unit == later->unit) return earlier->count > later->op->issued;
  return heard_of(r, earlier, later->op);
}

/* The edge that lacks behind an operation. A wait that only its own unit can make is no use to a unit that has not
 * heard of the operation: then it is the units that are not ordered. */
static race_edge after_op(race *r, const race_mark *first, const race_mark *second) {
  race_edge edge = race_kind_rows[first->kind].unawaited;
  bool by_barrier = edge == RACE_EDGE_ARRIVAL || edge == RACE_EDGE_CLAIM || edge == RACE_EDGE_COMMIT_MMA;
  return by_barrier || heard_of(r, second, first->op) ? edge : RACE_EDGE_ORDER;
}

/* Fills in who is first and what lacks. */
static void explain(race *r, const race_mark *earlier, const race_mark *later, const race_views *views,
                    race_report *out) {
  uint32_t seen = earlier->op ? 0 : race_clock_at(&views->generic, race_slot_done(earlier->unit));
  bool fence = !earlier->op && seen >= earlier->count;
  bool swapped = !fence && is_swapped(r, earlier, later);
  const race_mark *first = swapped ? later : earlier, *second = swapped ? earlier : later;
  out->first = side_of(first);
  out->second = side_of(second);
  out->clock = first->op ? first->op->issued : first->count;
  out->heard = swapped || first->unit == second->unit ? RACE_UNHEARD
                                                      : race_clock_at(&views->generic, race_slot_done(first->unit));
  out->edge = fence ? RACE_EDGE_FENCE : first->op ? after_op(r, first, second) : RACE_EDGE_ORDER;
  if (out->edge == RACE_EDGE_AWAIT_COPIES && !swapped && race_op_known(first->op, views, true))
    out->edge = RACE_EDGE_AWAIT_WRITE;
}

/* ---- each pair once ---- */

static uint32_t hash_pair(const void *a, const void *b, const void *tag) {
  uint64_t h = ((uintptr_t)a ^ (uintptr_t)b) * 0x9e3779b97f4a7c15u ^ (uintptr_t)tag;
  return (uint32_t)((h * 0x9e3779b97f4a7c15u) >> 32);
}

static bool is_pair(const race_report *report, const void *a, const void *b, const void *tag) {
  const void *first = report->first.site, *second = report->second.site;
  return report->tag == tag && ((first == a && second == b) || (first == b && second == a));
}

/* The slot of the pair's report, or the empty one for it. */
static uint32_t *slot_of(const race_report_book *book, const void *a, const void *b, const void *tag) {
  uint32_t place = hash_pair(a, b, tag) & (book->slot_count - 1);
  while (book->slots[place] && !is_pair(&book->data[book->slots[place] - 1], a, b, tag))
    place = (place + 1) & (book->slot_count - 1);
  return &book->slots[place];
}

static bool grow_slots(race *r) {
  race_report_book *book = &r->reports, wider = *book;
  wider.slot_count = book->slot_count ? 2 * book->slot_count : 64;
  wider.slots = race_room(r, wider.slot_count * sizeof *wider.slots);
  if (!wider.slots) return false;
  for (uint32_t i = 0; i < book->count; i++) {
    const race_report *report = &book->data[i];
    *slot_of(&wider, report->first.site, report->second.site, report->tag) = i + 1;
  }
  race_room_give(r, book->slots, book->slot_count * sizeof *book->slots);
  *book = wider;
  return true;
}

void race_report_pair(race *r, const race_buffer *b, const race_mark *earlier, const race_mark *later,
                      const race_views *views, uint64_t element) {
  race_report_book *book = &r->reports;
  if (2 * (book->count + 1) > book->slot_count && !grow_slots(r)) return;
  uint32_t *slot = slot_of(book, earlier->site, later->site, b->tag);
  void *data = book->data;
  if (*slot || !race_room_grow(r, &data, &book->capacity, book->count + 1, sizeof(race_report))) return;
  book->data = data;
  race_report *report = &book->data[book->count];
  *report = (race_report){.tag = b->tag, .element = element};
  explain(r, earlier, later, views, report);
  *slot = ++book->count;
}
