"""A matrix product with int8 weights, scaled by columns: mixed types, an accumulator in the output, an edge that is cut off.

    python examples/jax/quantised_matmul.py [host | vulkan | vulkan:NAME]
"""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl

import kiln.pallas as kp

BLOCK = 32


def matmul_kernel(x_ref, w_ref, scale_ref, o_ref, *, steps):
    """One block of the product; the last grid axis goes over what is summed."""

    @pl.when(pl.program_id(2) == 0)
    def _():
        o_ref[...] = jnp.zeros_like(o_ref)

    o_ref[...] += jnp.dot(x_ref[...], w_ref[...].astype(jnp.float32))

    @pl.when(pl.program_id(2) == steps - 1)
    def _():
        o_ref[...] *= scale_ref[...]


def matmul(x, w, scale):
    """`x @ (w * scale)` with `w` in int8."""
    (m, k), n = x.shape, w.shape[1]
    return pl.pallas_call(
        functools.partial(matmul_kernel, steps=k // BLOCK),
        jax.ShapeDtypeStruct((m, n), jnp.float32),
        grid=(pl.cdiv(m, BLOCK), pl.cdiv(n, BLOCK), k // BLOCK),
        in_specs=[
            pl.BlockSpec((BLOCK, BLOCK), lambda i, j, s: (i, s)),
            pl.BlockSpec((BLOCK, BLOCK), lambda i, j, s: (s, j)),
            pl.BlockSpec((1, BLOCK), lambda i, j, s: (0, j)),
        ],
        out_specs=pl.BlockSpec((BLOCK, BLOCK), lambda i, j, s: (i, j)),
    )(x, w, scale)


def quantise(w):
    """Columns scaled into -127..127."""
    scale = abs(w).max(axis=0, keepdims=True) / 127
    return jnp.round(w / scale).astype(jnp.int8), scale


on = sys.argv[1] if len(sys.argv) > 1 else "host"
x_key, w_key = jax.random.split(jax.random.key(0))
x, w = jax.random.normal(x_key, (70, 128)), jax.random.normal(w_key, (128, 90))
packed, scale = quantise(w)
y = kp.run(jax.jit(matmul), x, packed, scale, on=on)
np.testing.assert_allclose(y, x @ (packed * scale), rtol=1e-4, atol=1e-4)
error = float(abs(y - x @ w).max() / abs(x @ w).max())
print(f"on {on}: as JAX; what int8 costs: {error:.2%} of the largest value")
