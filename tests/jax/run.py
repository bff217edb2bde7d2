#!/usr/bin/env python3
"""Runs JAX's own Pallas tests through Kiln and writes docs/jax-conformance.md.

    tests/jax/run.py --tests CHECKOUT [--on vulkan] [--files ops_test/8,pallas_test] [--limit 60] [--jobs 2] [--resume]

CHECKOUT is a checkout of JAX of the version installed; nothing of it is copied here. The Python that runs this must
have kiln, jax, pytest, hypothesis and absl-py. A test counts only if a kernel really ran on Kiln: launches are counted
in C.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from typing import Any

import report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The files whose tests run kernels in JAX's generic interpreter, or in that for GPUs, on a CPU.
FILES = (
    "tpu_pallas_test",
    "ops_test",
    "pallas_test",
    "gpu_attention_test",
    "indexing_test",
    "gpu_ops_test",
    "gpu_paged_attention_test",
    "pallas_vmap_test",
    "pallas_shape_poly_test",
    "gpu_pallas_interpret_test",
    "gpu_pallas_interpret_race_detection_test",
    "gpu_pallas_interpret_tcgen05_race_detection_test",
    "gpu_pallas_interpret_cluster_barrier_test",
    "gpu_pallas_interpret_distributed_test",
)
# Those whose tests want a GPU. With --as-gpu they hear that they have one.
GPU_FILES = (
    "mosaic_gpu_test",
    "mgpu_matmul_test",
    "mgpu_attention_test",
    "mgpu_ragged_dot_test",
    "mgpu_collective_matmul_test",
    "mgpu_examples_test",
    "gpu_pallas_distributed_test",
)
DEVICES = {"gpu_pallas_distributed_test": 4, "mgpu_collective_matmul_test": 2}  # that tests want; others run on one
ENDED = (0, 1, 5)  # pytest's words for: all passed, some failed, nothing to run


class Shard(threading.Thread):
    """One of several processes that share the tests of a file; started again where one of them ends it."""

    def __init__(self, options: argparse.Namespace, wanted: str, number: int) -> None:
        super().__init__()
        name, _, every = wanted.partition("/")
        self.every = int(every or options.every)
        self.options = options
        self.file = options.tests / "tests" / "pallas" / f"{name}.py"
        self.number = number
        self.rows = options.work / f"{name}-{number}.jsonl"
        self.running = self.rows.with_suffix(".running")
        self.problem = ""

    def run(self) -> None:
        """Starts pytest until every test has a line."""
        while not self._session():
            pass

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "pytest", "-p", "plugin", "-p", "no:cacheprovider", "-q", "--tb=short"]
        return [*command, "--rootdir", str(self.file.parent), str(self.file)]

    def _environment(self) -> dict[str, str]:
        options = self.options
        wanted = {
            "rows": str(self.rows),
            "on": options.on,
            "every": self.every,
            "shard": [self.number, options.jobs],
            "extra": str(options.tests),
            "gpu": options.as_gpu,
            "devices": DEVICES.get(self.file.stem, 1),
            "texts": str(options.texts or ""),
        }
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        platform = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(wanted["devices"])}
        return {**os.environ, **platform, "PYTHONPATH": path, "KILN_CONFORMANCE": json.dumps(wanted)}

    def _session(self) -> bool:
        """One pytest process: true when it came to its end, false when a test ended it or ran too long."""
        self.running.write_text("")
        with self.rows.with_suffix(".log").open("ab") as log:
            process = subprocess.Popen(self._command(), env=self._environment(), stdout=log, stderr=log)
            died = self._wait(process)
        name = self.running.read_text()
        if died is None or not name:
            if process.returncode not in ENDED:
                log_name = self.rows.with_suffix(".log")
                self.problem = f"{self.file.name}: pytest ended with {process.returncode}, see {log_name}"
            return True
        row = {"id": name, "outcome": "failed", "why": died, "lowered": 1, "refused": "", "launches": 0, "seconds": 0}
        with self.rows.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return False

    def _wait(self, process: subprocess.Popen[bytes]) -> str | None:
        """Why the process did not end by itself; None when it did."""
        while process.poll() is None:
            time.sleep(0.5)
            late = time.time() - self.running.stat().st_mtime > self.options.limit
            if late and self.running.read_text():
                process.kill()
                process.wait()
                return f"no end within {self.options.limit} s"
        return f"the process ended with {process.returncode}" if process.returncode < 0 else None


def rows_of(shards: list[Shard]) -> list[dict[str, Any]]:
    """The lines that the shards of a file have written."""
    return [json.loads(line) for shard in shards if shard.rows.exists() for line in shard.rows.read_text().splitlines()]


def run_file(options: argparse.Namespace, name: str) -> tuple[list[dict[str, Any]], float]:
    """The lines of all tests of a file, and the seconds that it took: those of an earlier run by its tests."""
    start = time.monotonic()
    shards = [Shard(options, name, number) for number in range(options.jobs)]
    for shard in shards:
        if not options.resume:
            shard.rows.unlink(missing_ok=True)
            shard.rows.with_suffix(".log").unlink(missing_ok=True)
    earlier = sum(row["seconds"] for row in rows_of(shards)) / options.jobs
    for shard in shards:
        shard.start()
    for shard in shards:
        shard.join()
        if shard.problem:
            sys.exit(shard.problem)
    return sorted(rows_of(shards), key=lambda row: row["id"]), time.monotonic() - start + earlier


def commit_of(checkout: pathlib.Path) -> str:
    """The checkout's commit, if it is one of git."""
    command = ["git", "-C", str(checkout), "rev-parse", "--show-toplevel", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return found[1][:12] if len(found) == 2 and pathlib.Path(found[0]) == checkout.resolve() else "unknown"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=pathlib.Path, required=True, help="a checkout of JAX")
    parser.add_argument("--on", default="host", help="where kernels run: host, vulkan, vulkan:TEXT")
    parser.add_argument(
        "--as-gpu", action="store_true", help="tell the tests that they have a GPU: those that want one"
    )
    parser.add_argument("--files", help="test files, without .py; NAME/8: every 8th test")
    parser.add_argument("--every", type=int, default=1, help="run every N-th test only")
    parser.add_argument("--limit", type=float, default=120, help="seconds that a test may take")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--commit", help="the checkout's commit, if git does not know it")
    parser.add_argument(
        "--resume", action="store_true", help="go on in --work: tests that have a line there do not run again"
    )
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "conformance", help="folder for logs")
    parser.add_argument("--texts", type=pathlib.Path, help="folder to save the launched kernels of units in")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "jax-conformance.md", help="the report")
    options = parser.parse_args()
    options.files = options.files or ",".join(GPU_FILES if options.as_gpu else FILES)
    return options


def main() -> None:
    """Every file in turn, then the report."""
    options = arguments()
    options.tests, options.work = options.tests.resolve(), options.work.resolve() / options.on.replace(":", "-")
    options.work.mkdir(parents=True, exist_ok=True)
    if options.texts:
        options.texts = options.texts.resolve()
        options.texts.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in options.files.split(","):
        results[name] = run_file(options, name)
        print(report.line(name, *results[name]), flush=True)
    place = report.device_name(options.on) + ", in the place of a GPU" * options.as_gpu
    tests = options.commit or commit_of(options.tests)
    settings = report.Settings(place, options.every, options.jobs, tests, commit_of(ROOT))
    report.write(options.out, settings, results)
    print(f"written: {options.out}")
    if passing := report.no_longer_different(place, results):
        sys.exit(f"listed in differences.py, and pass: {', '.join(passing)}")


if __name__ == "__main__":
    main()
