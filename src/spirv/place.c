/* What may wait. A virtual value is computed where it is used, so a load among its parts happens there too: allowed as
 * long as nothing writes the same memory in between. Loads that may not wait, and chains too long to walk, are
 * materialized where they stand. Memory whose every element only ever one lane touches needs no barriers. */
#include "pass/math/math.h"
#include "spirv/lower.h"

#define DEEPEST 200 /* virtual values on one another */
#define FORMULA 40  /* of them that an elementary function stands for */

typedef VEC(const ir_op *) op_list;

typedef struct placing {
  spv_lower *low;
  op_list *users; /* by value id */
  map numbers;    /* op -> its number + 1 */
  uint32_t next;
  op_list stores, loads;
  uint32_t *depth;               /* by value id */
  uint32_t *stamp, *known, walk; /* by value id: answers of the present walk over users */
} placing;

static kiln_str op_key(const ir_op *const *op) { return (kiln_str){(const char *)op, sizeof *op}; }

static uint32_t number_of(const placing *p, const ir_op *op) {
  return (uint32_t)(uintptr_t)map_get(&p->numbers, op_key(&op)) - 1;
}

static bool number_op(void *user, ir_op *op) {
  placing *p = user;
  const ir_op *key = op;
  map_put(&p->numbers, op_key(&key), (void *)(uintptr_t)++p->next);
  for (uint32_t i = 0; i < op->operand_count; i++) VEC_PUSH(p->low->arena, &p->users[op->operands[i]->id], op);
  if (op->code == IR_store || op->code == IR_atomic) VEC_PUSH(p->low->arena, &p->stores, op);
  if (op->code == IR_load) VEC_PUSH(p->low->arena, &p->loads, op);
  return true;
}

static bool is_loop(const ir_op *op) { return op->code == IR_for || op->code == IR_while; }

/* The number of the last op inside `op`. */
static uint32_t end_of(const placing *p, const ir_op *op) {
  uint32_t last = number_of(p, op);
  for (uint32_t r = 0; r < op->region_count; r++)
    if (op->regions[r]->last) {
      uint32_t end = end_of(p, op->regions[r]->last);
      if (end > last) last = end;
    }
  return last;
}

/* When `user` reads what was defined in `home`: its own number, or the end of the outermost loop between the two. */
static uint32_t time_of_use(const placing *p, const ir_op *user, const ir_region *home) {
  uint32_t when = number_of(p, user);
  for (const ir_region *region = user->parent; region && region != home;
       region = region->owner ? region->owner->parent : NULL)
    if (region->owner && is_loop(region->owner)) when = end_of(p, region->owner);
  return when;
}

static bool is_virtual(const spv_lower *low, const ir_op *op) {
  ir_form form = ir_op_get(op->code)->form;
  if (op->result_count != 1 || low->homes[op->results[0]->id].must_keep) return false;
  return form == IR_FORM_MAP || (form == IR_FORM_SHAPE && op->code != IR_dot) || op->code == IR_load;
}

static uint32_t last_use(const placing *p, const ir_value *value, const ir_region *home) {
  if (p->stamp[value->id] == p->walk) return p->known[value->id];
  uint32_t last = 0;
  const op_list *users = &p->users[value->id];
  for (size_t i = 0; i < users->count; i++) {
    const ir_op *user = users->data[i];
    uint32_t when = is_virtual(p->low, user) ? last_use(p, user->results[0], home) : time_of_use(p, user, home);
    if (when > last) last = when;
  }
  p->stamp[value->id] = p->walk;
  p->known[value->id] = last;
  return last;
}

/* ---- one lane to each element ---- */

static bool same_index(const ir_op *a, const ir_op *b) {
  if (a->operands[0] != b->operands[0] || a->attrs->index_count != b->attrs->index_count) return false;
  for (uint32_t d = 0; d < a->attrs->index_count; d++) {
    const ir_index *x = &a->attrs->index[d], *y = &b->attrs->index[d];
    if (x->point != y->point || (x->operand < 0) != (y->operand < 0)) return false;
    if (!x->point && (x->size != y->size || x->stride != y->stride)) return false;
    if (x->operand < 0 ? x->start != y->start : a->operands[x->operand] != b->operands[y->operand]) return false;
  }
  return true;
}

static bool same_extents(const ir_type *a, const ir_type *b) {
  if (a->shape.rank != b->shape.rank) return false;
  for (uint32_t axis = 0; axis < a->shape.rank; axis++)
    if (ir_extent(a, axis) != ir_extent(b, axis)) return false;
  return true;
}

