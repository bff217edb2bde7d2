"""torch-xla: its Pallas kernels are files of JAX, read without torch."""

from __future__ import annotations

import importlib.util
import pathlib
import types
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from drivers import Case, driver, integers, normal

PACKAGE = "torch-xla"


def _store(ref: Any, idx: Any, val: Any, *, mask: Any = None) -> None:
    pltpu.store(ref.at[idx], val, mask=mask)


def _repeat(x: Any, count: int, axis: int) -> Any:
    return jnp.concatenate([x] * count, axis=axis)


SPACES = {name: getattr(pltpu, name) for name in ("VMEM", "SMEM", "SEMAPHORE") if hasattr(pltpu, name)}
EARLIER: list[tuple[Any, str, Any]] = [
    (pltpu, "TPUCompilerParams", pltpu.CompilerParams),
    (pltpu, "TPUMemorySpace", types.SimpleNamespace(ANY=pl.ANY, **SPACES)),
    (pltpu, "ANY", pl.ANY),
    (pltpu, "repeat", _repeat),
    (pl, "store", _store),
    (jax._src.dtypes, "bit_width", jax.dtypes.itemsize_bits),
]


def kernels(name: str) -> types.ModuleType:
    """A file of kernels, which finds what JAX calls otherwise today."""
    for place, old, new in EARLIER:
        if not hasattr(place, old):
            setattr(place, old, new)
    package = importlib.util.find_spec("torch_xla")
    assert package and package.origin
    place = pathlib.Path(package.origin).parent / "experimental" / "pallas_kernels" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@driver(PACKAGE, weights={"quantize_activation": False}, both={"quantize_activation": True})
def torch_xla_quantized_matmul(quantize_activation: bool) -> Case:
    """Weights of int8, and activations that the kernel quantises."""
    m = kernels("quantized_matmul_kernel")
    blocks = {f"{name}_block_size": 128 for name in ("batch", "out", "in")}

    def kernel(x: Any, w: Any, scale: Any) -> Any:
        return m.quantized_matmul_int8(x, w, scale, quantize_activation=quantize_activation, **blocks)

    def reference(x: Any, w: Any, scale: Any) -> Any:
        step = jnp.abs(x).max(axis=1, keepdims=True) / 127
        rounded = jnp.round(x / step) * step if quantize_activation else x
        return jnp.dot(rounded, w.T.astype(jnp.float32), precision="highest") * scale

    inputs = [normal(100, 256), integers(-127, 128, 200, 256, seed=1, dtype=jnp.int8), jnp.abs(normal(200, seed=2))]
    return Case(kernel, inputs, reference, 2e-2)


PAGE, TABLE = 64, integers(0, 16, 3, 4, seed=3)


def _attend(q: Any, k: Any, v: Any) -> Any:
    """Queries that are the last of a sequence; several heads of them look at one head of keys."""
    q = q.reshape(q.shape[0], k.shape[1], -1, q.shape[2])
    scores = jnp.einsum("qhgd,khd->hgqk", q, k)
    seen = jnp.arange(k.shape[0]) <= jnp.arange(q.shape[0])[:, None] + k.shape[0] - q.shape[0]
    chances = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf))
    return jnp.einsum("hgqk,khd->qhgd", chances, v).reshape(q.shape[0], -1, q.shape[3])


def _rows(pages: Any, row: int, length: int) -> Any:
    """Keys or values of a sequence, whose heads come first in the pages."""
    return pages[:, TABLE[row]].reshape(pages.shape[0], -1, pages.shape[3]).swapaxes(0, 1)[:length]


def _pages() -> list[jax.Array]:
    """Keys and values in f32, of such numbers that the kernel's rounding to bf16 changes nothing."""
    return [normal(2, 16, PAGE, 128, seed=seed, dtype=jnp.bfloat16).astype(jnp.float32) for seed in (1, 2)]


@driver(PACKAGE)
def torch_xla_paged_attention() -> Case:
    """Several queries a sequence over pages."""
    m, lengths = kernels("multi_queries_paged_attention_kernel"), (8, 21, 64)
    counts = jnp.full(3, 8, jnp.int32)

    def kernel(q: Any, k: Any, v: Any) -> Any:
        blocks = {"num_kv_pages_per_compute_block": 2, "num_queries_per_compute_block": 4}
        return m.paged_attention(q, k, v, jnp.array(lengths, jnp.int32), TABLE, counts, **blocks)

    def reference(q: Any, k: Any, v: Any) -> Any:
        return jnp.stack([_attend(q[row], *(_rows(x, row, n) for x in (k, v))) for row, n in enumerate(lengths)])

    return Case(kernel, [normal(3, 8, 4, 128, scale=0.1), *_pages()], reference, 1e-2)


STARTS, LENGTHS = (0, 8, 13, 32), (40, 64, 19)


@driver(PACKAGE)
def torch_xla_ragged_attention() -> Case:
    """Sequences with several numbers of queries each."""
    m = kernels("ragged_paged_attention_kernel")
    lengths, starts = (jnp.zeros(n, jnp.int32).at[: len(x)].set(jnp.array(x)) for n, x in ((32, LENGTHS), (33, STARTS)))
    table = jnp.zeros((32, 128), jnp.int32).at[:3, :4].set(TABLE)

    def kernel(q: Any, k: Any, v: Any) -> Any:
        blocks = {"num_kv_pages_per_block": 128, "num_queries_per_block": 16}
        _, result = m.ragged_paged_attention(q, k, v, lengths, table, starts, 3, **blocks)  # of checkify
        return result

    def reference(q: Any, k: Any, v: Any) -> Any:
        parts = zip(STARTS, STARTS[1:], LENGTHS, strict=False)
        sequences = [(q[low:high], *(_rows(x, row, n) for x in (k, v))) for row, (low, high, n) in enumerate(parts)]
        return jnp.concatenate([_attend(*sequence) for sequence in sequences])

    return Case(kernel, [normal(32, 4, 128, scale=0.1), *_pages()], reference, 1e-2)


@driver(PACKAGE, plain={}, window={"sliding_window": 20}, cap={"soft_cap": 2.0})
def torch_xla_ragged_attention_v2(**options: Any) -> Case:
    """The same, keys and values of a head side by side."""
    m = kernels("ragged_paged_attention_v2")
    fixed = [jnp.array(LENGTHS, jnp.int32), TABLE, jnp.array(STARTS, jnp.int32), jnp.array([3], jnp.int32)]

    def kernel(q: Any, pages: Any) -> Any:
        blocks = {"num_kv_pages_per_block": 2, "num_queries_per_block": 8}
        return m.ragged_paged_attention(q, pages, *fixed, **blocks, **options)

    def reference(q: Any, pages: Any) -> Any:
        return m.ref_ragged_paged_attention(q, pages, *fixed, **options)

    return Case(kernel, [normal(32, 8, 128), normal(16, 16, 4, 128, seed=1)], reference, 1e-4)
