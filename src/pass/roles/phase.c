/* phase_roles: units that wait for one another become roles that take steps in rounds (phase.h).
 *
 *   machine gpu                            scratch told: i32[3, 1] in smem
 *   threads t: 2                           while some role moved and some is not at its end {
 *   scratch full: barrier                    for r in 0 .. 2 roles { switch r {
 *   when t == 0 { .. arrive full }             case 0 { hear, go on as far as that lets it, say so }
 *   when t == 1 { wait full .. }               case 1 { .. }
 *                                            } }
 *                                          }
 *
 * - The trips of a `roles` loop may run side by side, and meet at its end; one after the other they do the same. So the
 *   host runs this text as any other.
 * - Nothing waits: a role that cannot go on ends its part of the round. A round in which nobody moved would be followed
 *   by others like it: all that are not at their end wait for ever, and the rounds end. */
#include "pass/roles/phase.h"

/* ---- small ---- */

ir_shape phase_shape(const phasing *p, uint32_t rank, int64_t first, int64_t second) {
  ir_module *m = p->c->kernel->module;
  return (ir_shape){.rank = rank, .dims = {ir_dim_const(m, first), ir_dim_const(m, second)}};
}

val phase_remember(phasing *p, role *r, ir_dtype dtype, const ir_shape *shape, kiln_str name) {
  val ref = pass_scratch(&p->top, IR_SPACE_REGS, dtype, shape, name);
  VEC_PUSH(p->arena, &(r->whole ? r->whole : r)->remembers, ref);
  return ref;
}

void phase_forget(const role *r, ir_builder *b) {
  for (size_t i = 0; i < r->remembers.count; i++) pass_clear(b, r->remembers.data[i]);
}

val phase_combine_in_order(ir_builder *b, ir_order order, ir_code how, val ref, val const *at, uint32_t count,
                           val amount) {
  val operands[2 + KILN_MAX_RANK] = {ref, amount};
  ir_attrs attrs = pass_whole_index(b, &ref->type.shape);
  attrs.combine = 1 + (uint32_t)how;
  attrs.order = order;
  for (uint32_t d = 0; d < count; d++) {
    operands[2 + d] = at[d];
    attrs.index[d] = pass_point(b, 2 + (int32_t)d, 0);
  }
  return ir_make1(b, IR_atomic, operands, 2 + count, &attrs);
}

val phase_combine(ir_builder *b, ir_code how, val ref, val const *at, uint32_t count, val amount) {
  return phase_combine_in_order(b, IR_ORDER_NONE, how, ref, at, count, amount);
}

/* ---- rounds ---- */

ir_builder phase_when(ir_builder *b, val condition) {
  ir_region *sides[] = {ir_region_new(b, NULL), ir_region_new(b, NULL)};
  ir_make_control(b, IR_when, &condition, 1, sides, 2, NULL, 0, NULL);
  return pass_inside(b, sides[0]);
}

void phase_for_roles(ir_builder *b, ir_region *body, uint32_t count) {
  val bounds[] = {ir_scalar_i32(b, 0), ir_scalar_i32(b, count), ir_scalar_i32(b, 1)};
  ir_make_control(b, IR_for, bounds, 3, &body, 1, NULL, 0, &(ir_attrs){.roles = true});
}

/* All texts in one trip, one behind the other. */
static void write_in_turn(const phasing *p, ir_builder *b, ir_region **regions) {
  ir_region *body = ir_region_new(b, NULL);
  ir_region_arg(b, body, pass_i32(), STR("all"));
  for (uint32_t i = 0; i < p->role_count; i++)
    for (ir_op *op = regions[i]->first, *next; op; op = next) {
      next = op->next;
      pass_append(body, op);
    }
  phase_for_roles(b, body, 1);
}

void phase_for_each_role(phasing *p, ir_builder *b, ir_region **regions) {
  if (p->c->target->in_turn && !p->spins) {
    write_in_turn(p, b, regions);
    return;
  }
  ir_region *body = ir_region_new(b, NULL);
  val number = ir_region_arg(b, body, pass_i32(), STR("role"));
  phase_for_roles(b, body, p->role_count);
  ir_builder within = pass_inside(b, body);
  ir_make_control(&within, IR_switch, &number, 1, regions, p->role_count, NULL, 0, NULL);
}

