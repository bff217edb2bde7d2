#!/usr/bin/env python3
"""bench/export.py [--build DIR] [EQUATIONS]...: how long a Pallas kernel takes from its jaxpr to a text, and from there to
be ready on the host and to validated SPIR-V. Prints rows of a Markdown table, in milliseconds of CPU time.

The kernel is generated: blocks of 8 x 32 f32, and per ten equations a row maximum, an exponential, a selection and a row
of weights. The Python that runs this must have kiln and jax.
"""
import argparse
import pathlib
import subprocess
import tempfile
import time

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from kiln.pallas.exporter import export_call

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOALS = "| goal at 500 | | 50 | | 5 | | 20 |"


def body(rounds):
    def kernel(x_ref, w_ref, o_ref):
        x, w = x_ref[...], w_ref[...]
        for k in range(rounds):
            e = jnp.exp(x - jnp.max(x, axis=1, keepdims=True))
            x = e * (1 / (k + 2)) + w[k % 8:k % 8 + 1, :] * 0.5
            x = jnp.where(x > 0.5, x, -x)
        o_ref[...] = x

    return kernel


def call_of(equations):
    """The parameters of a Pallas call whose kernel has about so many equations."""
    rows, whole = pl.BlockSpec((8, 32), lambda i: (i, 0)), pl.BlockSpec((8, 32), lambda i: (0, 0))
    out = jax.ShapeDtypeStruct((32, 32), jnp.float32)
    call = pl.pallas_call(body(round(equations / 11)), out, grid=(4,), in_specs=[rows, whole], out_specs=rows)
    return jax.make_jaxpr(call)(jnp.ones((32, 32)), jnp.ones((8, 32))).eqns[-1].params


def best(run, times):
    """The least CPU milliseconds of some runs, and what the last gave."""
    least = float("inf")
    for _ in range(times):
        start = time.process_time()
        result = run()
        least = min(least, (time.process_time() - start) * 1e3)
    return least, result


def row(build, folder, equations):
    """One line of the table."""
    params = call_of(equations)
    ms, exported = best(lambda: export_call(**params), 3)
    path = pathlib.Path(folder) / f"{equations}.kiln"
    path.write_text(exported.text)
    command = [build / "bench" / "kiln_stages", path]
    stages = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split(",")[1:]
    lines, *rest = (f"{float(value):.3g}" for value in stages)
    return f"| {len(params['jaxpr'].eqns)} | {stages[0]} | {ms:.3g} | {' | '.join(rest)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("equations", type=int, nargs="*", default=[500, 5000])
    options = parser.parse_args()
    print("| equations | lines | export | parse | text to ready on the host | text to SPIR-V | and validated |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for equations in options.equations:
            print(row(options.build, folder, equations), flush=True)
    print(GOALS)


if __name__ == "__main__":
    main()
