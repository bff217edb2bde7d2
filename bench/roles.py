#!/usr/bin/env python3
"""bench/roles.py [--build DIR] [--drivers DIR] [--write FILE]: a product by roles beside the same product without them,
on every driver here: how long they run, and how long they take to compile.

  without roles   bench/kernels/matmul_ring.kiln: one thread loads into a ring of three, and multiplies
  with roles      bench/kernels/matmul_ws.kiln: one loads, two multiply; fused, and phased

All run turn by turn, so that all meet the same noise. `--write bench/RESULTS.md` replaces this script's part of that
file. It needs NumPy.
"""
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
from compare import ROOT, Report, arguments_of, normal

TITLE = "# Roles on devices"
KERNELS = ROOT / "bench" / "kernels"
SIDES = {"without": ("matmul_ring", "auto"), "fused": ("matmul_ws", "fused"), "phased": ("matmul_ws", "phased")}
N, ROUNDS, RUNS = 1024, 3, 3
MOST_FUSED, MOST_PHASED, MOST_COMPILE_MS = 1.02, {"ss": 1.35, "lvp": 1.15}, 20


def run_once(kiln, side, folder, env):
    """(ms, the result) of one process."""
    kernel, units = SIDES[side]
    sizes = [word for name in "MNK" for word in ("--set", f"{name}={N}")]
    command = [kiln, "run", "--json", f"--time={RUNS}", "--on", "vulkan", "--units", units, *sizes, "-o", f"c={folder}/c.npy",
               KERNELS / f"{kernel}.kiln", f"a={folder}/a.npy", f"b={folder}/b.npy"]
    done = subprocess.run(command, env={**os.environ, **env}, text=True, stdout=subprocess.PIPE, check=False)
    told = json.loads(done.stdout)
    if not told["ok"]:
        raise SystemExit(f"{kernel}, {units}: {told['errors']}")
    return told["ms"], np.load(f"{folder}/c.npy")


def times_of(kiln, folder, env):
    """({side: best ms}, whether all gave the same bits, near the exact product)."""
    best, results = dict.fromkeys(SIDES, float("inf")), []
    for _ in range(ROUNDS):
        for side in SIDES:
            ms, result = run_once(kiln, side, folder, env)
            best[side] = min(best[side], ms)
            results.append(result)
    exact = np.load(f"{folder}/a.npy").astype(np.float64) @ np.load(f"{folder}/b.npy")
    right = all(np.array_equal(result, results[0]) for result in results)
    return best, right and np.allclose(results[0], exact, rtol=0, atol=1e-5 * np.abs(exact).max())


def compile_ms(stages, folder, profile, units):
    """From text to validated words, by one kernel of known sizes."""
    text = (KERNELS / "matmul_ws.kiln").read_text(encoding="utf-8")
    path = pathlib.Path(folder) / "known.kiln"
    path.write_text(re.sub(r"\b[MNK]\b", str(N), text), encoding="utf-8")
    done = subprocess.run([stages, "--for", profile, "--units", units, path], text=True, stdout=subprocess.PIPE, check=True)
    return float(done.stdout.splitlines()[-1].split(",")[-1])


def driver_row(report, build, folder, driver, env):
    best, right = times_of(build / "kiln", folder, env)
    ratios = {side: best[side] / best["without"] for side in ("fused", "phased")}
    limits = {"fused": MOST_FUSED, "phased": MOST_PHASED[driver.icd]}
    compiles = [compile_ms(build / "bench" / "kiln_stages", folder, driver.profile, units) for units in ratios]
    most = functools.partial(report.most, driver.title)
    report.row(driver.title, *best.values(), "yes" if right else "NO",
               *(most(side, ratios[side], limits[side]) for side in ratios),
               *(most(f"compiling {side}, ms", ms, MOST_COMPILE_MS) for side, ms in zip(ratios, compiles, strict=True)))


def main():
    parser = arguments_of(__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--drivers", type=pathlib.Path, default=ROOT / "build/drivers", help="what `ci/setup drivers` made")
    options = parser.parse_args()
    report = Report()
    report.begin(TITLE)
    drivers = list(report.drivers(options.drivers))
    report.add(f"Products of {N} x {N} matrices of f32. Milliseconds of a run; the best of {ROUNDS} processes, each the median of "
               f"{RUNS} runs. Compiling: from text to validated words, processor time.\n")
    report.table("driver", "without roles", "fused", "phased", "same bits", "fused / without", "phased / without",
                 "compile fused, ms", "compile phased, ms")
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/a.npy", normal(N, N))
        np.save(f"{folder}/b.npy", normal(N, N).T.copy())
        for driver in drivers:
            driver_row(report, options.build, folder, driver, driver.env(options.drivers))
    return report.finish(options.write)


if __name__ == "__main__":
    sys.exit(main())
