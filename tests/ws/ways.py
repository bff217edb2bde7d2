#!/usr/bin/env python3
"""Kernels whose units wait for one another, in every way that Kiln has to run them.

    tests/ws/ways.py build/dev/kiln [--places rounds,spun-random,words,ss,lvp8] [--only ring] [--show] [--jobs 2]

The kernels are those of tests/race (its suite.py says how they are written). A correct one gives the bits that the
host's crew gives: as rounds on the host (the text that pass phase_roles leaves, run as any other), and on every device.
A twin that deadlocks, or breaks a rule of barriers and semaphores, must be reported as such everywhere; one that asks
for ever is stopped at its time limit.

With --mutants every statement that orders units is deleted in turn (suite.py): `kiln check` on the host must find
the fault, and where that is no race, every place must report it, too. --every N takes each N-th case, beginning with
that of number $KILN_TEST_SHARE.

Places: rounds, device (the one that the loader finds), and NAME or NAMEWIDTH for a driver: drivers are NAME.json in
$KILN_DRIVERS_DIR, and WIDTH is the number of lanes that lavapipe is to have; PLACE-each gives each role a subgroup, as
GPUs do. spun-ORDER is the text that pass
spin_roles leaves, run by the host's crew, checkers on, in one of its orders of units (fair ones, and `starve`).
spun-explored is that text in all orders, where there are few: nobody tells of a fault in any of them, or, where a rule
is broken, somebody does in some. words is the same kernel as valid SPIR-V for a GPU, which is not run.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RACE = HERE.parent / "race"
sys.path.insert(0, str(RACE))
from suite import Case, cases_of, inputs, outputs  # noqa: E402

PATIENCE = 60  # seconds
REFUSALS = (3209,)  # no_way_to_run
# Faults that roles report.
TOLD = {"deadlock", "divergent_barrier", "out_of_bounds", "over_arrival", "semaphore_leak"}
OF_ORDER = re.compile(r"\b(arrive|wait|test|signal|count) \w+ reaches outside")  # a barrier or semaphore that is none
# The texts that the host runs: for which profile, in which way, behind which pass.
TEXTS = {"rounds": ("lavapipe8", "", "phase_roles"), "spun": ("gpu32", "spin", "spin_roles")}
EACH = "-each"  # behind a device
POLLS, FEW_POLLS = 300000, 2000  # of a wait: of one that is starved, and of one for ever
ORDERS = 2000  # of units; a kernel that has more is not explored


def text_of(place: str) -> str:
    """Of TEXTS; empty for other places."""
    kind = place.partition("-")[0]
    return kind if kind in TEXTS else ""


def with_log_read(text: str) -> str:
    """The log as what it is on a device: zero when the kernel begins."""
    log = re.search(r", (log: u32\[.*?\])\)", text)
    return text.replace(log[0], ")").replace("(", f"({log[1]} inout, ", 1) if log else text


def log_of(path: pathlib.Path) -> list[str]:
    """What to give a text for its log, if it has one."""
    return ["log=zeros"] if "log: u32" in path.read_text() else []


def refusal(said: str) -> str:
    """The problem of what there is no way to run; empty of all else."""
    return "- " + said.partition("\n")[0] if any(f"[{number} " in said for number in REFUSALS) else ""


def in_tensor_memory(case: Case) -> bool:
    """Whether a checker misses what awaited tmem: it goes with all that is asynchronous."""
    return " in tmem" in case.text


def environment(place: str) -> dict[str, str]:
    """What a place's processes see."""
    env = dict(os.environ)
    place = place.removesuffix(EACH)
    if place in ("crew", "device", "words") or text_of(place):
        return env
    driver, width = re.fullmatch(r"([a-z]+)(\d*)", place).groups()  # type: ignore[union-attr]
    env["VK_ICD_FILENAMES"] = str(pathlib.Path(env["KILN_DRIVERS_DIR"]) / f"{driver}.json")
    if width:
        env["LP_NATIVE_VECTOR_WIDTH"] = str(int(width) * 32)
    return env


def call(words: list[str], place: str) -> subprocess.CompletedProcess[str]:
    """One run of the command."""
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment(place))


def faults(said: str) -> list[str]:
    """The lines that begin a fault, with their places: each once, as devices tell of a place once for all trips."""
    return sorted({line for line in said.splitlines() if ": fault[" in line})


