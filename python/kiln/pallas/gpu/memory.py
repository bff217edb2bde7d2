"""Memory of Mosaic GPU kernels: scoped allocations by space, parts of refs as operands, loads beside `get`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import tree_util
from jax._src import core as jax_core
from jax._src.dtypes import itemsize_bits
from jax._src.pallas.core import semaphore_dtype
from jax._src.pallas.mosaic_gpu.core import (
    AbstractRefUnion,
    BarrierType,
    ClusterBarrierType,
    ClusterRefTransform,
    MemorySpace,
    UntilingTransform,
    flatten_ref_union,
)
from jax._src.state.indexing import NDIndexer, Slice
from jax._src.state.types import TransformedRef, TransposeTransform

from kiln.pallas.arith import lower_identity, lower_nothing
from kiln.pallas.equation import Equation, Operand, Ref, Value
from kiln.pallas.gpu.devices import remote
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.lower import rule
from kiln.pallas.memory import integer, load, logical, scoped, store, whole
from kiln.pallas.text import type_text

TMEM_COLUMN = 128 * 4  # bytes
SPACES = {"gmem": "gmem", "smem": "smem", "tmem": "tmem", "regs": "acc", "values": "regs"}

# ---- allocations ----


def allocate(low: GpuLowering, aval: Any, layout: Sequence[Any] = (), label: str = "", default: str = "smem") -> Ref:
    """Memory, barriers or semaphores that live to the end of the region, of the shape that the program sees.

    Memory is where its type says, or in the default space.
    """
    inner = getattr(aval, "inner_aval", aval)
    shape = _logical_shape(aval, layout)
    name = low.writer.names.claim(label) if label else low.writer.names.fresh()
    if isinstance(inner.dtype, (BarrierType, ClusterBarrierType)):
        low.writer.line(f"scratch {name}: {_barrier_text(low, inner.dtype, shape)}")
        return Ref(name, shape, np.dtype(np.int32))
    if jnp.issubdtype(inner.dtype, semaphore_dtype):
        low.writer.line(f"scratch {name}: semaphore{list(shape) if shape else ''}")
        return Ref(name, shape, np.dtype(np.int32))
    space = SPACES.get(str(aval.memory_space or default))
    if space is None:
        raise low.unsupported(f"memory in {aval.memory_space}")
    if isinstance(aval, AbstractRefUnion):
        return _union(low, aval, name, space)
    ref = Ref(name, shape, np.dtype(inner.dtype), layout=tuple(layout))
    low.writer.line(f"scratch {name}: {type_text(ref.dtype, shape)}{_layout_text(layout, len(shape))} in {space}")
    return ref


def _union(low: GpuLowering, aval: AbstractRefUnion, name: str, space: str) -> Ref:
    """Bytes that several refs share, each from a byte of it on; in tensor memory from a column on."""
    column = TMEM_COLUMN if space == "tmem" else 1
    union = Ref(name, (column * aval.shape[-1],), np.dtype(np.int8))
    low.writer.line(f"scratch {name}: {type_text(union.dtype, union.shape)} in {space}")
    members = tree_util.tree_leaves(flatten_ref_union(aval), is_leaf=lambda x: isinstance(x, TransformedRef))
    union.members = tuple(_member(low, union, column, member.transforms) for member in members)
    return union


def _member(low: GpuLowering, union: Ref, column: int, layout: Sequence[Any]) -> Ref:
    extract, *undone = layout
    shape = _logical_shape(jax_core.ShapedArray(extract.shape, extract.dtype), undone)
    size = math.prod(shape) * itemsize_bits(extract.dtype) // 8
    index = f"{extract.offset * column} : {size}"
    name = low.writer.let(f"view {union.text}[{index}] as {type_text(extract.dtype, shape)}")[0]
    return Ref(name, shape, np.dtype(extract.dtype), union.text, layout=tuple(layout))


def _logical_shape(aval: Any, layout: Sequence[Any]) -> tuple[int, ...]:
    inner = getattr(aval, "inner_aval", aval)
    for transform in layout:
        inner = transform.transform_type(inner)
    return tuple(inner.shape)


def _layout_text(layout: Sequence[Any], rank: int) -> str:
    """How the tiles that a program asks for lie in memory, as XLA writes it. Swizzles inside of them are left out."""
    tilings = [transform.tiling for transform in layout if isinstance(transform, UntilingTransform)]
    if len(tilings) != 1 or any(isinstance(transform, TransposeTransform) for transform in layout):
        return ""
    return f" {{{','.join(map(str, reversed(range(rank))))}:T({','.join(map(str, tilings[0]))})}}"


def _barrier_text(low: GpuLowering, dtype: Any, shape: Sequence[int]) -> str:
    words = [f"barrier{list(shape)}", f"arrivals {dtype.num_arrivals}"]
    if dtype.orders_tensor_core:
        words.append("tensor")
    elif low.known.tracked:
        words.append("open")
    if getattr(dtype, "collective_axes", ()):
        words.append(across(low, dtype.collective_axes))
        words += ["leader"] * bool(dtype.leader_tracked)
    return " ".join(words)


def across(low: GpuLowering, names: Sequence[Any]) -> str:
    """`across c, e`: axes of the cluster, which a program may give in groups."""
    cluster = low.mesh.cluster
    names = tree_util.tree_leaves(names)
    known = dict(zip(cluster.names, cluster.axes, strict=True))
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"Collective axis `{missing[0]}` not found among axes `{list(cluster.names)}`")
    return f"across {', '.join(known[name].name for name in names)}"


def write_by_leader(low: GpuLowering, words: Sequence[str], axis: Any) -> None:
    """A statement for all blocks along an axis of the cluster, which the first of them alone makes, as in JAX."""
    leads = ""
    if axis is not None:
        leads = low.binary("eq", low.axis_index(axis), low.constant(0), np.bool_).text
        words = [*words, across(low, [axis])]
    low.writer.line_when(leads, " ".join(words))


# ---- scopes ----


def _check_axes(low: GpuLowering, collective: Sequence[Any]) -> None:
    """What JAX's interpreter refuses of the axes that share an allocation, in its words."""
    cluster, threads = low.mesh.cluster.names, low.mesh.threads.names
    axes = [*cluster, *(threads or [object()])]
    for axis in collective:
        if axis not in axes:
            raise ValueError(f"Collective axis `{axis}` not found among axes `{axes}`")
    if not threads:
        if collective:
            raise ValueError("Requesting collective allocations, but no explicit thread axis specified.")
        return
    if any(axis in collective for axis in cluster):
        raise ValueError("Collective allocations along cluster axes are not supported.")
    if threads[0] not in collective:
        raise ValueError("Scoped allocation must have the thread axis in its collective axes.")


