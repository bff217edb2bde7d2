"""Every row of the op table against jax.lax on random and edge inputs.

Integers, and float ops that the table calls exact, must have the same bits (a NaN is a NaN; XLA takes subnormals for
zero, so exact float ops are not asked about them). The others are compared with jax.lax in float64 and may be off by the
row's own number of units in the last place. Rows that are no such functions have their cases in lax_rows.py.
"""

from __future__ import annotations

import json
import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import kiln

jax = pytest.importorskip("jax")
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from lax_rows import ROWS, Case, numbers

import kiln.pallas as kp

CLASSES = {
    "sint": ("i8", "i16", "i32", "i64"),
    "uint": ("u8", "u16", "u32", "u64"),
    "float": ("f16", "bf16", "f32", "f64"),
    "bool": ("bool",),
}
DTYPES = {"bool": np.dtype(bool), "bf16": np.dtype(ml_dtypes.bfloat16)}
DTYPES |= {f"{kind}{bits}": np.dtype(f"{kind}{bits // 8}") for kind in "iu" for bits in (8, 16, 32, 64)}
DTYPES |= {f"f{bits}": np.dtype(f"f{bits // 8}") for bits in (16, 32, 64)}
# abs takes no unsigned numbers; an arithmetic shift of them keeps their top bit, unlike Kiln's `>>`.
NOT_IN_JAX = {("abs", "u"), ("shift_right_arithmetic", "u")}
FUNCTIONS = {
    "and": lax.bitwise_and,
    "or": lax.bitwise_or,
    "xor": lax.bitwise_xor,
    "not": lax.bitwise_not,
    "trunc": jnp.trunc,
    "round_even": lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
    "log2": jnp.log2,  # no function of lax before 0.12
}
# What the units of a machine say to each other: jax.lax has nothing of the kind, test_gpu_export.py has them.
OF_MACHINES = {"peer", "arrive", "wait", "test", "signal", "count", "copy", "mma", "commit", "claim", "await", "warps"}
XLA_F64 = 256  # units by which XLA's own float64 functions are off (erfc: 218)
FROM_ONE = {"lgamma", "digamma"}  # have zeros, where errors are told against 1
COUNT = 512


TABLE = json.loads(kiln.ops_json())["ops"]


def rows(form: str) -> list[dict]:
    """The table's rows of one form; those without a JAX primitive go by their own name."""
    return [{**row, "jax": row["jax"] or row["id"]} for row in TABLE if row["form"] == form]


def cases(form: str) -> list:
    """One case for each row and element type that the row takes on the host, and JAX too."""
    pairs = [(row, name) for row in rows(form) for kind in row["host"] for name in CLASSES[kind]]
    pairs = [(row, name) for row, name in pairs if (row["jax"], name[0]) not in NOT_IN_JAX]
    return [pytest.param(row, name, id=f"{row['id']}-{name}") for row, name in pairs]


def info(dtype: np.dtype):
    """Limits of a float type, of ml_dtypes too."""
    return ml_dtypes.finfo(dtype)


def edges(dtype: np.dtype) -> np.ndarray:
    """Values where ops change their ways."""
    if dtype == bool:
        return np.array([False, True])
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.array(
            [
                limits.min,
                limits.min + 1,
                0,
                1,
                2,
                3,
                7,
                limits.bits - 1,
                limits.bits,
                limits.max - 1,
                limits.max,
            ]
        ).astype(dtype)
    limits = info(dtype)
    values = [0.0, 1.0, 0.5, 1.5, 2.5, 3.0, 1e-3, 20.0, np.pi, np.inf]
    values += [float(limits.max), float(limits.smallest_normal), 1 + float(limits.eps)]
    return np.array([np.nan, *values, *(-v for v in values)]).astype(dtype)


def inputs(dtype: np.dtype, count: int, seed: int) -> list[np.ndarray]:
    """Operands: every pair of edges first, then random numbers of many sizes."""
    rng = np.random.default_rng(seed)
    special = edges(dtype)
    out = []
    for which in range(count):
        if dtype == bool:
            random = rng.integers(0, 2, COUNT).astype(bool)
        elif dtype.kind in "iu":
            random = rng.integers(0, 256, (COUNT, dtype.itemsize)).astype(np.uint8).view(dtype)[:, 0]
            random[::3] %= np.array(100, dtype)
        else:
            random = (rng.standard_normal(COUNT) * 10.0 ** rng.integers(-3, 3, COUNT)).astype(dtype)
        shape = (len(special),) * 2
        grid = np.broadcast_to(special[:, None] if which == 0 else special[None, :], shape).ravel()
        out.append(np.concatenate([grid, random]))
    return out


