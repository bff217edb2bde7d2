#!/usr/bin/env python3
"""bench/compare.py [--build DIR] [--drivers DIR] [--write FILE]: one run that holds Kiln against what a user would take
instead, and prints the ratios and whether the floors are met.

  on the host    PyTorch (when importable) and OpenBLAS, both on all CPUs
  on Vulkan      the hand-written GLSL of shaders/baseline, on SwiftShader and on lavapipe at subgroup sizes 4, 8 and 16

Every figure is the best of several runs of the same arrays' sizes, and Kiln's results are checked before they count.
PyTorch: python3 -m venv V && V/bin/pip install torch numpy, then V/bin/python bench/compare.py.
"""
import argparse
import ctypes
import ctypes.util
import datetime
import functools
import os
import pathlib
import re
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOST_FLOORS = {"softmax_4096x1024": ("PyTorch", 0.5), "layernorm_4096x1024": ("PyTorch", 0.5),
               "add_16m": ("PyTorch", 0.5), "reduce_4096x1024": ("PyTorch", 0.5), "matmul_f32_1024": ("OpenBLAS", 0.8)}
DEVICE_FLOOR = 0.5
NUMBER = re.compile(r"[0-9.]+(e[+-]?[0-9]+)?")


class Driver(NamedTuple):
    """A driver of Vulkan as `ci/setup drivers` makes it, and Kiln's profile of it."""

    title: str
    icd: str
    profile: str
    settings: dict[str, str]

    def env(self, folder):
        """What leads the loader to it; compilers' caches are off, so that no run profits from an earlier one."""
        icd = str(folder / f"{self.icd}.json")
        return {"VK_DRIVER_FILES": icd, "VK_ICD_FILENAMES": icd, "MESA_SHADER_CACHE_DISABLE": "1", **self.settings}


DRIVERS = [Driver("SwiftShader", "ss", "swiftshader", {}),
           *(Driver(f"lavapipe, {lanes} lanes", "lvp", f"lavapipe{lanes}", {"LP_NATIVE_VECTOR_WIDTH": str(32 * lanes)})
             for lanes in (4, 8, 16))]


def best(run, seconds=0.7):
    """The best time of `run` in milliseconds, over `seconds` and at least five runs."""
    run()
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times) * 1e3


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


def openblas():
    """{workload: call} of cblas_sgemm."""
    path = ctypes.util.find_library("openblas")
    if not path:
        return {}
    gemm = ctypes.CDLL(path).cblas_sgemm
    pointer, real = ctypes.c_void_p, ctypes.c_float
    calls = {}
    for n in (512, 1024, 2048):
        a, b, c = normal(n, n), normal(n, n), np.empty((n, n), np.float32)
        arguments = (101, 111, 111, n, n, n, real(1), a.ctypes.data_as(pointer), n, b.ctypes.data_as(pointer), n, real(0),
                     c.ctypes.data_as(pointer), n)
        # The arrays must outlive the call's raw pointers.
        calls[f"matmul_f32_{n}"] = functools.partial(lambda keep, all_of: gemm(*all_of), (a, b, c), arguments)
    return calls


def pytorch():
    """{workload: call} of PyTorch on the CPU; outputs are reused where its calls allow it."""
    try:
        import torch
    except ImportError:
        return {}
    def tensor(*shape):
        return torch.from_numpy(normal(*shape))
    x, scale, shift, sums = tensor(4096, 1024), tensor(1024), tensor(1024), torch.empty(4096)
    y = torch.empty_like(x)
    a, b, c = tensor(1 << 24), tensor(1 << 24), torch.empty(1 << 24)
    q, k, v = (tensor(1, 8, 1024, 64) for _ in range(3))
    image, filters = tensor(1, 64, 58, 58), tensor(64, 64, 3, 3)
    calls = {
        "softmax_4096x1024": lambda: torch.softmax(x, -1, out=y),
        "layernorm_4096x1024": lambda: torch.nn.functional.layer_norm(x, (1024,), scale, shift),
        "copy_16m": lambda: c.copy_(a),
        "add_16m": lambda: torch.add(a, b, out=c),
        "reduce_4096x1024": lambda: torch.sum(x, -1, out=sums),
        "attention_1x8x1024x64": lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v),
        "conv3x3": lambda: torch.nn.functional.conv2d(image, filters),
    }
    for n in (512, 1024, 2048):
        calls[f"matmul_f32_{n}"] = functools.partial(torch.mm, tensor(n, n), tensor(n, n), out=torch.empty(n, n))
    half = tensor(1024, 1024).half()
    calls["matmul_f16_1024"] = lambda: torch.mm(half, half)
    return calls


