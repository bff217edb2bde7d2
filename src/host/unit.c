/* A unit: program counter and frame. Control flow of the kernel is jumps in the plan, so a unit can stop after any
 * instruction and go on later; nothing of it lives on the C stack. */
#include "host/crew/crew.h"

#include <string.h>

static size_t table_bytes(const kiln_host_plan *plan) {
  return sizeof(host_unit) + plan->slot_count * sizeof(uint8_t *) + plan->root_count * sizeof(alloc_block *) +
         plan->box_count * sizeof(host_box);
}

static void point_slots(host_unit *unit) {
  const kiln_host_plan *plan = unit->plan;
  for (uint32_t s = 0; s < plan->slot_count; s++) {
    const host_slot *slot = &plan->slots[s];
    unit->slot[s] = slot->constant ? (uint8_t *)(uintptr_t)slot->constant : unit->frame + slot->offset;
  }
}

unit_id host_program_unit(const kiln_host_plan *plan, uint32_t ordinal) {
  return unit_at(&plan->machine, level_info_of(machine_info_of(plan->kind)->program)->depth, ordinal);
}

host_unit *host_unit_create(const kiln_host_plan *plan, alloc_heap *heap) {
  const mem m = plan->context->mem;
  const alloc_heap_desc desc = {.poison = ALLOC_FILL, .shadow = plan->check};
  host_unit *unit = mem_calloc(m, 1, table_bytes(plan));
  if (!unit) return NULL;
  unit->plan = plan;
  unit->bytes = (size_t)plan->frame_bytes + HOST_ALIGN;
  unit->memory = mem_alloc(m, unit->bytes);
  unit->owns_heap = !heap;
  unit->heap = heap ? heap : alloc_heap_create(m, &plan->machine, &desc);
  if (!unit->memory || !unit->heap) {
    host_unit_destroy(unit);
    return NULL;
  }
  unit->frame = host_aligned(unit->memory);
  unit->box = (host_box *)(void *)(unit + 1); /* one block: the tables lie behind the unit */
  unit->block = (alloc_block **)(void *)(unit->box + plan->box_count);
  unit->slot = (uint8_t **)(void *)(unit->block + plan->root_count);
  memset(unit->frame, 0, (size_t)plan->cell_bytes);
  point_slots(unit);
  return unit;
}

void host_unit_destroy(host_unit *unit) {
  if (!unit) return;
  const mem m = unit->plan->context->mem;
  if (unit->owns_heap) alloc_heap_destroy(unit->heap);
  mem_free(m, unit->memory, unit->bytes);
  mem_free(m, unit, table_bytes(unit->plan));
}

/* ---- memory ---- */

/* The block's bytes are looked up here, once. */
void host_bind_root(host_unit *unit, uint32_t root, alloc_block *block) {
  const uint32_t which = unit->plan->roots[root].box;
  host_box *box = &unit->box[which];
  const host_box_info *info = &unit->plan->boxes[which];
  unit->block[root] = block;
  box->root = block->bytes;
  box->offset = 0;
  box->inside = true;
  for (uint32_t d = 0; d < info->rank; d++) box->low[d] = 0, box->high[d] = info->dims[d];
}

static host_status acquire_scratch(host_unit *unit, const host_scratch *scratch) {
  const host_root *root = &unit->plan->roots[scratch->root];
  if (unit->member) return crew_acquire(unit, scratch->root);
  const alloc_request request = {
      .key = key_take(&unit->plan->machine, &unit->serials, unit->id, root->space),
      .name = root->name,
      .size = root->bytes,
      .dtype = root->dtype,
      .site = scratch->root,
  };
  alloc_block *block;
  if (alloc_acquire(unit->heap, &request, &block) != ALLOC_OK) return HOST_FAILED;
  host_bind_root(unit, scratch->root, block);
  return HOST_RUNNING;
}

static void release_scratch(host_unit *unit, uint32_t root) {
  if (unit->member) {
    crew_release(unit, root);
    return;
  }
  if (unit->block[root]) alloc_release(unit->heap, unit->block[root]);
  unit->block[root] = NULL;
}

void host_unit_start(host_unit *unit, uint64_t point, host_faults *faults) {
  const kiln_host_plan *plan = unit->plan;
  const uint32_t params = plan->kernel->param_count;
  unit->pc = 0;
  step_record_at(&plan->grid, (step_share){0, plan->points}, point, &unit->step);
  unit->faults = faults;
  unit->serials = plan->serials;
  for (uint32_t r = 0; r < params; r++) host_bind_root(unit, r, plan->block[r]);
  if (unit->owns_heap && alloc_live(unit->heap) > 0) /* of a point that was stopped */
    for (uint32_t r = params; r < plan->root_count; r++) release_scratch(unit, r);
  for (uint32_t a = 0; a < plan->grid.rank; a++) host_set_cell(unit, plan->axis_slots[a], (int32_t)unit->step.index[a]);
}

/* ---- instructions ---- */

static void run_read(host_unit *unit, const host_access *access) {
  if (access->mask != HOST_NONE)
    host_masked_read(unit, access);
  else
    host_box_read(unit, access->box, unit->slot[access->tile]);
}

