#!/usr/bin/env python3
"""Records how XLA lays arrays out on TPUs, with no TPU at hand: libtpu compiles small functions for a topology.

  record_layouts.py --out tests/table/recorded_layouts.tsv [--topologies v5e:2x2,..]

needs a Python with JAX and the libtpu that JAX asks for (`pip install jax[tpu]`). Rows, separated by tabs: the
versions, the topology, an array with its layout, and then either the bytes that XLA gives the array, or moves of its
elements and the array that they make, where XLA does them by a `bitcast`: both arrays are the same bytes.
"""

import argparse
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

Moves = Sequence[tuple[str, Sequence[int]]]

TOPOLOGIES = "v4:2x2x1,v5e:2x2,v6e:2x2"
DTYPES = ["float32", "bfloat16", "int8", "int4", "float8_e4m3fn", "bool", "uint16", "int32"]
SIZES, TRIES = 8, 200
CUT, PLAIN = 12, 4  # at most so many bitcasts that cut or join dimensions, and others
EXTENTS = [1, 2, 3, 4, 5, 8, 8, 16, 16, 24, 32, 64, 128, 128, 128, 130, 256, 256, 300, 1024]
ARRAY = r"\w+\[[\d,]*\]\{[^}]*\}"


def random_shape(rng: random.Random) -> list[int]:
    """A small array, often of whole tiles."""
    while True:
        shape = [rng.choice(EXTENTS) for _ in range(rng.randint(1, 4))]
        count = 1
        for extent in shape:
            count *= extent
        if 8 <= count <= 1 << 15:
            return shape


def random_split(rng: random.Random, shape: list[int]) -> list[int]:
    """The shape with a dimension cut in two, two joined, or one of size 1 more or less."""
    at = rng.randrange(len(shape))
    cuts = [n for n in (2, 4, 8, 16, 128) if shape[at] % n == 0]
    kind = rng.randrange(4)
    if kind == 0 and cuts:
        cut = rng.choice(cuts)
        return [*shape[:at], shape[at] // cut, cut, *shape[at + 1 :]]
    if kind == 1 and len(shape) > 1:
        at = min(at, len(shape) - 2)
        return [*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]]
    if kind == 2:
        return [*shape[:at], 1, *shape[at:]]
    return [extent for extent in shape if extent > 1] or [1]


def random_moves(rng: random.Random, shape: list[int]) -> Moves:
    """Reshapes and transpositions in turn, as ("reshape", sizes) and ("transpose", axes)."""
    moves = []
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.4 and len(shape) > 1:
            axes = rng.sample(range(len(shape)), len(shape))
            shape = [shape[axis] for axis in axes]
            moves.append(("transpose", axes))
        elif len(shape) < 6:
            shape = random_split(rng, shape)
            moves.append(("reshape", shape))
    return moves


def moved(moves: Moves) -> Callable[[Any], Any]:
    """The function that does them."""

    def function(x: Any) -> Any:
        for name, numbers in moves:
            x = getattr(x, name)(*numbers)
        return x

    return function


def moves_text(moves: Moves) -> str:
    """`reshape(2,8,128) transpose(1,0,2)`."""
    return " ".join(f"{name}({','.join(map(str, numbers))})" for name, numbers in moves)


class Recorder:
    """Compiles for one chip of a topology."""

    def __init__(self, topology: str) -> None:
        os.environ.update(TPU_SKIP_MDS_QUERY="1", TPU_WORKER_HOSTNAMES="localhost", TPU_ACCELERATOR_TYPE="v5litepod-4")
        import importlib.metadata

        import jax
        from jax.experimental import topologies
        from jax.sharding import SingleDeviceSharding

        self.jax = jax
        self.sharding = SingleDeviceSharding(topologies.get_topology_desc(topology, "tpu").devices[0])
        versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("jax", "libtpu"))
        self.beside = f"{versions}\t{topology.split(':')[0]}"

    def compiled(self, function: Callable[[Any], Any], shape: Sequence[int], dtype: str) -> Any:
        """What XLA makes of a function of one array."""
        aval = self.jax.ShapeDtypeStruct(shape, dtype, sharding=self.sharding)
        return self.jax.jit(function).lower(aval).compile()

    def size(self, shape: Sequence[int], dtype: str) -> str:
        """A row of the bytes that an array takes."""
        program = self.compiled(lambda x: x, shape, dtype)
        array = re.search(rf"entry_computation_layout=\{{\(({ARRAY})\)", program.as_text()).group(1)
        return f"{self.beside}\t{array}\tbytes\t{program.memory_analysis().argument_size_in_bytes}"

    def equation(self, shape: Sequence[int], dtype: str, moves: Moves) -> str | None:
        """A row of a bitcast, if all that XLA does is one, and perhaps a copy to the output."""
        text = self.compiled(moved(moves), shape, dtype).as_text()
        entry = text[text.index("ENTRY") :]
        found = re.search(
            rf"(?P<x>%\S+) = (?P<array>{ARRAY}) parameter\(0\)[^\n]*\n"
            rf"[^\n]*?(?P<seen>%\S+) = (?P<same>{ARRAY}) bitcast\((?P=x)\)[^\n]*\n"
            rf"[^\n]*ROOT %\S+ = {ARRAY} copy\((?P=seen)\)",
            entry,
        )
        if not found or "S(" in found["array"] + found["same"] or found["array"] == found["same"]:
            return None
        return f"{self.beside}\t{found['array']}\t{moves_text(moves)}\t{found['same']}"


def cuts(shape: Sequence[int], moves: Moves) -> bool:
    """Whether the moves change more than the order of dimensions and those of size 1."""
    sizes = [shape, *(numbers for name, numbers in moves if name == "reshape")]
    return len({tuple(sorted(n for n in some if n > 1)) for some in sizes}) > 1


def record(topology: str, dtype: str) -> None:
    """Prints the rows of one type; libtpu ends the process at what it cannot compile."""
    rng, recorder, rows = (random.Random(f"{topology} {dtype}"), Recorder(topology), set())
    left = {True: CUT, False: PLAIN}
    for _ in range(SIZES):
        print(recorder.size(random_shape(rng), dtype), flush=True)
    for _ in range(TRIES):
        shape = random_shape(rng)
        moves = random_moves(rng, shape)
        row = recorder.equation(shape, dtype, moves) if left[cuts(shape, moves)] else None
        if row and row not in rows:
            left[cuts(shape, moves)] -= 1
            rows.add(row)
            print(row, flush=True)


def main() -> None:
    """Every type for every topology, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="the file to write")
    parser.add_argument("--topologies", default=TOPOLOGIES)
    parser.add_argument("--one", nargs=2, metavar=("TOPOLOGY", "DTYPE"), help="print the rows of one type")
    chosen = parser.parse_args()
    if chosen.one:
        return record(*chosen.one)
    rows = []
    for topology in chosen.topologies.split(","):
        for dtype in DTYPES:
            command = [sys.executable, __file__, "--one", topology, dtype]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found = sorted(set(done.stdout.splitlines()))
            print(f"{topology} {dtype}: {len(found)} rows, exit {done.returncode}", file=sys.stderr)
            rows += found
    with open(chosen.out, "w") as out:
        out.write("".join(f"{row}\n" for row in rows))


if __name__ == "__main__":
    main()
