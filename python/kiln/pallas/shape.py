"""Primitives that make, move and join elements, and the matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from kiln.pallas.arith import attribute_list
from kiln.pallas.bounds import Bounds
from kiln.pallas.definitions import scatter_by, traced
from kiln.pallas.equation import Equation, Operand, Value
from kiln.pallas.lower import Lowering, is_integer, rule
from kiln.pallas.text import dtype_name, type_text


def reshape(low: Lowering, x: Value, shape: Sequence[int]) -> Value:
    """The same elements under another shape."""
    shape = tuple(shape)
    if x.shape == shape:
        return x
    if not x.shape:
        return low.full(x, shape)
    return low.let(f"reshape({x.text}, shape: {attribute_list(shape)})", shape, x.dtype, x.bounds)


def broadcast(low: Lowering, x: Value, shape: Sequence[int], axes: Sequence[int]) -> Value:
    """Repeats x along the axes of `shape` that are not among `axes`, or where x has size 1."""
    shape = tuple(shape)
    if x.shape == shape:
        return x
    if not x.shape:
        return low.full(x, shape)
    text = f"broadcast({x.text}, shape: {attribute_list(shape)}, axes: {attribute_list(axes)})"
    return low.let(text, shape, x.dtype, x.bounds)


def transpose(low: Lowering, x: Value, order: Sequence[int]) -> Value:
    """Axes in another order."""
    if list(order) == sorted(order):
        return x
    text = f"transpose({x.text}, axes: {attribute_list(order)})"
    return low.let(text, [x.shape[k] for k in order], x.dtype, x.bounds)


def concatenate(low: Lowering, parts: Sequence[Value], axis: int) -> Value:
    """Parts one after another along an axis."""
    if len(parts) == 1:
        return parts[0]
    shape = list(parts[0].shape)
    shape[axis] = sum(p.shape[axis] for p in parts)
    text = f"concatenate({', '.join(p.text for p in parts)}, axis: {axis})"
    return low.let(text, shape, parts[0].dtype, _join([p.bounds for p in parts]))


def _join(limits: Sequence[Bounds | None]) -> Bounds | None:
    known = [b for b in limits if b is not None]
    if len(known) < len(limits):
        return None
    return Bounds(min(b.low for b in known), max(b.high for b in known))


def slice_of(low: Lowering, x: Value, start: Sequence[int], size: Sequence[int], stride: Sequence[int]) -> Value:
    """A box of known place and size."""
    entries = []
    for first, count, step, extent in zip(start, size, stride, x.shape, strict=True):
        whole = first == 0 and count == extent and step == 1
        entries.append(":" if whole else f"{first} : {count}" + (f" : {step}" if step != 1 else ""))
    if all(entry == ":" for entry in entries):
        return x
    return low.let(f"{x.text}[{', '.join(entries)}]", size, x.dtype, x.bounds)


# ---- making ----


@rule("broadcast_in_dim")
def lower_broadcast(low: Lowering, eqn: Equation) -> Operand:
    """Repeats along new axes and those of size 1."""
    return broadcast(low, eqn.operands[0], eqn.avals[0].shape, eqn.params["broadcast_dimensions"])


@rule("broadcast_to")
def lower_broadcast_to(low: Lowering, eqn: Equation) -> Operand:
    """Repeats as NumPy does."""
    x, shape = eqn.operands[0], eqn.avals[0].shape
    return broadcast(low, x, shape, range(len(shape) - len(x.shape), len(shape)))


@rule("iota")
def lower_iota(low: Lowering, eqn: Equation) -> Operand:
    """Every element its own index along an axis."""
    aval, axis = eqn.avals[0], eqn.params["dimension"]
    limits = Bounds(0, max(aval.shape[axis] - 1, 0)) if is_integer(aval.dtype) else None
    dtype = aval.dtype if jnp.dtype(aval.dtype).itemsize >= 4 else np.dtype(np.int32)
    result = low.let(f"iota({type_text(dtype, aval.shape)}, axis: {axis})", aval.shape, dtype, limits)
    return low.convert(result, aval.dtype)


@rule("empty", "empty2")
def lower_empty(low: Lowering, eqn: Equation) -> Operand:
    """Memory whose contents do not matter: zeros, as on a CPU."""
    aval = eqn.avals[0]
    return low.full(low.constant(0, aval.dtype), aval.shape)


# ---- moving ----


@rule("reshape", "squeeze", "expand_dims")
def lower_reshape(low: Lowering, eqn: Equation) -> Operand:
    """The same elements under another shape."""
    return reshape(low, eqn.operands[0], eqn.avals[0].shape)


@rule("transpose")
def lower_transpose(low: Lowering, eqn: Equation) -> Operand:
    """Axes in another order."""
    return transpose(low, eqn.operands[0], eqn.params["permutation"])


@rule("rev")
def lower_reverse(low: Lowering, eqn: Equation) -> Operand:
    """Axes backwards."""
    x, axes = eqn.operands[0], eqn.params["dimensions"]
    if not axes:
        return x
    return low.let(f"reverse({x.text}, axes: {attribute_list(axes)})", x.shape, x.dtype, x.bounds)


@rule("slice")
def lower_slice(low: Lowering, eqn: Equation) -> Operand:
    """A box of known place."""
    start = eqn.params["start_indices"]
    stride = eqn.params["strides"] or (1,) * len(start)
    return slice_of(low, eqn.operands[0], start, eqn.avals[0].shape, stride)


@rule("dynamic_slice")
def lower_dynamic_slice(low: Lowering, eqn: Equation) -> Operand:
    """A box that starts where operands say, moved inside if need be."""
    x, *starts = eqn.operands
    sizes = eqn.params["slice_sizes"]
    entries = []
    for start, size, extent in zip(starts, sizes, x.shape, strict=True):
        entries.append(":" if size == extent else f"{low.convert(start, np.int32).text} : {size}")
    return low.let(f"{x.text}[{', '.join(entries)}]", sizes, x.dtype, x.bounds)


@rule("dynamic_update_slice")
def lower_update(low: Lowering, eqn: Equation) -> Operand:
    """A tile with a box of it replaced."""
    x, part, *starts = eqn.operands
    places = ", ".join(low.convert(start, np.int32).text for start in starts)
    return low.let(f"update({x.typed}, {part.typed}{', ' * bool(starts)}{places})", x.shape, x.dtype)


@rule("concatenate")
def lower_concatenate(low: Lowering, eqn: Equation) -> Operand:
    """Operands one after another."""
    return concatenate(low, eqn.operands, eqn.params["dimension"])


@rule("stack")
def lower_stack(low: Lowering, eqn: Equation) -> Operand:
    """Operands along a new axis."""
    axis = eqn.params["axis"]
    shape = [n for k, n in enumerate(eqn.avals[0].shape) if k != axis]
    shape.insert(axis, 1)
    return concatenate(low, [reshape(low, x, shape) for x in eqn.operands], axis)


@rule("unstack")
def lower_unstack(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """The parts along an axis, which they lose."""
    parts = _split(low, eqn.operands[0], eqn.params["axis"], [1] * len(eqn.outputs))
    return [reshape(low, part, aval.shape) for part, aval in zip(parts, eqn.avals, strict=True)]


@rule("split")
def lower_split(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Parts of given sizes along an axis."""
    return _split(low, eqn.operands[0], eqn.params["axis"], eqn.params["sizes"])


