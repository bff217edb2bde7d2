/* An access, and what it does to the state of the elements that it touches.
 *
 * Elements in one state are all treated alike, so each state is looked at once per access and the outcome is kept in a
 * small memo. Of the marks of a state only those stay for which the new one does not stand: whoever comes after the new
 * access comes after all that the new access came after, so marks of one mode that are behind it are dropped. What an
 * operation is behind is its asynchronous view here, since whoever awaits it may have learnt no more than that. */
#include <stdlib.h>

#include "race/inner.h"

#define FEW 8 /* marks that are looked through at every access; longer lists when they have doubled */

/* ---- order ---- */

static bool is_own(const race_mark *me, const race_mark *m) {
  return m->op ? m->op == me->op : !me->op && m->unit == me->unit;
}

static bool is_behind(const race_touch_now *t, const race_clock *view, const race_mark *m) {
  if (is_own(&t->me, m)) return true;
  if (!m->op) return race_clock_at(view, race_slot_done(m->unit)) >= m->count;
  bool read_only = race_kind_mode(m->kind) == RACE_MODE_READ;
  return race_op_known(m->op, t->views, read_only) || (t->me.op && race_op_follows(t->me.op, m->op));
}

static bool conflict(race_kind a, race_kind b) {
  race_mode left = race_kind_mode(a), right = race_kind_mode(b);
  return left == RACE_MODE_WRITE || right == RACE_MODE_WRITE || left != right;
}

static void check_mark(race *r, const race_mark *m, uint64_t element) {
  const race_touch_now *t = &r->touch;
  if (conflict(m->kind, t->me.kind) && !is_behind(t, t->view, m))
    race_report_pair(r, t->buffer, m, &t->me, t->views, element);
}

/* Reads do not conflict with reads: a long list of those alone is not looked at. */
static void check_state(race *r, const race_state *s, uint64_t element) {
  if (s->write.kind != RACE_KINDS) check_mark(r, &s->write, element);
  if (race_kind_mode(r->touch.me.kind) == RACE_MODE_READ && !s->updates) return;
  for (uint32_t i = 0; i < s->mark_count; i++) check_mark(r, &s->marks->data[i], element);
}

/* ---- the next state ---- */

/* The same doer in the same event: nobody can be ordered after one of them and not the other. */
static bool same_event(const race_mark *a, const race_mark *b) {
  return is_own(a, b) && a->count == b->count && race_kind_mode(a->kind) == race_kind_mode(b->kind);
}

static bool is_remembered(const race_state *s, const race_mark *me) {
  if (race_kind_mode(me->kind) == RACE_MODE_WRITE) return s->write.kind != RACE_KINDS && same_event(&s->write, me);
  for (uint32_t i = s->mark_count, least = i > FEW ? i - FEW : 0; i-- > least;)
    if (same_event(&s->marks->data[i], me)) return true;
  return false;
}

/* Whether `me` stands for `m`. */
static bool stands_for(const race_touch_now *t, const race_mark *m) {
  const race_clock *view = t->me.op ? &t->views->async : &t->views->generic;
  return race_kind_mode(m->kind) == race_kind_mode(t->me.kind) && is_behind(t, view, m);
}

static uint32_t copy_kept(const race_touch_now *t, const race_state *s, race_mark *out) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < s->mark_count; i++)
    if (!stands_for(t, &s->marks->data[i])) out[count++] = s->marks->data[i];
  return count;
}

static int compare(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

static int compare_doers(const race_mark *a, const race_mark *b) {
  if (!a->op != !b->op) return a->op ? 1 : -1;
  if (a->op) return compare(a->op->serial, b->op->serial);
  return compare(a->unit, b->unit);
}

static int compare_marks(const void *left, const void *right) {
  const race_mark *a = left, *b = right;
  int modes = compare(race_kind_mode(a->kind), race_kind_mode(b->kind)), doers = compare_doers(a, b);
  return modes ? modes : doers ? doers : compare(a->count, b->count);
}

/* Keeps the last of each doer and mode: it stands for its earlier ones. */
static uint32_t keep_last(race_mark *marks, uint32_t count) {
  qsort(marks, count, sizeof *marks, compare_marks);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    bool again = i + 1 < count && race_kind_mode(marks[i].kind) == race_kind_mode(marks[i + 1].kind) &&
                 compare_doers(&marks[i], &marks[i + 1]) == 0;
    if (!again) marks[kept++] = marks[i];
  }
  return kept;
}

static uint32_t hash_marks(const race_mark *marks, uint32_t count) {
  uint32_t hash = 0;
  for (uint32_t i = 0; i < count; i++) hash = race_mark_hash(hash, &marks[i]);
  return hash;
}

