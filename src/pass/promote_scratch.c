/* promote_scratch: scratch that is only read and written whole is a variable: its reads become the value last written.
 *
 *   scratch acc: f32[8, 8] in acc               let zero = full(0.0, f32[8, 8])
 *   acc[...] = full(0.0, f32[8, 8])             let sum = for k in 0..4 with (acc = zero) {
 *   for k in 0..4 {                               ..
 *     ..                                          yield acc + dot(a, b)
 *     acc[...] = acc[...] + dot(a, b)           }
 *   }                                           y[...] = sum
 *   y[...] = acc[...]
 *
 * - Control is structured, so one walk does: what a loop writes it carries, what a branch writes it yields.
 * - A variable read before it is written has the fill value, which is what fresh scratch holds.
 * - Scratch written in the condition of a `while` stays: conditions hand on nothing but their answer.
 * - Scratch that nobody reads goes, with everything that writes it.
 * - Where roles run side by side only what is one role's own is a variable of its, and only while it is small: it goes
 *   around with every step that the role takes.
 * - When a checker runs, everything stays: it wants to see the reads and writes. */
#include "pass/util.h"

enum {
  MAX_VARIABLES = 1024, /* bounds the work on hostile kernels; what is over stays scratch */
  ROLE_ELEMENTS = 32    /* a lane: of a variable of a role's */
};

typedef struct promotion {
  ir_builder b;
  arena *arena;
  uint32_t *variable_of; /* by value id of the scratch: variable + 1; 0: not promoted */
  uint32_t value_count;  /* entries of variable_of and seen_uses */
  uint32_t *whole_uses;  /* by value id: whole, unmasked accesses */
  bool *in_condition;    /* by value id: written in a condition */
  uint32_t variables;
  int64_t most;       /* elements of a variable; 0: no limit */
  ir_value **current; /* by variable */
  kiln_str *names;    /* by variable */
  pass_renames renames;
} promotion;

/* ---- which ---- */

static bool writes(const ir_op *op) { return op->code == IR_store; }

static bool note_write_in_condition(void *user, ir_op *op) {
  promotion *p = user;
  if (writes(op)) p->in_condition[op->operands[0]->id] = true;
  return true;
}

static bool note_use(void *user, ir_op *op) {
  promotion *p = user;
  if (pass_whole_access(op)) p->whole_uses[op->operands[0]->id]++;
  if (op->code == IR_while) ir_walk(op->regions[0], note_write_in_condition, p);
  return true;
}

static bool is_too_wide(const promotion *p, const ir_value *ref) {
  const bool own = ref->type.space == IR_SPACE_REGS || ref->type.space == IR_SPACE_ACC;
  return p->most && (!own || ir_count(&ref->type) > p->most);
}

static bool name_variable(void *user, ir_op *op) {
  promotion *p = user;
  if (op->code != IR_scratch || p->variables == MAX_VARIABLES) return true;
  const ir_value *ref = op->results[0];
  if (is_too_wide(p, ref)) return true;
  if (p->whole_uses[ref->id] == ref->uses && !p->in_condition[ref->id]) p->variable_of[ref->id] = ++p->variables;
  return true;
}

/* ---- renaming ---- */

static uint32_t variable(const promotion *p, const ir_value *ref) {
  return ref->id < p->value_count ? p->variable_of[ref->id] : 0;
}

typedef struct write_set {
  const promotion *p;
  bool *written; /* by variable */
} write_set;

static bool collect_write(void *user, ir_op *op) {
  write_set *set = user;
  uint32_t which = writes(op) ? variable(set->p, op->operands[0]) : 0;
  if (which) set->written[which - 1] = true;
  return true;
}

/* The variables of outside that `op` writes; `out` has room for all. */
static uint32_t written_by(const promotion *p, const ir_op *op, uint32_t *out) {
  write_set set = {p, ARENA_ARRAY(p->arena, bool, p->variables)};
  for (uint32_t r = 0; r < op->region_count; r++) ir_walk(op->regions[r], collect_write, &set);
  uint32_t count = 0;
  for (uint32_t which = 0; which < p->variables; which++)
    if (set.written[which] && p->current[which]) out[count++] = which;
  return count;
}

