"""The equations that JAX itself defines a primitive by, or definitions.py where XLA does.

Many primitives (random bits, threefry, rolls, reciprocals, ..) have as their lowering a function of other lax
operations, made into a rule by `mlir.lower_fun`. That rule traces the function before it does anything else with its
context, so it is started with a context that stops it there, and the traced jaxpr is taken from it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from jax._src.interpreters import mlir

from kiln.pallas.definitions import DEFINITIONS, traced

if TYPE_CHECKING:
    from kiln.pallas.equation import Equation


class _Traced(Exception):
    """The definition, and which of the operands it takes, in order."""

    def __init__(self, jaxpr: Any, args: tuple[Any, ...]) -> None:
        super().__init__("traced")
        self.jaxpr = jaxpr
        self.taken = args


class _Context:
    """As much of a lowering context as rules read before they trace."""

    def __init__(self, primitive: Any, avals_in: list[Any], avals_out: list[Any]) -> None:
        self.primitive = primitive
        self.avals_in = avals_in
        self.avals_out = avals_out

    def replace(self, **changes: Any) -> _Context:
        """As the context of JAX, for rules that lower with other types."""
        values = {"primitive": self.primitive, "avals_in": self.avals_in, "avals_out": self.avals_out}
        values.update({key: value for key, value in changes.items() if key in values})
        return _Context(**values)

    @property
    def platforms(self) -> Any:
        """The first thing that a rule of `lower_fun` asks for once it has traced."""
        frame = sys._getframe(1).f_locals
        if "jaxpr" not in frame:
            raise LookupError("not a rule of mlir.lower_fun")
        raise _Traced(frame["jaxpr"], frame["args"])


def definition(equation: Equation) -> Any | None:
    """The jaxpr that defines an equation; None when there is none."""
    if equation.name in DEFINITIONS:
        return traced(DEFINITIONS[equation.name], equation)
    primitive = equation.primitive
    entry = mlir._platform_specific_lowerings["cpu"].get(primitive) or mlir._lowerings.get(primitive)
    if entry is None:
        return None
    context = _Context(primitive, list(equation.in_avals), [v.aval for v in equation.outputs])
    marks = tuple(range(len(equation.in_avals)))
    try:
        getattr(entry, "rule", entry)(context, *marks, **equation.params)
    except _Traced as found:
        return found.jaxpr if found.taken == marks and _differs(found.jaxpr, primitive) else None
    except Exception:  # a rule that builds operations by itself fails somewhere on this context
        return None
    return None


def _differs(jaxpr: Any, primitive: Any) -> bool:
    """A definition by the primitive itself would never end."""
    return not any(e.primitive is primitive for e in getattr(jaxpr, "jaxpr", jaxpr).eqns)
