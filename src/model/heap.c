/* The executor's client of the allocator: bytes for keys, with poison, sharers, shadows and limits. */
#include <stdlib.h>
#include <string.h>

#include "model/alloc.h"

/* Blocks are found by key through open addressing; a dead slot keeps a tombstone so that chains stay whole. */
typedef struct block_table {
  alloc_block **slots;
  uint32_t capacity, filled, live; /* capacity: 0 or a power of two; filled counts tombstones */
} block_table;

enum {
  LINE = 64,       /* fresh bytes begin at multiples of it */
  SPARES_MOST = 64 /* released blocks whose room is kept */
};

struct alloc_heap {
  mem mem;
  machine machine;
  alloc_heap_desc desc;
  block_table blocks;
  alloc_block *spares;
  uint32_t spare_count;
  uint64_t total, most; /* bytes alive now, and at any time */
  uint32_t time;
  alloc_use *uses; /* by space, then owner */
  uint32_t use_count, use_capacity;
  alloc_item *items; /* released ones, when recording */
  uint32_t item_count, item_capacity;
};

static alloc_block tombstone;

/* ---- poison ---- */

static uint64_t large_bits(ir_dtype dtype) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  switch (info->class) {
    case IR_CLASS_BOOL: return 1;
    case IR_CLASS_SINT: return (UINT64_C(1) << (info->bits - 1)) - 1;
    case IR_CLASS_UINT: return UINT64_MAX >> (64 - info->bits);
    case IR_CLASS_FLOAT: return ir_fill_bits(dtype);
  }
  return 0;
}

void alloc_poison_fill(void *bytes, uint64_t size, ir_dtype dtype, alloc_poison poison) {
  if (size == 0) return;
  if (poison == ALLOC_ZERO || poison == ALLOC_PATTERN) {
    memset(bytes, poison == ALLOC_ZERO ? 0 : 0xA5, size);
    return;
  }
  uint64_t bits = poison == ALLOC_FILL ? ir_fill_bits(dtype) : large_bits(dtype), line[LINE / 8];
  size_t done = size < LINE ? size : LINE;
  size_t width = ir_dtype_bytes(dtype);
  if (width < 8) bits &= (UINT64_C(1) << 8 * width) - 1;
  for (; width < 8; width *= 2) bits |= bits << 8 * width;
  for (size_t i = 0; i < LINE / 8; i++) line[i] = bits;
  memcpy(bytes, line, done); /* little endian: low bytes first */
  for (; done < size; done *= 2) memcpy((uint8_t *)bytes + done, bytes, done < size - done ? done : size - done);
}

/* ---- the table ---- */

static alloc_block **find_slot(const block_table *table, alloc_key key) {
  uint64_t mask = table->capacity - 1;
  alloc_block **grave = NULL;
  for (uint64_t at = key_hash(key) & mask;; at = (at + 1) & mask) {
    alloc_block **slot = &table->slots[at];
    if (!*slot) return grave ? grave : slot;
    if (*slot == &tombstone)
      grave = grave ? grave : slot;
    else if (key_equal((*slot)->item.key, key))
      return slot;
  }
}

/* A tombstone is only needed where a chain may go on. */
static void leave_table(block_table *table, alloc_key key) {
  alloc_block **slot = find_slot(table, key);
  uint64_t next = ((uint64_t)(slot - table->slots) + 1) & (table->capacity - 1);
  table->live--;
  *slot = table->slots[next] ? &tombstone : NULL;
  if (!*slot) table->filled--;
}

