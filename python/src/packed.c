/* Elements of less than a byte between XLA and Kiln: see packed.h. */
#include "packed.h"

#include "base/mem.h"
#include "ir/ir.h"

static kiln_layout layout_of(const kiln_array *array) {
  uint32_t bits = ir_dtype_get((ir_dtype)array->dtype)->bits;
  return (kiln_layout){.element_bits = bits < 8 ? bits : 0};
}

/* The number of the first array that came from the same place. */
static size_t first_of(void *const *packed, size_t i) {
  size_t first = 0;
  while (packed[first] != packed[i]) first++;
  return first;
}

static bool open_one(kiln_array *arrays, size_t i, void **packed) {
  kiln_array *array = &arrays[i];
  const kiln_layout layout = layout_of(array);
  packed[i] = NULL;
  if (layout.element_bits == 0 || array->size == 0) return true;
  packed[i] = array->data;
  const size_t first = first_of(packed, i);
  void *whole = first < i ? arrays[first].data : mem_alloc(mem_default(), array->size);
  if (!whole) packed[i] = NULL;
  if (!whole) return false;
  array->data = whole;
  if (first == i) kiln_layout_unpack(&layout, packed[i], array);
  return true;
}

bool packed_open(kiln_array *arrays, size_t count, void **packed) {
  for (size_t i = 0; i < count; i++) {
    if (open_one(arrays, i, packed)) continue;
    packed_close(arrays, i, packed, i);
    return false;
  }
  return true;
}

void packed_close(kiln_array *arrays, size_t count, void **packed, size_t first_result) {
  for (size_t i = first_result; i < count; i++) {
    const kiln_layout layout = layout_of(&arrays[i]);
    if (packed[i]) kiln_layout_pack(&layout, &arrays[i], packed[i]);
  }
  for (size_t i = count; i-- > 0;) { /* the first of those that share last */
    if (!packed[i]) continue;
    if (first_of(packed, i) == i) mem_free(mem_default(), arrays[i].data, arrays[i].size);
    arrays[i].data = packed[i];
  }
}
