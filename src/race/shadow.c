/* Shadow memory: the state of each element. A page of 64 elements in one state is a number; a page of several is a list
 * of (elements, state). Per page that is 4 bytes, and 28 + 16 for each state when there are several. */
#include "race/inner.h"

#define MIXED 0x80000000u
#define NO_PAGE UINT32_MAX

race_buffer *race_buffer_new(race *r, const void *tag, uint64_t elements) {
  uint64_t pages = elements / RACE_PAGE + (elements % RACE_PAGE != 0);
  if (pages > SIZE_MAX / sizeof(uint32_t)) r->failed = true;
  race_buffer *b = race_room(r, sizeof *b);
  uint32_t *page = b && pages ? race_room(r, (size_t)pages * sizeof *page) : NULL;
  if (!b || (pages && !page)) return NULL;
  *b = (race_buffer){.tag = tag, .elements = elements, .pages = pages, .page = page, .mixed_spare = NO_PAGE};
  r->shadow_bytes += sizeof *b + pages * sizeof *page;
  b->next = r->buffers;
  if (b->next) b->next->prev = b;
  r->buffers = b;
  return b;
}

/* ---- pages of several states ---- */

static size_t parts_size(uint32_t capacity) { return capacity * sizeof(race_part); }

static void free_parts(race *r, race_page *page) {
  r->shadow_bytes -= race_room_size(parts_size(page->capacity));
  race_room_give(r, page->parts, parts_size(page->capacity));
}

static bool reserve_parts(race *r, race_page *page, uint32_t count) {
  uint32_t before = page->capacity;
  void *parts = page->parts;
  if (!race_room_grow(r, &parts, &page->capacity, count, sizeof(race_part))) return false;
  page->parts = parts;
  if (before > 0 && page->capacity > before) r->shadow_bytes -= race_room_size(parts_size(before));
  if (page->capacity > before) r->shadow_bytes += race_room_size(parts_size(page->capacity));
  return true;
}

/* Makes a page of two states out of one of one. References move with the states. */
static bool split_page(race *r, race_buffer *b, uint32_t *slot, uint64_t mask, race_state_id state) {
  uint32_t place = b->mixed_spare;
  if (place == NO_PAGE) {
    void *mixed = b->mixed;
    uint32_t before = b->mixed_capacity;
    if (!race_room_grow(r, &mixed, &b->mixed_capacity, b->mixed_count + 1, sizeof(race_page))) return false;
    b->mixed = mixed;
    r->shadow_bytes += (b->mixed_capacity - before) * sizeof(race_page);
    place = b->mixed_count++;
  } else {
    b->mixed_spare = b->mixed[place].next_spare;
  }
  race_page *page = &b->mixed[place];
  *page = (race_page){0};
  if (!reserve_parts(r, page, 2)) return false;
  page->parts[0] = (race_part){~mask, *slot};
  page->parts[1] = (race_part){mask, state};
  page->count = 2;
  *slot = MIXED | place;
  return true;
}

/* Back to one number. */
static void unite_page(race *r, race_buffer *b, uint32_t *slot) {
  uint32_t place = *slot & ~MIXED;
  race_page *page = &b->mixed[place];
  *slot = page->parts[0].state;
  free_parts(r, page);
  *page = (race_page){.next_spare = b->mixed_spare};
  b->mixed_spare = place;
}

static race_part *find_part(race_page *page, race_state_id state) {
  for (uint32_t i = 0; i < page->count; i++)
    if (page->parts[i].state == state) return &page->parts[i];
  return NULL;
}

/* Moves elements of part `i` to a state that another part has; true when that was all of it, and the last part stands
 * in its place. */
static bool merge_elements(race *r, race_page *page, uint32_t i, uint64_t mask, race_part *other) {
  other->mask |= mask;
  page->parts[i].mask &= ~mask;
  if (page->parts[i].mask) return false;
  race_state_unref(r, page->parts[i].state, 1);
  page->parts[i] = page->parts[--page->count];
  return true;
}