static void rename_region(promotion *p, ir_region *region);

/* Renames a region in which the variables `which` begin with the values of `current`, and hands on what they end with.
 */
static void rename_and_yield(promotion *p, ir_region *region, const uint32_t *which, uint32_t count) {
  rename_region(p, region);
  ir_op *yield = pass_yield_of(region);
  uint32_t old_count = yield ? yield->operand_count : 0;
  ir_value **values = ARENA_ARRAY(p->arena, ir_value *, old_count + count);
  for (uint32_t i = 0; i < old_count; i++) values[i] = yield->operands[i];
  for (uint32_t i = 0; i < count; i++) values[old_count + i] = p->current[which[i]];
  if (yield) ir_erase(yield);
  p->b.region = region;
  p->b.before = NULL;
  ir_yield(&p->b, values, old_count + count);
}

static void rename_loop(promotion *p, ir_op *op, const uint32_t *which, uint32_t count) {
  for (uint32_t r = 0; r < op->region_count; r++) {
    for (uint32_t i = 0; i < count; i++)
      p->current[which[i]] = ir_region_arg(&p->b, op->regions[r], p->current[which[i]]->type, p->names[which[i]]);
    bool condition = op->code == IR_while && r == 0;
    if (condition)
      rename_region(p, op->regions[r]);
    else
      rename_and_yield(p, op->regions[r], which, count);
  }
}

static void rename_branches(promotion *p, ir_op *op, const uint32_t *which, uint32_t count) {
  ir_value **before = arena_copy(p->arena, p->current, p->variables * sizeof *before);
  for (uint32_t r = 0; r < op->region_count; r++) {
    for (uint32_t i = 0; i < count; i++) p->current[which[i]] = before[which[i]];
    rename_and_yield(p, op->regions[r], which, count);
  }
}

/* The op again, around the same regions, with more inits and results. */
static ir_op *remake(promotion *p, ir_op *op, ir_value *const *inits, uint32_t init_count, uint32_t more) {
  uint32_t operand_count = op->operand_count + init_count, result_count = op->result_count + more;
  ir_value **operands = ARENA_ARRAY(p->arena, ir_value *, operand_count + 1);
  ir_type *types = ARENA_ARRAY(p->arena, ir_type, result_count + 1);
  for (uint32_t i = 0; i < op->operand_count; i++) operands[i] = op->operands[i];
  for (uint32_t i = 0; i < init_count; i++) operands[op->operand_count + i] = inits[i];
  for (uint32_t i = 0; i < op->result_count; i++) types[i] = op->results[i]->type;
  const ir_op *yield = pass_yield_of(op->regions[op->region_count - 1]);
  for (uint32_t i = op->result_count; i < result_count; i++) types[i] = yield->operands[i]->type;
  p->b.region = op->parent;
  p->b.before = op;
  p->b.loc = op->loc;
  return ir_make_control(&p->b, op->code, operands, operand_count, op->regions, op->region_count, types, result_count,
                         op->attrs);
}

static void replace_op(promotion *p, ir_op *op, ir_op *by) {
  for (uint32_t i = 0; i < op->result_count; i++) {
    by->results[i]->name = op->results[i]->name;
    pass_rename(&p->renames, op->results[i], by->results[i]);
  }
  op->region_count = 0; /* its regions are the new op's */
  ir_erase(op);
}

static void rename_control(promotion *p, ir_op *op) {
  uint32_t *which = ARENA_ARRAY(p->arena, uint32_t, p->variables);
  uint32_t count = written_by(p, op, which);
  if (count == 0) {
    for (uint32_t r = 0; r < op->region_count; r++) rename_region(p, op->regions[r]);
    return;
  }
  bool loop = op->code == IR_for || op->code == IR_while;
  ir_value **inits = ARENA_ARRAY(p->arena, ir_value *, count);
  for (uint32_t i = 0; i < count; i++) inits[i] = p->current[which[i]];
  if (loop)
    rename_loop(p, op, which, count);
  else
    rename_branches(p, op, which, count);
  ir_op *by = remake(p, op, inits, loop ? count : 0, count);
  for (uint32_t i = 0; i < count; i++) {
    p->current[which[i]] = by->results[op->result_count + i];
    p->current[which[i]]->name = p->names[which[i]];
  }
  replace_op(p, op, by);
}

