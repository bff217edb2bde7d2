/* Special functions in double, to a few units of the last place. Series are summed where all of their terms have one
 * sign, asymptotic expansions are used where their smallest term is below what a double holds. */
#define _DEFAULT_SOURCE /* lgamma_r */
#include "ir/eval/special.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* ---- inverse error function ---- */

/* Winitzki's approximation, good to 0.004, where 1 - |x| is `rest`. */
static double guess_erf_inv(double x, double rest) {
  const double a = 0.147, log_product = log(rest) + log1p(fabs(x));
  const double half = 2 / (pi * a) + log_product / 2;
  return sqrt(sqrt(half * half - log_product / a) - half);
}

/* Halley's steps on erf(y) - x near zero, and far out on erfc(y) - (1 - x), whose difference is exact. */
double special_erf_inv(double x) {
  const double size = fabs(x), rest = 1 - size;
  if (!(size < 1)) return size == 1 ? copysign(INFINITY, x) : NAN;
  if (size < 1e-9) return x * (sqrt(pi) / 2);
  double y = guess_erf_inv(x, rest);
  for (int step = 0; step < 4; step++) {
    double error = size < 0.5 ? erf(y) - size : rest - erfc(y);
    double newton = error / (2 / sqrt(pi) * exp(-y * y));
    y -= newton / (1 + y * newton);
  }
  return copysign(y, x);
}

/* ---- gamma ---- */

double special_lgamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

/* log x - 1/2x - sum of B(2k) / (2k x^2k), for x of 10 and more */
static double large_digamma(double x) {
  static const double terms[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
  const double square = 1 / (x * x);
  double sum = 0;
  for (int k = sizeof terms / sizeof *terms; k-- > 0;) sum = (sum + terms[k]) * square;
  return log(x) - 0.5 / x - sum;
}

double special_digamma(double x) {
  double sum = 0;
  if (x == 0) return NAN;
  if (x < 0) { /* reflection; the cotangent of what is left of the nearest whole number */
    double rest = x - rint(x);
    if (rest == 0 || isinf(x)) return NAN;
    sum = -pi / tan(pi * rest);
    x = 1 - x;
  }
  for (; x < 10; x++) sum -= 1 / x;
  return sum + large_digamma(x);
}

/* ---- Bessel functions, times exp(-|x|) ---- */

enum { SERIES_LIMIT = 30 };

/* sum over k of (x/2)^(2k + order) / (k! (k + order)!) */
static double bessel_series(double x, int order) {
  const double square = x * x / 4;
  double term = order ? x / 2 : 1, sum = term;
  for (int k = 1; term > sum * 1e-18 && term > 0; k++) {
    term *= square / ((double)k * (k + order));
    sum += term;
  }
  return sum * exp(-x);
}

/* 1 / sqrt(2 pi x) times the sum over k of the products of ((2j - 1)^2 - 4 order^2) / (8 x j) */
static double bessel_large(double x, int order) {
  double term = 1, sum = 1;
  for (int k = 1; fabs(term) > 1e-18 && k < 60; k++) {
    double odd = 2 * k - 1;
    term *= (odd * odd - 4 * order * order) / (8 * x * k);
    sum += term;
  }
  return sum / (sqrt(2 * pi) * sqrt(x));
}

static double bessel(double x, int order) {
  return x < SERIES_LIMIT ? bessel_series(x, order) : bessel_large(x, order);
}

double special_bessel_i0e(double x) { return isinf(x) ? 0 : x == x ? bessel(fabs(x), 0) : x; }
double special_bessel_i1e(double x) { return isinf(x) ? 0 : x == x ? copysign(bessel(fabs(x), 1), x) : x; }
