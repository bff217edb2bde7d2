/* Launching a plan: grid points are dealt to one unit per thread, or, when checking, to a few units that one thread
 * steps in a seeded order. */
#include <string.h>

#include "host/crew/crew.h"
#include "host/launch.h"
#include "host/schedule/sched.h"

enum {
  LITTLE = 1 << 15,  /* lanes of work that are done sooner than other threads are awake */
  CHECKED_UNITS = 4, /* alive at a time when checking */
  CHECKED_SLICE = 16
};
static const uint64_t report_interval = 100000000; /* ns */

/* ---- what is asked for ---- */

static bool array_matches(const kiln_host_plan *plan, uint32_t p, const kiln_array *array) {
  const ir_param *param = &plan->kernel->params[p];
  const ir_type *type = &param->ref->type;
  diag_sink *diags = plan->context->diags;
  const uint64_t bytes = (uint64_t)ir_count(type) * ir_dtype_bytes(type->dtype);
  if ((uint32_t)array->dtype != (uint32_t)type->dtype) {
    const char *found =
        (uint32_t)array->dtype < IR_DTYPE_COUNT ? ir_dtype_get((ir_dtype)array->dtype)->name : "unknown";
    return diag_report(diags, DIAG_array_dtype, param->loc, STR_FMT(param->name), found,
                       ir_dtype_get(type->dtype)->name),
           false;
  }
  if (array->rank != type->shape.rank)
    return diag_report(diags, DIAG_array_rank, param->loc, STR_FMT(param->name), array->rank, type->shape.rank), false;
  for (uint32_t d = 0; d < type->shape.rank; d++)
    if (array->dims[d] != ir_extent(type, d))
      return diag_report(diags, DIAG_array_extent, param->loc, STR_FMT(param->name), (long long)array->dims[d], d,
                         (long long)ir_extent(type, d)),
             false;
  if (bytes > 0 && (!array->data || array->size < bytes))
    return diag_report(diags, DIAG_array_bytes, param->loc, STR_FMT(param->name),
                       (unsigned long long)(array->data ? array->size : 0), (unsigned long long)bytes),
           false;
  return true;
}

static bool overlap(const kiln_array *a, const kiln_array *b) {
  uintptr_t x = (uintptr_t)a->data, y = (uintptr_t)b->data;
  return a->size > 0 && b->size > 0 && x < y + b->size && y < x + a->size;
}

/* What is written may share memory with nothing else, except an output with the input that it is an alias of. */
static bool arrays_apart(const kiln_host_plan *plan, const kiln_array *arrays) {
  for (uint32_t p = 0; p < plan->kernel->param_count; p++)
    for (uint32_t q = 0; q < plan->kernel->param_count; q++) {
      const ir_param *written = &plan->kernel->params[p], *other = &plan->kernel->params[q];
      if (p == q || written->direction == KILN_IN || plan->roots[p].memory == plan->roots[q].memory) continue;
      if (!overlap(&arrays[p], &arrays[q])) continue;
      diag_report(plan->context->diags, DIAG_arrays_overlap, written->loc, STR_FMT(written->name),
                  STR_FMT(other->name));
      return false;
    }
  return true;
}

static bool arrays_match(const kiln_host_plan *plan, const kiln_array *arrays, size_t count) {
  if (count != plan->kernel->param_count) {
    diag_report(plan->context->diags, DIAG_array_count, plan->kernel->loc, STR_FMT(plan->kernel->name),
                plan->kernel->param_count, (unsigned)count);
    return false;
  }
  for (uint32_t p = 0; p < count; p++)
    if (!array_matches(plan, p, &arrays[p])) return false;
  return arrays_apart(plan, arrays);
}

/* What outputs start with. */
static void prepare_outputs(const kiln_host_plan *plan, const kiln_array *arrays) {
  for (uint32_t p = 0; p < plan->kernel->param_count; p++) {
    const ir_param *param = &plan->kernel->params[p];
    if (param->filled) ir_fill_array(param->ref->type.dtype, arrays[p].data, (size_t)ir_count(&param->ref->type));
    if (param->alias < 0 || arrays[p].data == arrays[param->alias].data) continue;
    memcpy(arrays[p].data, arrays[param->alias].data,
           (size_t)ir_count(&param->ref->type) * ir_dtype_bytes(param->ref->type.dtype));
  }
}

/* ---- workers ---- */

