#!/usr/bin/env python3
"""The labelled suite of the checkers: correct kernels and their faulty twins.

    tests/race/suite.py build/dev/kiln [--only ring] [--show] [--jobs 2] [--mutants] [--exhaustive 2000]

Every *.kiln beside this file is a correct kernel with directives in its comments:

    //# vary N 1 3 8             the kernel stands for three: $N is each of these
    //# twin NAME FAULT: EDIT    what `kiln check` must find once the text is edited: A|B is one of the two, by schedule
    //# with --resident 2        how it is checked
    ...  //= store               a line's name, for edits

An EDIT is `drop LINE`, `move LINE before LINE` (or `after`), `swap LINE LINE` or `replace LINE => TEXT`; several are
joined by `; `. `where N > 1` behind it limits the twin to some of the variations. Correct kernels must pass without a
fault.

With --mutants every statement that orders units is also deleted in turn from every correct kernel: each deletion must
be found, or stand in mutants.txt with the reason why it changes nothing.

With --exhaustive every label is confirmed by all schedules of its kernel, so many of them at most: a correct kernel has
no fault in any, a faulty one in some. Kernels with more schedules are counted as too big.

With --bits the command is ktest, and every correct kernel is run with so many seeds, checkers on and off: all outputs
must have the same bits.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import fnmatch
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOO_BIG = "too big"
# A statement that orders units, up to the next statement, a brace, or the line's end.
ORDERING = re.compile(r"\b(?:wait|arrive|commit|await|signal) [^{}]*?(?= (?:wait|arrive|y\[|when) | *}|$)")


@dataclasses.dataclass(frozen=True)
class Case:
    """One text and what must be found in it; nothing where `fault` is empty."""

    name: str
    text: str
    fault: str
    options: tuple[str, ...] = ()  # of `kiln check` and `kiln run`


@dataclasses.dataclass(frozen=True)
class Twin:
    """A directive: how to break the kernel."""

    name: str
    fault: str
    edits: list[str]
    where: str


def named(lines: list[str], name: str) -> int:
    """The line of that name."""
    found = [i for i, line in enumerate(lines) if line.rstrip().endswith(f"//= {name}")]
    if len(found) != 1:
        sys.exit(f"suite: {len(found)} lines are named {name}")
    return found[0]


def edited(lines: list[str], edit: str) -> list[str]:
    """The lines after one edit."""
    words = edit.split()
    lines = list(lines)
    if words[0] == "drop":
        lines[named(lines, words[1])] = ""
    elif words[0] == "swap":
        a, b = named(lines, words[1]), named(lines, words[2])
        lines[a], lines[b] = lines[b], lines[a]
    elif words[0] == "move":
        line = lines.pop(named(lines, words[1]))
        lines.insert(named(lines, words[3]) + (words[2] == "after"), line)
    elif words[0] == "replace":
        lines[named(lines, words[1])] = edit.split(" => ", 1)[1]
    else:
        sys.exit(f"suite: no edit is called {words[0]}")
    return lines


def read(path: pathlib.Path) -> tuple[list[str], dict[str, list[str]], list[Twin], tuple[str, ...]]:
    """The kernel's lines, how it varies, its twins, and how it is checked."""
    lines, vary, twins, options = [], {}, [], ()
    for line in path.read_text().splitlines():
        if match := re.match(r"//# vary (\w+) (.*)", line):
            vary[match[1]] = match[2].split()
        elif match := re.match(r"//# twin (\w+) ([\w|]+): (.*)", line):
            edits, _, where = match[3].partition("   where ")
            twins.append(Twin(match[1], match[2], edits.split("; "), where))
        elif match := re.match(r"//# with (.*)", line):
            options = tuple(match[1].split())
        else:
            lines.append(line)
    return lines, vary, twins, options


def variations(vary: dict[str, list[str]]) -> list[dict[str, str]]:
    """Every choice of values."""
    all_of: list[dict[str, str]] = [{}]
    for name, values in vary.items():
        all_of = [{**one, name: value} for one in all_of for value in values]
    return all_of


def filled(lines: list[str], values: dict[str, str]) -> str:
    """The text with the names' values in place, without the lines' names."""
    text = "\n".join(re.sub(r"\s*//= \w+$", "", line) for line in lines) + "\n"
    for name, value in values.items():
        text = text.replace(f"${name}", value)
    return text


