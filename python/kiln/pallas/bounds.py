"""What is known of the integers of a kernel: an interval each. Indices that cannot leave an array need no clamp."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Bounds(NamedTuple):
    """The smallest and largest value, both included."""

    low: int
    high: int

    def within(self, low: int, high: int) -> bool:
        """Whether every value lies in [low, high]."""
        return low <= self.low and self.high <= high

    def join(self, other: Bounds) -> Bounds:
        """The values of either."""
        return Bounds(min(self.low, other.low), max(self.high, other.high))


I32 = Bounds(-(2**31), 2**31 - 1)


def _mul(a: Bounds, b: Bounds) -> Bounds:
    corners = [x * y for x in a for y in b]
    return Bounds(min(corners), max(corners))


def _div(a: Bounds, b: Bounds) -> Bounds | None:
    if b.low != b.high or b.low <= 0:
        return None
    return Bounds(_truncate(a.low, b.low), _truncate(a.high, b.low))


def _truncate(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)


def _rem(a: Bounds, b: Bounds) -> Bounds | None:
    if b.low <= 0:
        return None
    return Bounds(0 if a.low >= 0 else 1 - b.high, b.high - 1 if a.high > 0 else 0)


def _shift_left(a: Bounds, b: Bounds) -> Bounds | None:
    return _mul(a, Bounds(1 << b.low, 1 << b.high)) if b.within(0, 31) else None


def _shift_right(a: Bounds, b: Bounds) -> Bounds | None:
    if not b.within(0, 31):
        return None
    corners = [x >> y for x in a for y in b]
    return Bounds(min(corners), max(corners))


def _and(a: Bounds, b: Bounds) -> Bounds | None:
    highs = [x.high for x in (a, b) if x.low >= 0]
    return Bounds(0, min(highs)) if highs else None


RULES: dict[str, Callable[..., Bounds | None]] = {
    "add": lambda a, b: Bounds(a.low + b.low, a.high + b.high),
    "sub": lambda a, b: Bounds(a.low - b.high, a.high - b.low),
    "mul": _mul,
    "div": _div,
    "rem": _rem,
    "neg": lambda a: Bounds(-a.high, -a.low),
    "max": lambda a, b: Bounds(max(a.low, b.low), max(a.high, b.high)),
    "min": lambda a, b: Bounds(min(a.low, b.low), min(a.high, b.high)),
    "clamp": lambda low, x, high: Bounds(min(max(x.low, low.low), high.low), min(max(x.high, low.high), high.high)),
    "sign": lambda a: Bounds((a.low > 0) - (a.low < 0), (a.high > 0) - (a.high < 0)),
    "shift_left": _shift_left,
    "shift_right_arithmetic": _shift_right,
    "and": _and,
    "select_n": lambda which, *cases: _join_all(cases),
}


COMPARISONS: dict[str, Callable[[Bounds, Bounds], bool | None]] = {
    "lt": lambda a, b: True if a.high < b.low else False if a.low >= b.high else None,
    "gt": lambda a, b: COMPARISONS["lt"](b, a),
    "ge": lambda a, b: _opposite(COMPARISONS["lt"](a, b)),
    "le": lambda a, b: _opposite(COMPARISONS["gt"](a, b)),
    "eq": lambda a, b: False if a.high < b.low or b.high < a.low else True if a == b and a.low == a.high else None,
    "ne": lambda a, b: _opposite(COMPARISONS["eq"](a, b)),
}


def _opposite(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def decided(primitive: str, operands: list[Bounds | None]) -> bool | None:
    """What a comparison comes to, where bounds tell."""
    compare = COMPARISONS.get(primitive)
    if compare is None or any(b is None for b in operands):
        return None
    return compare(*operands)


def _join_all(cases: tuple[Bounds, ...]) -> Bounds:
    result = cases[0]
    for case in cases[1:]:
        result = result.join(case)
    return result


def of(primitive: str, operands: list[Bounds | None]) -> Bounds | None:
    """The bounds of an elementwise result, where they fit a 32-bit integer."""
    rule = RULES.get(primitive)
    if rule is None or any(b is None for b in (operands[1:] if primitive == "select_n" else operands)):
        return None
    result = rule(*operands)
    return result if result is not None and result.within(*I32) else None
