/* Boxes of memory at run time: placing and clipping them, reading them to dense tiles and writing them back. What lies
 * outside an array reads as the fill value and is never written. */
#include <string.h>

#include "host/host.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* ---- copying ---- */

#define COPY_LOOP(type)                                                                            \
  for (int64_t i = 0; i < count; i++)                                                              \
    *(type *)(void *)(to + i * to_stride) = *(const type *)(const void *)(from + i * from_stride); \
  break

static void copy_row(uint8_t *to, int64_t to_stride, const uint8_t *from, int64_t from_stride, int64_t count,
                     uint32_t bytes) {
  if (to_stride == (int64_t)bytes && from_stride == (int64_t)bytes) {
    memmove(to, from, (size_t)count * bytes);
    return;
  }
  if (from_stride == 0 && to_stride == (int64_t)bytes && count > 0) {
    host_fill(to, host_bits(from, bytes), bytes, count);
    return;
  }
  switch (bytes) {
    case 1: COPY_LOOP(uint8_t);
    case 2: COPY_LOOP(uint16_t);
    case 4: COPY_LOOP(uint32_t);
    default: COPY_LOOP(uint64_t);
  }
}

void host_copy_strided(uint8_t *to, int64_t to_row, int64_t to_column, const uint8_t *from, int64_t from_row,
                       int64_t from_column, int64_t rows, int64_t columns, uint32_t bytes) {
  for (int64_t row = 0; row < rows; row++)
    copy_row(to + row * to_row, to_column, from + row * from_row, from_column, columns, bytes);
}

#if defined(__SSE2__)
/* Whole cache lines; what is left at both ends is stored as usual. */
void host_stream(uint8_t *to, const uint8_t *from, size_t bytes) {
  enum { LINE = 64, LANE = 16 };
  const size_t before = (size_t)(-(uintptr_t)to & (LINE - 1)), head = before < bytes ? before : bytes;
  memcpy(to, from, head);
  size_t at = head;
  for (; at + LINE <= bytes; at += LINE)
    for (size_t lane = at; lane < at + LINE; lane += LANE)
      _mm_stream_si128((__m128i *)(void *)(to + lane), _mm_loadu_si128((const __m128i *)(const void *)(from + lane)));
  memcpy(to + at, from + at, bytes - at);
}

void host_stream_end(void) { _mm_sfence(); }
#else
void host_stream(uint8_t *to, const uint8_t *from, size_t bytes) { memcpy(to, from, bytes); }

void host_stream_end(void) {}
#endif

/* A first part by elements, then what is there is doubled: the C library copies with the CPU's widest registers. */
void host_fill(void *out, uint64_t bits, uint32_t bytes, int64_t count) {
  enum { FIRST = 64 };
  const size_t size = (size_t)count * bytes;
  uint64_t pattern = bits;
  size_t done = 0;
  if (bytes < 8) pattern &= (UINT64_C(1) << 8 * bytes) - 1;
  for (uint32_t width = bytes; width < 8; width *= 2) pattern |= pattern << 8 * width;
  for (; done < FIRST && done + 8 <= size; done += 8) memcpy((uint8_t *)out + done, &pattern, 8);
  if (done < FIRST) {
    memcpy((uint8_t *)out + done, &pattern, size - done);
    return;
  }
  while (done < size) {
    size_t part = size - done < done ? size - done : done;
    memcpy((uint8_t *)out + done, out, part);
    done += part;
  }
}

/* ---- placing ---- */

static int64_t start_of(const host_unit *unit, const struct host_place_dim *dim) {
  return dim->slot == HOST_NONE ? dim->start : host_cell(unit, dim->slot);
}

/* Offsets of elements that do not exist may wrap; they are never used. */
static int64_t wrapping_add(int64_t offset, int64_t start, int64_t stride) {
  return (int64_t)((uint64_t)offset + (uint64_t)start * (uint64_t)stride);
}

