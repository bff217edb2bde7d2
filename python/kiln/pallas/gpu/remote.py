"""What Mosaic GPU kernels do on several devices at once: signals, stores, and loads that are combined."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax.numpy as jnp
from jax import tree_util
from jax._src.pallas.primitives import DeviceIdType

from kiln.pallas.equation import Equation, Operand
from kiln.pallas.gpu.devices import all_devices, elsewhere
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.gpu.memory import element, unflatten
from kiln.pallas.gpu.sync import signal_text
from kiln.pallas.lower import rule
from kiln.pallas.memory import load, store

COMBINES = {
    "add": "add",
    "min": "minimum",
    "max": "maximum",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}


@rule("semaphore_signal_multicast", machine="gpu")
def lower_signal_all(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A semaphore of every device goes up."""
    ref, transforms, count = eqn.params["args_tree"].unflatten(eqn.operands)
    one = element(low, ref, transforms)
    for device in all_devices(low, eqn.params["collective_axes"]):
        low.writer.line(f"signal {one} by {count.text} at {device}")
    return []


@rule("semaphore_signal_parallel", machine="gpu")
def lower_signals(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Several semaphores go up, in any order."""
    for ref, transforms, count, device in zip(*eqn.params["args_tree"].unflatten(eqn.operands), strict=True):
        low.writer.line(signal_text(low, element(low, ref, transforms), count, device, DeviceIdType.MESH))
    return []


@rule("multimem_store", machine="gpu")
def lower_store_all(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A store to the same place of every device."""
    value, ref, *leaves = eqn.operands
    (transforms,) = unflatten(leaves, eqn.params["transforms_tree"])
    for device in all_devices(low, eqn.params["collective_axes"]):
        store(low, elsewhere(low, ref, device), transforms, value, None, False)
    return []


@rule("multimem_load_reduce", machine="gpu")
def lower_load_all(low: GpuLowering, eqn: Equation) -> Operand:
    """What all devices have at one place, combined."""
    ref, *leaves = eqn.operands
    transforms = tree_util.tree_unflatten(eqn.params["tree"], leaves)
    devices = all_devices(low, eqn.params["collective_axes"])
    values = [load(low, elsewhere(low, ref, device), transforms) for device in devices]
    combine = getattr(jnp, COMBINES[eqn.params["reduction_op"]])
    return low.trace(lambda *parts: functools.reduce(combine, parts), *values)[0]
