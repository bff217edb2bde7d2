"""qwix: products of quantised matrices, with pieces of a block unrolled in Python."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from pretend import tensor_core
from qwix.contrib.kernels import lhs_fused_quantized_matmul, quantized_matmul

from drivers import Case, driver, integers, normal


def _spread(scale: Any, shape: tuple[int, ...]) -> Any:
    """Scales of blocks, one an element."""
    for axis, size in enumerate(shape):
        scale = jnp.repeat(scale, size // scale.shape[axis], axis=axis)
    return scale


def _product(x: Any, x_scale: Any, y: Any, y_scale: Any) -> Any:
    wide = [a.astype(jnp.float32) * _spread(scale, a.shape) for a, scale in ((x, x_scale), (y, y_scale))]
    return jnp.dot(*wide, precision="highest")


@driver("qwix", rows={"parts": 1}, blocks={"parts": 2})
def qwix_quantized_matmul(parts: int) -> Case:
    """Both sides int8, a scale for 128 rows, or one for each block of the contracted axis, too."""
    x, y = (integers(-127, 128, 256, 256, seed=seed, dtype=jnp.int8) for seed in (0, 1))
    scales = [jnp.abs(normal(2, parts, seed=2)), jnp.abs(normal(parts, 2, seed=3))]

    def kernel(x: Any, x_scale: Any, y: Any, y_scale: Any) -> Any:
        return quantized_matmul.quantized_matmul(x, x_scale, y, y_scale, bm=128, bk=128, bn=128, dtype=jnp.float32)

    return Case(tensor_core(kernel), [x, scales[0], y, scales[1]], _product, 1e-4)


@driver("qwix")
def qwix_lhs_fused_matmul() -> Case:
    """The left side is quantised by the kernel, a scale a block."""
    x, y = normal(256, 256), integers(-127, 128, 256, 256, seed=1, dtype=jnp.int8)

    def kernel(x: Any, y: Any, scale: Any) -> Any:
        return lhs_fused_quantized_matmul.lhs_fused_quantized_matmul(x, y, scale, bm=128, bk=128, bn=128, sm=2)

    def reference(x: Any, y: Any, scale: Any) -> Any:
        step = jnp.abs(x.reshape(2, 128, 2, 128)).max(axis=(1, 3)) / 127
        return _product(jnp.round(x / _spread(step, x.shape)), step, y, scale)

    return Case(tensor_core(jax.jit(kernel)), [x, y, jnp.abs(normal(2, 2, seed=2))], reference, 2e-2)