def kernel(row: dict, name: str, arity: int) -> kiln.Kernel:
    """Y = op(operands)."""
    kinds = ["bool" if row["result"] == "select" and i == 0 else name for i in range(arity)]
    params = ", ".join(f"x{i}: {kind}[N]" for i, kind in enumerate(kinds))
    result = "bool" if row["result"] == "bool" else name
    call = f"{row['name']}({', '.join(f'x{i}[...]' for i in range(arity))})"
    if row["infix"]:
        call = f"{row['infix']}x0[...]" if arity == 1 else f"x0[...] {row['infix']} x1[...]"
    return kiln.parse(f"kernel op({params}) -> (y: {result}[N]) {{\n  y[...] = {call}\n}}\n")["op"]


def by_lax(row: dict, operands: list[np.ndarray]) -> np.ndarray:
    """The same by jax.lax."""
    if row["jax"] == "select_n":
        condition, on_true, on_false = operands
        return np.asarray(lax.select_n(condition, on_false, on_true))
    function = FUNCTIONS.get(row["jax"]) or getattr(lax, row["jax"])
    return np.asarray(function(*map(jax.numpy.asarray, operands)))


def bits_of(values: np.ndarray) -> np.ndarray:
    """Bits, all NaNs being one and both zeros."""
    if values.dtype == bool or values.dtype.kind in "iu":
        return values
    values = np.where(np.isnan(values.astype(np.float64)), np.array(np.nan, values.dtype), values)
    return np.where(values == 0, np.array(0, values.dtype), values).view(f"u{values.dtype.itemsize}")


