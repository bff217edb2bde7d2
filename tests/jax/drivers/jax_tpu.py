"""jax.experimental.pallas.ops.tpu: the kernels that need one TPU core and no other device."""

from __future__ import annotations

import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas.ops.tpu import example_kernel, flash_attention, matmul, ragged_paged_attention
from jax.experimental.pallas.ops.tpu.megablox import gmm
from jax.experimental.pallas.ops.tpu.paged_attention import paged_attention, quantization_utils
from jax.experimental.pallas.ops.tpu.paged_attention.util import grouped_query_attention_reference
from jax.experimental.pallas.ops.tpu.random import philox, threefry
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_kernel as splash
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_mask as masks

from drivers import Case, backward, driver, integers, normal

megablox: Any = sys.modules[gmm.fun.__module__]


@driver("jax")
def tpu_double() -> Case:
    """The example kernel."""
    return Case(example_kernel.double, [normal(8, 128)], lambda x: x * 2)


@driver("jax", f32={"dtype": jnp.float32}, bf16={"dtype": jnp.bfloat16})
def tpu_matmul(dtype: Any) -> Case:
    """A product in blocks, summed in scratch."""
    kernel = functools.partial(matmul.matmul, block_shape=(32, 64), block_k=64)
    tolerance = 1e-5 if dtype == jnp.float32 else 1e-2
    return Case(kernel, [normal(64, 128, dtype=dtype), normal(128, 128, seed=1, dtype=dtype)], jnp.dot, tolerance)


@driver("jax")
def tpu_threefry() -> Case:
    """Random bits, the same as JAX's own."""
    key = jnp.array([7, 11], jnp.uint32)

    def reference(key: Any) -> Any:
        return jax.random.bits(jax.random.wrap_key_data(key, impl="threefry2x32"), (256, 256))

    return Case(lambda key: threefry.plthreefry_random_bits(key, 32, (256, 256)), [key], reference, 0)


@driver("jax")
def tpu_philox() -> Case:
    """Random bits by Philox, no multiple of a block."""
    return Case(lambda key: philox.philox_random_bits(key, 32, (200, 100)), [jnp.array([7, 11], jnp.uint32)], None, 0)


FLASH: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "bias": {"bias": True},
    "segments": {"causal": True, "segments": True},
    "one_step": {"block": 256},
}


@driver("jax", **FLASH)
def tpu_flash_attention(causal: bool = False, bias: bool = False, segments: bool = False, block: int = 128) -> Case:
    """Forward: a grid that accumulates in scratch and revisits output blocks."""
    q, k, v = (normal(1, 2, 256, 32, seed=seed) for seed in range(3))
    extra = normal(1, 2, 256, 256, seed=4) if bias else None
    ids = jnp.repeat(jnp.arange(2, dtype=jnp.int32), 128)[None]
    ids = flash_attention.SegmentIds(ids, ids) if segments else None
    fields = flash_attention.BlockSizes.get_default(1, 2, 256, 256, 32).__dict__
    sizes = flash_attention.BlockSizes(**{key: 1 if key == "block_b" else block for key in fields})

    def kernel(q: Any, k: Any, v: Any) -> Any:
        return flash_attention.flash_attention(q, k, v, extra, ids, causal=causal, block_sizes=sizes)

    def reference(q: Any, k: Any, v: Any) -> Any:
        return flash_attention.mha_reference_no_custom_vjp(q, k, v, extra, ids, causal=causal)

    return Case(kernel, [q, k, v], reference, 1e-4)


@driver("jax", **{name: FLASH[name] for name in ("plain", "causal", "segments")})
def tpu_flash_attention_backward(**options: Any) -> Case:
    """The two backward kernels."""
    return backward(tpu_flash_attention(**options), 3)


MASKS = {
    "full": lambda: masks.FullMask((256, 256)),
    "causal": lambda: masks.CausalMask((256, 256)),
    "local": lambda: masks.LocalMask((256, 256), (64, 32), 0),
    "table": lambda: masks.NumpyMask(
        np.tril(np.random.default_rng(0).random((256, 256)) < 0.7) | np.eye(256, dtype=bool)
    ),
}


def _splash_reference(mask: Any, q: Any, k: Any, v: Any, ids: Any) -> Any:
    if ids is not None:
        mask &= ids.q[:, None] == ids.kv[None, :]
    return jax.nn.softmax(jnp.where(mask, q @ k.T, splash.DEFAULT_MASK_VALUE)) @ v


