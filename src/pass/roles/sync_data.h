/* Whether how units order themselves depends on data: then what one run shows need not hold for other inputs. */
#ifndef KILN_SRC_PASS_ROLES_SYNC_DATA_H
#define KILN_SRC_PASS_ROLES_SYNC_DATA_H

#include "ir/ir.h"

/* The first op by which it does: it orders units, or decides whether and how often others do, by a value that was read
 * from memory, a barrier or a semaphore. NULL: none, and `*known` is false when memory is out. */
const ir_op *pass_sync_on_data(const ir_kernel *k, mem m, bool *known);

#endif