class Runner:
    """Runs cases with one command, in one folder."""

    def __init__(self, kiln: str, units: str, folder: str) -> None:
        self.kiln, self.units, self.folder = kiln, units, pathlib.Path(folder)
        self.compiled: dict[pathlib.Path, str] = {}

    def run(self, case: Case, path: pathlib.Path, place: str) -> tuple[int, str, list[bytes]]:
        """How a run ended, what it said, and the outputs' files."""
        results = [self.folder / f"{case.name}.{place}.{name}.npy" for name in outputs(case.text)]
        words = [self.kiln, "run", str(path), *inputs(case.text)]
        words += [
            word for name, file in zip(outputs(case.text), results, strict=True) for word in ("-o", f"{name}={file}")
        ]
        if place.startswith("spun-"):
            words += log_of(path)
            words += ["--schedule", place.removeprefix("spun-"), "--seed", "3"]
            words += [] if case.fault or in_tensor_memory(case) else ["--check"]
        elif place not in ("crew", "rounds"):
            words += ["--on", "vulkan", "--units", self.units, *(["--limit", "1"] if case.fault == "livelock" else [])]
            words += ["--subgroups", "each"] if place.endswith(EACH) else []
        if text_of(place) and log_of(path):
            words += ["-o", f"log={self.log_file(case, place)}"]
        done = call(words, place)
        data = [file.read_bytes() for file in results if file.exists()] if done.returncode == 0 else []
        return done.returncode, done.stdout + done.stderr, data

    def words(self, path: pathlib.Path) -> str:
        """What is said of the kernel when it becomes words for a GPU, whose roles spin; asked once."""
        if path not in self.compiled:
            words = [self.kiln, "spirv", str(path), "--for", "gpu32", "--units", "spin"]
            self.compiled[path] = call(words, "words").stderr
        return self.compiled[path]

    def made(self, case: Case, path: pathlib.Path, kind: str) -> tuple[pathlib.Path, str]:
        """One of TEXTS, made once; or what was said instead."""
        out = path.with_suffix(f".{kind}.kiln")
        if out.exists():
            return out, ""
        profile, units, behind = TEXTS[kind]
        words = [self.kiln, "passes", str(path), "--for", profile, "--units", units or self.units]
        words += ["--after", behind, "--polls", str(FEW_POLLS if case.fault else POLLS)]
        done = call(words, kind)
        if done.returncode:
            return out, done.stdout + done.stderr
        out.write_text(with_log_read(done.stdout) if kind == "spun" else done.stdout)
        return out, ""

    def explored(self, case: Case, path: pathlib.Path) -> tuple[str, str]:
        """What is wrong in some order, and what was said. A record in the log is a check that fails."""
        log = log_of(path)
        if log:
            ending = '  arrive all\n  wait all\n  check log[0, 0] == 0, "nobody told of a fault"\n}\n'
            text, path = path.read_text(), path.with_suffix(".explored.kiln")  # others run the text as it is
            path.write_text(text.rstrip().removesuffix("}") + ending)
        words = [self.kiln, "check", str(path), *inputs(case.text), *log, f"--exhaustive={ORDERS}", "--json"]
        said = call(words, "spun").stdout
        answer = json.loads(said)
        found = {fault["name"] for fault in answer["faults"]}
        if found and not case.fault:
            return sorted(found)[0], said
        if "check_failed" in found:
            return "", said
        if not answer.get("explored", {"complete": True})["complete"]:
            return "- more orders than that", said
        return (f"no {case.fault} in any order" if case.fault else ""), said

    def log_file(self, case: Case, place: str) -> pathlib.Path:
        """What a text of TEXTS leaves in its log."""
        return self.folder / f"{case.name}.{place}.log.npy"

    def logged(self, case: Case, place: str) -> int:
        """How many records there are, which the log's first word counts."""
        file = self.log_file(case, place)
        words = file.read_bytes() if file.exists() else b"\n\0"
        start = words.index(b"\n") + 1
        return int.from_bytes(words[start : start + 4], "little")

    def at(self, case: Case, path: pathlib.Path, place: str, expected: list[bytes]) -> tuple[str, str]:
        """What is wrong at one place, and what was said."""
        if place == "words" or text_of(place) == "spun":
            said = self.words(path)
            if problem := refusal(said):
                return problem, said
            if place == "words":
                return said.partition("\n")[0], said
        source, said = self.made(case, path, text_of(place)) if text_of(place) else (path, "")
        if place == "spun-explored" and not said:
            unseen = case.fault not in ("", "over_arrival", "semaphore_leak") or in_tensor_memory(case)
            return ("- no checker sees to it", "") if unseen else self.explored(case, source)
        code, found = 0, expected
        if not said:
            code, said, found = self.run(case, source, place)
        if problem := refusal(said):
            return problem, said
        records = self.logged(case, place) if text_of(place) else 0
        if not case.fault and records:
            return "a false alarm", said
        if not case.fault:
            return (f"ended with {code}" if code else "other bits" if found != expected else ""), said
        if case.fault == "livelock":
            return "" if "launch_stopped]" in said and code else "not stopped", said
        if case.fault == "semaphore_leak" and not text_of(place):  # found at the end: no schedule changes the words
            return ("" if faults(said) == faults(self.run(case, path, "crew")[1]) else "other words"), said
        if records or any(f"{fault}]" in said for fault in case.fault.split("|")):
            return "", said
        told = f"no {case.fault}"
        if place.startswith("spun-"):
            return told, said
        rounds, _ = self.made(case, path, "rounds")
        return (told if " roles " in rounds.read_text() else f"- {told}: the one unit is fused"), said

    def found_by_host(self, case: Case, path: pathlib.Path) -> set[str]:
        """The names of the faults that `kiln check` finds; what one order shows as a late wait is a race in another."""
        names = set()
        for order in ((), ("--schedule", "random", "--seed", "3")):
            done = call([self.kiln, "check", str(path), *inputs(case.text), *case.options, *order, "--json"], "crew")
            names |= {fault["name"] for fault in json.loads(done.stdout)["faults"]}
        return names

    def check(self, case: Case, places: list[str]) -> list[tuple[str, str]]:
        """(problem, said) for every place where something is wrong; a problem that begins with `-` is a refusal."""
        path = self.folder / f"{case.name}.kiln"
        path.write_text(case.text)
        if case.fault == "any":
            found = self.found_by_host(case, path)
            if not found <= TOLD:
                return []  # such as a race, which the host alone can see
            if not found:
                return [("the host finds no fault", "")]
            case = Case(case.name, case.text, "|".join(sorted(TOLD)))
        if case.fault == "out_of_bounds" and not OF_ORDER.search(self.run(case, path, "crew")[1]):
            return []  # of memory: devices drop what goes there
        _, _, expected = self.run(case, path, "crew") if not case.fault else (0, "", [])
        wrong = []
        for place in places:
            if case.fault == "livelock" and text_of(place):
                continue  # it would never end
            try:
                problem, said = self.at(case, path, place, expected)
            except subprocess.TimeoutExpired:
                problem, said = "hangs", ""
            if problem:
                wrong.append((f"{'- ' if problem[0] == '-' else ''}{place}: {problem}", said))
        return wrong


