"""The tensor cores of Mosaic GPU kernels: products into accumulators and tensor memory, and its loads and stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import tree_util
from jax._src.state.indexing import NDIndexer

from kiln.pallas.equation import Equation, Operand, Value
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.gpu.memory import element, part, peer, unflatten, write_by_leader
from kiln.pallas.lower import rule
from kiln.pallas.memory import load, store, whole

# ---- products ----


def _rows_of(rows: int, ref: Operand, transforms: Sequence[Any]) -> tuple[Operand, Sequence[Any]]:
    """The first rows of scales: the hardware wants room for at least 128."""
    if transforms or ref.shape[0] == rows:
        return ref, transforms
    return ref, (NDIndexer.from_indices_shape((slice(0, rows), slice(None)), ref.shape),)


def _factor(low: GpuLowering, operand: Operand, transforms: Sequence[Any]) -> str:
    return operand.text if isinstance(operand, Value) else part(low, operand, transforms)


@rule("wgmma_ref", machine="gpu")
def lower_wgmma(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """An accumulator += a b."""
    acc, a, b, *leaves = eqn.operands
    seen = unflatten(leaves, *(eqn.params[f"{name}_transforms_tree"] for name in ("acc", "a", "b")))
    low.writer.line(f"mma {part(low, acc, seen[0])}, {_factor(low, a, seen[1])}, {part(low, b, seen[2])}")
    return []


@rule("tcgen05_mma", machine="gpu")
def lower_tcgen05(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Tensor memory += a b, or = a b where it does not accumulate."""
    params, (acc, a, b, accumulate, *leaves) = eqn.params, eqn.operands
    barrier = leaves.pop(0) if params["arrive"] else None
    names = ["a_scale", "b_scale"] * params["scaled"] + ["a_sparse_metadata"] * params["sparse"]
    more = [leaves.pop(0) for _ in names]
    seen = unflatten(leaves, *(params[f"{name}_transforms_tree"] for name in ("acc", "a", "b", "barrier", *names)))
    words = [f"mma {part(low, acc, seen[0])}, {_factor(low, a, seen[1])}, {part(low, b, seen[2])}"]
    if accumulate.number is None or not accumulate.number:
        words.append(f"accumulate {accumulate.text}")
    if barrier is not None:
        words.append(f"arrive {element(low, barrier, seen[3])}")
    pairs = list(zip(more, seen[4:], strict=True))
    if params["scaled"]:
        sizes = whole(low, *peer(low, acc, seen[0]), "a product into memory seen through").shape
        pairs[:2] = [_rows_of(size, *pair) for size, pair in zip(sizes, pairs[:2], strict=True)]
    shown = [part(low, *each) for each in pairs]
    if params["scaled"]:
        words.append(f"scale {shown[0]}, {shown[1]}")
    if params["sparse"]:
        words.append(f"sparse {shown[-1]}")
    write_by_leader(low, words, params["collective_axis"])
    return []


@rule("mma", machine="gpu")
def lower_mma(low: GpuLowering, eqn: Equation) -> Operand:
    """The product of warps on registers, which is done when it returns."""
    acc, a, b = eqn.operands
    return low.trace(lambda c, x, y: c + jnp.matmul(x, y, preferred_element_type=c.dtype), acc, a, b)[0]


# ---- accumulators ----


@rule("wgmma_accumulator_deref", machine="gpu")
def lower_deref(low: GpuLowering, eqn: Equation) -> Operand:
    """What an accumulator holds: the load awaits its products."""
    return load(low, eqn.operands[0], ())


@rule("wgmma_accumulator_store", machine="gpu")
def lower_accumulator_store(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """An accumulator's new value."""
    acc, value = eqn.operands
    store(low, acc, (), value, None, False)
    return [value]


# ---- tensor memory ----

REDUCTIONS = {
    "max": lambda x: jnp.max(x, -1),
    "min": lambda x: jnp.min(x, -1),
    "absmax": lambda x: jnp.max(jnp.abs(x), -1),
    "absmin": lambda x: jnp.min(jnp.abs(x), -1),
}


@rule("async_load", machine="gpu")
def lower_load_tmem(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A load, and along with it a reduction of the last dimension where one is wanted."""
    ref, *leaves = eqn.operands
    value = load(low, ref, tree_util.tree_unflatten(eqn.params["tree"], leaves))
    reduction = eqn.params["reduce"]
    if reduction is None:
        return [value]
    return [value, low.trace(REDUCTIONS[str(getattr(reduction, "value", reduction))], value)[0]]


@rule("async_store_tmem", machine="gpu")
def lower_store_tmem(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """A store, visible after `commit tmem`."""
    ref, value, *leaves = eqn.operands
    store(low, ref, tree_util.tree_unflatten(eqn.params["tree"], leaves), value, None, False)
    return []
