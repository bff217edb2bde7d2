/* Slots and tiles while a plan is made: who needs which memory until when, and at the end where it lies in the frame.
 */
#include <string.h>

#include "host/flat/flatten.h"

uint32_t flat_emit(flat *f, host_code code, const void *detail) {
  uint32_t at = (uint32_t)f->code.count;
  VEC_PUSH(f->arena, &f->code, (host_instr){.code = code, .detail = detail, .source = f->source});
  return at;
}

static uint32_t push_slot(flat *f, host_slot slot) {
  uint32_t at = (uint32_t)f->slots.count;
  VEC_PUSH(f->arena, &f->slots, slot);
  VEC_PUSH(f->arena, &f->item_slots, HOST_NONE);
  return at;
}

/* Scalars lie at the frame's start and are never shared. */
uint32_t flat_cell(flat *f) {
  uint32_t slot = push_slot(f, (host_slot){.bytes = 8, .offset = f->cell_bytes});
  f->cell_bytes += 8;
  return slot;
}

uint32_t flat_slot(flat *f, uint64_t bytes) {
  uint32_t slot = push_slot(f, (host_slot){.bytes = bytes});
  const uint32_t now = (uint32_t)f->code.count;
  f->item_slots.data[slot] = (uint32_t)f->items.count;
  VEC_PUSH(f->arena, &f->items,
           (alloc_item){
               .key = {SPACE_GPU_REGS, 0, slot}, .size = bytes, .align = HOST_ALIGN, .first = now, .last = UINT32_MAX});
  return slot;
}

/* The instruction to be emitted next is the last to use it. */
void flat_free_slot(flat *f, uint32_t slot) {
  uint32_t item = f->item_slots.data[slot];
  if (item != HOST_NONE) f->items.data[item].last = (uint32_t)f->code.count;
}

uint32_t flat_constant(flat *f, const void *bytes, uint64_t size) {
  return push_slot(f, (host_slot){.bytes = size, .constant = arena_copy(f->arena, bytes, (size_t)size)});
}

uint32_t flat_tile_of(flat *f, uint32_t slot, uint32_t uses) {
  if (f->tile_count == f->tile_capacity)
    f->tiles = vec_grow(f->arena, f->tiles, f->tile_count, &f->tile_capacity, sizeof *f->tiles);
  f->tiles[f->tile_count] = (flat_tile){.slot = slot, .uses = uses};
  return f->tile_count++;
}

uint32_t flat_tile_new(flat *f, uint64_t bytes, uint32_t uses) { return flat_tile_of(f, flat_slot(f, bytes), uses); }

void flat_tile_add(flat *f, uint32_t tile, uint32_t uses) {
  if (tile != HOST_NONE) f->tiles[tile].uses += uses;
}

void flat_tile_release(flat *f, uint32_t tile) {
  if (tile == HOST_NONE) return;
  const flat_tile *t = &f->tiles[tile];
  if (t->uses == 0 && t->holds == 0 && !t->pinned) flat_free_slot(f, t->slot);
}

void flat_tile_take(flat *f, uint32_t tile) {
  if (tile == HOST_NONE) return;
  f->tiles[tile].uses--;
  flat_tile_release(f, tile);
}

void flat_count_strips(flat *f, uint32_t strips) {
  if (strips > f->plan->strip_count) f->plan->strip_count = strips;
}

/* ---- offsets ---- */

enum { PLACE_MOST = 2048 }; /* items: the allocator's time grows with their square */

static bool place_items(flat *f, uint64_t *bytes) {
  machine m;
  alloc_report report;
  uint32_t culprit;
  for (size_t i = 0; i < f->items.count; i++)
    if (f->items.data[i].last == UINT32_MAX) f->items.data[i].last = (uint32_t)f->code.count;
  *bytes = 0;
  if (f->items.count > PLACE_MOST) {
    for (size_t i = 0; i < f->items.count; i++) {
      f->items.data[i].offset = *bytes;
      if (__builtin_add_overflow(*bytes, (f->items.data[i].size + HOST_ALIGN - 1) & ~(uint64_t)(HOST_ALIGN - 1), bytes))
        return false;
    }
    return true;
  }
  if (!machine_make(MACHINE_GPU, NULL, &m)) return false;
  if (!alloc_place(f->arena, &m, f->items.data, (uint32_t)f->items.count, &report, &culprit)) return false;
  if (report.use_count > 0) *bytes = report.uses[0].peak;
  return true;
}

static uint64_t align_frame(uint64_t bytes) { return (bytes + HOST_ALIGN - 1) & ~(uint64_t)(HOST_ALIGN - 1); }

bool flat_layout(flat *f) {
  kiln_host_plan *plan = f->plan;
  uint64_t tiles, cells = align_frame(f->cell_bytes);
  const uint64_t most = UINT64_C(1) << 56;
  if (!place_items(f, &tiles) || tiles > most) return false;
  for (size_t s = 0; s < f->slots.count; s++)
    if (f->item_slots.data[s] != HOST_NONE)
      f->slots.data[s].offset = cells + f->items.data[f->item_slots.data[s]].offset;
  plan->cell_bytes = cells;
  plan->strips_offset = align_frame(cells + tiles);
  plan->frame_bytes = plan->strips_offset + host_strip_bytes(plan);
  plan->slots = f->slots.data;
  plan->slot_count = (uint32_t)f->slots.count;
  return true;
}