def main() -> None:
    """Every case; the last line counts them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kiln", help="the command")
    parser.add_argument("--places", default="rounds", help="where, with commas between")
    parser.add_argument("--units", default="phased", help="how devices run them")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--show", action="store_true", help="show what was said about what fails")
    parser.add_argument("--mutants", action="store_true", help="deletions in place of the suite's kernels")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th case only")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    options = parser.parse_args()
    cases = [case for path in sorted(RACE.glob("*.kiln")) for case in cases_of(path, options.mutants)]
    cases = [case for case in cases if options.only in case.name and (".without_" in case.name) == options.mutants]
    wanted = {"any"} if options.mutants else TOLD | {"", "livelock"}
    cases = [case for case in cases if set(case.fault.split("|")) <= wanted]
    cases = cases[int(os.environ.get("KILN_TEST_SHARE", "0")) % options.every :: options.every]
    places = options.places.split(",")
    wrong, refused = [], 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runner = Runner(options.kiln, options.units, folder)
        for case, problems in zip(cases, pool.map(lambda one: runner.check(one, places), cases), strict=True):
            for problem, said in problems:
                told = f"{case.name}: {problem}\n{said if options.show else ''}".strip()
                if problem.startswith("-"):
                    refused += 1
                    print(told)
                else:
                    wrong.append(told)
    for told in wrong:  # last, as CI shows the end of what a test said
        print(told)
    runs = len(cases) * len(places)
    print(f"{len(cases)} kernels at {len(places)} places")
    print(f"{runs - len(wrong) - refused} passed, {len(wrong)} failed, {refused} skipped")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