def csv(command, env=None):
    """{workload: (ms, rate, unit, ok, ...)} of a command that prints the CSV of `kiln bench`, or that with more behind."""
    done = subprocess.run(command, env={**os.environ, **(env or {})}, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        print(f"{' '.join(map(str, command))} ended with {done.returncode}", file=sys.stderr)
    rows = {}
    for line in done.stdout.splitlines()[1:]:
        # A device's name may hold commas: the number behind it is the first field that is one.
        name, *fields = line.split(",")
        while fields and not NUMBER.fullmatch(fields[0]):
            fields.pop(0)
        if fields:
            rows[name] = (float(fields[0]), float(fields[1]), fields[2], fields[3] == "yes", *map(float, fields[4:]))
    return rows


def host_rounds(kiln, rounds=3):
    """(Kiln, PyTorch, OpenBLAS), workload by workload and turn by turn, so that all meet the same noise; the best of each."""
    ours, peer_ms = {}, ({}, {})
    peers = pytorch(), openblas()
    names = subprocess.run([kiln, "bench", "--list"], text=True, stdout=subprocess.PIPE, check=True).stdout.split()
    for workload in names:
        for _ in range(rounds):
            for row in csv([kiln, "bench", "--csv", workload]).values():
                if workload not in ours or row[0] < ours[workload][0]:
                    ours[workload] = row
            for best_ms, calls in zip(peer_ms, peers):
                if workload in calls:
                    best_ms[workload] = min(best(calls[workload]), best_ms.get(workload, float("inf")))
    return ours, *peer_ms


class Report:
    """Lines of markdown, shown as they come."""

    def __init__(self):
        self.lines, self.missed = [], []

    def add(self, line=""):
        self.lines.append(line)
        print(line, flush=True)

    def table(self, *columns):
        """The head of a table."""
        self.row(*columns)
        self.row(*["---"] * len(columns))

    def row(self, *cells):
        self.add(f"| {' | '.join(f'{cell:.3g}' if isinstance(cell, float) else str(cell) for cell in cells)} |")

    def drivers(self, folder):
        """Those of DRIVERS that are in a folder; says which are not."""
        for driver in DRIVERS:
            if (folder / f"{driver.icd}.json").exists():
                yield driver
            else:
                self.add(f"\n{driver.title}: {driver.icd}.json is not in {folder}, not measured")

    def ratio(self, where, workload, ratio, floor):
        if floor is None:
            return f"{ratio:.2f}"
        if ratio < floor:
            self.missed.append(f"{workload} on {where}: {ratio:.2f}, the floor is {floor}")
        return f"{ratio:.2f} ({'meets' if ratio >= floor else 'BELOW'} {floor})"

    def most(self, where, workload, value, limit):
        if value > limit:
            self.missed.append(f"{workload} on {where}: {value:.2f}, at most {limit} is allowed")
        return f"{value:.2f} ({'within' if value <= limit else 'ABOVE'} {limit})"

    def begin(self, title, *more):
        """The title, and what made the numbers: `more` stands between the date and the command."""
        self.add(f"{title}\n")
        command = " ".join([f"bench/{pathlib.Path(sys.argv[0]).name}", *sys.argv[1:]])
        self.add(". ".join([f"Machine: {machine()}", f"Date: {datetime.date.today()}", *more, f"Command: `{command}`."]))

    def add_parts(self, parts, only, *arguments):
        """Those of {name: function} that are wanted: all, or one."""
        for name, part in parts.items():
            if only in (None, name):
                part(self, *arguments)
                self.add()

    def add_floors(self):
        self.add("\n## Floors\n")
        self.add("\n".join(f"- missed: {line}" for line in self.missed) or "All met.")

    def finish(self, path):
        """Tells the floors, writes the report's part of the file where one is given, and is the exit code."""
        self.add_floors()
        if path:
            replace_part(path, self.lines)
        return 1 if self.missed else 0


def replace_part(path, lines):
    """Puts `lines` where the file has a part of the same title, `# ...`, or at its end; other parts stay."""
    parts = re.split(r"^(?=# )", path.read_text(encoding="utf-8") if path.exists() else "", flags=re.MULTILINE)
    mine = "\n".join(lines) + "\n"
    at = next((i for i, part in enumerate(parts) if part.startswith(f"{lines[0].strip()}\n")), len(parts))
    parts[at:at + 1] = [mine]
    path.write_text("\n".join(part.strip("\n") + "\n" for part in parts if part), encoding="utf-8")


def host_table(report, kiln):
    ours, torch_ms, blas_ms = host_rounds(kiln)
    report.add("## Host\n")
    report.table("workload", "Kiln, ms", "rate", "right", "PyTorch, ms", "Kiln / PyTorch", "OpenBLAS, ms", "Kiln / OpenBLAS")
    for workload, (ms, rate, unit, right) in ours.items():
        cells = [workload, ms, f"{rate:.3g} {unit}", "yes" if right else "NO"]
        for peer, times in (("PyTorch", torch_ms), ("OpenBLAS", blas_ms)):
            name, floor = HOST_FLOORS.get(workload, (None, None))
            other = times.get(workload)
            cells += [other, report.ratio("host", workload, other / ms, floor if name == peer else None)] if other \
                else ["", ""]
        report.row(*cells)


def device_table(report, kiln, baseline, driver, env):
    """`baseline` is the command of kiln_baseline, with its options."""
    duels = csv(baseline, env)  # Kiln and the GLSL turn by turn
    names = subprocess.run([kiln, "bench", "--list"], text=True, stdout=subprocess.PIPE, check=True).stdout.split()
    others = csv([kiln, "bench", "--csv", "--on", "vulkan", *(name for name in names if name not in duels)], env)
    report.add(f"\n## {driver.title}\n")
    report.table("workload", "Kiln, ms", "rate", "right", "GLSL, ms", "Kiln / GLSL")
    for workload, (ms, rate, unit, right, *glsl) in {**duels, **others}.items():
        cells = [workload, ms, f"{rate:.3g} {unit}", "yes" if right else "NO", "", ""]
        if glsl:
            cells[4:] = [glsl[0], report.ratio(driver.title, workload, glsl[1], DEVICE_FLOOR)]
        report.row(*cells)


def machine():
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return f"{model}, {os.cpu_count()} CPUs"


def arguments_of(script, parts=()):
    """A parser of what all scripts take, for those that report to a file."""
    parser = argparse.ArgumentParser(description=script, formatter_class=argparse.RawDescriptionHelpFormatter)
    if parts:
        parser.add_argument("--only", choices=parts, help="one of the tables")
    parser.add_argument("--write", type=pathlib.Path, help="also replace this script's part of that file, as bench/RESULTS.md")
    return parser


def main():
    parser = arguments_of(__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--drivers", type=pathlib.Path, default=ROOT / "build/drivers", help="what `ci/setup drivers` made")
    parser.add_argument("--processor", action="store_true",
                        help="beside GLSL, compare processor time: right for CPU drivers when other programs run too")
    options = parser.parse_args()
    report = Report()
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], text=True, stdout=subprocess.PIPE).stdout
    report.begin("# Results", f"Commit: {commit.strip()}")
    report.add("Best of several runs; a ratio above 1 means that Kiln is faster. GB/s count every array once.\n")
    if options.processor:
        report.add("Beside GLSL both times are processor time, all threads together: other programs were running.\n")
    baseline = [options.build / "bench/kiln_baseline", *(["--processor"] if options.processor else [])]
    host_table(report, options.build / "kiln")
    for driver in report.drivers(options.drivers):
        device_table(report, options.build / "kiln", baseline, driver, driver.env(options.drivers))
    return report.finish(options.write)


if __name__ == "__main__":
    sys.exit(main())
