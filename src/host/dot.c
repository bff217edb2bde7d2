/* Matrix products at run time: floats through the BLAS, integers by a loop that wraps. */
#include <cblas.h>
#include <string.h>

#include "host/host.h"

/* OpenBLAS keeps its thread count for the whole process: a launch sets it and puts it back. Other libraries have no
 * such calls; weak symbols are then NULL. */
#if !defined(OPENBLAS_VERSION)
int openblas_get_num_threads(void);
void openblas_set_num_threads(int threads);
#endif
#pragma weak openblas_get_num_threads
#pragma weak openblas_set_num_threads

void host_blas_threads(int threads, int *before) {
  if (!openblas_get_num_threads || !openblas_set_num_threads) return;
  int now = openblas_get_num_threads();
  if (before) *before = now;
  if (now != threads && threads > 0) openblas_set_num_threads(threads);
}

/* A matrix as the BLAS wants it: one stride is an element, the other the leading dimension. */
typedef struct blas_matrix {
  CBLAS_TRANSPOSE transpose;
  int pitch;
} blas_matrix;

static blas_matrix blas_of(const int64_t *strides, int64_t rows, int64_t columns, int64_t bytes) {
  int64_t row = strides[1] / bytes, column = strides[2] / bytes;
  if (column == 1 || columns == 1) {
    int64_t pitch = rows > 1 ? row : columns;
    return (blas_matrix){CblasNoTrans, (int)(pitch > columns ? pitch : columns > 0 ? columns : 1)};
  }
  int64_t pitch = columns > 1 ? column : rows;
  return (blas_matrix){CblasTrans, (int)(pitch > rows ? pitch : rows > 0 ? rows : 1)};
}

typedef struct product {
  const host_dot *dot;
  const uint8_t *a, *b;
  uint8_t *c;
  const int64_t *a_strides, *b_strides, *c_strides;
} product;

static void run_blas(const product *p, const uint8_t *a, const uint8_t *b, uint8_t *c) {
  const host_dot *dot = p->dot;
  const int64_t bytes = dot->kind == HOST_DOT_F64 ? 8 : 4;
  const int m = (int)dot->m, n = (int)dot->n, k = (int)dot->k;
  blas_matrix left = blas_of(p->a_strides, dot->m, dot->k, bytes), right = blas_of(p->b_strides, dot->k, dot->n, bytes);
  blas_matrix out = blas_of(p->c_strides, dot->m, dot->n, bytes);
  if (dot->kind == HOST_DOT_F64)
    cblas_dgemm(CblasRowMajor, left.transpose, right.transpose, m, n, k, 1, (const double *)(const void *)a, left.pitch,
                (const double *)(const void *)b, right.pitch, dot->accumulate ? 1 : 0, (double *)(void *)c, out.pitch);
  else
    cblas_sgemm(CblasRowMajor, left.transpose, right.transpose, m, n, k, 1, (const float *)(const void *)a, left.pitch,
                (const float *)(const void *)b, right.pitch, dot->accumulate ? 1 : 0, (float *)(void *)c, out.pitch);
}

/* Up to this many multiplications, 2^25, the order of the sums is kept (ordered_dot.c). */
enum { ORDERED_MOST = 1 << 25 };

static bool is_small(const host_dot *dot) {
  int64_t count;
  return dot->kind == HOST_DOT_F32 && i64_mul(dot->m, dot->n, &count) && i64_mul(count, dot->k, &count) &&
         count <= ORDERED_MOST;
}