static uint32_t wanted_workers(const kiln_host_plan *plan) {
  const bool little = plan->points == 0 || plan->work <= LITTLE / plan->points;
  uint64_t most = plan->check ? CHECKED_UNITS : little ? 1 : plan->context->threads;
  uint64_t each = plan->frame_bytes + plan->scratch_bytes, room = each ? plan->memory_limit / each : most;
  if (most > plan->points) most = plan->points;
  if (most > room) most = room;
  return most > 0 ? (uint32_t)most : 1;
}

/* A lone unit shares its large loops with the pool instead. */
static bool make_team(kiln_host_plan *plan) {
  const mem m = plan->context->mem;
  const uint32_t threads = plan->context->threads;
  if (plan->check || plan->points != 1 || !plan->divides || threads < 2 || plan->team_strips) return true;
  if (!plan->pool) plan->pool = context_pool(plan->context);
  plan->team_strips = plan->pool ? mem_alloc(m, host_team_bytes(plan)) : NULL;
  return plan->team_strips;
}

static bool make_workers(kiln_host_plan *plan) {
  const mem m = plan->context->mem;
  const uint32_t wanted = wanted_workers(plan);
  if (!plan->workers) {
    plan->workers = mem_calloc(m, wanted, sizeof(host_unit *));
    plan->worker_room = plan->workers ? wanted : 0;
    machine_make(plan->kind, (const uint32_t[MACHINE_MAX_LEVELS]){1, wanted}, &plan->machine);
  }
  for (; plan->worker_count < plan->worker_room; plan->worker_count++) {
    host_unit *unit = plan->workers[plan->worker_count] = host_unit_create(plan, NULL);
    if (!unit) return false;
    unit->id = host_program_unit(plan, plan->worker_count);
  }
  if (!plan->workers) return false;
  if (!plan->check && wanted > 1 && !plan->pool) plan->pool = context_pool(plan->context);
  return plan->check || wanted == 1 || plan->pool;
}

/* ---- running ---- */

void launch_stop_livelock(launch *l, const host_unit *unit, uint64_t steps) {
  char unit_text[256];
  if (atomic_exchange(&l->stop, true)) return;
  host_describe_unit(unit, unit_text, sizeof unit_text);
  const host_instr *at = &l->plan->code[unit->pc];
  diag_extra extra = {.unit = {unit_text, strlen(unit_text)}, .seed = l->plan->seed};
  diag_report_with(l->plan->context->diags, DIAG_livelock, at->source ? at->source->loc : l->plan->kernel->loc, &extra,
                   STR_FMT(l->plan->kernel->name), (unsigned long long)steps);
}

bool launch_count_steps(launch *l, const host_unit *unit, uint64_t steps) {
  if (l->plan->step_limit == 0) return false;
  if (atomic_fetch_add(&l->steps, steps) + steps <= l->plan->step_limit) return false;
  launch_stop_livelock(l, unit, l->plan->step_limit);
  return true;
}

void launch_run_out(launch *l) {
  atomic_store(&l->failed, true);
  atomic_store(&l->stop, true);
}

void launch_pass_limit(launch *l, loc at, const char *hint) {
  const kiln_host_plan *plan = l->plan;
  if (!atomic_exchange(&l->limited, true))
    diag_report_with(plan->context->diags, DIAG_memory_limit, at, &(diag_extra){.hint = hint},
                     STR_FMT(plan->kernel->name), (unsigned long long)plan->memory_limit);
  atomic_store(&l->stop, true);
}

uint64_t launch_slice(const launch *l, uint64_t slice) {
  return l->plan->step_limit && l->plan->step_limit < slice ? l->plan->step_limit + 1 : slice;
}

void launch_tell_progress(launch *l) {
  if (!l->plan->progress) return;
  uint64_t now = clock_ns();
  if (now - l->reported < report_interval) return;
  l->reported = now;
  l->plan->progress(l->plan->progress_user, (double)atomic_load(&l->done) / (double)l->plan->points);
}

static void run_points(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  launch *l = user;
  host_unit *unit = l->plan->workers[worker];
  for (uint64_t point = begin; point < end; point++) {
    host_status status = HOST_RUNNING;
    host_unit_start(unit, sched_place(l->plan->seed, l->plan->points, point), NULL);
    while (status != HOST_DONE) {
      uint64_t before = unit->steps;
      if (atomic_load_explicit(&l->stop, memory_order_relaxed)) return;
      status = host_unit_step(unit, launch_slice(l, LAUNCH_SLICE));
      if (launch_count_steps(l, unit, unit->steps - before)) return;
      if (status == HOST_FAILED) launch_run_out(l);
      if (worker == 0) launch_tell_progress(l);
    }
    if (l->plan->progress) atomic_fetch_add_explicit(&l->done, 1, memory_order_relaxed);
  }
  host_stream_end();
}

