/* The files that show what a checked run did. */
#include "tool/pictures.h"

kiln_result pictures_open(tool *t, pictures *out) {
  *out = (pictures){.tool = t, .wanted = args_has(t, "--trace") || args_has(t, "--svg")};
  if (!out->wanted) return KILN_OK;
  out->trace = host_trace_create(t->context->mem);
  return out->trace ? KILN_OK : tool_out_of_memory(t);
}

void pictures_close(pictures *p) { host_trace_destroy(p->trace); }

kiln_result pictures_keep(pictures *p, kiln_result result) {
  const tool *t = p->tool;
  if (p->kept && result == KILN_OK) return result;
  p->kept = true;
  kiln_result written = host_trace_write(p->trace, t->context, args_value(t, "--trace"), args_value(t, "--svg"));
  return result == KILN_OK ? written : result;
}
