/* The table of benchmarked workloads, their inputs and their references: plain loops in double, written from the
 * definition and sharing nothing with the library. */
#include "tool/workloads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bench/kernels.h"

/* An element as a double. */
static double get(const kiln_array *array, int64_t index) {
  if (array->dtype == KILN_F32) return (double)((const float *)array->data)[index];
  uint16_t bits = ((const uint16_t *)array->data)[index];
  int exponent = bits >> 10 & 31;
  double size = exponent ? ldexp(1024 + (bits & 1023), exponent - 25) : ldexp(bits & 1023, -24);
  return bits & 0x8000 ? -size : size;
}

static double copy_element(const kiln_array *arrays, int64_t index) { return get(&arrays[0], index); }

static double add_element(const kiln_array *arrays, int64_t index) {
  return (double)(float)(get(&arrays[0], index) + get(&arrays[1], index));
}

static double matmul_element(const kiln_array *arrays, int64_t index) {
  int64_t depth = arrays[0].dims[1], columns = arrays[1].dims[1];
  int64_t row = index / columns, column = index % columns;
  double total = 0;
  for (int64_t k = 0; k < depth; k++) total += get(&arrays[0], row * depth + k) * get(&arrays[1], k * columns + column);
  return total;
}

static double softmax_element(const kiln_array *arrays, int64_t index) {
  int64_t width = arrays[0].dims[1], first = index / width * width;
  double top = -INFINITY, total = 0;
  for (int64_t i = 0; i < width; i++) top = fmax(top, get(&arrays[0], first + i));
  for (int64_t i = 0; i < width; i++) total += exp(get(&arrays[0], first + i) - top);
  return exp(get(&arrays[0], index) - top) / total;
}

static double layernorm_element(const kiln_array *arrays, int64_t index) {
  int64_t width = arrays[0].dims[1], first = index / width * width, column = index % width;
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < width; i++) mean += get(&arrays[0], first + i) / (double)width;
  for (int64_t i = 0; i < width; i++) variance += pow(get(&arrays[0], first + i) - mean, 2) / (double)width;
  return (get(&arrays[0], index) - mean) / sqrt(variance + 1e-5) * get(&arrays[1], column) + get(&arrays[2], column);
}

static double row_sum_element(const kiln_array *arrays, int64_t index) {
  int64_t width = arrays[0].dims[1];
  double total = 0;
  for (int64_t i = 0; i < width; i++) total += get(&arrays[0], index * width + i);
  return total;
}

static double attention_element(const kiln_array *arrays, int64_t index) {
  int64_t length = arrays[0].dims[1], depth = arrays[0].dims[2];
  int64_t row = index / depth, head = row / length * length, column = index % depth;
  double top = -INFINITY, total = 0, weighted = 0, scores[1024];
  for (int64_t j = 0; j < length; j++) {
    scores[j] = 0;
    for (int64_t d = 0; d < depth; d++)
      scores[j] += get(&arrays[0], row * depth + d) * get(&arrays[1], (head + j) * depth + d);
    scores[j] /= sqrt((double)depth);
    top = fmax(top, scores[j]);
  }
  for (int64_t j = 0; j < length; j++) {
    double weight = exp(scores[j] - top);
    total += weight;
    weighted += weight * get(&arrays[2], (head + j) * depth + column);
  }
  return weighted / total;
}

/* Image [58, 58, C], filters [3, 3, C, K], result [56, 56, K]. */
static double conv_element(const kiln_array *arrays, int64_t index) {
  int64_t width = arrays[0].dims[1], channels = arrays[0].dims[2], filters = arrays[1].dims[3];
  int64_t filter = index % filters, x = index / filters % (width - 2), y = index / filters / (width - 2);
  double total = 0;
  for (int64_t r = 0; r < 3; r++)
    for (int64_t s = 0; s < 3; s++)
      for (int64_t c = 0; c < channels; c++)
        total += get(&arrays[0], ((y + r) * width + x + s) * channels + c) *
                 get(&arrays[1], ((r * 3 + s) * channels + c) * filters + filter);
  return total;
}

