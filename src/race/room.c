/* Memory of the detector. Clocks, operations and states come and go with every hand-off and access, so small blocks go
 * through spare lists by size; large ones are the host's own. Either way destroying the detector frees all of them. */
#include <string.h>

#include "race/inner.h"

#define SMALLEST 16
#define CHUNK (64 * 1024 - 64)

/* The class of a size, or RACE_ROOM_CLASSES when it is large. */
static uint32_t class_of(size_t size) {
  uint32_t class = 0;
  while (class < RACE_ROOM_CLASSES && ((size_t)SMALLEST << class) < size) class ++;
  return class;
}

size_t race_room_size(size_t size) {
  uint32_t class = class_of(size);
  return class < RACE_ROOM_CLASSES ? (size_t)SMALLEST << class : size;
}

static race_chunk *add_chunk(race_room_book *book, size_t size) {
  size_t whole;
  race_chunk *chunk = size_add(size, sizeof(race_chunk), &whole) ? mem_calloc(book->mem, 1, whole) : NULL;
  if (!chunk) return NULL;
  *chunk = (race_chunk){.next = book->chunks, .size = whole};
  if (book->chunks) book->chunks->prev = chunk;
  book->chunks = chunk;
  return chunk;
}

static void remove_chunk(race_room_book *book, race_chunk *chunk) {
  if (chunk->next) chunk->next->prev = chunk->prev;
  if (chunk->prev)
    chunk->prev->next = chunk->next;
  else
    book->chunks = chunk->next;
  mem_free(book->mem, chunk, chunk->size);
}

static void *take_small(race_room_book *book, uint32_t class) {
  size_t size = (size_t)SMALLEST << class;
  void *block = book->spare[class];
  if (block) {
    memcpy(&book->spare[class], block, sizeof(void *));
    return memset(block, 0, size);
  }
  if (book->fresh_size < size) {
    race_chunk *chunk = add_chunk(book, CHUNK);
    if (!chunk) return NULL;
    book->fresh = (uint8_t *)(chunk + 1);
    book->fresh_size = CHUNK;
  }
  block = book->fresh;
  book->fresh += size;
  book->fresh_size -= size;
  return block;
}

static void *take_large(race_room_book *book, size_t size) {
  race_chunk *chunk = add_chunk(book, size);
  return chunk ? chunk + 1 : NULL;
}

void *race_room(race *r, size_t size) {
  if (r->failed) return NULL;
  uint32_t class = class_of(size);
  void *block = class < RACE_ROOM_CLASSES ? take_small(&r->room, class) : take_large(&r->room, size);
  if (block)
    r->room.used += race_room_size(size);
  else
    r->failed = true;
  return block;
}

void race_room_give(race *r, void *p, size_t size) {
  if (!p) return;
  uint32_t class = class_of(size);
  r->room.used -= race_room_size(size);
  if (class < RACE_ROOM_CLASSES) {
    memcpy(p, &r->room.spare[class], sizeof(void *));
    r->room.spare[class] = p;
  } else {
    remove_chunk(&r->room, (race_chunk *)p - 1);
  }
}

bool race_room_grow(race *r, void **data, uint32_t *capacity, uint32_t need, size_t size) {
  if (need <= *capacity) return true;
  uint64_t wanted = *capacity ? *capacity : SMALLEST / size;
  if (wanted == 0) wanted = 1;
  while (wanted < need) wanted *= 2;
  size_t bytes;
  void *grown = wanted <= UINT32_MAX && size_mul((size_t)wanted, size, &bytes) ? race_room(r, bytes) : NULL;
  if (!grown) {
    r->failed = true;
    return false;
  }
  if (*data) memcpy(grown, *data, *capacity * size);
  race_room_give(r, *data, *capacity * size);
  *data = grown;
  *capacity = (uint32_t)wanted;
  return true;
}

void race_room_finish(race_room_book *book) {
  while (book->chunks) remove_chunk(book, book->chunks);
}
