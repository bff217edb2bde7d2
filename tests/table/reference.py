"""What every op means, in NumPy: written from the manual, knowing nothing of the library's own table cells.

Values travel as storage arrays (kiln_ctypes.STORAGE; bf16 as bits, bool as 0 and 1). Float results are computed in a wider type and
come back unrounded, so that an error can be told in units in the last place; `Exact` results come back in storage.
"""
import math

import numpy as np

from kiln_ctypes import STORAGE, WIDE

FLOATS = {"f16": (11, -14, 65504.0), "bf16": (8, -126, float.fromhex("0x1.fep127")), "f32": (24, -126, float.fromhex("0x1.fffffep127")),
          "f64": (53, -1022, float.fromhex("0x1.fffffffffffffp1023"))}
INTS = {name: np.iinfo(kind) for name, kind in STORAGE.items() if name in WIDE and name[0] in "iu"}


def element_class(dtype):
    return "bool" if dtype == "bool" else {"i": "sint", "u": "uint", "f": "float", "b": "float"}[dtype[0]]


# ---- bf16, and rounding to any float type ----

def widen(data, dtype):
    """Storage -> the type that references are computed in: f64, or the x87 long double for f64."""
    if dtype == "bf16":
        return (np.atleast_1d(data).astype(np.uint32) << 16).view(np.float32).astype(np.float64).reshape(np.shape(data))
    if dtype == "f64":
        return data.astype(np.longdouble)
    return data.astype(np.float64) if dtype in FLOATS else data


def bf16_bits(values):
    """f64 -> bf16 bits, to nearest, ties to even, in one rounding."""
    values = np.asarray(values, np.float64)
    with np.errstate(all="ignore"):
        exponent = np.maximum(np.frexp(np.where(np.isfinite(values), values, 0.0))[1] - 8, -133)
        rounded = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent).astype(np.float32)
    bits = (rounded.view(np.uint32) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), bits).astype(np.uint16)


def to_storage(values, dtype):
    """Wide values -> storage, rounded once."""
    with np.errstate(all="ignore"):
        if dtype == "bf16":
            return bf16_bits(values)
        return np.asarray(values).astype(STORAGE[dtype])


def ulp(values, dtype):
    """The distance of neighbouring values of the type around each value."""
    precision, lowest, _ = FLOATS[dtype]
    magnitude = np.abs(np.where(np.isfinite(values), values, 0))
    exponent = np.maximum(np.frexp(magnitude)[1] - 1, lowest)
    return np.ldexp(np.ones_like(magnitude), exponent - precision + 1)


# ---- elementwise ----

def truncated_quotient(a, b):
    info = np.iinfo(a.dtype)
    out = np.empty_like(a)
    for i, (x, y) in enumerate(zip(a.tolist(), b.tolist())):
        q = -1 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        out[i] = wrap(q, info)
    return out


def truncated_remainder(a, b):
    out = np.empty_like(a)
    for i, (x, y) in enumerate(zip(a.tolist(), b.tolist())):
        out[i] = x if y == 0 else int(math.copysign(1, x)) * (abs(x) % abs(y))
    return out


def wrap(value, info):
    """A Python integer -> the integer of the type with the same low bits."""
    value &= (1 << info.bits) - 1
    return value - (1 << info.bits) if info.min < 0 and value >> (info.bits - 1) else value


def by_integers(function):
    """An elementwise op on Python integers: function(x, y, info) is wrapped to the type."""
    def run(*operands):
        info = np.iinfo(operands[0].dtype)
        out = np.empty_like(operands[0])
        for i, row in enumerate(zip(*(o.tolist() for o in operands))):
            out[i] = wrap(function(*row, info), info)
        return out
    return run


def shift_left(x, n, info):
    return 0 if not 0 <= n < info.bits else x << n


def shift_right(x, n, info):
    return (-1 if x < 0 else 0) if not 0 <= n < info.bits else x >> n


def shift_right_logical(x, n, info):
    return 0 if not 0 <= n < info.bits else (x & ((1 << info.bits) - 1)) >> n


def leading_zeros(x, info):
    return info.bits - (x & ((1 << info.bits) - 1)).bit_length()


