"""Packages with a few kernels each, all for one TPU core."""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp

from drivers import Case, driver, gradients, normal, stand_in

stand_in("huggingface_hub", "tokenizers", "safetensors", "transformers", "sentencepiece")


def module(name: str) -> Any:
    """A module of a package, imported when its driver is called."""
    return importlib.import_module(name)


# ---- pallas-forge ----


@driver("pallas-forge")
def forge_rms_norm() -> Case:
    """Residual addition and normalisation in one."""
    m = module("pallas_forge.kernels.rmsnorm")

    def reference(x: Any, residual: Any, weight: Any) -> Any:
        return m.rmsnorm_reference(x + residual, weight), x + residual

    return Case(m.fused_rmsnorm_residual, [normal(16, 128), normal(16, 128, seed=1), normal(128, seed=2)], reference)


@driver("pallas-forge", swiglu={"name": "fused_swiglu"}, geglu={"name": "fused_geglu"})
def forge_glu(name: str) -> Case:
    """Two products and a gate."""
    kernel = getattr(module("pallas_forge.kernels.swiglu"), name)
    gate = jax.nn.silu if "swi" in name else jax.nn.gelu

    def reference(x: Any, a: Any, b: Any) -> Any:
        return gate(x @ a) * (x @ b)

    inputs = [normal(128, 64, scale=0.2), normal(64, 128, seed=1), normal(64, 128, seed=2)]
    return Case(kernel, inputs, reference, 1e-3)


@driver("pallas-forge")
def forge_matmul() -> Case:
    """A product in blocks, the sum in the output."""
    kernel = functools.partial(module("pallas_forge.kernels.matmul").tiled_matmul, block_m=32, block_k=32, block_n=32)
    return Case(kernel, [normal(60, 64), normal(64, 96, seed=1)], jnp.dot)


# ---- deciax ----


def _layer(act: str) -> Any:
    fused = module("deciax.kernels.fused")
    d, hidden = 128, 128
    wide = 2 * hidden if act == "gated_gelu" else hidden
    shapes = [(d,), (d,), (d, 3 * d), (3 * d,), (d, d), (d,), (d,), (d,), (d, wide), (wide,), (hidden, d), (d,)]
    vectors = [normal(*shape, seed=seed, scale=0.1) for seed, shape in enumerate(shapes)]
    return fused.LayerParams(*(v.astype(jnp.bfloat16) if v.ndim == 2 else v for v in vectors))


@driver("deciax", gelu={"act": "gated_gelu"}, relu={"act": "relu", "window": 8})
def deciax_layer(act: str, window: int = 0) -> Case:
    """A whole transformer layer in one kernel."""
    fused, weights, mask = module("deciax.kernels.fused"), _layer(act), jnp.ones((2, 64), jnp.int32).at[0, 50:].set(0)

    def kernel(x: Any) -> Any:
        rope = fused.rope_tables(1.0 / 10 ** jnp.linspace(0, 1, 32), 64)
        return fused.layer(x, mask, weights, seq=64, heads=2, eps=1e-5, act=act, window=window, rope=rope)

    return Case(kernel, [normal(128, 128)], None, 1e-2)


@driver("deciax")
def deciax_norm_linear() -> Case:
    """Layer norm, product, rotary embedding."""
    fused, w = module("deciax.kernels.fused"), _layer("relu")

    def kernel(x: Any) -> Any:
        rope = fused.rope_tables(1.0 / 10 ** jnp.linspace(0, 1, 32), 64)
        return fused.norm_linear(x, w.norm1_w, w.norm1_b, 1e-5, w.w_qkv_t, w.b_qkv, rope=rope)

    return Case(kernel, [normal(128, 128)], None, 1e-2)


@driver("deciax")
def deciax_out_mlp() -> Case:
    """Output projection, residual, MLP."""
    fused, w = module("deciax.kernels.fused"), _layer("gated_gelu")

    def kernel(att: Any, x: Any) -> Any:
        return fused.out_mlp(
            att, x, w.wo_t, w.bo, w.norm2_w, w.norm2_b, 1e-5, w.wi_t, w.bi, w.wo2_t, w.b2, act="gated_gelu"
        )

    return Case(kernel, [normal(64, 128, dtype=jnp.bfloat16), normal(64, 128, seed=1)], None, 1e-2)


@driver("deciax", full={"window": 0}, window={"window": 64})
def deciax_flash_attention(window: int) -> Case:
    """Transposed scores, a sliding window in the index map."""
    attention, mask = module("deciax.kernels.attention.pallas"), jnp.ones((1, 512), jnp.int32).at[0, 500:].set(0)

    def kernel(qkv: Any) -> Any:
        return attention.flash_attention(qkv, mask, heads=1, window=window, out_dtype=jnp.float32)

    return Case(kernel, [normal(1, 512, 192)], None, 1e-4)


