/* The launch of a plan by a crew, or by one crew for each thread where clusters cannot know of each other. */
#include "host/crew/crew.h"

enum { ALIVE_AT_FIRST = 4 }; /* clusters, until those wait */

/* ---- the machine ---- */

bool crew_machine(kiln_host_plan *plan) {
  if (plan->kind != MACHINE_GPU || plan->points > MACHINE_MAX_UNITS) return false;
  return team_machine(plan->kernel, (uint32_t)plan->points, &plan->machine);
}

/* ---- crews ---- */

static uint64_t name_of(const void *item) { return ((const host_unit *)item)->id; }

/* A cluster is there as a whole, or not at all. */
static uint32_t resident_clusters(const kiln_host_plan *plan) {
  const uint32_t clusters = plan->resident / plan->machine.size[DEPTH_GPU_BLOCK];
  return plan->resident > 0 && clusters == 0 ? 1 : clusters;
}

static uint32_t side_by_side(const crew *c) {
  if (c->resident > 0) return c->resident;
  return c->by ? (uint32_t)c->clusters : ALIVE_AT_FIRST;
}

static bool open_crew(crew *c, launch *l) {
  kiln_host_plan *plan = l->plan;
  const alloc_heap_desc desc = {.poison = ALLOC_FILL, .shadow = plan->check, .total_limit = plan->memory_limit};
  const machine *m = &plan->machine;
  *c = (crew){.plan = plan, .launch = l, .mem = plan->context->mem};
  c->clusters = m->count[DEPTH_GPU_CLUSTER];
  c->cluster_units = m->count[DEPTH_GPU_THREAD] / m->count[DEPTH_GPU_CLUSTER];
  c->resident = resident_clusters(plan);
  c->heap = alloc_heap_create(c->mem, m, &desc);
  sched_queue_init(&c->queue, c->mem, plan->by ? KILN_ORDER_ROUND_ROBIN : plan->order, plan->seed, name_of);
  crew_race_open(c);
  c->by = plan->by;
  c->timing = plan->check ? sched_timing_of(plan->timing, plan->seed) : KILN_TIMING_EAGER;
  if (c->by) c->timing = KILN_TIMING_LATE; /* what is in flight is chosen too */
  return c->heap;
}

static void count_usage(const crew *c) {
  kiln_host_usage *usage = &c->plan->usage;
  usage->memory_bytes += c->heap ? alloc_most(c->heap) : 0;
  usage->shadow_bytes += c->race ? race_shadow_most(c->race) : 0;
}

static void close_crew(crew *c) {
  if (c->heap && !c->launch->stop) crew_report_unshared(c);
  crew_free_tasks(c);
  crew_free_syncs(c, !c->launch->stop);
  count_usage(c);
  crew_race_close(c);
  for (uint32_t p = 0; p < c->places; p++) {
    for (uint32_t i = 0; c->place[p]->units && i < c->cluster_units; i++) crew_free_member(c, c->place[p]->units[i]);
    mem_free(c->mem, c->place[p]->units, c->cluster_units * sizeof(host_unit *));
    mem_free(c->mem, c->place[p], sizeof(crew_cluster));
  }
  mem_free(c->mem, c->place, c->places * sizeof(crew_cluster *));
  sched_queue_free(&c->queue);
  mem_free(c->mem, c->touches, c->touch_capacity * sizeof *c->touches);
  alloc_heap_destroy(c->heap);
}

/* ---- several threads ---- */

static bool reads_nothing(void *user, ir_op *op) {
  (void)user;
  return op->code != IR_load;
}

/* What may tell a cluster of another one while both run: a count that all share, a sum that all add to, or memory that
 * is looked at until it changes. */
static bool stays_apart(void *user, ir_op *op) {
  (void)user;
  if (op->code == IR_atomic || (op->code == IR_copy && op->attrs->combine != IR_COMBINE_SET)) return false;
  if (op->code == IR_scratch && op->attrs->kind == IR_SEMAPHORE) return op->attrs->space != IR_SPACE_GMEM;
  return op->code != IR_while || ir_walk(op->regions[0], reads_nothing, NULL);
}

typedef struct crew_set {
  launch *launch;
  crew *crews; /* one for each thread; opened when first needed */
  uint32_t count;
} crew_set;

static void run_some(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  crew_set *set = user;
  crew *c = &set->crews[worker];
  if (set->launch->stop) return;
  if (!c->heap && !open_crew(c, set->launch)) {
    launch_run_out(set->launch);
    return;
  }
  c->tells = worker == 0;
  crew_run_clusters(c, begin, end, 1);
}

static bool run_on_threads(crew_set *set) {
  kiln_host_plan *plan = set->launch->plan;
  const mem m = plan->context->mem;
  set->count = plan->context->threads;
  if (!plan->pool) plan->pool = context_pool(plan->context);
  set->crews = plan->pool ? mem_calloc(m, set->count, sizeof *set->crews) : NULL;
  if (!set->crews) return false;
  int blas = 0;
  host_blas_threads(1, &blas);
  pool_run(plan->pool, plan->points, 0, run_some, set);
  host_blas_threads(blas, NULL);
  for (uint32_t i = 0; i < set->count; i++)
    if (set->crews[i].heap) close_crew(&set->crews[i]);
  mem_free(m, set->crews, set->count * sizeof *set->crews);
  return true;
}

static void run_alone(launch *l) {
  crew c;
  if (!open_crew(&c, l)) launch_run_out(l);
  if (c.heap) {
    c.tells = true;
    crew_run_clusters(&c, 0, c.clusters, side_by_side(&c));
  }
  close_crew(&c);
}

void crew_run(launch *l) {
  const kiln_host_plan *plan = l->plan;
  crew_set set = {.launch = l};
  if (plan->check || plan->by || plan->resident > 0 || plan->points < 2 || plan->context->threads < 2 ||
      plan->machine.count[DEPTH_GPU_DEVICE] > 1 || !ir_walk(plan->kernel->body, stays_apart, NULL))
    run_alone(l);
  else if (!run_on_threads(&set))
    launch_run_out(l);
}
