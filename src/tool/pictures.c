/* The files that show what a checked run did. */
#include "tool/pictures.h"

#include "base/file.h"
#include "tool/tracks.h"

kiln_result pictures_open(tool *t, pictures *out) {
  *out = (pictures){.tool = t, .wanted = args_has(t, "--trace") || args_has(t, "--svg")};
  if (!out->wanted) return KILN_OK;
  out->trace = host_trace_create(t->context->mem);
  return out->trace ? KILN_OK : tool_out_of_memory(t);
}

void pictures_close(pictures *p) { host_trace_destroy(p->trace); }

typedef void draw_fn(const host_trace *trace, text *out);

static kiln_result draw_file(pictures *p, arena *a, const char *path, draw_fn *draw) {
  jmp_buf out;
  if (!ARENA_GUARD(a, out)) return tool_out_of_memory(p->tool);
  text drawn = text_new(a);
  draw(p->trace, &drawn);
  const kiln_str part = text_str(&drawn);
  return file_write(p->tool->context->mem, p->tool->context->diags, path, &part, 1);
}

/* In an arena of its own: of many schedules several may be written. */
static kiln_result write_file(pictures *p, const char *path, draw_fn *draw) {
  arena a;
  if (!path) return KILN_OK;
  arena_init(&a, p->tool->context->mem, 0);
  const kiln_result result = draw_file(p, &a, path, draw);
  arena_finish(&a);
  return result;
}

kiln_result pictures_keep(pictures *p, kiln_result result) {
  const char *const json = args_value(p->tool, "--trace"), *const svg = args_value(p->tool, "--svg");
  if (p->kept && result == KILN_OK) return result;
  p->kept = true;
  if (p->trace->dropped > 0)
    TOOL_REPORT(p->tool, DIAG_trace_full, NULL, (unsigned long long)p->trace->dropped, (unsigned)TRACE_EVENTS);
  kiln_result written = write_file(p, json, trace_json);
  if (written == KILN_OK) written = write_file(p, svg, trace_svg);
  return result == KILN_OK ? written : result;
}
