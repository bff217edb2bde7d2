"""Primitives for which XLA has an operation or a formula of its own, written in other operations of jax.lax.

Each definition takes the equation and its operands and is traced; the exporter lowers what comes out. Those that JAX
itself writes in other operations need none: see decompose.py.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax._src import core as jax_core

from kiln.pallas.registry import entered_in

if TYPE_CHECKING:
    from kiln.pallas.equation import Equation

Arrays = Sequence[jax.Array]
Combine = Callable[[Arrays, Arrays], Arrays]
Definition = Callable[..., Any]
DEFINITIONS: dict[str, Definition] = {}


def defines(*primitives: str) -> Callable[[Definition], Definition]:
    """Registers what primitives mean."""
    return entered_in(DEFINITIONS, primitives)


def traced(function: Definition, eqn: Equation) -> Any:
    """The jaxpr of a definition for one equation."""
    return jax.make_jaxpr(functools.partial(function, eqn))(*eqn.in_avals)


# ---- several numbers in a word ----


def _bits(dtype: Any) -> int:
    return int(jax.dtypes.itemsize_bits(dtype))


@defines("pack_elementwise")
def _pack(eqn: Equation, *parts: jax.Array) -> jax.Array:
    """Words of narrow numbers, the first in the lowest bits; what does not fit of an integer is cut off."""
    narrow, word = jnp.dtype(eqn.params["packed_dtype"]), eqn.avals[0].dtype
    bits = _bits(narrow)
    if jnp.issubdtype(narrow, jnp.floating):
        parts = tuple(lax.bitcast_convert_type(x.astype(narrow), f"uint{bits}") for x in parts)
    fields = [(x.astype(word) & ((1 << bits) - 1)) << (k * bits) for k, x in enumerate(parts)]
    return functools.reduce(jnp.bitwise_or, fields)


@defines("unpack_elementwise")
def _unpack(eqn: Equation, x: jax.Array) -> jax.Array:
    """One narrow number of each word, made wide."""
    narrow, wide = jnp.dtype(eqn.params["packed_dtype"]), jnp.dtype(eqn.params["unpacked_dtype"])
    bits, whole = _bits(narrow), _bits(x.dtype)
    signed = jnp.issubdtype(narrow, jnp.signedinteger)
    word = lax.bitcast_convert_type(x, f"{'int' if signed else 'uint'}{whole}")
    field = (word << (whole - bits * (eqn.params["index"] + 1))) >> (whole - bits)
    if jnp.issubdtype(narrow, jnp.floating):
        field = lax.bitcast_convert_type(field.astype(f"uint{bits}"), narrow)
    return field.astype(wide)


# ---- elementwise ----

# Bernoulli numbers: 1 / ZETA[k] is the coefficient of the Euler-Maclaurin formula's term with 12 - k factors.
ZETA = (
    -7.1661652561756670113e18, 1.8152105401943546773e17, -4.5979787224074726105e15, 1.1646782814350067249e14,
    -2.950130727918164224e12, 7.47242496e10, -1.8924375803183791606e9, 47900160.0, -1209600.0, 30240.0, -720.0, 12.0,
)  # fmt: skip


def in_f32(function: Callable[..., jax.Array]) -> Definition:
    """A definition whose narrow floats are computed in f32."""

    def widened(eqn: Equation, *operands: jax.Array) -> jax.Array:
        dtype = operands[0].dtype
        wide = dtype if dtype == np.float64 else np.float32
        return function(*(x.astype(wide) for x in operands)).astype(dtype)

    return widened


def _zeta_sum(x: jax.Array, q: jax.Array) -> jax.Array:
    """Ten terms of the sum of (q + n)^-x and the rest by the formula of Euler and Maclaurin."""
    total = lax.pow(q, -x)
    for _ in range(9):
        q = q + 1
        total = total + lax.pow(q, -x)
    q = q + 1
    last = lax.pow(q, -x)
    rest = jnp.zeros_like(x)
    for k, coefficient in enumerate(ZETA[:-1]):
        rest = (x + (22 - 2 * k)) * (x + (21 - 2 * k)) / (q * q) * (rest + 1 / coefficient)
    whole = total + last * q / (x - 1) + last * (0.5 + x / q * (1 / ZETA[-1] + rest))
    return jnp.where(jnp.abs(last) < jnp.abs(total) * jnp.finfo(x.dtype).eps, total, whole)


def _zeta(x: jax.Array, q: jax.Array) -> jax.Array:
    """The Hurwitz zeta function; below q = 0 for whole x alone, and with poles at whole q."""
    pole = jnp.where(lax.rem(x, jnp.full_like(x, 2)) == 0, np.inf, np.nan)
    result = jnp.where(x < 1, np.nan, _zeta_sum(x, q))
    result = jnp.where((q <= 0) & (x != jnp.floor(x)), np.nan, result)
    result = jnp.where((q <= 0) & (q == jnp.floor(q)), pole, result)
    return jnp.where(x == 1, np.inf, result)


def _polygamma(n: jax.Array, x: jax.Array) -> jax.Array:
    """The n-th derivative of digamma."""
    sign = lax.rem(n, jnp.full_like(n, 2)) * 2 - 1
    result = jnp.where(n == 0, lax.digamma(x), sign * jnp.exp(lax.lgamma(n + 1)) * _zeta(n + 1, x))
    return jnp.where((n != jnp.floor(n)) | (n < 0), np.nan, result)


DEFINITIONS["zeta"] = in_f32(_zeta)
DEFINITIONS["polygamma"] = in_f32(_polygamma)


@defines("mulhi")
def _mulhi(eqn: Equation, a: jax.Array, b: jax.Array) -> jax.Array:
    """The upper half of a product, from products of halves; a negative factor counts as itself plus 2^bits."""
    bits = jnp.iinfo(a.dtype).bits
    half, unsigned = bits // 2, jnp.dtype(f"uint{bits}")
    mask = unsigned.type(2**half - 1)
    x, y = (lax.convert_element_type(v, unsigned) for v in (a, b))
    low = (x & mask) * (y & mask)
    across = (x >> half) * (y & mask) + (low >> half)
    middle = (x & mask) * (y >> half) + (across & mask)
    high = ((x >> half) * (y >> half) + (across >> half) + (middle >> half)).astype(a.dtype)
    if not jnp.issubdtype(a.dtype, jnp.signedinteger):
        return high
    return high - jnp.where(a < 0, b, 0) - jnp.where(b < 0, a, 0)


def _ordered(x: jax.Array) -> jax.Array:
    """Integers in the total order of floats: -NaN, -inf, .., -0, 0, .., inf, NaN."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x
    integer = jnp.dtype(f"int{x.dtype.itemsize * 8}")
    bits = lax.bitcast_convert_type(x, integer)
    return jnp.where(bits < 0, bits ^ jnp.iinfo(integer).max, bits)