static void clear(ir_builder *b, val ref, val row) {
  const ir_attrs attrs = pass_row_index(b, &ref->type.shape, 2, 0);
  ir_shape line = ref->type.shape;
  for (uint32_t d = 1; d < line.rank; d++) line.dims[d - 1] = line.dims[d];
  line.rank--;
  ir_make(b, IR_store, (val[]){ref, ir_full(b, IR_I32, &line, 0), row}, 3, &attrs);
}

static void clear_all(phasing *p, ir_builder *b, val row) {
  for (size_t i = 0; i < p->tallies.count; i++) clear(b, p->tallies.data[i].told, row);
  clear(b, p->flags, row);
}

/* flags[slot] += (is not at its end) + PHASE_MOVED * (moved) + PHASE_STOP * (is to stop) */
static void say(phasing *p, const role *r, ir_builder *b) {
  val zero = ir_scalar_i32(b, 0);
  val alive = ir_map2(b, IR_ne, pass_load_whole(b, r->state), ir_scalar_i32(b, r->end));
  val lives = ir_map3(b, IR_select, alive, ir_scalar_i32(b, 1), zero);
  val moved = ir_map3(b, IR_select, pass_load_whole(b, r->moved), ir_scalar_i32(b, PHASE_MOVED), zero);
  val all = ir_map2(b, IR_add, lives, moved);
  if (r == p->roles)
    all = ir_map2(b, IR_add, all, ir_map3(b, IR_select, tell_stop_asked(b), ir_scalar_i32(b, PHASE_STOP), zero));
  phase_combine(b, IR_add, p->flags, &p->slot, 1, all);
}

static void write_role(const steps *begun, role *r, ir_region *region) {
  phasing *p = begun->p;
  ir_builder b = pass_inside(&p->top, region);
  if (r == p->roles) clear_all(p, &b, p->after);
  steps_write(begun, r, region);
  say(p, r, &b);
}

/* Before the first round: every role forgets, the first also for all. */
static void write_beginning(phasing *p, ir_builder *b) {
  ir_region **regions = ARENA_ARRAY(p->arena, ir_region *, p->role_count);
  for (uint32_t i = 0; i < p->role_count; i++) {
    regions[i] = ir_region_new(b, NULL);
    ir_builder within = pass_inside(&p->top, regions[i]);
    for (uint32_t row = 0; i == 0 && row < PHASE_ROWS; row++) clear_all(p, &within, ir_scalar_i32(&within, row));
    phase_forget(&p->roles[i], &within);
  }
  phase_for_each_role(p, b, regions);
}

/* Round and round. */
static val next_of(ir_builder *b, val number, uint32_t count) {
  val last = ir_map2(b, IR_eq, number, ir_scalar_i32(b, count - 1)), one = ir_scalar_i32(b, 1);
  return ir_map3(b, IR_select, last, ir_scalar_i32(b, 0), ir_map2(b, IR_add, number, one));
}

val phase_next_row(ir_builder *b, val row) { return next_of(b, row, PHASE_ROWS); }

/* Some role lives, some has moved, and nobody asks to stop. */
static void write_condition(phasing *p, ir_region *region) {
  ir_builder b = pass_inside(&p->top, region);
  ir_region_arg(&b, region, pass_i32(), STR("slot"));
  val flags = ir_region_arg(&b, region, pass_i32(), STR("flags"));
  if (p->turns > 1) ir_region_arg(&b, region, pass_i32(), STR("turn"));
  val moved = ir_map2(&b, IR_ge, flags, ir_scalar_i32(&b, PHASE_MOVED));
  val living = ir_map2(&b, IR_and, flags, ir_scalar_i32(&b, PHASE_MOVED - 1));
  val asked = ir_map2(&b, IR_lt, flags, ir_scalar_i32(&b, PHASE_STOP));
  val goes_on = ir_map2(&b, IR_and, moved, ir_map2(&b, IR_ne, living, ir_scalar_i32(&b, 0)));
  goes_on = ir_map2(&b, IR_and, goes_on, asked);
  ir_yield(&b, &goes_on, 1);
}

