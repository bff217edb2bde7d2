/* Contexts, and the public face of diagnostics. */
#include "base/context.h"

#include "base/config.h"
#include "base/thread.h"

#define TEXT(x) #x
#define VERSION(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *kiln_version(void) { return VERSION(KILN_VERSION_MAJOR, KILN_VERSION_MINOR, KILN_VERSION_PATCH); }

const char *kiln_result_name(kiln_result result) {
  static const char *const names[] = {
      [KILN_OK] = "ok",
      [KILN_ERROR_INVALID] = "invalid",
      [KILN_ERROR_LIMIT] = "limit",
      [KILN_ERROR_UNSUPPORTED] = "unsupported",
      [KILN_ERROR_FAULT] = "fault",
      [KILN_ERROR_MEMORY] = "memory",
      [KILN_ERROR_DEVICE] = "device",
      [KILN_ERROR_DEVICE_LOST] = "device_lost",
      [KILN_ERROR_DEVICE_MEMORY] = "device_memory",
      [KILN_ERROR_TIMEOUT] = "timeout",
      [KILN_ERROR_IO] = "io",
  };
  size_t index = (size_t)result;
  return index < sizeof names / sizeof *names ? names[index] : "unknown";
}

static uint32_t resolve_threads(const kiln_context_desc *desc, diag_sink *diags) {
  if (desc->threads > 0) return desc->threads;
  uint32_t set = (uint32_t)config_number(CONFIG_ID_THREADS, diags);
  return set > 0 ? set : thread_cpu_count();
}

kiln_result kiln_context_create(const kiln_context_desc *desc, kiln_context **out) {
  static const kiln_context_desc zero = {0};
  *out = NULL;
  if (!desc) desc = &zero;
  mem m = desc->alloc ? (mem){desc->alloc, desc->alloc_user} : mem_default();
  kiln_context *context = mem_calloc(m, 1, sizeof *context);
  if (!context) return KILN_ERROR_MEMORY;
  context->mem = m;
  context->diags = diag_sink_create(m, desc->diag, desc->diag_user);
  if (!context->diags) {
    kiln_context_destroy(context);
    return KILN_ERROR_MEMORY;
  }
  context->threads = resolve_threads(desc, context->diags);
  *out = context;
  return KILN_OK;
}

struct pool *context_pool(kiln_context *context) {
  if (!context->pool) context->pool = pool_create(context->mem, context->threads);
  return context->pool;
}

void kiln_context_destroy(kiln_context *context) {
  if (!context) return;
  pool_destroy(context->pool);
  diag_sink_destroy(context->diags);
  mem_free(context->mem, context, sizeof *context);
}

size_t kiln_diag_count(const kiln_context *context) { return diag_sink_count(context->diags); }

const kiln_diag *kiln_diag_get(const kiln_context *context, size_t index) {
  return diag_sink_get(context->diags, index);
}

void kiln_diag_clear(kiln_context *context) { diag_sink_clear(context->diags); }

kiln_str kiln_diag_render(kiln_context *context, const kiln_diag *diag) {
  return diag_sink_render(context->diags, diag);
}