@defines("eq_to", "lt_to", "le_to")
def _compare(eqn: Equation, a: jax.Array, b: jax.Array) -> jax.Array:
    """A comparison in the total order of floats."""
    return getattr(lax, eqn.name.removesuffix("_to"))(_ordered(a), _ordered(b))


@defines("iota_2x32_shape")
def _count(eqn: Equation) -> Arrays:
    """Every element its own number, in two words."""
    shape = eqn.params["shape"]
    if math.prod(shape) > 2**32:
        raise NotImplementedError("more than 2^32 elements")
    number = lax.iota(np.uint32, math.prod(shape)).reshape(shape)
    return jnp.zeros_like(number), number


# ---- reductions ----


def whole_arrays(jaxpr: Any, consts: Sequence[Any] = ()) -> Combine:
    """A computation of scalars as one of arrays, element by element."""
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    values = consts or getattr(jaxpr, "consts", ())

    def combine(a: Arrays, b: Arrays) -> Arrays:
        function: Any = functools.partial(jax_core.eval_jaxpr, inner, values)
        for _ in a[0].shape:
            function = jax.vmap(function)
        return function(*a, *b)

    return combine


def _cut(parts: Arrays, start: int, limit: int, stride: int, axis: int) -> Arrays:
    return [lax.slice_in_dim(x, start, limit, stride, axis) for x in parts]


def _halved(combine: Combine, parts: Arrays, axis: int) -> Arrays:
    """All elements along an axis combined, in order, neighbour with neighbour."""
    while (extent := parts[0].shape[axis]) > 1:
        even = extent // 2 * 2
        pairs = combine(_cut(parts, 0, even, 2, axis), _cut(parts, 1, even, 2, axis))
        last = _cut(parts, even, extent, 1, axis)
        parts = [lax.concatenate([a, b], axis) for a, b in zip(pairs, last, strict=True)] if even < extent else pairs
    return parts


@defines("reduce")
def _reduce(eqn: Equation, *operands: jax.Array) -> Arrays:
    """A reduction by a computation of its own."""
    count = len(operands) // 2
    parts, combine = list(operands[:count]), whole_arrays(eqn.params["jaxpr"])
    axes = eqn.params["dimensions"]
    for axis in axes:
        parts = _halved(combine, parts, axis)
    parts = [lax.squeeze(x, axes) for x in parts]
    return combine([jnp.full(x.shape, init) for x, init in zip(parts, operands[count:], strict=True)], parts)


