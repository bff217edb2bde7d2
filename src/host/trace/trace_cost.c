/* What instructions take in simulated time. */
#include "host/trace/trace_inner.h"

uint64_t trace_ticks(trace_cost cost, uint64_t amount) {
  static const struct {
    uint64_t base, each;
  } costs[] = {
#define TRACE_COST(id, base, each) {base, each},
#include "host/trace/trace_costs.def"
  };
  return costs[cost].base + amount / costs[cost].each;
}

static uint64_t product(const int64_t *sizes, uint32_t rank) {
  uint64_t count = 1;
  for (uint32_t d = 0; d < rank; d++) count *= sizes[d] > 0 ? (uint64_t)sizes[d] : 0;
  return count;
}

/* ---- memory ---- */

/* The part of a box that exists. */
static uint64_t box_bytes(const host_unit *unit, uint32_t which) {
  const host_box_info *info = &unit->plan->boxes[which];
  const host_box *box = &unit->box[which];
  uint64_t count = info->rank > 0 || box->inside;
  for (uint32_t d = 0; d < info->rank; d++)
    count *= box->high[d] > box->low[d] ? (uint64_t)(box->high[d] - box->low[d]) : 0;
  return count * ir_dtype_bytes(info->dtype);
}

static trace_work access_of(const host_unit *unit, uint32_t box, uint64_t bytes, bool stores) {
  const host_root *root = &unit->plan->roots[unit->plan->boxes[box].root];
  const space_info *space = space_info_of(root->space);
  trace_cost cost = stores ? TRACE_COST_GLOBAL_STORE : TRACE_COST_GLOBAL_LOAD;
  if (space->storage != SPACE_BUFFER) cost = TRACE_COST_SHARED;
  if (space->storage == SPACE_PRIVATE) cost = TRACE_COST_PRIVATE;
  return (trace_work){stores ? TRACE_STORE : TRACE_LOAD, trace_ticks(cost, bytes), bytes, root};
}

static trace_work indexed(const host_unit *unit, const host_indexed *access, const ir_op *op) {
  const uint64_t bytes = product(access->sizes, access->rank) * access->bytes;
  return access_of(unit, access->from, bytes, op->code != IR_load);
}

/* ---- arithmetic ---- */

static trace_work compute(uint64_t lanes) {
  return (trace_work){TRACE_COMPUTE, trace_ticks(TRACE_COST_COMPUTE, lanes), lanes, NULL};
}

static trace_work sort(const host_sort *sort) {
  const uint64_t count = (uint64_t)sort->count;
  uint64_t rounds = 1;
  while (count >> rounds) rounds++;
  return compute((uint64_t)(sort->outer * sort->inner) * count * rounds);
}

static trace_work dot(const host_dot *dot) {
  const uint64_t adds = (uint64_t)dot->batch * (uint64_t)dot->m * (uint64_t)dot->n * (uint64_t)dot->k;
  return (trace_work){TRACE_PRODUCT, trace_ticks(TRACE_COST_DOT, adds), adds, NULL};
}

/* Loads and stores are told of by the instructions that check them; those that move bytes are part of that. */
trace_work trace_work_of(const host_unit *unit, const host_instr *instr) {
  const trace_work nothing = {.kind = TRACE_KINDS};
  const void *detail = instr->detail;
  switch (instr->code) {
    case HOST_CHECK_READ:
    case HOST_MARK_WRITTEN: {
      const uint32_t box = ((const host_access *)detail)->box;
      return access_of(unit, box, box_bytes(unit, box), instr->code == HOST_MARK_WRITTEN);
    }
    case HOST_INDEXED: return indexed(unit, detail, instr->source);
    case HOST_SCALAR: return (trace_work){TRACE_KINDS, trace_ticks(TRACE_COST_SCALAR, 0), 0, NULL};
    case HOST_FUSED: {
      const host_fused *f = detail;
      return f->micro_count ? compute(product(f->dims, f->rank) * f->micro_count) : nothing;
    }
    case HOST_ARG: {
      const host_arg *arg = detail;
      return compute((uint64_t)(arg->outer * arg->count * arg->inner));
    }
    case HOST_SCAN: {
      const host_scan *scan = detail;
      return compute((uint64_t)(scan->outer * scan->count * scan->inner));
    }
    case HOST_WINDOW:
      return compute(product(((const host_window *)detail)->sizes, ((const host_window *)detail)->rank));
    case HOST_TAKE: return compute((uint64_t)((const host_take *)detail)->count);
    case HOST_SORT: return sort(detail);
    case HOST_DOT: return dot(detail);
    case HOST_TEST:
    case HOST_COPY:
    case HOST_MMA:
    case HOST_COMMIT: return (trace_work){TRACE_HANDOFF, trace_ticks(TRACE_COST_HANDOFF, 0), 0, NULL};
    default: return nothing;
  }
}
