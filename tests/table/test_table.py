#!/usr/bin/env python3
"""The table test: every op row x element type x shapes, with random and edge values, against NumPy.

  test_table.py --kiln build/dev/src/tool/kiln --library libkiln.so [--on host|vulkan] [--only REGEX] [-v]

The rows come from `kiln ops --json`, so that a new row is tested the day it exists, on every executor: a row that this file has no
reference for fails. Ops of one signature go into one kernel; when that fails each is tried alone, to name the one at fault.
On a device, exact rows must give the host's own bits.
Tolerances: the row's host_ulp or device_ulp, in units in the last place of the exact result; for float reductions, scans and dots, per
element, of the sum of magnitudes. f16 and bf16 are computed in f32 and rounded once: one unit, or none for exact rows.
Devices may take subnormal floats for zero, and elementary functions may give zero for a subnormal result anywhere: what has one of
these as an operand or a result is not compared.
"""
import collections
import json
import re
import subprocess
import sys
import time
import zlib

import numpy as np

import moves
import reference
from kiln_ctypes import STORAGE, WIDE, KilnError, arguments, opened
from reference import FLOATS, INTS

POISON = 0xC7
# A CPU driver takes a second to compile what the host runs in a millisecond: devices get fewer shapes, and smaller kernels.
Plan = collections.namedtuple("Plan", "sizes folds dots group step")
HOST = Plan([1, 7, 611], [(1, 1), (3, 17), (5, 130), (2, 1027), (3, 0), (0, 5)],
            [(1, 1, 1), (5, 7, 3), (16, 32, 24), (33, 65, 17), (3, 0, 4)], 8, 1)
DEVICE = Plan([67], [(3, 17), (3, 0)], [(5, 7, 3), (3, 0, 4)], 4, 3)
TRIG_RANGE = collections.defaultdict(lambda: 1e4, f64=1e6)  # docs/language.md: beyond it a device's sin, cos and tan lose accuracy
FLOAT_EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, np.inf, -np.inf, np.nan, 1e-3, 88.0, -103.0, 1e4, 1e-30, 3e38, -3e38]

Row = collections.namedtuple("Row", "id name form arity types host_ulp device_ulp")
# One output of a kernel: its text, the expected values, how they are compared.
Piece = collections.namedtuple("Piece", "label text expected dtype exact tolerance scale doubtful")


class Tally:
    def __init__(self, verbose):
        self.passed = self.failed = self.skipped = 0
        self.verbose, self.reasons = verbose, collections.Counter()

    def ok(self, label):
        self.passed += 1
        if self.verbose:
            print(f"ok   {label}")

    def fail(self, label, why):
        self.failed += 1
        print(f"FAIL {label}: {why}")

    def skip(self, reason, count):
        self.skipped += count
        self.reasons[reason] += count


# ---- data ----

def random_of(label):
    return np.random.default_rng(zlib.crc32(label.encode()))


