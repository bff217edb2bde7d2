"""Random keys are arrays of words, with an axis behind those that JAX counts: equations that move them, of words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from jax._src.dtypes import ExtendedDType

from kiln.pallas.equation import Equation, Value

Params = dict[str, Any]


def _slice(params: Params, rank: int, words: int) -> Params:
    strides = params["strides"]
    return {
        "start_indices": (*params["start_indices"], 0),
        "limit_indices": (*params["limit_indices"], words),
        "strides": strides and (*strides, 1),
    }


def _gather(params: Params, rank: int, words: int) -> Params:
    numbers = params["dimension_numbers"]
    behind = numbers._replace(offset_dims=(*numbers.offset_dims, rank))
    return {"dimension_numbers": behind, "slice_sizes": (*params["slice_sizes"], words)}


# By primitive: the changed parameters, of an equation whose result has `rank` axes of keys of `words` words.
CHANGES: dict[str, Callable[[Params, int, int], Params]] = {
    "broadcast_in_dim": lambda p, rank, words: {"broadcast_dimensions": (*p["broadcast_dimensions"], rank)},
    "dynamic_slice": lambda p, rank, words: {"slice_sizes": (*p["slice_sizes"], words)},
    "gather": _gather,
    "slice": _slice,
    "transpose": lambda p, rank, words: {"permutation": (*p["permutation"], rank)},
}
STARTS = ("dynamic_slice", "dynamic_update_slice")  # have an operand for each axis


class Maker(Protocol):
    """What the changed equations need of a lowering: values of their own."""

    def constant(self, number: Any) -> Value:
        """A scalar literal."""

    def let(self, expression: str, shape: Sequence[int], dtype: Any) -> Value:
        """Names an expression."""


def of_words(low: Maker, eqn: Equation) -> Equation:
    """An equation as one of words, if it moves keys."""
    aval = next((v.aval for v in eqn.outputs if _holds_keys(v.aval)), None)
    if aval is None:
        return eqn
    change = CHANGES.get(eqn.name)
    params = {**eqn.params, **change(eqn.params, aval.ndim, eqn.avals[0].shape[-1])} if change else eqn.params
    operands = list(eqn.operands)
    if eqn.name in STARTS:
        operands.append(low.constant(0))
    if eqn.name == "select_n" and operands[0].shape:
        which, shape = operands[0], [*operands[0].shape, 1]
        operands[0] = low.let(f"reshape({which.text}, shape: {shape})", shape, which.dtype)
    return dataclasses.replace(eqn, params=params, operands=operands)


def _holds_keys(aval: Any) -> bool:
    return isinstance(getattr(aval, "dtype", None), ExtendedDType)
