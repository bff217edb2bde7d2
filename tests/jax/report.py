"""The report of a conformance run, as Markdown: one section per device, replaced when the device is run again."""

from __future__ import annotations

import collections
import importlib.metadata
import os
import pathlib
import re
from typing import Any, NamedTuple

from differences import known

import kiln

Rows = list[dict[str, Any]]
HEAD = """# JAX's own Pallas tests on Kiln

Written by `tests/jax/run.py --tests CHECKOUT [--on DEVICE]`, which runs the test files of a checkout of JAX, unchanged.

- *kernel*: tests that came to a Pallas call which Kiln took over. Nearly all others skip for want of a TPU or GPU.
- *passed*: of those, the tests that passed **and** launched a kernel on Kiln (launches are counted in C).
- *skipped*: tests that skipped themselves after a kernel; they are not counted among passed or failed.
- *in the place of a GPU* (`--as-gpu`): JAX's tests for GPUs, which hear that the GPU is the one they ask for; their
  kernels run on Kiln's units, and results are compared as the tests compare them.
- `/12` behind a file's name: every 12th test only.
- *why*: for failures that `tests/jax/differences.py` lists, its argument; a run fails when a listed test passes.

"""


class Settings(NamedTuple):
    """What was run."""

    on: str
    every: int
    jobs: int
    tests: str  # JAX's commit
    kiln: str  # ours


def device_name(on: str) -> str:
    """What a section says for `on`: which driver of Vulkan, and how many lanes its subgroups have."""
    if on == "host":
        return on
    part = on.removeprefix("vulkan").removeprefix(":")
    fitting = [d for d in kiln.devices() if d.on != "host" and d.usable and (part in d.name or d.on == on)]
    return f"{fitting[0].name}, {fitting[0].subgroup_size} lanes, by Vulkan" if fitting else on


class Count(NamedTuple):
    """What a file came to."""

    collected: int
    kernel: int
    passed: int
    failed: int
    skipped: int
    launches: int


def reached(row: dict[str, Any]) -> bool:
    """Whether a test came to a Pallas call."""
    return row["lowered"] > 0 or row["launches"] > 0


def passed(row: dict[str, Any]) -> bool:
    """Whether a test passed and a kernel ran on Kiln; a refusal that the test expects passes too."""
    return row["outcome"] == "passed" and (row["launches"] > 0 or bool(row["refused"]))


def count(rows: Rows) -> Count:
    """The numbers of a file."""
    kernel = [row for row in rows if reached(row)]
    skipped = sum(row["outcome"] == "skipped" for row in kernel)
    good = sum(map(passed, kernel))
    launches = sum(row["launches"] for row in rows)
    return Count(len(rows), len(kernel), good, len(kernel) - good - skipped, skipped, launches)


def line(name: str, rows: Rows, seconds: float) -> str:
    """One line for the terminal."""
    found = count(rows)
    return (
        f"{name}: {found.passed} of {found.kernel - found.skipped} pass, {found.collected} collected, {seconds:.0f} s"
    )


def _table(results: dict[str, tuple[Rows, float]]) -> list[str]:
    lines = [
        "| file | collected | kernel | passed | failed | skipped | launches | s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    counts = [(name, count(rows), seconds) for name, (rows, seconds) in results.items()]
    total = Count(*(sum(column) for column in zip(*(found for _, found, _ in counts), strict=True)))
    counts.append(("**all**", total, sum(seconds for _, _, seconds in counts)))
    lines += [f"| {name} | {' | '.join(map(str, found))} | {seconds:.0f} |" for name, found, seconds in counts]
    share = 100 * total.passed / max(total.passed + total.failed, 1)
    return [*lines, "", f"{share:.2f} % of the tests that run a kernel pass."]


def cause(row: dict[str, Any]) -> str:
    """Why a test failed, without what differs from test to test."""
    text = row["refused"] or row["why"] or "no kernel ran"
    text = re.sub(r"^(\w*Unsupported: )\S+:\d+:\d+: ", r"\1", text.strip())
    lines = text.splitlines()
    opening = " ".join(lines[:2]) if lines[0].endswith("Error:") else lines[0]
    first = next((part for part in lines if "error[" in part or "Kiln" in part), opening)
    first = re.sub(r"\S*:\d+:\d+: ", "", first)
    return re.sub(r"\s+", " ", first.replace("|", "\\|"))[:160]


def _causes(results: dict[str, tuple[Rows, float]], key: Any, wanted: Any) -> collections.Counter[str]:
    return collections.Counter(key(row) for rows, _ in results.values() for row in rows if wanted(row))


def no_longer_different(on: str, results: dict[str, tuple[Rows, float]]) -> list[str]:
    """The tests that pass although differences.py lists them."""
    return [row["id"] for rows, _ in results.values() for row in rows if passed(row) and known(on, row["id"])]


def _failures(on: str, results: dict[str, tuple[Rows, float]]) -> list[str]:
    def failed(row: dict[str, Any]) -> bool:
        return reached(row) and not passed(row) and row["outcome"] != "skipped"

    def argument(row: dict[str, Any]) -> str:
        return known(on, row["id"]) or cause(row)

    examples = {argument(row): row["id"] for rows, _ in results.values() for row in rows if failed(row)}
    causes = _causes(results, argument, failed)
    if not causes:
        return []
    lines = ["", "| failed | why | such as |", "|--:|---|---|"]
    names = {why: test.rsplit("::", 1)[-1][:70] for why, test in examples.items()}
    return lines + [f"| {number} | {why} | {names[why]} |" for why, number in causes.most_common()]


def _skips(results: dict[str, tuple[Rows, float]]) -> list[str]:
    def why(row: dict[str, Any]) -> str:
        return re.sub(r"\s+", " ", row["why"].removeprefix("Skipped: "))[:80]

    causes = _causes(results, why, lambda row: row["outcome"] == "skipped")
    listed = "; ".join(f"{number} {reason}" for reason, number in causes.most_common(8))
    return ["", f"Skipped by themselves, the main reasons: {listed}."] if listed else []


def section(settings: Settings, results: dict[str, tuple[Rows, float]]) -> str:
    """The section of one device."""
    version = importlib.metadata.version
    every = f" every {settings.every}th test," if settings.every > 1 else ""
    what = f"JAX {version('jax')}, tests at commit {settings.tests},{every} Kiln at {settings.kiln}"
    machine = f"{settings.jobs} at a time on {os.cpu_count()} cores"
    lines = [
        f"## On {settings.on}",
        "",
        f"{what}, {machine}.",
        "",
        *_table(results),
        *_failures(settings.on, results),
        *_skips(results),
    ]
    return "\n".join(lines) + "\n"


def write(path: pathlib.Path, settings: Settings, results: dict[str, tuple[Rows, float]]) -> None:
    """Replaces the device's section of the report, or adds it."""
    text = path.read_text() if path.exists() else HEAD
    sections = {part.split("\n", 1)[0]: "## " + part for part in text.split("\n## ")[1:]}
    sections[f"On {settings.on}"] = section(settings, results)
    path.write_text(HEAD + "\n".join(part.strip("\n") + "\n" for part in sections.values()))
