"""Softmax by rows, three ways: on Kiln's host executor, on a device, and as a text that needs no Python.

    python examples/jax/softmax.py [host | vulkan | vulkan:NAME]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl

import kiln.pallas as kp


def softmax_kernel(x_ref, o_ref):
    """One block of rows."""
    x = x_ref[...]
    e = jnp.exp(x - x.max(axis=1, keepdims=True))
    o_ref[...] = e / e.sum(axis=1, keepdims=True)


def softmax(x):
    """Softmax along the last axis of a matrix, 8 rows at a time."""
    rows = pl.BlockSpec((8, x.shape[1]), lambda i: (i, 0))
    return pl.pallas_call(softmax_kernel, x, grid=(pl.cdiv(x.shape[0], 8),), in_specs=[rows], out_specs=rows)(x)


# An ordinary JAX program; `kp.run` puts its Pallas calls on Kiln and leaves the rest with JAX.
on = sys.argv[1] if len(sys.argv) > 1 else "host"
x = jax.random.normal(jax.random.key(0), (100, 256))
y = kp.run(softmax, x, on=on)
np.testing.assert_allclose(y, jax.nn.softmax(x, axis=1), rtol=1e-5, atol=1e-7)

# The same for any code in a block, under jit and vmap too. `run` tells what was launched.
with kp.interpreter(on=on) as run:
    batch = jax.jit(jax.vmap(softmax))(jnp.stack([x, 2 * x]))
    batch.block_until_ready()
np.testing.assert_allclose(batch[0], y, rtol=1e-5, atol=1e-7)
print(f"on {on}: {len(run.kernels)} launch of {run.kernels[0]}")

# The exported kernel is a text of its own: `kernel.save("softmax.kiln")`, then `kiln run softmax.kiln x=x.npy`.
(kernel,) = kp.export(softmax, x)
np.testing.assert_allclose(kernel(np.asarray(x), on=on), y, rtol=1e-5, atol=1e-7)
print(kernel.text)
