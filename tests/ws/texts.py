#!/usr/bin/env python3
"""Kernels of units from files, in every way to run them: the bits that the host's crew gives, inputs counting from 0.

    tests/ws/texts.py build/dev/tests/ws/ws_trial [--on host|device|ss|lvp8] python/tests/gpu

The files are what kiln.pallas exports: python/tests/gpu has kernels of our own for GPUs, and those of JAX's tests are
left by `tests/jax/run.py --texts FOLDER`. On the host every kernel also runs under 20 seeds, each second one under the
checkers. One that has a fault of its own, such as the races that JAX's tests want to be found, is not run.
"""

from __future__ import annotations

import argparse
import collections
import pathlib

from trials import WAYS, Count, Trial, kind_of


def main() -> None:
    """Every file; the last line counts runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="ws_trial")
    parser.add_argument("folders", nargs="+", type=pathlib.Path, help="where the files *.kiln are")
    parser.add_argument("--on", default="host", metavar="PLACE", help="host, device, or a driver as ways.py has them")
    options = parser.parse_args()
    trial, count = Trial(options.program, options.on), Count()
    ways = WAYS[kind_of(options.on)] + ["seeds"] * (options.on == "host")
    faulty: collections.Counter[str] = collections.Counter()
    for path in sorted(path for folder in options.folders for path in folder.glob("*.kiln")):
        text = path.read_text()
        [(_, verdict, why)] = trial.answer(text, ["checked"])
        if verdict == "right":
            count.add(path.stem, trial.answer(text, ways))
            count.kernels += 1
        else:
            faulty[why.partition(":")[0]] += 1
    trial.end()
    for fault, number in faulty.most_common():
        print(f"{number} have a fault of their own: {fault}")
    count.end()


if __name__ == "__main__":
    main()
