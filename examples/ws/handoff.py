"""Threads that hand rows on, one barrier for each element: a Pallas kernel for GPUs that no GPU is needed for.

python examples/ws/handoff.py [host | vulkan | vulkan:NAME]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln.pallas as kp

ROWS, COLUMNS, WIDTH = 3, 4, 128


def hand_on(x, y, buffer, full):
    """The first thread fills the elements of a table, the second one takes them in the same order."""
    thread = jax.lax.axis_index("t")

    def fill(n, _):
        i, j = n // COLUMNS, n % COLUMNS
        buffer[i, j] = x[i, j] + 1
        plgpu.barrier_arrive(full.at[i, j])

    def take(n, _):
        i, j = n // COLUMNS, n % COLUMNS
        plgpu.barrier_wait(full.at[i, j])
        y[i, j] = buffer[i, j] * 2

    def first():
        jax.lax.fori_loop(0, ROWS * COLUMNS, fill, None)

    def second():
        jax.lax.fori_loop(0, ROWS * COLUMNS, take, None)

    jax.lax.cond(thread == 0, first, second)


def pairs(x):
    """(x + 1) * 2, by two threads."""
    return plgpu.kernel(
        hand_on,
        out_type=jax.ShapeDtypeStruct(x.shape, x.dtype),
        scratch_types=[plgpu.SMEM(x.shape, x.dtype), plgpu.Barrier(num_barriers=(ROWS, COLUMNS))],
        num_threads=2,
        thread_name="t",
    )(x)


on = sys.argv[1] if len(sys.argv) > 1 else "host"
x = jax.random.normal(jax.random.key(0), (ROWS, COLUMNS, WIDTH), jnp.float32)
np.testing.assert_array_equal(kp.run(pairs, x, on=on), (x + 1) * 2)
print(f"on {on}: {ROWS * COLUMNS} rows handed on")
