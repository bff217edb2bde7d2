/* What `--trace` and `--svg` of `kiln check` ask for. */
#ifndef KILN_SRC_TOOL_PICTURES_H
#define KILN_SRC_TOOL_PICTURES_H

#include "host/trace/trace.h"
#include "tool/tool.h"

typedef struct pictures {
  tool *tool;
  host_trace *trace; /* of the run that comes next */
  bool wanted, kept; /* kept: of an earlier run, which is shown unless a later one has a fault */
} pictures;

kiln_result pictures_open(tool *t, pictures *out);
void pictures_close(pictures *p);
/* A run has ended with `result`: writes the files if it is the one to show. The run's result, or that of the files. */
kiln_result pictures_keep(pictures *p, kiln_result result);

#endif
