"""Attention in blocks with a running softmax: scratch that lives over grid steps, masks, and a gradient.

    python examples/jax/flash_attention.py [host | vulkan | vulkan:NAME]
"""

import functools
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

import kiln.pallas as kp

ROWS = COLUMNS = 32


def attention_kernel(q_ref, k_ref, v_ref, o_ref, sum_ref, max_ref, *, steps):
    """One block of queries against one block of keys; the last grid axis goes over the keys."""
    step = pl.program_id(2)

    @pl.when(step == 0)
    def _():
        o_ref[...] = jnp.zeros_like(o_ref)
        sum_ref[...] = jnp.zeros_like(sum_ref)
        max_ref[...] = jnp.full_like(max_ref, -1e30)

    scores = jnp.dot(q_ref[0], k_ref[0].T) / math.sqrt(q_ref.shape[-1])
    row = pl.program_id(1) * ROWS + jax.lax.broadcasted_iota(jnp.int32, scores.shape, 0)
    column = step * COLUMNS + jax.lax.broadcasted_iota(jnp.int32, scores.shape, 1)
    scores = jnp.where(column <= row, scores, -1e30)
    largest = jnp.maximum(max_ref[...], scores.max(axis=1, keepdims=True))
    weights, shrink = jnp.exp(scores - largest), jnp.exp(max_ref[...] - largest)
    sum_ref[...] = sum_ref[...] * shrink + weights.sum(axis=1, keepdims=True)
    o_ref[0] = o_ref[0] * shrink + jnp.dot(weights, v_ref[0])
    max_ref[...] = largest

    @pl.when(step == steps - 1)
    def _():
        o_ref[0] = o_ref[0] / sum_ref[...]


@jax.custom_vjp
def attention(q, k, v):
    """Causal attention over (heads, length, size)."""
    heads, length, size = q.shape
    queries = pl.BlockSpec((1, ROWS, size), lambda h, i, j: (h, i, 0))
    keys = pl.BlockSpec((1, COLUMNS, size), lambda h, i, j: (h, j, 0))
    return pl.pallas_call(
        functools.partial(attention_kernel, steps=length // COLUMNS),
        q,
        grid=(heads, length // ROWS, length // COLUMNS),
        in_specs=[queries, keys, keys],
        out_specs=queries,
        scratch_shapes=[pltpu.VMEM((ROWS, 1), jnp.float32)] * 2,
    )(q, k, v)


def reference(q, k, v):
    """The same in plain JAX."""
    scores = jnp.einsum("hqd,hkd->hqk", q, k) / math.sqrt(q.shape[-1])
    scores = jnp.where(jnp.tril(jnp.ones(scores.shape[1:], bool)), scores, -jnp.inf)
    return jnp.einsum("hqk,hkd->hqd", jax.nn.softmax(scores, axis=-1), v)


attention.defvjp(lambda *qkv: (attention(*qkv), qkv), lambda qkv, g: jax.vjp(reference, *qkv)[1](g))

on = sys.argv[1] if len(sys.argv) > 1 else "host"
q, k, v = (jax.random.normal(key, (2, 128, 32)) for key in jax.random.split(jax.random.key(0), 3))
with kp.interpreter(on=on) as run:
    y = jax.jit(attention)(q, k, v)
    gradient = jax.grad(lambda q: (attention(q, k, v) ** 2).sum())(q)
    jax.block_until_ready((y, gradient))
np.testing.assert_allclose(y, reference(q, k, v), rtol=1e-4, atol=1e-5)
np.testing.assert_allclose(gradient, jax.grad(lambda q: (reference(q, k, v) ** 2).sum())(q), rtol=1e-3, atol=1e-4)
print(f"on {on}: {len(run.kernels)} launches, as the reference; largest value {float(abs(y).max()):.3f}")
