/* Layouts of arrays in memory (kiln_layout), and the one address map that follows from them for plan, SPIR-V and I/O.
 *
 * Every tile only splits indices into digits, so the place of an element is a sum over the digits of its indices. */
#ifndef KILN_SRC_IR_LAYOUT_H
#define KILN_SRC_IR_LAYOUT_H

#include "ir/ir.h"

enum { IR_MAX_DIGITS = KILN_MAX_RANK * (1 + KILN_MAX_TILES), IR_MAX_TILE = 1 << 14 };

/* One digit of an index: index[dim] / divisor % modulus, each worth `stride` elements. Modulus 0: the leading digit. */
typedef struct ir_digit {
  uint32_t dim;
  int64_t divisor, modulus, stride;
} ir_digit;

typedef struct ir_address {
  uint32_t count;
  ir_digit digits[IR_MAX_DIGITS];
  int64_t elements; /* of memory, padding included */
} ir_address;

/* False: a tile cuts the boxes of the one before unevenly, or there are more elements than an int64_t holds. */
bool ir_address_of(const kiln_layout *layout, const int64_t *dims, uint32_t rank, ir_address *out);
int64_t ir_address_at(const ir_address *address, const int64_t *index);

bool ir_layout_even(const kiln_layout *layout); /* every tile divides the boxes that it cuts */

/* Bits of an element in memory. */
uint32_t ir_layout_element_bits(const kiln_layout *layout, ir_dtype dtype);

/* Of a type of a bound kernel. False as above. */
bool ir_type_address(const kiln_layout *layout, const ir_type *type, ir_address *out);
/* Of a parameter of a bound kernel, verified to fit. */
ir_address ir_param_address(const ir_param *param);
int64_t ir_param_bytes(const ir_param *param);
int64_t ir_scratch_bytes(const ir_op *scratch);

bool ir_layout_equal(const kiln_layout *a, const kiln_layout *b);
void ir_layout_print(text *t, const kiln_layout *layout);

#endif
