"""jax-linear-attention beside its recurrences: attention, sparse attention, grouped products, convolutions, losses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jla.ops import sparse_attention
from jla.ops.mosaic_gpu import (
    attention,
    attention_fp8_bwd,
    dsa,
    dsa_topk,
    fused_gemm,
    linear_cross_entropy,
    mamba3_fused,
    ragged_dot,
    ragged_dot_fp8,
    short_conv,
    short_conv_l2norm,
)
from jla.ops.reference import l2norm

from drivers import Case, driver, integers, normal, stand_in
from drivers._hopper import half, pair

PACKAGE = "jax-linear-attention"
SEGMENTS = jnp.repeat(jnp.arange(3, dtype=jnp.int32), jnp.array([70, 100, 86]))[None]

# ---- convolutions ----


def _conv_reference(x: Any, weight: Any, bias: Any) -> Any:
    width = weight.shape[1]
    padded = jnp.pad(x.astype(jnp.float32), ((0, 0), (width - 1, 0), (0, 0)))
    taps = [padded[:, k : k + x.shape[1]] * weight[:, k].astype(jnp.float32) for k in range(width)]
    return jax.nn.silu(sum(taps) + bias.astype(jnp.float32))


WAYS = {"forward": {"backward": 0}, "backward": {"backward": 3}}


@driver(PACKAGE, **WAYS)
def short_convolution(backward: int) -> Case:
    """A causal convolution of each channel, with a history across blocks."""
    inputs = [half(1, 160, 256), normal(256, 4, seed=1), normal(256, seed=2)]
    return pair(short_conv.short_conv, lambda *xs: _conv_reference(*xs).astype(jnp.bfloat16), inputs, backward)


@driver(PACKAGE, **WAYS)
def short_convolution_norm(backward: int) -> Case:
    """The same with the norm of each head: sums along lanes by shuffles."""
    inputs = [half(1, 160, 256), normal(256, 4, seed=1), normal(256, seed=2)]

    def reference(*xs: Any) -> Any:
        y = _conv_reference(*xs)
        return l2norm(y.reshape(*y.shape[:2], -1, 64)).reshape(y.shape).astype(jnp.bfloat16)

    return pair(lambda *xs: short_conv_l2norm.short_conv_l2norm(*xs, head_dim=64), reference, inputs, backward)


# ---- grouped products ----

GROUPS = jnp.array([100, 0, 60, 96], jnp.int32)


@driver(
    PACKAGE,
    **{
        f"{name}_{way}": {"config": config, "backward": count}
        for name, config in {
            "block_aligned": ragged_dot.BLOCK_ALIGNED,
            "aligned": ragged_dot.ALIGNED,
            "two_threads": ragged_dot.WARP_SPECIALIZED,
            "persistent": ragged_dot.PERSISTENT,
            "persistent_two_threads": ragged_dot.PERSISTENT_WS,
        }.items()
        for way, count in {"forward": 0, "backward": 2}.items()
    },
)
def grouped_product(config: Any, backward: int) -> Case:
    """Rows in groups by a matrix for each, in each of the package's schedules."""

    def kernel(a: Any, b: Any) -> Any:
        return ragged_dot.ragged_dot(a, b, GROUPS, config=config)

    def reference(a: Any, b: Any) -> Any:
        return jax.lax.ragged_dot(a.astype(jnp.float32), b.astype(jnp.float32), GROUPS).astype(a.dtype)

    return pair(kernel, reference, [half(256, 256), half(4, 256, 256, seed=1)], backward)


@driver(PACKAGE)
def grouped_product_f8() -> Case:
    """The same of 8-bit floats."""
    a, b = (x.astype(jnp.float8_e4m3fn) for x in (half(256, 128), half(4, 128, 128, seed=1)))

    def reference(a: Any, b: Any) -> Any:
        wide = jax.lax.ragged_dot(a.astype(jnp.float32), jnp.swapaxes(b, 1, 2).astype(jnp.float32), GROUPS)
        return wide.astype(jnp.bfloat16)

    return pair(lambda a, b: ragged_dot_fp8.ragged_dot_fp8(a, b, GROUPS), reference, [a, b], 0)


@driver(PACKAGE, **WAYS)
def swiglu(backward: int) -> Case:
    """An MLP of which the gate is applied in the first product's epilogue."""

    def reference(x: Any, gate_up: Any, down: Any) -> Any:
        x, gate_up, down = (y.astype(jnp.float32) for y in (x, gate_up, down))
        gate, up = jnp.einsum("md,dpf->pmf", x, gate_up)
        return ((jax.nn.silu(gate) * up) @ down).astype(jnp.bfloat16)

    inputs = [half(256, 256), half(256, 2, 256, seed=1, scale=0.1), half(256, 256, seed=2, scale=0.1)]
    return pair(fused_gemm.swiglu_mlp, reference, inputs, backward)


