"""Kernels for bench/gpu_machine.py: what warp-specialised code is made of, each in any size.

A case is made for a size and JAX's interpreter parameters; it has a function, its arrays, and what that must give.
"""
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln

F16, F32, I32 = jnp.float16, jnp.float32, jnp.int32


class Case(NamedTuple):
    """A kernel, its arguments, and its result as numpy has it."""

    call: Callable[..., Any]
    arrays: tuple[Any, ...]
    expected: Any


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32).astype(dtype)


def array(*shape, dtype=F32):
    return jax.ShapeDtypeStruct(shape, dtype)


def made(body, out, arrays, expected, **options):
    return Case(jax.jit(plgpu.kernel(body, out_type=out, **options)), tuple(map(jnp.asarray, arrays)), expected)


# ---- copies ----


def copies(blocks, mode):
    """y = 2 x + 1, a block of rows at a time: in by a copy, out by a copy."""
    rows, columns = 64, 128

    def body(x, y, x_smem, y_smem, loaded):
        mine = pl.ds(jax.lax.axis_index("i") * rows, rows)
        plgpu.copy_gmem_to_smem(x.at[mine], x_smem, loaded)
        plgpu.barrier_wait(loaded)
        y_smem[...] = x_smem[...] * 2 + 1
        plgpu.commit_smem()
        plgpu.copy_smem_to_gmem(y_smem, y.at[mine])
        plgpu.wait_smem_to_gmem(0)

    x = normal(blocks * rows, columns)
    scratch = [plgpu.SMEM((rows, columns), F32), plgpu.SMEM((rows, columns), F32), plgpu.Barrier()]
    return made(body, array(*x.shape), [x], x * 2 + 1, grid=(blocks,), grid_names=("i",), scratch_types=scratch, interpret=mode)


# ---- a producer and a consumer ----


def fill_ring(steps, slots, empty, fill):
    """A producer's loop: the slot of a step is filled when it is empty. JAX wants the last phases to be seen, too."""

    def step(k, _):
        slot = jax.lax.rem(k, slots)
        pl.when(k >= slots)(lambda: plgpu.barrier_wait(empty.at[slot]))
        fill(k, slot)

    jax.lax.fori_loop(0, steps, step, None)
    for k in range(max(steps - slots, 0), steps):
        plgpu.barrier_wait(empty.at[k % slots])


def empty_ring(steps, slots, full, use):
    """A consumer's loop."""

    def step(k, _):
        slot = jax.lax.rem(k, slots)
        plgpu.barrier_wait(full.at[slot])
        use(k, slot)

    jax.lax.fori_loop(0, steps, step, None)


def ring(items, mode, slots=4, width=128, blocks=1):
    """One thread fills slots of a ring, another empties them."""

    def body(x, y, queue, full, empty):
        first = jax.lax.axis_index("i") * items

        def fill(i, slot):
            queue[slot] = x[first + i] * 2
            plgpu.barrier_arrive(full.at[slot])

        def use(i, slot):
            y[first + i] = queue[slot] + 1
            plgpu.barrier_arrive(empty.at[slot])

        thread = jax.lax.axis_index("t")
        pl.when(thread == 0)(lambda: fill_ring(items, slots, empty, fill))
        pl.when(thread == 1)(lambda: empty_ring(items, slots, full, use))

    x = normal(blocks * items, width)
    scratch = [plgpu.SMEM((slots, width), F32), plgpu.Barrier(num_barriers=slots), plgpu.Barrier(num_barriers=slots)]
    return made(body, array(*x.shape), [x], x * 2 + 1, grid=(blocks,), grid_names=("i",), num_threads=2,
                thread_name="t", scratch_types=scratch, interpret=mode)


def ring_of_blocks(blocks, mode):
    return ring(64, mode, blocks=blocks)


# ---- crowds ----

