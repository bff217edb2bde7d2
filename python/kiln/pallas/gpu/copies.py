"""Asynchronous copies of Mosaic GPU kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax._src.pallas.mosaic_gpu.core import ClusterRefTransform, MulticastRef
from jax._src.state.indexing import NDIndexer
from jax._src.state.types import ReshapeTransform, TransposeTransform

from kiln.pallas.equation import Equation, Operand, Ref
from kiln.pallas.gpu.devices import all_devices, elsewhere
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.gpu.memory import across, element, part, peer, unflatten, write_by_leader
from kiln.pallas.lower import rule
from kiln.pallas.memory import has_arrays, load, store, whole

COMBINES = {"add": "add", "and": "and", "or": "or", "xor": "xor"} | {
    f"{kind}{word}": word for kind in ("", "s", "u") for word in ("min", "max")
}


def _when(condition: Any) -> list[str]:
    return [f"when {condition.text}"] if condition is not None else []


def _picks(transforms: Sequence[Any]) -> bool:
    """Whether arrays of indices pick rows."""
    return any(isinstance(t, NDIndexer) and has_arrays(t) for t in transforms)


def _move(low: GpuLowering, source: Any, seen_source: Any, target: Any, seen_target: Any) -> None:
    """A copy of rows that arrays of indices pick: done when it returns, and told to the other road to memory."""
    value = load(low, source, seen_source)
    everywhere = low.full(low.constant(True, np.bool_), value.shape) if _picks(seen_target) else None
    store(low, target, seen_target, value, everywhere, False)
    low.writer.line("commit smem")


@rule("copy_gmem_to_smem", machine="gpu")
def lower_to_smem(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """To shared memory: ends with an arrival, even where a condition drops the copy, or is awaited by its unit."""
    params, leaves = eqn.params, list(eqn.operands)
    condition = leaves.pop() if params["has_user_predicate"] else None
    source, target, *barrier = (leaves.pop(0) for _ in range(2 + params["has_barrier"]))
    trees = [params[f"{name}_transforms_treedef"] for name in ("src", "dst", "barrier")]
    seen_source, seen_target, seen_barrier = unflatten(leaves, *trees)
    if _picks(seen_source) and condition is None and not params["collective_axes"]:
        _move(low, source, seen_source, target, seen_target)
        for ready in barrier:
            low.writer.line(f"arrive {element(low, ready, seen_barrier)}")
        return []
    words = [f"copy {part(low, source, seen_source)} -> {part(low, target, seen_target)}"]
    arrival = f"arrive {element(low, barrier[0], seen_barrier)}" if barrier else ""
    words += [arrival] if barrier else []
    if params["collective_axes"]:
        words.append(across(low, params["collective_axes"]))
        words += _way(params["leader_tracked"])
    low.writer.line(" ".join(words + _when(condition)))
    if condition is not None and barrier:
        dropped = low.elementwise("not", [condition], (), np.bool_)
        low.writer.line_when(dropped.text, arrival)
    return []


def _way(tracked: Any) -> list[str]:
    """How the blocks of a collective copy share it: each all of it, or each its own part."""
    if tracked is None:
        return []
    return ["split" if "PARTITION" in repr(tracked).upper() else "leader"]


@rule("copy_smem_to_gmem", machine="gpu")
def lower_to_gmem(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """To global memory, in groups."""
    params, leaves = eqn.params, list(eqn.operands)
    condition = leaves.pop() if params["has_user_predicate"] else None
    source, target = leaves.pop(0), leaves.pop(0)
    seen_source, seen_target = unflatten(leaves, params["src_transforms_treedef"], params["dst_transforms_treedef"])
    if _picks(seen_target) and condition is None and params["reduction_op"] is None:
        _move(low, source, seen_source, target, seen_target)
        return []
    words = []
    if params["reduction_op"] is not None:
        if params["reduction_op"] not in COMBINES:
            raise low.unsupported(f"a copy that combines by `{params['reduction_op']}`")
        words.append(f"by {COMBINES[params['reduction_op']]}")
    start = part(low, source, seen_source)
    ends = [part(low, *there) for there in _targets(low, target, seen_target)]
    for number, end in enumerate(ends, 1):
        is_open = ["open"] * (number < len(ends) or not params["commit_group"])
        low.writer.line(" ".join([f"copy {start} -> {end}", *words, *is_open, *_when(condition)]))
    return []


def _targets(low: GpuLowering, target: Ref, transforms: Sequence[Any]) -> list[tuple[Ref, list[Any]]]:
    """Where a copy goes: to one place, or to that of every device."""
    rest = [t for t in transforms if not isinstance(t, MulticastRef)]
    everywhere = [t for t in transforms if isinstance(t, MulticastRef)]
    if not everywhere:
        return [(target, rest)]
    return [(elsewhere(low, target, device), rest) for device in all_devices(low, everywhere[0].collective_axes)]


@rule("async_copy_smem_to_tmem", machine="gpu")
def lower_to_tmem(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """To tensor memory: in order with the products that follow, and committed like them."""
    source, target, *leaves = eqn.operands
    seen_source, seen_target = unflatten(leaves, eqn.params["smem_tree"], eqn.params["tmem_tree"])
    _copy_to_tmem(low, part(low, source, seen_source), part(low, target, seen_target), eqn.params["collective_axis"])
    return []


def _copy_to_tmem(low: GpuLowering, source: str, target: str, axis: Any) -> None:
    """In the own block; along an axis of the cluster in all blocks, by the first of them."""
    write_by_leader(low, [f"copy {source} -> {target}"], axis)


@rule("async_store_smem", machine="gpu")
def lower_store_to_peer(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A store to the shared memory of another block, which ends with an arrival at that block's barrier."""
    params, (value, ref, barrier, place, *leaves) = eqn.params, eqn.operands
    seen, seen_barrier = unflatten(leaves, params["ref_transforms_treedef"], params["barrier_transforms_treedef"])
    there = ClusterRefTransform((params["cluster_dim"],), (place,))
    far, transforms = peer(low, ref, [*seen, there])
    spot = whole(low, far, transforms, "a store to another block through")
    how = f"atomic {params['atomic']} " if params["atomic"] else ""
    low.writer.line(f"{how}{spot.text()} = {value.text}")
    ready, transforms = peer(low, barrier, [*seen_barrier, there])
    low.writer.line(f"arrive {element(low, ready, transforms)}")
    return []