def _windows(combine: Combine, parts: Arrays, axis: int, size: int, stride: int, step: int) -> Arrays:
    """The elements of every window along an axis combined, in order; `runs` are windows of 1, 2, 4, .. elements."""
    span = (parts[0].shape[axis] - (size - 1) * step - 1) // stride * stride + 1
    runs, result, first, length = parts, None, 0, 1
    while True:
        if size & length:
            piece = _cut(runs, first * step, first * step + span, stride, axis)
            result = piece if result is None else combine(result, piece)
            first += length
        if 2 * length > size:
            return result
        extent, away = runs[0].shape[axis], length * step
        runs = combine(_cut(runs, 0, extent - away, 1, axis), _cut(runs, away, extent, 1, axis))
        length *= 2


def _reduce_window(eqn: Equation, parts: Arrays, inits: Arrays, combine: Combine) -> Arrays:
    params = eqn.params
    widths = [
        (low, high, inner - 1) for (low, high), inner in zip(params["padding"], params["base_dilation"], strict=True)
    ]
    parts = [lax.pad(x, init, widths) for x, init in zip(parts, inits, strict=True)]
    names = ("window_dimensions", "window_strides", "window_dilation")
    for axis, (size, stride, step) in enumerate(zip(*(params[name] for name in names), strict=True)):
        parts = _windows(combine, parts, axis, size, stride, step)
    return parts


@defines("reduce_window")
def _reduce_window_by(eqn: Equation, *operands: jax.Array) -> Arrays:
    """Windows reduced by a computation of their own."""
    count = len(operands) // 2
    parts, inits = operands[:count], operands[count:]
    combine = whole_arrays(eqn.params["jaxpr"], eqn.params["consts"])
    parts = _reduce_window(eqn, parts, inits, combine)
    return combine([jnp.full(x.shape, init) for x, init in zip(parts, inits, strict=True)], parts)


def _lowest(dtype: Any) -> Any:
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    return np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).max


WINDOWS = {
    "reduce_window_sum": (lax.add, lambda _: 0),
    "reduce_window_max": (lax.max, _lowest),
    "reduce_window_min": (lax.min, _highest),
}


@defines(*WINDOWS)
def _reduce_window_known(eqn: Equation, x: jax.Array) -> Arrays:
    """Sums, largest or smallest elements of windows."""
    function, init = WINDOWS[eqn.name]
    return _reduce_window(eqn, [x], [jnp.asarray(init(x.dtype), x.dtype)], lambda a, b: [function(a[0], b[0])])


def _taps(
    x: jax.Array, window: Sequence[int], counts: Sequence[int], strides: Sequence[int], steps: Sequence[int]
) -> Arrays:
    """For each place in a window, that element of every window."""
    found = []
    for place in np.ndindex(*window):
        starts = [int(k) * step for k, step in zip(place, steps, strict=True)]
        limits = [
            start + (count - 1) * stride + 1 for start, count, stride in zip(starts, counts, strides, strict=True)
        ]
        found.append(lax.slice(x, starts, limits, strides))
    return found


def _chosen(select: Combine, taps: Arrays, inside: Arrays) -> jax.Array:
    """For each window the place of the element that the selection keeps; what is padding is never kept."""
    best, found, place = taps[0], inside[0], jnp.zeros(taps[0].shape, np.int32)
    for number, (value, valid) in enumerate(zip(taps[1:], inside[1:], strict=True), 1):
        better = valid & ~(found & select([best], [value])[0])
        best, place, found = jnp.where(better, value, best), jnp.where(better, number, place), found | valid
    return place


@defines("select_and_scatter")
def _select_and_scatter(eqn: Equation, x: jax.Array, source: jax.Array, init: jax.Array) -> jax.Array:
    """Adds each element of the source to the operand's element that its window selects."""
    params = eqn.params
    window, strides, padding = params["window_dimensions"], params["window_strides"], params["padding"]
    widths = [(low, high, 0) for low, high in padding]
    ones = (1,) * len(window)
    padded = lax.pad(x, jnp.zeros((), x.dtype), widths)
    inside = lax.pad(jnp.full(x.shape, True), np.array(False), widths)
    select = whole_arrays(params["select_jaxpr"], params["select_consts"])
    scatter = whole_arrays(params["scatter_jaxpr"], params["scatter_consts"])
    place = _chosen(select, *(_taps(v, window, source.shape, strides, ones) for v in (padded, inside)))
    total = jnp.full(padded.shape, init)
    for number, first in enumerate(np.ndindex(*window)):
        ends = [
            n - k - (count - 1) * stride - 1
            for n, k, count, stride in zip(total.shape, first, source.shape, strides, strict=True)
        ]
        spread = [(int(k), end, stride - 1) for k, end, stride in zip(first, ends, strides, strict=True)]
        there = lax.pad(place == number, np.array(False), spread)
        part = lax.pad(source, jnp.zeros((), source.dtype), spread)
        total = jnp.where(there, scatter([total], [part])[0], total)
    return lax.pad(total, init, [(-low, -high, 0) for low, high in padding])


