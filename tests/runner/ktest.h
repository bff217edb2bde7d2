/* The runner of kernel tests. A test file (.ktest) holds one kernel text, data and what must come out:
 *
 *   # What this tests, and why it could go wrong.
 *   [kernel]
 *   kernel scale(x: f32[M]) -> (y: f32[M]) { y[...] = x[...] * 2.0 }
 *   [set M=3]                        sizes: every symbolic size of the kernel
 *   [data x iota]                    or zeros, ones, random:SEED, normal:SEED; rows of numbers below; or a formula:
 *   [data x[i] = i % 5 - 2]
 *   [expect y]                       rows of numbers below, or a formula; both may end in `within 2 ulp`
 *   0 2 4
 *   [expect y[i] = 2 * x[i]]
 *   [same host within 4 ulp]         nothing is expected but that devices agree with the host
 *   [resident N]                     the host has room for N blocks at a time
 *   [launch NAME]                    which kernel of the text; absent: the only one
 *   [fault NAME]                     the checked run on the host must report this fault
 *   [needs f64]                      a device without f64 (i64, i64 atomics) must refuse the kernel
 *   [todo DEVICE: why]               must fail there: host, vulkan, or part of a device's name
 *   [unsupported DEVICE: why]        must be refused there
 *   [text]                           the kernel as Kiln prints it          } whole texts below, rewritten by --update
 *   [passes after NAME]              the kernel after that pass            }
 *   [plan]                           what `kiln plan` prints               }
 *   [diagnostics]                    what parsing, or else running, says   }
 *
 * A [launch], [set], [data] or [resident] that follows an expectation starts the next case of the same kernel text.
 * Outputs are poisoned before every run. On the host each case runs again with every check on, and where its units
 * order themselves in several orders, with checks and without, which must find nothing and give the same bits. The
 * printed form of every kernel must be a fixed point. */
#ifndef KILN_TESTS_RUNNER_KTEST_H
#define KILN_TESTS_RUNNER_KTEST_H

#include "ir/ir.h"
#include "kiln/kiln.h"

/* ---- the file ---- */

typedef struct section {
  kiln_str word, rest; /* [word rest] */
  kiln_str body;       /* the lines below */
  uint32_t line;
} section;

typedef VEC(section) section_list;

typedef struct test_case {
  const section *launch, *resident;
  section_list sets, data, expects;
  section_list limits; /* todo, unsupported, needs */
  const section *same, *fault;
  uint32_t line;
} test_case;

typedef struct test_file {
  arena *arena;
  kiln_str path, text, kernel;
  VEC(test_case) cases;
  section_list snapshots; /* text, passes, diagnostics */
  kiln_str error;         /* what is wrong with the file itself; empty: nothing */
} test_file;

void file_parse(test_file *file, arena *a, kiln_str path, kiln_str contents);
kiln_str str_trim(kiln_str s);
/* Cuts `s` at the first `mark`; false and all of it in `before` when there is none. */
bool str_cut(kiln_str s, const char *mark, kiln_str *before, kiln_str *after);

/* ---- data ---- */

/* One launch of one case: what parameters there are and what they hold. */
typedef struct launch {
  arena *arena;
  kiln_context *context;
  const kiln_kernel *kernel;
  kiln_size *sizes;
  size_t size_count;
  kiln_param *params;
  kiln_array *arrays;
  size_t param_count;
  uint64_t seed;     /* of the order of units */
  uint32_t resident; /* blocks; 0: any number */
} launch;

/* Fills sizes and arrays as the case says; outputs are poisoned. False with a message. */
bool launch_make(launch *l, const test_case *c, kiln_str *error);
/* The same launch with arrays of its own, so that executors do not see each other's results. */
launch launch_copy(const launch *l);
const kiln_array *launch_array(const launch *l, kiln_str name);
bool array_read_rows(const kiln_array *array, kiln_str rows, kiln_str *error, arena *a);
double array_at(const kiln_array *array, size_t element);
uint64_t array_bits(const kiln_array *array, size_t element);
size_t array_count(const kiln_array *array);

/* ---- formulas ---- */

/* Fills `array` by a formula such as "y[i, j] = 2 * x[j, i] + sum(k, 0, K, a[i, k])", evaluated in double. */
bool formula_fill(const launch *l, kiln_str formula, kiln_array *array, kiln_str *error);
/* A size expression, such as "2 * cdiv(M, 8)". */
bool formula_size(const launch *l, kiln_str words, int64_t *out);

/* ---- comparison ---- */

/* Empty when all elements agree within `ulp` units in the last place (NaN with NaN), else what the first difference is.
 */
kiln_str compare_arrays(arena *a, kiln_str name, const kiln_array *found, const kiln_array *expected, uint64_t ulp);
/* Checks a launch that has run against the [expect] sections of its case; formulas read the data `before` it. */
kiln_str compare_expected(const launch *before, const launch *after, const test_case *c);
/* Compares everything that the kernel writes. */
kiln_str compare_outputs(const launch *l, const launch *other, uint64_t ulp);
bool parse_ulp(kiln_str s, kiln_str *rest, uint64_t *ulp);

/* ---- executors ---- */

typedef struct executor executor;
struct executor {
  kiln_str name;      /* "host", the device's or the profile's */
  bool checks;        /* has checked runs: the host */
  bool compiles_only; /* nothing runs, so there is nothing to compare */
  bool f64, i64, i64_atomics;
  kiln_device *device;
  kiln_profile profile; /* of one that only compiles */
  kiln_result (*run)(const executor *e, const launch *l, bool check);
};

extern const executor executor_host;
#ifdef KILN_VULKAN
/* False, with the reason as a diagnostic of the context, when there is no usable device. */
bool executor_vulkan_open(kiln_context *context, executor *out);
void executor_vulkan_close(executor *e);
bool executor_profile_open(kiln_str name, executor *out); /* false when there is no such profile */
#endif

/* ---- snapshots ---- */

/* The text that a snapshot section is about, or an error. */
kiln_str snapshot_make(test_file *file, kiln_context *context, const section *s, kiln_str *error);
/* Everything the context has to say, rendered. */
kiln_str context_text(arena *a, kiln_context *context);

#endif
