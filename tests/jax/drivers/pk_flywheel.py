"""flywheel-tpu: attention over dense, packed and paged sequences, and gated delta rules with their convolution."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import flywheel_tpu as fw
import jax
import jax.numpy as jnp
from flywheel_tpu.linear_attention.gdn import wrapper as gdn
from flywheel_tpu.linear_attention.kda import wrapper as kda
from pretend import tensor_core

from drivers import Case, backward, driver, normal

PACKAGE = "flywheel-tpu"
HALF = 2e-2
half = functools.partial(normal, dtype=jnp.bfloat16)


def _attend(q: Any, k: Any, v: Any, seen: Any, cap: float = 0.0) -> Any:
    """One head of attention, in float32; `seen` says which keys a query sees."""
    q, k, v = (x.astype(jnp.float32) for x in (q, k, v))
    scores = q @ k.T / q.shape[-1] ** 0.5
    scores = cap * jnp.tanh(scores / cap) if cap else scores
    return jax.nn.softmax(jnp.where(seen, scores, -jnp.inf)) @ v


def _lower(rows: int, columns: int, left: int = -1) -> Any:
    """Causal from the last row on, and not farther back than `left`."""
    behind = jnp.arange(rows)[:, None] + columns - rows - jnp.arange(columns)
    return (behind >= 0) & ((behind <= left) if left >= 0 else True)


DENSE: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "groups": {"causal": True, "heads": 1},
    "window": {"causal": True, "window_size": (100, 0)},
    "cap": {"causal": True, "softcap": 2.0},
}


@driver(PACKAGE, **DENSE)
def flywheel_attention(heads: int = 2, **options: Any) -> Case:
    """Rows of equal length; a pipeline of copies by hand."""
    left, cap = options.get("window_size", (-1, -1))[0], options.get("softcap", 0.0)
    seen = _lower(256, 256, left) if options.get("causal") else True

    def reference(q: Any, k: Any, v: Any) -> Any:
        k, v = (jnp.repeat(x, 2 // heads, axis=1) for x in (k, v))
        attend = jax.vmap(jax.vmap(lambda q, k, v: _attend(q, k, v, seen, cap)))
        return attend(q, k, v).astype(q.dtype)

    inputs = [half(1, 2, 256, 128), half(1, heads, 256, 128, seed=1), half(1, heads, 256, 128, seed=2)]
    kernel = functools.partial(fw.flash_attn_func, **options)
    return Case(kernel, inputs, reference, HALF)


@driver(PACKAGE, **{name: DENSE[name] for name in ("plain", "causal", "groups")})
def flywheel_attention_backward(**options: Any) -> Case:
    """Its gradients."""
    return backward(flywheel_attention(**options), 3)


STARTS = (0, 100, 160, 256)


def _packed(q: Any, k: Any, v: Any) -> Any:
    """Attention inside of each piece of a packed sequence."""
    parts = []
    for start, end in itertools.pairwise(STARTS):
        seen = _lower(end - start, end - start)
        parts.append(jax.vmap(lambda q, k, v, seen=seen: _attend(q, k, v, seen))(*(x[:, start:end] for x in (q, k, v))))
    return jnp.concatenate(parts, axis=1).astype(q.dtype)


@driver(PACKAGE)
def flywheel_packed_attention() -> Case:
    """Sequences of several lengths, one behind the other."""
    starts = jnp.array(STARTS, jnp.int32)

    def kernel(q: Any, k: Any, v: Any) -> Any:
        return fw.flash_attn_varlen_func(q, k, v, starts, starts, 100, 100, causal=True)

    return Case(kernel, [half(2, 256, 128, seed=seed) for seed in range(3)], _packed, HALF)


LENGTHS = jnp.array([5, 130], jnp.int32)


def _cached(rows: Any, q: Any, k_new: Any, v_new: Any) -> Any:
    """Attention of the last tokens over a cache that they are appended to; `rows` gives keys and values of a row."""
    results = []
    for row in range(q.shape[0]):
        length, count = int(LENGTHS[row]), q.shape[1]
        k, v = (jnp.concatenate([old[:length], new[row]]) for old, new in zip(rows(row), (k_new, v_new), strict=True))
        seen = _lower(count, length + count)
        results.append(jax.vmap(lambda q, k, v, seen=seen: _attend(q, k, v, seen), 1, 1)(q[row], k, v))
    return jnp.stack(results).astype(q.dtype)


@driver(PACKAGE)
def flywheel_cache() -> Case:
    """One token a row over keys and values in rows of their own, which the kernel writes to."""
    new = [half(2, 1, 2, 128, seed=seed) for seed in range(3)]
    cache = [half(2, 256, 2, 128, seed=seed) for seed in (3, 4)]

    def kernel(q: Any, k: Any, v: Any, k_cache: Any, v_cache: Any) -> Any:
        return fw.flash_attn_with_kvcache(q, k_cache, v_cache, k, v, cache_seqlens=LENGTHS, causal=True)

    def reference(q: Any, k: Any, v: Any, k_cache: Any, v_cache: Any) -> Any:
        rows, out = jnp.arange(2), _cached(lambda row: (k_cache[row], v_cache[row]), q, k, v)
        return out, k_cache.at[rows, LENGTHS].set(k[:, 0]), v_cache.at[rows, LENGTHS].set(v[:, 0])

    return Case(kernel, [*new, *cache], reference, HALF)


@driver(PACKAGE, one={"count": 1}, several={"count": 24})
def flywheel_pages(count: int) -> Case:
    """New tokens over a cache in pages, where keys and values of a head lie side by side."""
    new = [half(2, count, 2, 128, seed=seed) for seed in range(3)]
    pages, table = half(5, 128, 4, 128, seed=3), jnp.array([[4, 1], [0, 3]], jnp.int32)

    def kernel(q: Any, k: Any, v: Any, pages: Any) -> Any:
        return fw.flash_attn_with_kvcache(q, pages, None, k, v, cache_seqlens=LENGTHS, block_table=table, causal=True)

    def reference(q: Any, k: Any, v: Any, pages: Any) -> Any:
        whole = pages[table].reshape(2, 256, 2, 2, 128)
        place = LENGTHS[:, None] + jnp.arange(count)
        page = jnp.take_along_axis(table, place // 128, axis=1)
        both = jnp.stack([k, v], axis=3).reshape(2, count, 4, 128)
        out = _cached(lambda row: (whole[row, :, :, 0], whole[row, :, :, 1]), q, k, v)
        return out, pages.at[page, place % 128].set(both)

    return Case(kernel, [*new, pages], reference, HALF)


# ---- gated delta rules ----

HEADS, WIDTH, TAPS, TOKENS = 2, 128, 4, 160


def _convolve(x: Any, weight: Any) -> Any:
    past = jnp.concatenate([jnp.zeros((TAPS - 1, x.shape[1])), x.astype(jnp.float32)])
    return jax.nn.silu(sum(past[k : k + x.shape[0]] * weight[:, 0, k] for k in range(TAPS)))


def _delta(x: Any, beta: Any, decay: Any, weight: Any) -> Any:
    """The delta rule token by token over one sequence; the logarithm of the decay is a number a key, or one for all."""
    q, k, v = (part.reshape(-1, HEADS, WIDTH) for part in jnp.split(_convolve(x, weight), 3, axis=1))
    q, k = (part * jax.lax.rsqrt((part * part).sum(-1, keepdims=True) + 1e-6) for part in (q, k))

    def step(state: Any, now: Any) -> Any:
        q, k, v, beta, decay = now
        state = jnp.exp(decay)[..., None] * state
        error = beta[:, None] * (v - jnp.einsum("hk,hkv->hv", k, state))
        state = state + k[..., None] * error[:, None]
        return state, jnp.einsum("hk,hkv->hv", q, state) * WIDTH**-0.5

    _, out = jax.lax.scan(step, jnp.zeros((HEADS, WIDTH, WIDTH)), (q, k, v, beta, decay))
    return out.reshape(x.shape[0], -1)


RULES: dict[str, dict[str, Any]] = {"gdn": {"keys": 1}, "kda": {"keys": WIDTH}}


@driver(PACKAGE, **RULES)
def flywheel_delta_rule(keys: int) -> Case:
    """Convolution, activation and delta rule of two new sequences in one kernel."""
    starts, slots = jnp.array([0, 90, TOKENS], jnp.int32), jnp.array([1, 2], jnp.int32)
    width = 3 * HEADS * WIDTH
    gate = normal(TOKENS, HEADS * keys, seed=2, dtype=jnp.float32 if keys == 1 else jnp.bfloat16)
    inputs = [half(TOKENS, width), normal(TOKENS, HEADS, seed=1), gate, normal(width, 1, TAPS, seed=3, scale=0.5)]
    a_log, bias = normal(HEADS, seed=4, scale=0.3), normal(HEADS * keys, seed=5)
    call = gdn.fused_conv1d_gdn if keys == 1 else kda.fused_conv1d_kda
    sizes = {"n_kq": HEADS, "n_v": HEADS, "d_k": WIDTH, "d_v": WIDTH, "kernel_size": TAPS}

    def kernel(x: Any, b: Any, gate: Any, weight: Any) -> Any:
        states = jnp.zeros((4, TAPS - 1, width), jnp.bfloat16), jnp.zeros((4, HEADS, WIDTH, WIDTH))
        shape = jnp.array([0, 0, 2], jnp.int32)
        where = (starts, slots, shape, starts[1:] - starts[:-1], slots)
        return call(x, b, gate, *states, weight, None, a_log, bias, *where, **sizes)[1]

    def reference(x: Any, b: Any, gate: Any, weight: Any) -> Any:
        decay = -jnp.exp(a_log)[:, None] * jax.nn.softplus(gate + bias).reshape(TOKENS, HEADS, keys)
        whole = (x, jax.nn.sigmoid(b), decay)
        parts = [_delta(*(part[low:high] for part in whole), weight) for low, high in ((0, 90), (90, TOKENS))]
        return jnp.concatenate(parts).astype(jnp.bfloat16)

    return Case(tensor_core(kernel), inputs, reference, HALF)
