"""Elementwise primitives, reductions and scans: those with parameters, and the three forms of Kiln's op table."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax

from kiln.pallas import table
from kiln.pallas.equation import Equation, Operand, Value
from kiln.pallas.lower import Lowering, is_integer, rule
from kiln.pallas.text import dtype_name

SIGNED = {jnp.dtype(f"uint{bits}"): jnp.dtype(f"int{bits}") for bits in (2, 4, 8, 16, 32, 64)}


def attribute_list(values: Sequence[int]) -> str:
    """`[0, 2]`."""
    return f"[{', '.join(map(str, values))}]"


@rule("form:map")
def lower_map(low: Lowering, eqn: Equation) -> Operand:
    """An elementwise op of the table. Bools are ordered as numbers are."""
    operands = eqn.operands
    if eqn.name in ("lt", "le", "gt", "ge"):
        operands = [low.convert(x, np.int32) if x.dtype == np.bool_ else x for x in operands]
    return low.elementwise(eqn.name, operands, eqn.avals[0].shape, eqn.avals[0].dtype)


@rule("shift_right_arithmetic")
def lower_shift_right(low: Lowering, eqn: Equation) -> Operand:
    """Unsigned numbers keep their top bit, too, as XLA has it; Kiln's `>>` brings zeros into those."""
    x, amount = eqn.operands
    if x.dtype not in SIGNED:
        return low.elementwise(eqn.name, [x, amount], eqn.avals[0].shape, x.dtype)
    signed = SIGNED[x.dtype]
    return low.trace(
        lambda *pair: lax.bitcast_convert_type(
            lax.shift_right_arithmetic(*(lax.bitcast_convert_type(each, signed) for each in pair)), x.dtype
        ),
        x,
        amount,
    )[0]


@rule("add_any")
def lower_add_any(low: Lowering, eqn: Equation) -> Operand:
    """The sum of cotangents."""
    return low.elementwise("add", eqn.operands, eqn.avals[0].shape, eqn.avals[0].dtype)


@rule("form:reduce")
def lower_reduce(low: Lowering, eqn: Equation) -> Operand:
    """A reduction over axes; those of arguments give the index type that is asked for."""
    x, aval, axes = eqn.operands[0], eqn.avals[0], eqn.params["axes"]
    if not axes:
        return x
    op = table.ops()[eqn.name]
    axis = str(axes[0]) if len(axes) == 1 else attribute_list(axes)
    found = eqn.params.get("index_dtype")
    limits = x.bounds if op.name in ("max", "min") and all(x.shape) else None
    result = low.let(f"{op.name}({x.text}, axis: {axis})", aval.shape, np.int32 if found else aval.dtype, limits)
    return low.convert(result, found) if found else result


@rule("form:scan")
def lower_scan(low: Lowering, eqn: Equation) -> Operand:
    """A running sum, product, maximum or minimum."""
    x, aval = eqn.operands[0], eqn.avals[0]
    reverse = ", reverse" if eqn.params["reverse"] else ""
    text = f"{table.ops()[eqn.name].name}({x.text}, axis: {eqn.params['axis']}{reverse})"
    return low.let(text, aval.shape, aval.dtype)


@rule("select_n")
def lower_select(low: Lowering, eqn: Equation) -> Operand:
    """One of several cases, by a bool or by a number."""
    which, *cases = eqn.operands
    shape, dtype = eqn.avals[0].shape, eqn.avals[0].dtype
    if len(cases) == 1:
        return low.full(cases[0], shape) if cases[0].shape != shape else cases[0]
    if which.dtype == np.bool_:
        return low.elementwise("select_n", [which, cases[1], cases[0]], shape, dtype)
    result = cases[-1]
    for number in range(len(cases) - 2, -1, -1):
        before = low.binary("le", which, low.constant(number, which.dtype), np.bool_)
        result = low.elementwise("select_n", [before, cases[number], result], shape, dtype)
    return result


@rule("convert_element_type")
def lower_convert(low: Lowering, eqn: Equation) -> Operand:
    """To another element type."""
    return low.convert(eqn.operands[0], eqn.avals[0].dtype)


@rule("pow")
def lower_pow(low: Lowering, eqn: Equation) -> Operand:
    """A power; an integer exponent of a float is a float, as in XLA."""
    base, exponent = eqn.operands
    aval = eqn.avals[0]
    if is_integer(aval.dtype):
        raise low.unsupported("`pow` of integers", "use jnp.power with a known exponent")
    return low.elementwise("pow", [base, low.convert(exponent, aval.dtype)], aval.shape, aval.dtype)


@rule("integer_pow")
def lower_integer_pow(low: Lowering, eqn: Equation) -> Operand:
    """A power with a known integer exponent."""
    return _with_attributes(low, eqn, f"exponent: {eqn.params['y']}")


@rule("reduce_precision")
def lower_reduce_precision(low: Lowering, eqn: Equation) -> Operand:
    """Rounding to fewer bits."""
    bits = f"exponent: {eqn.params['exponent_bits']}, mantissa: {eqn.params['mantissa_bits']}"
    return _with_attributes(low, eqn, bits)


def _with_attributes(low: Lowering, eqn: Equation, attributes: str) -> Operand:
    op, aval = table.ops()[eqn.name], eqn.avals[0]
    return low.let(f"{op.name}({eqn.operands[0].typed}, {attributes})", aval.shape, aval.dtype)


@rule("round")
def lower_round(low: Lowering, eqn: Equation) -> Operand:
    """Halves away from zero, or to even."""
    name = "round_even" if int(eqn.params["rounding_method"]) == 1 else "round"
    return low.let(f"{name}({eqn.operands[0].typed})", eqn.avals[0].shape, eqn.avals[0].dtype)


@rule("is_finite")
def lower_is_finite(low: Lowering, eqn: Equation) -> Operand:
    """False for infinities and NaN."""
    return low.let(f"is_finite({eqn.operands[0].typed})", eqn.avals[0].shape, np.bool_)


@rule("reciprocal")
def lower_reciprocal(low: Lowering, eqn: Equation) -> Operand:
    """One over x; the approximate one rounds its operand to bf16 first, as JAX's interpreter does."""
    (x,), dtype = eqn.operands, eqn.avals[0].dtype
    if eqn.params["approx"]:
        x = low.convert(x, jnp.bfloat16)
    return low.convert(low.binary("div", low.constant(1.0, x.dtype), x), dtype)


@rule("bitcast_convert_type")
def lower_bitcast(low: Lowering, eqn: Equation) -> Operand:
    """The same bits as another type; a last axis is made or dropped when the widths differ, in Kiln as in JAX."""
    (x,), aval = eqn.operands, eqn.avals[0]
    if x.dtype == aval.dtype:
        return x
    return low.let(f"bitcast({x.typed}, type: {dtype_name(aval.dtype)})", aval.shape, aval.dtype)


@rule(
    "copy", "stop_gradient", "multiple_of", "max_contiguous", "name", "pvary", "reduced_vary_cast", "tie",
    "sharding_constraint", "layout_constraint", "with_memory_space_constraint", "remove_memory_space", "device_put",
    "optimization_barrier", "random_wrap", "random_unwrap", "random_clone", "reshard", "relayout",
    "xla_metadata_value",
)  # fmt: skip
def lower_identity(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Hints to other compilers, and wrappings that have no bits of their own."""
    return [v for v in eqn.operands if isinstance(v, Value)][: len(eqn.outputs)]


@rule("debug_barrier", "delay", "dce_sink")
def lower_nothing(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Waits that one unit alone need not make, and what only keeps equations alive."""
    return []