# ---- products, order, places ----


@defines("conv_general_dilated")
def _convolution(eqn: Equation, lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """One product over channels and places in the window; groups are its batches."""
    params, aval = eqn.params, eqn.avals[0]
    numbers = params["dimension_numbers"]
    lhs, rhs = lax.transpose(lhs, numbers.lhs_spec), lax.transpose(rhs, numbers.rhs_spec)
    spatial = [
        (low, high, inner - 1) for (low, high), inner in zip(params["padding"], params["lhs_dilation"], strict=True)
    ]
    lhs = lax.pad(lhs, jnp.zeros((), lhs.dtype), [(0, 0, 0), (0, 0, 0), *spatial])
    window, places = rhs.shape[2:], [aval.shape[k] for k in numbers.out_spec[2:]]
    taps = _taps(
        lhs,
        (1, 1, *window),
        (*lhs.shape[:2], *places),
        (1, 1, *params["window_strides"]),
        (1, 1, *params["rhs_dilation"]),
    )
    (batch, channels), features, count = lhs.shape[:2], rhs.shape[0], len(taps)
    batches, groups = params["batch_group_count"], params["feature_group_count"]
    a = jnp.stack(taps).reshape(count, batches, batch // batches, groups, channels // groups, *places)
    b = rhs.reshape(batches, groups, features // (batches * groups), channels // groups, count)
    total = lax.dot_general(
        a, b, (((0, 4), (4, 3)), ((1, 3), (0, 1))), params["precision"], preferred_element_type=aval.dtype
    )  # batches, groups, batch, places.., features
    total = jnp.moveaxis(total, (2, -1), (0, 3)).reshape(batch // batches, features, *places)
    return lax.transpose(total, np.argsort(numbers.out_spec))


@defines("approx_top_k")
def _approx_top_k(eqn: Equation, x: jax.Array) -> Arrays:
    """The exact ones, as on every machine but the TPU."""
    params = eqn.params
    axis = params["reduction_dimension"] % x.ndim
    count = eqn.avals[0].shape[axis]
    if params["is_max_k"]:
        return lax.top_k(x, count, axis=axis)
    places = lax.broadcasted_iota(np.int32, x.shape, axis)
    return _cut(lax.sort((x, places), dimension=axis, num_keys=1), 0, count, 1, axis)


def scatter_by(eqn: Equation, x: jax.Array, indices: jax.Array, updates: jax.Array) -> jax.Array:
    """Slices at computed places changed by a computation of its own, one after another as a place may come twice."""
    numbers = eqn.params["dimension_numbers"]
    combine = whole_arrays(eqn.params["update_jaxpr"], eqn.params["update_consts"])
    if numbers.operand_batching_dims:
        raise NotImplementedError("a batched scatter with a computation of its own")
    inside = numbers.update_window_dims
    updates = jnp.moveaxis(updates, inside, range(updates.ndim - len(inside), updates.ndim))
    window, order = updates.shape[updates.ndim - len(inside) :], tuple(range(len(inside)))
    indices, updates = indices.reshape(-1, indices.shape[-1]), updates.reshape(-1, *window)
    collapsed, start_map = numbers.inserted_window_dims, numbers.scatter_dims_to_operand_dims
    where = lax.GatherDimensionNumbers(order, collapsed, start_map)
    back = lax.ScatterDimensionNumbers(order, collapsed, start_map)
    extents = iter(window)
    sizes = [1 if axis in collapsed else next(extents) for axis in range(x.ndim)]

    def change(k: jax.Array, x: jax.Array) -> jax.Array:
        old = lax.gather(x, indices[k], where, sizes, mode=eqn.params["mode"])
        return lax.scatter(x, indices[k], combine([old], [updates[k]])[0], back, mode=eqn.params["mode"])

    return lax.fori_loop(0, len(indices), change, x)