/* Where the rows of c lie side by side instead of its columns, the transposed product is made. */
static bool run_ordered(const product *p, const uint8_t *a, const uint8_t *b, uint8_t *c) {
  const host_dot *dot = p->dot;
  host_ordered_dot d = {.a = (const float *)(const void *)a,
                        .b = (const float *)(const void *)b,
                        .c = (float *)(void *)c,
                        .m = dot->m,
                        .n = dot->n,
                        .k = dot->k,
                        .accumulate = dot->accumulate};
  d.a_row = p->a_strides[1] / 4, d.a_column = p->a_strides[2] / 4;
  d.b_row = p->b_strides[1] / 4, d.b_column = p->b_strides[2] / 4;
  d.c_row = p->c_strides[1] / 4;
  if (p->c_strides[2] == 4 || dot->n == 1) return host_ordered_product(&d);
  if (p->c_strides[1] != 4 && dot->m != 1) return false;
  host_ordered_dot turned = {.a = d.b, .b = d.a, .c = d.c, .m = d.n, .n = d.m, .k = d.k, .accumulate = d.accumulate};
  turned.a_row = d.b_column, turned.a_column = d.b_row;
  turned.b_row = d.a_column, turned.b_column = d.a_row;
  turned.c_row = p->c_strides[2] / 4;
  return host_ordered_product(&turned);
}

/* Dense rows: c[m, n] (+)= a[m, k] b[k, n]. Small enough parts of b stay in the cache. */
enum { DEPTH_PART = 64 };
#define INTEGER_PRODUCT(name, type, wide)                                                                   \
  static void name(const host_dot *dot, const uint8_t *a_bytes, const uint8_t *b_bytes, uint8_t *c_bytes) { \
    const type *a = (const type *)(const void *)a_bytes, *b = (const type *)(const void *)b_bytes;          \
    type *c = (type *)(void *)c_bytes;                                                                      \
    for (int64_t from = 0; from < dot->k; from += DEPTH_PART) {                                             \
      const int64_t to = dot->k - from < DEPTH_PART ? dot->k : from + DEPTH_PART;                           \
      for (int64_t i = 0; i < dot->m; i++)                                                                  \
        for (int64_t k = from; k < to; k++) {                                                               \
          const wide factor = a[i * dot->k + k];                                                            \
          for (int64_t j = 0; j < dot->n; j++)                                                              \
            c[i * dot->n + j] = (type)(c[i * dot->n + j] + (type)(factor * (wide)b[k * dot->n + j]));       \
        }                                                                                                   \
    }                                                                                                       \
  }
INTEGER_PRODUCT(product_8, uint8_t, uint32_t)
INTEGER_PRODUCT(product_16, uint16_t, uint32_t)
INTEGER_PRODUCT(product_32, uint32_t, uint32_t)
INTEGER_PRODUCT(product_64, uint64_t, uint64_t)

static uint32_t bytes_of(host_dot_kind kind) {
  switch (kind) {
    case HOST_DOT_8: return 1;
    case HOST_DOT_16: return 2;
    case HOST_DOT_F64:
    case HOST_DOT_64: return 8;
    default: return 4;
  }
}

static void run_one(const product *p, int64_t batch) {
  const host_dot *dot = p->dot;
  const uint8_t *a = p->a + batch * p->a_strides[0], *b = p->b + batch * p->b_strides[0];
  uint8_t *c = p->c + batch * p->c_strides[0];
  const uint32_t bytes = bytes_of(dot->kind);
  if (!dot->accumulate && (dot->k == 0 || (dot->kind != HOST_DOT_F32 && dot->kind != HOST_DOT_F64)))
    host_copy_strided(c, p->c_strides[1], p->c_strides[2], (const uint8_t *)&(uint64_t){0}, 0, 0, dot->m, dot->n,
                      bytes);
  if (dot->k == 0) return;
  switch (dot->kind) {
    case HOST_DOT_8: product_8(dot, a, b, c); break;
    case HOST_DOT_16: product_16(dot, a, b, c); break;
    case HOST_DOT_32: product_32(dot, a, b, c); break;
    case HOST_DOT_64: product_64(dot, a, b, c); break;
    default:
      if (!is_small(dot) || !run_ordered(p, a, b, c)) run_blas(p, a, b, c);
  }
}

void host_run_dot(host_unit *unit, const host_dot *dot) {
  product p = {.dot = dot};
  if (dot->m == 0 || dot->n == 0) return;
  p.a = host_resolve(unit, &dot->a, &p.a_strides);
  p.b = host_resolve(unit, &dot->b, &p.b_strides);
  p.c = host_target(unit, &dot->c, &p.c_strides);
  for (int64_t batch = 0; batch < dot->batch; batch++) run_one(&p, batch);
}