INTEGER = {
    "square": by_integers(lambda x, _: x * x), "popcount": by_integers(lambda x, info: bin(x & ((1 << info.bits) - 1)).count("1")),
    "clz": by_integers(leading_zeros),
    "add": by_integers(lambda x, y, _: x + y), "sub": by_integers(lambda x, y, _: x - y), "mul": by_integers(lambda x, y, _: x * y),
    "div": truncated_quotient, "rem": truncated_remainder, "neg": by_integers(lambda x, _: -x), "abs": by_integers(lambda x, _: abs(x)),
    "sign": by_integers(lambda x, _: (x > 0) - (x < 0)), "max": np.maximum, "min": np.minimum,
    "clamp": by_integers(lambda low, x, high, _: min(max(x, low), high)),
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.bitwise_not,
    "shl": by_integers(shift_left), "shr": by_integers(shift_right), "shr_logical": by_integers(shift_right_logical),
}
BOOLEAN = {"max": np.logical_or, "min": np.logical_and, "and": np.logical_and, "or": np.logical_or, "xor": np.not_equal,
           "not": lambda a: a == 0, "eq": np.equal, "ne": np.not_equal}
COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}


def round_away(a):
    whole = np.trunc(a)
    return np.where(np.abs(a - whole) >= 0.5, whole + np.copysign(1, a), np.copysign(whole, a))


def clamp_float(low, x, high):
    return np.minimum(np.maximum(x, low), high)


def by_doubles(function):
    """An op of one float, from a function of Python floats."""
    def run(a):
        return np.vectorize(function, otypes=[np.float64])(a.astype(np.float64)).astype(a.dtype)
    return run


def inverse_error_function(x):
    """By bisection, on what is left to 1 where that is the smaller part."""
    size, low, high = abs(x), 0.0, 28.0
    if not size < 1:
        return math.copysign(math.inf, x) if size == 1 else math.nan
    if size < 1e-9:
        return x * math.sqrt(math.pi) / 2
    for _ in range(80):
        middle = (low + high) / 2
        below = math.erf(middle) < size if size < 0.5 else math.erfc(middle) > 1 - size
        low, high = (middle, high) if below else (low, middle)
    return math.copysign((low + high) / 2, x)


def log_gamma(x):
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


def digamma(a):
    """Recurrence up to 40, an asymptotic series from there; reflection below zero."""
    x, wide = a.astype(np.longdouble), np.longdouble
    pole = (x <= 0) & (x == np.floor(x))
    rest = x - np.rint(x)
    turned = np.where(x < 0, -wide(np.pi) / np.tan(wide("3.14159265358979323846264338327950288") * rest), 0)
    y = np.where(x < 0, 1 - x, x)
    total = turned
    for _ in range(40):
        small = y < 40
        total = np.where(small, total - 1 / y, total)
        y = np.where(small, y + 1, y)
    square = 1 / (y * y)
    series = square * (wide(1) / 12 - square * (wide(1) / 120 - square * (wide(1) / 252 - square * (wide(1) / 240 - square / 132))))
    found = total + np.log(y) - 1 / (2 * y) - series
    return np.where(pole, np.nan, found).astype(a.dtype)


def bessel(order):
    """exp(-x) I(x) by the trapezoidal rule on its integral, and for large x by the series in 1 / x."""
    angles = (np.arange(2000, dtype=np.longdouble) + 0.5) * (np.longdouble("3.14159265358979323846264338327950288") / 2000)
    weight = np.sin(angles)**2 if order else np.ones_like(angles)

    def run(a):
        x = np.abs(a.astype(np.longdouble))
        near = np.minimum(x, 1000)
        integral = np.mean(np.exp(near[..., None] * (np.cos(angles) - 1)) * weight, axis=-1) * (near if order else 1)
        term, total = np.ones_like(x), np.ones_like(x)
        for k in range(1, 9):
            term = term * ((2 * k - 1)**2 - 4 * order) / (8 * k * x)
            total = total + term
        found = np.where(x < 1000, integral, total / np.sqrt(2 * np.longdouble("3.14159265358979323846264338327950288")) / np.sqrt(x))
        return np.where(np.isnan(a), a, np.copysign(found, a) if order else found).astype(a.dtype)
    return run


def next_after(a, b, dtype):
    """On storage: the neighbours of bf16 are those of its bits."""
    if dtype != "bf16":
        return np.nextafter(a, b)
    x, y = widen(a, dtype), widen(b, dtype)
    up = np.where(a & 0x7FFF, a.astype(np.int32) + np.where((x < y) == (x > 0), 1, -1), np.where(x < y, 1, 0x8001))
    return np.where(np.isnan(x) | np.isnan(y), 0x7FC0, np.where(x == y, b, up)).astype(np.uint16)


