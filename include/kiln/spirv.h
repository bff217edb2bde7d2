/* Compiling a kernel to SPIR-V, with everything a launch needs to know. No Vulkan call is made here. */
#ifndef KILN_SPIRV_H
#define KILN_SPIRV_H

#include "kiln/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the compiler may know of a device: limits and features, never names. A zero field takes the baseline's value:
 * the least that any Vulkan 1.1 device with subgroup arithmetic offers, which is also what SwiftShader offers. */
typedef struct kiln_profile {
  uint32_t subgroup_size;       /* 4 */
  uint32_t max_workgroup_size;  /* 128 invocations */
  uint32_t max_workgroup_count; /* 65535 per axis */
  uint32_t shared_memory;       /* 16384 bytes */
  uint32_t max_bindings;        /* 4 storage buffers */
  uint64_t max_buffer_range;    /* 128 MiB */
  bool f64, i64;                /* 64-bit arithmetic */
  bool i64_atomics;             /* of elements of 64 bits, in storage buffers; needs i64 */
  bool serial_subgroups; /* subgroups of a workgroup run one after the other (CPU drivers): no shared-memory staging */
  bool lock_step;    /* where subgroups go different ways a barrier of one orders memory only: its lanes are together */
  bool one_subgroup; /* roles take turns on it: subgroups cannot go different ways */
  bool split_barrier; /* workgroup barriers may be in two halves (VK_EXT_shader_split_barrier); nothing uses it yet */
  uint32_t polls; /* looks that a wait for another subgroup is worth; 0: one that waits may keep the others waiting */
  uint32_t max_values; /* that the device's compiler can hold for a lane at once; 0: no such limit is known */
} kiln_profile;

/* A named profile: "baseline", "swiftshader", "lavapipe4", "lavapipe8", "lavapipe16", "gpu32", "gpu64". */
KILN_API kiln_result kiln_profile_find(kiln_str name, kiln_profile *out);

/* How devices run units that wait for one another. */
typedef enum kiln_units {
  KILN_UNITS_AUTO,   /* fused where that goes, else spun where subgroups may wait, else phased */
  KILN_UNITS_FUSED,  /* one program: who waits for whom must be known beforehand */
  KILN_UNITS_PHASED, /* roles, each on a subgroup, that take turns */
  KILN_UNITS_SPUN    /* roles, each on a subgroup, that look until it is their turn */
} kiln_units;

typedef struct kiln_compile_desc {
  const kiln_size *sizes; /* every symbolic size */
  size_t size_count;
  kiln_profile profile;
  bool validate;      /* run spirv-val; always on in debug builds */
  bool no_debug_info; /* leave out names and source lines */
  kiln_units units;
} kiln_compile_desc;

/* One storage buffer of the module: descriptor set 0, binding = its index. */
typedef enum kiln_binding_kind { KILN_BINDING_PARAM, KILN_BINDING_SCRATCH, KILN_BINDING_LOG } kiln_binding_kind;
typedef struct kiln_binding {
  kiln_binding_kind kind;
  uint32_t param; /* PARAM: index of the parameter */
  uint64_t size;  /* bytes that must be bound: a multiple of 16 */
  bool written;
  kiln_layout layout; /* PARAM: how the buffer holds the array; see kiln_layout_pack */
} kiln_binding;

/* What a kernel prints and checks, and how the log binding holds it. */
typedef struct kiln_log kiln_log;

/* A compiled kernel. Entry point "main", one descriptor set, push constants {u32 first_unit, unit_end}. */
typedef struct kiln_program kiln_program;

typedef struct kiln_program_info {
  const uint32_t *words;
  size_t word_count;
  const kiln_binding *bindings;
  size_t binding_count;
  uint32_t workgroup_size;      /* invocations, along x */
  uint32_t units_per_workgroup; /* grid points that one workgroup handles */
  uint64_t unit_count;          /* grid points in all, after splitting */
  uint32_t max_workgroups; /* in one dispatch, each having a slice of the scratch buffer; dispatches must not overlap
                              then. 0: no limit but the device's */
  uint32_t subgroup_size;  /* required; full subgroups */
  uint32_t push_constant_size; /* 8 */
  uint32_t shared_memory;      /* bytes */
  uint32_t kept_memory;        /* of these, for tiles that registers do not hold; the rest is scratch */
  bool needs_f64, needs_i64, needs_i64_atomics;
  const kiln_log *log; /* read after every launch; NULL: the kernel neither prints nor checks */
} kiln_program_info;

/* The kernel must outlive programs that print or check, and their launches: they name places in its text. */
KILN_API kiln_result kiln_compile(kiln_context *context, const kiln_kernel *kernel, const kiln_compile_desc *desc,
                                  kiln_program **out);
KILN_API const kiln_program_info *kiln_program_get(const kiln_program *program);
KILN_API kiln_str kiln_program_text(kiln_program *program); /* disassembly; belongs to the program */
KILN_API void kiln_program_destroy(kiln_program *program);

#ifdef __cplusplus
}
#endif
#endif
