/* Products of f32 in which every element is one sum over k in order, by fused multiply-add: the same bits whatever the
 * threads, parts and sizes, and those of XLA's CPU code.
 *
 * A tile of c stays in registers while k runs; the columns of b that it needs are packed to a dense panel first. Panels
 * follow one another through c itself, which loses nothing: a sum is an f32 between any two steps. Every `part` of k
 * has a sum of its own, and these are added in order. */
#include <string.h>

#include "host/host.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum {
  DEPTH = 256,  /* of k at a time */
  HEIGHT = 264, /* rows at a time, which stay in the second-level cache; a multiple of all tiles' */
  ROWS = 12,    /* most of a tile */
  WIDTH = 32    /* most columns of a tile */
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- packing ---- */

/* Element (k, j) lies at `from` + k * `row` + j * `column`. */
typedef struct columns_of {
  const float *from;
  int64_t row, column;
} columns_of;

static void turn_4x4(const float *from, int64_t column, float *to, int64_t width) {
  __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + column);
  __m128 c = _mm_loadu_ps(from + 2 * column), d = _mm_loadu_ps(from + 3 * column);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(to, a);
  _mm_storeu_ps(to + width, b);
  _mm_storeu_ps(to + 2 * width, c);
  _mm_storeu_ps(to + 3 * width, d);
}

static void pack_each(columns_of b, int64_t depth, int64_t first, int64_t end, int64_t width, float *to) {
  for (int64_t j = first; j < end; j++)
    for (int64_t k = 0; k < depth; k++) to[k * width + j] = b.from[k * b.row + j * b.column];
}

/* `depth` rows of `count` elements, each followed by zeros up to `width`. */
static void pack(columns_of b, int64_t depth, int64_t count, int64_t width, float *to) {
  if (count < width) memset(to, 0, (size_t)(depth * width) * sizeof *to);
  if (b.column == 1) {
    for (int64_t k = 0; k < depth; k++) memcpy(to + k * width, b.from + k * b.row, (size_t)count * sizeof *to);
    return;
  }
  const int64_t turned = b.row == 1 ? count - count % 4 : 0, deep = depth - depth % 4;
  for (int64_t j = 0; j < turned; j += 4)
    for (int64_t k = 0; k < deep; k += 4) turn_4x4(b.from + j * b.column + k, b.column, to + k * width + j, width);
  pack_each((columns_of){b.from + deep * b.row, b.row, b.column}, depth - deep, 0, turned, width, to + deep * width);
  pack_each(b, depth, turned, count, width, to);
}

/* Asks for the rows [first, end) of a panel to come: they lie pages apart, where the CPU does not look ahead. */
static void foresee(columns_of b, int64_t width, int64_t first, int64_t end) {
  enum { LINE = 16 };
  for (int64_t k = first; k < end; k++)
    for (int64_t j = 0; j < width; j += LINE) _mm_prefetch((const char *)(b.from + k * b.row + j), _MM_HINT_T1);
}

/* ---- tiles of c ---- */

/* Adds rows of a times a panel of b to a tile of c, or puts that there. */
typedef struct tile {
  const float *a, *panel;
  float *c;
  int64_t a_row, a_column, last; /* row of a: those behind it repeat it, and are not stored */
  int64_t c_row, depth;
  bool fresh;
} tile;

/* One instruction set: tiles of `rows` times two vectors of `bytes`, which never leave the registers. */
#define TILE(name, isa, bytes, rows, lanes, intrinsic)                              \
  static __attribute__((target(isa))) void name##_##rows(const tile *t) {           \
    enum { HALF = (bytes) / 4 };                                                    \
    lanes sum[rows][2];                                                             \
    const float *a[rows];                                                           \
    _Pragma("GCC unroll 16") for (int r = 0; r < (rows); r++) {                     \
      a[r] = t->a + least(r, t->last) * t->a_row;                                   \
      const float *from = t->c + r * t->c_row;                                      \
      sum[r][0] = t->fresh ? intrinsic##_setzero_ps() : intrinsic##_loadu_ps(from); \
      sum[r][1] = t->fresh ? sum[r][0] : intrinsic##_loadu_ps(from + HALF);         \
    }                                                                               \
    for (int64_t k = 0; k < t->depth; k++) {                                        \
      const lanes left = intrinsic##_loadu_ps(t->panel + k * 2 * HALF);             \
      const lanes right = intrinsic##_loadu_ps(t->panel + k * 2 * HALF + HALF);     \
      _Pragma("GCC unroll 16") for (int r = 0; r < (rows); r++) {                   \
        const lanes factor = intrinsic##_set1_ps(a[r][k * t->a_column]);            \
        sum[r][0] = intrinsic##_fmadd_ps(factor, left, sum[r][0]);                  \
        sum[r][1] = intrinsic##_fmadd_ps(factor, right, sum[r][1]);                 \
      }                                                                             \
    }                                                                               \
    _Pragma("GCC unroll 16") for (int r = 0; r < (rows); r++) {                     \
      float *to = t->c + r * t->c_row;                                              \
      intrinsic##_storeu_ps(to, sum[r][0]);                                         \
      intrinsic##_storeu_ps(to + HALF, sum[r][1]);                                  \
    }                                                                               \
  }

