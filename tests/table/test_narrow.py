#!/usr/bin/env python3
"""Types of at most 8 bits against ml_dtypes: every conversion from and to them, arithmetic, reductions, products.

  test_narrow.py --library libkiln.so [--on host|vulkan] [-v]

Conversions are tested with every value of sources of up to 16 bits, and for longer ones with the middles between all neighbours of the
target, what lies next to these, and random bits. The expected bits are those of ml_dtypes, but for what XLA, whose results Kiln gives,
does otherwise:
- float to integer saturates, NaN gives 0 (ml_dtypes wraps);
- f64 is rounded once (ml_dtypes goes by way of f32): here it is first rounded to odd, which makes that exact;
- NaN of the fnuz types is positive; NaN becomes negative zero in f4e2m1fn, whatever its sign.
"""
import sys

import numpy as np

from kiln_ctypes import NARROW, STORAGE, WIDE, arguments, opened

try:
    import ml_dtypes
except ImportError:
    print("SKIP types of at most 8 bits: no ml_dtypes for this Python (ci/setup jax)\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)

FLOATS = [name for name in NARROW if name[0] == "f"]
INTS = [name for name in NARROW if name[0] != "f"]
BITS = {"i2": 2, "u2": 2, "i4": 4, "u4": 4, "f4e2m1fn": 4}
OTHER = {"bf16": ml_dtypes.bfloat16, "bool": np.bool_, **{name: getattr(ml_dtypes, NARROW[name]) for name in NARROW}}
RANDOM = 4000
BLOCK = 512


def kind(name):
    """The NumPy type that holds values of an element type."""
    return np.dtype(OTHER.get(name, STORAGE[name]))


def is_float(name):
    return "f" in name


def stored(values, name):
    """Values -> what Kiln has in memory."""
    return np.ascontiguousarray(values).view(STORAGE[name])


# ---- values to convert ----

def every_value(name):
    return np.arange(1 << BITS.get(name, 8 * kind(name).itemsize)).astype(f"u{kind(name).itemsize}").view(kind(name))


def middles(target):
    """Between all neighbours of a float type, and what lies next to these, as f64."""
    with np.errstate(all="ignore"):
        values = every_value(target).astype(np.float64) if kind(target).itemsize < 4 else np.array([1.0, 2.0])
    values = np.unique(values[np.isfinite(values)])
    return np.concatenate([values, (values[1:] + values[:-1]) / 2])


def sources(name, rng):
    if name == "bool":
        return np.array([False, True])
    if kind(name).itemsize <= 2:
        return np.concatenate([every_value(name)] * (16 if kind(name).itemsize == 1 else 1))
    bits = rng.integers(0, 1 << 63, RANDOM, dtype=np.uint64) * 2 + rng.integers(0, 2, RANDOM, dtype=np.uint64)
    if not is_float(name):
        return (bits >> rng.integers(0, 64, RANDOM).astype(np.uint64)).astype(STORAGE[name])
    points = np.concatenate([middles(target) for target in FLOATS]).astype(kind(name))
    near = [np.nextafter(points, kind(name).type(end)) for end in (-np.inf, np.inf)]
    random = bits.astype(np.uint64 if name == "f64" else np.uint32).view(kind(name))
    large = np.array([1e30, -1e30, 3e38, -3e38, np.inf, -np.inf, np.nan, -np.nan, 0.0, -0.0], kind(name))
    return np.concatenate([points, *near, points * (1 + kind(name).type(2.0 ** -22)), random, large])


# ---- what comes of them ----

def rounded_to_odd(values):
    """f64 -> f32: what is inexact gets its last bit set, so that a further rounding is exact."""
    nearest = values.astype(np.float32)
    bits = nearest.view(np.uint32)
    further = np.abs(nearest.astype(np.float64)) > np.abs(values)
    inexact = (nearest.astype(np.float64) != values) & ~np.isnan(values)
    return np.where(inexact, (bits - further) | 1, bits).astype(np.uint32).view(np.float32)


def to_integer(wide, name):
    """f64 -> integer: truncates and saturates, NaN gives 0."""
    bits = BITS.get(name, 8 * kind(name).itemsize)
    low, high = (0, (1 << bits) - 1) if name[0] == "u" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    whole = [0 if np.isnan(x) else low if x <= low else high if x >= high else int(x) for x in wide.tolist()]
    return np.array([value & ((1 << bits) - 1) for value in whole], f"u{kind(name).itemsize}").view(STORAGE[name])


def wrapped(values, name):
    """Integers -> narrower or wider ones, stored."""
    bits = BITS.get(name, 8 * kind(name).itemsize)
    return (values.astype(np.int64).view(np.uint64) & np.uint64((1 << bits) - 1)).astype(f"u{kind(name).itemsize}").view(STORAGE[name])


def to_float(values, source, target):
    if not is_float(source) or kind(source).itemsize < 4:
        wide = values.astype(np.float32)
    else:
        wide = rounded_to_odd(values) if source == "f64" else values
    if source.endswith("fnuz"):
        wide = np.where(np.isnan(wide), np.float32(np.nan), wide)
    if target in ("f32", "f64"):
        return stored(values.astype(kind(target)), target)
    result = stored(wide.astype(kind(target)), target)
    return np.where(np.isnan(wide), np.uint8(8), result) if target == "f4e2m1fn" else result


def expected(values, source, target):
    with np.errstate(all="ignore"):
        if target == "bool":
            return (values.astype(np.float64 if is_float(source) else np.int64) != 0).astype(np.uint8)
        if is_float(target):
            return to_float(values, source, target)
        return to_integer(values.astype(np.float64), target) if is_float(source) else wrapped(values, target)


def differences(found, want, target):
    wrong = found != want
    if target in ("f16", "bf16", "f32", "f64"):  # NaN is NaN
        wrong &= ~(np.isnan(found.view(kind(target)).astype(np.float64)) & np.isnan(want.view(kind(target)).astype(np.float64)))
    return wrong


# ---- tests ----

class Tests:
    def __init__(self, kiln, on_device, verbose):
        self.kiln, self.on_device, self.verbose = kiln, on_device, verbose
        self.passed = self.failed = self.skipped = 0

    def missing(self, name):
        return self.on_device and ((name in ("i64", "u64") and not self.kiln.i64) or (name == "f64" and not self.kiln.f64))

    def check(self, label, found, want, target, given=None):
        wrong = differences(found, want, target)
        if not wrong.any():
            self.passed += 1
            if self.verbose:
                print(f"ok   {label}")
            return
        self.failed += 1
        at = int(np.argwhere(wrong.reshape(-1))[0, 0])
        told = f" of {given.reshape(-1)[at]!r}" if given is not None else ""
        print(f"FAIL {label}: {wrong.sum()} of {wrong.size} wrong, first at {at}{told}: {found.reshape(-1)[at]:#x}, "
              f"expected {want.reshape(-1)[at]:#x}" if found.dtype.kind != "f" else
              f"FAIL {label}: {wrong.sum()} of {wrong.size} wrong, first at {at}{told}: {found.reshape(-1)[at]}, expected {want.reshape(-1)[at]}")

    def run(self, text, inputs, outputs):
        """Outputs (stored) of kernel k for stored inputs: [(array, type)], [(shape, type)]."""
        made = [(np.zeros(shape, STORAGE[name]), name) for shape, name in outputs]
        self.kiln.run_text(text, inputs + made, self.on_device)
        return [data for data, _ in made]

    def conversions(self, source, rng):
        targets = [name for name in [*WIDE, *NARROW] if name != source and (source in NARROW or name in NARROW)]
        skipped = [name for name in targets if self.missing(source) or self.missing(name)]
        self.skipped += len(skipped)
        targets = [name for name in targets if name not in skipped]
        values = sources(source, rng)
        data = stored(values, source)
        step = 4 if self.on_device else len(targets)
        for start in range(0, len(targets), step):
            some = targets[start:start + step]
            outs = ", ".join(f"y{k}: {name}[N]" for k, name in enumerate(some))
            blocks = "".join(f"  block y{k} ({BLOCK}) at (i)\n" for k in range(len(some)))
            body = "".join(f"  y{k}[...] = {name}(x[...])\n" for k, name in enumerate(some))
            text = f"kernel k(x: {source}[N]) -> ({outs}) {{\n  grid i: cdiv(N, {BLOCK}) parallel\n  block x ({BLOCK}) at (i)\n{blocks}{body}}}\n"
            found = self.run(text, [(data, source)], [(data.shape, name) for name in some])
            for name, result in zip(some, found):
                self.check(f"{source} to {name}", result, expected(values, source, name), name, values)

    def integers(self, name):
        """Every pair of operands, by Python's integers."""
        bits, signed = BITS[name], name[0] == "i"
        every = np.arange(1 << bits)
        value = lambda pattern: pattern - (1 << bits) if signed and pattern >> (bits - 1) else pattern
        a, b = np.repeat(every, 1 << bits), np.tile(every, 1 << bits)
        divide = lambda x, y: -1 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        inside = lambda y: 0 <= y < bits
        ops = {"a[...] + b[...]": lambda x, y: x + y, "a[...] - b[...]": lambda x, y: x - y, "a[...] * b[...]": lambda x, y: x * y,
               "a[...] / b[...]": divide, "a[...] % b[...]": lambda x, y: x if y == 0 else x - y * divide(x, y),
               "a[...] << b[...]": lambda x, y: x << y if inside(y) else 0,
               "a[...] >> b[...]": lambda x, y: x >> y if inside(y) else -1 if x < 0 else 0,
               "shr_logical(a[...], b[...])": lambda x, y: (x & ((1 << bits) - 1)) >> y if inside(y) else 0,
               "max(a[...], b[...])": max, "min(a[...], b[...])": min, "a[...] ^ b[...]": lambda x, y: x ^ y, "!a[...]": lambda x, y: ~x,
               "-a[...]": lambda x, y: -x, "abs(a[...])": lambda x, y: abs(x), "select(a[...] < b[...], a[...], b[...])": min}
        outs = ", ".join(f"y{k}: {name}[{a.size}]" for k in range(len(ops)))
        body = "\n".join(f"  y{k}[...] = {text}" for k, text in enumerate(ops))
        found = self.run(f"kernel k(a: {name}[{a.size}], b: {name}[{a.size}]) -> ({outs}) {{\n{body}\n}}\n",
                         [(a.astype(np.uint8), name), (b.astype(np.uint8), name)], [(a.shape, name)] * len(ops))
        for (text, meaning), result in zip(ops.items(), found):
            want = [meaning(value(x), value(y)) & ((1 << bits) - 1) for x, y in zip(a.tolist(), b.tolist())]
            self.check(f"{name} {text}", result, np.array(want, np.uint8), name)

    def arithmetic(self, name):
        """Every pair of operands: computed in f32, rounded once."""
        every = every_value(name)
        a, b = np.repeat(every, every.size), np.tile(every, every.size)
        with np.errstate(all="ignore"):
            x, y = a.astype(np.float32), b.astype(np.float32)
            ops = {"a[...] + b[...]": x + y, "a[...] * b[...]": x * y, "max(a[...], b[...])": np.maximum(x, y), "-a[...]": -x,
                   "f32(a[...]) - f32(b[...])": x - y}
        types = [name] * 4 + ["f32"]
        outs = ", ".join(f"y{k}: {kind_}[N]" for k, kind_ in enumerate(types))
        blocks = "".join(f"  block {p} ({BLOCK}) at (i)\n" for p in ["a", "b"] + [f"y{k}" for k in range(5)])
        body = "".join(f"  y{k}[...] = {text}\n" for k, text in enumerate(ops))
        found = self.run(f"kernel k(a: {name}[N], b: {name}[N]) -> ({outs}) {{\n  grid i: cdiv(N, {BLOCK}) parallel\n{blocks}{body}}}\n",
                         [(stored(a, name), name), (stored(b, name), name)], [(a.shape, target) for target in types])
        tiny = (np.abs(x) < 2.0 ** -125) | (np.abs(y) < 2.0 ** -125) if name == "f8e8m0fnu" and self.on_device else np.zeros(x.shape, bool)
        for target, (text, wide), result in zip(types, ops.items(), found):
            with np.errstate(all="ignore"):
                want = expected(wide, "f32", target) if target != "f32" else wide
                flushed = tiny | ((np.abs(wide) < 2.0 ** -125) & (wide != 0)) if self.on_device else tiny
            nan = np.isnan(wide)  # the sign of a NaN that arithmetic makes is nobody's promise
            self.check(f"{name} {text}", np.where(flushed | nan, 0, result), np.where(flushed | nan, 0, want), target)
            if target != "f32":
                same = stored(np.array([np.nan], np.float32).astype(kind(name)), name)[0] if name != "f4e2m1fn" else 8
                self.check(f"{name} {text}, NaN", result[nan] & 0x7f | 0x80 & same, np.full(nan.sum(), same), target)

    def reductions(self, name):
        """In f32, rounded once; from all values that leave room for the sum."""
        with np.errstate(all="ignore"):
            rows = np.random.default_rng(5).normal(size=(6, 40)).astype(np.float32).astype(kind(name))
            if name == "f8e8m0fnu":
                rows = np.exp2(np.random.default_rng(5).integers(0, 3, (6, 40))).astype(np.float32).astype(kind(name))
            wide = rows.astype(np.float32)
            found = self.run(f"kernel k(x: {name}[6, 40]) -> (s: {name}[6], m: {name}[40], a: i32[6]) {{\n  s[...] = sum(x[...], axis: 1)\n"
                             "  m[...] = max(x[...], axis: 0)\n  a[...] = argmin(x[...], axis: 1)\n}\n", [(stored(rows, name), name)],
                             [((6,), name), ((40,), name), ((6,), "i32")])
            self.check(f"{name} sum", found[0], expected(wide.sum(axis=1), "f32", name), name)
            self.check(f"{name} max", found[1], expected(wide.max(axis=0), "f32", name), name)
            self.check(f"{name} argmin", found[2], wide.argmin(axis=1).astype(np.int32), "i32")

    def products(self, name):
        """dot sums in f32, or i32; `type:` asks for another."""
        rng = np.random.default_rng(9)
        a, b = (rng.integers(0 if name[0] == "u" else -2, 2, shape).astype(np.float32) for shape in ((9, 21), (21, 5)))
        if name == "f8e8m0fnu":
            a, b = np.exp2(a), np.exp2(b)
        wide, own = ("f32", "f32") if is_float(name) else ("i32", name)
        left, right = (stored(x.astype(np.int32 if name in INTS else np.float32).astype(kind(name)), name) for x in (a, b))
        found = self.run(f"kernel k(a: {name}[9, 21], b: {name}[21, 5]) -> (y: {wide}[9, 5], z: {own}[9, 5]) {{\n  y[...] = dot(a[...], b[...])\n"
                         f"  z[...] = dot(a[...], b[...], type: {own})\n}}\n", [(left, name), (right, name)], [((9, 5), wide), ((9, 5), own)])
        exact = a.astype(np.float64) @ b.astype(np.float64)
        self.check(f"{name} dot", found[0], exact.astype(STORAGE[wide]), wide)
        self.check(f"{name} dot to {own}", found[1], exact.astype(np.float32) if is_float(name) else wrapped(exact, own), own)

    def every(self):
        rng = np.random.default_rng(1)
        for source in [*NARROW, *WIDE]:
            self.conversions(source, rng)
        for name in INTS:
            self.integers(name)
        for name in FLOATS:
            self.arithmetic(name)
            self.reductions(name)
        for name in NARROW:
            self.products(name)


def main():
    chosen = arguments(("-v", {"action": "store_true"}))
    kiln = opened(chosen, "types of at most 8 bits")
    if not kiln:
        return 0
    tests = Tests(kiln, chosen.on == "vulkan", chosen.v)
    tests.every()
    if tests.skipped:
        print(f"SKIP {tests.skipped} conversions: {kiln.name} has no 64-bit types")
    print(f"{tests.passed} passed, {tests.failed} failed, {tests.skipped} skipped")
    return 1 if tests.failed else 0


if __name__ == "__main__":
    sys.exit(main())
