"""Tables of functions by name, in which decorators enter them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def entered_in(table: dict[str, Function], names: Iterable[str]) -> Callable[[Function], Function]:
    """Decorates what stands in a table under these names."""

    def enter(function: Function) -> Function:
        table.update(dict.fromkeys(names, function))
        return function

    return enter
