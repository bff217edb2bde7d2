"""jax.experimental.pallas.ops.gpu: the kernels in Triton's style."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.gpu import attention, decode_attention, layer_norm, paged_attention, rms_norm, softmax

from drivers import Case, backward, driver, integers, normal


@driver("jax", f32={}, odd={"shape": (2, 3, 77)}, f16={"dtype": jnp.float16})
def gpu_softmax(shape: tuple[int, ...] = (8, 128), dtype: Any = jnp.float32) -> Case:
    """Row softmax under vmap."""
    tolerance = 1e-5 if dtype == jnp.float32 else 2e-3
    return Case(softmax.softmax, [normal(*shape, dtype=dtype)], functools.partial(jax.nn.softmax, axis=-1), tolerance)


def _norm_inputs(columns: int) -> list[jax.Array]:
    return [normal(2, 9, columns), normal(columns, seed=1), normal(columns, seed=2)]


@driver("jax", whole={"columns": 128}, ragged={"columns": 200})
def gpu_rms_norm(columns: int) -> Case:
    """Forward: a column loop with masked loads."""
    return Case(rms_norm.rms_norm, _norm_inputs(columns), rms_norm.rms_norm_reference)


@driver("jax")
def gpu_rms_norm_backward() -> Case:
    """Forward with residuals, then the two backward kernels."""
    return backward(gpu_rms_norm(200), 3)


@driver("jax", whole={"columns": 128}, ragged={"columns": 200})
def gpu_layer_norm(columns: int) -> Case:
    """Forward: mean and variance in two loops."""
    return Case(layer_norm.layer_norm, _norm_inputs(columns), layer_norm.layer_norm_reference)


@driver("jax")
def gpu_layer_norm_backward() -> Case:
    """Forward with residuals, then the two backward kernels."""
    return backward(gpu_layer_norm(200), 3)


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"causal": False, "segments": False},
    "causal": {"causal": True, "segments": False},
    "segments": {"causal": True, "segments": True},
}


@driver("jax", **VARIANTS)
def gpu_mha(causal: bool, segments: bool) -> Case:
    """Flash attention: a loop with a computed end, online softmax."""
    q, k, v = (normal(2, 128, 2, 32, seed=seed) for seed in range(3))
    ids = jnp.repeat(jnp.arange(2, dtype=jnp.int32), 64)[None].repeat(2, 0) if segments else None
    sizes = attention.BlockSizes(block_q=64, block_k=32, block_q_dkv=32, block_kv_dkv=32, block_q_dq=32, block_kv_dq=32)

    def kernel(q: Any, k: Any, v: Any) -> Any:
        return attention.mha(q, k, v, segment_ids=ids, causal=causal, block_sizes=sizes)

    def reference(q: Any, k: Any, v: Any) -> Any:
        return attention.mha_reference(q, k, v, segment_ids=ids, causal=causal)

    return Case(kernel, [q, k, v], reference, 1e-4)


@driver("jax", **VARIANTS)
def gpu_mha_backward(causal: bool, segments: bool) -> Case:
    """Its backward kernel, after a forward with residuals."""
    return backward(gpu_mha(causal, segments), 3)


@driver("jax")
def gpu_decode_attention() -> Case:
    """Grouped queries, the keys in several splits."""
    q, k, v = normal(2, 8, 32), normal(2, 128, 2, 32, seed=1), normal(2, 128, 2, 32, seed=2)
    start, length = jnp.array([3, 0], jnp.int32), jnp.array([100, 128], jnp.int32)

    def kernel(*inputs: Any) -> Any:
        return decode_attention.gqa(*inputs, start, length, block_h=4, block_k=32, k_splits=2)

    return Case(kernel, [q, k, v], lambda *inputs: decode_attention.gqa_reference(*inputs, start, length), 1e-4)


@driver("jax", plain={"quantized": False}, quantized={"quantized": True})
def gpu_paged_attention(quantized: bool) -> Case:
    """Keys and values in pages; when quantised, with a scale each."""
    dtype = jnp.int8 if quantized else jnp.float32
    pages = [normal(2, 16, 8, 32, seed=seed) for seed in (1, 2)]
    scales = [jnp.abs(x).max(-1) / 127 for x in pages] if quantized else [None, None]
    if quantized:
        pages = [jnp.round(x / s[..., None]).astype(dtype) for x, s in zip(pages, scales, strict=True)]
    table, lengths = integers(0, 16, 2, 8, seed=3), jnp.array([40, 64], jnp.int32)

    def kernel(q: Any, *pages: Any) -> Any:
        return paged_attention.paged_attention(
            q, *pages, table, lengths, *scales, block_h=16, pages_per_compute_block=4, k_splits=2
        )

    def reference(q: Any, *pages: Any) -> Any:
        whole = [p * s[..., None] if quantized else p for p, s in zip(pages, scales, strict=True)]
        k, v = (jnp.moveaxis(x[:, table], 0, 3).reshape(2, 64, 2, 32) for x in whole)
        return paged_attention.paged_attention_reference(q, k, v, lengths)

    return Case(kernel, [normal(2, 8, 32), *pages], reference, 1e-4)
