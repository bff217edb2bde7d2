"""Primitives that read and write refs, and the index expressions of Pallas.

JAX's interpreter moves slices that reach outside of a ref inside (`clamped`), as XLA's dynamic slices do; masked loads
and stores are not moved: what lies outside reads as NaN and drops writes, which is what Kiln does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import tree_util
from jax._src.dtypes import itemsize_bits
from jax._src.pallas.core import semaphore_dtype
from jax._src.state import discharge
from jax._src.state.indexing import NDIndexer, Slice
from jax._src.state.types import BitcastTransform, ReshapeTransform, TransposeTransform

from kiln.pallas.arith import attribute_list
from kiln.pallas.equation import Equation, Operand, Ref, Value
from kiln.pallas.lower import Lowering, rule
from kiln.pallas.shape import reshape
from kiln.pallas.text import type_text


@dataclasses.dataclass(slots=True)
class Spot:
    """A part of a ref: the text of an index and the shape of what it picks."""

    ref: Ref
    index: str
    shape: tuple[int, ...]

    def text(self, *extra: str) -> str:
        """`x[i : 8, :, mask: m]`."""
        return f"{self.ref.text}[{', '.join((self.index, *extra))}]"


def integer(low: Lowering, value: Any) -> Value:
    """A part of an index as an i32."""
    if isinstance(value, Value):
        return low.convert(value, np.int32)
    return low.constant(int(value))


def _from_end(low: Lowering, index: Value, extent: int) -> Value:
    """An index that counts from the end where it is negative."""
    if index.bounds is not None and index.bounds.low >= 0:
        return index
    negative = low.binary("lt", index, low.constant(0), np.bool_)
    wrapped = low.binary("add", index, low.constant(extent))
    return low.elementwise("select_n", [negative, wrapped, index], index.shape, np.int32)


def clamped(low: Lowering, start: Value, size: int, extent: int) -> Value:
    """Where a slice starts: a negative start counts from the end, and the slice is moved inside."""
    last = max(extent - size, 0)
    if start.number is not None:
        number = int(start.number)
        return low.constant(min(max(number + extent if number < 0 else number, 0), last))
    start = _from_end(low, start, extent)
    if start.bounds is not None and start.bounds.within(0, last):
        return start
    return low.elementwise("clamp", [low.constant(0), start, low.constant(last)], start.shape, np.int32)


def _entry(low: Lowering, index: Any, extent: int, clamp: bool) -> str:
    """The entry of one dimension."""
    clamp = clamp and low.clamps
    if isinstance(index, Slice):
        if not isinstance(index.size, int):
            raise low.unsupported("a slice whose size is computed", "give pl.ds a known size and mask what is too much")
        if isinstance(index.start, int) and index.start == 0 and index.size == extent and index.stride == 1:
            return ":"
        start, reach = integer(low, index.start), (index.size - 1) * index.stride + 1
        start = clamped(low, start, reach, extent) if clamp else start
        return f"{start.text} : {index.size}" + (f" : {index.stride}" if index.stride != 1 else "")
    where = integer(low, index)
    return (clamped(low, where, 1, extent) if clamp else where).text


def spot(low: Lowering, ref: Ref, indexer: NDIndexer | None, clamp: bool = True) -> Spot:
    """The part of a ref that an indexer picks."""
    if indexer is None or not indexer.indices:
        return Spot(ref, "...", ref.shape)
    entries = [_entry(low, i, n, clamp) for i, n in zip(indexer.indices, ref.shape, strict=True)]
    whole = all(entry == ":" for entry in entries)
    return Spot(ref, "..." if whole else ", ".join(entries), tuple(indexer.get_indexer_shape()))


def has_arrays(indexer: NDIndexer) -> bool:
    """Whether it picks elements by arrays of indices."""
    return any(getattr(i, "shape", ()) for i in indexer.indices if not isinstance(i, Slice))


def logical(low: Lowering, ref: Ref, transforms: Sequence[Any]) -> tuple[Ref, list[Any]]:
    """The ref that a use means, and the transforms but those that undo its layout: Kiln's memory has none."""
    found = [t for t in transforms if t is not None]
    for member in [m for m in ref.members if tuple(found[: len(m.layout)]) == m.layout] or [ref]:
        if tuple(found[: len(member.layout)]) == member.layout:
            return member, found[len(member.layout) :]
    raise low.unsupported("memory seen through another layout than its own")


def _permuted(low: Lowering, ref: Ref, order: Sequence[int]) -> Ref:
    """A ref with its dimensions in another order."""
    name = low.writer.let(f"view {ref.text} permute {attribute_list(order)}")[0]
    return Ref(name, tuple(ref.shape[k] for k in order), ref.dtype, ref.base or ref.text)


