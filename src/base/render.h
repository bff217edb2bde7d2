/* A diagnostic as text, the way the command prints it. */
#ifndef KILN_SRC_BASE_RENDER_H
#define KILN_SRC_BASE_RENDER_H

#include "base/str.h"

kiln_str render_diag(arena *a, const kiln_diag *diag);

#endif
