/* The door from XLA: kernels that JAX's lowering entered here run when XLA calls `kiln_door_call`.
 *
 * Python exports a kernel while JAX lowers, enters it once, and gives XLA the number as an attribute of the call. What
 * was entered stays for the life of the process, as XLA may keep programs that long. Every launch is logged. */
#ifndef KILN_PYTHON_DOOR_H
#define KILN_PYTHON_DOOR_H

#include "seat.h"

/* Enters a kernel; the request's arrays and sizes are not looked at, its `on` and kernel must live on. The number, or
 * -1 when memory is out. `notes`: races and reads of what nothing wrote do not make its launches fail, and that there
 * were races is noted. */
KILN_API int64_t kiln_door_enter(const kiln_request *request, bool notes);

/* Whether races were noted in the latest launch, or in one of the launches of the same kernel right before it (several
 * devices have one each), not counting those before launch `since`. */
KILN_API bool kiln_door_raced(uint64_t since);

/* Says what a launch of a kernel with `notes` failed of, in other words than Kiln's, which follow. Returns the bytes
 * written. Called on XLA's threads. */
typedef size_t (*kiln_speaker)(kiln_context *context, char *out, size_t room);
KILN_API void kiln_door_speak(kiln_speaker speaker);

/* The process's own mark, another attribute: a program that another process compiled is refused. */
KILN_API int64_t kiln_door_mark(void);

/* Launches so far. `entries` gets the numbers of those from `first` on, at most `room`, as far as they are still known
 * (the last million are). Returns how many were written. */
KILN_API uint64_t kiln_door_count(void);
KILN_API size_t kiln_door_log(uint64_t first, int32_t *entries, size_t room);

/* What the latest launch of an entry explored. */
KILN_API kiln_explored kiln_door_explored(int32_t entry);

/* Failures are kept while `keep` is set, the latest few. Takes the oldest: a seat to be given back, and which entry
 * failed at which launch; NULL when there is none. */
typedef struct kiln_failure {
  kiln_seat *seat;
  uint64_t launch;
  int32_t entry;
  kiln_result result;
} kiln_failure;
KILN_API void kiln_door_keep_failures(bool keep);
KILN_API bool kiln_door_failure(kiln_failure *out);

#endif
