#!/usr/bin/env python3
"""Random kernels whose units hand work on, correct by construction: the phased text gives the crew's bits.

    tests/ws/random_protocols.py build/dev/kiln [--count 2000] [--seed 1] [--places rounds,device] [--together 4]

A protocol is a tree of threads; a kernel has several, so that more of them are run in a second. Each edge is a ring of
buffers of some depth with a barrier array `full` and one `empty`: the upper thread fills a slot, the lower one reads
it, changes it and hands it on to its own lower threads; the leaves write the output. How many items go over an edge,
how often a thread arrives, and whether trips are read from data are chosen at random. The seeds of a kernel that fails are
printed; --seed SEED --count COUNT makes it again.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import pathlib
import random
import sys
import tempfile

from ways import Case, Runner


class Tree:
    """One protocol: its threads are `first` and those behind it, of all in the kernel."""

    def __init__(self, seed: int, first: int) -> None:
        pick = self.pick = random.Random(seed)
        self.first, self.threads = first, pick.randint(2, 5)
        self.items, self.width = pick.randint(1, 6), pick.choice([1, 3, 4, 8])
        self.above = [0] + [pick.randrange(t) for t in range(1, self.threads)]
        self.below = [[t for t in range(1, self.threads) if self.above[t] == u] for u in range(self.threads)]
        self.leaves = [t for t in range(self.threads) if not self.below[t]]
        self.depth = [pick.randint(1, 3) for _ in range(self.threads)]
        self.twice = [pick.random() < 0.3 for _ in range(self.threads)]
        self.known = pick.random() < 0.5

    def inputs(self) -> str:
        """Its part of the head, in front of the arrow."""
        return f"x{self.first}: f32[{self.items}, {self.width}], n{self.first}: i32[1]"

    def output(self) -> str:
        """.. and behind it."""
        return f"y{self.first}: f32[{len(self.leaves)}, {self.items}, {self.width}]"

    def trips(self) -> str:
        """How many items there are, as the loops say it."""
        return str(self.items) if self.known else f"m{self.first}"

    def scratch(self) -> list[str]:
        """What the threads share."""
        at = self.first
        lines = [] if self.known else [f"  let m{at} = {self.items} + n{at}[0] - n{at}[0]"]
        for t in range(1, self.threads):
            arrivals = " arrivals 2" if self.twice[t] else ""
            lines += [f"  scratch s{at + t}: f32[{self.depth[t]}, {self.width}]"]
            lines += [f"  scratch full{at + t}: barrier[{self.depth[t]}]{arrivals}"]
            lines += [f"  scratch empty{at + t}: barrier[{self.depth[t]}]"]
        return lines

    def thread(self, t: int) -> list[str]:
        """What one thread does."""
        at, depth = self.first, self.depth
        gone = f"    arrive empty{at + t}[k % {depth[t]}]"
        lines = [f"  when t == {at + t} {{ for k in 0 .. {self.trips()} {{"]
        early = t == 0 or self.pick.random() < 0.5 or not self.below[t]
        if t == 0:
            lines.append(f"    let v = x{at}[k, :] + 1.0")
        else:
            lines.append(f"    wait full{at + t}[k % {depth[t]}]")
            lines.append(f"    let v = s{at + t}[k % {depth[t]}, :] * {t + 1}.0")
            lines += [gone] if early else []
        for u in self.below[t]:
            lines.append(f"    when k >= {depth[u]} {{ wait empty{at + u}[k % {depth[u]}] }}")
            lines.append(f"    s{at + u}[k % {depth[u]}, :] = v + {u}.0")
            lines += [f"    arrive full{at + u}[k % {depth[u]}]"] * (1 + self.twice[u])
        lines += [] if early else [gone]
        if t in self.leaves:
            lines.append(f"    y{at}[{self.leaves.index(t)}, k, :] = v")
        return [*lines, "  } }"]


def kernel(seeds: range) -> str:
    """The text of one kernel, with a tree for each seed: they share nothing but the machine."""
    trees: list[Tree] = []
    for seed in seeds:
        trees.append(Tree(seed, sum(tree.threads for tree in trees)))
    inputs, outputs = (
        ", ".join(part) for part in zip(*((tree.inputs(), tree.output()) for tree in trees), strict=True)
    )
    lines = [f"kernel k{seeds[0]}({inputs}) -> ({outputs}) {{", "  machine gpu"]
    lines.append(f"  threads t: {sum(tree.threads for tree in trees)}")
    lines += [line for tree in trees for line in tree.scratch()]
    lines += [line for tree in trees for t in range(tree.threads) for line in tree.thread(t)]
    return "\n".join(lines) + "\n}\n"


def main() -> None:
    """Every kernel; the last line counts them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kiln", help="the command")
    parser.add_argument("--count", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the next ones have the next numbers")
    parser.add_argument("--places", default="rounds", help="where, with commas between, as ways.py has them")
    parser.add_argument("--units", default="phased", help="how devices run them")
    parser.add_argument("--together", type=int, default=4, help="how many protocols a kernel has")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    options = parser.parse_args()
    end = options.seed + options.count
    groups = [range(seed, min(seed + options.together, end)) for seed in range(options.seed, end, options.together)]
    cases = [Case(f"k{seeds[0]}", kernel(seeds), "") for seeds in groups]
    places = options.places.split(",")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runner = Runner(options.kiln, options.units, folder)
        for seeds, case, problems in zip(
            groups, cases, pool.map(lambda one: runner.check(one, places), cases), strict=True
        ):
            for problem, _ in problems:
                wrong += 1
                print(f"--seed {seeds[0]} --count {len(seeds)}: {problem}")
            for file in pathlib.Path(folder).glob(f"{case.name}.*"):
                file.unlink()
    print(f"{options.count} protocols in {len(cases)} kernels at {len(places)} places")
    print(f"{len(cases) * len(places) - wrong} passed, {wrong} failed, 0 skipped")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