/* The indices i of a range for which low <= start + i * stride < high. */
static void clip(const struct host_place_dim *dim, int64_t start, int64_t low, int64_t high, int64_t *first,
                 int64_t *end) {
  int64_t from = start >= low ? 0 : (low - start + dim->stride - 1) / dim->stride;
  int64_t to = high <= start ? 0 : (high - start - 1) / dim->stride + 1;
  if (to > dim->size) to = dim->size;
  *first = from > to ? to : from;
  *end = to;
}

static void make_empty(host_box *box, uint32_t rank) {
  box->inside = false;
  for (uint32_t d = 0; d < rank; d++) box->low[d] = box->high[d] = 0;
}

void host_place_box(host_unit *unit, const host_place *place) {
  const host_box *from = &unit->box[place->from];
  host_box *to = &unit->box[place->to];
  int64_t offset = from->offset;
  uint32_t rank = 0;
  bool exists = place->rank > 0 || from->inside, inside = exists;
  for (uint32_t d = 0; d < place->rank; d++) {
    const struct host_place_dim *dim = &place->dim[d];
    int64_t start = start_of(unit, dim);
    offset = wrapping_add(offset, start, dim->parent_stride);
    if (dim->point) {
      exists = exists && start >= from->low[d] && start < from->high[d];
      continue;
    }
    clip(dim, start, from->low[d], from->high[d], &to->low[rank], &to->high[rank]);
    inside = inside && to->low[rank] == 0 && to->high[rank] == dim->size;
    rank++;
  }
  to->root = from->root;
  to->offset = offset;
  to->inside = inside && exists;
  if (!exists) make_empty(to, rank);
}

void host_permute_box(host_unit *unit, const host_permute *permute) {
  const host_box *from = &unit->box[permute->from];
  host_box *to = &unit->box[permute->to];
  *to = *from;
  for (uint32_t d = 0; d < permute->rank; d++) {
    to->low[d] = from->low[permute->axes[d]];
    to->high[d] = from->high[permute->axes[d]];
  }
}

bool host_recast_box(host_unit *unit, const host_recast *recast) {
  const host_box_info *info = &unit->plan->boxes[recast->to];
  const host_box *from = &unit->box[recast->from];
  host_box *to = &unit->box[recast->to];
  *to = *from;
  if (recast->same) return true;
  for (uint32_t d = 0; d < info->rank; d++) {
    to->low[d] = 0;
    to->high[d] = from->inside ? info->dims[d] : 0;
  }
  return from->inside || host_box_empty(from, unit->plan->boxes[recast->from].rank);
}

/* ---- one element ---- */

/* NULL when it does not exist. */
static uint8_t *point_address(const host_unit *unit, const host_place *place) {
  const host_box *from = &unit->box[place->from];
  int64_t offset = from->offset;
  for (uint32_t d = 0; d < place->rank; d++) {
    int64_t start = start_of(unit, &place->dim[d]);
    if (start < from->low[d] || start >= from->high[d]) return NULL;
    offset += start * place->dim[d].parent_stride;
  }
  return place->rank > 0 || from->inside ? from->root + offset : NULL;
}

static void copy_element(void *to, const void *from, uint32_t bytes) {
  switch (bytes) {
    case 1: memcpy(to, from, 1); break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    default: memcpy(to, from, 8); break;
  }
}

void host_point_read(host_unit *unit, const host_point *point) {
  const uint8_t *from = point_address(unit, &point->place);
  copy_element(unit->slot[point->cell], from ? (const void *)from : (const void *)&point->fill, point->bytes);
}

void host_point_write(host_unit *unit, const host_point *point) {
  uint8_t *to = point_address(unit, &point->place);
  if (to) copy_element(to, unit->slot[point->cell], point->bytes);
}

/* ---- boxes and dense tiles ---- */

static void dense_strides(const host_box_info *info, int64_t bytes, int64_t *out) {
  for (uint32_t d = info->rank; d-- > 0;) {
    out[d] = bytes;
    bytes *= info->dims[d];
  }
}