# ---- gated delta rules ----


def _gdn_inputs(length: int, heads: int, d: int) -> list[jax.Array]:
    q, k, v, w, b, g = (normal(1, length, heads, d, seed=seed, scale=0.1) for seed in range(6))
    return [q, k, v, jax.nn.sigmoid(w), jax.nn.sigmoid(b), -jax.nn.softplus(g)]


@driver("deltanet-tpu", fused={"fuse_prologue": True, "qk_l2norm": True}, plain={}, inference={"is_inference": True})
def deltanet_chunk_gdn2(**options: Any) -> Case:
    """Triangular solves and a recurrence over chunks."""
    m = module("deltanet_tpu.gdn2")
    q, k, v, w, b, g = _gdn_inputs(256, 1, 128)
    kernel = functools.partial(m.chunk_gdn2, chunk_size=128, precision="fp32", scale=0.1, **options)
    return Case(kernel, [q, k, v, g, b, w], None, 1e-4)


@driver("deltanet-tpu", plain={}, recompute={"recompute_states": True})
def deltanet_chunk_gdn2_backward(**options: Any) -> Case:
    """The backward kernels."""
    m = module("deltanet_tpu.gdn2")
    q, k, v, w, b, g = _gdn_inputs(256, 1, 128)
    kernel = functools.partial(m.chunk_gdn2, chunk_size=128, precision="fp32", scale=0.1, **options)
    return Case(gradients(kernel, 3), [q, k, v, g, b, w], None, 1e-3)


@driver("gdn2-pallas")
def gdn2_forward() -> Case:
    """Scores of chunks, block solve, WY factors."""
    m, config = module("atomic_ops.gdn2_fwd"), module("atomic_ops.configs").KernelConfig(bt=64, bc=32, mb=16)
    inputs = _gdn_inputs(128, 1, 128)
    return Case(lambda *x: m.gdn2_pallas_forward(*x, 0.1, config=config), inputs, None, 1e-4)


@driver("gdn2-pallas")
def gdn2_backward() -> Case:
    """Its three backward kernels."""
    m, config = module("atomic_ops.gdn2_pipeline"), module("atomic_ops.configs").KernelConfig(bt=64, bc=32, mb=16)

    def kernel(*x: Any) -> Any:
        return m.gdn2_pallas_forward_trainable(*x, 0.1, config=config)[0]

    return Case(gradients(kernel, 6), _gdn_inputs(128, 1, 128), None, 1e-3)


# ---- maxtext, recurrentgemma ----


@driver("maxtext", mqa={"name": "mqa"}, mha={"name": "mha"}, gqa={"name": "gqa"})
def maxtext_ragged_attention(name: str) -> Case:
    """One query a sequence, keys of several lengths."""
    m = module("maxtext.kernels.attention.ragged_attention")
    lengths = jnp.array([40, 256], jnp.int32)
    shapes = {"mqa": [(2, 4, 128), (2, 256, 128)], "mha": [(2, 1, 4, 128), (2, 256, 4, 128)]}
    shapes["gqa"] = [(2, 1, 4, 128), (2, 256, 2, 128)]
    q, k = shapes[name]

    def kernel(*x: Any) -> Any:
        return getattr(m, f"ragged_{name}")(*x, lengths, block_size=128)[0]

    return Case(kernel, [normal(*q), normal(*k, seed=1), normal(*k, seed=2)], None, 1e-4)


@driver("recurrentgemma", real={}, reverse={"reverse": True}, complex={"complex": True})
def recurrentgemma_lru(reverse: bool = False, complex: bool = False) -> Case:
    """A linear recurrence, its state carried over the grid."""
    sys.modules["typeguard"] = mock.MagicMock(
        __spec__=importlib.machinery.ModuleSpec("typeguard", None), typechecked=lambda f: f
    )
    m, lib = module("recurrentgemma.jax.pallas"), module("recurrentgemma.jax.complex_lib")

    def kernel(x: Any, a: Any, y: Any, b: Any) -> Any:
        values = (lib.Complex(x, y), lib.Complex(a, b)) if complex else (x, a)
        return m.pallas_lru(*values, reverse=reverse)

    inputs = [normal(2, 64, 128), jax.nn.sigmoid(normal(2, 64, 128, seed=1))]
    return Case(kernel, [*inputs, normal(2, 64, 128, seed=2), 0.1 * normal(2, 64, 128, seed=3)], None, 1e-4)
