/* Calls that are one launch: a kernel of several devices is called once for each of them, on threads of XLA's.
 *
 * The calls meet under a key. The last of them to come runs the launch on arrays that hold all devices' parts one after
 * the other; the others wait for it, but not for ever for one that does not come. */
#ifndef KILN_PYTHON_MEETING_H
#define KILN_PYTHON_MEETING_H

#include "kiln/kiln.h"

enum { MEETING_MOST_DEVICES = 64, MEETING_MESSAGE = 4096, MEETING_SECONDS = 60 };

/* One device's call. Its arrays are inputs, then outputs, of that device alone. */
typedef struct meeting_call {
  int64_t site, run; /* which call of which program, and which of its executions */
  uint32_t place, devices;
  const kiln_array *arrays;
  size_t count, input_count;
} meeting_call;

/* How it ended: KILN_OK, or what all devices are told. */
typedef struct meeting_end {
  kiln_result result;
  char message[MEETING_MESSAGE];
} meeting_end;

/* Launches on the arrays of all devices, whose first dimension numbers them. Called by one of those who met. */
typedef void (*meeting_launch)(void *user, kiln_array *arrays, size_t count, meeting_end *end);

/* Returns when the launch is over, or nobody else came for MEETING_SECONDS. */
void meeting_join(const meeting_call *call, meeting_launch launch, void *user, meeting_end *end);

#endif
