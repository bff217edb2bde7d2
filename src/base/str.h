/* Strings of pointer and size, a growing text in an arena, and a map from bytes to pointers. */
#ifndef KILN_SRC_BASE_STR_H
#define KILN_SRC_BASE_STR_H

#include <stdarg.h>

#include "base/mem.h"

#define STR(literal) ((kiln_str){("" literal), sizeof(literal) - 1})
#define STR_FMT(s) (int)(s).size, (s).data ? (s).data : "" /* for "%.*s" */

kiln_str str_from(const char *zero_terminated); /* NULL gives the empty string */
bool str_equal(kiln_str a, kiln_str b);
bool str_is(kiln_str a, const char *zero_terminated);
bool str_starts(kiln_str s, kiln_str prefix);
kiln_str str_copy(arena *a, kiln_str s); /* with a zero byte behind it */
kiln_str str_format(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
kiln_str str_formatv(arena *a, const char *format, va_list args);
size_t str_utf8_size(kiln_str s, size_t at); /* bytes of the UTF-8 character that starts at `at`; 0: none does */
bool str_read_u64(kiln_str digits,
                  uint64_t *out);            /* a whole decimal number and nothing else; leaves *out alone if not */
size_t str_distance(kiln_str a, kiln_str b); /* edit distance, capped at 8: for "did you mean" */

/* A growing text. text_str() is valid until the next append. */
typedef struct text {
  arena *arena;
  char *data;
  size_t size, capacity;
} text;
text text_new(arena *a);
void text_add(text *t, kiln_str s);
void text_char(text *t, char c);
void text_format(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
kiln_str text_str(const text *t);

/* An insertion-ordered hash map in an arena; keys are copied. The hash is seedless, the order never leaks. */
typedef struct map_entry {
  kiln_str key;
  void *value;
  uint64_t hash;
} map_entry;
typedef struct map {
  arena *arena;
  map_entry *entries;
  uint32_t *slots;
  size_t count, capacity, slot_count;
} map;
map map_new(arena *a);
void *map_get(const map *m, kiln_str key); /* NULL when absent */
bool map_has(const map *m, kiln_str key);
void map_put(map *m, kiln_str key, void *value); /* replaces */
uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

#endif
