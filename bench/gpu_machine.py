#!/usr/bin/env python3
"""bench/gpu_machine.py [--write FILE] [--only PART]: the GPU machine on the host, beside JAX's GPU interpreter.

  jax        the same kernels under JAX's `InterpretGPUParams()` and under Kiln, without checkers and with `detect_races`
  detector   Kiln without a detector and with it, on larger kernels, and what its shadow memory takes
  growth     grids of 1, 16 and 64 times as many blocks
  roles      products by a thread that loads and one that multiplies, beside the same by one thread
  hand_offs  10,000 of them; barriers among 32 to 1,024 threads

All sides run turn by turn in short rounds, so that all meet the same noise, and the best rounds are compared. Results
are checked before they count. It needs JAX and the Python package (`pip install ./python 'jax==0.11.1'`), and for the
shadow a build of the command (`--build`). `--write bench/RESULTS.md` replaces this script's part of that file.
"""
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import gpu_cases as cases
import jax
import numpy as np
from compare import ROOT, Report, arguments_of
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln.pallas as kp

TITLE = "# The GPU machine"
PLAIN, RACES = plgpu.InterpretGPUParams(), plgpu.InterpretGPUParams(detect_races=True)
JAX_FLOORS = {False: 100, True: 30}
MOST_SLOWDOWN, MOST_GROWTH, MOST_SHADOW, HAND_OFFS_MS = 3, 18, 2, 10
BESIDE_JAX = {"copies": 16, "ring": 64, "cluster": 16, "matmul": 256, "matmul_ws": 256, "matmul_tensor": 256}
LARGER = {"copies": 512, "ring": 4096, "semaphores": 4096, "cluster": 256, "matmul": 1024, "matmul_ws": 1024,
          "matmul_tensor": 1024}
GROWING = {"copies": 8, "ring_of_blocks": 4, "cluster_of_blocks": 4}


# ---- timing ----


class Times(NamedTuple):
    """Milliseconds of a call, by the wall's clock and of all processors together."""

    wall: float = float("inf")
    spent: float = float("inf")

    def better(self, other):
        return Times(min(self.wall, other.wall), min(self.spent, other.spent))


class Side(NamedTuple):
    """What is timed: a case on Kiln, or on JAX."""

    case: cases.Case
    on_kiln: bool = True

    def run(self, seconds):
        """The best of as many calls as fit."""
        best, start = Times(), time.perf_counter()
        with kp.interpreter() if self.on_kiln else contextlib.nullcontext():
            while True:
                begin, spent = time.perf_counter(), time.process_time()
                jax.block_until_ready(self.case.call(*self.case.arrays))
                end = time.perf_counter()
                best = best.better(Times((end - begin) * 1e3, (time.process_time() - spent) * 1e3))
                if end - start > seconds:
                    return best

    def is_right(self):
        """Runs it once, which compiles it, too."""
        with kp.interpreter() if self.on_kiln else contextlib.nullcontext() as run:
            found = jax.block_until_ready(self.case.call(*self.case.arrays))
        ran = not self.on_kiln or bool(run.kernels)
        return ran and np.allclose(found, self.case.expected, rtol=1e-3, atol=1e-3)


def rounds(sides, seconds=1.0, least=3):
    """The best times of each, in rounds; and whether all were right."""
    right = all(side.is_right() for side in sides)
    times, start = [Times()] * len(sides), time.perf_counter()
    count = 0
    while count < least or time.perf_counter() - start < seconds:
        times = [best.better(side.run(0.02)) for best, side in zip(times, sides)]
        count += 1
    return times, "yes" if right else "NO"


def turns(sides):
    """The same by the wall's clock alone."""
    times, right = rounds(sides)
    return [each.wall for each in times], right


def case(name, size, mode):
    return getattr(cases, name)(size, mode)


# ---- the parts ----


def beside_jax(report, _):
    report.add("## Beside JAX's GPU interpreter\n")
    report.add("Milliseconds of a call in steady state.\n")
    report.table("kernel", "size", "JAX", "with detect_races", "Kiln", "with detect_races", "right", "JAX / Kiln",
                 "with both detectors")
    for name, size in BESIDE_JAX.items():
        sides = [Side(case(name, size, mode), on_kiln) for on_kiln in (False, True) for mode in (PLAIN, RACES)]
        (jax_ms, jax_races, ms, races), right = turns(sides)
        report.row(name, size, jax_ms, jax_races, ms, races, right,
                   report.ratio("Kiln, beside JAX", name, jax_ms / ms, JAX_FLOORS[False]),
                   report.ratio("Kiln with a detector, beside JAX", name, jax_races / races, JAX_FLOORS[True]))


