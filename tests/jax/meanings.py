"""What the code for NVIDIA's compiler in JAX's own tests means, where it has a meaning beyond that compiler."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

import kiln.pallas as kp

_CALL, _WARP = "mosaic_gpu_test.PallasCallTest.", "mosaic_gpu_test.PallasCallWarpPrimitiveSemanticsTest."


@kp.inline_meaning("mosaic_gpu_test._array_splat.<locals>.fn")
def splat(code: Any) -> Any:
    """One value everywhere."""
    return jnp.full(code.held["shape"], code.held["value"], jnp.float32)


@kp.inline_meaning(f"{_CALL}test_inline_mgpu.<locals>.kernel.<locals>.foo")
def twice_and_one(code: Any, ref: Any) -> Any:
    """2 x + 1, of a tiled ref."""
    x = ref[...]
    return x + x + jnp.ones((), x.dtype)


@kp.inline_meaning(f"{_CALL}test_inline_mgpu.<locals>.kernel.<locals>.store")
def store_and_copy(code: Any, x: Any, staged: Any, out: Any) -> None:
    """Stores a value to shared memory, and moves it from there."""
    staged[0] = x
    out[...] = staged[0]


@kp.inline_meaning(f"{_CALL}test_inline_mgpu_layout_args.<locals>.kernel.<locals>.custom_broadcast")
def scaled_rows(code: Any, x: Any, scales: Any) -> Any:
    """Each row has a factor."""
    return scales[:, None] * x


@kp.inline_meaning(f"{_CALL}test_inline_mgpu_scalar_args.<locals>.kernel.<locals>.write")
def store_scalar(code: Any, ref: Any, value: Any) -> None:
    """A store."""
    ref[...] = value


@kp.inline_meaning(f"{_WARP}test_inline_mgpu_in_warp.<locals>.kernel.<locals>._.<locals>.write")
def store_and_add(code: Any, ref: Any, number: Any) -> Any:
    """Stores a number, and gives it plus ten."""
    ref[...] = number
    return number + 10


@kp.inline_meaning(
    f"{_CALL}test_smem_aliasing_refunions_in_wg_semantics_can_have_distinct_transforms"
    ".<locals>.kernel.<locals>._with_transform.<locals>.f",
    "gpu_pallas_distributed_test.PallasCallRemoteDMATest.test_remote_dma_inline_mgpu"
    ".<locals>.kernel.<locals>.write_inline",
)
def nothing(code: Any, ref: Any) -> None:
    """The code asks for a ref, and does nothing."""
