"""JAX's GPU interpret mode: its parameters, what it tells of races, and the words of its exceptions.

Where Kiln is on, `get_races()` and `reset_gpu_interpret_mode_state()` of JAX's interpreter speak of Kiln's launches.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax._src.pallas.mosaic_gpu.interpret import gpu_callbacks, interpret_pallas_call

from kiln.errors import Error
from kiln.kernel import Settings
from kiln.pallas import door


class Races:
    """What `get_races()` of JAX's interpreter gives."""

    def __init__(self, since: int) -> None:
        self._since = since

    @property
    def races_found(self) -> bool:
        """Whether the latest kernel had races. Waits for it."""
        jax.effects_barrier()
        return door.raced(self._since)


_reset = 0  # launches before this one are forgotten


def notes(interpret: Any, settings: Settings) -> bool:
    """Whether races of a kernel are to be noted: unless `check` asks for them to be raised."""
    return hasattr(interpret, "num_tma_threads_per_device") and settings.on == b"host" and not settings.check


def install(is_on: Callable[[], bool]) -> None:
    """Puts functions of ours before those of JAX's interpreter."""
    races, reset = gpu_callbacks.get_races, gpu_callbacks.reset_gpu_interpret_mode_state

    @functools.wraps(races)
    def get_races() -> Any:
        return Races(_reset) if is_on() else races()

    @functools.wraps(reset)
    def reset_state() -> None:
        global _reset
        reset()
        _reset = door.count()

    for module in (gpu_callbacks, interpret_pallas_call):
        module.get_races = get_races
        module.reset_gpu_interpret_mode_state = reset_state
    door.speak(words)


# ---- faults in JAX's words ----

# A fault's name, what its message must contain, and JAX's sentence about it, of the groups of the match.
SENTENCES: tuple[tuple[str, str, str], ...] = ()


def words(errors: Sequence[Error]) -> str:
    """What JAX's interpreter would say."""
    return "\n".join(filter(None, map(_sentence, errors)))


def _sentence(error: Error) -> str:
    for name, pattern, sentence in SENTENCES:
        found = re.search(pattern, error.message) if error.name == name else None
        if found:
            return found.expand(sentence)
    return ""
