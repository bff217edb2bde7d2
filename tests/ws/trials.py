"""Processes of ws_trial, each of which runs kernels by the thousand, and the count of what came of them."""

from __future__ import annotations

import collections
import select
import subprocess
import sys
import time

from ways import environment

Answer = tuple[str, str, str]  # way; right, refused or wrong; why
PATIENCE = 600  # seconds: compilers of CPU drivers take long for many roles
WAYS = {"host": ["fused", "rounds", "spun"], "device": ["device-fused", "device-phased"]}
# Memory that was used stays with the process: what a kernel needs is much, and zeroing new pages takes longer than it.
KEEP = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


def kind_of(place: str) -> str:
    """Which WAYS there are."""
    return "host" if place == "host" else "device"


class Trial:
    """A process that runs kernels."""

    def __init__(self, program: str, place: str) -> None:
        self.program, self.environment = program, {**environment("crew" if place == "host" else place), **KEEP}
        self.start()

    def start(self) -> None:
        """Begins, or begins again."""
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([self.program], stdin=pipe, stdout=pipe, text=True, env=self.environment)

    def answer(self, kernel: str, ways: list[str]) -> list[Answer]:
        """(way, right or refused or wrong, why) of each."""
        to, back = self.process.stdin, self.process.stdout
        assert to and back
        to.write(f"{' '.join(ways)}\n{kernel}.\n")
        to.flush()
        line = back.readline() if select.select([back], [], [], PATIENCE)[0] else ""
        if line:
            return [tuple(one.split(" ", 2)) for one in line.rstrip("\n").split("\t")[:-1]]  # type: ignore[misc]
        self.process.kill()
        ended = self.process.wait()
        self.start()
        return [("all", "wrong", f"it ended with {ended}")]

    def end(self) -> None:
        """No further kernel."""
        self.process.communicate()


class Count:
    """What came of all."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.kernels = 0
        self.verdicts: collections.Counter[tuple[str, str]] = collections.Counter()
        self.reasons: collections.Counter[str] = collections.Counter()

    def add(self, name: str, answers: list[Answer]) -> list[Answer]:
        """What is wrong among the answers for one kernel, which is printed."""
        for way, verdict, why in answers:
            self.verdicts[way, verdict] += 1
            if verdict == "refused":
                self.reasons[f"{way}: {why.rpartition('; ')[2]}"] += 1
            if verdict == "wrong":
                print(f"{name}: {way}: {why}", flush=True)
        return [answer for answer in answers if answer[1] == "wrong"]

    def of(self, verdict: str) -> int:
        """How often that was the verdict."""
        return sum(number for (_, one), number in self.verdicts.items() if one == verdict)

    def line(self) -> str:
        """How far it is."""
        ways = sorted({way for way, _ in self.verdicts})
        each = ", ".join(f"{way} {self.verdicts[way, 'right']}" for way in ways)
        return f"{self.kernels} kernels in {time.monotonic() - self.began:.0f} s: {each}; {self.of('wrong')} wrong"

    def end(self) -> None:
        """All that came of it: the last line counts runs."""
        for reason, number in self.reasons.most_common():
            print(f"{number} refused: {reason}")
        print(self.line())
        print(f"{self.of('right')} passed, {self.of('wrong')} failed, {self.of('refused')} skipped")
        sys.exit(self.of("wrong") > 0)
