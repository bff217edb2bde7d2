/* Ordered products against a loop of fmaf: the same bits for every size, stride and instruction set. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "random.h"

enum { MOST = 70, DEEPEST = 600, HIGHEST = 500 };

static void fill(random_state *r, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = (float)((double)random_below(r, 1u << 24) / (1u << 23) - 1) * 3.0f;
}

static void by_definition(const host_ordered_dot *d) {
  for (int64_t i = 0; i < d->m; i++)
    for (int64_t j = 0; j < d->n; j++) {
      float total = 0, sum = d->accumulate ? d->c[i * d->c_row + j] : 0;
      for (int64_t k = 0; k < d->k; k++) {
        if (k > 0 && k % d->part == 0) total = k == d->part ? sum : total + sum, sum = 0;
        sum = fmaf(d->a[i * d->a_row + k * d->a_column], d->b[k * d->b_row + j * d->b_column], sum);
      }
      d->c[i * d->c_row + j] = d->k > d->part ? total + sum : sum;
    }
}

static host_ordered_dot random_product(random_state *r, const float *a, const float *b, float *c) {
  bool a_turned = random_below(r, 2), b_turned = random_below(r, 2);
  host_ordered_dot d = {.a = a, .b = b, .c = c, .accumulate = random_below(r, 2)};
  d.m = 1 + random_below(r, random_below(r, 8) ? MOST : HIGHEST), d.n = 1 + random_below(r, MOST);
  d.k = 1 + random_below(r, random_below(r, 4) ? MOST : DEEPEST);
  d.a_row = a_turned ? 1 : d.k + 3, d.a_column = a_turned ? d.m + 1 : 1;
  d.b_row = b_turned ? 1 : d.n + 2, d.b_column = b_turned ? d.k + 5 : 1;
  d.c_row = d.n + 1;
  d.part = random_below(r, 2) ? d.k : 1 + random_below(r, 100);
  return d;
}

static void sums_keep_their_order(void **unused) {
  (void)unused;
  enum { INPUT = (HIGHEST + 5) * (DEEPEST + 5), OUTPUT = HIGHEST * (MOST + 1) };
  float *a = malloc(INPUT * sizeof *a), *b = malloc(INPUT * sizeof *b);
  float got[OUTPUT], want[OUTPUT];
  random_state r = random_start("ordered_dot");
  fill(&r, a, INPUT), fill(&r, b, INPUT);
  for (int round = 0; round < 300; round++) {
    fill(&r, got, OUTPUT);
    memcpy(want, got, sizeof want);
    host_ordered_dot d = random_product(&r, a, b, got);
    if (!host_ordered_product(&d)) {
      print_message("SKIP ordered_dot: this CPU has no fused multiply-add\n");
      break;
    }
    d.c = want;
    by_definition(&d);
    assert_memory_equal(got, want, sizeof want);
  }
  free(a), free(b);
}

/* Rows, columns, k, part: what XLA's CPU code was seen to do. */
static void few_rows_take_parts(void **unused) {
  (void)unused;
  static const int64_t cases[][4] = {{8, 1024, 128, 64}, {48, 512, 384, 128}, {2, 768, 64, 42},     {8, 256, 128, 128},
                                     {8, 128, 512, 256}, {1, 1024, 128, 128}, {64, 1024, 128, 128}, {8, 512, 255, 128}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    host_ordered_dot d = {.m = cases[i][0], .n = cases[i][1], .k = cases[i][2], .a_column = 1};
    assert_int_equal(host_ordered_part(&d), cases[i][3]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sums_keep_their_order), cmocka_unit_test(few_rows_take_parts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
