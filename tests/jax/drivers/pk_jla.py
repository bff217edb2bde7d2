"""jax-linear-attention: recurrences in chunks, attention, grouped products and convolutions for Hopper."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jla import ops

from drivers import Case, driver, normal
from drivers._hopper import half, pair

PACKAGE = "jax-linear-attention"
B, T, H, K = 1, 128, 2, 64


def _decay(*shape: int, seed: int = 7) -> jax.Array:
    return -jnp.abs(normal(*shape, seed=seed, scale=0.2))


def _gate(*shape: int, seed: int = 8) -> jax.Array:
    return jax.nn.sigmoid(normal(*shape, seed=seed))


def _unit(*shape: int, seed: int = 1) -> jax.Array:
    x = normal(*shape, seed=seed)
    return (x / jnp.linalg.norm(x, axis=-1, keepdims=True)).astype(jnp.bfloat16)


# ---- recurrences ----

LIGHT = {"g": _decay(B, T, H)}
WRITE = {"beta": _gate(B, T, H)}
KINDS: dict[str, dict[str, Any]] = {
    "simple_gla": LIGHT,
    "gla": {"g": _decay(B, T, H, K)},
    "deltanet": WRITE,
    "gated_deltanet": LIGHT | WRITE,
    "kda": {"g": _decay(B, T, H, K)} | WRITE,
    "gdn2": {"g": _decay(B, T, H, K), "b": _gate(B, T, H, K).astype(jnp.bfloat16), "w": half(B, T, H, K, seed=5)},
    "mamba3": LIGHT | WRITE | {"gamma": _gate(B, T, H, seed=9)},
    "mlstm": LIGHT | {"i": normal(B, T, H, seed=6)},
    "gated_deltaproduct": LIGHT | WRITE,
    "rwkv7": {"w": _decay(B, T, H, K), "a": -_unit(B, T, H, K, seed=3), "b": _unit(B, T, H, K, seed=3)},
}


@driver(
    PACKAGE,
    **{kind: {"kind": kind, "backward": 0} for kind in KINDS},
    **{f"{kind}_backward": {"kind": kind, "backward": 3} for kind in KINDS},
)
def recurrence(kind: str, backward: int) -> Case:
    """A recurrence with its gates, in chunks of 64 tokens."""
    names = list(KINDS[kind])

    def attention(impl: str) -> Any:
        return lambda q, k, v, *gates: ops.linear_attention(
            kind, q, k, v, impl=impl, **dict(zip(names, gates, strict=True))
        )[0]

    inputs = [half(B, T, H, K), _unit(B, T, H, K), half(B, T, H, K, seed=2), *KINDS[kind].values()]
    return pair(attention("mosaic_gpu"), attention("reference"), inputs, backward)


@driver(PACKAGE, forward={"backward": 0}, backward={"backward": 3})
def mamba1(backward: int) -> Case:
    """The selective scan: a channel a lane."""
    inputs = [half(B, T, 16), half(B, T, 16, seed=1), half(B, T, 128, seed=2), half(B, T, 128, seed=3)]
    a, d, z = -jnp.abs(normal(128, 16, seed=4)), normal(128, seed=5), half(B, T, 128, seed=6)

    def scan(impl: str) -> Any:
        return lambda q, k, v, dt: ops.linear_attention(
            "mamba1", q, k, v, impl=impl, dt=dt, a=a, d=d, z=z, dt_softplus=True
        )[0]

    return pair(scan("mosaic_gpu"), scan("reference"), inputs, backward)


@driver(PACKAGE, forward={"backward": 0}, backward={"backward": 3})
def mamba3_mimo(backward: int) -> Case:
    """The recurrence of rank 4."""
    q, k, v = (half(B, T, H, 4, n, seed=seed, scale=0.3) for seed, n in enumerate((64, 64, 64)))
    gates = LIGHT | WRITE | {"gamma": _gate(B, T, H, seed=9)}

    def mimo(impl: str) -> Any:
        return lambda q, k, v: ops.linear_attention("mamba3_mimo", q, k, v, impl=impl, **gates)[0]

    return pair(mimo("mosaic_gpu"), mimo("reference"), [q, k, v], backward)