CROWD = """kernel crowd(x: f32[{threads}]) -> (y: f32[{threads}]) {{
  machine gpu
  threads t: {threads}
  scratch s: f32[{threads}]
  scratch met: barrier arrivals {threads}
  s[t] = x[t] * 2.0
  for i in 0 .. {rounds} {{ arrive met wait met }}
  y[t] = s[(t + 1) % {threads}]
}}"""


def crowd(threads, mode, rounds=100):
    """All threads of a block meet again and again, more of them than JAX's blocks have; each reads what its neighbour wrote."""
    x = normal(threads)
    kernel = kiln.parse(CROWD.format(threads=threads, rounds=rounds))["crowd"]
    return Case(functools.partial(kernel, check=mode.detect_races), (x,), np.roll(x * 2, -1))


# ---- products ----

TILED = (plgpu.TilingTransform((8, 64)), plgpu.SwizzleTransform(128))
TILE, DEPTH, SLOTS = 128, 64, 3


def tiles(a, b):
    """Where the operands of step k of this block's product lie."""
    i, j = jax.lax.axis_index("i"), jax.lax.axis_index("j")

    def at(k):
        along = pl.ds(k * DEPTH, DEPTH)
        return a.at[pl.ds(i * TILE, TILE), along], b.at[along, pl.ds(j * TILE, TILE)]

    return at, (pl.ds(i * TILE, TILE), pl.ds(j * TILE, TILE))


def store(value, out, out_smem):
    out_smem[...] = value
    plgpu.commit_smem()
    plgpu.copy_smem_to_gmem(out_smem, out)
    plgpu.wait_smem_to_gmem(0)


