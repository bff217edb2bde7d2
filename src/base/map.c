/* The hash map: entries in order of insertion, and a power-of-two table of entry numbers (plus one; 0 is free) probed
 * linearly and kept at most half full. Nothing is ever removed, so probing needs no tombstones. */
#include <string.h>

#include "base/str.h"

#define FIRST_SLOTS 16

static uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u; /* the multiplier of Pelle Evensen's "rrmxmx" family */
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed) {
  const unsigned char *bytes = data;
  uint64_t hash = mix(mix(seed) + size);
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    hash = mix(hash ^ word);
  }
  uint64_t rest = 0;
  for (size_t i = 0; i < size; i++) rest |= (uint64_t)bytes[i] << (8 * i);
  return mix(hash ^ rest);
}

map map_new(arena *a) { return (map){.arena = a}; }

/* The slot that holds `key`, or the free one where it belongs. */
static size_t find_slot(const map *m, kiln_str key, uint64_t hash) {
  size_t slot = hash & (m->slot_count - 1);
  while (m->slots[slot]) {
    const map_entry *entry = &m->entries[m->slots[slot] - 1];
    if (entry->hash == hash && str_equal(entry->key, key)) break;
    slot = (slot + 1) & (m->slot_count - 1);
  }
  return slot;
}

static map_entry *find(const map *m, kiln_str key) {
  if (m->count == 0) return NULL;
  uint32_t number = m->slots[find_slot(m, key, hash_bytes(key.data, key.size, 0))];
  return number ? &m->entries[number - 1] : NULL;
}

void *map_get(const map *m, kiln_str key) {
  map_entry *entry = find(m, key);
  return entry ? entry->value : NULL;
}

bool map_has(const map *m, kiln_str key) { return find(m, key) != NULL; }

static void grow(map *m) {
  if (m->count >= UINT32_MAX / 2) arena_out(m->arena);
  size_t slot_count = m->slot_count ? 2 * m->slot_count : FIRST_SLOTS;
  m->slots = ARENA_ARRAY(m->arena, uint32_t, slot_count);
  m->slot_count = slot_count;
  for (size_t i = 0; i < m->count; i++)
    m->slots[find_slot(m, m->entries[i].key, m->entries[i].hash)] = (uint32_t)(i + 1);
}

void map_put(map *m, kiln_str key, void *value) {
  map_entry *old = find(m, key);
  if (old) {
    old->value = value;
    return;
  }
  if (m->count == m->capacity) m->entries = vec_grow(m->arena, m->entries, m->count, &m->capacity, sizeof *m->entries);
  if (2 * (m->count + 1) > m->slot_count) grow(m);
  map_entry entry = {str_copy(m->arena, key), value, hash_bytes(key.data, key.size, 0)};
  size_t slot = find_slot(m, entry.key, entry.hash);
  m->entries[m->count++] = entry;
  m->slots[slot] = (uint32_t)m->count;
}
