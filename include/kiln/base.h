/* Results, strings, memory, contexts and diagnostics: what every other Kiln header builds on.
 *
 * Conventions, for the whole library:
 * - Everything hangs off a kiln_context. There are no globals but one process-wide Vulkan instance.
 * - A context and the objects made from it belong to one thread at a time. Kernels are immutable once
 *   parsed, and may be launched from several threads through several contexts.
 * - Descriptors are structs whose zero value is a complete, sensible setting.
 * - Functions that can fail return a kiln_result; the reason goes to the context's diagnostics.
 * - Strings are pointer and size, never assumed to end with a zero byte.
 * - What has a `create`, `parse`, `open` or `compile` has a matching `destroy`, which accepts NULL.
 *   Nothing returned is ever freed with free(). Text returned belongs to the object it came from.
 */
#ifndef KILN_BASE_H
#define KILN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_VERSION_MAJOR 0
#define KILN_VERSION_MINOR 1
#define KILN_VERSION_PATCH 0

#if defined(KILN_SHARED) && defined(__GNUC__)
#define KILN_API __attribute__((visibility("default")))
#else
#define KILN_API
#endif

/* What a call came to. The groups follow the exit codes of the command: 1 the request, 3 a fault found, 4 the system.
 */
typedef enum kiln_result {
  KILN_OK = 0,
  KILN_ERROR_INVALID,       /* the kernel text, the data or the request is wrong (exit 1) */
  KILN_ERROR_LIMIT,         /* a stated limit was exceeded (exit 1) */
  KILN_ERROR_UNSUPPORTED,   /* right, but not possible on this device or in this build (exit 1) */
  KILN_ERROR_FAULT,         /* a checker found a fault in the kernel (exit 3) */
  KILN_ERROR_MEMORY,        /* out of host memory (exit 4) */
  KILN_ERROR_DEVICE,        /* the driver failed, or no usable device was found (exit 4) */
  KILN_ERROR_DEVICE_LOST,   /* the device was lost; the device object is unusable from now on (exit 4) */
  KILN_ERROR_DEVICE_MEMORY, /* out of device memory (exit 4) */
  KILN_ERROR_TIMEOUT,       /* a launch ran past its time limit (exit 4) */
  KILN_ERROR_IO             /* a file could not be read or written (exit 4) */
} kiln_result;

/* The name of a result, such as "invalid". Static text. */
KILN_API const char *kiln_result_name(kiln_result result);

/* Text that need not end with a zero byte. */
typedef struct kiln_str {
  const char *data;
  size_t size;
} kiln_str;

/* The one memory hook: `size` bytes for NULL, a resized block for `ptr`, release for `size` 0. Returns NULL when
 * memory is out. Called from several threads when a launch uses several. */
typedef void *(*kiln_alloc_fn)(void *user, void *ptr, size_t old_size, size_t size);

typedef enum kiln_severity { KILN_NOTE, KILN_WARNING, KILN_ERROR, KILN_FAULT } kiln_severity;

/* A place in a text: line and column count from 1; 0 means unknown. `line_text` is the source line, without its end. */
typedef struct kiln_place {
  kiln_str file;
  uint32_t line, column;
  uint32_t length; /* bytes to underline from `column`; 0 = the caret alone */
  kiln_str line_text;
  kiln_str label; /* what is to be seen here; may be empty */
} kiln_place;

/* One diagnostic, valid during the callback or until the context's diagnostics are cleared. */
typedef struct kiln_diag {
  uint32_t code; /* stable number; 1xxx text, 2xxx meaning, 3xxx compiling, 4xxx running, 5xxx faults, 6xxx Vulkan, 7xxx
                    files */
  const char *name; /* stable name, such as "unknown_name" or "out_of_bounds" */
  kiln_severity severity;
  kiln_str message;
  kiln_str hint; /* may be empty */
  kiln_str unit; /* faults: the unit and the step, as "block 3 step (0, 2)"; else empty */
  uint64_t seed; /* faults: the seed that replays it */
  const kiln_place *places;
  size_t place_count;
} kiln_diag;

typedef void (*kiln_diag_fn)(void *user, const kiln_diag *diag);

typedef struct kiln_context kiln_context;

/* Zero is a complete setting: malloc, diagnostics kept but not called back, all CPUs. */
typedef struct kiln_context_desc {
  kiln_alloc_fn alloc; /* NULL: the C library's */
  void *alloc_user;
  kiln_diag_fn diag; /* called as each diagnostic is made; may be NULL */
  void *diag_user;
  uint32_t threads; /* host executor's threads; 0: one per CPU that the process may use */
} kiln_context_desc;

/* Makes a context; `desc` may be NULL. Fails with KILN_ERROR_MEMORY only. */
KILN_API kiln_result kiln_context_create(const kiln_context_desc *desc, kiln_context **out);
KILN_API void kiln_context_destroy(kiln_context *context);

/* Diagnostics since the last clear, oldest first. At most 200 are kept; the rest are counted. */
KILN_API size_t kiln_diag_count(const kiln_context *context);
KILN_API const kiln_diag *kiln_diag_get(const kiln_context *context, size_t index);
KILN_API void kiln_diag_clear(kiln_context *context);

/* Renders one diagnostic with its source lines and carets, as the command prints it. The text belongs to the context
 * until the next call of this function. Never fails: when memory is out it returns the bare name. */
KILN_API kiln_str kiln_diag_render(kiln_context *context, const kiln_diag *diag);

KILN_API const char *kiln_version(void);

#ifdef __cplusplus
}
#endif
#endif
