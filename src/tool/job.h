/* A kernel with its data: one argument per parameter, from NAME=DATA and -o NAME=FILE, ready to run. */
#ifndef KILN_SRC_TOOL_JOB_H
#define KILN_SRC_TOOL_JOB_H

#include "tool/kernel.h"

typedef struct argument {
  kiln_param param;
  const char *data;  /* NULL: none given */
  const char *saved; /* where its value goes after the run; NULL: nowhere, or that failed */
} argument;

typedef struct job {
  tool *tool;
  subject subject;
  argument *arguments;
  kiln_array *arrays; /* one per argument; data from the context's hook */
  size_t count;
  int64_t *size_values; /* every symbolic size of the kernel, in its order; valid once open */
} job;

#define OUTPUT_OPTION \
  { "--output", 'o', OPTION_VALUE, true, "NAME=FILE", "save an output: .npy, or .png for u8[H, W] and u8[H, W, 3]" }

/* What becomes of parameters that no NAME=DATA names. */
typedef enum missing_data { MISSING_REFUSED, MISSING_GENERATED } missing_data;

/* Everything from the command line to filled inputs and allocated outputs. Release with job_close, also after a
 * failure. */
kiln_result job_open(tool *t, missing_data missing, job *out);
void job_close(job *j);

/* A second set of arrays with the same contents, for one more device or for timing. NULL when memory is out (reported).
 */
kiln_array *job_copy_arrays(job *j);
void job_free_arrays(job *j, kiln_array *arrays);
kiln_result job_save(job *j);

#endif
