/* place_memory: every scratch gets its offset within its unit's copy of its space.
 *
 *   scratch a: f32[8, 128] in smem              scratch a: f32[8, 128] in smem at 0
 *   scratch b: f32[8, 128] in smem              scratch b: f32[8, 128] in smem at 0
 *
 * (where b's first use comes after a's last.) The allocator decides; what it decided, and why, is `kiln plan`.
 *
 * For a device the space is settled first. A device has one memory that a workgroup shares, and no registers that can
 * be indexed: all but global memory becomes the machine's shared space, and what does not fit there goes to global
 * memory, of which every workgroup has a slice; so does what 64-bit atomics change, as shared memory is made of words.
 * A tile that is a role's own, and read and written whole only, needs no index: it stays in registers. */
#include "pass/memory.h"
#include "pass/util.h"

enum { ROUNDS_ALONE = 32 }; /* of placing anew after one scratch was sent away */

typedef struct settling {
  const machine *machine;
  ir_space shared;      /* the name of the machine's shared space */
  int64_t most;         /* elements of a tile that stays in registers */
  uint32_t *whole_uses; /* by value id */
  bool changed;
} settling;

static bool count_whole_use(void *user, ir_op *op) {
  const settling *s = user;
  if (pass_whole_access(op)) s->whole_uses[op->operands[0]->id]++;
  return true;
}

static bool stays(const settling *s, const ir_value *ref, ir_space space) {
  const bool own = space == IR_SPACE_ACC || space == IR_SPACE_REGS;
  return own && ir_count(&ref->type) <= s->most && s->whole_uses[ref->id] == ref->uses;
}

/* Views have the space of what they are views of; scratch stands before them. */
static bool settle_op(void *user, ir_op *op) {
  settling *s = user;
  space_id space;
  if (op->result_count == 0 || op->results[0]->type.kind != IR_REF) return true;
  ir_type *type = &op->results[0]->type;
  ir_space before = type->space;
  if (op->code == IR_scratch) {
    bool found = machine_space(s->machine->kind, op->attrs->space, &space);
    bool global = found && space_info_of(space)->storage == SPACE_BUFFER;
    if (!stays(s, op->results[0], op->attrs->space)) op->attrs->space = global ? IR_SPACE_GMEM : s->shared;
    type->space = op->attrs->space;
  } else {
    type->space = op->operands[0]->type.space;
  }
  s->changed |= type->space != before;
  return true;
}

static bool settle_atomic(void *user, ir_op *op) {
  (void)user;
  if (op->code != IR_atomic || ir_dtype_get(op->results[0]->type.dtype)->bits < 64) return true;
  const ir_value *root = ir_root_ref(op->operands[0]);
  if (root->def) root->def->attrs->space = IR_SPACE_GMEM;
  return true;
}

static settling settling_of(const pass_ctx *c, const machine *m) {
  ir_kernel *k = c->kernel;
  settling s = {.machine = m, .shared = space_info_of(machine_info_of(m->kind)->shared)->named};
  if (pass_has_roles(k)) s.most = (int64_t)PASS_ROLE_KEEPS * c->target->lanes;
  s.whole_uses = ARENA_ARRAY(&k->module->arena, uint32_t, k->value_count + 1);
  ir_walk(k->body, count_whole_use, &s);
  ir_walk(k->body, settle_atomic, NULL);
  return s;
}

static bool ends_outside(const pass_memory *memory, uint32_t i) {
  const space_id shared = machine_info_of(memory->machine.kind)->shared;
  const uint64_t limit = memory->machine.limit[shared];
  const alloc_item *item = &memory->report.items[i];
  const ir_op *op = memory->made_by[i];
  return op && op->code == IR_scratch && item->key.space == shared && limit && item->offset + item->size > limit;
}

/* Sends the largest scratch of those that end beyond what there is to global memory, or all of them. False when there
 * are none. */
static bool send_away(const pass_memory *memory, bool all) {
  const alloc_item *items = memory->report.items;
  uint32_t largest = ALLOC_NONE;
  for (uint32_t i = 0; i < memory->report.item_count; i++) {
    if (!ends_outside(memory, i)) continue;
    if (all) memory->made_by[i]->attrs->space = IR_SPACE_GMEM;
    if (largest == ALLOC_NONE || items[i].size > items[largest].size) largest = i;
  }
  if (largest == ALLOC_NONE) return false;
  memory->made_by[largest]->attrs->space = IR_SPACE_GMEM;
  return true;
}

static bool write_offsets(const pass_memory *memory) {
  bool changed = false;
  for (uint32_t i = 0; i < memory->report.item_count; i++) {
    const ir_op *op = memory->made_by[i];
    if (!op || op->code != IR_scratch) continue;
    int64_t *offset = &op->attrs->offset;
    changed |= *offset != (int64_t)memory->report.items[i].offset;
    *offset = (int64_t)memory->report.items[i].offset;
  }
  return changed;
}

/* For a device: until what is shared is all within it. False after a diagnostic. */
static bool settle_spaces(pass_ctx *c, pass_memory *memory, bool *changed) {
  settling s = settling_of(c, &memory->machine);
  for (uint32_t round = 0;; round++) {
    ir_walk(c->kernel->body, settle_op, &s);
    *changed = s.changed;
    if (!pass_memory_of(&c->kernel->module->arena, c->kernel, c->target, c->diags, memory)) return false;
    if (!send_away(memory, round >= ROUNDS_ALONE)) return true;
  }
}

bool pass_place_memory(pass_ctx *c) {
  pass_memory memory;
  bool changed = false;
  if (!pass_memory_of(&c->kernel->module->arena, c->kernel, c->target, c->diags, &memory)) return false;
  if (c->target->kind == P_SPIRV && !settle_spaces(c, &memory, &changed)) return false;
  return write_offsets(&memory) || changed;
}