TILE(avx512, "avx512f,fma", 64, 12, __m512, _mm512)
TILE(avx512, "avx512f,fma", 64, 8, __m512, _mm512)
TILE(avx512, "avx512f,fma", 64, 4, __m512, _mm512)
TILE(avx2, "avx2,fma", 32, 6, __m256, _mm256)
TILE(avx2, "avx2,fma", 32, 4, __m256, _mm256)
TILE(avx2, "avx2,fma", 32, 2, __m256, _mm256)

/* ---- products ---- */

typedef struct shape { /* of an instruction set's tiles: of `step` rows, twice and three times as many */
  int64_t step, width;
  void (*run[3])(const tile *t);
} shape;

/* Part of a tile, or sums that are to be added to those before: made apart. */
static void run_apart(void (*run)(const tile *t), tile t, int64_t height, int64_t columns, bool added) {
  float sums[ROWS * WIDTH] = {0};
  float *const c = t.c;
  const int64_t c_row = t.c_row;
  for (int64_t i = 0; i < height && !t.fresh && !added; i++)
    memcpy(&sums[i * WIDTH], c + i * c_row, (size_t)columns * sizeof *c);
  t.c = sums, t.c_row = WIDTH, t.fresh |= added;
  run(&t);
  for (int64_t i = 0; i < height; i++)
    for (int64_t j = 0; j < columns; j++)
      c[i * c_row + j] = added ? c[i * c_row + j] + sums[i * WIDTH + j] : sums[i * WIDTH + j];
}

/* The rows from `first` on by the columns from j on, for `depth` steps from k on. While a panel is worked on the next
 * one is asked for. */
static void product_part(const host_ordered_dot *d, const shape *s, int64_t first, int64_t j, int64_t k,
                         int64_t depth) {
  const bool added = k > 0 && k % d->part == 0, more = d->b_column == 1 && j + 2 * s->width <= d->n;
  const int64_t rows = least(d->m - first, HEIGHT), columns = least(s->width, d->n - j);
  _Alignas(64) float panel[WIDTH * DEPTH];
  columns_of b = {d->b + k * d->b_row + j * d->b_column, d->b_row, d->b_column};
  tile t = {
      .panel = panel, .a_row = d->a_row, .a_column = d->a_column, .c_row = d->c_row, .fresh = k == 0 && !d->accumulate};
  t.depth = depth;
  pack(b, depth, columns, s->width, panel);
  b.from += s->width * b.column;
  for (int64_t i = 0, height; i < rows; i += height) {
    height = least(3 * s->step, rows - i);
    const int64_t steps = (height + s->step - 1) / s->step;
    t.c = d->c + (first + i) * d->c_row + j;
    t.a = d->a + (first + i) * d->a_row + k * d->a_column;
    t.last = height - 1;
    if (more) foresee(b, s->width, i * depth / rows, (i + height) * depth / rows);
    if (added || columns < s->width || height < steps * s->step)
      run_apart(s->run[steps - 1], t, height, columns, added);
    else
      s->run[steps - 1](&t);
  }
}

/* NULL: this CPU has no such instructions. */
static const shape *best_shape(void) {
  static const shape wide = {4, 32, {avx512_4, avx512_8, avx512_12}}, narrow = {2, 16, {avx2_2, avx2_4, avx2_6}};
  if (__builtin_cpu_supports("avx512f")) return &wide;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &narrow : NULL;
}

bool host_ordered_here(void) { return best_shape(); }

int64_t host_ordered_part(const host_ordered_dot *d) {
  enum { FEWEST = 2, MOST = 48, ELEMENTS = 1 << 15 };
  if (d->m < FEWEST || d->m > MOST || d->a_column != 1) return d->k;
  int64_t half = 1, part = ELEMENTS / d->n;
  while (half * 4 <= d->k + 1) half *= 2;
  if (part < half) part = half;
  return part < d->k && part <= DEPTH ? part : d->k;
}

bool host_ordered_product(const host_ordered_dot *d) {
  const shape *s = best_shape();
  for (int64_t k = 0, depth; s && k < d->k; k += depth) {
    depth = least(least(DEPTH, d->part), d->k - k);
    for (int64_t i = 0; i < d->m; i += HEIGHT)
      for (int64_t j = 0; j < d->n; j += s->width) product_part(d, s, i, j, k, depth);
  }
  return s;
}
#else
int64_t host_ordered_part(const host_ordered_dot *d) { return d->k; }
bool host_ordered_here(void) { return false; }
bool host_ordered_product(const host_ordered_dot *d) { return (void)d, false; }
#endif
