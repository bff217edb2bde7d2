"""jax.experimental.pallas.ops.gpu: the kernels that talk to other GPUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.gpu import (
    all_gather_mgpu,
    collective_matmul_mgpu,
    hopper_matmul_mgpu,
    reduce_scatter_mgpu,
)
from jax.sharding import PartitionSpec as P

from drivers import Case, driver, integers, normal
from drivers._hopper import pair

DEVICES = 2
jax.config.update("jax_num_cpu_devices", DEVICES)


def _sharded(function: Callable[..., Any], specs: tuple[P, ...], result: P) -> Callable[..., Any]:
    mesh = jax.make_mesh((DEVICES,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=result, check_vma=False)


def _pair(kernel: Callable[..., Any], plain: Callable[..., Any], specs: tuple[P, ...], result: P, *inputs: Any) -> Case:
    """A kernel on every device beside XLA's collective."""
    return pair(_sharded(kernel, specs, result), _sharded(plain, specs, result), inputs, tolerance=2e-3)


@driver("jax", rows={"axis": 0}, columns={"axis": 1})
def mgpu_all_gather(axis: int) -> Case:
    """Every device stores its part into all of them."""
    return _pair(
        lambda x: all_gather_mgpu.all_gather(x, axis_name="x", gather_dimension=axis, num_blocks=4),
        lambda x: jax.lax.all_gather(x, "x", axis=axis, tiled=True),
        (P("x"),),
        P("x"),
        normal(128, 256),
    )


REDUCTIONS: dict[str, Callable[..., Any]] = {"add": jax.lax.psum, "max": jax.lax.pmax}


@driver("jax", sum={"operation": "add"}, largest={"operation": "max"})
def mgpu_all_reduce(operation: str) -> Case:
    """Every device loads what all of them hold, reduced."""
    return _pair(
        lambda x: reduce_scatter_mgpu.reduce_scatter(
            x, axis_name="x", scatter_dimension=None, reduction=operation, num_blocks=4
        ),
        lambda x: REDUCTIONS[operation](x, "x"),
        (P("x"),),
        P("x"),
        normal(128, 256),
    )


@driver("jax", rows={"axis": 0}, columns={"axis": 1}, bits={"axis": 0, "dtype": jnp.int32})
def mgpu_reduce_scatter(axis: int, dtype: Any = jnp.float32) -> Case:
    """Every device loads one part of it."""
    return _pair(
        lambda x: reduce_scatter_mgpu.reduce_scatter(x, axis_name="x", scatter_dimension=axis, num_blocks=4),
        lambda x: jax.lax.psum_scatter(x, "x", scatter_dimension=axis, tiled=True),
        (P("x"),),
        P("x"),
        integers(-9, 9, 128, 256) if dtype == jnp.int32 else normal(128, 256),
    )


HALVES = hopper_matmul_mgpu.MatmulDimension


@driver("jax", by_rows={"wg_dimension": HALVES.M}, by_columns={"wg_dimension": HALVES.N})
def mgpu_collective_matmul(**options: Any) -> Case:
    """A product whose left side moves from device to device while it is computed."""
    config = hopper_matmul_mgpu.TuningConfig(tile_m=64, tile_n=64, tile_k=64, max_concurrent_steps=2, **options)

    def plain(a: Any, b: Any) -> Any:
        whole = jax.lax.all_gather(a, "x", axis=0, tiled=True).astype(jnp.float32)
        return (whole @ b.astype(jnp.float32)).astype(jnp.float16)

    a, b = (normal(256, 256, seed=seed, dtype=jnp.float16, scale=0.5) for seed in (0, 1))
    kernel = lambda a, b: collective_matmul_mgpu.all_gather_lhs_matmul(a, b, "x", config=config)  # noqa: E731
    return _pair(kernel, plain, (P("x"), P(None, "x")), P(None, "x"), a, b)
