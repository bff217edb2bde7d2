"""Code for NVIDIA's compiler (`plgpu.inline_mgpu`): what its meaning gives, or the statement of Kiln's that it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from jax import tree_util

from kiln.pallas.equation import Equation, Operand, Ref
from kiln.pallas.gpu.known import KNOWN
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.gpu.meanings import MEANINGS, Code
from kiln.pallas.gpu.memory import peer
from kiln.pallas.lower import rule
from kiln.pallas.memory import integer, view_through


def _name(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', function)}"


def _held(function: Any) -> Mapping[str, Any]:
    return inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}


def _operands(low: GpuLowering, eqn: Equation) -> list[Operand]:
    """Arrays, and what the transforms of refs show."""
    count = len(eqn.params["flat_arg_types"])
    seen = tree_util.tree_unflatten(eqn.params["pytree_ref_transforms"], eqn.operands[count:])
    pairs = zip(eqn.operands[:count], seen or [()] * count, strict=True)
    return [view_through(low, *peer(low, x, through)) if isinstance(x, Ref) else x for x, through in pairs]


@rule("inline_mgpu", machine="gpu")
def lower_inline(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """Code whose meaning is known."""
    function, operands = eqn.params["mgpu_fn"], _operands(low, eqn)
    code, name = Code(_held(function), eqn.params["flat_arg_types"], eqn.params["flat_ret_ty"]), _name(function)
    if low.warps is not None:
        _check_scalars(code.results)
    if line := _by_instruction(code.held) or FENCES.get(name):
        low.writer.line(line)
    elif name in NAMED_BARRIERS:
        _meet(low, code.held, operands)
    elif name not in NOTHING:
        return _by_meaning(low, code, name, operands)
    return []


def _by_meaning(low: GpuLowering, code: Code, name: str, operands: Sequence[Operand]) -> Sequence[Operand]:
    meaning = MEANINGS.get(name) or KNOWN.get(name)
    if meaning is None:
        hint = "write it in JAX, or say what it means: kp.inline_meaning"
        raise low.unsupported(f"the code for NVIDIA's compiler in `{name}`", hint)
    return low.trace(functools.partial(meaning, code), *operands)


def _check_scalars(results: Sequence[Any]) -> None:
    """A warp alone has no arrays: JAX refuses them in these words."""
    for shape in (result.shape for result in results if result.shape):
        raise ValueError(f"inline_mgpu in a single-warp context only supports scalar return types. Got {shape=}.")


# ---- statements ----

PTX = {"fence.proxy.async": "commit smem"}  # by what an instruction begins with
FENCES = {  # by function
    "tokamax._src.mosaic_gpu.fence_async_shared_cta": "commit smem",
    "tokamax._src.mosaic_gpu.tcgen05_wait_ld": "await tmem",
    "tokamax._src.mosaic_gpu.tcgen05_wait_st": "commit tmem",
}
NOTHING = {  # lanes of one thread wait for each other; fences for what Kiln orders by its barriers
    "tokamax._src.mosaic_gpu.<lambda>",
    "tokamax._src.mosaic_gpu.tcgen05_fence_before_thread_sync",
    "tokamax._src.mosaic_gpu.tcgen05_fence_after_thread_sync",
}
NAMED_BARRIERS = {
    "jla.ops.mosaic_gpu.attention._named_barrier.<locals>.bar",
    "tokamax._src.mosaic_gpu._bar_operation.<locals>.bar_op",
}
LANES, WARP = 128, 32  # of a Pallas thread, and of one of its warps


def _by_instruction(held: Mapping[str, Any]) -> str:
    """The statement for code that is one known instruction, as JAX's own helpers write it."""
    code = str(held.get("asm", ""))
    return next((text for start, text in PTX.items() if code.startswith(start)), "")


def _meet(low: GpuLowering, held: Mapping[str, Any], operands: Sequence[Operand]) -> None:
    """One of a block's 16 barriers that have numbers for names: so many lanes arrive, and some of them wait.

    Lanes that make no whole thread are those of single warps.
    """
    number = integer(low, operands[0] if operands else held["barrier_id"])
    threads, rest = divmod(int(held["num_threads"]), LANES)
    barriers = low.named_barriers(threads + rest // WARP)
    low.writer.line(f"arrive {barriers}[{number.text}]")
    if held.get("op", held.get("operation")) == "sync":
        low.writer.line(f"wait {barriers}[{number.text}]")
