/* Kernel texts: parse, look at, print. */
#ifndef KILN_KERNEL_H
#define KILN_KERNEL_H

#include "kiln/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Element types, in the order of src/ir/types.def. */
typedef enum kiln_dtype {
  KILN_BOOL, /* one byte, 0 or 1 */
  KILN_I8,
  KILN_I16,
  KILN_I32,
  KILN_I64,
  KILN_U8,
  KILN_U16,
  KILN_U32,
  KILN_U64,
  KILN_F16,
  KILN_BF16,
  KILN_F32,
  KILN_F64
} kiln_dtype;

KILN_API const char *kiln_dtype_name(kiln_dtype dtype); /* "f32"; NULL for what is no type */
KILN_API size_t kiln_dtype_size(kiln_dtype dtype);      /* bytes per element */

#define KILN_MAX_RANK 8

/* An array in the caller's memory: row-major, dense, `size` bytes at `data`. */
typedef struct kiln_array {
  kiln_dtype dtype;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  void *data;
  size_t size;
} kiln_array;

typedef enum kiln_direction { KILN_IN, KILN_OUT, KILN_INOUT } kiln_direction;

/* A parameter. A dimension that is a symbolic size has -1 in `dims` and its text (such as "M" or "2 * N") in
 * `dim_text`. */
typedef struct kiln_param {
  kiln_str name;
  kiln_dtype dtype;
  kiln_direction direction;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  kiln_str dim_text[KILN_MAX_RANK];
} kiln_param;

typedef struct kiln_module kiln_module;
typedef struct kiln_kernel kiln_kernel; /* belongs to its module */

typedef struct kiln_parse_desc {
  kiln_str text; /* need not outlive the call */
  kiln_str name; /* for diagnostics, such as a file name; empty: "<kernel>" */
} kiln_parse_desc;

/* Parses and verifies a text of one or more kernels. KILN_ERROR_INVALID with diagnostics when anything is wrong. */
KILN_API kiln_result kiln_module_parse(kiln_context *context, const kiln_parse_desc *desc, kiln_module **out);
KILN_API void kiln_module_destroy(kiln_module *module);

KILN_API size_t kiln_module_kernel_count(const kiln_module *module);
KILN_API const kiln_kernel *kiln_module_kernel(const kiln_module *module, size_t index); /* NULL when out of range */
KILN_API const kiln_kernel *kiln_module_find(const kiln_module *module, kiln_str name);  /* NULL when absent */

/* The module in canonical form, one op a line: parsing it again gives the same text. Belongs to the module. */
KILN_API kiln_str kiln_module_text(kiln_module *module);

KILN_API kiln_str kiln_kernel_name(const kiln_kernel *kernel);
/* Parameters in order of declaration, outputs last. */
KILN_API size_t kiln_kernel_param_count(const kiln_kernel *kernel);
KILN_API kiln_result kiln_kernel_param(const kiln_kernel *kernel, size_t index, kiln_param *out);

/* A value for a symbolic size. Sizes that the inputs' shapes determine need not be given. */
typedef struct kiln_size {
  kiln_str name;
  int64_t value;
} kiln_size;

/* The shapes of all parameters once the sizes are known, from the inputs in `arrays` (one per parameter, in order; an
 * output's entry is ignored on the way in) and `sizes`. Fills dtype, rank, dims and size of every output in place,
 * leaves data alone. */
KILN_API kiln_result kiln_kernel_shapes(kiln_context *context, const kiln_kernel *kernel, const kiln_size *sizes,
                                        size_t size_count, kiln_array *arrays, size_t array_count);

#ifdef __cplusplus
}
#endif
#endif