/* The next outer index (all but the last dimension) within [low, high); false behind the last. */
bool host_next_row(const host_box *box, uint32_t rank, int64_t *index) {
  for (uint32_t d = rank - 1; d-- > 0;) {
    if (++index[d] < box->high[d]) return true;
    index[d] = box->low[d];
  }
  return false;
}

bool host_box_empty(const host_box *box, uint32_t rank) {
  for (uint32_t d = 0; d < rank; d++)
    if (box->low[d] >= box->high[d]) return true;
  return rank == 0 && !box->inside;
}

void host_box_move(const host_box *box, const host_box_info *info, uint8_t *tile, bool write) {
  const uint32_t rank = info->rank, bytes = (uint32_t)ir_dtype_bytes(info->dtype), last = rank - 1;
  int64_t dense[KILN_MAX_RANK], index[KILN_MAX_RANK];
  const uint64_t run = host_box_run(box, info);
  uint8_t *first = box->root + box->offset;
  if (run > 0) {
    memmove(write ? first : tile, write ? tile : first, (size_t)run);
    return;
  }
  if (rank == 0 || host_box_empty(box, rank)) return;
  dense_strides(info, bytes, dense);
  memcpy(index, box->low, sizeof index);
  do {
    int64_t in_box = box->offset, in_tile = 0;
    for (uint32_t d = 0; d < rank; d++) in_box += index[d] * info->strides[d], in_tile += index[d] * dense[d];
    uint8_t *element = box->root + in_box;
    int64_t count = box->high[last] - box->low[last];
    if (write)
      copy_row(element, info->strides[last], tile + in_tile, bytes, count, bytes);
    else
      copy_row(tile + in_tile, bytes, element, info->strides[last], count, bytes);
  } while (host_next_row(box, rank, index));
}

void host_box_copy(const host_box *to, const host_box_info *to_info, const host_box *from,
                   const host_box_info *from_info) {
  const uint32_t rank = to_info->rank, bytes = (uint32_t)ir_dtype_bytes(to_info->dtype), last = rank - 1;
  if (host_box_run(to, to_info) > 0) {
    host_box_move(from, from_info, to->root + to->offset, false);
    return;
  }
  int64_t index[KILN_MAX_RANK] = {0};
  if (host_box_empty(to, rank)) return;
  do {
    int64_t there = to->offset, here = from->offset;
    for (uint32_t d = 0; d < last; d++)
      there += index[d] * to_info->strides[d], here += index[d] * from_info->strides[d];
    copy_row(to->root + there, to_info->strides[last], from->root + here, from_info->strides[last], to_info->dims[last],
             bytes);
  } while (host_next_row(to, rank, index));
}

uint64_t host_run_bytes(const host_box_info *info) {
  int64_t bytes = (int64_t)ir_dtype_bytes(info->dtype);
  for (uint32_t d = info->rank; d-- > 0;) {
    if (info->dims[d] != 1 && info->strides[d] != bytes) return 0;
    bytes *= info->dims[d];
  }
  return (uint64_t)bytes;
}

int64_t host_box_count(const host_box_info *info) {
  int64_t count = 1;
  for (uint32_t d = 0; d < info->rank; d++) count *= info->dims[d];
  return count;
}

void host_box_read(host_unit *unit, uint32_t box, uint8_t *tile) {
  const host_box_info *info = &unit->plan->boxes[box];
  if (!unit->box[box].inside)
    host_fill(tile, ir_fill_bits(info->dtype), (uint32_t)ir_dtype_bytes(info->dtype), host_box_count(info));
  host_box_move(&unit->box[box], info, tile, false);
}

void host_box_write(host_unit *unit, uint32_t box, const uint8_t *tile) {
  host_box_move(&unit->box[box], &unit->plan->boxes[box], (uint8_t *)(uintptr_t)tile, true);
}

/* ---- under a mask ---- */