#define MATRIX(type, rows, columns)   \
  {                                   \
    KILN_##type, 2, { rows, columns } \
  }
#define VECTOR(type, count)   \
  {                           \
    KILN_##type, 1, { count } \
  }
#define MATMUL(title, kernel, type, n, within)                                                         \
  {                                                                                                    \
    .name = title, .text = kernel, .work = 2.0 * n * n * n / 1e9, .unit = "GFLOP/s", .param_count = 3, \
    .params = {MATRIX(type, n, n), MATRIX(type, n, n), MATRIX(F32, n, n)}, .element = matmul_element,  \
    .tolerance = within                                                                                \
  }

const workload workloads[] = {
    MATMUL("matmul_f32_512", bench_matmul_f32, F32, 512, 1e-4),
    MATMUL("matmul_f32_1024", bench_matmul_f32, F32, 1024, 1e-4),
    MATMUL("matmul_f32_2048", bench_matmul_f32, F32, 2048, 2e-4),
    MATMUL("matmul_f16_1024", bench_matmul_f16, F16, 1024, 1e-4),
    {.name = "softmax_4096x1024",
     .text = bench_softmax,
     .work = 2 * 4096 * 1024 * 4 / 1e9,
     .unit = "GB/s",
     .param_count = 2,
     .params = {MATRIX(F32, 4096, 1024), MATRIX(F32, 4096, 1024)},
     .element = softmax_element,
     .tolerance = 1e-8},
    {.name = "layernorm_4096x1024",
     .text = bench_layernorm,
     .work = 2 * 4096 * 1024 * 4 / 1e9,
     .unit = "GB/s",
     .param_count = 4,
     .params = {MATRIX(F32, 4096, 1024), VECTOR(F32, 1024), VECTOR(F32, 1024), MATRIX(F32, 4096, 1024)},
     .element = layernorm_element,
     .tolerance = 1e-5},
    {.name = "copy_16m",
     .text = bench_copy,
     .work = 2 * (1 << 24) * 4.0 / 1e9,
     .unit = "GB/s",
     .param_count = 2,
     .params = {VECTOR(F32, 1 << 24), VECTOR(F32, 1 << 24)},
     .element = copy_element},
    {.name = "add_16m",
     .text = bench_add,
     .work = 3 * (1 << 24) * 4.0 / 1e9,
     .unit = "GB/s",
     .param_count = 3,
     .params = {VECTOR(F32, 1 << 24), VECTOR(F32, 1 << 24), VECTOR(F32, 1 << 24)},
     .element = add_element},
    {.name = "reduce_4096x1024",
     .text = bench_reduce,
     .work = 4096 * 1024 * 4 / 1e9,
     .unit = "GB/s",
     .param_count = 2,
     .params = {MATRIX(F32, 4096, 1024), VECTOR(F32, 4096)},
     .element = row_sum_element,
     .tolerance = 1e-5},
    {.name = "attention_1x8x1024x64",
     .text = bench_attention,
     .work = 4.0 * 8 * 1024 * 1024 * 64 / 1e9,
     .unit = "GFLOP/s",
     .param_count = 4,
     .params = {{KILN_F32, 3, {8, 1024, 64}},
                {KILN_F32, 3, {8, 1024, 64}},
                {KILN_F32, 3, {8, 1024, 64}},
                {KILN_F32, 3, {8, 1024, 64}}},
     .element = attention_element,
     .tolerance = 1e-5},
    {.name = "conv3x3",
     .text = bench_conv3x3,
     .work = 2.0 * 56 * 56 * 64 * 64 * 9 / 1e9,
     .unit = "GFLOP/s",
     .param_count = 3,
     .params = {{KILN_F32, 3, {58, 58, 64}}, {KILN_F32, 4, {3, 3, 64, 64}}, {KILN_F32, 3, {56, 56, 64}}},
     .element = conv_element,
     .tolerance = 1e-4},
    MATMUL("matmul_ws_1024", bench_matmul_ws, F32, 1024, 1e-4),
    MATMUL("matmul_ring_1024", bench_matmul_ring, F32, 1024, 1e-4),
    {.name = "dispatch",
     .text = bench_dispatch,
     .unit = "1/s",
     .param_count = 2,
     .params = {VECTOR(F32, 64), VECTOR(F32, 64)},
     .element = copy_element},
    {.name = "first_run",
     .text = bench_softmax,
     .unit = "1/s",
     .param_count = 2,
     .params = {MATRIX(F32, 64, 1024), MATRIX(F32, 64, 1024)},
     .element = softmax_element,
     .tolerance = 1e-8},
};
const size_t workload_count = sizeof workloads / sizeof *workloads;

