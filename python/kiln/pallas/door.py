"""The door between XLA's programs and Kiln's launches: kernels entered, launches counted, faults collected.

The door itself is C (python/src/door.c): XLA calls it with a kernel's number, from its own threads, without the GIL.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from kiln import _native
from kiln._native import lib
from kiln.errors import Error, errors_of
from kiln.kernel import Kernel, parse
from kiln.settings import Explored, Settings, explored_of, request

TARGET = "kiln_launch"


class Entry(NamedTuple):
    """A kernel behind the door. What is entered stays: XLA may keep a program for the life of the process."""

    number: int
    kernel: Kernel
    settings: Settings


class Failed(NamedTuple):
    """A launch that ended with errors."""

    launch: int
    entry: Entry
    errors: list[Error]


_lock = threading.RLock()
_entries: list[Entry] = []
_known: dict[tuple[str, Settings, bool, bool], Entry] = {}
_failed: list[Failed] = []
_watchers = 0
_speaker: Any = None
_sites = itertools.count()  # of calls that devices share


@functools.cache
def _register() -> None:
    if not hasattr(lib, "kiln_door_call"):
        raise ImportError("this build of kiln has no door for JAX: install jaxlib, then `pip install ./python` again")
    jax.ffi.register_ffi_target(TARGET, jax.ffi.pycapsule(lib.kiln_door_call), platform="cpu")


def enter(text: str, settings: Settings, notes: bool = False, check: bool = False) -> Entry:
    """Parses a kernel, unless it is known, and gives it a number.

    `notes`: races are noted (`raced`), not raised, and other faults are worded by the speaker. `check`: its launches
    are checked even where the settings do not say so.
    """
    key = (text, settings, notes, check)
    with _lock:
        entry = _known.get(key)
        if entry is None:
            _register()
            kernel = parse(text).only
            wanted = request(kernel.handle, settings._replace(check=settings.check or check))
            entry = Entry(lib.kiln_door_enter(ctypes.byref(wanted), notes), kernel, settings)
            if entry.number < 0:
                raise MemoryError("no memory for a kernel")
            _entries.append(entry)
            _known[key] = entry
        return entry


def call(
    entry: Entry,
    args: Sequence[Any],
    results: Sequence[jax.ShapeDtypeStruct],
    aliases: dict[int, int],
    has_side_effect: bool,
    devices: int = 0,
) -> Sequence[Any]:
    """The call of an entered kernel, as part of a program that JAX traces.

    `devices`: so many make the call, and share its launch; the last argument says which one this is.
    """
    bound = jax.ffi.ffi_call(TARGET, results, input_output_aliases=aliases, has_side_effect=has_side_effect)
    met = {"devices": np.int64(devices), "site": np.int64(next(_sites))} if devices else {}
    return bound(*args, kernel=np.int64(entry.number), process=np.int64(lib.kiln_door_mark()), **met)


def count() -> int:
    """Launches so far, in the whole process."""
    return lib.kiln_door_count()


def launched(launches: range) -> list[Entry]:
    """What was launched at these counts, as far as they are among the last million."""
    numbers = (ctypes.c_int32 * len(launches))()
    written = lib.kiln_door_log(launches.start, numbers, len(numbers))
    with _lock:
        return [_entries[number] for number in numbers[:written]]


def explored(entry: Entry) -> Explored:
    """What the latest launch of a kernel by all schedules came to."""
    return explored_of(lib.kiln_door_explored(entry.number))


def raced(since: int) -> bool:
    """Whether races were noted in the latest launches of one kernel, not counting those before launch `since`."""
    return lib.kiln_door_raced(since)


def speak(speaker: Callable[[list[Error]], str]) -> None:
    """Sets who words the errors of launches that note races; Kiln's own words follow."""

    def write(context: int, out: int, room: int) -> int:
        said = (speaker(errors_of(ctypes.c_void_p(context))) + "\n").encode()[:room]
        ctypes.memmove(out, said, len(said))
        return len(said)

    global _speaker
    _speaker = _native.Speaker(write)  # the library holds on to it
    lib.kiln_door_speak(_speaker)


def watch(change: int) -> None:
    """Counts those who want to know of failures: 1 for one more, -1 for one less."""
    global _watchers
    with _lock:
        _watchers += change
        failures()
        if not _watchers:
            _failed.clear()
        lib.kiln_door_keep_failures(_watchers > 0)


def failures() -> list[Failed]:
    """The failures since the first of those who watch began."""
    raw = _native.Failure()
    with _lock:
        while lib.kiln_door_failure(ctypes.byref(raw)):
            errors = errors_of(lib.kiln_seat_context(raw.seat))
            lib.kiln_seat_give_back(raw.seat)
            _failed.append(Failed(raw.launch, _entries[raw.entry], errors))
        return list(_failed)
