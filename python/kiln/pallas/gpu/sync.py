"""Barriers, semaphores and fences of Mosaic GPU kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import tree_util
from jax._src.pallas.primitives import DeviceIdType

from kiln.pallas.bounds import Bounds
from kiln.pallas.equation import Equation, Operand, Value
from kiln.pallas.gpu.devices import number_of
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.gpu.memory import element, unflatten, write_by_leader
from kiln.pallas.lower import rule

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


@rule("try_cluster_cancel", machine="gpu")
def lower_try_cancel(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A request for the work of a cluster that has not started: the answer comes with an arrival, of every thread."""
    _, barrier, *leaves = eqn.operands
    _, transforms = unflatten(leaves, eqn.params["result_transforms_tree"], eqn.params["barrier_transforms_tree"])
    low.writer.line(f"arrive {element(low, barrier, transforms)}")
    return []


@rule("query_cluster_cancel", machine="gpu")
def lower_query_cancel(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """The answer: there is none, as here all clusters of a launch start."""
    return [low.constant(0, aval.dtype) for aval in eqn.avals]
