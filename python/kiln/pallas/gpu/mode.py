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
from kiln.pallas import door
from kiln.pallas.gpu.lower import WARPS


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

# A fault's name, what its message must contain, and JAX's sentence about it. Of messages that end in "(have of want)":
# how many phases, arrivals or warps there were and would have been right.
SENTENCES: tuple[tuple[str, str, str], ...] = (
    (
        "over_arrival",
        "nobody has waited for the first",
        "Barrier completed phase {done}, but no threads observed phase 0.",
    ),
    (
        "over_arrival",
        "first wait of a unit",
        "Thread {unit} is waiting at barrier {barrier} for the first time, but barrier is already at phase {want}. Any"
        " thread that participates in the barrier must do so in all phases.",
    ),
    (
        "over_arrival",
        "the next one too",
        "Thread {unit} is awaiting phase {next}, but barrier is already at phase {want}, which violates the invariant"
        " that threads must observe each barrier completion before any arrivals in the next phase.",
    ),
    (
        "over_arrival",
        "before a waiter observed",
        "Thread {unit} only observed barrier up to phase {seen}, but barrier completed up to phase {done}, meaning"
        " thread {unit} missed observing phase {have}.",
    ),
    ("over_arrival", "never completes", "Barrier deallocated with {have} arrivals pending."),
    (
        "over_arrival",
        "did not observe",
        "When barrier {barrier} was deallocated, thread {unit} had only observed barrier up to phase {seen}, but"
        " barrier completed up to phase {done}.",
    ),
    (
        "divergent_barrier",
        f"of {WARPS}\\)",
        "Warpgroup-thread {unit} is waiting at barrier {barrier}, but only {have} of its constituent warps have"
        " participated in the barrier previously.",
    ),
    (
        "divergent_barrier",
        "",
        "Warpgroup-thread {unit} is waiting at barrier {barrier}, but its constituent warps have previously observed"
        " different phases: {have} and {want}.",
    ),
    (
        "copy_not_awaited",
        "",
        "Not all copy_smem_to_gmem read-side operations completed before kernel finished on thread {unit}.",
    ),
)


def words(errors: Sequence[Error]) -> str:
    """What JAX's interpreter would say."""
    return "\n".join(filter(None, map(_sentence, errors)))


def _sentence(error: Error) -> str:
    for name, part, sentence in SENTENCES:
        if error.name == name and re.search(part, error.message):
            return sentence.format(**_fields(error))
    return ""


def _fields(error: Error) -> dict[str, object]:
    """What sentences may speak of. JAX numbers barriers; here it is the last index into their array."""
    unit = getattr(error, "unit", "")
    counts = re.search(r"\((\d+) of (\d+)\)$", error.message)
    have, want = map(int, counts.groups()) if counts else (0, 0)
    index = re.search(r"(\d+)\]", error.message)
    return {
        "unit": f"{'Warp' if 'warp' in unit else 'Warpgroup'}({unit})",
        "barrier": index.group(1) if index else 0,
        "have": have,
        "want": want,
        "seen": have - 1,
        "done": want - 1,
        "next": have + 1,
    }