def harmless() -> list[tuple[str, str]]:
    """Patterns of the names of mutants that change nothing, and why they do not."""
    lines = (HERE / "mutants.txt").read_text().splitlines()
    return [tuple(line.split(": ", 1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def mutants(name: str, text: str) -> list[Case]:
    """The text without each of the statements that order units."""
    cases = []
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("//") or re.search(r"\b(scratch|copy|mma|claim)\b", line):
            continue
        for k, match in enumerate(ORDERING.finditer(line)):
            mutant = f"{name}.without_{i + 1}_{k}"
            same = any(fnmatch.fnmatch(mutant, pattern) for pattern, _ in harmless())
            broken = [*lines[:i], line[: match.start()] + line[match.end() :], *lines[i + 1 :]]
            cases.append(Case(mutant, "\n".join(broken) + "\n", "" if same else "any"))
    return cases


def cases_of(path: pathlib.Path, with_mutants: bool) -> list[Case]:
    """All that a file stands for."""
    lines, vary, twins, options = read(path)
    cases = []
    for values in variations(vary):
        label = ".".join([path.stem, *(f"{name}{value}" for name, value in values.items())])
        text = filled(lines, values)
        cases.append(Case(label, text, ""))
        for twin in twins:
            if twin.where and not eval(twin.where, {}, {name: int(value) for name, value in values.items()}):
                continue
            broken = lines
            for edit in twin.edits:
                broken = edited(broken, edit)
            cases.append(Case(f"{label}.{twin.name}", filled(broken, values), twin.fault))
        if with_mutants:
            cases += mutants(label, text)
    return [dataclasses.replace(case, options=options) for case in cases]


def inputs(text: str) -> list[str]:
    """Data for every input."""
    head = text[text.index("kernel ") : text.index(" -> (")]
    return [f"{name}=iota" for name in re.findall(r"(\w+): \w+", head)]


def judge(case: Case, answer: dict, exhaustive: bool) -> str:
    """What is wrong with the faults that were found; "too big" where it is not known."""
    found = {fault["name"] for fault in answer["faults"]}
    wanted = set(case.fault.split("|")) if case.fault else set()
    if found and not wanted:
        return f"false alarm: {', '.join(sorted(found))}"
    if not wanted or found & wanted or (found and "any" in wanted):
        return "" if wanted or not exhaustive or answer["explored"]["complete"] else TOO_BIG
    if exhaustive and not answer["explored"]["complete"]:
        return TOO_BIG
    return f"{case.fault} missed, found {sorted(found)}"


def run(kiln: str, case: Case, limit: int) -> tuple[Case, str, str]:
    """What is wrong with the answer, and the answer."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{case.name}.kiln"
        path.write_text(case.text)
        command = [kiln, "check", str(path), *inputs(case.text), "--json", *case.options]
        command += [f"--exhaustive={limit}"] if limit else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return case, "hangs", ""
    said = done.stdout + done.stderr
    if done.returncode not in (0, 3):
        return case, f"ended with {done.returncode}", said
    return case, judge(case, json.loads(done.stdout), limit > 0), said


def outputs(text: str) -> list[str]:
    """The names of all that the kernel writes."""
    head = text[text.index(" -> (") : text.index("{")]
    return re.findall(r"(\w+): \w+", head)


def ktest_of(case: Case) -> str:
    """The same for the runner of kernel tests."""
    data = (f"[data {word.replace('=', ' ')}]" for word in inputs(case.text))
    names, values = case.options[::2], case.options[1::2]
    options = (f"[{name.removeprefix('--')} {value}]" for name, value in zip(names, values, strict=True))
    return "\n".join(["[kernel]", case.text, *data, *options, "[same host within 0 ulp]\n"])


def same_bits(ktest: str, cases: list[Case], seeds: int) -> int:
    """Every case in one process: each seed with checks and without, all outputs of the same bits. The exit status."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / f"{case.name}.ktest" for case in cases]
        for path, case in zip(paths, cases, strict=True):
            path.write_text(ktest_of(case))
        return subprocess.run([ktest, "--seeds", str(seeds), *map(str, paths)], check=False).returncode


def main() -> None:
    """Every case; the last line counts them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kiln", help="the command; with --bits ktest")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--show", action="store_true", help="show text and answer of what fails")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--mutants", action="store_true", help="also delete every statement that orders units")
    parser.add_argument("--exhaustive", type=int, default=0, metavar="LIMIT", help="confirm by all schedules")
    parser.add_argument("--bits", type=int, default=0, metavar="SEEDS", help="compare outputs of so many seeds")
    options = parser.parse_args()
    cases = [case for path in sorted(HERE.glob("*.kiln")) for case in cases_of(path, options.mutants)]
    cases = [case for case in cases if options.only in case.name]
    if options.bits:
        sys.exit(same_bits(options.kiln, [case for case in cases if not case.fault], options.bits))
    wrong = too_big = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for case, problem, said in pool.map(lambda case: run(options.kiln, case, options.exhaustive), cases):
            if not problem:
                continue
            if problem == TOO_BIG:
                too_big += 1
                if options.show:
                    print(f"{case.name}: too big")
                continue
            wrong += 1
            print(f"{case.name}: {problem}")
            if options.show:
                print(case.text + said)
    faulty = sum(bool(case.fault) for case in cases)
    print(f"{len(cases) - faulty} correct kernels, {faulty} faulty ones")
    if options.exhaustive:
        print(
            f"{len(cases) - wrong - too_big} confirmed by all schedules, {too_big} have more than {options.exhaustive}"
        )
    print(f"{len(cases) - wrong - too_big} passed, {wrong} failed, {too_big} skipped")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
