/* Lifetimes over program points.
 *
 * Scratch is alive from its first use to its last. A use inside a loop that stands between it and the scratch makes it
 * alive through all of the loop: what one trip leaves there, the next may read. A view is a use for as long as the view
 * is used. */
#include "pass/memory.h"

#include "ir/layout.h"
#include "pass/util.h"

enum { DEVICE_ALIGN = 16 }; /* whole vectors of words */

typedef struct open_loop {
  uint32_t entered; /* the point */
  uint32_t used;    /* the items it uses that were born right outside it, as a list: item + 1 */
} open_loop;

typedef struct lifetimes {
  arena *arena;
  const ir_kernel *kernel;
  alloc_item *items;
  const ir_op **made_by;
  uint32_t count;
  uint32_t *item_of;    /* by value id of ref or loop result: item + 1 */
  uint32_t *born_in;    /* by item: loops around its scratch op */
  uint32_t *used_next;  /* by item: the next of its list; itself, + 1, at the end; 0 when on none */
  VEC(open_loop) loops; /* those around here */
  VEC(memory_point) points;
  uint32_t depth;
} lifetimes;

static bool is_loop(const ir_op *op) { return op->code == IR_for || op->code == IR_while; }

static uint32_t add_point(lifetimes *t, const ir_op *op, bool leaves) {
  VEC_PUSH(t->arena, &t->points, (memory_point){op, t->depth, leaves});
  return (uint32_t)t->points.count - 1;
}

static void use(lifetimes *t, uint32_t item, uint32_t point) {
  alloc_item *it = &t->items[item];
  bool in_loop = t->loops.count > t->born_in[item];
  uint32_t first = in_loop ? t->loops.data[t->born_in[item]].entered : point;
  if (it->first > first) it->first = first;
  if (it->last < point) it->last = point;
  if (!in_loop || t->used_next[item]) return;
  uint32_t *head = &t->loops.data[t->born_in[item]].used;
  t->used_next[item] = *head ? *head : item + 1;
  *head = item + 1;
}

static void visit_region(lifetimes *t, ir_region *region);

static void visit_loop(lifetimes *t, ir_op *op, uint32_t entered) {
  VEC_PUSH(t->arena, &t->loops, (open_loop){entered, 0});
  for (uint32_t r = 0; r < op->region_count; r++) visit_region(t, op->regions[r]);
  uint32_t item = t->loops.data[--t->loops.count].used;
  uint32_t left = (uint32_t)t->points.count; /* the point about to be made */
  for (uint32_t next; item; item = next == item ? 0 : next) {
    next = t->used_next[item - 1];
    t->used_next[item - 1] = 0;
    t->items[item - 1].last = left;
  }
}

static void visit_control(lifetimes *t, ir_op *op) {
  uint32_t entered = add_point(t, op, false);
  t->depth++;
  if (is_loop(op))
    visit_loop(t, op, entered);
  else
    for (uint32_t r = 0; r < op->region_count; r++) visit_region(t, op->regions[r]);
  t->depth--;
  uint32_t left = add_point(t, op, true);
  for (uint32_t i = 0; i < op->result_count; i++) {
    uint32_t item = t->item_of[op->results[i]->id];
    if (item) t->items[item - 1].first = entered, t->items[item - 1].last = left;
  }
}

static void visit_region(lifetimes *t, ir_region *region) {
  for (ir_op *op = region->first; op; op = op->next) {
    if (op->region_count) {
      visit_control(t, op);
      continue;
    }
    if (op->code == IR_scratch) t->born_in[t->item_of[op->results[0]->id] - 1] = (uint32_t)t->loops.count;
    if (!(ir_op_get(op->code)->effects & E_INDEXES) || op->code == IR_view) continue;
    uint32_t point = add_point(t, op, false), item = t->item_of[ir_root_ref(op->operands[0])->id];
    if (item) use(t, item - 1, point);
  }
}

/* ---- items ---- */

typedef struct counter {
  size_t items;
} counter;

static bool count_items(void *user, ir_op *op) {
  counter *c = user;
  c->items += op->code == IR_scratch ? 1 : is_loop(op) ? op->result_count : 0;
  return true;
}

typedef struct collector {
  lifetimes *times;
  const machine *machine;
  const pass_target *target;
  key_serials serials;
} collector;

uint32_t pass_device_words(ir_dtype dtype, int64_t elements, uint32_t *spare) {
  const int64_t words = ir_dtype_get(dtype)->bits == 64 ? 2 : 1;
  if (elements > DEVICE_TILE_MOST) return 0;
  *spare = (uint32_t)(elements * words + 3) / 4 * 4;
  return *spare + 4;
}

static uint64_t device_bytes(const ir_value *scratch) {
  ir_address address;
  uint32_t spare;
  if (!ir_type_address(&scratch->def->attrs->layout, &scratch->type, &address)) return 0;
  return (uint64_t)pass_device_words(scratch->type.dtype, address.elements, &spare) * 4;
}

