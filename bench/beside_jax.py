#!/usr/bin/env python3
"""bench/beside_jax.py [--write FILE] [--only PART]: Pallas kernels on Kiln's host executor, beside JAX on the same CPU.

  calls    the same kernels under JAX's `interpret=True`, over growing grids: a call, and the first call
  xla      the same functions written in plain jnp, as XLA compiles them for the CPU

Both sides run turn by turn in short rounds, so that all meet the same noise: a ratio is that of the best rounds, and
beside it stands that of the medians. Results are checked before they count. It needs JAX and the Python package
(`pip install ./python 'jax==0.11.1'`). `--write bench/RESULTS.md` replaces this script's part of that file.
"""
import functools
import statistics
import sys
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from compare import Report, arguments_of, normal
from jax.experimental import pallas as pl

import kiln.pallas as kp

GRIDS = (1, 4, 32, 512, 4096)
XLA_FLOOR = 0.7
TITLE = "# Beside JAX"


# ---- timing ----


def call_ms(call, seconds=0.02, most=2000):
    """Milliseconds a call takes, over as many as fit into the time."""
    count, start = 0, time.perf_counter()
    while True:
        result = call()
        count += 1
        if count == most or time.perf_counter() - start > seconds:
            break
    jax.block_until_ready(result)
    return (time.perf_counter() - start) * 1e3 / count


class Duel(NamedTuple):
    """Times of the other and of Kiln, round by round."""

    other: list[float]
    kiln: list[float]

    @property
    def ratio(self):
        return min(self.other) / min(self.kiln)

    @property
    def median_ratio(self):
        return statistics.median(self.other) / statistics.median(self.kiln)


def duel(other, kiln, seconds=2.0, least=3):
    """Both turn by turn, for so long; they have been compiled, and `kiln` in an interpreter block."""
    rounds, start = Duel([], []), time.perf_counter()
    while len(rounds.kiln) < least or time.perf_counter() - start < seconds:
        rounds.other.append(call_ms(other))
        with kp.interpreter():
            rounds.kiln.append(call_ms(kiln))
        if rounds.other[-1] > seconds * 1e3:
            break
    return rounds


# ---- small blocks, under JAX's interpreter ----


def add(x_ref, o_ref, *, factor):
    o_ref[...] = x_ref[...] + factor * x_ref[...]


def row_softmax(x_ref, o_ref, *, factor):
    e = jnp.exp(factor * (x_ref[...] - x_ref[...].max(axis=1, keepdims=True)))
    o_ref[...] = e / e.sum(axis=1, keepdims=True)


def power(x_ref, o_ref, *, factor):
    o_ref[...] = jax.lax.fori_loop(0, 8, lambda _, y: y * x_ref[...] * factor, x_ref[...])


SMALL = {"add, 2 x 128": (add, (2, 128)), "softmax, 8 x 128": (row_softmax, (8, 128)), "loop of 8, 2 x 128": (power, (2, 128))}


def small_call(kernel, block, steps, factor):
    """A jitted call of the kernel over so many blocks. Each factor makes another program."""
    spec = pl.BlockSpec(block, lambda i: (i, 0))
    shape = jax.ShapeDtypeStruct((steps * block[0], block[1]), jnp.float32)
    return jax.jit(pl.pallas_call(functools.partial(kernel, factor=factor), shape, grid=(steps,), in_specs=[spec],
                                  out_specs=spec, interpret=True))


def first_ms(make, x):
    """A call from tracing to the result."""
    start = time.perf_counter()
    jax.block_until_ready(make(x))
    return (time.perf_counter() - start) * 1e3


def first_calls(kernel, block, steps, x, rounds=3):
    """First calls of programs that nobody saw before."""
    times = Duel([], [])
    for turn in range(rounds if steps <= 512 else 1):
        factor = 1 + (turn + 1) / 64
        times.other.append(first_ms(small_call(kernel, block, steps, factor), x))
        with kp.interpreter():
            times.kiln.append(first_ms(small_call(kernel, block, steps, factor), x))
    return times


