#!/usr/bin/env python3
"""The suite's correct kernels, made one unit: the same bits as the crew's under every seed.

    tests/race/fused.py build/dev/kiln [--on vulkan] [--only ring] [--seeds 3] [--show]

Each correct kernel of suite.py is run by the host's crew under several seeds. Its text behind the pass fuse_roles, run
as any other kernel, must give the same bits; with --on, so must the kernel itself on a device. Where the pass declines,
the reason must be one of those in DECLINED. Twins that deadlock on the host are found to do so before they run.
"""

from __future__ import annotations

import argparse
import collections
import pathlib
import subprocess
import sys
import tempfile

import numpy
import suite

# Kernels that depend on data or on who comes first, and what the pass says of them.
DECLINED = {
    "branch_semaphore": "depends on data",
    "claims": "depends on data",
    "cluster_claims": "depends on data",
    "data_dependent": "depends on data",
    "loop_rings": "depends on data",
    "waiting_loop": "who comes first",
    "warp_rows": "depends on data",
    "work_counter": "depends on data",
}


def run(kiln: str, path: pathlib.Path, text: str, *options: str) -> tuple[dict[str, bytes] | None, str]:
    """The outputs' bits, or what was said instead."""
    saved = {name: path.with_name(f"{name}.npy") for name in suite.outputs(text)}
    wanted = [word for name, file in saved.items() for word in ("-o", f"{name}={file}")]
    command = [kiln, "run", str(path), *suite.inputs(text), *wanted, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        return None, done.stderr
    return {name: numpy.load(file).tobytes() for name, file in saved.items()}, ""


def fuse(kiln: str, path: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """The pass on one kernel; what it declines is refused behind the next one."""
    command = [kiln, "passes", str(path), "--for", "lavapipe8", "--units", "fused", "--after", "phase_roles"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def check_deadlock(kiln: str, case: suite.Case, folder: pathlib.Path) -> tuple[str, str]:
    """The same of a kernel that deadlocks."""
    path = folder / "kernel.kiln"
    path.write_text(case.text)
    said = fuse(kiln, path).stderr
    if "fault[5002 deadlock]" in said:
        return "", ""
    return ("", said) if "no_way_to_run" in said else ("its deadlock is not found", "")


def check(kiln: str, case: suite.Case, seeds: int, device: str, folder: pathlib.Path) -> tuple[str, str]:
    """What is wrong, or why the kernel was declined: one of the two at most."""
    path = folder / "kernel.kiln"
    path.write_text(case.text)
    expected, said = run(kiln, path, case.text, *case.options)
    if expected is None:
        return f"the crew fails: {said}", ""
    for seed in range(1, seeds):
        if run(kiln, path, case.text, *case.options, "--seed", str(seed))[0] != expected:
            return f"the crew gives something else under seed {seed}", ""
    if device:
        found, said = run(kiln, path, case.text, "--on", device)
        if found != expected:
            return f"{device} gives something else {said}", ""
    fused = fuse(kiln, path)
    if fused.returncode:
        return "", fused.stderr
    one = folder / "one.kiln"
    one.write_text(fused.stdout)
    found, said = run(kiln, one, case.text)
    if found != expected:
        return f"made one unit it gives something else {said}\n{fused.stdout}", ""
    return "", ""


def main() -> None:
    """Every correct case; the last line counts them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kiln", help="the command")
    parser.add_argument("--on", default="", help="also on this device")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--seeds", type=int, default=3, help="schedules of the crew")
    parser.add_argument("--show", action="store_true", help="show what was declined")
    options = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(suite.HERE.glob("*.kiln")):
            for case in suite.cases_of(path, False):
                if case.fault not in ("", "deadlock") or options.only not in case.name:
                    continue
                if case.fault:
                    wrong, declined = check_deadlock(options.kiln, case, pathlib.Path(folder))
                else:
                    wrong, declined = check(options.kiln, case, options.seeds, options.on, pathlib.Path(folder))
                if declined and DECLINED.get(path.stem, "nothing") not in declined:
                    wrong = f"declined: {declined}"
                counts["failed" if wrong else "declined" if declined else "passed"] += 1
                if wrong or (declined and options.show):
                    print(f"{case.name}: {wrong or declined}")
    print(f"{counts['declined']} declined for a known reason")
    print(f"{counts['passed'] + counts['declined']} passed, {counts['failed']} failed, 0 skipped")
    sys.exit(counts["failed"] > 0)


if __name__ == "__main__":
    main()