void host_each_row(host_unit *unit, const host_access *access, host_row_fn each, void *user) {
  const host_box *box = &unit->box[access->box];
  const host_box_info *info = &unit->plan->boxes[access->box];
  const uint32_t outer = info->rank > 0 ? info->rank - 1 : 0;
  int64_t index[KILN_MAX_RANK] = {0}, rows = 1;
  host_row row = {.root = box->root, .columns = 1, .high = box->inside, .bytes = (uint32_t)ir_dtype_bytes(info->dtype)};
  for (uint32_t d = 0; d < outer; d++) rows *= info->dims[d];
  if (info->rank > 0) row.columns = info->dims[outer], row.stride = info->strides[outer];
  for (int64_t r = 0; r < rows; r++, row.at += row.columns) {
    bool exists = true;
    row.offset = box->offset;
    for (uint32_t d = 0; d < outer; d++) {
      exists = exists && index[d] >= box->low[d] && index[d] < box->high[d];
      row.offset = wrapping_add(row.offset, index[d], info->strides[d]);
    }
    if (info->rank > 0) row.low = box->low[outer], row.high = exists ? box->high[outer] : 0;
    each(user, unit, access, &row);
    for (uint32_t d = outer; d-- > 0 && ++index[d] == info->dims[d];) index[d] = 0;
  }
}

/* In a lane that is masked off no memory is touched. */
#define READ_MASKED(type)                                                                    \
  do {                                                                                       \
    type *to = (type *)(void *)unit->slot[access->tile] + row->at;                           \
    const type *rest = other ? (const type *)(const void *)other + row->at : NULL;           \
    for (int64_t i = 0; i < row->columns; i++) {                                             \
      bool exists = i >= row->low && i < row->high;                                          \
      if (!mask[i])                                                                          \
        to[i] = rest ? rest[i] : 0;                                                          \
      else                                                                                   \
        to[i] = exists ? *(const type *)(const void *)host_row_element(row, i) : (type)fill; \
    }                                                                                        \
  } while (0)

static void read_masked(void *user, host_unit *unit, const host_access *access, const host_row *row) {
  const uint8_t *mask = unit->slot[access->mask] + row->at;
  const uint8_t *other = access->other == HOST_NONE ? NULL : unit->slot[access->other];
  const uint64_t fill = ir_fill_bits(unit->plan->boxes[access->box].dtype);
  (void)user;
  switch (row->bytes) {
    case 1: READ_MASKED(uint8_t); break;
    case 2: READ_MASKED(uint16_t); break;
    case 4: READ_MASKED(uint32_t); break;
    default: READ_MASKED(uint64_t); break;
  }
}

static void write_masked(void *user, host_unit *unit, const host_access *access, const host_row *row) {
  const uint8_t *mask = unit->slot[access->mask] + row->at, *from = unit->slot[access->tile];
  (void)user;
  for (int64_t i = row->low; i < row->high; i++)
    if (mask[i]) copy_element(host_row_element(row, i), from + (row->at + i) * (int64_t)row->bytes, row->bytes);
}

void host_masked_read(host_unit *unit, const host_access *access) { host_each_row(unit, access, read_masked, NULL); }
void host_masked_write(host_unit *unit, const host_access *access) { host_each_row(unit, access, write_masked, NULL); }

/* ---- operands ---- */

uint8_t *host_target(host_unit *unit, const host_operand *at, const int64_t **strides) {
  *strides = at->strides;
  if (at->box == HOST_NONE) return unit->slot[at->slot] + at->offset;
  const host_box *box = &unit->box[at->box];
  if (box->inside) return box->root + box->offset + at->offset;
  *strides = at->dense_strides;
  return unit->slot[at->staging] + at->dense_offset;
}

uint8_t *host_resolve(host_unit *unit, const host_operand *at, const int64_t **strides) {
  if (at->box != HOST_NONE && !unit->box[at->box].inside) host_box_read(unit, at->box, unit->slot[at->staging]);
  return host_target(unit, at, strides);
}
