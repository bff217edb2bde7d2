"""What pieces of code for NVIDIA's compiler mean (`plgpu.inline_mgpu`): a table by the function that emits them.

Such a function makes instructions, of which the jaxpr knows the operands and results only. A meaning is a function of
the same operands in Pallas, which is traced where the code stands: arrays are arrays, refs are refs. Its first argument
says more of the code. known.py has the meanings of packages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kiln.pallas.registry import entered_in


class Code(NamedTuple):
    """What a meaning may ask of the code beside its operands."""

    held: Mapping[str, Any]  # variables that the function closes over
    layouts: Sequence[Any]  # of its operands
    results: Sequence[Any]  # types of what it gives


Meaning = Callable[..., Any]
MEANINGS: dict[str, Meaning] = {}


def inline_meaning(*names: str) -> Callable[[Meaning], Meaning]:
    """Says what the code of functions means, which are named as `package.module.function.<locals>.inner`."""
    return entered_in(MEANINGS, names)