def units_off(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distance in units of the last place of got's type; NaN against NaN and equal infinities are 0."""
    limits = info(got.dtype)
    rounded, wide = exact.astype(got.dtype), got.astype(np.float64)
    alike = (np.isnan(wide) & np.isnan(exact)) | (bits_of(got) == bits_of(rounded))
    alike |= np.isinf(wide) & (np.abs(exact) >= float(limits.max) * (1 - 2 * float(limits.eps)))
    with np.errstate(all="ignore"):
        exponent = np.floor(np.log2(np.maximum(np.abs(exact), float(limits.smallest_normal))))
        off = np.abs(wide - exact) / (2.0**exponent * float(limits.eps))
    return np.where(alike, 0, np.where(np.isnan(off), np.inf, off))


def no_subnormals(values: np.ndarray) -> np.ndarray:
    """Where values are none, nor so near that a halved one is."""
    if values.dtype.kind in "biu":
        return np.ones(values.shape, bool)
    wide = np.abs(values.astype(np.float64))
    return (wide == 0) | ~(wide < 4 * float(info(values.dtype).smallest_normal))


def compare_exact(row: dict, operands: list[np.ndarray], got: np.ndarray) -> None:
    """The same bits, but for subnormals."""
    expected = by_lax(row, operands)
    asked = np.logical_and.reduce([no_subnormals(x) for x in [*operands, expected, got]])
    wrong = np.flatnonzero(asked & (bits_of(got) != bits_of(expected)))
    assert not len(wrong), f"{[x[wrong[0]] for x in operands]}: kiln {got[wrong[0]]!r}, lax {expected[wrong[0]]!r}"


def compare_close(row: dict, operands: list[np.ndarray], got: np.ndarray, ulp: float) -> None:
    """Within the row's units of the exact result."""
    exact = by_lax(row, [x if x.dtype == bool else x.astype(np.float64) for x in operands])
    off = units_off(got, exact) * (np.fmin(1, np.abs(exact)) if row["jax"] in FROM_ONE else 1)
    asked = np.logical_and.reduce([no_subnormals(x) for x in [*operands, got, exact.astype(got.dtype)]])
    if row["jax"] == "digamma":
        asked &= operands[0] != 0  # the pole: NaN in JAX 0.11 and Kiln, an infinity in JAX 0.12
    worst = int(np.argmax(np.where(asked, off, 0)))
    assert not asked[worst] or off[worst] <= ulp + 0.5, (
        f"{[x[worst] for x in operands]}: kiln {got[worst]!r} is {off[worst]} ulp off"
    )


@pytest.fixture(autouse=True)
def wide_types():
    """64-bit types in JAX."""
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(("row", "name"), cases("map"))
def test_map(row: dict, name: str) -> None:
    """An elementwise op."""
    dtype = DTYPES[name]
    operands = inputs(dtype, row["arity"], 1)
    if row["result"] == "select":
        operands[0] = np.random.default_rng(2).integers(0, 2, len(operands[1])).astype(bool)
    got = kernel(row, name, row["arity"])(*operands)
    if dtype.kind in "biu" or row["host_ulp"] == 0:
        compare_exact(row, operands, got)
    else:
        compare_close(row, operands, got, XLA_F64 if name == "f64" else row["host_ulp"])


def rows_of_numbers(dtype: np.dtype) -> np.ndarray:
    """Small numbers, of which sums and products stay in range."""
    rng = np.random.default_rng(3)
    if dtype == bool:
        return rng.integers(0, 2, (7, 33)).astype(bool)
    return rng.integers(-2 if dtype.kind != "u" else 0, 3, (7, 33)).astype(dtype)


REDUCTIONS = {
    "reduce_sum": (0, lax.add), "reduce_prod": (1, lax.mul), "reduce_or": (0, lax.bitwise_or),
    "reduce_and": (-1, lax.bitwise_and), "reduce_xor": (0, lax.bitwise_xor),
}  # fmt: skip


def reduce_by_lax(name: str, x: np.ndarray, axis: int) -> np.ndarray:
    """A reduction over one axis."""
    if name in ("argmax", "argmin"):
        return np.asarray(getattr(lax, name)(x, axis, np.int32))
    if name in ("reduce_max", "reduce_min"):
        return np.asarray((jax.numpy.max if name == "reduce_max" else jax.numpy.min)(x, axis=axis))
    start, combine = REDUCTIONS[name]
    first = np.array(-1).astype(x.dtype) if start < 0 and x.dtype != bool else np.array(start, x.dtype)
    return np.asarray(
        lax.reduce(
            x,
            np.array(True) if start < 0 and x.dtype == bool else first,
            combine,
            (axis,),
        )
    )


@pytest.mark.parametrize(("row", "name"), cases("reduce"))
def test_reduce(row: dict, name: str) -> None:
    """A reduction over each axis."""
    x = rows_of_numbers(DTYPES[name])
    for axis, shape in ((0, "N"), (1, "M")):
        kind = "i32" if row["jax"] in ("argmax", "argmin") else name
        text = f"kernel r(x: {name}[M, N]) -> (y: {kind}[{shape}]) {{\n  y[...] = {row['name']}(x[...], axis: {axis})\n}}\n"
        expected = reduce_by_lax(row["jax"], x, axis)
        assert np.array_equal(kiln.parse(text)["r"](x).astype(np.float64), expected.astype(np.float64))


@pytest.mark.parametrize(("row", "name"), cases("scan"))
def test_scan(row: dict, name: str) -> None:
    """A running sum and its like, both ways."""
    x = rows_of_numbers(DTYPES[name])[:, :6]
    for reverse in (False, True):
        word = ", reverse" if reverse else ""
        text = (
            f"kernel s(x: {name}[M, N]) -> (y: {name}[M, N]) {{\n  y[...] = {row['name']}(x[...], axis: 1{word})\n}}\n"
        )
        expected = np.asarray(getattr(lax, row["jax"])(x, axis=1, reverse=reverse))
        assert np.array_equal(kiln.parse(text)["s"](x).astype(np.float64), expected.astype(np.float64))


def expected_of(case: Case, operands: list[np.ndarray]) -> np.ndarray:
    """What jax.lax makes of a case's operands."""
    return np.asarray(case.reference(*map(jnp.asarray, operands)))


def exported(case: Case, name: str, operands: list[np.ndarray], expected: np.ndarray) -> kiln.Kernel:
    """The kernel of a case, for an element type."""
    if case.text:
        return kiln.parse(re.sub(r"\bT\b", name, case.text))["k"]
    out = jax.ShapeDtypeStruct(expected.shape, expected.dtype)
    return kp.export(lambda *args: pl.pallas_call(case.body, out)(*args), *operands)[0]


def other_cases() -> list:
    """Each case of lax_rows.py with each element type."""
    return [
        pytest.param(case, name, id=f"{row}{number}-{name}")
        for row, known in ROWS.items()
        for number, case in enumerate(known)
        for name, dtype in DTYPES.items()
        if dtype.kind in case.classes and dtype.itemsize >= case.least_bytes
    ]


@pytest.mark.parametrize(("case", "name"), other_cases())
def test_other(case: Case, name: str) -> None:
    """A row that makes, moves or stores elements, or that holds others: the same bits, or a sum's last ones."""
    operands = case.inputs(DTYPES[name])
    expected = expected_of(case, operands)
    kernel = exported(case, name, operands, expected)
    assert case.text or case.mark in kernel.text
    got = kernel(*operands)
    assert got.shape == expected.shape and got.dtype == expected.dtype
    np.testing.assert_array_equal(bits_of(got), bits_of(expected))


def print_twice(x: Any) -> None:
    """What a kernel and JAX's program both print."""
    jax.debug.print("x {} of {}", x[0], 2.5)
    jax.debug.print("all {}", x)


@pytest.mark.parametrize("name", ["i32", "f32", "bool"])
def test_print(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The same text as JAX prints."""
    x = jnp.asarray(numbers(3)(DTYPES[name]))
    print_twice(x)
    jax.effects_barrier()
    expected = capfd.readouterr().out

    def body(x_ref: Any, y_ref: Any) -> None:
        print_twice(x_ref[...])
        y_ref[...] = x_ref[...]

    kp.run(pl.pallas_call(body, jax.ShapeDtypeStruct(x.shape, x.dtype)), x)
    assert capfd.readouterr().out == expected != ""


def test_check() -> None:
    """A check that fails is JAX's error, one that holds is nothing."""

    def body(x_ref: Any, y_ref: Any) -> None:
        pl.debug_check(jnp.all(x_ref[...] > 0), "not positive")
        y_ref[...] = x_ref[...]

    with pl.enable_debug_checks():
        call = pl.pallas_call(body, jax.ShapeDtypeStruct((3,), np.float32))
        np.testing.assert_array_equal(kp.run(call, jnp.ones(3, np.float32)), 1)
        with pytest.raises(kiln.Fault, match="not positive"):
            kp.run(call, jnp.zeros(3, np.float32))


def test_scope() -> None:
    """Memory of a scope, inside of another's, and values that come out of both."""

    def inner(s_ref: Any) -> Any:
        s_ref[...] = s_ref[...] * 2.0
        return pl.run_scoped(lambda t_ref: times(s_ref, t_ref), pltpu.VMEM((8,), jnp.float32)), 3.0

    def times(s_ref: Any, t_ref: Any) -> Any:
        t_ref[...] = s_ref[...] + 1.0
        return t_ref[...]

    def body(x_ref: Any, y_ref: Any) -> None:
        def outer(s_ref: Any) -> Any:
            s_ref[...] = x_ref[...]
            return inner(s_ref)

        twice, three = pl.run_scoped(outer, pltpu.VMEM((8,), jnp.float32))
        y_ref[...] = twice * three

    x = jnp.arange(8, dtype=jnp.float32)
    call = pl.pallas_call(body, jax.ShapeDtypeStruct(x.shape, x.dtype))
    np.testing.assert_array_equal(kp.run(call, x, check=True), (2 * x + 1) * 3)
    np.testing.assert_array_equal(kp.run(call, x), (2 * x + 1) * 3)


def test_every_row_has_a_case() -> None:
    """A new row of the table needs one."""
    tested = {row["id"] for form in ("map", "reduce", "scan") for row in rows(form)} | set(ROWS)
    tested |= {row["id"] for row in TABLE if f"test_{row['id']}" in globals()}
    assert sorted({row["id"] for row in TABLE} ^ (tested | OF_MACHINES)) == []
    assert all(cases(form) for form in ("map", "reduce", "scan"))
