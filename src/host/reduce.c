/* Scans, argmax and argmin at run time. Scans are made of the same lane loops as elementwise ops, in a number of passes
 * that is the logarithm of the row, or row by row. */
#include <string.h>

#include "host/host.h"

/* ---- scans ---- */

/* Along a row of adjacent elements: after step k every element holds the last 2^k up to it. */
static void scan_row(const host_scan *scan, uint8_t *row, uint8_t *other) {
  const int64_t bytes = scan->bytes, count = scan->count;
  uint8_t *from = row, *to = other;
  for (int64_t reach = 1; reach < count; reach *= 2) {
    const size_t rest = (size_t)(count - reach);
    const uint8_t *near = scan->reverse ? from + reach * bytes : from,
                  *far = scan->reverse ? from : from + reach * bytes;
    uint8_t *out = scan->reverse ? to : to + reach * bytes;
    scan->combine(out, (const void *const[]){near, far}, rest);
    if (scan->reverse)
      memcpy(to + (int64_t)rest * bytes, from + (int64_t)rest * bytes, (size_t)(reach * bytes));
    else
      memcpy(to, from, (size_t)(reach * bytes));
    uint8_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != row) memcpy(row, from, (size_t)(count * bytes));
}

/* Along an outer axis: whole rows of `inner` elements at a time. */
static void scan_rows(const host_scan *scan, uint8_t *block) {
  const int64_t pitch = scan->inner * (int64_t)scan->bytes;
  for (int64_t i = 1; i < scan->count; i++) {
    uint8_t *row = block + (scan->reverse ? scan->count - 1 - i : i) * pitch,
            *before = scan->reverse ? row + pitch : row - pitch;
    scan->combine(row, (const void *const[]){before, row}, (size_t)scan->inner);
  }
}

void host_run_scan(host_unit *unit, const host_scan *scan) {
  const int64_t block = scan->count * scan->inner * (int64_t)scan->bytes;
  uint8_t *out = unit->slot[scan->out];
  memcpy(out, unit->slot[scan->in], (size_t)(scan->outer * block));
  for (int64_t o = 0; o < scan->outer; o++, out += block) {
    if (scan->inner == 1)
      scan_row(scan, out, unit->slot[scan->spare]);
    else
      scan_rows(scan, out);
  }
}

/* ---- argmax, argmin ---- */

typedef struct arg_lane {
  const uint8_t *in;
  int64_t count, stride; /* elements */
  bool smallest;
} arg_lane;

/* The first NaN wins; then the first of the largest. */
#define ARG_FN(name, type)                                            \
  static int32_t name(arg_lane lane) {                                \
    const type *in = (const type *)(const void *)lane.in;             \
    int64_t best = 0;                                                 \
    for (int64_t i = 1; i < lane.count; i++) {                        \
      const type a = in[best * lane.stride], b = in[i * lane.stride]; \
      if (a != a) break;                                              \
      bool better = lane.smallest ? b < a : b > a;                    \
      if (better || b != b) best = i;                                 \
    }                                                                 \
    return (int32_t)best;                                             \
  }
ARG_FN(arg_I8, int8_t)
ARG_FN(arg_I16, int16_t)
ARG_FN(arg_I32, int32_t)
ARG_FN(arg_I64, int64_t)
ARG_FN(arg_U8, uint8_t)
ARG_FN(arg_U16, uint16_t)
ARG_FN(arg_U32, uint32_t)
ARG_FN(arg_U64, uint64_t)
ARG_FN(arg_F32, float)
ARG_FN(arg_F64, double)

static int32_t arg_lane_of(ir_dtype dtype, arg_lane lane) {
  switch (dtype) {
    case IR_I8: return arg_I8(lane);
    case IR_I16: return arg_I16(lane);
    case IR_I32: return arg_I32(lane);
    case IR_I64: return arg_I64(lane);
    case IR_U16: return arg_U16(lane);
    case IR_U32: return arg_U32(lane);
    case IR_U64: return arg_U64(lane);
    case IR_F32: return arg_F32(lane);
    case IR_F64: return arg_F64(lane);
    default: return arg_U8(lane);
  }
}

void host_run_arg(host_unit *unit, const host_arg *arg) {
  const int64_t bytes = (int64_t)ir_dtype_bytes(arg->dtype);
  const uint8_t *in = unit->slot[arg->in];
  int32_t *out = (int32_t *)(void *)unit->slot[arg->out];
  for (int64_t o = 0; o < arg->outer; o++)
    for (int64_t i = 0; i < arg->inner; i++)
      out[o * arg->inner + i] = arg_lane_of(arg->dtype, (arg_lane){in + (o * arg->count * arg->inner + i) * bytes,
                                                                   arg->count, arg->inner, arg->smallest});
}
