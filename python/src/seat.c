/* Seats: see seat.h. Plans are kept for the last few kinds of launch of each seat. */
#include "checked.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/context.h"

enum { PLANS = 16 };

/* A kernel made ready for one set of shapes. */
typedef struct ready {
  kiln_host_plan *plan;     /* NULL: nothing here, */
  kiln_device_plan *device; /* or it is for the seat's device */
  kiln_request request;     /* that it was made for; its arrays and files may be gone */
  uint64_t shapes;          /* hash of all array types and sizes: plans refuse arrays of other shapes themselves */
  uint64_t used;            /* the seat's clock */
} ready;

struct kiln_seat {
  kiln_context *context;
  kiln_device *device; /* NULL: the host */
  char *on;
  size_t on_size;
  ready ready[PLANS];
  uint64_t clock;
  kiln_explored explored; /* by the last launch */
  bool broken;            /* the device is lost */
  bool silent;            /* the last launch had nothing to say */
  kiln_seat *next;        /* while nobody sits here */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static kiln_seat *idle;            /* under the lock */
static _Atomic(kiln_seat *) handy; /* the one that was idle last: most calls take it, and no lock */
static _Atomic(kiln_print_fn) printer;

/* ---- seats ---- */

/* After a fork the child has none of the threads that its plans count on: it starts with no seats. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
static void in_child(void) {
  idle = NULL;
  atomic_store(&handy, NULL);
  pthread_mutex_unlock(&lock);
}
static void watch_forks(void) { pthread_atfork(before_fork, after_fork, in_child); }

static void drop(ready *r) {
  kiln_host_plan_destroy(r->plan);
#ifdef KILN_VULKAN
  kiln_device_plan_destroy(r->device);
#endif
  *r = (ready){0};
}

static void destroy(kiln_seat *seat) {
  const mem m = mem_default();
  for (size_t i = 0; i < PLANS; i++) drop(&seat->ready[i]);
#ifdef KILN_VULKAN
  kiln_device_close(seat->device);
#endif
  kiln_context_destroy(seat->context);
  mem_free(m, seat->on, seat->on_size);
  mem_free(m, seat, sizeof *seat);
}

static kiln_seat *create(kiln_str on) {
  const mem m = mem_default();
  kiln_seat *seat = mem_calloc(m, 1, sizeof *seat);
  pthread_once(&once, watch_forks);
  if (!seat) return NULL;
  seat->on = mem_alloc(m, on.size + 1);
  if (!seat->on || kiln_context_create(NULL, &seat->context) != KILN_OK) {
    destroy(seat);
    return NULL;
  }
  seat->on_size = on.size + 1;
  memcpy(seat->on, on.data, on.size);
  return seat;
}

static bool is_on(const kiln_seat *seat, kiln_str on) {
  return seat->on_size == on.size + 1 && memcmp(seat->on, on.data, on.size) == 0;
}

/* Cheaper than hash_bytes, for this runs at every call: a plan that is taken wrongly refuses the arrays. */
static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

static uint64_t hash_shapes(const kiln_request *request) {
  uint64_t hash = request->array_count;
  for (size_t i = 0; i < request->array_count; i++) {
    const kiln_array *array = &request->arrays[i];
    hash = mix(hash, (uint64_t)array->dtype << 32 | array->rank);
    for (uint32_t d = 0; d < array->rank; d++) hash = mix(hash, (uint64_t)array->dims[d]);
  }
  for (size_t i = 0; i < request->size_count; i++) {
    hash = hash_bytes(request->sizes[i].name.data, request->sizes[i].name.size, hash);
    hash = mix(hash, (uint64_t)request->sizes[i].value);
  }
  return hash;
}

static bool is_for(const ready *r, const kiln_request *request, uint64_t shapes) {
  const kiln_request *own = &r->request;
  return own->kernel == request->kernel && r->shapes == shapes && own->check == request->check &&
         own->seed == request->seed && own->order == request->order && own->timing == request->timing &&
         own->longest == request->longest && own->resident == request->resident;
}

static ready *find(kiln_seat *seat, const kiln_request *request, uint64_t shapes) {
  for (size_t i = 0; i < PLANS; i++)
    if (is_for(&seat->ready[i], request, shapes)) return &seat->ready[i];
  return NULL;
}

/* With the lock. */
static void add_idle(kiln_seat *seat) {
  if (!seat) return;
  seat->next = idle;
  idle = seat;
}

/* Takes the idle seat that has the plan, else any on the right device; NULL when there is none. */
static kiln_seat *take_idle(const kiln_request *request, uint64_t shapes) {
  kiln_seat **best = NULL, *first = atomic_exchange(&handy, NULL);
  if (first && is_on(first, request->on) && find(first, request, shapes)) return first;
  pthread_mutex_lock(&lock);
  add_idle(first);
  for (kiln_seat **at = &idle; *at; at = &(*at)->next) {
    if (!is_on(*at, request->on)) continue;
    best = at;
    if (find(*at, request, shapes)) break;
  }
  kiln_seat *seat = best ? *best : NULL;
  if (seat) *best = seat->next;
  pthread_mutex_unlock(&lock);
  return seat;
}

void kiln_seat_give_back(kiln_seat *seat) {
  if (!seat) return;
  if (seat->broken) {
    destroy(seat);
    return;
  }
  if (!seat->silent) kiln_diag_clear(seat->context);
  seat = atomic_exchange(&handy, seat);
  if (!seat) return;
  pthread_mutex_lock(&lock);
  add_idle(seat);
  pthread_mutex_unlock(&lock);
}

void kiln_seat_forget(const kiln_kernel *kernel) {
  pthread_mutex_lock(&lock);
  add_idle(atomic_exchange(&handy, NULL));
  for (kiln_seat *seat = idle; seat; seat = seat->next)
    for (size_t i = 0; i < PLANS; i++)
      if (seat->ready[i].request.kernel == kernel) drop(&seat->ready[i]);
  pthread_mutex_unlock(&lock);
}

kiln_context *kiln_seat_context(kiln_seat *seat) { return seat->context; }
kiln_explored kiln_seat_explored(const kiln_seat *seat) { return seat->explored; }

/* ---- launches ---- */

void kiln_seat_print_to(kiln_print_fn fn) { atomic_store(&printer, fn); }

static void print(void *user, const char *line, size_t size) {
  (void)user;
  const kiln_print_fn fn = atomic_load(&printer);
  if (fn) fn(line, size);
}

/* Room for one more plan: free, or that of the plan which was not used for longest. */
static ready *least_used(kiln_seat *seat) {
  ready *least = &seat->ready[0];
  for (size_t i = 1; i < PLANS; i++)
    if (seat->ready[i].used < least->used) least = &seat->ready[i];
  drop(least);
  return least;
}

static kiln_result prepare_host(kiln_seat *seat, const kiln_request *request, ready *out) {
  const kiln_host_desc desc = {.sizes = request->sizes,
                               .size_count = request->size_count,
                               .check = request->check,
                               .seed = request->seed,
                               .order = request->order,
                               .timing = request->timing,
                               .longest_schedule = request->longest,
                               .resident = request->resident,
                               .print = print};
  return kiln_host_prepare(seat->context, request->kernel, &desc, request->arrays, request->array_count, &out->plan);
}

#ifdef KILN_VULKAN
/* "vulkan" or "vulkan:TEXT". */
static kiln_result open_device(kiln_seat *seat) {
  static const char prefix[] = "vulkan:";
  const size_t size = sizeof prefix - 1, length = seat->on_size - 1;
  kiln_device_desc desc = {.print = print};
  if (seat->device) return KILN_OK;
  if (length > size) desc.select = (kiln_str){seat->on + size, length - size};
  return kiln_device_open(seat->context, &desc, &seat->device);
}

static kiln_result prepare_device(kiln_seat *seat, const kiln_request *request, ready *out) {
  kiln_result result = open_device(seat);
  if (result != KILN_OK) return result;
  return kiln_device_prepare(seat->device, request->kernel, request->sizes, request->size_count, request->arrays,
                             request->array_count, &out->device);
}

static kiln_result launch_device(const ready *r, const kiln_request *request) {
  return kiln_device_launch(r->device, request->arrays, request->array_count);
}
#else
static kiln_result prepare_device(kiln_seat *seat, const kiln_request *request, ready *out) {
  (void)request, (void)out;
  diag_report(seat->context->diags, DIAG_no_vulkan, (loc){0});
  return KILN_ERROR_UNSUPPORTED;
}

static kiln_result launch_device(const ready *r, const kiln_request *request) {
  (void)r, (void)request;
  return KILN_ERROR_UNSUPPORTED;
}
#endif

static kiln_result run(kiln_seat *seat, const kiln_request *request, uint64_t shapes) {
  const bool on_host = str_is(request->on, "host");
  ready *r = find(seat, request, shapes);
  seat->silent = r && on_host;
  seat->explored = (kiln_explored){0};
  if (!r) {
    r = least_used(seat);
    kiln_result result = on_host ? prepare_host(seat, request, r) : prepare_device(seat, request, r);
    if (result != KILN_OK) return result;
    r->request = *request;
    r->shapes = shapes;
  }
  r->used = ++seat->clock;
  if (request->check && on_host) return kiln_checked_launch(seat->context, r->plan, request, &seat->explored);
  return on_host ? kiln_host_launch(r->plan, request->arrays, request->array_count) : launch_device(r, request);
}

kiln_result kiln_seat_run(const kiln_request *request, kiln_seat **out) {
  const uint64_t shapes = hash_shapes(request);
  kiln_seat *seat = take_idle(request, shapes);
  *out = seat = seat ? seat : create(request->on);
  if (!seat) return KILN_ERROR_MEMORY;
  kiln_result result = run(seat, request, shapes);
  seat->silent &= result == KILN_OK;
  seat->broken = result == KILN_ERROR_DEVICE_LOST || result == KILN_ERROR_TIMEOUT;
  return result;
}
