/* What becomes of a kernel's outputs: files, pictures, summaries. */
#ifndef KILN_SRC_TOOL_OUTPUT_H
#define KILN_SRC_TOOL_OUTPUT_H

#include "base/json.h"
#include "tool/job.h"

/* Before anything runs: can this parameter be saved under this name at all? */
kiln_result output_check_path(tool *t, const argument *a, const char *path);
kiln_result output_save(tool *t, const argument *a, const kiln_array *array);

void output_print(tool *t, const argument *a, const kiln_array *array); /* a line or two on stdout */
void output_json(json *j, const argument *a, const kiln_array *array);  /* "y": {"dtype", "shape", ...} */
void shape_print(text *t, const kiln_array *array);                     /* f32[8, 128] */

/* A picture of `channels` bytes a pixel (1 or 3), rows from the top; `path` is written whole or not at all. */
kiln_result png_save(tool *t, const char *path, const void *pixels, size_t height, size_t width, size_t channels);

#endif
