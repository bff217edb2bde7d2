"""What the kernels of a JAX program are made of, and what becomes of each: noted where Kiln lowers a Pallas call."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
from jax._src import core as jax_core
from jax._src.interpreters import mlir
from jax._src.pallas import pallas_call as jax_pallas_call
from jax._src.pallas.triton.primitives import debug_barrier_p

import kiln
from kiln.pallas import bridge
from kiln.pallas.unsupported import Unsupported

WAITS = ("dma_start", "dma_wait", "semaphore_signal", "semaphore_wait", "get_barrier_semaphore")


def _walk(jaxpr: Any) -> Iterator[Any]:
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield equation
        for inner in jax_core.jaxprs_in_params(equation.params):
            yield from _walk(inner)


def machine(jaxpr: Any, params: Any) -> str:
    """Whose kernel it is, by its compiler parameters, memory spaces and primitives."""
    words = [type(params).__module__]
    values = [v.aval for v in jaxpr.invars] + [v.aval for e in _walk(jaxpr) for v in e.invars]
    words += [type(getattr(aval, "memory_space", None)).__module__ for aval in values]
    words += [e.primitive.name for e in _walk(jaxpr)]
    text = " ".join(words)
    if "mosaic_gpu" in text:
        return "mosaic gpu"
    if "mosaic" in text or "tpu" in text:
        return "tpu"
    return "triton" if "triton" in text or "masked_" in text else "generic"


WRAPPER = "jax/_src/pallas/mosaic_gpu/core.py"  # what plgpu.kernel puts around a body


def _body(jaxpr: Any) -> str:
    """The function that a kernel was made of, and its place."""
    told = str(jaxpr.debug_info.func_src_info or "kernel")
    inner = [str(i.debug_info.func_src_info) for e in jaxpr.eqns for i in jax_core.jaxprs_in_params(e.params)]
    return inner[0] if WRAPPER in told and len(inner) == 1 else told


def describe(jaxpr: Any, params: Any) -> dict[str, Any]:
    """Body, file and line, machine, equations, and whether it copies or waits."""
    equations = list(_walk(jaxpr))
    name, _, place = _body(jaxpr).partition(" at ")
    return {
        "kernel": name,
        "place": re.sub(r".*site-packages/", "", place),
        "machine": machine(jaxpr, params),
        "equations": len(equations),
        "waits": any(e.primitive.name in WAITS for e in equations),
    }


class Census:
    """The kernels that were lowered while it was open, each once."""

    def __init__(self) -> None:
        self.kernels: dict[Any, dict[str, Any]] = {}
        self.count = 0

    def note(self, interpret: Any, params: dict[str, Any]) -> str:
        """Exports a kernel, checks its text, and writes both down: why it cannot, or nothing."""
        self.count += 1
        row = describe(params["jaxpr"], params["compiler_params"])
        start = time.perf_counter()
        try:
            exported = bridge._export(interpret, **params)
            row["export_ms"] = 1e3 * (time.perf_counter() - start)
            row["lines"] = exported.text.count("\n")
            kiln.parse(exported.text)
            row["refused"] = ""
        except (Unsupported, kiln.Error) as error:
            row["refused"] = re.sub(r"\S*site-packages/", "", str(error))[:400]
        except Exception as error:  # a fault of the exporter is a row like the others
            row["refused"] = f"fault of the exporter: {type(error).__name__}: {error}"[:400]
        known = self.kernels.get((row["kernel"], row["place"]))
        if known is None or (row["equations"], row["refused"]) > (known["equations"], known["refused"]):
            self.kernels[row["kernel"], row["place"]] = row
        return str(row["refused"])


def _zeros(params: dict[str, Any]) -> list[Any]:
    blocks = params["grid_mapping"].block_mappings_output
    return [jnp.zeros(block.array_aval.shape, block.array_aval.dtype) for block in blocks]


@contextlib.contextmanager
def open_census(run: bool) -> Iterator[Census]:
    """Notes every Pallas call lowered with Kiln on; those that Kiln refuses, and all if not `run`, give zeros."""
    census, call, check = Census(), bridge._call, bridge._check_mode

    def noted(setting: Any, interpret: Any, *args: Any, **params: Any) -> Any:
        refused = census.note(interpret, params)
        return _zeros(params) if refused or not run else call(setting, interpret, *args, **params)

    bridge._call, bridge._check_mode = noted, lambda interpret: None
    try:
        yield census
    finally:
        bridge._call, bridge._check_mode = call, check


def interpret_always() -> None:
    """Lets JAX run in its interpreter what would want a GPU or a TPU: the reference where a case has none."""
    original = jax_pallas_call._pallas_call_lowering

    def lowering(ctx: Any, *nodes: Any, interpret: Any, **params: Any) -> Any:
        return original(ctx, *nodes, interpret=interpret or True, **params)

    jax_pallas_call._pallas_call_lowering = lowering
    mlir.register_lowering(debug_barrier_p, lambda ctx: [], platform="cpu")
