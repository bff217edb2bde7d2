/* Elements of less than a byte, which XLA packs on a CPU, the first in the low bits, and Kiln's arrays do not. */
#ifndef KILN_PYTHON_PACKED_H
#define KILN_PYTHON_PACKED_H

#include "kiln/kernel.h"

/* Gives each such array memory of one byte an element, filled from `data`; arrays that share data go on sharing it.
 * `packed` gets where each came from, NULL for the others. False when memory is out: then nothing is changed. */
bool packed_open(kiln_array *arrays, size_t count, void **packed);
/* Packs the arrays from number `first_result` on back to where they came from, and frees what was given to all. */
void packed_close(kiln_array *arrays, size_t count, void **packed, size_t first_result);

#endif