static void run_write(host_unit *unit, const host_access *access) {
  if (access->mask != HOST_NONE)
    host_masked_write(unit, access);
  else
    host_box_write(unit, access->box, unit->slot[access->tile]);
}

static bool begin_loop(host_unit *unit, const host_loop *loop) {
  int32_t begin = host_cell(unit, loop->begin);
  host_set_cell(unit, loop->index, begin);
  return begin < host_cell(unit, loop->end);
}

static bool next_turn(host_unit *unit, const host_loop *loop) {
  int64_t next = (int64_t)host_cell(unit, loop->index) + host_cell(unit, loop->step);
  if (next >= host_cell(unit, loop->end)) return false;
  host_set_cell(unit, loop->index, (int32_t)next);
  return true;
}

static uint32_t switch_target(const host_unit *unit, const host_switch *choice) {
  int32_t index = host_cell(unit, choice->index), last = (int32_t)choice->count - 1;
  return choice->targets[index < 0 ? 0 : index > last ? last : index];
}

static void run_scalar(host_unit *unit, const host_scalar *op) {
  const void *const in[3] = {unit->slot[op->in[0]], unit->slot[op->in[1]], unit->slot[op->in[2]]};
  op->fn(unit->slot[op->out], in, 1);
}

/* Elements of which a part is outside are none of another shape. */
static host_status run_recast(host_unit *unit, const host_instr *instr) {
  const host_recast *recast = instr->detail;
  if (host_recast_box(unit, recast)) return HOST_RUNNING;
  crew_report_outside(unit, unit->plan->boxes[recast->from].root, instr->source);
  return HOST_FAILED;
}

/* Everything but what moves the program counter or may fail. */
static void run_instruction(host_unit *unit, const host_instr *instr) {
  const void *detail = instr->detail;
  switch (instr->code) {
    case HOST_PLACE: host_place_box(unit, detail); break;
    case HOST_PERMUTE: host_permute_box(unit, detail); break;
    case HOST_CHECK_BOUNDS: host_check_bounds(unit, detail, instr->source); break;
    case HOST_CHECK_READ: host_check_read(unit, detail, instr->source); break;
    case HOST_MARK_WRITTEN: host_mark_written(unit, detail, instr->source); break;
    case HOST_POINT_READ: host_point_read(unit, detail); break;
    case HOST_POINT_WRITE: host_point_write(unit, detail); break;
    case HOST_READ: run_read(unit, detail); break;
    case HOST_WRITE: run_write(unit, detail); break;
    case HOST_SCALAR: run_scalar(unit, detail); break;
    case HOST_FUSED: host_run_fused(unit, detail); break;
    case HOST_ARG: host_run_arg(unit, detail); break;
    case HOST_SCAN: host_run_scan(unit, detail); break;
    case HOST_CHECK: host_run_check(unit, detail, instr->source); break;
    case HOST_WINDOW: host_run_window(unit, detail); break;
    case HOST_TAKE: host_run_take(unit, detail); break;
    case HOST_SORT: host_run_sort(unit, detail); break;
    case HOST_DOT: host_run_dot(unit, detail); break;
    case HOST_RELEASE: release_scratch(unit, ((const host_scratch *)detail)->root); break;
    case HOST_MOVE: {
      const host_move *move = detail;
      memmove(unit->slot[move->to], unit->slot[move->from], (size_t)move->bytes);
      break;
    }
    default: break;
  }
}

host_status host_unit_step(host_unit *unit, uint64_t budget) {
  const host_instr *code = unit->plan->code;
  uint32_t pc = unit->pc;
  host_status status = HOST_RUNNING;
  uint64_t left = budget;
  for (; left > 0; left--) {
    const host_instr *instr = &code[pc++];
    bool jump = false;
    switch (instr->code) {
      case HOST_JUMP: jump = true; break;
      case HOST_BRANCH: jump = *unit->slot[((const host_move *)instr->detail)->from] == 0; break;
      case HOST_LOOP_BEGIN: jump = !begin_loop(unit, instr->detail); break;
      case HOST_LOOP_NEXT: jump = next_turn(unit, instr->detail); break;
      case HOST_SWITCH: pc = switch_target(unit, instr->detail); break;
      case HOST_INDEXED: status = host_run_indexed(unit, instr->detail, instr->source); break;
      case HOST_RECAST: status = run_recast(unit, instr); break;
      case HOST_PRINT: status = host_run_print(unit, instr->detail) ? HOST_RUNNING : HOST_FAILED; break;
      case HOST_SCRATCH: status = acquire_scratch(unit, instr->detail); break;
      case HOST_SPLIT:
        status = crew_split(unit, pc, instr);
        jump = status == HOST_RUNNING;
        break;
      case HOST_END: status = HOST_DONE; break;
      default:
        if (instr->code < HOST_CREW_OPS)
          run_instruction(unit, instr);
        else
          status = crew_step(unit, instr);
    }
    if (status != HOST_RUNNING) break;
    if (jump) pc = instr->target;
  }
  unit->pc = status == HOST_BLOCKED ? pc - 1 : pc;
  unit->steps += budget - left;
  return status;
}
