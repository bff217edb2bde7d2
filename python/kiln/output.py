"""What kernels print goes to Python's own standard output, whoever has put what in its place."""

from __future__ import annotations

import atexit
import ctypes
import sys

from kiln._native import lib


@ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)
def _print(line: int | None, size: int) -> None:
    if line and size:
        sys.stdout.write(ctypes.string_at(line, size).decode(errors="replace"))


def connect() -> None:
    """Hands the library a function of Python's, until Python ends."""
    lib.kiln_seat_print_to(ctypes.cast(_print, ctypes.c_void_p))
    atexit.register(lib.kiln_seat_print_to, None)
