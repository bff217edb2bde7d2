/* Matrix products at run time: f32 in order (ordered_dot.c) where the CPU can, other floats through the BLAS, integers
 * by a loop that wraps. */
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
  int64_t m; /* rows of the part at hand */
} product;

static void run_blas(const product *p) {
  const host_dot *dot = p->dot;
  const int64_t bytes = dot->kind == HOST_DOT_F64 ? 8 : 4;
  const int m = (int)p->m, n = (int)dot->n, k = (int)dot->k;
  blas_matrix left = blas_of(p->a_strides, p->m, dot->k, bytes), right = blas_of(p->b_strides, dot->k, dot->n, bytes);
  blas_matrix out = blas_of(p->c_strides, p->m, dot->n, bytes);
  if (dot->kind == HOST_DOT_F64)
    cblas_dgemm(CblasRowMajor, left.transpose, right.transpose, m, n, k, 1, (const double *)(const void *)p->a,
                left.pitch, (const double *)(const void *)p->b, right.pitch, dot->accumulate ? 1 : 0,
                (double *)(void *)p->c, out.pitch);
  else
    cblas_sgemm(CblasRowMajor, left.transpose, right.transpose, m, n, k, 1, (const float *)(const void *)p->a,
                left.pitch, (const float *)(const void *)p->b, right.pitch, dot->accumulate ? 1 : 0,
                (float *)(void *)p->c, out.pitch);
}

static bool run_ordered(const product *p) {
  const host_dot *dot = p->dot;
  host_ordered_dot d = {.a = (const float *)(const void *)p->a,
                        .b = (const float *)(const void *)p->b,
                        .c = (float *)(void *)p->c,
                        .m = dot->m,
                        .n = dot->n,
                        .k = dot->k,
                        .a_row = p->a_strides[1] / 4,
                        .a_column = p->a_strides[2] / 4,
                        .b_row = p->b_strides[1] / 4,
                        .b_column = p->b_strides[2] / 4,
                        .c_row = p->c_strides[1] / 4,
                        .accumulate = dot->accumulate};
  d.part = host_ordered_part(&d);
  d.m = p->m;
  return host_ordered_product(&d);
}

/* Dense rows: c[m, n] (+)= a[m, k] b[k, n]. Small enough parts of b stay in the cache. */
enum { DEPTH_PART = 64 };
#define INTEGER_PRODUCT(name, type, wide)                                                             \
  static void name(const product *p) {                                                                \
    const host_dot *dot = p->dot;                                                                     \
    const type *a = (const type *)(const void *)p->a, *b = (const type *)(const void *)p->b;          \
    type *c = (type *)(void *)p->c;                                                                   \
    for (int64_t from = 0; from < dot->k; from += DEPTH_PART) {                                       \
      const int64_t to = dot->k - from < DEPTH_PART ? dot->k : from + DEPTH_PART;                     \
      for (int64_t i = 0; i < p->m; i++)                                                              \
        for (int64_t k = from; k < to; k++) {                                                         \
          const wide factor = a[i * dot->k + k];                                                      \
          for (int64_t j = 0; j < dot->n; j++)                                                        \
            c[i * dot->n + j] = (type)(c[i * dot->n + j] + (type)(factor * (wide)b[k * dot->n + j])); \
        }                                                                                             \
    }                                                                                                 \
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

static void run_one(const product *p) {
  const host_dot *dot = p->dot;
  if (!dot->accumulate && (dot->k == 0 || (dot->kind != HOST_DOT_F32 && dot->kind != HOST_DOT_F64)))
    host_copy_strided(p->c, p->c_strides[1], p->c_strides[2], (const uint8_t *)&(uint64_t){0}, 0, 0, p->m, dot->n,
                      bytes_of(dot->kind));
  if (dot->k == 0) return;
  switch (dot->kind) {
    case HOST_DOT_8: product_8(p); break;
    case HOST_DOT_16: product_16(p); break;
    case HOST_DOT_32: product_32(p); break;
    case HOST_DOT_64: product_64(p); break;
    case HOST_DOT_F64: run_blas(p); break;
    case HOST_DOT_F32:
      if (!run_ordered(p)) run_blas(p);
      break;
  }
}

/* Parts are numbered through all batches. */
static void run_parts(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  const product *whole = user;
  const host_dot *dot = whole->dot;
  (void)worker;
  for (int64_t number = (int64_t)begin; number < (int64_t)end; number++) {
    const int64_t batch = number / dot->parts, row = number % dot->parts * dot->part;
    product p = *whole;
    p.a += batch * p.a_strides[0] + row * p.a_strides[1];
    p.b += batch * p.b_strides[0];
    p.c += batch * p.c_strides[0] + row * p.c_strides[1];
    p.m = dot->m - row < dot->part ? dot->m - row : dot->part;
    run_one(&p);
  }
}

void host_run_dot(host_unit *unit, const host_dot *dot) {
  product p = {.dot = dot};
  const uint64_t count = (uint64_t)(dot->batch * dot->parts);
  if (dot->m == 0 || dot->n == 0) return;
  p.a = host_resolve(unit, &dot->a, &p.a_strides);
  p.b = host_resolve(unit, &dot->b, &p.b_strides);
  p.c = host_target(unit, &dot->c, &p.c_strides);
  if (dot->shared && unit->plan->team_strips)
    pool_run(unit->plan->pool, count, 1, run_parts, &p);
  else
    run_parts(&p, 0, count, 0);
}

host_dot_kind host_dot_kind_of(ir_dtype wide) {
  if (wide == IR_F32) return HOST_DOT_F32;
  if (wide == IR_F64) return HOST_DOT_F64;
  switch (ir_dtype_bytes(wide)) {
    case 1: return HOST_DOT_8;
    case 2: return HOST_DOT_16;
    case 4: return HOST_DOT_32;
    default: return HOST_DOT_64;
  }
}

void host_product(ir_dtype dtype, int64_t m, int64_t n, int64_t k, const void *a, const void *b, void *c) {
  const host_dot dot = {.kind = host_dot_kind_of(dtype), .batch = 1, .m = m, .n = n, .k = k};
  const int64_t bytes = (int64_t)ir_dtype_bytes(dtype);
  const int64_t a_strides[] = {0, k * bytes, bytes}, b_strides[] = {0, n * bytes, bytes};
  const product p = {&dot, a, b, c, a_strides, b_strides, b_strides, m};
  if (m > 0 && n > 0) run_one(&p);
}
