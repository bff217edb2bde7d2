/* Checked launches: see checked.h. Pictures show the schedule that had a fault, or the first. */
#include "checked.h"

#include <string.h>

#include "base/context.h"
#include "host/trace/trace.h"

typedef struct pictures {
  kiln_context *context;
  host_trace *trace;
  kiln_array *arrays; /* as they were before the launch; NULL: not needed */
  size_t count;
} pictures;

/* ---- arrays as they were ---- */

static void free_arrays(pictures *p) {
  const mem m = p->context->mem;
  for (size_t i = 0; p->arrays && i < p->count; i++) mem_free(m, p->arrays[i].data, p->arrays[i].size);
  mem_free(m, p->arrays, p->count * sizeof *p->arrays);
}

static bool copy_arrays(pictures *p, const kiln_request *request) {
  const mem m = p->context->mem;
  p->arrays = mem_calloc(m, request->array_count, sizeof *p->arrays);
  if (!p->arrays) return false;
  p->count = request->array_count;
  for (size_t i = 0; i < p->count; i++) {
    const kiln_array *from = &request->arrays[i];
    p->arrays[i] = *from;
    p->arrays[i].data = mem_alloc(m, from->size);
    if (!p->arrays[i].data && from->size > 0) return p->arrays[i].size = 0, false;
    if (from->size > 0) memcpy(p->arrays[i].data, from->data, from->size);
  }
  return true;
}

/* ---- pictures ---- */

static bool is_drawn(const kiln_request *request) { return request->trace || request->svg; }

static bool open_pictures(pictures *p, kiln_context *context, const kiln_request *request) {
  *p = (pictures){.context = context};
  if (!is_drawn(request)) return true;
  p->trace = host_trace_create(context->mem);
  return p->trace && (request->exhaustive == 0 || copy_arrays(p, request));
}

static void close_pictures(pictures *p) {
  free_arrays(p);
  host_trace_destroy(p->trace);
}

/* ---- launches ---- */

static kiln_result explore(const pictures *p, kiln_host_plan *plan, const kiln_request *request, kiln_explored *out) {
  kiln_exploration found;
  kiln_result result = kiln_host_explore(plan, request->arrays, request->array_count, request->exhaustive, &found);
  *out = (kiln_explored){found.schedules, found.open, found.longest,
                         found.complete || (!found.too_long && found.open == 0), found.too_long};
  if (p->trace && (result == KILN_OK || result == KILN_ERROR_FAULT))
    host_trace_explored(p->trace, plan, p->arrays, p->count, &found);
  return result;
}

static kiln_result launch(const pictures *p, kiln_host_plan *plan, const kiln_request *request, kiln_explored *out) {
  if (request->exhaustive > 0) return explore(p, plan, request, out);
  if (p->trace) host_trace_attach(plan, p->trace);
  return kiln_host_launch(plan, request->arrays, request->array_count);
}

kiln_result kiln_checked_launch(kiln_context *context, kiln_host_plan *plan, const kiln_request *request,
                                kiln_explored *out) {
  pictures p;
  kiln_result result = KILN_ERROR_MEMORY;
  *out = (kiln_explored){0};
  if (open_pictures(&p, context, request)) {
    result = launch(&p, plan, request, out);
    const bool ran = result == KILN_OK || result == KILN_ERROR_FAULT;
    if (p.trace && ran) {
      const kiln_result written = host_trace_write(p.trace, context, request->trace, request->svg);
      if (result == KILN_OK) result = written;
    }
  } else {
    diag_report(context->diags, DIAG_out_of_memory, (loc){0});
  }
  close_pictures(&p);
  return result;
}