def shadow(command, side):
    """Bytes of shadow for a byte of the kernel's memory, as `kiln check` tells them."""
    with kp.interpreter() as run:
        jax.block_until_ready(side.case.call(*side.case.arrays))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kernel.kiln"
        run.kernels[0].save(path)
        done = subprocess.run([command, "check", "--schedules", "1", "--json", path], text=True, stdout=subprocess.PIPE)
    told = json.loads(done.stdout)
    return told["shadow_bytes"] / told["memory_bytes"]


def detector(report, build):
    report.add("## The race detector\n")
    report.add("Milliseconds of a call without a detector and with it; with one a single thread runs all clusters, so the "
               "processors' time is compared, too. And bytes of shadow for each byte of the kernel's memory, of all checkers "
               "together.\n")
    report.table("kernel", "size", "without", "with", "right", "with / without", "of processor time", "shadow")
    for name, size in LARGER.items():
        sides = [Side(case(name, size, mode)) for mode in (PLAIN, RACES)]
        (plain, races), right = rounds(sides)
        report.row(name, size, plain.wall, races.wall, right,
                   report.most("the detector", name, races.wall / plain.wall, MOST_SLOWDOWN), f"{races.spent / plain.spent:.2f}",
                   report.most("the shadow", name, shadow(build / "kiln", sides[0]), MOST_SHADOW))


def growth(report, _):
    report.add("## Growth with the grid\n")
    report.add("Milliseconds, over grids of 1, 16 and 64 times as many clusters.\n")
    report.table("kernel", "clusters", "detector", "x 1", "x 16", "x 64", "right", "x 16 / x 1", "x 64 / x 16")
    for name, size in GROWING.items():
        for detects, mode in (("off", PLAIN), ("on", RACES)):
            (one, some, many), right = turns([Side(case(name, size * times, mode)) for times in (1, 16, 64)])
            report.row(name, size, detects, one, some, many, right,
                       report.most("growth", f"{name}, detector {detects}", some / one, MOST_GROWTH), f"{many / some:.2f}")


def roles(report, _):
    report.add("## Roles\n")
    report.add("Products of n x n matrices of f16 in tiles of 128 x 128 x 64, by one thread that waits for each copy, by one that "
               "loads into a ring of 3 and one that multiplies, and by warps and tensor memory. Milliseconds.\n")
    report.table("n", "one thread", "roles", "warps", "right", "one thread / roles", "GFLOP/s of roles")
    for n in (512, 1024, 2048):
        (one, two, warps), right = turns([Side(case(name, n, PLAIN)) for name in ("matmul", "matmul_ws", "matmul_tensor")])
        report.row(n, one, two, warps, right, f"{one / two:.2f}", 2 * n**3 / two / 1e6)


def hand_offs(report, _):
    report.add("## Hand-offs\n")
    report.add("5,000 items of one number through a ring of 4 slots: 10,000 arrivals, as many waits. Milliseconds.\n")
    report.table("detector", "ms", "right", f"of {HAND_OFFS_MS} ms")
    for detects, mode in (("off", PLAIN), ("on", RACES)):
        (ms,), right = turns([Side(cases.ring(5_000, mode, width=1))])
        report.row(detects, ms, right, report.most("hand-offs", f"detector {detects}", ms / HAND_OFFS_MS, 1))
    report.add("\nAll threads of a block meet at a barrier, 100 times. Milliseconds, and nanoseconds for each thread and meeting.\n")
    report.table("threads", "without a detector", "with", "right", "with / without", "ns without", "ns with")
    for threads in (32, 256, 1024):
        (plain, races), right = turns([Side(case("crowd", threads, mode), on_kiln=False) for mode in (PLAIN, RACES)])
        report.row(threads, plain, races, right, report.most("the detector", f"{threads} threads that meet", races / plain, MOST_SLOWDOWN),
                   *(f"{ms * 1e4 / threads:.0f}" for ms in (plain, races)))


PARTS = {"jax": beside_jax, "detector": detector, "growth": growth, "roles": roles, "hand_offs": hand_offs}


def main():
    parser = arguments_of(__doc__, PARTS)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    options = parser.parse_args()
    report = Report()
    report.begin(TITLE, f"JAX {jax.__version__}")
    report.add("Best of many short rounds, turn by turn.\n")
    report.add_parts(PARTS, options.only, options.build)
    return report.finish(options.write)


if __name__ == "__main__":
    sys.exit(main())
