/* Products of f32 in which every element is one sum over k in order, by fused multiply-add: the same bits whatever the
 * threads, strips and sizes, and those of XLA's CPU code. Taken for products that are too small for a BLAS to be
 * faster.
 *
 * A tile of c stays in registers while k runs; the columns of b that it needs are copied to a dense panel first. Parts
 * of k follow one another through c itself, which loses nothing: a sum is an f32 between any two steps. */
#include <string.h>

#include "host/host.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { DEPTH = 256 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* `depth` rows of `width` columns of b from (k, j), zeros behind its last column. */
static void fill_panel(const host_ordered_dot *d, int64_t k, int64_t j, int64_t depth, int64_t width, float *panel) {
  const int64_t columns = least(width, d->n - j);
  memset(panel, 0, (size_t)(depth * width) * sizeof *panel);
  if (d->b_column == 1) {
    for (int64_t row = 0; row < depth; row++)
      memcpy(panel + row * width, d->b + (k + row) * d->b_row + j, (size_t)columns * sizeof *panel);
    return;
  }
  for (int64_t column = 0; column < columns; column++)
    for (int64_t row = 0; row < depth; row++)
      panel[row * width + column] = d->b[(k + row) * d->b_row + (j + column) * d->b_column];
}

/* One instruction set: two vectors of `bytes` across, `rows` down. Rows behind the last repeat it and are not stored.
 */
#define ORDERED_DOT(name, isa, bytes, rows, lanes, intrinsic)                                                    \
  enum { name##_half = (bytes) / 4, name##_width = (bytes) / 2 };                                                \
  static __attribute__((target(isa))) void name##_tile(const host_ordered_dot *d, const float *panel, int64_t i, \
                                                       int64_t j, int64_t k, int64_t depth) {                    \
    const int64_t height = least(rows, d->m - i), columns = least(name##_width, d->n - j);                       \
    float line[name##_width] = {0};                                                                              \
    lanes sum[rows][2] = {{{0}}};                                                                                \
    const float *a[rows];                                                                                        \
    for (int r = 0; r < (rows); r++) {                                                                           \
      const int64_t row = i + least(r, height - 1);                                                              \
      a[r] = d->a + row * d->a_row + k * d->a_column;                                                            \
      if (k == 0 && !d->accumulate) continue;                                                                    \
      memcpy(line, d->c + row * d->c_row + j, (size_t)columns * sizeof *line);                                   \
      memcpy(sum[r], line, sizeof sum[r]);                                                                       \
    }                                                                                                            \
    for (int64_t step = 0; step < depth; step++) {                                                               \
      const lanes left = intrinsic##_loadu_ps(panel + step * name##_width);                                      \
      const lanes right = intrinsic##_loadu_ps(panel + step * name##_width + name##_half);                       \
      _Pragma("GCC unroll 16") for (int r = 0; r < (rows); r++) {                                                \
        const lanes factor = intrinsic##_set1_ps(a[r][step * d->a_column]);                                      \
        sum[r][0] = intrinsic##_fmadd_ps(factor, left, sum[r][0]);                                               \
        sum[r][1] = intrinsic##_fmadd_ps(factor, right, sum[r][1]);                                              \
      }                                                                                                          \
    }                                                                                                            \
    for (int r = 0; r < height; r++) {                                                                           \
      memcpy(line, sum[r], sizeof line);                                                                         \
      memcpy(d->c + (i + r) * d->c_row + j, line, (size_t)columns * sizeof *line);                               \
    }                                                                                                            \
  }                                                                                                              \
  static void name##_product(const host_ordered_dot *d) {                                                        \
    _Alignas(64) float panel[DEPTH * name##_width];                                                              \
    for (int64_t k = 0; k < d->k; k += DEPTH)                                                                    \
      for (int64_t j = 0; j < d->n; j += name##_width) {                                                         \
        const int64_t depth = least(DEPTH, d->k - k);                                                            \
        fill_panel(d, k, j, depth, name##_width, panel);                                                         \
        for (int64_t i = 0; i < d->m; i += (rows)) name##_tile(d, panel, i, j, k, depth);                        \
      }                                                                                                          \
  }

ORDERED_DOT(avx512, "avx512f,fma", 64, 12, __m512, _mm512)
ORDERED_DOT(avx2, "avx2,fma", 32, 6, __m256, _mm256)

bool host_ordered_product(const host_ordered_dot *d) {
  if (__builtin_cpu_supports("avx512f"))
    avx512_product(d);
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    avx2_product(d);
  else
    return false;
  return true;
}
#else
bool host_ordered_product(const host_ordered_dot *d) { return (void)d, false; }
#endif
