#!/usr/bin/env python3
"""The jobs of ci/test, one after the other: each builds a preset and runs some of its tests, or runs a script.

A job prints its failures and its skips with their reasons. A table of all jobs with their seconds comes at the end, and
last the line `N passed, N failed, N skipped`. Set-up is ci/test's; run alone, this expects it done.
"""
import concurrent.futures
import itertools
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORES = os.cpu_count() or 1
DRIVERS = pathlib.Path(os.environ.get("KILN_DRIVERS_DIR", ROOT / "build" / "drivers")).resolve()
FUZZ_SECONDS = 30
VALIDATION = "VK_LAYER_KHRONOS_validation"

# A test that counts cases itself ends with such a line, and prints `SKIP name: reason` for each skip.
TOTALS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)\.", re.M)
UNITTEST_PASSED = re.compile(r"^Ran (\d+) tests? in .*\n\nOK$", re.M)
SKIP = re.compile(r"^SKIP (.*)$", re.M)

SANITIZED = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1",
             "TSAN_OPTIONS": "halt_on_error=1", "OPENBLAS_NUM_THREADS": "1"}


class Count:
    """What a job came to."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = int(passed), int(failed), int(skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self


def tail(text, lines=60):
    return "\n".join(text.rstrip().splitlines()[-lines:])


def run(command, env=None, timeout=2400):
    """(exit status, output) of a command run in the root; a hang counts as failure."""
    try:
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace") + f"\nno end after {timeout} s: {command[0]}"


def build(preset, *options):
    """Configures and builds a preset. None when that worked, else a Count with the failure, which is printed."""
    for command in (["cmake", "--preset", preset, *options], ["cmake", "--build", f"build/{preset}", "-j", str(CORES)]):
        status, output = run(command)
        if status:
            lines = [line for line in output.splitlines() if not re.match(r"\[\d+/\d+\] ", line)]
            print(f"FAIL {preset} does not build\n{tail(chr(10).join(lines))}")
            return Count(failed=1)
    return None


def count_case(case, forbid=None):
    """The Count of one <testcase> of CTest's report; failures and skips are printed."""
    name, output = case.get("name"), case.findtext("system-out") or ""
    forbidden = [line for line in output.splitlines() if forbid and re.search(forbid, line)]
    if forbidden:
        print(f"FAIL {name}\n{tail(chr(10).join(forbidden), 10)}")
        return Count(failed=1)
    reasons = SKIP.findall(output)
    inner = Count()
    for found in TOTALS.findall(output):
        inner += Count(*map(int, found))
    if case.get("status") == "run":
        for reason in reasons:
            print(f"SKIP {name}: {reason}")
        if inner.passed + inner.skipped and not inner.failed:  # a test of a runner may want failures, and passed
            return inner
        cases = CMOCKA_PASSED.findall(output) + UNITTEST_PASSED.findall(output)
        return Count(passed=sum(map(int, cases)) or 1, skipped=len(reasons))
    skipped = case.find("skipped")
    if skipped is not None:
        print(f"SKIP {name}: {reasons[0] if reasons else skipped.get('message') or 'no reason given'}")
        return Count(skipped=1)
    print(f"FAIL {name}\n{tail(output)}")
    return inner if inner.failed else Count(failed=1)


def ctest(preset, label, env=None, without=None, parallel=CORES, forbid=None):
    """Runs the preset's tests that carry a label."""
    report = ROOT / "build" / preset / f"report-{os.getpid()}.xml"
    command = ["ctest", "--test-dir", f"build/{preset}", "-L", f"^({label})$", "-j", str(parallel), "--timeout", "900",
               "--test-output-size-passed", "4000000", "--test-output-size-failed", "4000000",
               "--output-junit", str(report)]
    status, output = run(command + (["-LE", without] if without else []), env)
    if not report.exists():
        print(f"FAIL ctest -L {label} in build/{preset} ended with {status}\n{tail(output)}")
        return Count(failed=1)
    total = Count()
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        total += count_case(case, forbid)
    report.unlink()
    if total.passed + total.failed + total.skipped == 0:
        print(f"FAIL no test in build/{preset} has the label {label}")
        total.failed = 1
    return total


def built(preset, label, env=None, options=(), **rest):
    """A job that builds a preset and runs the tests of a label."""
    return lambda: build(preset, *options) or ctest(preset, label, env, **rest)


