/* Making a plan: one walk over the kernel's body, in order. See flatten.h for what is known of values meanwhile. */
#include "host/flat/flatten.h"

/* ---- preparing ---- */

static bool count_op(void *user, ir_op *op) {
  flat *f = user;
  for (uint32_t k = 0; k < op->operand_count; k++) f->values[op->operands[k]->id].left++;
  for (uint32_t k = 0; k < op->result_count; k++) {
    const ir_value *v = op->results[k];
    f->by_id[v->id] = v;
    /* Also what never becomes memory must be walked in reasonable time. */
    if ((uint64_t)ir_count(&v->type) > f->plan->memory_limit / ir_dtype_bytes(v->type.dtype)) f->too_large = true;
  }
  for (uint32_t r = 0; r < op->region_count; r++)
    for (uint32_t k = 0; k < op->regions[r]->arg_count; k++)
      f->by_id[op->regions[r]->args[k]->id] = op->regions[r]->args[k];
  return true;
}

static void count_region(flat *f, const ir_region *region) { ir_walk((ir_region *)(uintptr_t)region, count_op, f); }

static void add_params(flat *f) {
  for (uint32_t p = 0; p < f->kernel->param_count; p++) {
    const ir_param *param = &f->kernel->params[p];
    const uint32_t which = flat_root(f, param->ref); /* the array may move meanwhile */
    if (param->alias >= 0) f->roots.data[which].memory = f->roots.data[param->alias].memory;
  }
}

static void add_axes(flat *f) {
  for (uint32_t a = 0; a < f->kernel->axis_count; a++) {
    const ir_value *index = f->kernel->axes[a].index;
    uint32_t cell = flat_cell(f);
    flat_set_at(f, index, flat_operand_dense(f, &index->type, cell), HOST_NONE);
    f->plan->axis_slots[a] = cell;
  }
}

static void add_teams(flat *f) {
  for (uint32_t i = 0; i < f->kernel->team_count; i++) {
    const ir_value *index = f->kernel->teams[i].index;
    f->plan->team_slots[i] = flat_cell(f);
    flat_set_at(f, index, flat_operand_dense(f, &index->type, f->plan->team_slots[i]), HOST_NONE);
  }
}

static void prepare(flat *f) { /* uses, params, axes */
  f->values = ARENA_ARRAY(f->arena, flat_value, f->kernel->value_count + 1);
  f->by_id = ARENA_ARRAY(f->arena, const ir_value *, f->kernel->value_count + 1);
  for (uint32_t i = 0; i < f->kernel->value_count; i++) f->values[i].tile = f->values[i].box = HOST_NONE;
  count_region(f, f->kernel->body);
  add_params(f);
  add_axes(f);
  add_teams(f);
}

/* ---- walking ---- */

static void return_borrowed(flat *f) {
  for (size_t i = 0; i < f->borrowed.count; i++) {
    f->tiles[f->borrowed.data[i]].holds = 0;
    flat_tile_release(f, f->borrowed.data[i]);
  }
  f->borrowed.count = 0;
}

void flat_op(flat *f, const ir_op *op) {
  f->source = op;
  switch (op->code) {
    case IR_load: flat_load(f, op); break;
    case IR_store: flat_store(f, op); break;
    case IR_atomic: flat_indexed(f, op); break;
    case IR_print:
    case IR_check: flat_say(f, op); break;
    case IR_view: flat_view(f, op); break;
    case IR_permute: flat_permute(f, op); break;
    case IR_view_as: flat_recast(f, op); break;
    case IR_scratch: flat_scratch(f, op); break;
    case IR_yield: break; /* by the op around */
    default:
      if (ir_op_get(op->code)->effects & E_CONTROL)
        flat_control(f, op);
      else if (ir_is_of_units(op->code))
        flat_crew_op(f, op);
      else
        flat_pure(f, op);
  }
  return_borrowed(f);
}

flat_scope flat_region_begin(flat *f, const ir_region *region) {
  flat_scope scope = {f->region, f->scratch.count};
  f->region = region;
  for (const ir_op *op = region->first; op; op = op->next) flat_op(f, op);
  return scope;
}

/* Scratch ends with its region. */
void flat_region_end(flat *f, flat_scope scope) {
  flat_close(f);
  flat_release_scratch(f, scope.scratch);
  f->region = scope.outer;
}

static bool report_limit(const flat *f) {
  diag_report(f->diags, DIAG_memory_limit, f->kernel->loc, STR_FMT(f->kernel->name),
              (unsigned long long)f->plan->memory_limit);
  return false;
}

/* What one run of an instruction computes, in lanes. */
static uint64_t work_of(const host_instr *instr) {
  uint64_t work = 1;
  switch (instr->code) {
    case HOST_FUSED: {
      const host_fused *fused = instr->detail;
      work += fused->micro_count + fused->sink_count;
      for (uint32_t d = 0; d < fused->rank; d++) work *= (uint64_t)fused->dims[d];
      return work;
    }
    case HOST_PLACE:
    case HOST_POINT_READ:
    case HOST_POINT_WRITE:
    case HOST_SCALAR:
    case HOST_MOVE:
    case HOST_END: return work;
    default: return UINT64_MAX;
  }
}

static uint64_t work_of_all(const kiln_host_plan *plan) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < plan->code_count; i++)
    if (__builtin_add_overflow(sum, work_of(&plan->code[i]), &sum)) return UINT64_MAX;
  return sum;
}

/* By memory, as several roots may be one. */
static void find_grains(flat *f) {
  for (size_t r = 0; r < f->roots.count; r++) f->roots.data[r].grain = UINT32_MAX;
  for (size_t i = 0; i < f->boxes.count; i++) {
    const host_box_info *box = &f->boxes.data[i];
    uint32_t *grain = &f->roots.data[f->roots.data[box->root].memory].grain;
    if (ir_dtype_bytes(box->dtype) < *grain) *grain = (uint32_t)ir_dtype_bytes(box->dtype);
  }
  for (size_t r = 0; r < f->roots.count; r++) f->roots.data[r].grain = f->roots.data[f->roots.data[r].memory].grain;
}

static bool settle(flat *f) {
  kiln_host_plan *plan = f->plan;
  find_grains(f);
  plan->code = f->code.data;
  plan->code_count = (uint32_t)f->code.count;
  plan->work = work_of_all(plan);
  plan->boxes = f->boxes.data;
  plan->box_count = (uint32_t)f->boxes.count;
  plan->roots = f->roots.data;
  plan->root_count = (uint32_t)f->roots.count;
  bool fits = flat_layout(f) && !f->too_large && plan->frame_bytes <= plan->memory_limit &&
              plan->scratch_bytes <= plan->memory_limit - plan->frame_bytes;
  return fits || report_limit(f);
}

bool host_flatten(kiln_host_plan *plan) {
  flat *f = ARENA_NEW(&plan->arena, flat);
  f->plan = plan;
  f->arena = &plan->arena;
  f->diags = plan->context->diags;
  f->kernel = plan->kernel;
  prepare(f);
  if (f->too_large) return report_limit(f);
  flat_region_end(f, flat_region_begin(f, plan->kernel->body));
  flat_emit(f, HOST_END, NULL);
  return settle(f);
}