const workload *workload_find(kiln_str name) {
  for (size_t i = 0; i < workload_count; i++)
    if (str_is(name, workloads[i].name)) return &workloads[i];
  return NULL;
}

static int64_t element_count(const kiln_array *array) {
  int64_t count = 1;
  for (uint32_t i = 0; i < array->rank; i++) count *= array->dims[i];
  return count;
}

/* Numbers in [-1, 1) in steps of 1/512, so that f16 holds them too. */
static void fill(const kiln_array *array, uint32_t seed) {
  int64_t count = element_count(array);
  for (int64_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    float value = (float)((int32_t)(seed >> 22) - 512) / 512.0f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (array->dtype == KILN_F32)
      ((float *)array->data)[i] = value;
    else
      ((uint16_t *)array->data)[i] =
          value == 0 ? 0 : (uint16_t)((bits >> 16 & 0x8000) | ((bits & 0x7fffffff) - (112u << 23)) >> 13);
  }
}

static size_t padded(size_t size) { return (size + 63) / 64 * 64; }

bool workload_make(const workload *w, kiln_array arrays[WORKLOAD_MAX_PARAMS]) {
  size_t total = 0;
  for (uint32_t i = 0; i < w->param_count; i++) {
    const workload_param *param = &w->params[i];
    arrays[i] = (kiln_array){.dtype = param->dtype, .rank = param->rank};
    for (uint32_t d = 0; d < param->rank; d++) arrays[i].dims[d] = param->dims[d];
    arrays[i].size = (size_t)element_count(&arrays[i]) * kiln_dtype_size(param->dtype);
    total += padded(arrays[i].size);
  }
  char *block = aligned_alloc(64, total);
  if (!block) return false;
  for (uint32_t i = 0; i < w->param_count; i++) {
    arrays[i].data = block;
    block += padded(arrays[i].size);
    if (i + 1 < w->param_count) fill(&arrays[i], 17 * (i + 1));
  }
  workload_spoil(w, arrays);
  return true;
}

void workload_free(kiln_array arrays[WORKLOAD_MAX_PARAMS]) { free(arrays[0].data); }

void workload_spoil(const workload *w, const kiln_array *arrays) {
  const kiln_array *output = &arrays[w->param_count - 1];
  memset(output->data, 0xff, output->size);
}

bool workload_check(const workload *w, const kiln_array *arrays, double *error) {
  const kiln_array *output = &arrays[w->param_count - 1];
  int64_t count = element_count(output), samples = count < 2048 ? count : 2048;
  bool right = true;
  *error = 0;
  for (int64_t i = 0; i < samples; i++) {
    int64_t index = i == 0 ? count - 1 : (int64_t)((uint64_t)i * 2654435761u % (uint64_t)count);
    double expected = w->element(arrays, index);
    double off = fabs(get(output, index) - expected) / fmax(1, fabs(expected));
    if (!(off <= w->tolerance)) right = false;
    if (!(off <= *error)) *error = off;
  }
  return right;
}