def small_row(report, name, steps):
    kernel, block = SMALL[name]
    x = jnp.asarray(normal(steps * block[0], block[1]))
    first = first_calls(kernel, block, steps, x)
    other, kiln = (small_call(kernel, block, steps, 1.0) for _ in range(2))
    expected = other(x)
    with kp.interpreter() as run:
        found = jax.block_until_ready(kiln(x))
    right = bool(run.kernels) and np.allclose(expected, found, rtol=1e-5)
    times = duel(lambda: other(x), lambda: kiln(x))
    # What JAX needs to start any program, some 3 us, is part of both: ten times its speed is for grids that outweigh it.
    floor = 10 if steps > 32 else 1
    label = f"{name}, {steps} steps"
    report.row(name, steps, min(times.other) * 1e3, min(times.kiln) * 1e3, "yes" if right else "NO",
               report.ratio("calls", label, times.ratio, floor), f"{times.median_ratio:.2f}", f"{min(first.other):.0f}",
               f"{min(first.kiln):.0f}", report.ratio("first calls", label, first.ratio, 1))


def small_table(report):
    report.add("## Small blocks, beside `interpret=True`\n")
    report.table("kernel, block", "steps", "JAX, us", "Kiln, us", "right", "JAX / Kiln", "of medians", "first call: JAX, ms",
                 "Kiln, ms", "JAX / Kiln")
    for name in SMALL:
        for steps in GRIDS:
            small_row(report, name, steps)


# ---- the same functions in plain jnp ----


