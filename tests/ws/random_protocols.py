#!/usr/bin/env python3
"""Random kernels whose units hand work on, correct by construction: the phased text gives the crew's bits.

    tests/ws/random_protocols.py build/dev/kiln [--count 2000] [--seed 1] [--places rounds,device] [--jobs 2]

A kernel is a tree of threads. Each edge is a ring of buffers of some depth with a barrier array `full` and one `empty`:
the upper thread fills a slot, the lower one reads it, changes it and hands it on to its own lower threads; the leaves
write the output. How many items go over an edge, how often a thread arrives, and whether trips are read from data are
chosen at random. The seed of a kernel that fails is printed; --seed SEED --count 1 makes it again.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import pathlib
import random
import sys
import tempfile

from ways import Case, Runner


def kernel(seed: int) -> str:
    """The text of one kernel."""
    pick = random.Random(seed)
    threads, items, width = pick.randint(2, 5), pick.randint(1, 6), pick.choice([1, 3, 4, 8])
    above = [0] + [pick.randrange(t) for t in range(1, threads)]
    below = [[t for t in range(1, threads) if above[t] == u] for u in range(threads)]
    leaves = [t for t in range(threads) if not below[t]]
    depth = [pick.randint(1, 3) for _ in range(threads)]
    twice = [pick.random() < 0.3 for _ in range(threads)]
    known = pick.random() < 0.5
    lines = [f"kernel k{seed}(x: f32[{items}, {width}], n: i32[1]) -> (y: f32[{len(leaves)}, {items}, {width}]) {{"]
    lines += ["  machine gpu", f"  threads t: {threads}"]
    lines += [f"  let n0 = {items} + n[0] - n[0]"] if not known else []
    for t in range(1, threads):
        arrivals = " arrivals 2" if twice[t] else ""
        lines += [f"  scratch s{t}: f32[{depth[t]}, {width}]", f"  scratch full{t}: barrier[{depth[t]}]{arrivals}"]
        lines += [f"  scratch empty{t}: barrier[{depth[t]}]"]
    for t in range(threads):
        lines.append(f"  when t == {t} {{ for k in 0 .. {items if known else 'n0'} {{")
        if t == 0:
            lines.append("    let v = x[k, :] + 1.0")
        else:
            lines.append(f"    wait full{t}[k % {depth[t]}]")
            lines.append(f"    let v = s{t}[k % {depth[t]}, :] * {t + 1}.0")
            lines.append(f"    arrive empty{t}[k % {depth[t]}]" if pick.random() < 0.5 or not below[t] else "")
        early = t == 0 or lines[-1] != ""
        for u in below[t]:
            lines.append(f"    when k >= {depth[u]} {{ wait empty{u}[k % {depth[u]}] }}")
            lines.append(f"    s{u}[k % {depth[u]}, :] = v + {u}.0")
            lines += [f"    arrive full{u}[k % {depth[u]}]"] * (1 + twice[u])
        if not early:
            lines.append(f"    arrive empty{t}[k % {depth[t]}]")
        if t in leaves:
            lines.append(f"    y[{leaves.index(t)}, k, :] = v")
        lines.append("  } }")
    return "\n".join(line for line in lines if line) + "\n}\n"


def main() -> None:
    """Every kernel; the last line counts them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kiln", help="the command")
    parser.add_argument("--count", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the next ones have the next numbers")
    parser.add_argument("--places", default="rounds", help="where, with commas between, as ways.py has them")
    parser.add_argument("--units", default="phased", help="how devices run them")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    options = parser.parse_args()
    cases = [Case(f"k{seed}", kernel(seed), "") for seed in range(options.seed, options.seed + options.count)]
    places = options.places.split(",")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runner = Runner(options.kiln, options.units, folder)
        for case, problems in zip(cases, pool.map(lambda one: runner.check(one, places), cases), strict=True):
            for problem, _ in problems:
                wrong += 1
                print(f"seed {case.name[1:]}: {problem}")
            for file in pathlib.Path(folder).glob(f"{case.name}.*"):
                file.unlink()
    print(f"{len(cases) * len(places) - wrong} passed, {wrong} failed, 0 skipped")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
