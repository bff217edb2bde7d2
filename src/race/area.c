/* Boxes of elements as few rows: dimensions are turned to ascend, put in order, and merged where they run on. */
#include "race/inner.h"

typedef struct box {
  int64_t offset;
  uint32_t rank;
  int64_t extents[KILN_MAX_RANK + 1], strides[KILN_MAX_RANK + 1]; /* outermost first */
} box;

static void add_dim(box *b, int64_t extent, int64_t stride) {
  if (stride < 0) {
    b->offset += (extent - 1) * stride;
    stride = -stride;
  }
  if (extent == 1 || stride == 0) return;
  uint32_t place = b->rank++;
  for (; place > 0 && b->strides[place - 1] < stride; place--) {
    b->extents[place] = b->extents[place - 1];
    b->strides[place] = b->strides[place - 1];
  }
  b->extents[place] = extent;
  b->strides[place] = stride;
}

/* Two neighbouring dimensions are one when the inner one's rows follow each other without a gap. */
static void merge_dims(box *b) {
  uint32_t kept = 0;
  for (uint32_t d = 1; d < b->rank; d++) {
    if (b->strides[kept] == b->extents[d] * b->strides[d]) {
      b->extents[kept] *= b->extents[d];
      b->strides[kept] = b->strides[d];
    } else {
      kept++;
      b->extents[kept] = b->extents[d];
      b->strides[kept] = b->strides[d];
    }
  }
  if (b->rank > 0) b->rank = kept + 1;
}

/* False when there is no element. */
static bool make_box(const race_area *area, box *out) {
  out->offset = area->offset;
  out->rank = 0;
  for (uint32_t d = 0; d < area->rank; d++) {
    if (area->extents[d] <= 0) return false;
    add_dim(out, area->extents[d], area->strides[d]);
  }
  if (area->width > 1) add_dim(out, area->width, 1);
  merge_dims(out);
  return true;
}

/* Steps to the next row; false after the last. `index` counts all dimensions but the innermost. */
static bool next_row(const box *b, int64_t *index, int64_t *offset) {
  for (uint32_t d = b->rank; d-- > 1;) {
    *offset += b->strides[d - 1];
    if (++index[d - 1] < b->extents[d - 1]) return true;
    *offset -= b->extents[d - 1] * b->strides[d - 1];
    index[d - 1] = 0;
  }
  return false;
}

bool race_touch(race *r, const race_access *access, const race_area *area) {
  race_touch_begin(r, access);
  box b;
  if (make_box(area, &b)) {
    uint32_t inner = b.rank - 1;
    int64_t index[KILN_MAX_RANK + 1] = {0}, offset = b.offset;
    int64_t count = b.rank > 0 ? b.extents[inner] : 1, stride = b.rank > 0 ? b.strides[inner] : 1;
    do race_touch_row(r, offset, stride, (uint64_t)count);
    while (next_row(&b, index, &offset));
  }
  return race_touch_end(r);
}
