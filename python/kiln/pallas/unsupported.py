"""What the exporter cannot translate, said with the place in the Python program and what to do about it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Place(NamedTuple):
    """A place in a Python file; line and column count from 1."""

    file: str
    line: int
    column: int


class Unsupported(NotImplementedError):
    """A kernel uses something that has no Kiln equivalent: `what` names it, `place` is the Python line."""

    def __init__(self, what: str, place: Place | None = None, hint: str = "") -> None:
        where = f"{place.file}:{place.line}: " if place else ""
        advice = f" ({hint})" if hint else ""
        super().__init__(f"{where}Kiln cannot run {what}{advice}")
        self.what = what
        self.place = place
        self.hint = hint


def place_of(source_info: Any) -> Place | None:
    """The line of the user's program that an equation comes from, if JAX kept it."""
    from jax._src import source_info_util

    frame = source_info_util.user_frame(source_info.traceback)
    if frame is None:
        return None
    return Place(frame.file_name, frame.start_line, frame.start_column + 1)