/* The same to a state that is new to the page. */
static void change_elements(race *r, race_page *page, uint32_t i, uint64_t mask, race_state_id state) {
  if (page->parts[i].mask == mask) {
    race_state_unref(r, page->parts[i].state, 1);
    page->parts[i].state = state;
  } else if (reserve_parts(r, page, page->count + 1)) {
    page->parts[i].mask &= ~mask;
    page->parts[page->count++] = (race_part){mask, state};
  } else {
    return;
  }
  race_state_ref(r, state, 1);
}

static void touch_parts(race *r, race_page *page, uint64_t base, uint64_t mask) {
  for (uint32_t i = 0; mask && i < page->count;) {
    race_part part = page->parts[i], *other;
    uint64_t hit = part.mask & mask;
    race_state_id state = hit ? race_touch_step(r, part.state, base + (uint64_t)__builtin_ctzll(hit)) : part.state;
    mask &= ~hit;
    if (state != part.state) {
      other = find_part(page, state);
      if (other && merge_elements(r, page, i, hit, other)) continue;
      if (!other) change_elements(r, page, i, hit, state);
    }
    i++;
  }
}

/* ---- pages ---- */

/* The end of the last page counts as touched with the last element, so that it can be of one state. */
static uint64_t widen(const race_buffer *b, uint64_t page, uint64_t mask) {
  uint64_t last = b->elements % RACE_PAGE;
  if (page + 1 < b->pages || last == 0 || !(mask >> (last - 1) & 1)) return mask;
  return mask | ~0ull << last;
}

/* Some elements of a page. */
static void touch_page(race *r, race_buffer *b, uint64_t page, uint64_t mask) {
  uint32_t *slot = &b->page[page];
  mask = widen(b, page, mask);
  if (*slot & MIXED) {
    race_page *mixed = &b->mixed[*slot & ~MIXED];
    touch_parts(r, mixed, page * RACE_PAGE, mask);
    if (mixed->count == 1) unite_page(r, b, slot);
    return;
  }
  race_state_id from = *slot, to = race_touch_step(r, from, page * RACE_PAGE + (uint64_t)__builtin_ctzll(mask));
  if (to == from) return;
  if (mask == ~0ull)
    *slot = to;
  else if (!split_page(r, b, slot, mask, to))
    return;
  race_state_ref(r, to, 1);
  if (mask == ~0ull) race_state_unref(r, from, 1);
}

/* Whole pages, up to `end`, as far as they are in the state of the first; gives the first that is not. */
static uint64_t touch_equal_pages(race *r, race_buffer *b, uint64_t page, uint64_t end) {
  race_state_id from = b->page[page], to = race_touch_step(r, from, page * RACE_PAGE);
  uint64_t first = page;
  for (; page < end && b->page[page] == from; page++) b->page[page] = to;
  race_state_ref(r, to, (uint32_t)(page - first));
  race_state_unref(r, from, (uint32_t)(page - first));
  return page;
}

/* The elements of one page that a row has, from `offset` up to `end`, as bits. */
static uint64_t row_mask(uint64_t offset, uint64_t stride, uint64_t end) {
  uint64_t first = offset % RACE_PAGE, count = end - offset;
  if (stride == 1) return (count == RACE_PAGE ? ~0ull : (1ull << count) - 1) << first;
  uint64_t mask = 0;
  for (uint64_t i = 0; i < count; i += stride) mask |= 1ull << (first + i);
  return mask;
}

void race_shadow_touch(race *r, race_buffer *b, uint64_t offset, uint64_t stride, uint64_t count) {
  uint64_t last = offset + (count - 1) * stride;
  while (offset <= last) {
    uint64_t page = offset / RACE_PAGE, end = (page + 1) * RACE_PAGE;
    if (stride == 1 && offset % RACE_PAGE == 0 && end <= last + 1 && !(b->page[page] & MIXED)) {
      offset = touch_equal_pages(r, b, page, (last + 1) / RACE_PAGE) * RACE_PAGE;
      continue;
    }
    if (end > last + 1) end = last + 1;
    touch_page(r, b, page, row_mask(offset, stride, end));
    offset += (end - offset + stride - 1) / stride * stride;
  }
}