# ---- losses ----


def _losses(hidden: Any, weight: Any, targets: Any, valid: Any) -> Any:
    logits = hidden.astype(jnp.float32) @ weight.astype(jnp.float32).T
    sums = jax.nn.logsumexp(logits, axis=-1)
    picked = jnp.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    return jnp.where(valid, sums - picked, 0.0).sum(), jnp.where(valid, sums**2, 0.0).sum()


@driver(PACKAGE, **{way: {"backward": count} for way, count in {"forward": 0, "backward": 2}.items()})
def cross_entropy_sums(backward: int) -> Case:
    """Logits that are never stored: their maxima, sums, and gradient."""
    hidden, weight = half(256, 256), half(512, 256, seed=1, scale=0.1)
    targets, valid = integers(0, 512, 256), jnp.arange(256) % 7 != 0

    def kernel(h: Any, w: Any) -> Any:
        found = linear_cross_entropy.ce_sums(
            h, w, targets, valid, label_smoothing=0.0, vocab_chunk=256, compute_dtype=jnp.bfloat16
        )
        return jnp.stack(found)

    return pair(kernel, lambda h, w: jnp.stack(_losses(h, w, targets, valid)), [hidden, weight], backward)


@driver(PACKAGE)
def cross_entropy_objective() -> Case:
    """The gradient made along with the loss."""
    hidden, weight = half(256, 256), half(512, 256, seed=1, scale=0.1)
    targets, valid = integers(0, 512, 256), jnp.arange(256) % 7 != 0

    def kernel(h: Any, w: Any) -> Any:
        return linear_cross_entropy.objective_sums(
            h, w, targets, valid, label_smoothing=0.0, z_loss_weight=0.1, row_chunk=256, compute_dtype=jnp.bfloat16
        )[0]

    def reference(h: Any, w: Any) -> Any:
        loss, z = _losses(h, w, targets, valid)
        return loss + 0.1 * z

    return pair(kernel, reference, [hidden, weight], 2)


# ---- attention ----