/* Whether every element of `value` is only used by the lane that it lies in. */
static bool stays_in_lane(const placing *p, const ir_value *value) {
  if (p->stamp[value->id] == p->walk) return true; /* a doubtful one has ended the walk */
  p->stamp[value->id] = p->walk;
  const op_list *users = &p->users[value->id];
  for (size_t i = 0; i < users->count; i++) {
    const ir_op *user = users->data[i];
    if (user->code == IR_store && user->operands[1] == value) continue;
    bool moves = ir_op_get(user->code)->form != IR_FORM_MAP && user->code != IR_convert;
    if (moves || !same_extents(&value->type, &user->results[0]->type) || !stays_in_lane(p, user->results[0]))
      return false;
  }
  return true;
}

static bool touched_by_one_lane(placing *p, uint32_t memory) {
  const ir_op *first = NULL;
  p->walk++;
  for (int list = 0; list < 2; list++) {
    const op_list *ops = list ? &p->loads : &p->stores;
    for (size_t i = 0; i < ops->count; i++) {
      const ir_op *op = ops->data[i];
      if (spv_memory_of_ref(p->low, op->operands[0]) != memory) continue;
      uint32_t arrays_at;
      if (!first) first = op;
      if (op->code == IR_atomic || ir_access_arrays(op, &arrays_at)) return false;
      if (op->attrs->masked || !same_index(first, op)) return false;
      if (list && (op->results[0]->type.shape.rank == 0 || !stays_in_lane(p, op->results[0]))) return false;
    }
  }
  return true;
}

/* ---- loads ---- */

/* Whether `load` only feeds `store` element by element, which then may read and write in place. */
static bool in_place(placing *p, const ir_op *load, const ir_op *store, uint32_t last) {
  uint32_t arrays_at;
  p->walk++;
  if (store->code == IR_atomic || ir_access_arrays(store, &arrays_at)) return false;
  return number_of(p, store) == last && load->parent == store->parent && same_index(load, store) &&
         stays_in_lane(p, load->results[0]) && load->results[0]->type.shape.rank > 0;
}

static bool may_wait(placing *p, const ir_op *load) {
  uint32_t memory = spv_memory_of_ref(p->low, load->operands[0]);
  p->walk++;
  uint32_t first = number_of(p, load), last = last_use(p, load->results[0], load->parent);
  for (size_t i = 0; i < p->stores.count; i++) {
    const ir_op *store = p->stores.data[i];
    uint32_t when = number_of(p, store);
    uint32_t written = spv_memory_of_ref(p->low, store->operands[0]);
    const bool hands_over = ir_hands_over(store);
    if (when <= first || when > last) continue;
    if (!hands_over && !(written == memory || spv_share_words(p->low, written, memory))) continue;
    if (hands_over || written != memory || !in_place(p, load, store, last)) return false;
  }
  return true;
}

static bool measure_depth(void *user, ir_op *op) {
  placing *p = user;
  if (!is_virtual(p->low, op)) return true;
  uint32_t deepest = 0;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (p->depth[op->operands[i]->id] > deepest) deepest = p->depth[op->operands[i]->id];
  p->depth[op->results[0]->id] = deepest + (math_has(op->code) ? FORMULA : 1);
  if (deepest < DEEPEST) return true;
  p->low->homes[op->results[0]->id].must_keep = true;
  p->depth[op->results[0]->id] = 0;
  return true;
}

/* What tells where the parts of loops begin is read once, in front of them. */
static bool reads_scratch_scalar(spv_lower *low, const ir_op *load) {
  const spv_memory *memory = &low->memories.data[spv_memory_of_ref(low, load->operands[0])];
  return load->results[0]->type.shape.rank == 0 && memory->kind != SPV_BUFFER;
}

void spv_place_values(spv_lower *low) {
  const ir_kernel *kernel = low->kernel;
  placing p = {.low = low, .numbers = map_new(low->arena)};
  p.users = ARENA_ARRAY(low->arena, op_list, kernel->value_count + 1);
  p.depth = ARENA_ARRAY(low->arena, uint32_t, kernel->value_count + 1);
  p.stamp = ARENA_ARRAY(low->arena, uint32_t, kernel->value_count + 1);
  p.known = ARENA_ARRAY(low->arena, uint32_t, kernel->value_count + 1);
  ir_walk(kernel->body, number_op, &p);
  ir_walk(kernel->body, measure_depth, &p);
  for (size_t i = 0; i < p.stores.count; i++)
    low->memories.data[spv_memory_of_ref(low, p.stores.data[i]->operands[0])].written = true;
  for (uint32_t m = 0; m < low->memories.count; m++) low->memories.data[m].own = touched_by_one_lane(&p, m);
  for (size_t i = 0; i < p.loads.count; i++) {
    const ir_op *load = p.loads.data[i];
    spv_home *home = &low->homes[load->results[0]->id];
    home->must_keep = home->must_keep || reads_scratch_scalar(low, load) || !may_wait(&p, load);
    bool small = ir_count(&load->results[0]->type) <= SPV_REPLICATED;
    if (home->must_keep && small) low->memories.data[spv_memory_of_ref(low, load->operands[0])].own = false;
  }
}
