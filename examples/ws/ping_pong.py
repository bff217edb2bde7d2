"""Attention by two threads that take turns: while one multiplies, the other one takes exponentials.

python examples/ws/ping_pong.py [host | vulkan | vulkan:NAME]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln.pallas as kp

SIDE, WIDTH = 64, 64
TILED = (plgpu.TilingTransform((8, 64)), plgpu.SwizzleTransform(128))


def attend(q, k, v, o, queries, keys, values, loaded, turn):
    """Each thread has SIDE queries of its own; all keys and values lie in shared memory."""
    i, thread, steps = jax.lax.axis_index("i"), jax.lax.axis_index("t"), k.shape[0] // SIDE
    rows = pl.ds((2 * i + thread) * SIDE, SIDE)

    @pl.when(thread == 0)
    def _():
        plgpu.copy_gmem_to_smem(k, keys, loaded)
        plgpu.copy_gmem_to_smem(v, values, loaded)
        plgpu.copy_gmem_to_smem(q.at[pl.ds(2 * i * SIDE, 2 * SIDE)], queries, loaded)
        plgpu.barrier_arrive(turn.at[0])

    plgpu.barrier_wait(loaded)

    def step(n, carry):
        most, total, sums = carry
        some = pl.ds(n * SIDE, SIDE)

        def score_of(acc):
            plgpu.wgmma(acc, queries.at[pl.ds(thread * SIDE, SIDE)], plgpu.transpose_ref(keys.at[some], (1, 0)))
            return acc[...]

        plgpu.barrier_wait(turn.at[thread])
        score = pl.run_scoped(score_of, plgpu.ACC((SIDE, SIDE), jnp.float32))
        pl.when((thread == 0) | (n < steps - 1))(lambda: plgpu.barrier_arrive(turn.at[1 - thread]))
        now = jnp.maximum(most, score.max(axis=1))
        weights, fade = jnp.exp(score - now[:, None]), jnp.exp(most - now)

        def weigh(acc):
            plgpu.wgmma(acc, weights.astype(jnp.float16), values.at[some])

        sums = pl.run_state(weigh)(plgpu.ACC.init(sums * fade[:, None]))
        return now, total * fade + weights.sum(axis=1), sums

    row = plgpu.Layout.WGMMA.reduce(1)
    most = plgpu.layout_cast(jnp.full((SIDE,), -1e30, jnp.float32), row)
    total = plgpu.layout_cast(jnp.zeros((SIDE,), jnp.float32), row)
    sums = plgpu.layout_cast(jnp.zeros((SIDE, WIDTH), jnp.float32), plgpu.Layout.WGMMA)
    _, total, sums = jax.lax.fori_loop(0, steps, step, (most, total, sums))
    o[rows] = sums / total[:, None]


def attention(q, k, v):
    """softmax(q @ k.T) @ v in f32."""
    scratch = [
        plgpu.SMEM((2 * SIDE, WIDTH), q.dtype, transforms=TILED),
        plgpu.SMEM(k.shape, k.dtype, transforms=TILED),
        plgpu.SMEM(v.shape, v.dtype, transforms=TILED),
        plgpu.Barrier(num_arrivals=3),
        plgpu.Barrier(num_barriers=2),
    ]
    out = jax.ShapeDtypeStruct(q.shape, jnp.float32)
    options = {"grid": (q.shape[0] // (2 * SIDE),), "grid_names": ("i",), "num_threads": 2, "thread_name": "t"}
    return plgpu.kernel(attend, out_type=out, scratch_types=scratch, **options)(q, k, v)


on = sys.argv[1] if len(sys.argv) > 1 else "host"
q, k, v = (jax.random.normal(jax.random.key(n), (256, WIDTH), jnp.float16) / 4 for n in range(3))
wide = [each.astype(jnp.float32) for each in (q, k, v)]
expected = jax.nn.softmax(wide[0] @ wide[1].T, axis=1) @ wide[2]
np.testing.assert_allclose(kp.run(attention, q, k, v, on=on), expected, rtol=2e-2, atol=2e-3)
print(f"on {on}: {q.shape[0]} queries by threads that take turns")
