"""Barriers, semaphores and fences of Mosaic GPU kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import tree_util
from jax._src.pallas.primitives import DeviceIdType

from kiln.pallas.bounds import Bounds
from kiln.pallas.equation import Equation, Operand, Ref, Value
from kiln.pallas.gpu.devices import number_of
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.gpu.memory import element, unflatten, write_by_leader
from kiln.pallas.lower import rule
from kiln.pallas.memory import view_through

# ---- barriers ----


def _barrier(low: GpuLowering, eqn: Equation, operands: Sequence[Operand]) -> str:
    ref, *leaves = operands
    return element(low, ref, tree_util.tree_unflatten(eqn.params["transforms_treedef"], leaves))


@rule("barrier_arrive", machine="gpu")
def lower_arrive(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """One arrival, under a condition where the program has one, as it may in JAX 0.12."""
    operands = list(eqn.operands)
    condition = operands.pop().typed if eqn.params.get("has_user_predicate") else ""
    low.writer.line_when(condition, f"arrive {_barrier(low, eqn, operands)}")
    return []


@rule("barrier_wait", machine="gpu")
def lower_wait(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """The end of the next phase."""
    low.writer.line(f"wait {_barrier(low, eqn, eqn.operands)}")
    return []


@rule("barrier_test", machine="gpu")
def lower_test(low: GpuLowering, eqn: Equation) -> Operand:
    """Whether a wait would end now."""
    return low.let(f"test {_barrier(low, eqn, eqn.operands)}", (), np.bool_)


# ---- semaphores ----


@rule("semaphore_signal", machine="gpu")
def lower_signal(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A semaphore goes up."""
    ref, transforms, count, device, *_ = eqn.params["args_tree"].unflatten(eqn.operands)
    kind = eqn.params.get("device_id_type", DeviceIdType.MESH)
    low.writer.line(signal_text(low, element(low, ref, transforms), count, device, kind))
    return []


def signal_text(low: GpuLowering, semaphore: str, count: Value, device: Any, kind: Any) -> str:
    """A signal on this device, or on another one."""
    there = f" at {number_of(low, device, kind)}" if device is not None else ""
    return f"signal {semaphore} by {count.text}{there}"


@rule("semaphore_wait", machine="gpu")
def lower_semaphore_wait(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Until a semaphore is high enough; then it goes down, unless told otherwise."""
    ref, transforms, count, lowers = eqn.params["args_tree"].unflatten(eqn.operands)
    keep = getattr(lowers, "number", lowers) in (False, 0)
    low.writer.line(f"wait {element(low, ref, transforms)} by {count.text}" + " keep" * keep)
    return []


@rule("semaphore_read", machine="gpu")
def lower_semaphore_read(low: GpuLowering, eqn: Equation) -> Operand:
    """Where a semaphore stands."""
    ref, transforms = eqn.params["args_tree"].unflatten(eqn.operands)
    return low.let(f"count {element(low, ref, transforms)}", (), np.int32, Bounds(0, 2**31 - 1))


# ---- fences, and the ends of what runs by itself ----

STATEMENTS = {
    "commit_smem": "commit smem",
    "commit_group": "commit copies",
    "commit_tmem": "commit tmem",
    "wait_load_tmem": "await tmem",
}
COUNTED = {"wait_smem_to_gmem": "copies", "wait_gmem_to_smem": "loads", "wgmma_wait": "mma"}


@rule(*STATEMENTS, machine="gpu")
def lower_statement(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Those without operands."""
    low.writer.line(STATEMENTS[eqn.name])
    return []


@rule(*COUNTED, machine="gpu")
def lower_await(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Until at most so many are in flight."""
    (left,) = eqn.operands or [low.constant(eqn.params["n"])]
    words = " sources" * bool(eqn.params.get("wait_read_only"))
    low.writer.line(f"await {COUNTED[eqn.name]} {left.text}{words}")
    return []


@rule("tcgen05_commit_arrive", machine="gpu")
def lower_commit_arrive(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """An arrival once all products and copies to tensor memory so far are done."""
    ref, *leaves = eqn.operands
    (transforms,) = unflatten(leaves, eqn.params["barrier_transforms_tree"])
    words = [f"commit mma arrive {element(low, ref, transforms)}"]
    write_by_leader(low, words, eqn.params["collective_axis"])
    return []


# ---- clusters that take over the work of others ----


def _answer(low: GpuLowering, ref: Ref, transforms: Sequence[Any]) -> str:
    """The sixteen bytes of an answer as Kiln writes them: the cluster's number, or -1."""
    seen = view_through(low, ref, transforms or [])
    return low.writer.let(f"view {seen.text} as i32[4]")[0]


@rule("try_cluster_cancel", machine="gpu")
def lower_try_cancel(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A request for the work of a cluster that has not started: each block's first thread asks, all of them arrive."""
    ref, barrier, *leaves = eqn.operands
    trees = [eqn.params[f"{name}_transforms_tree"] for name in ("result", "barrier")]
    seen, transforms = unflatten(leaves, *trees)
    there = element(low, barrier, transforms)
    claim = f"claim {_answer(low, ref, seen)} arrive {there}"
    if not low.mesh.threads.names:
        low.writer.line(claim)
        return []
    first = low.binary("eq", low.axis_index(low.mesh.threads.names[0]), low.constant(0), np.bool_)
    low.writer.line(f"when {first.text} {{ {claim} }} else {{ arrive {there} }}")
    return []


@rule("query_cluster_cancel", machine="gpu")
def lower_query_cancel(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """The answer: the cluster's place in the grid, row by row, and whether there is one."""
    ref, *leaves = eqn.operands
    (seen,) = unflatten(leaves, eqn.params["transforms_tree"])
    axes = dict(zip(low.mesh.names, low.mesh.axes, strict=True))
    last = math.prod(int(axis.extent) for axis in axes.values()) - 1
    number = low.let(f"{_answer(low, ref, seen)}[0]", (), np.int32, Bounds(-1, last))
    left, places = low.binary("max", number, low.constant(0)), {}
    for name, axis in reversed(axes.items()):
        extent = low.constant(int(axis.extent))
        places[name] = low.binary("rem", left, extent)
        left = low.binary("div", left, extent)
    granted = low.binary("ge", number, low.constant(0), np.bool_)
    return [*(places[name] for name in eqn.params["grid_names"]), granted]
