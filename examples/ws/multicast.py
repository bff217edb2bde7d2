"""A cluster whose blocks share a copy: each brings its part, and all of them get the whole.

python examples/ws/multicast.py [host | vulkan | vulkan:NAME]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln.pallas as kp

BLOCKS = 2


def scale(x, factors, y, buffer, full):
    """Every block multiplies the shared tile by its own factor."""
    block = jax.lax.axis_index("c")
    plgpu.copy_gmem_to_smem(x, buffer, full, collective_axes="c")
    plgpu.barrier_wait(full)
    y[block, ...] = buffer[...] * factors[block]


def scaled(x, factors):
    """x times each of the factors."""
    return plgpu.kernel(
        scale,
        out_type=jax.ShapeDtypeStruct((BLOCKS, *x.shape), x.dtype),
        scratch_types=[plgpu.SMEM(x.shape, x.dtype), plgpu.Barrier()],
        cluster=(BLOCKS,),
        cluster_names=("c",),
    )(x, factors)


on = sys.argv[1] if len(sys.argv) > 1 else "host"
x = jax.random.normal(jax.random.key(0), (64, 128), jnp.float32)
factors = jnp.array([2.0, -3.0], jnp.float32)
np.testing.assert_array_equal(kp.run(scaled, x, factors, on=on), x[None] * factors[:, None, None])
print(f"on {on}: one copy for {BLOCKS} blocks")