def product(body, n, mode, scratch, **options):
    a, b = normal(n, n, dtype=np.float16), normal(n, n, dtype=np.float16)
    scratch = {
        "a_smem": plgpu.SMEM((SLOTS, TILE, DEPTH), F16, transforms=TILED),
        "b_smem": plgpu.SMEM((SLOTS, DEPTH, TILE), F16, transforms=TILED),
        "o_smem": plgpu.SMEM((TILE, TILE), F32),
        **scratch,
    }
    return made(functools.partial(body, n // DEPTH), array(n, n), [a, b], a.astype(np.float32) @ b.astype(np.float32),
                grid=(n // TILE, n // TILE), grid_names=("i", "j"), scratch_types=scratch, interpret=mode, **options)


def load(at, k, slot, a_smem, b_smem, full):
    for from_, to in zip(at(k), (a_smem, b_smem)):
        plgpu.copy_gmem_to_smem(from_, to.at[slot], full.at[slot])


def matmul_ws(n, mode):
    """A thread that loads and one that multiplies, with a ring of buffers."""

    def body(steps, a, b, o, a_smem, b_smem, o_smem, full, empty):
        at, out = tiles(a, b)

        def fill(k, slot):
            load(at, k, slot, a_smem, b_smem, full)

        def consume(acc):
            def multiply(_, slot):
                plgpu.wgmma(acc, a_smem.at[slot], b_smem.at[slot])
                plgpu.wgmma_wait(0)
                plgpu.barrier_arrive(empty.at[slot])

            empty_ring(steps, SLOTS, full, multiply)
            return acc[...]

        thread = jax.lax.axis_index("t")
        pl.when(thread == 0)(lambda: fill_ring(steps, SLOTS, empty, fill))
        pl.when(thread == 1)(lambda: store(pl.run_scoped(consume, plgpu.ACC((TILE, TILE), F32)), o.at[out], o_smem))

    barriers = {"full": plgpu.Barrier(num_arrivals=2, num_barriers=SLOTS), "empty": plgpu.Barrier(num_barriers=SLOTS)}
    return product(body, n, mode, barriers, num_threads=2, thread_name="t")


def matmul(n, mode):
    """The same by one thread, which waits for each copy."""

    def body(steps, a, b, o, a_smem, b_smem, o_smem, full):
        at, out = tiles(a, b)

        def consume(acc):
            def step(k, _):
                load(at, k, 0, a_smem, b_smem, full)
                plgpu.barrier_wait(full.at[0])
                plgpu.wgmma(acc, a_smem.at[0], b_smem.at[0])
                plgpu.wgmma_wait(0)

            jax.lax.fori_loop(0, steps, step, None)
            return acc[...]

        store(pl.run_scoped(consume, plgpu.ACC((TILE, TILE), F32)), o.at[out], o_smem)

    return product(body, n, mode, {"full": plgpu.Barrier(num_arrivals=2, num_barriers=1)})


def matmul_tensor(n, mode):
    """A thread split into warps, of which one loads and one multiplies in tensor memory."""

    def body(steps, a, b, o, a_smem, b_smem, o_smem, acc, full, empty, done):
        at, out = tiles(a, b)

        def fill(k, slot):
            load(at, k, slot, a_smem, b_smem, full)

        def multiply(k, slot):
            plgpu.tcgen05_mma(acc, a_smem.at[slot], b_smem.at[slot], empty.at[slot], accumulate=k > 0)

        @pl.core_map(plgpu.WarpMesh(axis_name="warp"))
        def _():
            warp = jax.lax.axis_index("warp")
            pl.when(warp == 0)(lambda: fill_ring(steps, SLOTS, empty, fill))

            @pl.when(warp == 1)
            def _():
                empty_ring(steps, SLOTS, full, multiply)
                plgpu.tcgen05_commit_arrive(done)

        plgpu.barrier_wait(done)
        store(plgpu.async_load_tmem(acc), o.at[out], o_smem)

    scratch = {
        "acc": plgpu.TMEM((TILE, TILE), F32),
        "full": plgpu.Barrier(num_arrivals=2, num_barriers=SLOTS),
        "empty": plgpu.Barrier(num_barriers=SLOTS, orders_tensor_core=True),
        "done": plgpu.Barrier(orders_tensor_core=True),
    }
    return product(body, n, mode, scratch)


# ---- clusters, semaphores ----


def cluster(rounds, mode, clusters=4, width=128):
    """Blocks of a cluster that read what their neighbours wrote, round by round."""

    def body(x, y, ready):
        block = jax.lax.axis_index("c")
        first = jax.lax.axis_index("i") * 2

        def meet():
            plgpu.barrier_arrive(ready)
            plgpu.barrier_wait(ready)

        def step(_, total):
            y[first + block] = total
            meet()
            total = (total - y[first + 1 - block]) * 0.5
            meet()
            return total

        y[first + block] = jax.lax.fori_loop(0, rounds, step, x[first + block])

    x = normal(clusters * 2, width)
    pairs = x.reshape(clusters, 2, width)
    for _ in range(rounds):
        pairs = (pairs - pairs[:, ::-1]) * np.float32(0.5)
    scratch = [plgpu.ClusterBarrier(collective_axes=("c",))]
    return made(body, array(*x.shape), [x], pairs.reshape(x.shape), grid=(clusters,), grid_names=("i",), cluster=(2,),
                cluster_names=("c",), scratch_types=scratch, interpret=mode)


def cluster_of_blocks(clusters, mode):
    return cluster(16, mode, clusters=clusters)


def semaphores(items, mode, width=128):
    """Two threads that hand one place to and fro by semaphores."""

    def body(x, y, s, full, empty):
        def produce(i, _):
            pl.semaphore_wait(empty)
            s[...] = x[i] * 2
            pl.semaphore_signal(full)

        def consume(i, _):
            pl.semaphore_signal(empty)
            pl.semaphore_wait(full)
            y[i] = s[...] + 1

        thread = jax.lax.axis_index("t")
        pl.when(thread == 0)(lambda: jax.lax.fori_loop(0, items, produce, None))
        pl.when(thread == 1)(lambda: jax.lax.fori_loop(0, items, consume, None))

    x = normal(items, width)
    scratch = [plgpu.SMEM((width,), F32), plgpu.SemaphoreType.REGULAR, plgpu.SemaphoreType.REGULAR]
    return made(body, array(items, width), [x], x * 2 + 1, num_threads=2, thread_name="t", scratch_types=scratch, interpret=mode)