@driver("jax", **{name: {"mask": name} for name in MASKS}, segments={"mask": "causal", "segments": True})
def tpu_splash_attention(mask: str, fused: bool = False, segments: bool = False) -> Case:
    """Forward: tables of masks by scalar prefetch, index maps that read them."""
    several = masks.MultiHeadMask([MASKS[mask]() for _ in range(2)])
    names = ["block_q", "block_kv", "block_kv_compute", "block_q_dkv", "block_kv_dkv", "block_kv_dkv_compute"]
    names += [] if fused else ["block_q_dq", "block_kv_dq"]
    sizes = splash.BlockSizes(**dict.fromkeys(names, 128), use_fused_bwd_kernel=fused)
    kernel = splash.make_splash_mha(several, block_sizes=sizes, head_shards=1, q_seq_shards=1)
    table = jnp.asarray(np.stack([mask[:, :] for mask in several.masks]))
    ids = jnp.repeat(jnp.arange(2, dtype=jnp.int32), 128)
    ids = splash.SegmentIds(ids, ids) if segments else None

    def reference(q: Any, k: Any, v: Any) -> Any:
        return jax.vmap(_splash_reference, (0, 0, 0, 0, None))(table, q, k, v, ids)

    inputs = [normal(2, 256, 32, seed=seed) for seed in range(3)]
    return Case(lambda q, k, v: kernel(q, k, v, ids), inputs, reference, 1e-4)


@driver("jax", causal={"mask": "causal"}, fused={"mask": "causal", "fused": True}, table={"mask": "table"})
def tpu_splash_attention_backward(**options: Any) -> Case:
    """Backward, in two kernels or one."""
    return backward(tpu_splash_attention(**options), 3)


def _groups() -> tuple[jax.Array, jax.Array]:
    sizes = jnp.array([40, 0, 88, 128], jnp.int32)
    return sizes, jnp.repeat(jnp.arange(4), sizes, total_repeat_length=256)


@driver("jax", plain={}, transposed={"transposed": True})
def tpu_gmm(transposed: bool = False) -> Case:
    """A grouped product: dynamic grid, masked store, groups that share a tile."""
    sizes, owner = _groups()
    right = normal(4, 128, 128, seed=1)

    def kernel(x: Any, w: Any) -> Any:
        return megablox.gmm(x, w, sizes, tiling=(64, 128, 128), transpose_rhs=transposed)

    def reference(x: Any, w: Any) -> Any:
        return jnp.einsum("mk,mnk->mn" if transposed else "mk,mkn->mn", x, w[owner])

    return Case(kernel, [normal(256, 128), right], reference, 1e-4)


@driver("jax")
def tpu_tgmm() -> Case:
    """Its transposed form: one product a group."""
    sizes, owner = _groups()

    def kernel(x: Any, y: Any) -> Any:
        return megablox.tgmm(x, y, sizes, tiling=(64, 128, 128))

    def reference(x: Any, y: Any) -> Any:
        return jnp.einsum("km,gm,mn->gkn", x, owner[None, :] == jnp.arange(4)[:, None], y)

    return Case(kernel, [normal(128, 256), normal(256, 128, seed=1)], reference, 1e-4)


PAGED: dict[str, dict[str, Any]] = {
    "inline": {},
    "grid": {"inline_seq_dim": False},
    "soft_cap": {"attn_logits_soft_cap": 1.5},
    "quantized": {"quantized": True},
}


@driver("jax", **PAGED)
def tpu_paged_attention(quantized: bool = False, **options: Any) -> Case:
    """Pages fetched by double-buffered copies, and rounded to bf16 by the kernel."""
    k, v = (normal(2, 12, 16, 128, seed=seed, dtype=jnp.bfloat16).astype(jnp.float32) for seed in (1, 2))
    lengths, table = jnp.array([0, 21, 64], jnp.int32), integers(0, 12, 3, 4, seed=3)
    pages = [quantization_utils.quantize_to_int8(x) for x in (k, v)] if quantized else [k, v]
    pages = [quantization_utils.QuantizedTensor(*x) for x in pages] if quantized else pages

    def kernel(q: Any, *pages: Any) -> Any:
        return paged_attention(q, *pages, lengths, table, pages_per_compute_block=2, **options)[1:]

    def reference(q: Any, *_: Any) -> Any:
        k_whole, v_whole = (x[:, table].swapaxes(0, 1).reshape(3, 2, 64, 128) for x in (k, v))
        cap = options.get("attn_logits_soft_cap")
        return grouped_query_attention_reference(q, k_whole, v_whole, lengths, cap)[1:]

    return Case(kernel, [normal(3, 8, 128), *pages], None if quantized else reference, 1e-4)


@driver("jax", plain={}, window={"sliding_window": 20}, cap={"soft_cap": 2.0})
def tpu_ragged_paged_attention(**options: Any) -> Case:
    """Queries of several lengths over pages: double-buffered copies, strided loads of heads."""
    dtype = jnp.float32
    lengths, starts = jnp.array([40, 64, 9], jnp.int32), jnp.array([0, 8, 29, 30], jnp.int32)
    table, count = integers(0, 16, 3, 4, seed=3), jnp.array([3], jnp.int32)
    q, pages = normal(32, 8, 128, dtype=dtype), normal(16, 16, 4, 128, seed=1, dtype=dtype)

    def kernel(q: Any, pages: Any) -> Any:
        blocks = {"num_kv_pages_per_block": 2, "num_queries_per_block": 8}
        return ragged_paged_attention.ragged_paged_attention(
            q, pages, lengths, table, starts, count, **blocks, **options
        )[:30]

    def reference(q: Any, pages: Any) -> Any:
        return ragged_paged_attention.ref_ragged_paged_attention(q, pages, lengths, table, starts, count, **options)

    return Case(kernel, [q, pages], reference, 1e-4)
