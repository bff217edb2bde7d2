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
  KILN_F64,
  /* What NumPy lacks has the names and the storage of ml_dtypes: one element a byte, in its low bits, zeros above. */
  KILN_I2,
  KILN_U2,
  KILN_I4,
  KILN_U4,
  KILN_F8E4M3FN,
  KILN_F8E5M2,
  KILN_F8E4M3,
  KILN_F8E3M4,
  KILN_F8E4M3FNUZ,
  KILN_F8E5M2FNUZ,
  KILN_F8E4M3B11FNUZ,
  KILN_F8E8M0FNU,
  KILN_F4E2M1FN
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

/* How an array lies in memory, in the terms of XLA, which writes {1,0:T(8,128)(2,1)}: the dimensions from the minor to
 * the major one, then tiles. A tile cuts the minor-most dimensions of what there is into boxes that lie one after the
 * other, each padded to its full size; the next tile cuts those boxes again. Rank 0: row-major. Source: XLA, "Tiled
 * layout". */
#define KILN_MAX_TILES 4
typedef struct kiln_layout {
  uint32_t rank;
  uint32_t minor_to_major[KILN_MAX_RANK];
  uint32_t tile_count;
  struct kiln_tile_box {
    uint32_t rank;
    int64_t dims[KILN_MAX_RANK];
  } tiles[KILN_MAX_TILES];
  uint32_t element_bits; /* E(4): elements of less than a byte share bytes, the first in the low bits; 0: they do not */
} kiln_layout;

/* Bytes that an array of the type and dimensions of `array` takes in this layout, padding included; 0 when that is no
 * size_t. `array`'s data is not looked at. */
KILN_API size_t kiln_layout_size(const kiln_layout *layout, const kiln_array *array);
/* Copies between a row-major array and memory of kiln_layout_size() bytes, bit for bit. Padding in `memory` is left
 * alone. */
KILN_API void kiln_layout_pack(const kiln_layout *layout, const kiln_array *array, void *memory);
KILN_API void kiln_layout_unpack(const kiln_layout *layout, const void *memory, const kiln_array *array);

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
  kiln_layout layout; /* of its memory on a device; arrays handed over are row-major all the same */
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
