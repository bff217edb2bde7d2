/* The context behind the public API: memory, diagnostics, settings. */
#ifndef KILN_SRC_BASE_CONTEXT_H
#define KILN_SRC_BASE_CONTEXT_H

#include "base/diag.h"

struct kiln_context {
  mem mem;
  diag_sink *diags;
  uint32_t threads;  /* resolved: at least 1 */
  struct pool *pool; /* of so many; see context_pool */
};

/* The one pool of all plans of the context, made when it is first asked for; NULL when memory is out. */
struct pool *context_pool(kiln_context *context);

#endif
