#!/usr/bin/env python3
"""Exports and runs the Pallas kernels of real packages, and writes docs/jax-kernels.md.

    pip install --no-deps -r tests/jax/kernels.txt
    tests/jax/kernels.py [--on host,vulkan] [--only REGEX] [--modules jax_gpu,jax_tpu] [--limit 120] [--resume]
    tests/jax/kernels.py --modules '' --also A.json,B.json

`drivers/` has the calls. Each module of it runs in a process of its own, which is started again behind a driver that
ends it or runs too long. The Python that runs this must have kiln, jax and the packages; for JAX's own kernels no more.
What was found stays in --rows. The page is of that and of what other runs found (--also): the second line runs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import kernel_report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODULES = tuple(sorted(path.stem for path in (HERE / "drivers").glob("[a-z]*.py")))


class Worker:
    """A process that measures the drivers of one module, one JSON line each."""

    def __init__(self, module: str, options: argparse.Namespace, done: list[str]) -> None:
        command = [sys.executable, str(HERE / "measure.py"), module, options.on, options.only, ",".join(done)]
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self.lines.put(line)
        self.lines.put("")

    def next(self, limit: float) -> dict[str, Any] | None:
        """The next line, or None at the end; raises queue.Empty when none comes in time."""
        line = self.lines.get(timeout=limit)
        return json.loads(line) if line else None

    def stop(self) -> int:
        """Ends the process; its status."""
        self.process.kill()
        return self.process.wait()


def run_module(module: str, options: argparse.Namespace, done: list[str], keep: Callable[[Any], None]) -> None:
    """Runs the drivers of a module that are not done, and keeps the row of each."""
    while True:
        worker, running = Worker(module, options, done), None
        why = "the process ended"
        try:
            while (line := worker.next(options.limit)) is not None:
                running = line if "starts" in line else None
                if running is None:
                    done.append(line["driver"])
                    keep(line)
        except queue.Empty:
            why = f"no end within {options.limit:.0f} s"
        status = worker.stop() if why.startswith("no end") else worker.process.wait()
        if running is None:
            if status:
                sys.exit(f"{module}: the process ended with {status} outside of any driver")
            return
        done.append(running["starts"])
        row = {"package": running["package"], "driver": running["starts"], "kernels": [], "results": {}}
        keep({**row, "failed": why, "seconds": 0.0})


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", default="host", help="where kernels run: host,vulkan or host,vulkan:Swift,vulkan:llvm")
    parser.add_argument("--only", default=".", help="drivers whose package/name matches")
    parser.add_argument("--modules", default=",".join(MODULES), help="modules of drivers/; empty: the report only")
    parser.add_argument("--limit", type=float, default=240, help="seconds that a driver may take")
    parser.add_argument("--resume", action="store_true", help="leave out drivers that have a row")
    parser.add_argument("--rows", type=pathlib.Path, default=ROOT / "build" / "kernels.json", help="all that was found")
    parser.add_argument("--also", default="", help="rows of other runs, files with commas; a later file's come first")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "jax-kernels.md", help="the report")
    return parser.parse_args()


def stored(path: pathlib.Path) -> dict[str, Any]:
    """The rows that a run has left, by driver."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def main() -> None:
    """Every module in turn, then the report. Rows of drivers that are not run stay as they were."""
    options = arguments()
    known = stored(options.rows)
    options.rows.parent.mkdir(parents=True, exist_ok=True)

    def keep(row: dict[str, Any]) -> None:
        known[row["driver"]] = row
        options.rows.write_text(json.dumps(known, indent=1))
        print(kernel_report.line(row), flush=True)

    for module in filter(None, options.modules.split(",")):
        run_module(module, options, list(known) if options.resume else [], keep)
    others = [stored(pathlib.Path(path)) for path in filter(None, options.also.split(","))]
    everything = {driver: row for rows in (*others, known) for driver, row in rows.items()}
    kernel_report.write(options.out, list(everything.values()))
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