def rows_call(kernel, rows=128, columns=1024, out_columns=1024, extra=0):
    """A call of a kernel over blocks of whole rows, with so many more inputs of one row."""

    def call(x, *rest):
        block = pl.BlockSpec((rows, columns), lambda i: (i, 0))
        row = pl.BlockSpec((1, columns), lambda i: (0, 0))
        out = pl.BlockSpec((rows, out_columns), lambda i: (i, 0))
        shape = jax.ShapeDtypeStruct((x.shape[0], out_columns), x.dtype)
        return pl.pallas_call(kernel, shape, grid=(x.shape[0] // rows,), in_specs=[block] + [row] * extra,
                              out_specs=out)(x, *rest)

    return call


def softmax_rows(x):
    e = jnp.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def layernorm_rows(x, scale, shift):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred * jax.lax.rsqrt((centred * centred).mean(axis=1, keepdims=True) + 1e-5) * scale + shift


def rmsnorm_rows(x, scale):
    return x * jax.lax.rsqrt((x * x).mean(axis=1, keepdims=True) + 1e-5) * scale


def sum_rows(x):
    return x.sum(axis=1, keepdims=True)


def on_refs(fun):
    """The kernel that is a function of whole blocks."""

    def kernel(*refs):
        refs[-1][...] = fun(*(ref[...] for ref in refs[:-1]))

    return kernel


def matmul_call(block, x, y):
    """Whole rows by whole columns: one product for a block of the result."""
    (m, k), n = x.shape, y.shape[1]
    specs = [pl.BlockSpec((block, k), lambda i, j: (i, 0)), pl.BlockSpec((k, block), lambda i, j: (0, j))]
    return pl.pallas_call(on_refs(jnp.dot), jax.ShapeDtypeStruct((m, n), x.dtype), grid=(m // block, n // block),
                          in_specs=specs, out_specs=pl.BlockSpec((block, block), lambda i, j: (i, j)))(x, y)


def accumulate(x_ref, y_ref, o_ref):
    @pl.when(pl.program_id(2) == 0)
    def _():
        o_ref[...] = jnp.zeros_like(o_ref)

    o_ref[...] += x_ref[...] @ y_ref[...]


def matmul_steps_call(block, x, y):
    """The sum over k as an axis of the grid, in the block of the result."""
    (m, k), n = x.shape, y.shape[1]
    specs = [pl.BlockSpec((block, block), lambda i, j, k: (i, k)), pl.BlockSpec((block, block), lambda i, j, k: (k, j))]
    return pl.pallas_call(accumulate, jax.ShapeDtypeStruct((m, n), x.dtype), grid=(m // block, n // block, k // block),
                          in_specs=specs, out_specs=pl.BlockSpec((block, block), lambda i, j, k: (i, j)))(x, y)


def attend(q, k, v):
    return softmax_rows(q @ k.T * 0.125) @ v


def attend_in_parts(q_ref, k_ref, v_ref, o_ref, *, part=128):
    """Flash attention: rows of k and v part by part, under a running maximum."""
    q = q_ref[...] * 0.125

    def body(i, carried):
        peak, total, sums = carried
        s = q @ k_ref[pl.ds(i * part, part), :].T
        higher = jnp.maximum(peak, s.max(axis=1, keepdims=True))
        e, fade = jnp.exp(s - higher), jnp.exp(peak - higher)
        return higher, total * fade + e.sum(axis=1, keepdims=True), sums * fade + e @ v_ref[pl.ds(i * part, part), :]

    rows = q.shape[0]
    start = jnp.full((rows, 1), -jnp.inf), jnp.zeros((rows, 1)), jnp.zeros(q.shape)
    _, total, sums = jax.lax.fori_loop(0, k_ref.shape[0] // part, body, start)
    o_ref[...] = sums / total


def attention_call(kernel, q, k, v, rows=128):
    heads, length, depth = q.shape
    some = pl.BlockSpec((None, rows, depth), lambda h, i: (h, i, 0))
    whole = pl.BlockSpec((None, length, depth), lambda h, i: (h, 0, 0))
    return pl.pallas_call(kernel, jax.ShapeDtypeStruct(q.shape, q.dtype), grid=(heads, length // rows),
                          in_specs=[some, whole, whole], out_specs=some)(q, k, v)


def attention(q, k, v):
    return jnp.einsum("hqk,hkd->hqd", softmax_rows(jnp.einsum("hqd,hkd->hqk", q, k) * 0.125), v)


def xla_cases():
    """{name: (plain function, Pallas call, arguments)}"""
    x, scale, shift = normal(4096, 1024), normal(1, 1024), normal(1, 1024)
    a, b = normal(1024, 1024), normal(1024, 1024)
    heads = [normal(8, 1024, 64) for _ in range(3)]
    cases = {
        "softmax 4096 x 1024": (softmax_rows, rows_call(on_refs(softmax_rows)), (x,)),
        "layernorm 4096 x 1024": (layernorm_rows, rows_call(on_refs(layernorm_rows), extra=2), (x, scale, shift)),
        "rmsnorm 4096 x 1024": (rmsnorm_rows, rows_call(on_refs(rmsnorm_rows), extra=1), (x, scale)),
        "row sums 4096 x 1024": (sum_rows, rows_call(on_refs(sum_rows), out_columns=1), (x,)),
        "attention 8 x 1024 x 64": (attention, functools.partial(attention_call, on_refs(attend)), heads),
        "flash attention 8 x 1024 x 64": (attention, functools.partial(attention_call, attend_in_parts), heads),
    }
    for block in (128, 256):
        cases[f"matmul 1024^3, blocks {block} x {block}"] = (jnp.dot, functools.partial(matmul_call, block), (a, b))
        cases[f"matmul 1024^3, blocks {block}^3"] = (jnp.dot, functools.partial(matmul_steps_call, block), (a, b))
    return cases


def xla_row(report, name, plain, pallas, arguments):
    arguments = [jnp.asarray(x) for x in arguments]
    plain, pallas = jax.jit(plain), jax.jit(pallas)
    expected = plain(*arguments)
    with kp.interpreter() as run:
        found = jax.block_until_ready(pallas(*arguments))
    right = bool(run.kernels) and np.allclose(expected, found, rtol=1e-4, atol=1e-4)
    times = duel(lambda: jax.block_until_ready(plain(*arguments)), lambda: jax.block_until_ready(pallas(*arguments)))
    report.row(name, min(times.other), min(times.kiln), "yes" if right else "NO",
               report.ratio("the host", name, times.ratio, XLA_FLOOR), f"{times.median_ratio:.2f}")


def xla_table(report):
    report.add("## The same functions in plain jnp, beside XLA's CPU code\n")
    report.table("function", "XLA, ms", "Kiln, ms", "right", "XLA / Kiln", "of medians")
    for name, case in xla_cases().items():
        xla_row(report, name, *case)


TABLES = {"calls": small_table, "xla": xla_table}


def main():
    options = arguments_of(__doc__, TABLES).parse_args()
    report = Report()
    report.begin(TITLE, f"JAX {jax.__version__}")
    report.add("Best of many short rounds, turn by turn; a ratio above 1 means that Kiln is faster.\n")
    report.add_parts(TABLES, options.only)
    return report.finish(options.write)


if __name__ == "__main__":
    sys.exit(main())
