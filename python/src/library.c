/* What Python wants to know of the library itself. */
#include <string.h>

#include "ir/manual.h"
#include "kiln/kiln.h"

KILN_API char *kiln_python_ops(void);

/* The op tables as JSON, for `kiln.ops_json`; kept by Python for the life of the process. NULL when memory is out. */
char *kiln_python_ops(void) {
  arena a;
  jmp_buf out;
  char *volatile copy = NULL;
  arena_init(&a, mem_default(), 0);
  if (ARENA_GUARD(&a, out)) {
    text t = text_new(&a);
    ir_ops_json(&t);
    copy = mem_alloc(mem_default(), t.size + 1);
    if (copy) memcpy(copy, t.data, t.size + 1);
  }
  arena_finish(&a);
  return copy;
}
