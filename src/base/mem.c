/* The allocation hook's wrappers, the arena and the growable array's growth.
 *
 * An arena is a list of chunks, newest first. Only the newest is bumped; a block too big for what is left of it gets a
 * chunk of its own size class, and chunks double up to CHUNK_MAX so that big kernels take few of them. */
#include "base/mem.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN ((size_t)4 << 10)
#define CHUNK_MAX ((size_t)1 << 20)
#define ALIGNMENT alignof(max_align_t)
#define FIRST_ROOM 8 /* capacity of a growable array's first block */

struct arena_chunk {
  arena_chunk *next;
  size_t size; /* bytes of `data` */
  size_t used;
  alignas(max_align_t) unsigned char data[];
};

static void *system_alloc(void *user, void *ptr, size_t old_size, size_t size) {
  (void)user;
  (void)old_size;
  if (size > 0) return realloc(ptr, size);
  free(ptr);
  return NULL;
}

mem mem_default(void) { return (mem){.fn = system_alloc}; }

void *mem_alloc(mem m, size_t size) { return size > 0 ? m.fn(m.user, NULL, 0, size) : NULL; }

void *mem_calloc(mem m, size_t count, size_t size) {
  size_t bytes;
  if (!size_mul(count, size, &bytes)) return NULL;
  void *ptr = mem_alloc(m, bytes);
  if (ptr) memset(ptr, 0, bytes);
  return ptr;
}

void *mem_resize(mem m, void *ptr, size_t old_size, size_t size) {
  if (!ptr) return mem_alloc(m, size);
  return m.fn(m.user, ptr, old_size, size);
}

void mem_free(mem m, void *ptr, size_t size) {
  if (ptr) m.fn(m.user, ptr, size, 0);
}

void *mem_grow(mem m, void *data, uint32_t *capacity, uint32_t wanted, size_t size) {
  if (wanted <= *capacity) return data;
  uint64_t larger = *capacity ? *capacity : FIRST_ROOM;
  size_t bytes;
  while (larger < wanted) larger *= 2;
  if (larger > UINT32_MAX || !size_mul((size_t)larger, size, &bytes)) return NULL;
  void *grown = mem_resize(m, data, *capacity * size, bytes);
  if (grown) *capacity = (uint32_t)larger;
  return grown;
}

void arena_init(arena *a, mem m, size_t limit) { *a = (arena){.mem = m, .limit = limit}; }

void arena_finish(arena *a) {
  for (arena_chunk *chunk = a->chunks; chunk;) {
    arena_chunk *next = chunk->next;
    mem_free(a->mem, chunk, sizeof *chunk + chunk->size);
    chunk = next;
  }
  a->chunks = NULL;
  a->used = 0;
}

_Noreturn void arena_out(arena *a) { longjmp(*a->guard, 1); }

/* Adds a chunk with room for `size` bytes. */
static arena_chunk *add_chunk(arena *a, size_t size) {
  size_t room = a->chunks ? a->chunks->size : CHUNK_MIN / 2;
  room = room < CHUNK_MAX ? 2 * room : CHUNK_MAX;
  if (room < size) room = size;
  size_t bytes;
  if (!size_add(room, sizeof(arena_chunk), &bytes)) arena_out(a);
  arena_chunk *chunk = mem_alloc(a->mem, bytes);
  if (!chunk) arena_out(a);
  *chunk = (arena_chunk){.next = a->chunks, .size = room};
  a->chunks = chunk;
  return chunk;
}

void *arena_alloc(arena *a, size_t size) {
  size_t rounded;
  if (!size_add(size > 0 ? size : 1, ALIGNMENT - 1, &rounded)) arena_out(a);
  rounded &= ~(ALIGNMENT - 1);
  size_t used;
  if (!size_add(a->used, rounded, &used) || (a->limit && used > a->limit)) arena_out(a);
  arena_chunk *chunk = a->chunks;
  if (!chunk || chunk->size - chunk->used < rounded) chunk = add_chunk(a, rounded);
  void *ptr = chunk->data + chunk->used;
  chunk->used += rounded;
  a->used = used;
  return memset(ptr, 0, rounded);
}

void *arena_array(arena *a, size_t count, size_t size) {
  size_t bytes;
  if (!size_mul(count, size, &bytes)) arena_out(a);
  return arena_alloc(a, bytes);
}

void *arena_copy(arena *a, const void *data, size_t size) {
  void *copy = arena_alloc(a, size);
  return size > 0 ? memcpy(copy, data, size) : copy;
}

void *vec_grow(arena *a, void *data, size_t count, size_t *capacity, size_t size) {
  size_t doubled;
  if (!size_mul(*capacity, 2, &doubled)) arena_out(a);
  if (doubled < FIRST_ROOM) doubled = FIRST_ROOM;
  void *grown = arena_array(a, doubled, size);
  if (count > 0) memcpy(grown, data, count * size);
  *capacity = doubled;
  return grown;
}