def _changed(ref: Ref, transform: Any) -> tuple[tuple[int, ...], Any]:
    """The shape and the type that a ref is seen as: elements of another width lie along the last dimension but one."""
    if isinstance(transform, ReshapeTransform):
        return tuple(transform.shape), ref.dtype
    *outer, rows, columns = ref.shape
    return (*outer, rows * itemsize_bits(ref.dtype) // itemsize_bits(transform.dtype), columns), transform.dtype


def _see_as(low: Lowering, ref: Ref, transform: Any) -> Ref:
    """A ref as another shape or type."""
    shape, dtype = _changed(ref, transform)
    name = low.writer.let(f"view {ref.text} as {type_text(dtype, shape)}")[0]
    return Ref(name, shape, np.dtype(dtype), ref.base or ref.text)


def _as_ref(low: Lowering, part: Spot) -> Ref:
    """A part of a ref, as a ref of its own."""
    ref = part.ref
    if part.index == "...":
        return ref
    name = low.writer.let(f"view {part.text()}")[0]
    return Ref(name, part.shape, ref.dtype, ref.base or ref.text)


def resolve(
    low: Lowering, ref: Ref, transforms: Sequence[Any], clamp: bool = True, points: bool = False
) -> tuple[Spot, list[Any]]:
    """Views through all transforms but a last indexer; the transforms of values that are left over.

    Arrays of indices end it, as does what Kiln has no view for. Only reads and masked writes may end in such arrays:
    which of two writes to one element stays is said by a scatter. A mask that is false keeps a write from its element,
    though JAX's interpreter writes the old value back.
    """
    ref, left = logical(low, ref, transforms)
    while left:
        first, last = left[0], len(left) == 1
        if isinstance(first, NDIndexer):
            arrays = has_arrays(first)
            if last and (points or not arrays):
                return spot(low, ref, first, clamp), []
            if arrays:
                break
            ref = _as_ref(low, spot(low, ref, first))
        elif isinstance(first, (ReshapeTransform, BitcastTransform)) and ref.shape:
            ref = _see_as(low, ref, first)
        elif isinstance(first, TransposeTransform):
            ref = _permuted(low, ref, first.permutation)
        else:
            break
        left.pop(0)
    return spot(low, ref, None), left


def whole(
    low: Lowering,
    ref: Ref,
    transforms: Sequence[Any],
    what: str,
    hint: str = "",
    clamp: bool = True,
    points: bool = False,
) -> Spot:
    """What transforms show of a ref, where that must be a part of it: `what` is refused otherwise."""
    part, rest = resolve(low, ref, transforms, clamp, points)
    if rest:
        raise low.unsupported(f"{what} {rest[0]}", hint)
    return part


def view_through(low: Lowering, ref: Ref, transforms: Sequence[Any]) -> Ref:
    """What transforms show of a ref, as a ref that has no layout of its own."""
    part = _as_ref(low, whole(low, ref, transforms, "a copy of computed size through", "copy a known size"))
    return dataclasses.replace(part, layout=())


def load(low: Lowering, ref: Ref, transforms: Sequence[Any]) -> Value:
    """What a ref holds, seen through its transforms."""
    part, rest = resolve(low, ref, transforms, points=True)
    return _read(low, part, rest)


def _read(low: Lowering, part: Spot, rest: Sequence[Any], *extra: str) -> Value:
    low.touch(part.ref, False)
    value = low.let(part.text(*extra), part.shape, part.ref.dtype)
    for transform in rest:
        value = _see_through(low, value, transform)
    return value


def _see_through(low: Lowering, value: Value, transform: Any) -> Value:
    if isinstance(transform, ReshapeTransform):
        return reshape(low, value, transform.shape)
    if isinstance(transform, (BitcastTransform, NDIndexer)):
        dynamic, tree = tree_util.tree_flatten(transform)
        return low.trace(
            lambda x, *leaves: discharge.transform_array(x, [tree_util.tree_unflatten(tree, leaves)]), value, *dynamic
        )[0]
    raise low.unsupported(f"reading a ref through {transform}", "read the whole ref and change the value")


def store(
    low: Lowering,
    ref: Ref,
    transforms: Sequence[Any],
    value: Value,
    mask: Value | None,
    wanted: bool,
    clamp: bool = True,
) -> Value:
    """Writes a value where the mask holds; what was there before, and the value elsewhere, when it is `wanted`."""
    part, rest = resolve(low, ref, transforms, clamp, points=mask is not None)
    if rest:
        return _store_through(low, part, rest, value, mask)
    extra = [f"mask: {mask.text}"] if mask is not None else []
    old = value
    if wanted:
        old = _read(low, part, (), *extra, *([f"other: {value.text}"] if extra else []))
    low.touch(part.ref, part.index == "..." and not extra)
    low.writer.line(f"{part.text(*extra)} = {value.text}")
    return old


def _store_through(low: Lowering, part: Spot, rest: Sequence[Any], value: Value, mask: Value | None) -> Value:
    """By reading all, changing the value as JAX's interpreter does, and writing all."""
    if len(rest) > 1 or not isinstance(rest[0], NDIndexer):
        raise low.unsupported(f"writing a ref through {rest[0]}", "change the value instead of the ref")
    leaves, tree = tree_util.tree_flatten(rest[0])
    whole = _read(low, part, ())

    def change(old: Any, new: Any, *dynamic: Any) -> Any:
        indexer = tree_util.tree_unflatten(tree, dynamic[: len(leaves)])
        if mask is not None:
            new = jnp.where(dynamic[-1], new, discharge.transform_array(old, [indexer]))
        return discharge.transform_swap_array(old, [indexer], new)

    masks = [mask] if mask is not None else []
    before, after = low.trace(change, whole, value, *leaves, *masks)
    low.writer.line(f"{part.text()} = {after.text}")
    return before


# ---- without masks ----


@rule("get")
def lower_get(low: Lowering, eqn: Equation) -> Operand:
    """x[..]."""
    ref, *leaves = eqn.operands
    return load(low, ref, tree_util.tree_unflatten(eqn.params["tree"], leaves))


@rule("swap")
def lower_swap(low: Lowering, eqn: Equation) -> Operand:
    """x[..] = v, and what was there before when it is wanted."""
    ref, value, *leaves = eqn.operands
    return store(low, ref, tree_util.tree_unflatten(eqn.params["tree"], leaves), value, None, not eqn.dead())


@rule("addupdate")
def lower_addupdate(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Adds to what a ref holds."""
    ref, value, *leaves = eqn.operands
    transforms = tree_util.tree_unflatten(eqn.params["tree"], leaves)
    part, rest = resolve(low, ref, transforms)
    if not rest:
        low.touch(part.ref, False)
        low.writer.line(f"{part.text()} += {value.text}")
        return []
    dynamic, tree = tree_util.tree_flatten(rest)
    whole = _read(low, part, ())
    after = low.trace(lambda x, v, *d: discharge._addupdate_discharge(x, v, d, tree), whole, value, *dynamic)[0]
    low.writer.line(f"{part.text()} = {after.text}")
    return []


# ---- with masks ----


@rule("masked_load")
def lower_masked_load(low: Lowering, eqn: Equation) -> Operand:
    """x[.., mask: m, other: v]; where the mask is false and no other value is given, anything may come."""
    ref, transforms, mask, other = eqn.params["args_tree"].unflatten(eqn.operands)
    part, rest = resolve(low, ref, transforms, clamp=False)
    if mask is None or rest:
        value = _read(low, part, rest)
        chosen = mask is not None and other is not None
        return low.elementwise("select_n", [mask, value, other], value.shape, value.dtype) if chosen else value
    extra = [f"mask: {mask.text}"] + ([f"other: {other.text}"] if other is not None else [])
    return _read(low, part, rest, *extra)


@rule("masked_swap")
def lower_masked_swap(low: Lowering, eqn: Equation) -> Operand:
    """x[.., mask: m] = v; the old value is v where the mask is false."""
    ref, transforms, value, mask = eqn.params["args_tree"].unflatten(eqn.operands)
    return store(low, ref, transforms, value, mask, not eqn.dead(), clamp=False)


# ---- atomics ----


def _atomic_part(low: Lowering, ref: Ref, transforms: Sequence[Any]) -> Spot:
    """What an atomic changes. Points outside stay there: what is written is dropped, as in JAX's interpreter."""
    *outer, last = transforms
    what = "an atomic on memory seen through"
    if not isinstance(last, NDIndexer) or not has_arrays(last):
        return whole(low, ref, transforms, what)
    entries = zip(last.indices, last.shape, strict=True)
    indices = [i if isinstance(i, Slice) else _from_end(low, integer(low, i), n) for i, n in entries]
    points = dataclasses.replace(last, indices=tuple(indices))
    return whole(low, ref, (*outer, points), what, clamp=False, points=True)


@rule("atomic_rmw")
def lower_atomic(low: Lowering, eqn: Equation) -> Operand:
    """Let old = atomic add x[..] = v."""
    ref, transforms, value, mask = eqn.params["args_tree"].unflatten(eqn.operands)
    part = _atomic_part(low, ref, transforms)
    kind = eqn.params["atomic_type"].value
    extra = [f"mask: {mask.text}"] if mask is not None else []
    low.touch(part.ref, False)
    return low.let(f"atomic {kind} {part.text(*extra)} = {value.text}", part.shape, ref.dtype)


@rule("atomic_cas")
def lower_compare_exchange(low: Lowering, eqn: Equation) -> Operand:
    """Let old = atomic cas x[..] = expected, v."""
    ref, expected, value = eqn.operands
    low.touch(ref, False)
    return low.let(f"atomic cas {ref.text}[...] = {expected.text}, {value.text}", ref.shape, ref.dtype)


# ---- memory of its own ----


def scratch(low: Lowering, aval: Any) -> Ref:
    """Memory that lives to the end of the region. Semaphores are counters, which begin at zero."""
    shape, name = tuple(aval.shape), low.writer.names.fresh()
    semaphore = jnp.issubdtype(aval.dtype, semaphore_dtype)
    dtype = np.dtype(np.int32 if semaphore else aval.dtype)
    low.writer.line(f"scratch {name}: {type_text(dtype, shape)}")
    if semaphore:
        low.writer.line(f"{name}[...] = 0")
    return Ref(name, shape, dtype)


def copy_of(low: Lowering, ref: Ref) -> Ref:
    """Memory that begins as a ref's, which keeps what it has, and goes from grid step to grid step; vmap's have own."""
    name = low.writer.names.fresh()
    low.writer.line(f"scratch {name}: {type_text(ref.dtype, ref.shape)}")
    first = [low.writer.let(f"{axis.name} == 0")[0] for axis in low.axes if not axis.mapped]
    low.writer.line_when(" & ".join(first), f"{name}[...] = {ref.text}[...]")
    return Ref(name, ref.shape, ref.dtype)


def scoped(low: Lowering, body: Callable[[], Sequence[Operand]]) -> list[Operand]:
    """What a body gives, whose memory ends with it. Its results are names of the region around, but for numbers."""
    with low.writer.scope() as names:
        results = list(body())
        given = [k for k, value in enumerate(results) if isinstance(value, Value) and value.number is None]
        names += [results[k].text for k in given]
    for k, name in zip(given, names, strict=True):
        results[k] = dataclasses.replace(results[k], text=name, condition=None)
    return results


@rule("run_scoped")
def lower_run_scoped(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A body with memory of its own."""
    if eqn.params["collective_axes"]:
        raise low.unsupported("`run_scoped` with collective axes in a kernel of the generic kind")
    jaxpr = eqn.params["jaxpr"]
    return scoped(low, lambda: low.jaxpr(jaxpr, [scratch(low, v.aval) for v in jaxpr.invars], eqn.operands))


@rule("empty_ref")
def lower_empty_ref(low: Lowering, eqn: Equation) -> Operand:
    """jax.empty_ref inside a kernel."""
    return scratch(low, eqn.avals[0])


@rule("new_ref")
def lower_new_ref(low: Lowering, eqn: Equation) -> Operand:
    """jax.new_ref inside a kernel: memory that starts with a value."""
    ref = scratch(low, eqn.avals[0])
    low.writer.line(f"{ref.text}[...] = {eqn.operands[0].text}")
    return ref


@rule("freeze")
def lower_freeze(low: Lowering, eqn: Equation) -> Operand:
    """The last value of such a ref."""
    return load(low, eqn.operands[0], ())


@rule("free_ref")
def lower_free_ref(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Its end, which the region's end is."""
    return []


# ---- semaphores: one unit alone never waits ----


def _semaphore(low: Lowering, ref: Ref, transforms: Sequence[Any]) -> str:
    part, rest = resolve(low, ref, transforms)
    if rest:
        raise low.unsupported("a semaphore seen through other transforms than an index")
    return part.text()


@rule("semaphore_signal")
def lower_signal(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A semaphore goes up."""
    ref, transforms, count, device, core = eqn.params["args_tree"].unflatten(eqn.operands)
    if device is not None or core is not None:
        raise low.unsupported("a signal to another device or core in a kernel of the generic kind")
    low.writer.line(f"{_semaphore(low, ref, transforms)} += {count.text}")
    return []


@rule("semaphore_wait")
def lower_wait(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A semaphore goes down."""
    ref, transforms, count, lowers = eqn.params["args_tree"].unflatten(eqn.operands)
    if lowers.number is None or lowers.number:
        low.writer.line(f"{_semaphore(low, ref, transforms)} -= {count.text}")
    return []


@rule("semaphore_read")
def lower_semaphore_read(low: Lowering, eqn: Equation) -> Operand:
    """Where a semaphore stands."""
    ref, transforms = eqn.params["args_tree"].unflatten(eqn.operands)
    return low.let(_semaphore(low, ref, transforms), (), np.int32)
