#!/usr/bin/env python3
"""Where the f64 coefficients of src/pass/math_*.c come from: prints them, with the error that each fit leaves.

Every row is a function that is smooth on its interval, of the variable that the formula evaluates the polynomial in. The
polynomial is the one through the Chebyshev nodes, in 50 digits, which is within a factor of two or so of the best of its
degree; its coefficients are then rounded to f64. `error` is that of the rounded polynomial, relative to the value that it
is a part of. SERIES are printed as Chebyshev coefficients instead, the highest first and the last to be halved, of a variable that
goes from -2 to 2; their error is relative to the function. Needs mpmath (python3-mpmath). Run it again after changing an interval, and paste what it prints.
"""
import mpmath
from mpmath import mpf

mpmath.mp.dps = 50
LN2, PI = mpmath.ln2, mpmath.pi


def expm1_tail(r):
    """(e^r - 1 - r) / r^2"""
    return mpmath.fsum(r**k / mpmath.factorial(k + 2) for k in range(31))


def atanh_tail(u):
    """(2 atanh(s) / s - 2) / s^2, with s^2 = u"""
    return mpmath.fsum(2 * u**k / (2 * k + 3) for k in range(61))


def log_tail(u):
    """(2 atanh(s) / s - 2 - 2/3 s^2) / s^4, with s^2 = u"""
    return mpmath.fsum(2 * u**k / (2 * k + 5) for k in range(61))


def sine_tail(u):
    """(sin(r) / r - 1) / r^2, with r^2 = u"""
    return mpmath.fsum((-1)**(k + 1) * u**k / mpmath.factorial(2 * k + 3) for k in range(26))


def cosine_tail(u):
    """(cos(r) - 1 + r^2 / 2) / r^4, with r^2 = u"""
    return mpmath.fsum((-1)**k * u**k / mpmath.factorial(2 * k + 4) for k in range(26))


def atan_tail(u):
    """(atan(r) / r - 1) / r^2, with r^2 = u"""
    return mpmath.fsum((-1)**(k + 1) * u**k / (2 * k + 3) for k in range(81))


def erf_near(u):
    """erf(x) / x, with x^2 = u"""
    return mpmath.fsum(2 / mpmath.sqrt(PI) * (-u)**k / (mpmath.factorial(k) * (2 * k + 1)) for k in range(61))


def erf_far(t):
    """erfc(a) e^(a^2) / t, with t = 1 / (1 + 0.3275911 a)"""
    a = (1 / t - 1) / mpf("0.3275911")
    return mpmath.erfc(a) * mpmath.exp(a * a) / t


def erfc_far(t):
    """erfc(a) e^(a^2) / t, with t = 1 / (1 + a / 2)"""
    a = 2 * (1 / t - 1)
    return mpmath.erfc(a) * mpmath.exp(a * a) / t


def bessel_near(order):
    """I(x) e^-x, for order 1 over x"""
    return lambda x: mpmath.besseli(order, x) * mpmath.exp(-x) / (x if order else 1)


def bessel_far(order):
    """I(x) e^-x sqrt(x), with v = 1 / x"""
    return lambda v: mpmath.besseli(order, 1 / v) * mpmath.exp(-1 / v) / mpmath.sqrt(v)


def at(a):
    return 1 / (1 + mpf("0.3275911") * a)


# name, function, from, to, coefficients, the weight of the polynomial's error in the whole result
FITS = [
    ("small_expm1", expm1_tail, -LN2 / 2, LN2 / 2, 10, lambda r: r * r / mpmath.exp(r)),
    ("atanh_tail", atanh_tail, 0, mpf("0.0296"), 7, lambda u: u / 2),
    ("wide_log", log_tail, 0, mpf("0.0296"), 9, lambda u: u * u / 2),
    ("take_turn: sine", sine_tail, 0, PI**2 / 16, 7, lambda u: u),
    ("take_turn: cosine", cosine_tail, 0, PI**2 / 16, 7, lambda u: u * u / mpmath.cos(mpmath.sqrt(u))),
    ("unit_atan", atan_tail, 0, mpmath.tan(PI / 8)**2, 13, lambda u: u),
    ("near_erf", erf_near, 0, mpf("1.44"), 14, lambda u: 1 / erf_near(u)),
    ("far_erf", erf_far, at(6), at(mpf("1.2")), 19, lambda t: t * mpmath.exp(-((1 / t - 1) / mpf("0.3275911"))**2)),
]

# name, function, from, to, coefficients
SERIES = [
    ("far_erfc", erfc_far, 1 / (1 + mpf(14)), 1 / mpf("1.5"), 22),
    ("bessel_i0e near", bessel_near(0), mpf(0), mpf(8), 29),
    ("bessel_i0e far", bessel_far(0), mpf(0), mpf(1) / 8, 23),
    ("bessel_i1e near", bessel_near(1), mpf(0), mpf(8), 28),
    ("bessel_i1e far", bessel_far(1), mpf(0), mpf(1) / 8, 23),
]


def fit(function, low, high, count):
    """Coefficients of the interpolating polynomial, c[0] first, rounded to f64."""
    return [float(c) for c in reversed(mpmath.chebyfit(function, [low, high], count))]


def chebyshev_fit(function, low, high, count):
    """Chebyshev coefficients on [low, high], the highest first."""
    nodes = [mpmath.cos(PI * (mpf(k) + mpf(1) / 2) / 64) for k in range(64)]
    values = [function(low + (high - low) * (x + 1) / 2) for x in nodes]
    return [float(sum(v * mpmath.cos(j * mpmath.acos(x)) for v, x in zip(values, nodes)) / 32) for j in reversed(range(count))]


def chebyshev_at(coefficients, x):
    total = sum(c * mpmath.cos(j * mpmath.acos(x)) for j, c in enumerate(reversed(coefficients)))
    return total - mpf(coefficients[-1]) / 2


def chebyshev_error(function, coefficients, low, high):
    points = [mpf(i) / 100 - 1 for i in range(1, 200)]
    exact = [function(low + (high - low) * (x + 1) / 2) for x in points]
    return max(abs(chebyshev_at(coefficients, x) / e - 1) for x, e in zip(points, exact))


def error_of(function, coefficients, low, high, weight):
    points = [low + (high - low) * mpf(i) / 400 for i in range(401)]
    return max(abs((mpmath.polyval(coefficients[::-1], x) - function(x)) * weight(x)) for x in points)


def main():
    for name, function, low, high, count, weight in FITS:
        coefficients = fit(function, low, high, count)
        print(f"{name}: error {mpmath.nstr(error_of(function, coefficients, low, high, weight), 2)}")
        print("  " + ", ".join(repr(c) for c in coefficients))
    for name, function, low, high, count in SERIES:
        coefficients = chebyshev_fit(function, low, high, count)
        print(f"{name}: error {mpmath.nstr(chebyshev_error(function, coefficients, low, high), 2)}")
        print("  " + ", ".join(repr(c) for c in coefficients))


if __name__ == "__main__":
    main()
