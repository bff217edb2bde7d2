"""Meanings of the code for NVIDIA's compiler in packages: jax-linear-attention and tokamax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.pallas import triton

from kiln.pallas.gpu.meanings import Code, Meaning

WARP = 32  # lanes

# ---- jax-linear-attention ----


def head_sum(code: Code, x: Any) -> Any:
    """The sum of each head's channels, in the place of each: so many lanes hold a head, each some of it."""
    head = code.held["lanes"] * _width(code.layouts[0])
    return jnp.broadcast_to(x.reshape(-1, head).sum(1, keepdims=True), (x.size // head, head)).reshape(x.shape)


def _width(layout: Any) -> int:
    """How many elements side by side a lane holds, of a strided layout."""
    return int(layout.kwargs.get("vec_size", 0) or layout.args[1])


def _exchanged(half: int, parts: list[Any]) -> list[Any]:
    """Each lane adds its half of the parts to that of the lane which differs by `half`: the lower or the upper one."""
    upper = (jax.lax.broadcasted_iota(jnp.int32, parts[0].shape, 1) & half) != 0
    pairs = list(zip(parts[: len(parts) // 2], parts[len(parts) // 2 :], strict=True))
    return [jnp.where(upper, high, low) + _of_lane_beside(jnp.where(upper, low, high), half) for low, high in pairs]


def _of_lane_beside(x: Any, distance: int) -> Any:
    """What the lane holds whose number differs by `distance`, a power of two."""
    split = x.reshape(x.shape[0], -1, 2, distance)
    return jnp.stack([split[:, :, 1], split[:, :, 0]], axis=2).reshape(x.shape)


def first_exchange(code: Code, low: Any, high: Any) -> Any:
    """The first step of 32 sums over the lanes of a warp."""
    return _exchanged(WARP // 2, [low.reshape(-1, WARP), high.reshape(-1, WARP)])[0].reshape(low.shape)


def last_exchanges(code: Code, ref: Any, *parts: Any) -> None:
    """The other steps: lane l holds the l-th sum of its warp, and stores it."""
    sums = [part.reshape(-1, WARP) for part in parts]
    while len(sums) > 1:
        sums = _exchanged(len(sums) // 2, sums)
    ref[...] = sums[0]


def scatter(
    code: Code, keep: Any, places: Any, x: Any, rows: Any, columns: Any, b: Any, indices: Any, values: Any
) -> None:
    """Stores elements that are wanted and their columns where they belong in their rows."""
    triton.store(indices.at[b, rows, places], columns, mask=keep != 0)
    triton.store(values.at[b, rows, places], x, mask=keep != 0)


def _inverse(lower: Any, x_ref: Any) -> Any:
    """(1 - L)^-1 of a strictly lower triangle, row by row from the top."""
    size = lower.shape[0]
    places = jax.lax.broadcasted_iota(jnp.int32, (size,), 0)
    x_ref[...] = (places[:, None] == places).astype(jnp.float32)

    def eliminate(j: Any, _: None) -> None:
        column = jnp.where(places == j, lower, 0.0).sum(1)
        x_ref[...] += column[:, None] * x_ref[j][None, :]

    jax.lax.fori_loop(0, size, eliminate, None)
    return x_ref[...]


def unit_lower_inverse(code: Code, negated: Any, staged: Any, x_ref: Any) -> Any:
    """(1 + A)^-1 of a strictly lower triangle, given -A transposed."""
    staged[...] = negated
    return _inverse(negated.T, x_ref)


def diagonal_block_inverse(code: Code, negated: Any, staged: Any, x_ref: Any) -> Any:
    """The same of each block of 16 on the diagonal; zero elsewhere."""
    staged[...] = negated
    block = jax.lax.broadcasted_iota(jnp.int32, (negated.shape[0],), 0) // 16
    return _inverse(jnp.where(block[:, None] == block, negated.T, 0.0), x_ref)


# ---- tokamax ----


def relabelled(code: Code, x: Any) -> Any:
    """The same values in another layout."""
    return x


def biased_f8(code: Code, x: Any) -> Any:
    """Integers of four bits plus eight, as the f8 of those bits: 2^-9 of their value.

    Code that does not permute bytes takes weights of which the later four of each eight lie between the others.
    """
    if "prmt" not in code.held["asm"]:
        x = x.reshape(*x.shape[:-1], -1, 4, 2).swapaxes(-1, -2).reshape(x.shape)
    return ((x.astype(jnp.float32) + 8) * 2.0**-9).astype(jnp.float8_e4m3fn)


def scaled_rows(code: Code, scales: Any, x: Any) -> Any:
    """Each row by its factor, which memory holds."""
    return scales[...][:, None] * x


def rescaled(code: Code, total: Any, product: Any, row_scale: Any, column_scale: Any) -> Any:
    """A sum that goes on by a product with a scale for each row and each column."""
    return product.astype(jnp.float32) * (row_scale[:, None] * column_scale) + total


JLA, TOKAMAX = "jla.ops.mosaic_gpu.", "tokamax._src.ops."
RAGGED_DOT = TOKAMAX + "ragged_dot.pallas_mosaic_gpu_kernel_sm100_"
KNOWN: dict[str, Meaning] = {  # unless the program says otherwise
    JLA + "short_conv_l2norm._head_sum.<locals>.head_sum": head_sum,
    JLA + "mamba1_bwd2._first_step": first_exchange,
    JLA + "mamba1_bwd2._finish_and_store": last_exchanges,
    JLA + "dsa_topk._scatter.<locals>.store": scatter,
    JLA + "gated_delta_rule_kernels._unit_lower_inverse": unit_lower_inverse,
    JLA + "gated_delta_rule_kernels._diag_block_inverse": diagonal_block_inverse,
    TOKAMAX + "attention.pallas_mosaic_gpu_kernel_sm80._relayout_p_to_lhs.<locals>.relabel": relabelled,
    "tokamax._src.mosaic_gpu.int4_as_biased_f8e4m3fn.<locals>.encode": biased_f8,
    RAGGED_DOT + "fp8_quant.rescale_tcgen05_acc.<locals>.rescale": rescaled,
    RAGGED_DOT + "quant.dequant.<locals>.scaled_w": scaled_rows,
    RAGGED_DOT + "i8_quant.rescale_i32_tcgen05_acc.<locals>.rescale": rescaled,
}
