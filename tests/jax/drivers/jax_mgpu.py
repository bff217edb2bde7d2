"""jax.experimental.pallas.ops.gpu: the kernels for Hopper and Blackwell."""

from __future__ import annotations

import types
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.gpu import (
    attention_mgpu,
    blackwell_matmul_mgpu,
    blackwell_ragged_dot_mgpu,
    hopper_matmul_mgpu,
    hopper_mixed_type_matmul_mgpu,
    ragged_dot_mgpu,
    transposed_ragged_dot_mgpu,
)
from pretend import hopper

from drivers import Case, driver, integers, normal
from drivers._hopper import pair

HALF = 2e-3
GROUPS = jnp.array([100, 0, 60, 96], jnp.int32)
HALVES = hopper_matmul_mgpu.MatmulDimension


def _half(*shape: int, seed: int = 0) -> jax.Array:
    return normal(*shape, seed=seed, dtype=jnp.float16, scale=0.5)


def _product(a: Any, b: Any) -> Any:
    return jnp.dot(a.astype(jnp.float32), b.astype(jnp.float32)).astype(b.dtype)


@driver(
    "jax",
    by_columns={},
    by_rows={"wg_dimension": HALVES.M},
    cluster={"cluster_dimension": HALVES.M},
    cluster_columns={"cluster_dimension": HALVES.N},
    snake={"grid_minor_dim": HALVES.M, "grid_tile_width": 3},
)
def mgpu_hopper_matmul(**options: Any) -> Case:
    """One thread loads, two compute; also with blocks in pairs that share what they load."""
    config = hopper_matmul_mgpu.TuningConfig(tile_m=64, tile_n=64, tile_k=64, max_concurrent_steps=2, **options)
    return Case(
        hopper(lambda a, b: hopper_matmul_mgpu.matmul(a, b, None, config)),
        [_half(256, 256), _half(256, 256, seed=1)],
        _product,
        HALF,
    )


@driver("jax")
def mgpu_hopper_matmul_added() -> Case:
    """With a third matrix that is added."""
    config = hopper_matmul_mgpu.TuningConfig(tile_m=64, tile_n=64, tile_k=64, max_concurrent_steps=2)
    return Case(
        hopper(lambda a, b, c: hopper_matmul_mgpu.matmul(a, b, c, config)),
        [_half(128, 128), _half(128, 128, seed=1), _half(128, 128, seed=2)],
        lambda a, b, c: _product(a, b) + c,
        HALF,
    )


@driver("jax", by_columns={}, cluster={"cluster_dimension": HALVES.M})
def mgpu_mixed_type_matmul(**options: Any) -> Case:
    """The left side is int8, converted in registers."""
    config = hopper_mixed_type_matmul_mgpu.TuningConfig(
        tile_m=64, tile_n=64, tile_k=64, max_concurrent_steps=2, **options
    )

    def kernel(a: Any, b: Any) -> Any:
        return hopper_mixed_type_matmul_mgpu.mixed_matmul_kernel(a, b, out_dtype=b.dtype, config=config)

    return Case(hopper(kernel), [integers(-5, 5, 256, 128, dtype=jnp.int8), _half(128, 256, seed=1)], _product, HALF)


@driver("jax", plain={"collective": False}, paired={"collective": True})
def mgpu_blackwell_matmul(collective: bool) -> Case:
    """Products into tensor memory by blocks that take on work as they go; in pairs, with one product for both."""
    config = blackwell_matmul_mgpu.TuningConfig(
        tile_m=128, tile_n=128 >> collective, tile_k=64, max_concurrent_steps=2, collective=collective
    )
    return Case(
        hopper(lambda a, b: blackwell_matmul_mgpu.matmul_kernel(a, b, config)),
        [_half(512, 128), _half(128, 256, seed=1)],
        _product,
        HALF,
    )


