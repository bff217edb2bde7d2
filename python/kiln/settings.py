"""Where and how a launch runs, and what a launch by all schedules came to."""

from __future__ import annotations

import os
import warnings
from typing import NamedTuple, TypedDict

from kiln import _native
from kiln._native import Str, lib

ORDERS = _native.names_of(lib.kiln_python_order)
TIMINGS = _native.names_of(lib.kiln_python_timing)
LIMIT = 10_000


class Checks(TypedDict, total=False):
    """How a launch with `check=True` looks for faults; docs/checkers.md says what each means.

    schedule: which unit runs next: "by-seed", "round-robin", "reverse", "random", "pct" or "starve".
    copies: when copies and products in flight move on: "by-seed", "eager", "late" or "random".
    exhaustive: True for all schedules of a kernel whose units order themselves, 10,000 at most, or so many at most.
    steps: most steps of a schedule that is explored; 4096 unless given.
    resident: blocks that there is room for at a time, without `check` too; any number unless given.
    trace: a file that gets what every unit did, for ui.perfetto.dev; each launch writes it anew.
    svg: the same, drawn.
    """

    schedule: str
    copies: str
    exhaustive: bool | int
    steps: int
    resident: int
    trace: str | os.PathLike[str] | None
    svg: str | os.PathLike[str] | None


class Settings(NamedTuple):
    """Where and how a launch runs: fields of kiln_request by their names."""

    on: bytes
    check: bool
    seed: int
    order: int = 0
    timing: int = 0
    exhaustive: int = 0
    longest: int = 0
    resident: int = 0
    trace: bytes | None = None
    svg: bytes | None = None


class Unexplored(UserWarning):
    """`exhaustive=` did not see every schedule of a kernel."""


class Explored(NamedTuple):
    """What a launch by all schedules came to: how many were run, and how many are known of and were not.

    `longest` is the steps of the longest, or, where one was `too_long`, how many were allowed.
    """

    schedules: int
    open: int
    longest: int
    complete: bool
    too_long: bool

    def __str__(self) -> str:
        if self.too_long:
            return f"not explored: a schedule has more than {self.longest} steps"
        if self.complete:
            return f"explored {'the one schedule' if self.schedules == 1 else f'all {self.schedules} schedules'}"
        return f"explored {self.schedules} of at least {self.schedules + self.open} schedules; stopped at the limit"

    def tell(self, kernel: str, stacklevel: int) -> None:
        """Warns where schedules are left."""
        if self.too_long or (self.schedules and not self.complete):
            warnings.warn(f"{kernel}: {self}", Unexplored, stacklevel=stacklevel + 1)


def explored_of(raw: _native.Explored) -> Explored:
    """From the library's own."""
    return Explored(raw.schedules, raw.open, raw.longest, raw.complete, raw.too_long)


def request_settings(on: str, check: bool, seed: int | None, checks: Checks | None = None) -> Settings:
    """Settings as the library takes them; what can be no device is refused."""
    checks = checks or {}
    if not isinstance(on, str) or not (on in ("host", "vulkan") or on.startswith("vulkan:")):
        raise ValueError(f"on={on!r}: expected 'host', 'vulkan' or 'vulkan:' and an index or a part of a device's name")
    if check and on != "host":
        raise ValueError(f"check=True runs on the host only, not on {on!r}")
    if checks.get("resident") and on != "host":
        raise ValueError(f"resident= is for the host only, not for {on!r}")
    unknown = [name for name in checks if name not in Checks.__annotations__]
    if unknown:
        raise TypeError(f"unknown argument {unknown[0]!r}; of checks there are {', '.join(Checks.__annotations__)}")
    if not check and (about := [name for name in checks if name != "resident"]):
        raise ValueError(f"{about[0]}= is about checks: it needs check=True")
    number = int(seed or 0) & 0xFFFFFFFFFFFFFFFF
    order = _choice("schedule", checks.get("schedule", ORDERS[0]), ORDERS)
    timing = _choice("copies", checks.get("copies", TIMINGS[0]), TIMINGS)
    limit = _limit(checks.get("exhaustive", False))
    longest, resident = (min(max(int(checks.get(name, 0)), 0), 2**31 - 1) for name in ("steps", "resident"))
    return Settings(on.encode(), bool(check), number, order, timing, limit, longest, resident, *_files(checks))


def _choice(name: str, value: str, among: tuple[str, ...]) -> int:
    if value not in among:
        raise ValueError(f"{name}={value!r}: expected {', '.join(map(repr, among))}")
    return among.index(value)


def _limit(value: bool | int) -> int:
    if isinstance(value, bool):
        return LIMIT * value
    if value < 1:
        raise ValueError(f"exhaustive={value}: expected True, or how many schedules to try at most")
    return value


def _files(checks: Checks) -> tuple[bytes | None, bytes | None]:
    trace, svg = (path and os.fsencode(os.path.abspath(path)) for path in (checks.get("trace"), checks.get("svg")))
    return trace, svg


def request(handle: int, settings: Settings) -> _native.Request:
    """A launch of a kernel, without its arrays yet."""
    return _native.Request(kernel=handle, **{**settings._asdict(), "on": Str.of(settings.on)})