static void rename_op(promotion *p, ir_op *op) {
  pass_update(&p->renames, op);
  if (op->region_count) {
    rename_control(p, op);
    return;
  }
  bool scratch = op->code == IR_scratch;
  if (!scratch && op->code != IR_load && op->code != IR_store) return;
  const ir_value *ref = scratch ? op->results[0] : op->operands[0];
  uint32_t which = variable(p, ref);
  if (which == 0) return;
  if (scratch) {
    p->b.region = op->parent;
    p->b.before = op;
    p->b.loc = op->loc;
    p->current[which - 1] = ir_full(&p->b, ref->type.dtype, &ref->type.shape, ir_fill_bits(ref->type.dtype));
    p->current[which - 1]->name = p->names[which - 1] = ref->name;
    return; /* erased at the end, when nobody refers to it */
  }
  if (writes(op))
    p->current[which - 1] = op->operands[1];
  else
    pass_rename(&p->renames, op->results[0], p->current[which - 1]);
  ir_erase(op);
}

static void rename_region(promotion *p, ir_region *region) {
  for (ir_op *op = region->first, *next; op; op = next) {
    next = op->next;
    rename_op(p, op);
  }
}

static bool erase_promoted(void *user, ir_op *op) {
  const promotion *p = user;
  if (op->code == IR_scratch && variable(p, op->results[0])) ir_erase(op);
  return true;
}

/* ---- scratch that nobody reads ---- */

static bool mark_read_roots(void *user, ir_op *op) {
  bool *read = user;
  if ((ir_op_get(op->code)->effects & (E_READS | E_INDEXES)) == (E_READS | E_INDEXES))
    read[ir_root_ref(op->operands[0])->id] = true;
  return true;
}

typedef struct unread {
  const bool *read;
  bool changed;
} unread;

static bool erase_unread_store(void *user, ir_op *op) {
  unread *u = user;
  if (!writes(op)) return true;
  const ir_value *root = ir_root_ref(op->operands[0]);
  if (!root->def || root->def->code != IR_scratch || u->read[root->id]) return true;
  ir_erase(op);
  u->changed = true;
  return true;
}

static bool drop_unread(ir_kernel *k) {
  unread u = {.read = NULL};
  bool *read = ARENA_ARRAY(&k->module->arena, bool, k->value_count + 1);
  ir_walk(k->body, mark_read_roots, read);
  u.read = read;
  ir_walk(k->body, erase_unread_store, &u);
  return u.changed;
}

bool pass_promote_scratch(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  arena *a = &k->module->arena;
  if (c->target->check) return false;
  bool changed = drop_unread(k);
  promotion p = {.b = {.module = k->module, .kernel = k, .diags = c->diags}, .arena = a};
  if (pass_has_roles(k)) p.most = ROLE_ELEMENTS * (c->target->lanes ? c->target->lanes : 1);
  p.value_count = k->value_count;
  p.renames.arena = a;
  p.variable_of = ARENA_ARRAY(a, uint32_t, k->value_count + 1);
  p.whole_uses = ARENA_ARRAY(a, uint32_t, k->value_count + 1);
  p.in_condition = ARENA_ARRAY(a, bool, k->value_count + 1);
  ir_walk(k->body, note_use, &p);
  ir_walk(k->body, name_variable, &p);
  if (p.variables == 0) return changed;
  p.current = ARENA_ARRAY(a, ir_value *, p.variables);
  p.names = ARENA_ARRAY(a, kiln_str, p.variables);
  rename_region(&p, k->body);
  ir_walk(k->body, erase_promoted, &p);
  return true;
}