def driver(name, layer=None, without=None, forbid=None, **env):
    """A job that runs the Vulkan tests on one driver, under a layer if asked; output that `forbid` matches is a failure.

    The dev build must be there: several such jobs run at a time (see together)."""
    icd = DRIVERS / f"{name}.json"
    shader_cache = ROOT / "build" / "shader_cache"
    env = {"VK_DRIVER_FILES": str(icd), "VK_ICD_FILENAMES": str(icd), "MESA_SHADER_CACHE_DIR": str(shader_cache), **env}

    def job():
        if not icd.exists():
            print(f"SKIP {name}: {icd} is not there; ci/setup drivers makes it")
            return Count(skipped=1)
        if layer and layer not in run(["vulkaninfo", "--summary"], env)[1]:
            print(f"SKIP {name}: the layer {layer} is not installed")
            return Count(skipped=1)
        return ctest("dev", "vulkan", env, without, parallel=1, forbid=forbid)

    return job


def no_vulkan():
    """The host half builds without one header of Vulkan or SPIR-V, and passes its tests."""
    failed = build("novulkan")
    if failed:
        return failed
    _, used = run(["ninja", "-C", "build/novulkan", "-t", "deps"])
    wrong = sorted(set(re.findall(r"\S*(?:/vulkan/|volk|/spirv[-/])\S*\.h\b", used)))
    total = Count(passed=not wrong, failed=bool(wrong))
    if wrong:
        print("FAIL the host half includes " + ", ".join(wrong))
    total += ctest("novulkan", "host")
    return total


def fuzz_one(name):
    """One libFuzzer target over its kept corpus; new finds stay in build/. (status, output)"""
    found, kept = ROOT / "build" / "fuzz" / "corpus" / name, ROOT / "tests" / "fuzz" / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    return run([f"build/fuzz/fuzz_{name}", f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048",
                "-print_final_stats=1", f"-artifact_prefix=build/fuzz/{name}-", str(found),
                *([str(kept)] if kept.is_dir() else [])], SANITIZED, timeout=FUZZ_SECONDS + 120)


def fuzz():
    """Every libFuzzer target, FUZZ_SECONDS each, as many at a time as there are cores."""
    failed = build("fuzz")
    if failed:
        return failed
    names = sorted(path.stem.removeprefix("fuzz_") for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.c"))
    total = Count(failed=not names)
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for name, (status, output) in zip(names, pool.map(fuzz_one, names)):
            runs = re.search(r"number_of_executed_units: (\d+)", output)
            print(f"fuzz {name}: {runs[1] if runs else 'no'} runs")
            if status:
                print(f"FAIL fuzz {name}\n{tail(output, 40)}")
            total += Count(passed=status == 0, failed=status != 0)
    return total


def script(*command, env=None):
    """A job that is a script which prints its own totals as its last line."""

    def job():
        status, output = run(list(command), env)
        inner = TOTALS.findall(output)
        print("\n".join(line for line in output.splitlines() if status or not line.startswith(("ok ", "note:"))))
        if inner:
            return Count(*map(int, inner[-1]))
        return Count(passed=status == 0, failed=status != 0)

    return job


def python():
    """The Python package, built into a virtual environment as a user's `pip install ./python` does, passes its tests."""
    environment = ROOT / "build" / "venv" / "bin"
    if not (environment / "python").exists():
        print("SKIP python: no Python of 3.12 or later here, as JAX needs; ci/setup jax makes build/venv")
        return Count(skipped=1)
    status, output = run([str(environment / "pip"), "install", "--no-deps", "--force-reinstall", "./python"])
    if status:
        print(f"FAIL python: the package does not build\n{tail(output)}")
        return Count(failed=1)
    driver_file = DRIVERS / "ss.json"
    drivers = {"VK_DRIVER_FILES": str(driver_file), "VK_ICD_FILENAMES": str(driver_file)} if driver_file.exists() else {}
    status, output = run([str(environment / "python"), "-P", "-m", "pytest", "-q", "-rs", "python/tests"], drivers)
    print(tail(output) if status else "\n".join(re.findall(r"^SKIPPED.*", output, re.M)))
    counted = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)\b", output)}
    failed = counted.get("failed", 0) + counted.get("error", 0) + counted.get("errors", 0)
    return Count(counted.get("passed", 0), failed or status != 0, counted.get("skipped", 0))


