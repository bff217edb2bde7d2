"""A warp-specialised matrix product: one thread loads, two multiply, a ring of buffers lies between them.

python examples/ws/matmul.py [host | vulkan | vulkan:NAME]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln.pallas as kp

ROWS, COLUMNS, STEP, DEPTH = 64, 128, 64, 2
TILED = (plgpu.TilingTransform((8, 64)), plgpu.SwizzleTransform(128))


def product(a, b, c, left, right, full, empty):
    """One block of c: two threads have half of its rows each, the third one loads for both."""
    i, j, thread = (jax.lax.axis_index(name) for name in ("i", "j", "t"))
    rows, columns = pl.ds(i * 2 * ROWS, 2 * ROWS), pl.ds(j * COLUMNS, COLUMNS)
    steps = a.shape[1] // STEP

    @pl.when(thread == 2)
    def _():
        def load(k, _):
            slot = jax.lax.rem(k, DEPTH)
            pl.when(k >= DEPTH)(lambda: plgpu.barrier_wait(empty.at[slot]))
            plgpu.copy_gmem_to_smem(a.at[rows, pl.ds(k * STEP, STEP)], left.at[slot], full.at[slot])
            plgpu.copy_gmem_to_smem(b.at[pl.ds(k * STEP, STEP), columns], right.at[slot], full.at[slot])

        jax.lax.fori_loop(0, steps, load, None)

    @pl.when(thread < 2)
    def _():
        half = pl.ds(thread * ROWS, ROWS)

        def multiply(k, acc):
            slot = jax.lax.rem(k, DEPTH)
            plgpu.barrier_wait(full.at[slot])

            def add(ref):
                plgpu.wgmma(ref, left.at[slot, half], right.at[slot])

            acc = pl.run_state(add)(plgpu.ACC.init(acc))
            plgpu.barrier_arrive(empty.at[slot])
            return acc

        zero = jnp.zeros((ROWS, COLUMNS), jnp.float32)
        c[pl.ds((2 * i + thread) * ROWS, ROWS), columns] = jax.lax.fori_loop(0, steps, multiply, zero)


def matmul(a, b):
    """a @ b in f32."""
    (m, k), n = a.shape, b.shape[1]
    scratch = [
        plgpu.SMEM((DEPTH, 2 * ROWS, STEP), a.dtype, transforms=TILED),
        plgpu.SMEM((DEPTH, STEP, COLUMNS), b.dtype, transforms=TILED),
        plgpu.Barrier(num_arrivals=2, num_barriers=DEPTH),
        plgpu.Barrier(num_arrivals=2, num_barriers=DEPTH),
    ]
    return plgpu.kernel(
        product,
        out_type=jax.ShapeDtypeStruct((m, n), jnp.float32),
        scratch_types=scratch,
        grid=(m // (2 * ROWS), n // COLUMNS),
        grid_names=("i", "j"),
        num_threads=3,
        thread_name="t",
    )(a, b)


on = sys.argv[1] if len(sys.argv) > 1 else "host"
a, b = (jax.random.normal(jax.random.key(n), shape, jnp.float16) for n, shape in enumerate([(256, 256), (256, 256)]))
expected = a.astype(jnp.float32) @ b.astype(jnp.float32)
np.testing.assert_allclose(kp.run(matmul, a, b, on=on), expected, rtol=1e-4, atol=1e-3)
print(f"on {on}: {a.shape[0]} x {a.shape[1]} x {b.shape[1]} by threads with roles")
