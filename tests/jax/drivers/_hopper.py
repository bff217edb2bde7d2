"""What drivers of kernels for Hopper share: bf16 inputs, and a kernel beside its reference, or both their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from pretend import hopper

from drivers import Case, backward, normal

HALF = 2e-2  # of bf16 products in several stages


def half(*shape: int, seed: int = 0, scale: float = 1.0) -> jax.Array:
    """Normal bf16 numbers."""
    return normal(*shape, seed=seed, dtype=jnp.bfloat16, scale=scale)


def pair(
    kernel: Callable[..., Any],
    reference: Callable[..., Any],
    arguments: Sequence[Any],
    count: int = 0,
    tolerance: float = HALF,
) -> Case:
    """A function for Hopper beside its reference, or their gradients by the first arguments."""
    case = backward(Case(kernel, list(arguments), reference, tolerance), count)
    return case._replace(function=hopper(case.function))
