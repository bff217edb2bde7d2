#!/usr/bin/env python3
"""Random protocols (protocols.py), each a kernel, in every way to run it: the bits that the host's crew gives.

    tests/ws/random_protocols.py build/dev/tests/ws/ws_trial [--count 2000] [--seed 1] [--on host|device|ss|lvp8]

On the host: fused, as rounds, and spun under the checkers. Every 50th also by the crew under 20 seeds, with
checkers, spun while roles are starved, and as valid SPIR-V of roles that spin. On a device: fused and phased (ways.py
says how places are written). Every 10th is run once more without one of the waits and arrivals that it needs:
the checkers must find a fault, and if that is no race, rounds must tell of it, too.

A kernel takes milliseconds, as one process of ws_trial runs thousands. The seed of one that fails is printed, with the
smallest kernel that fails like it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import random

from protocols import Protocol, Writer, broken, protocol, smaller, text
from trials import WAYS, Count, Trial, kind_of

EVERY_BROKEN, EVERY_WIDE = 10, 50
WIDE = {"host": ["seeds", "starved", "words"], "device": []}
BROKEN = {"host": ["broken"], "device": ["broken-device"]}


def written(p: Protocol) -> str:
    """Its text."""
    return text(Writer(p).lines())


def shrunk(trial: Trial, p: Protocol, way: str, why: str) -> Protocol:
    """The smallest that fails in the same way, with the same kind of words."""
    kind = why.partition(":")[0]

    def fails(one: Protocol) -> bool:
        answers = trial.answer(written(one), [way])
        return any(verdict == "wrong" and said.partition(":")[0] == kind for _, verdict, said in answers)

    while simpler := next((one for one in smaller(p) if one != p and fails(one)), None):
        p = simpler
    return p


class Driver:
    """Runs the protocols of seeds in one place."""

    def __init__(self, program: str, place: str, shows: int) -> None:
        self.program, self.place, self.shows = program, place, shows
        self.kind = kind_of(place)
        self.count = Count()

    def run(self, trial: Trial, seed: int) -> None:
        """One protocol."""
        p = protocol(seed)
        ways = WAYS[self.kind] + (WIDE[self.kind] if seed % EVERY_WIDE == 0 else [])
        name = f"--seed {seed} --count 1"
        for way, _, why in self.count.add(name, trial.answer(written(p), ways)):
            print(written(shrunk(trial, p, way, why)) if way != "all" else "", flush=True)
        if seed % EVERY_BROKEN == 0:
            mutant = broken(p, random.Random(seed))
            if mutant and self.count.add(name, trial.answer(mutant, BROKEN[self.kind])):
                print(mutant, flush=True)
        self.count.kernels += 1
        if self.count.kernels % self.shows == 0:
            print(self.count.line(), flush=True)

    def run_all(self, seeds: range) -> None:
        """Those of several seeds, in one process."""
        trial = Trial(self.program, self.place)
        for seed in seeds:
            self.run(trial, seed)
        trial.end()


def main() -> None:
    """Every protocol; the last line counts runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="ws_trial")
    parser.add_argument("--count", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the next ones have the next numbers")
    parser.add_argument("--on", default="host", metavar="PLACE", help="host, device, or a driver as ways.py has them")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--shows", type=int, default=1000, metavar="N", help="say how far it is after each N")
    options = parser.parse_args()
    driver = Driver(options.program, options.on, options.shows)
    seeds = range(options.seed, options.seed + options.count)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(driver.run_all, (seeds[job :: options.jobs] for job in range(options.jobs))))
    driver.count.end()


if __name__ == "__main__":
    main()