@rule("run_scoped", machine="gpu")
def lower_run_scoped(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A body with memory of its own. Accumulators start at zero."""
    jaxpr = eqn.params["jaxpr"]
    avals = [v.aval for v in jaxpr.invars]
    if not avals or any(a.memory_space != MemorySpace.REGS for a in avals):
        _check_axes(low, [axis for axis in eqn.params["collective_axes"] if axis is not None])
    layouts = eqn.params.get("ref_transforms") or [()] * len(avals)
    labels = scope_labels(jaxpr)

    def body() -> Sequence[Operand]:
        refs = [allocate(low, *made) for made in zip(avals, layouts, labels, strict=True)]
        for ref, aval in zip(refs, avals, strict=True):
            if aval.memory_space == MemorySpace.REGS:
                low.writer.line(f"{ref.text}[...] = {low.full(low.constant(0, ref.dtype), ref.shape).text}")
        return low.jaxpr(jaxpr, refs, eqn.operands)

    return scoped(low, body)


def scope_labels(jaxpr: Any) -> list[str]:
    """The names that the program gave to what a scope allocates, as far as JAX kept them."""
    count = len(jaxpr.invars)
    names = [str(n or "") for n in jaxpr.debug_info.arg_names or ()][-count:] if count else []
    plain = [n.split("[")[-1].strip("]'\"") for n in names]
    return [n if n.isidentifier() else "" for n in plain] if len(plain) == count else [""] * count


@rule("run_state", machine="gpu")
def lower_run_state(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A body over memory that starts with values: what it returns, then what its memory holds at the end.

    Loads of accumulators await products. As many results count as there are values to start with, as in JAX's lowering.
    A value that the body closed over is memory of its thread.
    """
    jaxpr, given = eqn.params["jaxpr"], iter(eqn.operands)
    started = eqn.params.get("is_initialized") or [True] * len(jaxpr.invars)
    values = [next(given) if starts else None for starts in started]

    def body() -> Sequence[Operand]:
        pairs = zip(values, (v.aval for v in jaxpr.invars), strict=True)
        refs = [x if isinstance(x, Ref) else allocate(low, aval, default="values") for x, aval in pairs]
        for ref, value in zip(refs, values, strict=True):
            if isinstance(value, Value):
                low.writer.line(f"{ref.text}[...] = {value.text}")
        returned = low.jaxpr(jaxpr, refs)
        ends = [ref for ref, x in zip(refs, values, strict=True) if not isinstance(x, Ref)]
        return [*returned, *(load(low, ref, ()) for ref in ends[: max(0, len(ends) - len(returned))])]

    results = iter(scoped(low, body))
    return [x if isinstance(x, Ref) else next(results) for x in values]


@rule("get_global", machine="gpu")
def lower_get_global(low: GpuLowering, eqn: Equation) -> Operand:
    """Semaphores that all blocks of the launch share."""
    aval = eqn.avals[0]
    name, shape = low.writer.names.fresh(), tuple(aval.shape)
    low.writer.line(f"scratch {name}: semaphore{list(shape) if shape else ''} in gmem")
    return Ref(name, shape, np.dtype(np.int32))


# ---- parts of refs ----


def unflatten(leaves: list[Any], *trees: Any) -> list[Sequence[Any]]:
    """The transforms of several refs, whose leaves follow one another; they are taken from the front of `leaves`."""
    found = []
    for tree in trees:
        count = tree.num_leaves if tree is not None else 0
        taken, leaves[:] = leaves[:count], leaves[count:]
        found.append(tree_util.tree_unflatten(tree, taken) if tree is not None else ())
    return found


def peer(low: GpuLowering, ref: Ref, transforms: Sequence[Any]) -> tuple[Ref, list[Any]]:
    """The ref of another device or block of the cluster that the transforms name, and the transforms that are left."""
    ref, transforms = remote(low, ref, transforms)
    seen, found = logical(low, ref, transforms)
    others = [t for t in found if isinstance(t, ClusterRefTransform)]
    if not others:
        return ref, list(transforms)
    cluster = low.mesh.cluster
    wanted = dict(zip(others[-1].dims, others[-1].idxs, strict=True))
    places = [
        integer(low, wanted[name]).text if name in wanted else axis.name
        for name, axis in zip(cluster.names, cluster.axes, strict=True)
    ]
    there = low.writer.let(f"peer {seen.text} at {', '.join(places)}")[0]
    rest = [t for t in found if not isinstance(t, ClusterRefTransform)]
    return Ref(there, seen.shape, seen.dtype, seen.base or seen.text), rest


def part(low: GpuLowering, ref: Ref, transforms: Sequence[Any]) -> str:
    """A ref or a part of it as the operand of a copy or product: `a` or `a[i, :]`."""
    ref, transforms = peer(low, ref, transforms)
    found = whole(low, ref, transforms, "a copy or product of memory seen through")
    low.touch(found.ref, False)
    return found.ref.text if found.index == "..." else found.text()


def element(low: GpuLowering, ref: Ref, transforms: Sequence[Any]) -> str:
    """One barrier or semaphore of an array: `full[i, j]`."""
    if not ref.shape:
        return ref.text
    starts = [low.constant(0) for _ in ref.shape]
    left = {d: n for d, n in enumerate(ref.shape) if n != 1}
    dims = list(range(len(ref.shape)))
    for transform in transforms or ():
        if not isinstance(transform, NDIndexer):
            raise low.unsupported(f"a barrier or semaphore seen through {transform}")
        dims = _index(low, starts, left, dims, transform.indices)
    if left:
        count = int(np.prod(list(left.values())))
        raise ValueError(f"Attempting to operate on barrier without indexing, but `num_barriers = {count}`")
    return f"{ref.text}[{', '.join(start.text for start in starts)}]"


def _index(low: GpuLowering, starts: list[Value], left: dict[int, int], dims: list[int], indices: Any) -> list[int]:
    """Adds one indexer to where an element lies; the dimensions that are still there."""
    kept = []
    for dim, at in zip(dims, indices, strict=True):
        piece = isinstance(at, Slice)
        start = integer(low, at.start if piece else at)
        starts[dim] = start if starts[dim].number == 0 else low.binary("add", starts[dim], start)
        left.pop(dim, None)
        if piece:
            kept.append(dim)
            left.update({dim: at.size} if at.size != 1 else {})
    return kept


# ---- loads and stores ----


@rule("get", "load", machine="gpu")
def lower_get(low: GpuLowering, eqn: Equation) -> Operand:
    """x[..], also of another block. A warp alone has no arrays: JAX's compiler refuses them in these words."""
    ref, *leaves = eqn.operands
    if low.compiled and low.warps is not None and eqn.avals[0].shape:
        raise ValueError("Can only load scalars in warp-level code.")
    return load(low, *peer(low, ref, tree_util.tree_unflatten(eqn.params["tree"], leaves)))


@rule("swap", machine="gpu")
def lower_swap(low: GpuLowering, eqn: Equation) -> Operand:
    """x[..] = v, also of another block."""
    ref, value, *leaves = eqn.operands
    ref, transforms = peer(low, ref, tree_util.tree_unflatten(eqn.params["tree"], leaves))
    return store(low, ref, transforms, value, None, not eqn.dead())


@rule("store", machine="gpu")
def lower_store(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """JAX 0.12's x[..] = v that gives nothing back."""
    ref, value, *leaves = eqn.operands
    ref, transforms = peer(low, ref, tree_util.tree_unflatten(eqn.params["tree"], leaves))
    store(low, ref, transforms, value, None, False)
    return []


@rule("mgpu_atomic_store", machine="gpu")
def lower_atomic_store(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Combines a value with memory, element by element."""
    ref, transforms, value, *_ = eqn.params["args_tree"].unflatten(eqn.operands)
    spot = whole(low, *peer(low, ref, transforms), "an atomic on memory seen through")
    kind = getattr(eqn.params["atomic_type"], "value", eqn.params["atomic_type"])
    low.writer.line(f"atomic {kind} {spot.text()} = {value.text}")
    return []


# How a value lies in registers does not change it; the others are hints for the hardware.
rule("layout_cast", machine="gpu")(lower_identity)
rule("set_max_registers", "print_layout", "async_prefetch", machine="gpu")(lower_nothing)
