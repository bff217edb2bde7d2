"""Asynchronous copies of Mosaic GPU kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax._src.pallas.mosaic_gpu.core import ClusterRefTransform, MulticastRef
from jax._src.state.indexing import NDIndexer

from kiln.pallas.gpu_devices import all_devices, elsewhere
from kiln.pallas.gpu_lower import GpuLowering
from kiln.pallas.gpu_memory import across, element, part, peer, unflatten
from kiln.pallas.lower import Equation, Operand, Ref, rule
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
        with low.writer.region(f"when {dropped.text}"):
            low.writer.line(arrival)
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
    words = [f"copy {part(low, source, seen_source)} -> {part(low, target, seen_target)}"]
    if eqn.params["collective_axis"] is not None:
        words.append(across(low, [eqn.params["collective_axis"]]))
    low.writer.line(" ".join(words))
    return []


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
