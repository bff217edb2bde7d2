/* A checked launch on the host: by one schedule or by all, with pictures of it. */
#ifndef KILN_PYTHON_CHECKED_H
#define KILN_PYTHON_CHECKED_H

#include "seat.h"

/* `*out` is zero unless the request is exhaustive. */
kiln_result kiln_checked_launch(kiln_context *context, kiln_host_plan *plan, const kiln_request *request,
                                kiln_explored *out);

#endif