# ---- what products read beside their factors ----

Pieces = tuple[list[int], list[int]]  # a matrix under a shape of more dimensions, and their order in shared memory


def _scales(rows: int, columns: int) -> Pieces:
    return [rows // 128, 4, 32, columns // 4, 4], [0, 3, 2, 1, 4]


def _pairs_of(bits: int) -> Callable[[int, int], Pieces]:
    """`plgpu.format_tcgen05_sparse_metadata` for factors of so many bits."""

    def pairs(rows: int, columns: int) -> Pieces:
        if bits == 8:
            return [rows // 128, 128, columns // 64, 64], [0, 2, 1, 3]
        return [rows // 128, 8, 2, 8, columns // 64, 4, 2, 8], [0, 4, 1, 6, 3, 5, 2, 7]

    return pairs


def _copy_in_pieces(low: GpuLowering, eqn: Equation, pieces: Callable[[int, int], Pieces]) -> Sequence[Operand]:
    """From where a matrix lies in the order that the hardware wants to where it is a matrix again."""
    source, target, *leaves = eqn.operands
    seen_source, seen_target = unflatten(leaves, eqn.params["smem_tree"], eqn.params["tmem_tree"])
    shape, order = pieces(*target.shape)
    if seen_target or np.prod(shape) != np.prod(target.shape):
        raise low.unsupported(f"a copy to {target.shape} of what products read beside their factors")
    start = part(low, source, [*seen_source, ReshapeTransform(tuple(shape[k] for k in order))])
    end = part(low, target, [ReshapeTransform(tuple(shape)), TransposeTransform(tuple(order))])
    _copy_to_tmem(low, start, end, eqn.params["collective_axis"])
    return []


@rule("async_copy_scales_to_tmem", machine="gpu")
def lower_scales(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Scales of a factor: 32 rows and 4 columns at a time, of four such parts of 128 rows."""
    source, target = eqn.operands[:2]
    if target.shape[0] == 2 * 128 and source.shape[-2] == 64:
        return _copy_halves(low, eqn)
    return _copy_in_pieces(low, eqn, _scales)


def _copy_halves(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Scales of the columns of two blocks with 64 rows each: 32 rows of either half, of up to four such parts."""
    source, target, *leaves = eqn.operands
    seen, seen_target = unflatten(leaves, eqn.params["smem_tree"], eqn.params["tmem_tree"])
    columns = low.known.scaled_columns
    if seen_target or len(columns) != 1:
        raise low.unsupported("scales in two halves for products of different sizes")
    (count,) = columns
    parts, fours = count // 64, target.shape[1] // 4
    stored = (fours, 2, 32, 4, 4)
    there = NDIndexer.from_indices_shape((*[slice(None)] * 3, slice(0, parts), slice(None)), stored)
    rows = NDIndexer.from_indices_shape((slice(0, count), slice(None)), target.shape)
    start = part(low, source, [*seen, ReshapeTransform(stored), there])
    shape = ReshapeTransform((2, parts, 32, fours, 4))
    end = part(low, target, [rows, shape, TransposeTransform((3, 0, 2, 1, 4))])
    _copy_to_tmem(low, start, end, eqn.params["collective_axis"])
    return []


@rule("async_copy_sparse_metadata_to_tmem", machine="gpu")
def lower_pairs(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Which elements of a sparse factor are there: the order depends on the factor's type."""
    if len(low.known.sparse_bits) > 1:
        raise low.unsupported("sparse products of factors of different widths in one kernel")
    return _copy_in_pieces(low, eqn, _pairs_of(*low.known.sparse_bits or {16}))
