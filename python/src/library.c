/* What Python wants to know of the library itself. */
#include <string.h>

#include "door.h"
#include "ir/text/manual.h"
#include "kiln/host.h"

KILN_API char *kiln_python_ops(void);
KILN_API size_t kiln_python_sizes(size_t *sizes, size_t room);
KILN_API const char *kiln_python_order(size_t number);
KILN_API const char *kiln_python_timing(size_t number);

/* The sizes of the structs that kiln/_native.py mirrors, in its order. Returns how many there are. */
size_t kiln_python_sizes(size_t *sizes, size_t room) {
  static const size_t mirrored[] = {sizeof(kiln_place),       sizeof(kiln_diag),       sizeof(kiln_parse_desc),
                                    sizeof(kiln_param),       sizeof(kiln_array),      sizeof(kiln_size),
                                    sizeof(kiln_request),     sizeof(kiln_explored),   sizeof(kiln_failure),
                                    sizeof(kiln_device_desc), sizeof(kiln_device_info)};
  const size_t count = sizeof mirrored / sizeof *mirrored;
  for (size_t i = 0; i < count && i < room; i++) sizes[i] = mirrored[i];
  return count;
}

/* The name of a kiln_order; NULL past the last. */
const char *kiln_python_order(size_t number) {
  static const char *const names[] = {
#define SCHED_ORDER(id, name, doc) [KILN_ORDER_##id] = name,
#include "host/schedule/sched.def"
  };
  return number < sizeof names / sizeof *names ? names[number] : NULL;
}

/* The same of a kiln_timing. */
const char *kiln_python_timing(size_t number) {
  static const char *const names[] = {
#define SCHED_TIMING(id, name, doc) [KILN_TIMING_##id] = name,
#include "host/schedule/sched.def"
  };
  return number < sizeof names / sizeof *names ? names[number] : NULL;
}

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