# Two run at a time: the longest first. Suites that are too long for each take a share of their cases.
DEVICE_JOBS = {
    "lavapipe16": driver("lvp", LP_NATIVE_VECTOR_WIDTH="512", KILN_TEST_SHARE="0"),
    "lavapipe8": driver("lvp", LP_NATIVE_VECTOR_WIDTH="256", KILN_TEST_SHARE="1"),
    "lavapipe4": driver("lvp", LP_NATIVE_VECTOR_WIDTH="128", KILN_TEST_SHARE="2"),
    "swiftshader": driver("ss", KILN_TEST_SHARE="3"),
    "validation": driver("ss", layer=VALIDATION, without="^slow$", forbid="VUID-|SYNC-HAZARD|Validation Error",
                         VK_INSTANCE_LAYERS=VALIDATION,
                         VK_LAYER_ENABLES="VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT"),
}
JOBS = {
    "host": built("dev", "quick|host"),
    "lint": script("ci/lint"),
    **DEVICE_JOBS,
    "novulkan": no_vulkan,
    "asan": built("asan", "host", SANITIZED, without="^slow$"),
    "tsan": built("tsan", "host", SANITIZED, without="^slow$"),
    "fuzz": fuzz,
    "embed": built("release", "embed", options=("-DKILN_TESTS=ON", "-DKILN_WERROR=ON"), parallel=1),
    "python": python,
    "demo": script("ci/demo"),
}


def timed(job):
    """(Count, seconds) of a job."""
    start = time.monotonic()
    return job(), time.monotonic() - start


def together(names):
    """Runs jobs on devices as many at a time as there are cores, each in a process of its own: a CPU driver compiles on
    one core only. Gives (Count, seconds) in order, and prints what each printed."""
    print(f"== {', '.join(names)}")
    failed = build("dev")
    if failed:
        yield from ((failed, 0) for _ in names)
        return
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        one = lambda name: timed(lambda: run([sys.executable, __file__, "--alone", name]))
        for name, ((status, output), seconds) in zip(names, pool.map(one, names)):
            *said, last = output.rstrip().splitlines() or [""]
            totals = TOTALS.match(last)
            print("\n".join(said if totals else [*said, last, f"FAIL {name} ended with {status} and no totals"]))
            yield (Count(*totals.groups()) if totals else Count(failed=1)), seconds


def in_turn(names):
    """Runs jobs one after the other: (Count, seconds) of each."""
    for name in names:
        print(f"== {name}")
        yield timed(JOBS[name])


def alone(name):
    """One job on a device, for together: what it prints, then its totals."""
    count = JOBS[name]()
    print(count)
    return count.failed > 0


def run_jobs(names):
    """(name, Count, seconds) of every job, which are printed as they end."""
    rows = []
    for device, group in itertools.groupby(names, lambda name: name in DEVICE_JOBS):
        group = list(group)
        for name, (count, seconds) in zip(group, together(group) if device else in_turn(group)):
            print(f"== {name}: {count} ({seconds:.0f} s)\n")
            rows.append((name, count, seconds))
    return rows


def main(arguments):
    sys.stdout.reconfigure(line_buffering=True)
    if arguments == ["--list"]:
        print("\n".join(JOBS))
        return 0
    if arguments[:1] == ["--alone"]:
        return alone(arguments[1])
    unknown = [name for name in arguments if name not in JOBS]
    if unknown:
        sys.exit(f"no job {unknown[0]}; there are: {' '.join(JOBS)}")
    (rows, total), seconds = timed(lambda: (run_jobs(arguments or JOBS), Count()))
    print(f"{'job':<14}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    if "KILN_SETUP_SECONDS" in os.environ:
        print(f"{'setup':<14}{'':>25}{os.environ['KILN_SETUP_SECONDS']:>9}")
    for name, count, took in rows:
        print(f"{name:<14}{count.passed:>8}{count.failed:>8}{count.skipped:>9}{took:>9.0f}")
        total += count
    print(f"{'all':<14}{total.passed:>8}{total.failed:>8}{total.skipped:>9}{seconds:>9.0f}")
    print(total)
    return total.failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
