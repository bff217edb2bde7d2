"""Equations of a jaxpr with their operands lowered: values, refs and the axes of a grid."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kiln.pallas.bounds import Bounds
from kiln.pallas.text import typed_literal


@dataclasses.dataclass(slots=True)
class Value:
    """A tile or scalar of the kernel: a name, or a literal (`number` is set)."""

    text: str
    shape: tuple[int, ...]
    dtype: np.dtype
    number: Any = None
    bounds: Bounds | None = None
    condition: Value | None = None  # the bool that this integer was made of

    @property
    def typed(self) -> str:
        """The value where its type must be said: a literal with its type."""
        return self.text if self.number is None else typed_literal(self.number, self.dtype)


@dataclasses.dataclass(slots=True)
class Ref:
    """Memory: a parameter, a block of one, scratch or a view, which is part of `base`."""

    text: str
    shape: tuple[int, ...]
    dtype: np.dtype
    base: str = ""
    layout: tuple[Any, ...] = ()  # what undoes the layout that the program gave it; every use begins with that
    members: tuple[Ref, ...] = ()  # of a union: what it may be seen as; every use begins with the layout of one


Operand = Value | Ref


@dataclasses.dataclass(slots=True)
class Axis:
    """A grid axis: its index in the body, its extent (the text of a number or of a scalar), whether vmap added it.

    An axis of the cores of a mesh has the name that the program knows it by.
    """

    name: str
    extent: str
    size: int | None  # None: known at launch only
    mapped: bool
    label: Any = None

    @property
    def index(self) -> Value:
        """The index as a value of the body."""
        return Value(self.name, (), np.dtype(np.int32), None, Bounds(0, (self.size or 2**31) - 1))


@dataclasses.dataclass(slots=True)
class Equation:
    """An equation with its operands lowered."""

    name: str
    primitive: Any
    params: dict[str, Any]
    operands: list[Operand]
    outputs: list[Any]
    avals: list[Any]  # of the results
    in_avals: list[Any]

    live: frozenset[Any] | set[Any]

    def dead(self, index: int = 0) -> bool:
        """Whether nobody uses a result."""
        return self.outputs[index] not in self.live