FLOAT = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "rem": np.fmod, "neg": np.negative, "abs": np.abs,
    "sign": lambda a: np.where(a == 0, a, np.sign(a)), "max": np.maximum, "min": np.minimum, "clamp": clamp_float, "pow": np.power,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": round_away, "round_even": np.rint, "sqrt": np.sqrt,
    "rsqrt": lambda a: 1 / np.sqrt(a), "cbrt": np.cbrt, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log,
    "log2": np.log2, "log1p": np.log1p, "logistic": lambda a: 1 / (1 + np.exp(-a)), "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "erf": by_doubles(math.erf),
    "erfc": by_doubles(math.erfc), "erf_inv": by_doubles(inverse_error_function), "lgamma": by_doubles(log_gamma), "digamma": digamma,
    "bessel_i0e": bessel(0), "bessel_i1e": bessel(1), "square": np.square,
}
ABSOLUTE = {"lgamma", "digamma"}  # have zeros, where their errors are told against 1


# In f64 these are NumPy's own: rounding a long double again would round twice.
ROUNDED_ONCE = {"add", "sub", "mul", "div", "sqrt", "square"}


def elementwise(op, dtype, operands):
    """(result, its dtype, is it exact storage?) of a MAP op; select's condition is operand 0."""
    with np.errstate(all="ignore"):
        if op == "select":
            return np.where(operands[0] != 0, operands[1], operands[2]), dtype, True
        wide = [o if dtype == "f64" and op in ROUNDED_ONCE else widen(o, dtype) for o in operands]
        if op == "is_finite":
            return np.isfinite(wide[0]).astype(np.uint8), "bool", True
        if op in COMPARE:
            return COMPARE[op](*wide).astype(np.uint8), "bool", True
        if dtype == "bool":
            return BOOLEAN[op](*operands).astype(np.uint8), dtype, True
        if op == "nextafter":
            return next_after(*operands, dtype), dtype, True
        if dtype in FLOATS:
            return FLOAT[op](*wide), dtype, False
        return INTEGER[op](*operands).astype(STORAGE[dtype]), dtype, True


# ---- reductions and scans ----

def lowest(dtype):
    return -np.inf if dtype in FLOATS else 0 if dtype == "bool" else INTS[dtype].min


def highest(dtype):
    return np.inf if dtype in FLOATS else 1 if dtype == "bool" else INTS[dtype].max


def first_index(data, dtype, axis, largest):
    wide = widen(data, dtype)
    if dtype in FLOATS:
        nan = np.isnan(wide)
        found = np.where(nan, np.inf if largest else -np.inf, wide)
        index = np.argmax(found, axis=axis) if largest else np.argmin(found, axis=axis)
        return np.where(nan.any(axis=axis), np.argmax(nan, axis=axis), index).astype(np.int32)
    return (np.argmax(wide, axis=axis) if largest else np.argmin(wide, axis=axis)).astype(np.int32)


def reduce(op, data, dtype, axis):
    """(result, its dtype, exact?, scale of the rounding errors or None) of a reduction over one axis, or all (None)."""
    wide = widen(data, dtype)
    with np.errstate(all="ignore"):
        if op in ("argmax", "argmin"):
            return first_index(data, dtype, axis, op == "argmax"), "i32", True, None
        if op in ("any", "all"):
            if dtype == "bool":
                return getattr(np, op)(data, axis=axis).astype(np.uint8), dtype, True, None
            join = np.bitwise_or if op == "any" else np.bitwise_and
            return np.asarray(join.reduce(data, axis=axis), STORAGE[dtype]), dtype, True, None
        if op == "xor_all":
            return np.asarray(np.bitwise_xor.reduce(data, axis=axis), STORAGE[dtype]), dtype, True, None
        if op in ("max", "min"):
            start = lowest(dtype) if op == "max" else highest(dtype)
            found = getattr(np, op)(wide, axis=axis, initial=start)
            return to_storage(found, dtype), dtype, True, None
        if dtype in FLOATS:
            found = getattr(np, op)(wide, axis=axis)
            return found, dtype, False, np.sum(np.abs(wide), axis=axis) if op == "sum" else np.abs(found)
        return np.asarray(getattr(np, op)(data, axis=axis, dtype=STORAGE[dtype])), dtype, True, None


