"""jax-linear-attention: recurrences in chunks, attention, grouped products and convolutions for Hopper."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jla import ops
from jla.ops.mosaic_gpu import scalar_gate

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


# ---- what only options or other sizes reach ----

DOCUMENTS = jnp.repeat(jnp.arange(3, dtype=jnp.int32), jnp.array([40, 50, 38]))[None]


def _scalar_gate(delta: bool, documents: bool = False, groups: int = 1, **options: Any) -> Any:
    segments = DOCUMENTS if documents else None

    def kernel(q: Any, k: Any, v: Any) -> Any:
        gates = (LIGHT["g"], WRITE["beta"] if delta else None)
        settings = {"scale": None, "initial_state": None, "output_final_state": False, "segment_ids": segments}
        return scalar_gate.run(q, k, v, *gates, delta=delta, **settings, **options)[0]

    def rule(q: Any, k: Any, v: Any) -> Any:
        q, k = (jnp.repeat(x, groups, axis=2) for x in (q, k))
        gates = LIGHT | (WRITE if delta else {})
        kind = "gated_deltanet" if delta else "simple_gla"
        return ops.linear_attention(kind, q, k, v, impl="reference", segment_ids=segments, **gates)[0]

    return kernel, rule


OPTIONS: dict[str, dict[str, Any]] = {
    "split": {"delta": True, "cp": 2},
    "split_documents": {"delta": True, "cp": 2, "documents": True},
    "split_all_chunks": {"delta": True, "cp": 2, "walk": False},
    "split_light": {"delta": False, "cp": 2},
    "split_light_documents": {"delta": False, "cp": 2, "documents": True},
    "factors_stored": {"delta": True, "wy": False},
    "one_backward": {"delta": True, "fused_bwd": True},
    "groups": {"delta": False, "groups": 2, "grouped_key_grads": True},
}


@driver(
    PACKAGE,
    **{name: {"backward": 0, **options} for name, options in OPTIONS.items()},
    **{f"{name}_backward": {"backward": 3, **options} for name, options in OPTIONS.items()},
)
def scalar_gated(backward: int, **options: Any) -> Case:
    """The delta rule and plain decay with their sequences in pieces, documents, and other ways back."""
    heads = H // options.get("groups", 1)
    inputs = [half(B, T, heads, K), _unit(B, T, heads, K), half(B, T, H, K, seed=2)]
    return pair(*_scalar_gate(**options), inputs, backward)


@driver(PACKAGE, forward={"backward": 0}, backward={"backward": 3})
def large_heads(backward: int) -> Case:
    """The delta rule on heads of 256 keys, in blocks of them."""
    gates = {"g": _decay(B, T, 1), "beta": _gate(B, T, 1)}

    def delta(impl: str) -> Any:
        return lambda q, k, v: ops.linear_attention("gated_deltanet", q, k, v, impl=impl, **gates)[0]

    inputs = [half(B, T, 1, 256), _unit(B, T, 1, 256), half(B, T, 1, 256, seed=2)]
    return pair(delta("mosaic_gpu"), delta("reference"), inputs, backward)


@driver(PACKAGE, forward={"backward": 0}, backward={"backward": 3})
def bounded_rwkv7(backward: int) -> Case:
    """RWKV-7 where the decay is known to be small, in kernels of its own."""
    gates = {"w": -0.6 * _gate(B, T, H, K), "a": -_unit(B, T, H, K, seed=3), "b": _unit(B, T, H, K, seed=3)}

    def rule(impl: str, **options: Any) -> Any:
        return lambda q, k, v: ops.linear_attention("rwkv7", q, k, v, impl=impl, **gates, **options)[0]

    inputs = [half(B, T, H, K), _unit(B, T, H, K), half(B, T, H, K, seed=2)]
    return pair(rule("mosaic_gpu", lower_bound=-0.61), rule("reference"), inputs, backward)


@driver(PACKAGE)
def gla_by_vector_gate() -> Case:
    """GLA in the kernels of KDA."""
    inputs = [half(B, T, H, K), _unit(B, T, H, K), half(B, T, H, K, seed=2)]

    def gla(impl: str, **options: Any) -> Any:
        gates = {"g": KINDS["gla"]["g"], "segment_ids": DOCUMENTS}
        return lambda q, k, v: ops.linear_attention("gla", q, k, v, impl=impl, **gates, **options)[0]

    return pair(gla("mosaic_gpu", pipeline="vector_gate"), gla("reference"), inputs, 3)