/* ---- new names of states ---- */

static void rename_part(race *r, race_page *page, uint32_t *kept, race_part part) {
  for (uint32_t i = 0; i < *kept; i++)
    if (page->parts[i].state == part.state) {
      page->parts[i].mask |= part.mask;
      race_state_of(r, part.state)->refs--;
      return;
    }
  page->parts[(*kept)++] = part;
}

void race_shadow_rename(race *r, race_buffer *b, const race_state_id *names) {
  for (uint64_t p = 0; p < b->pages; p++) {
    if (!(b->page[p] & MIXED)) {
      b->page[p] = names[b->page[p]];
      continue;
    }
    race_page *page = &b->mixed[b->page[p] & ~MIXED];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < page->count; i++)
      rename_part(r, page, &kept, (race_part){page->parts[i].mask, names[page->parts[i].state]});
    page->count = kept;
    if (kept == 1) unite_page(r, b, &b->page[p]);
  }
}

/* ---- the end of a buffer ---- */

void race_buffer_release(race *r, race_buffer *b, unit_id unit) {
  if (b) race_clock_join(r, &b->over, &race_unit_of(r, unit)->views.generic);
}

static void check_in_flight(race *r, const race_mark *mark, uint64_t element) {
  race_touch_now *t = &r->touch;
  race_views over = {.generic = t->buffer->over};
  bool read_only = race_kind_mode(mark->kind) == RACE_MODE_READ;
  if (mark->op && !race_op_known(mark->op, &over, read_only))
    race_report_pair(r, t->buffer, mark, &t->me, t->views, element);
}

static void check_end(race *r, race_state_id id, uint64_t element) {
  const race_state *s = race_state_of(r, id);
  if (s->write.kind != RACE_KINDS) check_in_flight(r, &s->write, element);
  for (uint32_t i = 0; i < s->mark_count; i++) check_in_flight(r, &s->marks->data[i], element);
}

static void free_page(race *r, race_buffer *b, uint64_t page, bool check) {
  uint32_t slot = b->page[page];
  uint64_t base = page * RACE_PAGE;
  if (!(slot & MIXED)) {
    if (check && (page == 0 || b->page[page - 1] != slot)) check_end(r, slot, base);
    return;
  }
  race_page *mixed = &b->mixed[slot & ~MIXED];
  for (uint32_t i = 0; i < mixed->count; i++) {
    if (check) check_end(r, mixed->parts[i].state, base + (uint64_t)__builtin_ctzll(mixed->parts[i].mask));
    race_state_unref(r, mixed->parts[i].state, 1);
  }
  free_parts(r, mixed);
}

void race_buffer_free(race *r, race_buffer *b, unit_id unit, const void *site) {
  if (!b) return;
  if (site) race_touch_begin(r, &(race_access){.buffer = b, .unit = unit, .kind = RACE_FREE, .site = site});
  for (uint64_t page = 0; page < b->pages; page++) free_page(r, b, page, site != NULL);
  for (uint64_t page = 0; page < b->pages; page++)
    if (!(b->page[page] & MIXED)) race_state_unref(r, b->page[page], 1);
  race_touch_end(r);
  race_clock_free(r, &b->over);
  race_words_free(r, b);
  if (b->next) b->next->prev = b->prev;
  *(b->prev ? &b->prev->next : &r->buffers) = b->next;
  r->shadow_bytes -= sizeof *b + b->pages * sizeof *b->page + b->mixed_capacity * sizeof *b->mixed;
  race_room_give(r, b->mixed, b->mixed_capacity * sizeof *b->mixed);
  race_room_give(r, b->page, (size_t)b->pages * sizeof *b->page);
  race_room_give(r, b, sizeof *b);
}

uint64_t race_shadow_bytes(const race *r) { return r->shadow_bytes; }
uint64_t race_shadow_most(const race *r) { return r->shadow_most; }