def scan(op, data, dtype, axis, backward):
    """The same for a scan."""
    wide = widen(data, dtype)
    flip = (lambda a: np.flip(a, axis)) if backward else (lambda a: a)
    join = {"cumsum": np.add, "cumprod": np.multiply, "cummax": np.maximum, "cummin": np.minimum}[op]
    with np.errstate(all="ignore"):
        if dtype in FLOATS:
            found = flip(join.accumulate(flip(wide), axis=axis))
            if op in ("cummax", "cummin"):
                return to_storage(found, dtype), dtype, True, None
            scale = flip(np.add.accumulate(np.abs(flip(wide)), axis=axis)) if op == "cumsum" else np.abs(found)
            return found, dtype, False, scale
        return flip(join.accumulate(flip(data), axis=axis, dtype=STORAGE[dtype])), dtype, True, None


# ---- conversion ----

def convert(data, source, target):
    """Storage of one type -> storage of another."""
    wide = widen(data, source)
    with np.errstate(all="ignore"):
        if target == "bool":
            return (wide != 0).astype(np.uint8)
        if target in FLOATS:
            if source not in FLOATS:
                return integers_to_float(data, target)
            return to_storage(wide, target)
        if source in FLOATS:
            info, out = INTS[target], np.zeros(data.shape, STORAGE[target])
            for i, value in np.ndenumerate(wide):
                whole = 0 if np.isnan(value) else int(np.clip(value, -np.longdouble(2)**70, np.longdouble(2)**70))
                out[i] = min(max(whole, info.min), info.max)
            return out
        return data.astype(STORAGE[target])


def integers_to_float(data, target):
    """Exact integers, rounded once: 64-bit ones do not fit a double."""
    if target == "bf16" or (target in ("f16", "f32") and data.dtype.itemsize == 8):
        precision, _, largest = FLOATS[target]
        out = np.zeros(data.shape, np.float64)
        for i, value in np.ndenumerate(data):
            out[i] = round_integer(int(value), precision)
        return to_storage(np.where(np.abs(out) > largest, np.copysign(np.inf, out), out), target)
    return data.astype(STORAGE[target])


def round_integer(value, precision):
    magnitude = abs(value)
    shift = max(magnitude.bit_length() - precision, 0)
    low, half = magnitude & ((1 << shift) - 1), (1 << shift) >> 1
    magnitude >>= shift
    magnitude += low > half or (shift > 0 and low == half and magnitude & 1)
    return math.copysign(float(magnitude << shift), value)


def dot(a, b, dtype, target):
    """(result, exact?, scale) of a matrix product that sums in `target`."""
    if dtype in FLOATS:
        x, y = widen(a, dtype), widen(b, dtype)
        return x @ y, False, np.abs(x) @ np.abs(y)
    kind = STORAGE[target]
    out = np.zeros((a.shape[0], b.shape[1]), kind)
    with np.errstate(all="ignore"):
        for k in range(a.shape[1]):
            out += a[:, k:k + 1].astype(kind) * b[k:k + 1, :].astype(kind)
    return out, True, None


# ---- powers, and smaller formats ----

def integer_pow(data, dtype, exponent):
    """(result, exact?) of a known whole power."""
    with np.errstate(all="ignore"):
        if dtype in FLOATS:
            return np.power(widen(data, dtype).astype(np.longdouble), exponent), False
        return by_integers(lambda x, _: x**exponent)(data), True


def reduce_precision(data, dtype, exponent, mantissa):
    """Rounded to even at the mantissa, then infinite or zero where the exponent does not fit; in storage."""
    wide = widen(data, dtype).astype(np.longdouble)
    largest, fewer = 2 ** (exponent - 1) - 1, exponent < {"f16": 5, "f64": 11}.get(dtype, 8)
    with np.errstate(all="ignore"):
        own = FLOATS[dtype][0] - 1
        scale = np.frexp(np.where(np.isfinite(wide) & (wide != 0), wide, 1))[1] - 1
        unit = np.maximum(scale, FLOATS[dtype][1]) - min(mantissa, own)
        rounded = np.where(np.isfinite(wide), np.ldexp(np.rint(np.ldexp(wide, -unit)), unit), wide)
        scale = np.frexp(np.where(np.isfinite(rounded) & (rounded != 0), rounded, 1))[1] - 1
        finite = np.isfinite(rounded) & (rounded != 0) & fewer
        rounded = np.where(finite & (scale > largest), np.copysign(np.inf, wide), rounded)
        rounded = np.where(finite & (scale < 1 - largest), np.copysign(0, wide), rounded)
        return to_storage(rounded.astype(np.float64) if dtype != "f64" else rounded, dtype)
