"""What goes wrong, as Python exceptions with Kiln's diagnostics."""

from __future__ import annotations

from ctypes import c_void_p
from typing import NamedTuple

from kiln._native import Diag, diagnostics, lib

_ERROR, _FAULT = 2, 3  # kiln_severity


class Place(NamedTuple):
    """A place in a text: line and column count from 1; 0 means unknown."""

    file: str
    line: int
    column: int


class Error(Exception):
    """A mistake in a kernel's text, its arrays or a request, or a failure of a device or the system.

    `code` is a number that never changes and `name` a word for it; `message` says what is wrong in one line; `places`
    are the places it is about. The exception's text is the full report, with the lines and a caret under them.
    """

    def __init__(self, text: str, code: int = 0, name: str = "", message: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.name = name
        self.message = message or text
        self.hint = ""
        self.places: tuple[Place, ...] = ()


class Fault(Error):
    """A fault of the kernel itself, found while it ran with `check=True`.

    `unit` is the unit and step where it showed, `seed` what replays it.
    """

    unit = ""
    seed = 0


def _error(diag: Diag, text: str) -> Error:
    error = (Fault if diag.severity == _FAULT else Error)(text, diag.code, diag.name.decode(), str(diag.message))
    error.hint = str(diag.hint)
    places = diag.places[: diag.place_count] if diag.place_count else []
    error.places = tuple(Place(str(place.file), place.line, place.column) for place in places)
    if isinstance(error, Fault):
        error.unit, error.seed = str(diag.unit), diag.seed
    return error


def errors_of(context: c_void_p) -> list[Error]:
    """The errors and faults that a context has collected."""
    return [_error(diag, text.rstrip()) for diag, text in diagnostics(context) if diag.severity >= _ERROR]


def failure(context: c_void_p, result: int) -> Error:
    """The exception for a result that is not KILN_OK: the first error, with the text of all."""
    found = errors_of(context)
    if not found:
        name = lib.kiln_result_name(result).decode()
        return Error(f"Kiln failed: {name}", name=name)
    first = found[0]
    first.args = ("\n".join(str(error) for error in found),)
    return first