/* Fills in the marks that go on, in `few` or in the room for sorting; false when memory is out. */
static bool choose_kept(race *r, const race_state *s, race_mark *few, race_next_state *next) {
  race_touch_now *t = &r->touch;
  if (s->mark_count > FEW && race_marks_extend(s->marks, s->mark_count)) {
    next->source = s->marks;
    next->kept = s->marks->data;
    next->kept_count = s->mark_count;
    next->kept_hash = s->marks_hash;
    return true;
  }
  race_mark *kept = few;
  if (s->mark_count > FEW) {
    void *sorting = t->sorting;
    if (!race_room_grow(r, &sorting, &t->sorting_capacity, s->mark_count, sizeof *kept)) return false;
    kept = t->sorting = sorting;
  }
  next->kept_count = copy_kept(t, s, kept);
  if (kept != few) next->kept_count = keep_last(kept, next->kept_count);
  next->spare = next->kept_count >= FEW ? next->kept_count : 0;
  next->kept = kept;
  next->kept_hash = hash_marks(kept, next->kept_count);
  return true;
}

/* A write leaves nothing of the past. */
static race_state_id written_state(race *r) {
  race_touch_now *t = &r->touch;
  if (t->written == 0) t->written = race_state_make(r, &(race_next_state){.write = &t->me});
  race_state_ref(r, t->written, 1);
  return t->written;
}

static race_state_id next_state(race *r, race_state_id from) {
  const race_state *s = race_state_of(r, from);
  const race_mark me = r->touch.me, write = s->write;
  race_mark few[FEW];
  if (race_kind_mode(me.kind) == RACE_MODE_WRITE) return written_state(r);
  race_next_state next = {.write = &write, .more = &me, .updates = s->updates};
  if (race_kind_mode(me.kind) == RACE_MODE_UPDATE) next.updates = true;
  return choose_kept(r, s, few, &next) ? race_state_make(r, &next) : 0;
}

race_state_id race_touch_step(race *r, race_state_id from, uint64_t element) {
  race_touch_now *t = &r->touch;
  uint32_t slot = from % RACE_MEMO;
  uint64_t bit = 1ull << slot;
  if (t->memo_used & bit) {
    if (t->memo_from[slot] == from) return t->memo_to[slot];
    race_state_unref(r, t->memo_from[slot], 1);
    race_state_unref(r, t->memo_to[slot], 1);
    t->memo_used &= ~bit;
  }
  const race_state *s = race_state_of(r, from);
  check_state(r, s, element);
  race_state_id to = from;
  if (is_remembered(s, &t->me))
    race_state_ref(r, from, 1);
  else
    to = next_state(r, from);
  race_state_ref(r, from, 1);
  t->memo_used |= bit;
  t->memo_from[slot] = from;
  t->memo_to[slot] = to;
  return to;
}

/* ---- an access ---- */

void race_touch_begin(race *r, const race_access *access) {
  race_touch_now *t = &r->touch;
  const race_kind_row *kind = &race_kind_rows[access->kind];
  bool able = access->buffer && !r->failed && (access->op || kind->unawaited == RACE_EDGE_ORDER);
  t->buffer = able ? access->buffer : NULL;
  t->reports = r->reports.count;
  if (!able) return;
  if (r->states.live >= r->sweep_at) race_sweep(r);
  t->me = (race_mark){.op = access->op, .site = access->site, .kind = access->kind};
  if (access->op) {
    t->me.unit = access->op->unit;
    t->views = &access->op->views;
  } else {
    const race_unit *u = race_unit_of(r, access->unit);
    t->me.unit = access->unit;
    t->me.count = u->now;
    t->views = &u->views;
  }
  t->view = kind->async ? &t->views->async : &t->views->generic;
}

void race_touch_row(race *r, int64_t offset, int64_t stride, uint64_t count) {
  race_buffer *b = r->touch.buffer;
  if (!b || r->failed || count == 0) return;
  if (stride < 0) {
    offset += (int64_t)(count - 1) * stride;
    stride = -stride;
  }
  if (stride == 0) stride = 1, count = 1;
  if (offset < 0) {
    uint64_t outside = ((uint64_t)-offset + (uint64_t)stride - 1) / (uint64_t)stride;
    if (outside >= count) return;
    offset += (int64_t)outside * stride;
    count -= outside;
  }
  if ((uint64_t)offset >= b->elements) return;
  uint64_t inside = (b->elements - 1 - (uint64_t)offset) / (uint64_t)stride + 1;
  race_shadow_touch(r, b, (uint64_t)offset, (uint64_t)stride, count < inside ? count : inside);
}

bool race_touch_end(race *r) {
  race_touch_now *t = &r->touch;
  for (; t->memo_used; t->memo_used &= t->memo_used - 1) {
    uint32_t slot = (uint32_t)__builtin_ctzll(t->memo_used);
    race_state_unref(r, t->memo_from[slot], 1);
    race_state_unref(r, t->memo_to[slot], 1);
  }
  race_state_unref(r, t->written, 1);
  t->written = 0;
  if (r->shadow_bytes > r->shadow_most) r->shadow_most = r->shadow_bytes;
  return r->reports.count > t->reports;
}
