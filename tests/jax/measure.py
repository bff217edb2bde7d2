"""Runs drivers, a JSON line each on stdout: which kernels they launch, whether each exports, how results compare."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import census
import drivers
import jax
import numpy as np
import suites

import kiln.pallas as kp


def difference(found: Any, wanted: Any) -> float:
    """The largest difference of two results, as a part of the largest element; infinite where shapes or NaN differ."""
    pairs = list(zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True))
    return max((_difference(np.asarray(a), np.asarray(b)) for a, b in pairs), default=0.0)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("inf")
    if not a.size or np.array_equal(a, b):
        return 0.0
    wide = np.complex128 if np.iscomplexobj(b) else np.float64
    a, b = a.astype(wide), b.astype(wide)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    whole = np.isfinite(b)
    return float(np.abs(a - b)[whole].max(initial=0) / max(np.abs(b[whole]).max(initial=0), 1e-30))


def _said(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    told = next((line for line in lines if "error[" in line or "Kiln" in line), lines[0])
    return f"{type(error).__name__}: " + re.sub(r"\S*site-packages/", "", told)[:300]


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    return jax.block_until_ready(function(*arguments)), time.perf_counter() - start


def _compare(case: drivers.Case, on: str, wanted: Any) -> dict[str, Any]:
    """Runs a case on a device: its difference from the reference and the seconds it took, or what went wrong."""
    try:
        found, seconds = _timed(lambda: kp.run(case.function, *case.arguments, on=on))
    except Exception as error:
        return {"failed": _said(error)}
    return {"difference": difference(found, wanted), "seconds": seconds}


def _measure_suite(row: dict[str, Any], suite: drivers.Suite) -> dict[str, Any]:
    """The row of a package's own tests, which run on the host."""
    row["kernels"], verdicts = suites.run(suite, "host")
    if not verdicts:
        return {**row, "failed": "no test reached a Pallas call"}
    passed = sum(not told for told in verdicts)
    told = next((told for told in verdicts if told), "")
    row["results"]["host"] = {"tests": [passed, len(verdicts)], "told": told}
    return row


def measure(one: drivers.Driver, places: list[str]) -> dict[str, Any]:
    """The row of a driver."""
    version = importlib.metadata.version(one.package)
    row: dict[str, Any] = {"package": one.package, "version": version, "driver": one.name, "kernels": [], "results": {}}
    try:
        case = one.make()
        if isinstance(case, drivers.Suite):
            return _measure_suite(row, case)
        with census.open_census(run=False) as notes, kp.interpreter():
            jax.block_until_ready(jax.jit(case.function)(*case.arguments))
        row["kernels"], row["tolerance"] = list(notes.kernels.values()), case.tolerance
        if not row["kernels"]:
            return {**row, "failed": "no Pallas call was reached"}
        if any(kernel["refused"] for kernel in row["kernels"]):
            return row
        wanted, row["reference_seconds"] = _timed(case.reference or case.function, *case.arguments)
        row["reference"] = "JAX interpreter" if case.reference is None else "plain JAX"
    except Exception as error:
        return {**row, "failed": _said(error)}
    row["results"] = {on: _compare(case, on, wanted) for on in places}
    return row


def load(package: str) -> list[drivers.Driver]:
    """The drivers of a module of the folder, or of all."""
    importlib.import_module(f"drivers.{package}")
    return drivers.DRIVERS


def main(module: str, places: str, pattern: str, done: str) -> None:
    """Every driver of a module that matches and is not among those done."""
    census.interpret_always()
    jax.config.update("jax_platforms", "cpu")
    for one in load(module):
        if not re.search(pattern, f"{one.package}/{one.name}") or one.name in done.split(","):
            continue
        print(json.dumps({"starts": one.name, "package": one.package}), flush=True)
        with contextlib.redirect_stdout(sys.stderr):
            start = time.perf_counter()
            row = measure(one, places.split(","))
        print(json.dumps({**row, "seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
