/* Strings of pointer and size, edit distance, and text that grows in an arena. */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define DISTANCE_CAP 8
#define DISTANCE_LONGEST 64 /* names longer than this are not guessed at */

kiln_str str_from(const char *zero_terminated) {
  if (!zero_terminated) return (kiln_str){0};
  return (kiln_str){zero_terminated, strlen(zero_terminated)};
}

bool str_equal(kiln_str a, kiln_str b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Tables are searched by this: most rows differ in the first bytes. */
bool str_is(kiln_str a, const char *zero_terminated) {
  if (!zero_terminated) return a.size == 0;
  for (size_t i = 0; i < a.size; i++)
    if (zero_terminated[i] == 0 || zero_terminated[i] != a.data[i]) return false;
  return zero_terminated[a.size] == 0;
}

bool str_starts(kiln_str s, kiln_str prefix) {
  return s.size >= prefix.size && str_equal((kiln_str){s.data, prefix.size}, prefix);
}

kiln_str str_copy(arena *a, kiln_str s) {
  size_t bytes;
  if (!size_add(s.size, 1, &bytes)) arena_out(a);
  char *copy = arena_alloc(a, bytes);
  if (s.size > 0) memcpy(copy, s.data, s.size);
  return (kiln_str){copy, s.size};
}

kiln_str str_format(arena *a, const char *format, ...) {
  va_list args;
  va_start(args, format);
  kiln_str result = str_formatv(a, format, args);
  va_end(args);
  return result;
}

kiln_str str_formatv(arena *a, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length < 0) return (kiln_str){0};
  size_t size = (size_t)length;
  char *data = arena_alloc(a, size + 1);
  vsnprintf(data, size + 1, format, args);
  return (kiln_str){data, size};
}

/* RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF. */
size_t str_utf8_size(kiln_str s, size_t at) {
  const unsigned char *c = (const unsigned char *)s.data + at;
  if (c[0] < 0x80) return 1;
  size_t size = c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
  if (size == 0 || s.size - at < size) return 0;
  for (size_t i = 1; i < size; i++)
    if ((c[i] & 0xc0) != 0x80) return 0;
  bool wrong = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) || (c[0] == 0xf0 && c[1] < 0x90) ||
               (c[0] == 0xf4 && c[1] >= 0x90);
  return wrong ? 0 : size;
}

bool str_read_u64(kiln_str digits, uint64_t *out) {
  uint64_t value = 0;
  for (size_t i = 0; i < digits.size; i++) {
    char c = digits.data[i];
    if (c < '0' || c > '9') return false;
    if (__builtin_mul_overflow(value, (uint64_t)10, &value)) return false;
    if (__builtin_add_overflow(value, (uint64_t)(c - '0'), &value)) return false;
  }
  if (digits.size > 0) *out = value;
  return digits.size > 0;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Levenshtein's distance with swapped neighbours counted as one edit: the three rows are before, previous, current. */
size_t str_distance(kiln_str a, kiln_str b) {
  if (a.size > DISTANCE_LONGEST || b.size > DISTANCE_LONGEST) return str_equal(a, b) ? 0 : DISTANCE_CAP;
  size_t rows[3][DISTANCE_LONGEST + 1];
  size_t *before = rows[0], *previous = rows[1], *current = rows[2];
  for (size_t j = 0; j <= b.size; j++) current[j] = j;
  for (size_t i = 1; i <= a.size; i++) {
    size_t *oldest = before;
    before = previous, previous = current, current = oldest;
    current[0] = i;
    for (size_t j = 1; j <= b.size; j++) {
      size_t replaced = previous[j - 1] + (a.data[i - 1] != b.data[j - 1]);
      current[j] = least(replaced, least(previous[j], current[j - 1]) + 1);
      bool swapped = i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1];
      if (swapped) current[j] = least(current[j], before[j - 2] + 1);
    }
  }
  return least(current[b.size], DISTANCE_CAP);
}

text text_new(arena *a) { return (text){.arena = a}; }

/* Room for `more` bytes and a zero byte behind them. */
static void reserve(text *t, size_t more) {
  size_t needed;
  if (!size_add(t->size, more, &needed) || !size_add(needed, 1, &needed)) arena_out(t->arena);
  if (needed <= t->capacity) return;
  size_t capacity;
  if (!size_mul(t->capacity, 2, &capacity)) arena_out(t->arena);
  if (capacity < needed) capacity = needed;
  if (capacity < 64) capacity = 64;
  char *data = arena_alloc(t->arena, capacity);
  if (t->size > 0) memcpy(data, t->data, t->size);
  t->data = data;
  t->capacity = capacity;
}

void text_add(text *t, kiln_str s) {
  reserve(t, s.size);
  if (s.size > 0) memcpy(t->data + t->size, s.data, s.size);
  t->size += s.size;
  t->data[t->size] = 0;
}

void text_char(text *t, char c) { text_add(t, (kiln_str){&c, 1}); }

void text_format(text *t, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length > 0) {
    reserve(t, (size_t)length);
    vsnprintf(t->data + t->size, (size_t)length + 1, format, args);
    t->size += (size_t)length;
  }
  va_end(args);
}

kiln_str text_str(const text *t) { return (kiln_str){t->data, t->size}; }