/* Of parameters and scratch with their padding. */
static uint64_t bytes_of(const collector *c, const ir_value *v) {
  const ir_param *param = pass_param_of(c->times->kernel, v);
  if (param) return (uint64_t)ir_param_bytes(param);
  if (c->target->kind == P_SPIRV && v->type.kind == IR_REF) return device_bytes(v);
  if (v->type.kind == IR_REF) return (uint64_t)ir_scratch_bytes(v->def);
  return (uint64_t)ir_count(&v->type) * ir_dtype_bytes(v->type.dtype);
}

static void add_item(collector *c, const ir_value *v, kiln_str name, space_id space, const ir_op *op) {
  lifetimes *t = c->times;
  const bool global = space_info_of(space)->storage == SPACE_BUFFER;
  unit_id program = unit_at(c->machine, level_info_of(machine_info_of(c->machine->kind)->program)->depth, 0);
  t->items[t->count] = (alloc_item){.key = key_take(c->machine, &c->serials, program, space),
                                    .name = name,
                                    .size = bytes_of(c, v),
                                    .align = c->target->kind == P_SPIRV && op ? DEVICE_ALIGN : 0,
                                    .first = UINT32_MAX};
  if (global && op) /* scratch there is a slice for each that has a shared space */
    t->items[t->count].key.owner = unit_owner(c->machine, program, machine_info_of(c->machine->kind)->shared);
  t->made_by[t->count++] = op;
  t->item_of[v->id] = t->count;
}

/* machine_of_kernel has seen to it that every space is there. */
static void add_ref(collector *c, const ir_value *ref, kiln_str name, const ir_op *op) {
  space_id space;
  if (machine_space(c->machine->kind, ref->type.space, &space)) add_item(c, ref, name, space, op);
}

static void add_carried(collector *c, const ir_op *loop) {
  const ir_region *body = loop->regions[loop->region_count - 1];
  for (uint32_t i = 0; i < loop->result_count; i++) {
    const ir_value *result = loop->results[i], *arg = body->args[body->arg_count - loop->result_count + i];
    if (result->type.shape.rank == 0) continue;
    add_item(c, result, arg->name.size ? arg->name : result->name, machine_info_of(c->machine->kind)->tiles, loop);
  }
}

static bool add_op(void *user, ir_op *op) {
  if (op->code == IR_scratch) add_ref(user, op->results[0], op->results[0]->name, op);
  if (is_loop(op)) add_carried(user, op);
  return true;
}

static void collect_items(lifetimes *t, const machine *m, const pass_target *target) {
  const ir_kernel *k = t->kernel;
  counter counts = {0};
  ir_walk(k->body, count_items, &counts);
  size_t room = (size_t)k->param_count + counts.items + 1;
  t->items = ARENA_ARRAY(t->arena, alloc_item, room);
  t->made_by = ARENA_ARRAY(t->arena, const ir_op *, room);
  t->born_in = ARENA_ARRAY(t->arena, uint32_t, room);
  t->used_next = ARENA_ARRAY(t->arena, uint32_t, room);
  t->item_of = ARENA_ARRAY(t->arena, uint32_t, (size_t)k->value_count + 1);
  collector c = {.times = t, .machine = m, .target = target};
  for (uint32_t i = 0; i < k->param_count; i++) add_ref(&c, k->params[i].ref, k->params[i].name, NULL);
  ir_walk(k->body, add_op, &c);
}

/* Params live from start to end; scratch that nobody uses, nowhere in particular. */
static void settle_lifetimes(lifetimes *t) {
  uint32_t end = add_point(t, NULL, true);
  for (uint32_t i = 0; i < t->count; i++) {
    if (!t->made_by[i])
      t->items[i].first = 0, t->items[i].last = end;
    else if (t->items[i].first == UINT32_MAX)
      t->items[i].first = t->items[i].last = 0;
  }
}

bool pass_memory_of(arena *a, const ir_kernel *k, const pass_target *target, diag_sink *diags, pass_memory *out) {
  *out = (pass_memory){0};
  machine_kind kind;
  if (!machine_of_kernel(k, diags, &kind)) return false;
  machine_make(kind, NULL, &out->machine);
  if (target->shared_memory) out->machine.limit[machine_info_of(kind)->shared] = target->shared_memory;
  lifetimes t = {.arena = a, .kernel = k};
  collect_items(&t, &out->machine, target);
  add_point(&t, NULL, false);
  visit_region(&t, k->body);
  settle_lifetimes(&t);
  out->made_by = t.made_by;
  out->points = t.points.data;
  out->point_count = (uint32_t)t.points.count;
  uint32_t culprit;
  if (alloc_place(a, &out->machine, t.items, t.count, &out->report, &culprit)) return true;
  diag_report(diags, DIAG_memory_too_large, t.made_by[culprit] ? t.made_by[culprit]->loc : k->loc,
              STR_FMT(t.items[culprit].name));
  return false;
}