static bool reserve_slot(alloc_heap *heap) {
  block_table *table = &heap->blocks;
  if ((uint64_t)(table->filled + 1) * 4 <= (uint64_t)table->capacity * 3) return true;
  uint32_t capacity = table->live * 4 < 16 ? 16 : table->capacity;
  while ((uint64_t)capacity < (uint64_t)table->live * 4) capacity *= 2;
  block_table grown = {mem_calloc(heap->mem, capacity, sizeof(alloc_block *)), capacity, table->live, table->live};
  if (!grown.slots) return false;
  for (uint32_t i = 0; i < table->capacity; i++)
    if (table->slots[i] && table->slots[i] != &tombstone)
      *find_slot(&grown, table->slots[i]->item.key) = table->slots[i];
  mem_free(heap->mem, table->slots, table->capacity * sizeof(alloc_block *));
  *table = grown;
  return true;
}

/* ---- sums by space and owner ---- */

static uint32_t lower_use(const alloc_heap *heap, alloc_key key) {
  uint32_t low = 0, high = heap->use_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    const alloc_use *use = &heap->uses[middle];
    if (use->space < key.space || (use->space == key.space && use->owner < key.owner))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The sums of the key's copy, made when new; NULL when memory is out. */
static alloc_use *use_for(alloc_heap *heap, alloc_key key) {
  uint32_t at = lower_use(heap, key);
  if (at < heap->use_count && heap->uses[at].space == key.space && heap->uses[at].owner == key.owner)
    return &heap->uses[at];
  alloc_use *uses = mem_grow(heap->mem, heap->uses, &heap->use_capacity, heap->use_count + 1, sizeof *uses);
  if (!uses) return NULL;
  heap->uses = uses;
  memmove(&uses[at + 1], &uses[at], (heap->use_count - at) * sizeof *uses);
  heap->use_count++;
  uses[at] = (alloc_use){.space = key.space, .owner = key.owner, .limit = heap->machine.limit[key.space]};
  return &uses[at];
}

static alloc_result check_limits(const alloc_heap *heap, const alloc_use *use, uint64_t size) {
  if (heap->desc.enforce_limits && use->limit && (size > use->limit || use->now > use->limit - size))
    return ALLOC_OVER_SPACE;
  uint64_t limit = heap->desc.total_limit;
  if (limit && (size > limit || heap->total > limit - size)) return ALLOC_OVER_TOTAL;
  return size > SIZE_MAX / 2 ? ALLOC_OVER_TOTAL : ALLOC_OK;
}

static void count_in(alloc_heap *heap, alloc_use *use, uint64_t size) {
  use->items++;
  use->total += size;
  use->now += size;
  heap->total += size;
  if (heap->total > heap->most) heap->most = heap->total;
  if (use->now <= use->live && use->items > 1) return;
  use->live = use->peak = use->now;
  use->live_at = heap->time;
}

/* ---- blocks ---- */

static size_t room_bytes(uint64_t size) { return (size_t)size + LINE; }
static size_t shadow_bytes(uint64_t size) { return (size_t)((size + 7) / 8); }

static void free_block(mem m, alloc_block *block) {
  if (!block) return;
  if (block->room) mem_free(m, block->room, room_bytes(block->item.size));
  if (block->shadow) mem_free(m, block->shadow, shadow_bytes(block->item.size));
  mem_free(m, block, sizeof *block);
}

/* A spare with room of that size; NULL when there is none. */
static alloc_block *take_spare(alloc_heap *heap, uint64_t size) {
  for (alloc_block **at = &heap->spares; *at; at = &(*at)->next) {
    alloc_block *spare = *at;
    if (spare->item.size != size) continue;
    *at = spare->next;
    heap->spare_count--;
    return spare;
  }
  return NULL;
}

static void retire_block(alloc_heap *heap, alloc_block *block) {
  if (!block->room || heap->spare_count == SPARES_MOST) {
    free_block(heap->mem, block);
    return;
  }
  block->next = heap->spares;
  heap->spares = block;
  heap->spare_count++;
}

/* Memory of its own, poisoned. */
static bool furnish(alloc_heap *heap, alloc_block *block) {
  const uint64_t size = block->item.size;
  if (!block->room) block->room = mem_alloc(heap->mem, room_bytes(size));
  if (!block->room) return false;
  block->bytes = (uint8_t *)(((uintptr_t)block->room + LINE - 1) & ~(uintptr_t)(LINE - 1));
  alloc_poison_fill(block->bytes, size, block->dtype, heap->desc.poison);
  return true;
}

static bool give_shadow(alloc_heap *heap, alloc_block *block, bool written) {
  const size_t bytes = shadow_bytes(block->item.size);
  if (block->shadow && written) mem_free(heap->mem, block->shadow, bytes), block->shadow = NULL;
  if (block->shadow) memset(block->shadow, 0, bytes);
  if (block->shadow || written || !heap->desc.shadow) return true;
  block->shadow = mem_calloc(heap->mem, bytes, 1);
  return block->shadow != NULL;
}

static alloc_block *make_block(alloc_heap *heap, const alloc_request *request) {
  alloc_block *block = request->bytes || request->size == 0 ? NULL : take_spare(heap, request->size);
  if (!block) block = mem_calloc(heap->mem, 1, sizeof *block);
  if (!block) return NULL;
  block->item = (alloc_item){.key = request->key,
                             .name = request->name,
                             .size = request->size,
                             .align = space_info_of(request->key.space)->align,
                             .first = heap->time,
                             .last = heap->time,
                             .above = ALLOC_NONE};
  block->dtype = request->dtype;
  block->site = request->site;
  block->sharers = request->sharers ? request->sharers : 1;
  block->acquired = block->released = block->guests = 0;
  block->bytes = request->bytes;
  block->client = NULL;
  if (request->size == 0) return block;
  if ((block->bytes || furnish(heap, block)) && give_shadow(heap, block, request->written)) return block;
  free_block(heap->mem, block);
  return NULL;
}

static alloc_result join_block(alloc_block *block, const alloc_request *request, alloc_block **out) {
  uint32_t sharers = request->sharers ? request->sharers : 1;
  bool same = block->site == request->site && block->item.size == request->size && block->dtype == request->dtype &&
              block->sharers == sharers && block->acquired < block->sharers;
  if (!same) return ALLOC_DIVERGED;
  block->acquired++;
  *out = block;
  return ALLOC_OK;
}

alloc_result alloc_acquire(alloc_heap *heap, const alloc_request *request, alloc_block **out) {
  *out = NULL;
  if (!reserve_slot(heap)) return ALLOC_OUT_OF_MEMORY;
  alloc_block **slot = find_slot(&heap->blocks, request->key);
  if (*slot && *slot != &tombstone) return join_block(*slot, request, out);
  alloc_use *use = use_for(heap, request->key);
  if (!use) return ALLOC_OUT_OF_MEMORY;
  alloc_result limits = check_limits(heap, use, request->size);
  if (limits != ALLOC_OK) return limits;
  heap->time++;
  alloc_block *block = make_block(heap, request);
  if (!block) return ALLOC_OUT_OF_MEMORY;
  if (!*slot) heap->blocks.filled++;
  heap->blocks.live++;
  *slot = block;
  block->acquired = 1;
  count_in(heap, use, request->size);
  *out = block;
  return ALLOC_OK;
}

alloc_block *alloc_find(const alloc_heap *heap, alloc_key key) {
  if (heap->blocks.live == 0) return NULL;
  alloc_block *found = *find_slot(&heap->blocks, key);
  return found == &tombstone ? NULL : found;
}

/* A report without the item beats a failing release: when memory is out the record is dropped. */
static void record_item(alloc_heap *heap, const alloc_item *item) {
  alloc_item *items = mem_grow(heap->mem, heap->items, &heap->item_capacity, heap->item_count + 1, sizeof *items);
  if (!items) return;
  heap->items = items;
  items[heap->item_count++] = *item;
}

void alloc_hold(alloc_block *block) { block->guests++; }

bool alloc_ends(const alloc_block *block) { return block->released + 1 >= block->sharers + (uint64_t)block->guests; }

void alloc_release(alloc_heap *heap, alloc_block *block) {
  const bool ends = alloc_ends(block);
  block->released++;
  if (!ends) return;
  block->item.last = heap->time++;
  use_for(heap, block->item.key)->now -= block->item.size;
  heap->total -= block->item.size;
  if (heap->desc.record) record_item(heap, &block->item);
  leave_table(&heap->blocks, block->item.key);
  retire_block(heap, block);
}

void alloc_move(alloc_block *block, void *bytes) {
  block->bytes = bytes;
  if (block->shadow) memset(block->shadow, 0, shadow_bytes(block->item.size));
}

alloc_block *alloc_each(const alloc_heap *heap, uint32_t *cursor) {
  while (*cursor < heap->blocks.capacity) {
    alloc_block *block = heap->blocks.slots[(*cursor)++];
    if (block && block != &tombstone) return block;
  }
  return NULL;
}

uint64_t alloc_most(const alloc_heap *heap) { return heap->most; }

uint32_t alloc_live(const alloc_heap *heap) { return heap->blocks.live; }

/* ---- shadows ---- */

void alloc_mark(alloc_block *block, uint64_t offset, uint64_t size) {
  if (!block->shadow) return;
  uint64_t at = offset, end = offset + size;
  for (; at < end && at % 8; at++) block->shadow[at / 8] |= (uint8_t)(1u << (at % 8));
  if (end > at) memset(block->shadow + at / 8, 0xFF, (size_t)((end - at) / 8));
  for (at += (end - at) / 8 * 8; at < end; at++) block->shadow[at / 8] |= (uint8_t)(1u << (at % 8));
}

void alloc_unmark(alloc_block *block, uint64_t offset, uint64_t size) {
  for (uint64_t at = offset; block->shadow && at < offset + size; at++)
    block->shadow[at / 8] &= (uint8_t) ~(1u << (at % 8));
}

/* Of the 64 bytes from `at` on. */
static bool all_written(const alloc_block *block, uint64_t at, uint64_t end) {
  uint64_t bits;
  if (end - at < 64) return false;
  memcpy(&bits, block->shadow + at / 8, sizeof bits);
  return bits == UINT64_MAX;
}

bool alloc_first_unwritten(const alloc_block *block, uint64_t offset, uint64_t size, uint64_t *where) {
  if (!block->shadow) return false;
  for (uint64_t at = offset, end = offset + size; at < end;) {
    uint8_t byte = block->shadow[at / 8];
    if (at % 64 == 0 && all_written(block, at, end)) {
      at += 64;
    } else if (at % 8 == 0 && byte == 0xFF) {
      at += 8;
    } else if (byte >> (at % 8) & 1) {
      at++;
    } else {
      *where = at;
      return true;
    }
  }
  return false;
}

/* ---- life and report ---- */

alloc_heap *alloc_heap_create(mem m, const machine *on, const alloc_heap_desc *desc) {
  alloc_heap *heap = mem_calloc(m, 1, sizeof *heap);
  if (!heap) return NULL;
  heap->mem = m;
  heap->machine = *on;
  heap->desc = *desc;
  return heap;
}

void alloc_heap_destroy(alloc_heap *heap) {
  if (!heap) return;
  mem m = heap->mem;
  for (uint32_t i = 0; i < heap->blocks.capacity; i++)
    if (heap->blocks.slots[i] != &tombstone) free_block(m, heap->blocks.slots[i]);
  for (alloc_block *spare; (spare = heap->spares) != NULL;) {
    heap->spares = spare->next;
    free_block(m, spare);
  }
  mem_free(m, heap->blocks.slots, heap->blocks.capacity * sizeof(alloc_block *));
  mem_free(m, heap->uses, heap->use_capacity * sizeof *heap->uses);
  mem_free(m, heap->items, heap->item_capacity * sizeof *heap->items);
  mem_free(m, heap, sizeof *heap);
}

alloc_report alloc_heap_report(alloc_heap *heap) {
  return (alloc_report){heap->items, heap->item_count, heap->uses, heap->use_count};
}
