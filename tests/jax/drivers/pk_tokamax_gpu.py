"""tokamax for Mosaic GPU: a kernel of its own for each generation of NVIDIA's GPUs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu
from pretend import told

from drivers import Case, backward, driver, integers, normal, stand_in
from drivers._hopper import HALF, half

stand_in("xprof")


def _arrive(arrive: Callable[[Any], None], barrier: Any, *, predicate: Any = None) -> None:
    if predicate is None:
        arrive(barrier)
    else:
        pl.when(predicate)(lambda: arrive(barrier))


def _store(ref: Any, value: Any, *, optimized: bool = True) -> None:
    ref[...] = value


if not hasattr(plgpu, "store"):  # nor has JAX 0.11 arrivals under a condition
    plgpu.store = _store
    plgpu.barrier_arrive = functools.partial(_arrive, plgpu.barrier_arrive)

from tokamax._src import mosaic_gpu  # noqa: E402
from tokamax._src.ops.attention import base as attention  # noqa: E402
from tokamax._src.ops.attention import pallas_mosaic_gpu as attention_gpu  # noqa: E402
from tokamax._src.ops.gated_linear_unit import base as glu  # noqa: E402
from tokamax._src.ops.gated_linear_unit import pallas_mosaic_gpu as glu_gpu  # noqa: E402
from tokamax._src.ops.ragged_dot import base as ragged  # noqa: E402
from tokamax._src.ops.ragged_dot import pallas_mosaic_gpu as ragged_gpu  # noqa: E402

GENERATIONS = {"ampere": "8.0", "hopper": "9.0", "blackwell": "10.0"}
EACH: dict[str, dict[str, Any]] = {name: {"capability": number} for name, number in GENERATIONS.items()}


def _case(kernel: Callable[..., Any], capability: str, *inputs: Any, plain: Callable[..., Any], count: int = 0) -> Case:
    """A kernel beside plain JAX, or gradients; under jit, where tokamax cannot look for the device of an array."""
    case = backward(Case(kernel, inputs, plain, HALF), count)
    return case._replace(function=told("gpu", jax.jit(case.function), compute_capability=capability))


def _attention(capability: str, count: int = 0, **options: Any) -> Case:
    inputs = [half(1, 256, 2, 64, seed=seed) for seed in range(3)]
    op = attention_gpu.PallasMosaicGpuFlashAttention()

    def plain(*x: Any) -> Any:
        return attention.DotProductAttention()(*x, **options)

    return _case(lambda *x: op(*x, **options), capability, *inputs, plain=plain, count=count)


@driver(
    "tokamax",
    **EACH,
    **{f"{name}_causal": {**kind, "is_causal": True} for name, kind in EACH.items()},
    **{f"{name}_cap": {**kind, "logits_soft_cap": 2.0} for name, kind in EACH.items()},
)
def tokamax_gpu_attention(**options: Any) -> Case:
    """Attention."""
    return _attention(**options)


@driver("tokamax", **{name: EACH[name] for name in ("hopper", "blackwell")})
def tokamax_gpu_attention_backward(**options: Any) -> Case:
    """Its gradients."""
    return _attention(count=3, is_causal=True, **options)


@driver("tokamax", **EACH)
def tokamax_gpu_gated_linear_unit(capability: str) -> Case:
    """Two products and a gate."""
    x, weights = half(128, 128), half(128, 2, 128, seed=1, scale=0.2)

    def unit(op: Any) -> Callable[..., Any]:
        return lambda x, w: op(x, w, activation=jax.nn.silu)

    plain = unit(glu.GatedLinearUnit())
    return _case(unit(glu_gpu.PallasMosaicGpuGatedLinearUnit()), capability, x, weights, plain=plain)


SIZES = np.array([100, 0, 60, 96], np.int32)


def _ragged(op: Any, **options: Any) -> Callable[..., Any]:
    return lambda x, w: op(x, w, group_sizes=SIZES, **options)


@driver("tokamax", **EACH)
def tokamax_gpu_ragged_dot(capability: str) -> Case:
    """A product for each group of rows."""
    inputs = half(256, 256), half(4, 256, 128, seed=1, scale=0.2)
    return _case(_ragged(ragged_gpu.PallasMosaicGpuRaggedDot()), capability, *inputs, plain=_ragged(ragged.RaggedDot()))


@driver("tokamax")
def tokamax_gpu_ragged_contraction() -> Case:
    """A product for each group along the contracted axis."""
    options = {"ragged_dot_dimension_numbers": ragged.RAGGED_CONTRACTING_DOT_DIM_NUMS}
    kernel = _ragged(ragged_gpu.PallasMosaicGpuRaggedDot(), **options)
    inputs = half(256, 128), half(256, 128, seed=1)
    return _case(kernel, GENERATIONS["hopper"], *inputs, plain=_ragged(ragged.RaggedDot(), **options))


QUANTISED: dict[str, dict[str, Any]] = {
    "hopper": {**EACH["hopper"]},
    "blackwell": {**EACH["blackwell"]},
    "blackwell_bytes": {**EACH["blackwell"], "left": jnp.int8},
    "blackwell_f8": {**EACH["blackwell"], "left": jnp.float8_e4m3fn},
    "blackwell_f8_permuted": {
        **EACH["blackwell"],
        "left": jnp.float8_e4m3fn,
        "op": ragged_gpu.PallasMosaicGpuRaggedDot(int4_to_fp8_offline_permute=True),
        "order": lambda w: mosaic_gpu.apply_int4_to_fp8_offline_permute(w, 1),
    },
}


def _quantised(x: Any, *, tile: int = 256) -> Any:
    """Integers and a scale for each tile of the contracted axis, the last but one."""
    parts = x.shape[-2] // tile
    scale = jnp.abs(normal(*x.shape[:-2], parts, x.shape[-1], seed=9, scale=0.1)).astype(jnp.bfloat16)
    return ragged.QArray(x, scale)


@driver("tokamax", **QUANTISED)
def tokamax_gpu_quantised_ragged_dot(capability: str, left: Any = None, op: Any = None, order: Any = None) -> Case:
    """Weights of four bits with scales, perhaps in another order, and activations that may have some, too."""
    x, w = half(256, 256), integers(-8, 8, 4, 256, 128, seed=1, dtype=jnp.int4)
    if left is not None:
        x = integers(-9, 10, 256, 256, dtype=jnp.int8).astype(left)

    def product(op: Any, order: Any = None) -> Callable[..., Any]:
        def run(x: Any, w: Any) -> Any:
            first = x if left is None else ragged.QArray(x, jnp.full((256, 1), 0.25, jnp.bfloat16))
            second = _quantised(order(w) if order else w)
            return op(first, second, group_sizes=SIZES, preferred_element_type=jnp.bfloat16)

        return run

    plain = product(ragged.RaggedDot())
    return _case(product(op or ragged_gpu.PallasMosaicGpuRaggedDot(), order), capability, x, w, plain=plain)