def softmax_attention(
    q: Any, k: Any, v: Any, segments: Any = None, window: int | None = None, sinks: Any = None
) -> Any:
    """Causal attention of grouped heads, as its kernels define it."""
    q, k, v = (x.astype(jnp.float32) for x in (q, k, v))
    k, v = (jnp.repeat(x, q.shape[2] // k.shape[2], axis=2) for x in (k, v))
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
    place = jnp.arange(q.shape[1])
    seen = place[:, None] >= place
    seen = seen if window is None else seen & (place[:, None] - place < window)
    seen = seen if segments is None else seen & (segments[:, None, :, None] == segments[:, None, None, :])
    scores = jnp.where(seen, scores, -jnp.inf)
    if sinks is not None:
        column = jnp.broadcast_to(sinks[None, :, None, None], (*scores.shape[:3], 1))
        scores = jnp.concatenate([scores, column], axis=-1)
    weights = jax.nn.softmax(scores, axis=-1)[..., : k.shape[1]]
    return jnp.einsum("bhqk,bkhd->bqhd", weights, v).astype(jnp.bfloat16)


@driver(
    PACKAGE,
    plain={"backward": 0},
    persistent={"backward": 0, "persistent_forward": True},
    one_block_each={"backward": 0, "persistent_forward": False},
    documents={"backward": 0, "segment_ids": SEGMENTS},
    window={"backward": 0, "sliding_window": 100},
    large={"backward": 0, "size": 128},
    ranged={"backward": 3},
    ranged_documents={"backward": 3, "segment_ids": SEGMENTS},
    fused={"backward": 3, "way": "fused"},
    full={"backward": 3, "way": "full"},
)
def flash_attention(backward: int, way: str = "ranged", size: int = 64, **options: Any) -> Case:
    """FlashAttention-3 with documents and windows, and its three ways back."""
    q, k, v = half(1, 256, 4, size), half(1, 256, 2, size, seed=1), half(1, 256, 2, size, seed=2)
    seen = {"segments": options.get("segment_ids"), "window": options.get("sliding_window")}

    def kernel(*inputs: Any) -> Any:
        return attention.flash_attention(*inputs, backward=way, **options)

    return pair(kernel, lambda *inputs: softmax_attention(*inputs, **seen), [q, k, v], backward)


# ---- attention to selected keys ----


def _index_inputs() -> list[jax.Array]:
    return [half(1, 256, 4, 64, seed=3), half(1, 256, 64, seed=4), normal(1, 256, 4, seed=5)]


@driver(PACKAGE, **WAYS)
def selected_attention(backward: int) -> Case:
    """Softmax over the keys that indices list."""
    q, k, v = half(1, 256, 4, 64), half(1, 256, 2, 64, seed=1), half(1, 256, 2, 64, seed=2)
    indices = jnp.minimum(integers(0, 256, 1, 256, 32), jnp.arange(256)[None, :, None])
    return pair(
        lambda *inputs: dsa.dsa_attention(*inputs, indices),
        lambda *inputs: sparse_attention.dsa(*inputs, indices),
        [q, k, v],
        backward,
    )


@driver(PACKAGE, **WAYS)
def index_scores(backward: int) -> Case:
    """The scores by which keys are selected."""

    def seen(scores: Any) -> Any:
        return jnp.where(jnp.isfinite(scores), scores, 0.0)

    return pair(
        lambda *inputs: seen(dsa.index_scores(*inputs)),
        lambda *inputs: seen(sparse_attention.dsa_index_scores(*inputs)),
        _index_inputs(),
        backward,
    )


@driver(PACKAGE)
def radix_top_k() -> Case:
    """The largest entries of rows, by counting digits; then their positions."""

    def ordered(indices: Any, values: Any) -> Any:
        order = jnp.argsort(indices, axis=-1)
        return [jnp.take_along_axis(x, order, axis=-1) for x in (indices, values)]

    def reference(scores: Any) -> Any:
        values, indices = jax.lax.top_k(scores, 32)
        return ordered(indices.astype(jnp.int32), values)

    return pair(lambda s: ordered(*dsa_topk.radix_top_k(s, 32)), reference, [normal(1, 64, 512)], 0, 1e-6)


@driver(PACKAGE, **WAYS)
def rotary_mamba3(backward: int) -> Case:
    """The recurrence with its rotary angles scanned and applied in kernels."""
    length, heads = 128, 2
    q, k = half(1, length, 1, 64), half(1, length, 1, 64, seed=1)
    v = half(1, length, heads, 64, seed=2)
    decay, steps = -jnp.abs(normal(1, length, heads, scale=0.2)), jax.nn.softplus(normal(1, length, heads, seed=3))
    others = [normal(1, length, heads, seed=4), normal(heads, 64, seed=5), normal(heads, 64, seed=6)]
    angles = normal(1, length, heads, 16, seed=7)

    def core(*inputs: Any) -> Any:
        return mamba3_fused.mamba3_siso_fused(*inputs, decay, steps, *others, angles)[0]

    stand_in("equinox")
    from jla.layers import ssm

    def reference(*inputs: Any) -> Any:
        return ssm.mamba3_siso(*inputs, decay, steps, *others, angles, impl="reference")[0]

    return pair(core, reference, [q, k, v], backward)


@driver(PACKAGE, ranged={"way": "ranged"}, fused={"way": "fused"})
def f8_attention_backward(way: str) -> Case:
    """Attention's gradients in 8-bit floats, scaled, with the rotation undone: beside them in plain JAX."""
    q, k, v = half(1, 256, 4, 64), half(1, 256, 2, 64, seed=1), half(1, 256, 2, 64, seed=2)
    do, turn = half(1, 256, 4, 64, seed=3), normal(1, 256, 32, seed=4)
    cos, sin, scales = jnp.cos(turn), jnp.sin(turn), jnp.array([0.01, 0.01, 0.01])
    cfg = attention._Config(scale=64**-0.5, window=None, has_segments=False, backward=way)
    seg, runs = jnp.zeros((1, 256), jnp.int32), jnp.zeros((1, 4, 256), jnp.int32)

    def kernel(q: Any, k: Any, v: Any) -> Any:
        out, lse = attention._forward(q, k, v, seg, runs, attention._sink_init(jnp.zeros(4), cfg.block_q), cfg)
        found = attention_fp8_bwd.fp8_attention_backward(q, k, v, seg, runs, out, lse, do, cos, sin, scales, cfg)
        return [part[0].astype(jnp.float32) for part in found[2:]]

    def reference(q: Any, k: Any, v: Any) -> Any:
        _, back = jax.vjp(lambda v: softmax_attention(q, k, v), v)
        (dv,) = back(do)
        return [jnp.clip(dv / scales[2], -57344, 57344).astype(jnp.float8_e5m2).astype(jnp.float32)]

    return pair(kernel, reference, [q, k, v], 0, 0.1)