/* What the last round leaves: the row of the next one, and its flags. */
static const ir_op *write_rounds(phasing *p, ir_builder *b) {
  ir_region *regions[] = {ir_region_new(b, NULL), ir_region_new(b, NULL)};
  ir_region **cases = ARENA_ARRAY(p->arena, ir_region *, p->role_count);
  write_condition(p, regions[0]);
  ir_builder within = pass_inside(&p->top, regions[1]);
  p->slot = ir_region_arg(b, regions[1], pass_i32(), STR("slot"));
  ir_region_arg(b, regions[1], pass_i32(), STR("flags"));
  if (p->turns > 1) p->turn = ir_region_arg(b, regions[1], pass_i32(), STR("turn"));
  p->after = phase_next_row(&within, p->slot);
  p->before = phase_next_row(&within, p->after);
  const steps begun = steps_begin(p);
  for (uint32_t i = 0; i < p->role_count; i++) write_role(&begun, &p->roles[i], cases[i] = ir_region_new(b, NULL));
  write_beginning(p, b);
  phase_for_each_role(p, &within, cases);
  const ir_attrs here = pass_row_index(&within, &p->flags->type.shape, 1, 0);
  val said = ir_make1(&within, IR_load, (val[]){p->flags, p->slot}, 2, &here);
  const uint32_t carried = p->turns > 1 ? 3 : 2;
  ir_yield(&within, (val[]){p->after, said, p->turns > 1 ? next_of(&within, p->turn, p->turns) : NULL}, carried);
  val inits[] = {ir_scalar_i32(b, 0), ir_scalar_i32(b, PHASE_MOVED + 1), ir_scalar_i32(b, 0)};
  const ir_type types[] = {pass_i32(), pass_i32(), pass_i32()};
  return ir_make_control(b, IR_while, inits, carried, regions, 2, types, carried, &(ir_attrs){0});
}

/* ---- what is left waiting ---- */

/* A role that is not at its end when the rounds are, though nobody asked to stop, tells where it waits. */
static void write_reports(phasing *p, ir_builder *b, val flags) {
  ir_region **regions = ARENA_ARRAY(p->arena, ir_region *, p->role_count);
  val waits = ir_map2(b, IR_ne, flags, ir_scalar_i32(b, 0));
  waits = ir_map2(b, IR_and, waits, ir_map2(b, IR_lt, flags, ir_scalar_i32(b, PHASE_MOVED)));
  for (uint32_t i = 0; i < p->role_count; i++) steps_report(p->roles[i].steps, regions[i] = ir_region_new(b, NULL));
  ir_builder within = phase_when(b, waits);
  phase_for_each_role(p, &within, regions);
}

/* ---- the pass ---- */

bool phase_is_asked_for(const pass_ctx *c, kiln_units way) {
  return ir_is_crew(c->kernel) && (c->target->units == KILN_UNITS_AUTO || c->target->units == way);
}

ir_region *phase_open(phasing *p, pass_ctx *c) {
  ir_kernel *k = c->kernel;
  p->c = c;
  p->arena = &k->module->arena;
  p->top = (ir_builder){.module = k->module, .kernel = k, .diags = c->diags, .loc = k->loc};
  return p->top.region = ir_region_new(&p->top, NULL);
}

void phase_close(phasing *p, ir_region *body, const char *what) {
  ir_kernel *k = p->c->kernel;
  pass_set_body(k, body);
  k->units = str_format(p->arena, "%s%s%.*s", what, k->units.size ? ", as " : "", STR_FMT(k->units));
}

/* A thread has moved when one of its parts has. */
static void remember_steps(phasing *p, role *r) {
  const ir_shape scalar = {0};
  r->state = phase_remember(p, r, IR_I32, &scalar, STR("state"));
  r->moved = r->whole ? r->whole->moved : phase_remember(p, r, IR_BOOL, &scalar, STR("moved"));
  for (uint32_t i = 0; r->parts && i < PHASE_PARTS; i++) remember_steps(p, &r->parts[i]);
}

bool pass_phase_roles(pass_ctx *c) {
  phasing p = {.spins = false};
  if (!phase_is_asked_for(c, KILN_UNITS_PHASED)) return false;
  ir_region *body = phase_open(&p, c);
  if (!phase_can_turn(&p)) return false;
  const ir_shape rows = phase_shape(&p, 1, PHASE_ROWS, 0);
  p.flags = pass_scratch(&p.top, IR_SPACE_SMEM, IR_I32, &rows, STR("flags"));
  if (!phase_split(&p)) return false;
  for (uint32_t i = 0; i < p.role_count; i++) remember_steps(&p, &p.roles[i]);
  ir_builder rest = p.top;
  ir_builder *b = &rest;
  tell_roles(c, p.role_count, 0);
  const ir_op *rounds = write_rounds(&p, b);
  write_reports(&p, b, rounds->results[1]);
  rules_at_end(&p, b, rounds);
  for (uint32_t i = 0; i < p.role_count; i++) pass_erase_all(p.roles[i].text);
  phase_close(&p, body, "phased: roles take turns");
  c->kernel->team_count = 0;
  return true;
}
