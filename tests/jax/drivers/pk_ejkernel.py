"""ejkernel: attention, losses and products for one TPU core. Other kernels of it call what JAX 0.11 no longer has."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import jax
import jax.numpy as jnp

from drivers import Case, backward, driver, integers, normal


def interface(name: str) -> Any:
    """The function of a kernel."""
    return getattr(importlib.import_module(f"ejkernel.kernels._pallas.tpu.{name}._interface"), name)


@driver("ejkernel", plain={}, causal={"causal": True})
def ejkernel_flash_attention(**options: Any) -> Case:
    """A fork of JAX's flash attention."""
    inputs = [normal(1, 256, 2, 128, seed=seed) for seed in range(3)]
    return Case(functools.partial(interface("flash_attention"), **options), inputs, None, 1e-4)


@driver("ejkernel")
def ejkernel_ragged_decode_attention() -> Case:
    """One query a sequence, a window of keys each."""
    start, end = jnp.array([0, 10], jnp.int32), jnp.array([100, 256], jnp.int32)
    inputs = [normal(2, 8, 128), normal(2, 256, 2, 128, seed=1), normal(2, 256, 2, 128, seed=2)]
    kernel = interface("ragged_decode_attention")
    return Case(lambda *x: kernel(*x, start, end), inputs, None, 1e-4)


WAYS = {"forward": {"count": 0}, "backward": {"count": 1}}


@driver("ejkernel", **WAYS)
def ejkernel_cross_entropy(count: int) -> Case:
    """Logits of a vocabulary in blocks; the backward kernel copies rows of computed number."""
    kernel, targets = interface("fused_cross_entropy"), integers(0, 512, 16)

    def reference(logits: Any) -> Any:
        total = jax.nn.logsumexp(logits, axis=-1)
        return jnp.mean(total - logits[jnp.arange(16), targets] + 1e-3 * total**2)

    return backward(Case(lambda x: kernel(x, targets, z_loss=1e-3)[0], [normal(16, 512)], reference, 1e-4), count)


@driver("ejkernel", **WAYS)
def ejkernel_kl_divergence(count: int) -> Case:
    """Of a student from a teacher."""

    def reference(student: Any, teacher: Any) -> Any:
        wanted = jax.nn.log_softmax(teacher)
        return (jnp.exp(wanted) * (wanted - jax.nn.log_softmax(student))).sum(-1).mean()

    inputs = [normal(16, 512), normal(16, 512, seed=1)]
    return backward(Case(interface("fused_kl_divergence"), inputs, reference, 1e-4), count)


@driver("ejkernel")
def ejkernel_grouped_matmul() -> Case:
    """A fork of megablox."""
    kernel, sizes = interface("grouped_matmul"), jnp.array([40, 0, 88, 128], jnp.int32)
    return Case(lambda x, w: kernel(x, w, sizes), [normal(256, 128), normal(4, 128, 128, seed=1)], None, 1e-4)


@driver("ejkernel")
def ejkernel_page_attention() -> Case:
    """Pages fetched by copies."""
    kernel = interface("page_attention")
    lengths, table = jnp.array([21, 64], jnp.int32), integers(0, 12, 2, 4, seed=3)
    inputs = [normal(2, 8, 128), normal(2, 12, 16, 128, seed=1), normal(2, 12, 16, 128, seed=2)]
    return Case(lambda *x: kernel(*x, lengths, table, pages_per_compute_block=2), inputs, None, 1e-4)