static void run_fast(launch *l) {
  kiln_host_plan *plan = l->plan;
  int blas = 0;
  if (plan->calls_blas) host_blas_threads(plan->points > 1 ? 1 : (int)plan->context->threads, &blas);
  if (plan->points > 1 && plan->pool)
    pool_run_some(plan->pool, plan->worker_count, plan->points, run_points, l);
  else
    run_points(l, 0, plan->points, 0);
  if (plan->calls_blas) host_blas_threads(blas, NULL);
}

/* Starts the next grid point on a unit, or drops the unit from those alive. */
static bool feed(launch *l, host_unit *unit, uint64_t *next) {
  if (*next == l->plan->points) return false;
  host_unit_start(unit, sched_place(l->plan->seed, l->plan->points, (*next)++), l->faults);
  if (l->plan->trace) trace_start(l->plan->trace, unit);
  return true;
}

static void run_checked(launch *l) {
  kiln_host_plan *plan = l->plan;
  host_unit *alive[CHECKED_UNITS];
  uint32_t count = 0;
  uint64_t next = 0, state = plan->seed;
  for (uint32_t w = 0; w < plan->worker_count; w++)
    if (feed(l, plan->workers[w], &next)) alive[count++] = plan->workers[w];
  while (count > 0) {
    uint32_t which = (uint32_t)(sched_random(&state) % count);
    host_unit *unit = alive[which];
    uint64_t before = unit->steps;
    host_status status = host_unit_go(unit, CHECKED_SLICE);
    if (launch_count_steps(l, unit, unit->steps - before)) return;
    if (status == HOST_FAILED) {
      launch_run_out(l);
      return;
    }
    if (status == HOST_DONE) {
      atomic_fetch_add(&l->done, 1);
      if (!feed(l, unit, &next)) alive[which] = alive[--count];
    }
    launch_tell_progress(l);
  }
}

static kiln_result out_of_memory(const kiln_host_plan *plan) {
  diag_report(plan->context->diags, DIAG_out_of_memory, (loc){0});
  return KILN_ERROR_MEMORY;
}

static bool checks_failed(const kiln_host_plan *plan) { return plan->turns && plan->turns->failed > 0; }

static kiln_result result_of(const launch *l, bool faulty) {
  if (l->failed) return out_of_memory(l->plan);
  if (l->limited) return KILN_ERROR_LIMIT;
  return faulty || l->stop || checks_failed(l->plan) ? KILN_ERROR_FAULT : KILN_OK;
}

static kiln_result run(launch *l) {
  if (l->plan->turns) l->plan->turns->failed = 0;
  if (!l->plan->check) {
    l->plan->crew ? crew_run(l) : run_fast(l);
    return result_of(l, l->faulty);
  }
  l->faults = host_faults_create(l->plan);
  if (!l->faults) return out_of_memory(l->plan);
  l->plan->crew ? crew_run(l) : run_checked(l);
  if (l->plan->trace) trace_finish(l->plan->trace);
  bool faulty = l->faulty || host_faults_count(l->faults) > 0;
  host_faults_destroy(l->faults);
  return result_of(l, faulty);
}

kiln_result kiln_host_launch(kiln_host_plan *plan, const kiln_array *arrays, size_t array_count) {
  plan->usage = (kiln_host_usage){0};
  launch l = {.plan = plan, .reported = plan->progress ? clock_ns() : 0};
  if (!arrays_match(plan, arrays, array_count)) return KILN_ERROR_INVALID;
  if (!plan->crew && (!make_workers(plan) || !make_team(plan))) return out_of_memory(plan);
  prepare_outputs(plan, arrays);
  if (plan->points == 0) return KILN_OK;
  return host_params_place(plan, arrays) ? run(&l) : out_of_memory(plan);
}

/* Beside the race detector there is a bit for each byte that tells whether it was written. */
kiln_host_usage kiln_host_plan_usage(const kiln_host_plan *plan) {
  kiln_host_usage usage = plan->usage;
  if (plan->heap) usage.memory_bytes += alloc_most(plan->heap);
  for (uint32_t w = 0; w < plan->worker_count; w++) usage.memory_bytes += alloc_most(plan->workers[w]->heap);
  if (plan->check) usage.shadow_bytes += usage.memory_bytes / 8;
  return usage;
}