def _split(low: Lowering, x: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
    parts, first = [], 0
    for size in sizes:
        start = [first if k == axis else 0 for k in range(len(x.shape))]
        shape = [size if k == axis else n for k, n in enumerate(x.shape)]
        parts.append(slice_of(low, x, start, shape, [1] * len(shape)))
        first += size
    return parts


@rule("tile")
def lower_tile(low: Lowering, eqn: Equation) -> Operand:
    """The whole repeated along axes."""
    x = eqn.operands[0]
    x = reshape(low, x, eqn.in_avals[0].shape)
    repeats = eqn.params["reps"]
    x = reshape(low, x, (1,) * (len(repeats) - len(x.shape)) + x.shape)
    for axis, count in enumerate(repeats):
        if count == 1:
            continue
        shape = (*x.shape[:axis], count, *x.shape[axis:])
        axes = [k for k in range(len(shape)) if k != axis]
        repeated = broadcast(low, x, shape, axes)
        x = reshape(low, repeated, (*x.shape[:axis], count * x.shape[axis], *x.shape[axis + 1 :]))
    return x


@rule("pad")
def lower_pad(low: Lowering, eqn: Equation) -> Operand:
    """More elements of one value around and between those of a tile; negative widths crop."""
    x, value = eqn.operands
    lows, highs, interiors = zip(*eqn.params["padding_config"], strict=True) if x.shape else ((), (), ())
    text = f"pad({x.typed}, {value.typed}, low: {attribute_list(lows)}, high: {attribute_list(highs)}"
    if any(interiors):
        text += f", interior: {attribute_list(interiors)}"
    return low.let(text + ")", eqn.avals[0].shape, x.dtype)


@rule("roll")
def lower_roll(low: Lowering, eqn: Equation) -> Operand:
    """Elements moved around along an axis; with a stride, further in each row of another axis."""
    x, shift = eqn.operands
    text = f"roll({x.text}, {low.convert(shift, np.int32).typed}, axis: {eqn.params['axis']}"
    if eqn.params["stride"] is not None:
        text += f", stride: {eqn.params['stride']}, stride_axis: {eqn.params['stride_axis']}"
    return low.let(text + ")", x.shape, x.dtype, x.bounds)


# ---- order ----


@rule("sort")
def lower_sort(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Operands sorted together by the first `num_keys` of them."""
    operands = ", ".join(x.text for x in eqn.operands)
    text = f"sort({operands}, axis: {eqn.params['dimension']}, keys: {eqn.params['num_keys']})"
    names = low.writer.let(text, len(eqn.outputs))
    return [Value(n, tuple(a.shape), np.dtype(a.dtype)) for n, a in zip(names, eqn.avals, strict=True)]


@rule("top_k")
def lower_top_k(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """The largest elements along an axis and their places; Kiln's op takes the last axis."""
    x, count = eqn.operands[0], eqn.params["k"]
    last = len(x.shape) - 1
    order = list(range(last + 1))
    axis = eqn.params.get("axis", last)
    order[axis], order[last] = last, axis
    x = transpose(low, x, order)
    names = low.writer.let(f"top_k({x.text}, k: {count})", 2)
    found = [Value(n, (*x.shape[:-1], count), np.dtype(a.dtype)) for n, a in zip(names, eqn.avals, strict=True)]
    return [transpose(low, y, order) for y in found]


# ---- gather and scatter ----


def _index_attributes(numbers: Any, scatter: bool) -> str:
    names = {
        "offset_dims": "update_window_dims" if scatter else "offset_dims",
        "collapsed_dims": "inserted_window_dims" if scatter else "collapsed_slice_dims",
        "start_map": "scatter_dims_to_operand_dims" if scatter else "start_index_map",
        "batch_dims": "operand_batching_dims",
        "index_batch_dims": "scatter_indices_batching_dims" if scatter else "start_indices_batching_dims",
    }
    return ", ".join(f"{name}: {attribute_list(getattr(numbers, field))}" for name, field in names.items())


def _mode(low: Lowering, mode: Any) -> str:
    name = str(mode).rsplit(".", 1)[-1].lower()
    known = {"clip": "clip", "fill_or_drop": "fill", "promise_in_bounds": "promise"}
    if name not in known:
        raise low.unsupported(f"the gather mode {mode}")
    return known[name]


@rule("gather")
def lower_gather(low: Lowering, eqn: Equation) -> Operand:
    """Slices of a tile at computed places."""
    x, indices = eqn.operands
    aval, mode = eqn.avals[0], _mode(low, eqn.params["mode"])
    fill = eqn.params["fill_value"] if mode == "fill" else None
    given = f", {low.constant(fill, x.dtype).typed}" if fill is not None else ""
    text = f"gather({x.typed}, {low.convert(indices, np.int32).text}{given}, "
    text += _index_attributes(eqn.params["dimension_numbers"], scatter=False)
    text += f", slice_sizes: {attribute_list(eqn.params['slice_sizes'])}, mode: {mode}"
    return low.let(text + ")", aval.shape, aval.dtype, x.bounds if mode != "fill" else None)


COMBINE = {
    "scatter": "set", "scatter-add": "add", "scatter-sub": "add", "scatter-mul": "mul", "scatter-min": "min",
    "scatter-max": "max",
}  # fmt: skip


@rule(*COMBINE)
def lower_scatter(low: Lowering, eqn: Equation) -> Operand:
    """A tile with slices at computed places replaced, or combined with new ones."""
    x, indices, updates = eqn.operands
    aval = eqn.avals[0]
    if eqn.name == "scatter" and eqn.params["update_jaxpr"] is not None:
        return low.jaxpr(traced(scatter_by, eqn), eqn.operands)[0]
    if eqn.name == "scatter-sub":
        updates = low.elementwise("neg", [updates], updates.shape, updates.dtype)
    text = f"scatter({x.typed}, {low.convert(indices, np.int32).text}, {updates.typed}, "
    text += _index_attributes(eqn.params["dimension_numbers"], scatter=True)
    text += f", mode: {_mode(low, eqn.params['mode'])}, combine: {COMBINE[eqn.name]})"
    return low.let(text, aval.shape, aval.dtype)


# ---- products ----


@rule("dot_general")
def lower_dot(low: Lowering, eqn: Equation) -> Operand:
    """Sums of products over contracted axes, rounded once to the result's type."""
    a, b = eqn.operands
    aval = eqn.avals[0]
    (a_contract, b_contract), (a_batch, b_batch) = eqn.params["dimension_numbers"]
    total = _accumulator(a.dtype, b.dtype, aval.dtype)
    text = f"dot({a.typed}, {b.typed}, lhs_contract: {attribute_list(a_contract)}, rhs_contract: "
    text += f"{attribute_list(b_contract)}, lhs_batch: {attribute_list(a_batch)}, rhs_batch: {attribute_list(b_batch)}"
    result = low.let(f"{text}, type: {dtype_name(total)})", aval.shape, total)
    return low.convert(result, aval.dtype)


def _accumulator(a: Any, b: Any, result: Any) -> np.dtype:
    """Narrow floats are summed in f32, narrow integers in i32."""
    if is_integer(result):
        return np.dtype(result) if jnp.iinfo(result).bits >= 32 else np.dtype(np.int32)
    if is_integer(a) and is_integer(b):
        return np.dtype(np.int32)
    widest = max(jnp.finfo(t).bits for t in (a, b, result) if not is_integer(t))
    return np.dtype(np.float64 if widest == 64 else np.float32)
