/* The files that show what was recorded. */
#include "base/file.h"
#include "host/trace/tracks.h"

typedef void draw_fn(const host_trace *trace, text *out);

static kiln_result draw_file(const host_trace *trace, diag_sink *diags, arena *a, const char *path, draw_fn *draw) {
  jmp_buf out;
  if (!ARENA_GUARD(a, out)) return diag_report(diags, DIAG_out_of_memory, (loc){0}), KILN_ERROR_MEMORY;
  text drawn = text_new(a);
  draw(trace, &drawn);
  const kiln_str part = text_str(&drawn);
  return file_write(trace->mem, diags, path, &part, 1);
}

/* In an arena of its own: of many schedules several may be written. */
static kiln_result write_file(const host_trace *trace, diag_sink *diags, const char *path, draw_fn *draw) {
  arena a;
  if (!path) return KILN_OK;
  arena_init(&a, trace->mem, 0);
  const kiln_result result = draw_file(trace, diags, &a, path, draw);
  arena_finish(&a);
  return result;
}

kiln_result host_trace_write(const host_trace *trace, kiln_context *context, const char *json, const char *svg) {
  diag_sink *diags = context->diags;
  if (trace->dropped > 0)
    diag_report(diags, DIAG_trace_full, (loc){0}, (unsigned long long)trace->dropped, (unsigned)TRACE_EVENTS);
  const kiln_result result = write_file(trace, diags, json, trace_json);
  return result == KILN_OK ? write_file(trace, diags, svg, trace_svg) : result;
}
