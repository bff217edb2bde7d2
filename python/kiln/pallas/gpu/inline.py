"""What pieces of code for NVIDIA's compiler mean (`plgpu.inline_mgpu`): a table by the function that emits them.

Such a function makes instructions, of which the jaxpr knows the operands and results only. A meaning is a function of
the same operands in Pallas, which is traced where the code stands: arrays are arrays, refs are refs. Its first argument
says more of the code. Some code is a statement of Kiln's instead: fences and named barriers.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jax import tree_util

from kiln.pallas.equation import Equation, Operand, Ref
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.lower import rule
from kiln.pallas.memory import integer, view_through


class Code(NamedTuple):
    """What a meaning may ask of the code beside its operands."""

    held: Mapping[str, Any]  # variables that the function closes over
    layouts: Sequence[Any]  # of its operands
    results: Sequence[Any]  # types of what it gives


Meaning = Callable[..., Any]
Statement = Callable[[GpuLowering, Code, Sequence[Operand]], None]
MEANINGS: dict[str, Meaning] = {}
STATEMENTS: dict[str, Statement] = {}


def inline_meaning(*names: str) -> Callable[[Meaning], Meaning]:
    """Says what the code of functions means, which are named as `package.module.function.<locals>.inner`."""

    def register(function: Meaning) -> Meaning:
        MEANINGS.update(dict.fromkeys(names, function))
        return function

    return register


def statement(*names: str) -> Callable[[Statement], Statement]:
    """Registers what writes the statement that the code of functions is."""

    def register(function: Statement) -> Statement:
        STATEMENTS.update(dict.fromkeys(names, function))
        return function

    return register


def _name(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', function)}"


def _held(function: Any) -> Mapping[str, Any]:
    return inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}


def _operands(low: GpuLowering, eqn: Equation) -> list[Operand]:
    """Arrays, and what the transforms of refs show."""
    count = len(eqn.params["flat_arg_types"])
    seen = tree_util.tree_unflatten(eqn.params["pytree_ref_transforms"], eqn.operands[count:])
    pairs = zip(eqn.operands[:count], seen or [()] * count, strict=True)
    return [view_through(low, x, through) if isinstance(x, Ref) else x for x, through in pairs]


@rule("inline_mgpu", machine="gpu")
def lower_inline(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Code whose meaning is known."""
    function, operands = eqn.params["mgpu_fn"], _operands(low, eqn)
    code, name = Code(_held(function), eqn.params["flat_arg_types"], eqn.params["flat_ret_ty"]), _name(function)
    if line := _by_instruction(code.held):
        low.writer.line(line)
        return []
    if name in STATEMENTS:
        STATEMENTS[name](low, code, operands)
        return []
    if name in MEANINGS:
        return low.trace(functools.partial(MEANINGS[name], code), *operands)
    hint = "write it in JAX, or say what it means: kp.inline_meaning"
    raise low.unsupported(f"the code for NVIDIA's compiler in `{name}`", hint)


# ---- statements ----

PTX = {"fence.proxy.async": "commit smem"}  # by what an instruction begins with


def _by_instruction(held: Mapping[str, Any]) -> str:
    """The statement for code that is one known instruction, as JAX's own helpers write it."""
    code = str(held.get("asm", ""))
    return next((text for start, text in PTX.items() if code.startswith(start)), "")


@statement("tokamax._src.mosaic_gpu.fence_async_shared_cta")
def write_fence(low: GpuLowering, code: Code, operands: Sequence[Operand]) -> None:
    """A fence between stores to shared memory and copies."""
    low.writer.line("commit smem")


@statement("tokamax._src.mosaic_gpu.tcgen05_wait_ld")
def write_loads_end(low: GpuLowering, code: Code, operands: Sequence[Operand]) -> None:
    """The end of loads from tensor memory."""
    low.writer.line("await tmem")


@statement("tokamax._src.mosaic_gpu.tcgen05_wait_st")
def write_stores_end(low: GpuLowering, code: Code, operands: Sequence[Operand]) -> None:
    """The end of stores to tensor memory."""
    low.writer.line("commit tmem")


@statement(
    "tokamax._src.mosaic_gpu.<lambda>",
    "tokamax._src.mosaic_gpu.tcgen05_fence_before_thread_sync",
    "tokamax._src.mosaic_gpu.tcgen05_fence_after_thread_sync",
)
def write_nothing(low: GpuLowering, code: Code, operands: Sequence[Operand]) -> None:
    """Lanes of one thread wait for each other; fences for what Kiln orders by its barriers."""


LANES = 128  # of a Pallas thread


@statement(
    "jla.ops.mosaic_gpu.attention._named_barrier.<locals>.bar",
    "tokamax._src.mosaic_gpu._bar_operation.<locals>.bar_op",
)
def write_named_barrier(low: GpuLowering, code: Code, operands: Sequence[Operand]) -> None:
    """One of a block's 16 barriers that have numbers for names: so many lanes arrive, and some of them wait."""
    held = code.held
    number = integer(low, operands[0] if operands else held["barrier_id"])
    barriers = low.named_barriers(int(held["num_threads"]) // LANES)
    low.writer.line(f"arrive {barriers}[{number.text}]")
    if held.get("op", held.get("operation")) == "sync":
        low.writer.line(f"wait {barriers}[{number.text}]")
