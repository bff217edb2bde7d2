"""Pipelines inside a kernel as primitives, which JAX makes them with its flag `use_emit_pipeline_primitive`.

Without it `emit_pipeline` is loops, copies and waits by the time the exporter sees it; here JAX 0.12 is asked for
these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jax import tree_util
from jax._src.state.types import TransformedRef

from kiln.pallas.equation import Axis, Equation, Operand, Ref, Value
from kiln.pallas.lower import Lowering, rule
from kiln.pallas.memory import view_through


@rule("emit_pipeline")
def lower_emit_pipeline(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """What JAX makes of a pipeline for a TPU."""
    from jax._src.pallas.mosaic import pipeline as mosaic  # takes long, and is there where a program has pipelines

    if not hasattr(mosaic, "emit_pipeline_to_jaxpr"):
        raise low.unsupported("a pipeline as a primitive", "leave JAX's flag use_emit_pipeline_primitive off")
    steps = mosaic.emit_pipeline_to_jaxpr(eqn.in_avals, grid_names=None, grid_sizes=(), **eqn.params)
    return low.jaxpr(steps, eqn.operands)


@contextmanager
def _steps_of(low: Lowering, indices: Sequence[Value]) -> Iterator[None]:
    """The axes of the grid are those of a pipeline, whose step has these indices."""
    outer = low.axes
    low.axes = [Axis(index.text, "", None, False) for index in indices]
    try:
        yield
    finally:
        low.axes = outer


@rule("pipeline_body")
def lower_pipeline_body(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """One step: its buffers are refs of the body."""
    step, consts, refs = tree_util.tree_unflatten(eqn.params["in_tree"], eqn.operands)
    leading = tree_util.tree_leaves(step) if eqn.params["_explicit_indices"] else []
    seen: list[Ref] = [view_through(low, r.ref, r.transforms) if isinstance(r, TransformedRef) else r for r in refs]
    with _steps_of(low, step.index):
        return low.jaxpr(eqn.params["jaxpr"], [*leading, *seen], list(consts))
