/* What the events and tracks of a trace are called. */
#include "host/trace/trace_inner.h"

const trace_kind_info *trace_kind_of(trace_kind kind) {
  static const trace_kind_info kinds[] = {
#define TRACE_KIND(id, name, color, chrome, doc) {name, color, chrome, doc},
#include "host/trace/trace_kinds.def"
  };
  return &kinds[kind];
}

/* ---- events ---- */

static void name_point(const host_trace *trace, const trace_event *event, text *out) {
  const kiln_host_plan *plan = trace->plan;
  int64_t index[STEP_MAX_AXES];
  step_unflatten(&plan->grid, event->element, index);
  for (uint32_t a = 0; a < plan->grid.rank; a++)
    text_format(out, "%s%.*s %lld", a ? ", " : "", STR_FMT(plan->kernel->axes[a].name), (long long)index[a]);
}

static void name_step(const host_trace *trace, const trace_event *event, text *out) {
  if (event->op)
    text_add(out, STR("warps"));
  else
    text_format(out, "%.*s %lld", STR_FMT(trace->plan->steps[event->amount].name), (long long)event->element);
}

static const char *awaited(const ir_op *op) {
  if (!op || op->code != IR_await) return "await mma";
  static const char *const words[] = {
      [IR_WHAT_COPIES] = "await copies", [IR_WHAT_LOADS] = "await loads", [IR_WHAT_MMA] = "await mma"};
  return words[op->attrs->what];
}

static void name_wait(const host_trace *trace, const trace_event *event, text *out) {
  if (!event->root) {
    text_add(out, str_from(event->op && event->op->code == IR_peer ? "peer" : awaited(event->op)));
    return;
  }
  text_add(out, str_from(event->op && event->op->code == IR_test ? "test " : "wait "));
  host_name_element(out, trace->plan, event->root, event->element);
}

static void name_handoff(const host_trace *trace, const trace_event *event, text *out) {
  text_add(out, str_from(ir_op_get(event->op->code)->text));
  if (!event->root) return;
  text_char(out, ' ');
  host_name_element(out, trace->plan, event->root, event->element);
}

static void name_work(const trace_event *event, text *out) {
  const bool task = event->lane != TRACE_OWN;
  text_add(out, str_from(event->kind == TRACE_PRODUCT ? task ? "mma" : "dot" : trace_kind_of(event->kind)->name));
  if (event->root) text_format(out, " %.*s", STR_FMT(event->root->name));
  if (event->other) text_format(out, " -> %.*s", STR_FMT(event->other->name));
}

void trace_name_event(const host_trace *trace, const trace_event *event, text *out) {
  switch (event->kind) {
    case TRACE_POINT: name_point(trace, event, out); break;
    case TRACE_STEP: name_step(trace, event, out); break;
    case TRACE_STUCK:
    case TRACE_WAIT: name_wait(trace, event, out); break;
    case TRACE_HANDOFF:
      (event->root && event->op->code == IR_test ? name_wait : name_handoff)(trace, event, out);
      break;
    default: name_work(event, out);
  }
}

/* ---- tracks ---- */

unit_id trace_block_of(const host_trace *trace, unit_id unit) {
  return trace->plan->crew ? unit_above(&trace->plan->machine, unit, DEPTH_GPU_BLOCK) : 0;
}

void trace_name_block(const host_trace *trace, unit_id unit, text *out) {
  const kiln_host_plan *plan = trace->plan;
  if (!plan->crew)
    text_format(out, "kernel %.*s", STR_FMT(plan->kernel->name));
  else if (host_name_places(out, plan, unit_child(&plan->machine, unit, 0), HOST_PLACES_BLOCK, "block ("))
    text_char(out, ')');
  else
    text_add(out, STR("the block"));
}

void trace_name_unit(const host_trace *trace, unit_id unit, text *out) {
  const kiln_host_plan *plan = trace->plan;
  const machine *m = &plan->machine;
  if (!plan->crew) {
    text_format(out, "worker %u", unit_ordinal(m, unit));
    return;
  }
  const unit_id thread = unit_above(m, unit, DEPTH_GPU_THREAD);
  if (!host_name_places(out, plan, thread, HOST_PLACES_THREADS, "")) text_add(out, STR("thread"));
  if (thread != unit) text_format(out, " warp %u", unit_index(m, unit));
}