def edges_of(dtype):
    if dtype == "bool":
        return np.array([0, 1], np.uint8)
    if dtype in INTS:
        info = INTS[dtype]
        values = [0, 1, 2, 3, 7, 8, info.bits - 1, info.bits, 100, info.max, info.max - 1]
        values += [-1, -2, -7, -100, info.min, info.min + 1] if info.min else [info.max // 2, info.max // 2 + 1]
        values += [0xA1112C9F] if info.max > 0xA1112C9F else []  # to f32 by way of its low 31 bits it rounds twice
        return np.array(values, STORAGE[dtype])
    precision, low, largest = FLOATS[dtype]
    tiny = np.ldexp(1.0, low)
    values = FLOAT_EDGES + [largest, -largest, tiny, -tiny, tiny / 4]
    return reference.to_storage(np.array(values, np.longdouble if dtype == "f64" else np.float64), dtype)


def random_values(dtype, count, rng):
    """Integers of every magnitude; floats of every sign, half of them near 1, the rest over a wide range."""
    if dtype == "bool":
        return rng.integers(0, 2, count, dtype=np.uint8)
    if dtype in INTS:
        info = INTS[dtype]
        full = rng.integers(info.min, info.max, count, dtype=STORAGE[dtype], endpoint=True)
        return full >> rng.integers(0, info.bits, count).astype(STORAGE[dtype])
    values = rng.normal(size=count) * np.where(rng.random(count) < 0.5, 1.0, np.exp2(rng.integers(-12, 12, count)))
    return reference.to_storage(values, dtype)


def operands_of(label, dtype, arity, count):
    """Operands: all pairs of edge values first, then random ones."""
    rng, edges = random_of(label), edges_of(dtype)
    columns = []
    for k in range(arity):
        crossed = np.tile(edges, len(edges)) if k % 2 == 0 else np.repeat(edges, len(edges))
        if arity == 3:
            crossed = rng.permutation(crossed)
        column = np.concatenate([crossed, random_values(dtype, count, rng)])
        columns.append(column)
    start = 0 if count > len(columns[0]) else rng.integers(0, len(columns[0]) - count + 1)
    if count < len(columns[0]) and count > 60:
        picked = np.sort(rng.permutation(len(columns[0]))[:count])
        return [np.ascontiguousarray(c[picked]) for c in columns]
    return [np.ascontiguousarray(c[start:start + count]) for c in columns]


# ---- comparison ----

def is_subnormal(data, dtype):
    wide = np.abs(reference.widen(data, dtype) if data.dtype == STORAGE[dtype] else data)
    return (wide > 0) & (wide < np.ldexp(1.0, FLOATS[dtype][1]))


def float_errors(found, piece):
    """Where a float output is wrong, as a mask."""
    expected, dtype = np.asarray(piece.expected), piece.dtype
    wide = reference.widen(found, dtype)
    with np.errstate(all="ignore"):
        if piece.tolerance == 0:
            rounded = reference.widen(reference.to_storage(expected, dtype), dtype)
            good = (wide == rounded) | (np.isnan(wide) & np.isnan(rounded))
        else:
            unit = reference.ulp(expected if piece.scale is None else piece.scale, dtype)
            largest = FLOATS[dtype][2]
            limited = np.clip(expected, -2 * np.longdouble(largest), 2 * np.longdouble(largest)) if dtype != "f64" else expected
            near = np.abs(wide - limited) <= piece.tolerance * unit
            overflow = np.isinf(wide) & (np.sign(wide) == np.sign(expected)) & (np.abs(expected) + piece.tolerance * unit > largest)
            unsure = ~np.isfinite(piece.scale) if piece.scale is not None else False
            good = near | (wide == expected) | overflow | (np.isnan(wide) & np.isnan(expected)) | (unsure & ~np.isfinite(wide))
    return ~good


def wrong_places(found, piece):
    if piece.exact:
        if piece.dtype in FLOATS:
            a, b = reference.widen(found, piece.dtype), reference.widen(np.asarray(piece.expected, STORAGE[piece.dtype]), piece.dtype)
            wrong = ~((a == b) | (np.isnan(a) & np.isnan(b)))
        else:
            wrong = found != piece.expected
    else:
        wrong = float_errors(found, piece)
    if piece.doubtful is not None:
        wrong &= ~piece.doubtful
    return wrong


def check_piece(piece, found, inputs):
    """Empty, or what is wrong with one output."""
    wrong = np.atleast_1d(wrong_places(found, piece))
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    show = lambda data, dtype: str(reference.widen(np.atleast_1d(data), dtype)[at])
    given = ", ".join(show(data, dtype) for data, dtype in inputs if np.shape(data) == wrong.shape)
    expected = np.atleast_1d(piece.expected)[at]
    return (f"{wrong.sum()} of {wrong.size} wrong, first at {list(at)}: ({given}) gave {show(found, piece.dtype)}, expected {expected}"
            f"{f' within {piece.tolerance} ulp' if piece.tolerance else ''}")


# ---- kernels ----

class Executor:
    """Runs kernels where asked, and on the host beside it when that is a device."""

    def __init__(self, kiln, on_device):
        self.kiln, self.on_device = kiln, on_device
        self.plan = DEVICE if on_device else HOST

    def missing(self, dtypes):
        """Why kernels of these types cannot run, or nothing."""
        wide = [t for t in dtypes if (t in ("i64", "u64") and not self.kiln.i64) or (t == "f64" and not self.kiln.f64)]
        return f"{self.kiln.name} has no {wide[0]}" if wide else ""

    def run(self, text, inputs, outputs, on_device):
        module = self.kiln.parse(text)
        try:
            made = []
            for shape, dtype in outputs:
                data = np.empty(shape, STORAGE[dtype])
                data.view(np.uint8).fill(POISON) if data.size else None
                made.append((data, dtype))
            self.kiln.run(module, "k", inputs + made, on_device)
            return [data for data, _ in made]
        finally:
            self.kiln.destroy(module)


def type_text(dtype, shape):
    return f"{dtype}[{', '.join(map(str, shape))}]" if shape else dtype


def kernel_text(inputs, pieces):
    """One kernel that computes all pieces, and the outputs that it has: pieces of one type share one, stacked."""
    groups = {}
    for piece in pieces:
        groups.setdefault((piece.dtype, np.shape(piece.expected)), []).append(piece)
    ins = ", ".join(f"{name}: {type_text(dtype, data.shape)}" for name, data, dtype in inputs)
    outs, body, places = [], [], []
    for number, ((dtype, shape), members) in enumerate(groups.items()):
        outs.append(((len(members), *shape), dtype))
        for k, piece in enumerate(members):
            body.append(f"  y{number}[{', '.join([str(k)] + [':'] * len(shape))}] = {piece.text}")
            places.append((piece, number, k))
    params = ", ".join(f"y{n}: {type_text(dtype, shape)}" for n, (shape, dtype) in enumerate(outs))
    prelude = moves.PRELUDE if any("_" in piece.text for piece in pieces) else ""
    return f"{prelude}kernel k({ins}) -> ({params}) {{\n" + "\n".join(body) + "\n}\n", outs, places


def can_run(executor, tally, inputs, pieces):
    """The pieces that the executor has the types for; the others are counted as skipped."""
    able = []
    for piece in pieces:
        reason = executor.missing([dtype for _, _, dtype in inputs] + [piece.dtype])
        tally.skip(reason, 1) if reason else able.append(piece)
    return able


def run_pieces(executor, tally, label, inputs, pieces):
    """Runs pieces in one kernel and checks each; after a failure to run at all, each alone."""
    pieces = can_run(executor, tally, inputs, pieces)
    if not pieces:
        return None
    text, outs, places = kernel_text(inputs, pieces)
    data = [(values, dtype) for _, values, dtype in inputs]
    try:
        found = executor.run(text, data, outs, executor.on_device)
        host = executor.run(text, data, outs, False) if executor.on_device else found
    except KilnError as error:
        if len(pieces) > 1:
            for piece in pieces:
                run_pieces(executor, tally, label, inputs, [piece])
        else:
            tally.fail(f"{label} {pieces[0].label}", f"{error}\n{text}")
        return None
    for piece, number, k in places:
        why = check_piece(piece, found[number][k], data)
        if not why and executor.on_device and (piece.exact or piece.tolerance == 0):
            why = same_bits(piece, found[number][k], host[number][k])
        tally.fail(f"{label} {piece.label}", f"{why}\n     {piece.text}") if why else tally.ok(f"{label} {piece.label}")
    return None


def run_groups(executor, tally, label, inputs, pieces):
    """Many pieces, some to a kernel."""
    step = executor.plan.group
    for start in range(0, len(pieces), step):
        run_pieces(executor, tally, label, inputs, pieces[start:start + step])


def same_bits(piece, found, host):
    wrong = np.atleast_1d(found != host)
    if piece.dtype in FLOATS:
        ours, theirs = reference.widen(found, piece.dtype), reference.widen(host, piece.dtype)
        wrong &= ~(np.isnan(ours) & np.isnan(theirs))
        if " axis " in piece.label:  # a reduction of zeros of both signs gives one of them: its order is not promised
            wrong &= ~((ours == 0) & (theirs == 0))
    if piece.doubtful is not None:
        wrong &= ~piece.doubtful
    return f"{wrong.sum()} of {wrong.size} differ from the host" if wrong.any() else ""


def tolerance_of(row, dtype, device, extent=1):
    """In units of the output type. f16 and bf16 are computed in f32 and rounded at the end; by scans at every step."""
    units = row.device_ulp if device else row.host_ulp
    if units and dtype in ("f16", "bf16") and row.form in ("map", "reduce"):
        return max(1, -(-units * extent // 256))
    return units * extent


# ---- the rows ----

def map_text(row, infix):
    names = ["a", "b", "c"][:row.arity]
    if row.id == "select":
        return "select(m[...], a[...], b[...])"
    if infix and row.arity == 2:
        return f"a[...] {infix} b[...]"
    if infix:
        return f"{infix}a[...]"
    return f"{row.name}({', '.join(name + '[...]' for name in names)})"


def map_piece(row, infix, dtype, operands, device):
    arity = 2 if row.id == "select" else row.arity
    used = operands[:row.arity] if row.id != "select" else [operands[3], operands[0], operands[1]]
    expected, result, exact = reference.elementwise(row.id, dtype, used)
    tolerance, doubtful = tolerance_of(row, dtype, device), None
    if dtype in FLOATS and device:
        doubtful = np.any([is_subnormal(o, dtype) for o in operands[:arity]], axis=0)
        if row.id in ("sin", "cos", "tan"):
            doubtful |= ~(np.abs(reference.widen(operands[0], dtype)) <= TRIG_RANGE[dtype]) & np.isfinite(reference.widen(operands[0], dtype))
    if result in FLOATS and not exact and (device or tolerance):
        tiny = is_subnormal(expected, dtype) | (np.abs(expected) < np.ldexp(1.0, FLOATS[dtype][1] + 1)) & (expected != 0)
        doubtful = tiny if doubtful is None else doubtful | tiny
    scale = np.maximum(np.abs(expected), 1) if row.id in reference.ABSOLUTE else None
    return Piece(row.id, map_text(row, infix), expected, result, exact, tolerance, scale, doubtful)


def test_maps(executor, tally, rows, infixes, dtype):
    rows = [row for row in rows if row.form == "map" and reference.element_class(dtype) in row.types]
    for size in executor.plan.sizes:
        label = f"{dtype}[{size}]"
        operands = operands_of(label, dtype, 3, size)
        operands = operands_of(label + " 2", dtype, 2, size) + operands[:1] if size > 60 else operands
        operands.append(random_values("bool", size, random_of(label)))
        names = [("a", operands[0], dtype), ("b", operands[1], dtype), ("c", operands[2], dtype), ("m", operands[3], "bool")]
        run_groups(executor, tally, label, names, [map_piece(row, infixes[row.id], dtype, operands, executor.on_device) for row in rows])


def reduction_input(label, dtype, shape):
    """Small whole numbers and simple fractions: sums neither overflow nor are all zero."""
    rng = random_of(label)
    if dtype in FLOATS:
        return reference.to_storage(rng.normal(size=shape), dtype)
    return random_values(dtype, int(np.prod(shape)), rng).reshape(shape)


def reduce_pieces(row, dtype, data, device):
    pieces = []
    for axis in (0, 1, None):
        if row.id in ("argmax", "argmin") and axis is None:
            continue
        found, result, exact, scale = reference.reduce(row.name, data, dtype, axis)
        extent = data.size if axis is None else data.shape[axis]
        text = f"{row.name}(x[...]{'' if axis is None else f', axis: {axis}'})"
        pieces.append(Piece(f"{row.name} axis {axis}", text, np.asarray(found), result, exact,
                            tolerance_of(row, dtype, device, max(extent, 1)), scale, None))
    return pieces


def scan_pieces(row, dtype, data, device):
    pieces = []
    for axis, backward in ((0, False), (1, False), (1, True)):
        found, result, exact, scale = reference.scan(row.name, data, dtype, axis, backward)
        text = f"{row.name}(x[...], axis: {axis}{', reverse' if backward else ''})"
        pieces.append(Piece(text, text, found, result, exact, tolerance_of(row, dtype, device, data.shape[axis]), scale, None))
    return pieces


def test_folds(executor, tally, rows, dtype):
    rows = [row for row in rows if row.form in ("reduce", "scan") and reference.element_class(dtype) in row.types]
    for shape in executor.plan.folds:
        label = f"{dtype}{list(shape)}"
        data = reduction_input(label, dtype, shape)
        pieces = []
        for row in rows:
            if 0 in shape and (row.form == "scan" or row.id in ("argmax", "argmin")):
                continue
            make = reduce_pieces if row.form == "reduce" else scan_pieces
            pieces += make(row, dtype, data, executor.on_device)
        run_groups(executor, tally, label, [("x", data, dtype)], pieces)
    test_fold_edges(executor, tally, rows, dtype)


def test_fold_edges(executor, tally, rows, dtype):
    """NaN, infinities and ties: what an order-free reduction must still get right."""
    rows = [row for row in rows if row.host_ulp == 0]
    edges = edges_of(dtype)
    if executor.on_device and dtype in FLOATS:
        edges = edges[~is_subnormal(edges, dtype)]
    data = np.stack([np.roll(edges, shift) for shift in range(2)] + [np.repeat(edges[:1], len(edges))])
    pieces = []
    for row in rows:
        pieces += (reduce_pieces if row.form == "reduce" else scan_pieces)(row, dtype, data, executor.on_device)
    run_groups(executor, tally, f"{dtype} edges", [("x", data, dtype)], pieces)


def shape_pieces(dtype, x, v):
    """Every op that moves elements; x is [4, 6], v [6]; results of the same two shapes, to share outputs."""
    zero = {"bool": "false"}.get(dtype, "0.0" if dtype in FLOATS else "0")
    one, small = np.ones((), np.uint8), np.arange(4)[:, None]
    number = lambda values: reference.convert(np.asarray(values, np.int32), "i32", dtype)
    padded = lambda low, high, inner: pad(x[:2, :3] if inner else x, low, high, inner)
    rows = {
        "full": (f"full({'true' if dtype == 'bool' else '1'}, {dtype}[4, 6])", number(np.broadcast_to(one, (4, 6)))),
        "broadcast": ("broadcast(v[...], shape: [4, 6])", np.broadcast_to(v, (4, 6))),
        "broadcast axes": ("broadcast(x[:, 1], shape: [4, 6], axes: [0])", np.broadcast_to(x[:, 1:2], (4, 6))),
        "reshape": ("reshape(x[...], shape: [6, 4])", x.reshape(6, 4)),
        "transpose": ("transpose(x[...])", x.T),
        "concatenate 0": ("concatenate(x[2 : 2, :], x[0 : 2, :], axis: 0)", np.concatenate([x[2:], x[:2]])),
        "concatenate 1": ("concatenate(x[:, 5 : 1], x[:, 0 : 5], axis: 1)", np.concatenate([x[:, 5:], x[:, :5]], axis=1)),
        "slice": ("concatenate(slice(x[...], start: [0, 1], size: [4, 3], stride: [1, 2]), x[:, 0 : 3], axis: 1)",
                  np.concatenate([x[:, 1::2], x[:, :3]], axis=1)),
        "pad": (f"pad(x[...], {zero}, low: [1, -1], high: [-1, 1], interior: [0, 0])", padded((1, -1), (-1, 1), None)),
        "pad inside": (f"pad(x[0 : 2, 0 : 3], {zero}, low: [0, 0], high: [1, 1], interior: [1, 1])", padded((0, 0), (1, 1), 1)),
        "reverse 0": ("reverse(x[...], axes: [0])", x[::-1]),
        "reverse 1": ("reverse(x[...], axes: [-1])", x[:, ::-1]),
        "reverse all": ("reverse(x[...], axes: [0, 1])", x[::-1, ::-1]),
    }
    if dtype != "bool":
        rows["iota 0"] = (f"iota({dtype}[4, 6], axis: 0)", number(np.broadcast_to(small, (4, 6))))
        rows["iota 1"] = (f"iota({dtype}[4, 6], axis: 1)", number(np.broadcast_to(np.arange(6), (4, 6))))
    return [Piece(label, text, np.ascontiguousarray(expected), dtype, True, 0, None, None) for label, (text, expected) in rows.items()]


def pad(x, low, high, inner):
    """lax.pad with zeros: interior first, then low and high, where negative amounts crop."""
    step = 1 + (inner or 0)
    spread = np.zeros([(n - 1) * step + 1 for n in x.shape], x.dtype)
    spread[::step, ::step] = x
    for axis in range(2):
        spread = np.pad(spread, [(max(low[d], 0), max(high[d], 0)) if d == axis else (0, 0) for d in range(2)])
        start, end = max(-low[axis], 0), spread.shape[axis] - max(-high[axis], 0)
        spread = np.take(spread, range(start, end), axis=axis)
    return spread


def test_shapes(executor, tally, dtype):
    x = random_values(dtype, 24, random_of(dtype)).reshape(4, 6)
    v = random_values(dtype, 6, random_of(dtype + " v"))
    run_groups(executor, tally, f"{dtype}[4, 6]", [("x", x, dtype), ("v", v, dtype)], shape_pieces(dtype, x, v))


def joins_of(dtype):
    """What scatters combine by: on storage, rounded each time."""
    def joined(op):
        def join(a, b):
            with np.errstate(all="ignore"):
                if dtype in FLOATS:
                    return reference.to_storage(op(reference.widen(np.asarray(a), dtype), reference.widen(np.asarray(b), dtype)), dtype)
                return op(np.asarray(a), np.asarray(b)).astype(a.dtype)
        return join
    ops = {"min": np.minimum, "max": np.maximum} if dtype == "bool" else {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}
    return {"set": lambda _, b: b, **{name: joined(op) for name, op in ops.items()}}


def test_moves(executor, tally, dtype):
    """Elements at computed places, and sorts: of data with ties, zeros of both signs and NaN."""
    rng = random_of(dtype + " moves")
    x = random_values(dtype, 24, rng)
    x[[3, 8, 9, 14, 20]] = x[5]
    if dtype in FLOATS:
        x[[1, 7, 22]] = reference.to_storage(np.array([0.0, -0.0, np.nan]), dtype)
    x, data = x.reshape(4, 6), moves.inputs(rng)
    names = [("x", x, dtype)] + [(name, values, "i32") for name, values in data.items()]
    pieces = []
    for label, text, expected in moves.moves(x, dtype, data, joins_of(dtype)):
        result = "i32" if label in ("sort moves", "sort by two", "top places") else dtype
        pieces.append(Piece(label, text, np.ascontiguousarray(expected), result, True, 0, None, None))
    run_groups(executor, tally, dtype + " moves", names, pieces if not executor.on_device else pieces[::executor.plan.step])


def test_powers(executor, tally, dtype):
    """Whole powers, and the numbers of smaller formats."""
    if dtype == "bool":
        return
    data, pieces = np.concatenate([edges_of(dtype), random_values(dtype, 60, random_of(dtype))]), []
    doubtful = is_subnormal(data, dtype) if dtype in FLOATS and executor.on_device else None
    for exponent in (0, 1, 3, 6) + ((-2,) if dtype in FLOATS else ()):
        expected, exact = reference.integer_pow(data, dtype, exponent)
        unsure = doubtful
        if dtype in FLOATS:
            tiny = (np.abs(expected) < np.ldexp(1.0, FLOATS[dtype][1] + 1)) | (np.abs(expected) > FLOATS[dtype][2] / 2)
            unsure = tiny if doubtful is None else doubtful | tiny
        pieces.append(Piece(f"integer_pow {exponent}", f"integer_pow(x[...], exponent: {exponent})", expected, dtype, exact,
                            0 if exact else 6, None, unsure))
    for exponent, mantissa in ((5, 2), (8, 7), (5, 10), (4, 3), (11, 52)) if dtype in FLOATS else ():
        expected = reference.reduce_precision(data, dtype, exponent, mantissa)
        pieces.append(Piece(f"reduce_precision {exponent} {mantissa}", f"reduce_precision(x[...], exponent: {exponent}, mantissa: {mantissa})",
                            expected, dtype, True, 0, None, doubtful))
    run_groups(executor, tally, dtype, [("x", data, dtype)], pieces)


def test_converts(executor, tally, dtype):
    """From one type to every type; bit casts to those of its width."""
    data = np.concatenate([edges_of(dtype), random_values(dtype, 60, random_of(dtype))])
    subnormal = is_subnormal(data, dtype) if dtype in FLOATS else np.zeros(data.shape, bool)
    pieces = []
    for target in WIDE:
        expected = reference.convert(data, dtype, target)
        doubtful = subnormal | is_subnormal(expected, target) if target in FLOATS else subnormal
        doubtful = doubtful if executor.on_device else None
        pieces.append(Piece(f"convert to {target}", f"{target}(x[...])", expected, target, True, 0, None, doubtful))
        if STORAGE[target]().itemsize != data.itemsize and "bool" not in (dtype, target):
            count = max(STORAGE[target]().itemsize // data.itemsize, 1)
            text = f"reshape(x[0 : {len(data) // count * count}], shape: [{len(data) // count}, {count}])" if count > 1 else "x[...]"
            parts = data[:len(data) // count * count].view(STORAGE[target])
            shape = (len(data) // count,) if count > 1 else (len(data), len(parts) // len(data))
            pieces.append(Piece(f"bitcast to {target}", f"bitcast({text}, type: {target})", parts.reshape(shape), target, True, 0, None,
                                is_subnormal(parts.reshape(shape), target) if target in FLOATS and executor.on_device else
                                (np.broadcast_to(subnormal[:, None], shape) if count == 1 and executor.on_device else None)))
        if STORAGE[target]().itemsize == data.itemsize and "bool" not in (dtype, target):
            pieces.append(Piece(f"bitcast to {target}", f"bitcast(x[...], type: {target})", data.view(STORAGE[target]), target, True, 0,
                                None, doubtful))
    run_groups(executor, tally, dtype, [("x", data, dtype)], pieces)


def accumulator(dtype):
    return {"i8": "i32", "u8": "i32", "i16": "i32", "u16": "i32", "f16": "f32", "bf16": "f32"}.get(dtype, dtype)


def test_dots(executor, tally, dtype):
    if dtype == "bool":
        return
    for m, k, n in executor.plan.dots:
        label, target = f"{dtype} dot {m} x {k} x {n}", accumulator(dtype)
        a = reduction_input(label + "a", dtype, (m, k))
        b = reduction_input(label + "b", dtype, (k, n))
        expected, exact, scale = reference.dot(a, b, dtype, target)
        run_pieces(executor, tally, label, [("a", a, dtype), ("b", b, dtype)],
                   [Piece("plain", "dot(a[...], b[...])", expected, target, exact, max(k, 1), scale, None),
                    Piece("transposed", "transpose(dot(b[...], a[...], lhs_contract: [0], rhs_contract: [1]))", expected, target, exact,
                          max(k, 1), scale, None)])


MIXED = [("f16", "bf16", "f32"), ("i8", "u8", "i32"), ("i8", "i32", "i32"), ("bf16", "f32", "f32"), ("i8", "f32", "f32")]


def test_mixed_dots(executor, tally):
    """Operands of two types: each is what it is in the type that is summed in."""
    for left, right, target in MIXED:
        label = f"{left} x {right}"
        a, b = reduction_input(label + "a", left, (5, 7)), reduction_input(label + "b", right, (7, 3))
        wide = [reference.convert(v, t, target) for v, t in ((a, left), (b, right))]
        expected, exact, scale = reference.dot(*wide, target, target)
        run_pieces(executor, tally, label, [("a", a, left), ("b", b, right)],
                   [Piece("dot", "dot(a[...], b[...], precision: highest)", expected, target, exact, 7, scale, None)])


SHAPE_ROWS = {"full", "size", "iota", "convert", "bitcast", "broadcast", "reshape", "transpose", "concatenate", "slice", "pad", "reverse",
              "dot", "dynamic_slice", "update", "take", "gather", "scatter", "roll", "sort", "top_k", "integer_pow", "reduce_precision"}


def check_rows(tally, rows):
    """Every row of the table is one that this test knows how to check."""
    maps = set(reference.FLOAT) | set(reference.INTEGER) | set(reference.COMPARE) | {"select", "is_finite", "nextafter"}
    for row in rows:
        known = {"map": row.id in maps, "shape": row.id in SHAPE_ROWS}.get(row.form, True)
        if not known:
            tally.fail(row.id, "the table has a row that the table test has no reference for")


def main():
    chosen = arguments(("--kiln", {"required": True}), ("--only", {"default": "", "help": "element types to test"}),
                       ("-v", {"action": "store_true"}))
    table = json.loads(subprocess.run([chosen.kiln, "ops", "--json"], check=True, capture_output=True, text=True).stdout)["ops"]
    rows = [Row(*(op[field] for field in Row._fields)) for op in table]
    infixes = {op["id"]: op["infix"] for op in table}
    tally, start = Tally(chosen.v), time.monotonic()
    kiln = opened(chosen, "the table")
    if not kiln:
        return 0
    executor = Executor(kiln, chosen.on == "vulkan")
    check_rows(tally, rows)
    for dtype in WIDE:  # the narrower ones have test_narrow.py
        if not re.search(chosen.only, dtype):
            continue
        test_maps(executor, tally, rows, infixes, dtype)
        test_folds(executor, tally, rows, dtype)
        test_shapes(executor, tally, dtype)
        test_moves(executor, tally, dtype)
        test_powers(executor, tally, dtype)
        test_converts(executor, tally, dtype)
        test_dots(executor, tally, dtype)
    if not chosen.only:
        test_mixed_dots(executor, tally)
    for reason, count in tally.reasons.items():
        print(f"SKIP {count} outputs: {reason}")
    print(f"note: {kiln.name}, {time.monotonic() - start:.1f} s")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
