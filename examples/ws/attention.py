"""Attention by three threads with roles: one loads keys and values, one makes scores, one weighs the values with them.

python examples/ws/attention.py [host | vulkan | vulkan:NAME]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln.pallas as kp

SIDE, WIDTH, DEPTH = 64, 64, 2
TILED = (plgpu.TilingTransform((8, 64)), plgpu.SwizzleTransform(128))


def attend(
    q,
    k,
    v,
    o,
    queries,
    keys,
    values,
    scores,
    loaded,
    keys_full,
    values_full,
    scores_full,
    keys_empty,
    values_empty,
    scores_empty,
):
    """One block has SIDE queries; every step brings SIDE keys and values."""
    i, thread, steps = jax.lax.axis_index("i"), jax.lax.axis_index("t"), k.shape[0] // SIDE
    rows = pl.ds(i * SIDE, SIDE)

    def after(n, barrier):
        pl.when(n >= DEPTH)(lambda: plgpu.barrier_wait(barrier.at[n % DEPTH]))

    @pl.when(thread == 0)
    def _():
        plgpu.copy_gmem_to_smem(q.at[rows], queries, loaded)

        def load(n, _):
            slot, some = n % DEPTH, pl.ds(n * SIDE, SIDE)
            after(n, keys_empty)
            plgpu.copy_gmem_to_smem(k.at[some], keys.at[slot], keys_full.at[slot])
            after(n, values_empty)
            plgpu.copy_gmem_to_smem(v.at[some], values.at[slot], values_full.at[slot])

        jax.lax.fori_loop(0, steps, load, None)

    @pl.when(thread == 1)
    def _():
        plgpu.barrier_wait(loaded)

        def multiply(n, _):
            slot = n % DEPTH
            plgpu.barrier_wait(keys_full.at[slot])

            def dot(acc):
                plgpu.wgmma(acc, queries, plgpu.transpose_ref(keys.at[slot], (1, 0)))
                return acc[...]

            score = pl.run_scoped(dot, plgpu.ACC((SIDE, SIDE), jnp.float32))
            plgpu.barrier_arrive(keys_empty.at[slot])
            after(n, scores_empty)
            scores[slot] = score
            plgpu.barrier_arrive(scores_full.at[slot])

        jax.lax.fori_loop(0, steps, multiply, None)

    @pl.when(thread == 2)
    def _():
        def weigh(n, carry):
            most, total, sums = carry
            slot = n % DEPTH
            plgpu.barrier_wait(scores_full.at[slot])
            score = plgpu.load(scores.at[slot], layout=plgpu.Layout.WGMMA)
            plgpu.barrier_arrive(scores_empty.at[slot])
            now = jnp.maximum(most, score.max(axis=1))
            weights, fade = jnp.exp(score - now[:, None]), jnp.exp(most - now)
            plgpu.barrier_wait(values_full.at[slot])

            def dot(acc):
                plgpu.wgmma(acc, weights.astype(jnp.float16), values.at[slot])

            sums = pl.run_state(dot)(plgpu.ACC.init(sums * fade[:, None]))
            plgpu.barrier_arrive(values_empty.at[slot])
            return now, total * fade + weights.sum(axis=1), sums

        row = plgpu.Layout.WGMMA.reduce(1)
        most = plgpu.layout_cast(jnp.full((SIDE,), -1e30, jnp.float32), row)
        total = plgpu.layout_cast(jnp.zeros((SIDE,), jnp.float32), row)
        sums = plgpu.layout_cast(jnp.zeros((SIDE, WIDTH), jnp.float32), plgpu.Layout.WGMMA)
        _, total, sums = jax.lax.fori_loop(0, steps, weigh, (most, total, sums))
        o[rows] = sums / total[:, None]


def attention(q, k, v):
    """softmax(q @ k.T) @ v in f32."""
    half, ring = jnp.float16, plgpu.Barrier(num_barriers=DEPTH)
    scratch = [
        plgpu.SMEM((SIDE, WIDTH), half, transforms=TILED),
        plgpu.SMEM((DEPTH, SIDE, WIDTH), half, transforms=TILED),
        plgpu.SMEM((DEPTH, SIDE, WIDTH), half, transforms=TILED),
        plgpu.SMEM((DEPTH, SIDE, SIDE), jnp.float32),
        plgpu.Barrier(),
        *[ring] * 6,
    ]
    out = jax.ShapeDtypeStruct(q.shape, jnp.float32)
    options = {"grid": (q.shape[0] // SIDE,), "grid_names": ("i",), "num_threads": 3, "thread_name": "t"}
    return plgpu.kernel(attend, out_type=out, scratch_types=scratch, **options)(q, k, v)


on = sys.argv[1] if len(sys.argv) > 1 else "host"
q, k, v = (jax.random.normal(jax.random.key(n), (256, WIDTH), jnp.float16) / 4 for n in range(3))
wide = [each.astype(jnp.float32) for each in (q, k, v)]
expected = jax.nn.softmax(wide[0] @ wide[1].T, axis=1) @ wide[2]
np.testing.assert_allclose(kp.run(attention, q, k, v, on=on), expected, rtol=2e-2, atol=2e-3)
print(f"on {on}: {q.shape[0]} queries by threads that load, multiply and weigh")
