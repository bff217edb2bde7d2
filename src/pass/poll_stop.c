/* poll_stop: a loop whose trips data decides may never end, and a device cannot be interrupted. So every POLL_TRIPS-th
 * trip it looks at a word that the host writes when the launch has used up its time (ir/log.h).
 *
 *                                      while more with (more = true) {
 *                                        trips = while condition & trips < 256 with (trips = 0) {
 *   while condition {                      ..
 *     ..                         becomes   yield trips + 1
 *   }                                    }
 *                                        yield trips == 256 & (atomic or log[0, 1] = 0) == 0
 *                                      }
 *
 * - Loops of fewer trips never look, and a trip costs an addition: no branch, which some drivers would pay for.
 *   An atomic, as a plain load might be moved in front of the loop.
 * - Rounds of roles look by themselves (roles/phase.c); the steps of a role within a round do not.
 * - Behind the pass that shares blocks out: steps of a grid that all look at one word would not seem independent. */
#include "pass/tell.h"
#include "pass/util.h"

enum { POLL_TRIPS = 256 };

static bool is_while(ir_code code) { return code == IR_while; }

/* Such a loop with one more value that it carries. */
static const ir_op *write_loop(ir_builder *b, const ir_op *like, val const *inits, val last, ir_region **regions,
                               ir_attrs *attrs) {
  const uint32_t count = like->result_count;
  val *values = ARENA_ARRAY(&b->module->arena, val, count + 1);
  ir_type *types = ARENA_ARRAY(&b->module->arena, ir_type, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    values[i] = inits[i];
    types[i] = like->results[i]->type;
  }
  values[count] = last;
  types[count] = last->type;
  return ir_make_control(b, IR_while, values, count + 1, regions, 2, types, count + 1, attrs);
}

/* The loop ends behind POLL_TRIPS trips, too. */
static void bound_trips(ir_builder *b, ir_region *condition) {
  val trips = ir_region_arg(b, condition, pass_i32(), STR("trips"));
  ir_op *yield = pass_yield_of(condition);
  val more = yield->operands[0];
  ir_erase(yield);
  ir_builder end = pass_inside(b, condition);
  val few = ir_map2(&end, IR_lt, trips, ir_scalar_i32(&end, POLL_TRIPS));
  ir_yield(&end, (val[]){ir_map2(&end, IR_and, more, few)}, 1);
}

static void count_trips(ir_builder *b, ir_region *body, uint32_t carried) {
  val trips = ir_region_arg(b, body, pass_i32(), STR("trips"));
  ir_op *yield = pass_yield_of(body);
  val *values = ARENA_ARRAY(&b->module->arena, val, carried + 1);
  for (uint32_t i = 0; i < carried; i++) values[i] = yield->operands[i];
  if (yield) ir_erase(yield);
  ir_builder end = pass_inside(b, body);
  values[carried] = ir_map2(&end, IR_add, trips, ir_scalar_i32(&end, 1));
  ir_yield(&end, values, carried + 1);
}

/* Whether the trips ran out, not the loop, and nobody asks to stop. */
static val goes_on(ir_builder *b, val trips) {
  val spent = ir_map2(b, IR_eq, trips, ir_scalar_i32(b, POLL_TRIPS)), more[2];
  ir_region *sides[2];
  for (uint32_t i = 0; i < 2; i++) {
    ir_builder within = pass_inside(b, sides[i] = ir_region_new(b, NULL));
    more[i] = i == 0 ? ir_map1(&within, IR_not, tell_stop_asked(&within)) : ir_full(&within, IR_BOOL, NULL, 0);
    ir_yield(&within, &more[i], 1);
  }
  return ir_make_control(b, IR_when, &spent, 1, sides, 2, &more[0]->type, 1, NULL)->results[0];
}

static void poll(const pass_ctx *c, ir_op *loop) {
  ir_builder b = pass_before(c, loop);
  const uint32_t count = loop->result_count;
  val more = ir_full(&b, IR_BOOL, NULL, 1);
  ir_region *regions[] = {ir_region_new(&b, NULL), ir_region_new(&b, NULL)};
  for (uint32_t r = 0; r < 2; r++) {
    for (uint32_t i = 0; i < count; i++) ir_region_arg(&b, regions[r], loop->results[i]->type, loop->results[i]->name);
    ir_region_arg(&b, regions[r], more->type, STR("more"));
  }
  ir_builder condition = pass_inside(&b, regions[0]), body = pass_inside(&b, regions[1]);
  ir_yield(&condition, &regions[0]->args[count], 1);
  bound_trips(&body, loop->regions[0]);
  count_trips(&body, loop->regions[1], count);
  const ir_op *some = write_loop(&body, loop, regions[1]->args, ir_scalar_i32(&body, 0), loop->regions, loop->attrs);
  val *next = ARENA_ARRAY(&b.module->arena, val, count + 1);
  for (uint32_t i = 0; i < count; i++) next[i] = some->results[i];
  next[count] = goes_on(&body, some->results[count]);
  ir_yield(&body, next, count + 1);
  const ir_op *by = write_loop(&b, loop, loop->operands, more, regions, NULL);
  for (uint32_t i = 0; i < count; i++) {
    by->results[i]->name = loop->results[i]->name;
    pass_replace_within(c->kernel->body, loop->results[i], by->results[i]);
  }
  loop->region_count = 0; /* its regions are the new one's */
  ir_erase(loop);
}

bool pass_poll_stop(pass_ctx *c) {
  const pass_ops loops = pass_collect(c, is_while);
  bool any = false;
  for (size_t i = 0; i < loops.count; i++) {
    if (pass_region_has_roles(loops.data[i]->regions[1])) continue;
    if (!any) tell_stops(c);
    any = true;
    poll(c, loops.data[i]);
  }
  return any;
}
