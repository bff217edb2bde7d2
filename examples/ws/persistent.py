"""A persistent matrix product: two blocks walk over all tiles of the result, and their ring of buffers goes on from
tile to tile, so that the next tile is loaded while the last one is still multiplied.

    python examples/ws/persistent.py [host | vulkan | vulkan:NAME]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln.pallas as kp

BLOCKS, SIDE, STEP, DEPTH = 2, 64, 64, 2
TILED = (plgpu.TilingTransform((8, 64)), plgpu.SwizzleTransform(128))


def product(a, b, c, left, right, full, empty):
    """Tiles g, g + 2, .. of c: thread 0 loads, thread 1 multiplies."""
    g, thread = jax.lax.axis_index("g"), jax.lax.axis_index("t")
    across, steps = b.shape[1] // SIDE, a.shape[1] // STEP
    tiles = a.shape[0] // SIDE * across // BLOCKS

    def place(n):
        tile = n * BLOCKS + g
        return pl.ds(tile // across * SIDE, SIDE), pl.ds(tile % across * SIDE, SIDE)

    @pl.when(thread == 0)
    def _():
        def load(step, _):
            rows, columns = place(step // steps)
            k, slot = pl.ds(step % steps * STEP, STEP), step % DEPTH
            pl.when(step >= DEPTH)(lambda: plgpu.barrier_wait(empty.at[slot]))
            plgpu.copy_gmem_to_smem(a.at[rows, k], left.at[slot], full.at[slot])
            plgpu.copy_gmem_to_smem(b.at[k, columns], right.at[slot], full.at[slot])

        jax.lax.fori_loop(0, tiles * steps, load, None)

    @pl.when(thread == 1)
    def _():
        def tile(n, _):
            def multiply(k, acc):
                slot = (n * steps + k) % DEPTH
                plgpu.barrier_wait(full.at[slot])
                acc = pl.run_state(lambda ref: plgpu.wgmma(ref, left.at[slot], right.at[slot]))(plgpu.ACC.init(acc))
                plgpu.barrier_arrive(empty.at[slot])
                return acc

            c[place(n)] = jax.lax.fori_loop(0, steps, multiply, jnp.zeros((SIDE, SIDE), jnp.float32))

        jax.lax.fori_loop(0, tiles, tile, None)


def matmul(a, b):
    """a @ b in f32."""
    buffers = [plgpu.SMEM((DEPTH, SIDE, STEP), a.dtype, transforms=TILED) for _ in "ab"]
    full, empty = plgpu.Barrier(num_arrivals=2, num_barriers=DEPTH), plgpu.Barrier(num_barriers=DEPTH)
    out = jax.ShapeDtypeStruct((a.shape[0], b.shape[1]), jnp.float32)
    options = {"grid": (BLOCKS,), "grid_names": ("g",), "num_threads": 2, "thread_name": "t"}
    return plgpu.kernel(product, out_type=out, scratch_types=[*buffers, full, empty], **options)(a, b)


on = sys.argv[1] if len(sys.argv) > 1 else "host"
a, b = (jax.random.normal(jax.random.key(n), shape, jnp.float16) for n, shape in enumerate([(256, 128), (128, 192)]))
expected = a.astype(jnp.float32) @ b.astype(jnp.float32)
np.testing.assert_allclose(kp.run(matmul, a, b, on=on), expected, rtol=1e-4, atol=1e-3)
print(f"on {on}: {4 * 3} tiles by {BLOCKS} blocks")