@driver("jax", rows={"transpose_rhs": False}, columns={"transpose_rhs": True})
def mgpu_ragged_dot(transpose_rhs: bool) -> Case:
    """A product for each group of rows."""
    blocks = {"block_m": 64, "block_n": 64, "block_k": 64, "max_concurrent_steps": 2, "grid_block_n": 2}

    def kernel(a: Any, b: Any) -> Any:
        b = jnp.swapaxes(b, 1, 2) if transpose_rhs else b
        return ragged_dot_mgpu.ragged_dot(a, b, group_sizes=GROUPS, transpose_rhs=transpose_rhs, **blocks)

    return Case(
        hopper(kernel),
        [_half(256, 128), _half(4, 128, 128, seed=1)],
        lambda a, b: jax.lax.ragged_dot(a.astype(jnp.float32), b.astype(jnp.float32), GROUPS).astype(a.dtype),
        HALF,
    )


@driver("jax")
def mgpu_transposed_ragged_dot() -> Case:
    """A product for each group along the contracted axis."""
    blocks = {"block_m": 64, "block_n": 64, "block_k": 64, "max_concurrent_steps": 2, "grid_block_n": 2}

    def kernel(a: Any, b: Any) -> Any:
        return transposed_ragged_dot_mgpu.transposed_ragged_dot(a, b, group_sizes=GROUPS, **blocks)

    def reference(a: Any, b: Any) -> Any:
        wide = (x.astype(jnp.float32) for x in (a, b))
        return transposed_ragged_dot_mgpu.ref_transposed_ragged_dot(*wide, GROUPS).astype(a.dtype)

    return Case(hopper(kernel), [_half(256, 128), _half(256, 128, seed=1)], reference, HALF)


@driver("jax")
def mgpu_blackwell_ragged_dot() -> Case:
    """The same in tensor memory, in pairs of blocks."""
    config = blackwell_ragged_dot_mgpu.TuningConfig(
        tile_m=128,
        tile_n=128,
        tile_k=64,
        max_concurrent_steps=2,
        collective=True,
        grid_tile_width=1,
        grid_minor_dim=blackwell_matmul_mgpu.MatmulDimension.N,
    )

    def kernel(a: Any, b: Any) -> Any:
        return blackwell_ragged_dot_mgpu.ragged_dot_kernel(a, b, group_sizes=GROUPS, config=config)

    return Case(
        hopper(kernel),
        [_half(256, 128), _half(4, 128, 256, seed=1)],
        lambda a, b: jax.lax.ragged_dot(a.astype(jnp.float32), b.astype(jnp.float32), GROUPS).astype(a.dtype),
        HALF,
    )


def _attention(implementation: Any, causal: bool = False, count: int = 0) -> Case:
    config = attention_mgpu.TuningConfig(
        block_q=64,
        block_kv=64,
        max_concurrent_steps=2,
        causal=causal,
        **{f"block_{x}_{y}": 64 for x in ("q", "kv") for y in ("dq", "dkv")},
    )
    versions = types.SimpleNamespace(cuda_runtime_get_version=lambda: 12091)

    def kernel(*inputs: Any) -> Any:
        with mock.patch.object(attention_mgpu, "cuda_versions", versions):
            return implementation(*inputs, config)

    def reference(*inputs: Any) -> Any:
        return attention_mgpu.attention_reference(*inputs, causal=causal)

    q, k, v = _half(1, 128, 4, 64), _half(1, 256, 2, 64, seed=1), _half(1, 256, 2, 64, seed=2)
    return pair(kernel, reference, [q, k, v], count, 5e-3)


@driver("jax", plain={"causal": False}, causal={"causal": True})
def mgpu_attention(causal: bool) -> Case:
    """FlashAttention-3: two threads take turns at the tensor core."""
    return _attention(attention_mgpu.attention, causal)


@driver("jax")
def mgpu_attention_backward() -> Case:
    """Its gradients."""
    return _attention(attention_mgpu.attention, count=3)


@driver("jax")
def mgpu_attention_pipeline() -> Case:
    """The same by JAX's pipeline emitter."""
    return _attention(attention_mgpu.attention_with_pipeline_emitter)
