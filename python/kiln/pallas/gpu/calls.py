"""Which calls are Mosaic GPU's: asked of every call, so without its part of JAX, which takes long to import."""

from __future__ import annotations

from typing import Any

from jax._src.pallas.mosaic_gpu.interpret.params import InterpretGPUParams

from kiln.kernel import Settings


def is_gpu(interpret: Any, mesh: Any, compiler_params: Any) -> bool:
    """Whether a call is one of Mosaic GPU."""
    own = "jax._src.pallas.mosaic_gpu"
    return any(type(x).__module__.startswith(own) for x in (interpret, mesh, compiler_params))


def is_mode(interpret: Any, settings: Settings) -> bool:
    """Whether a call is to run as JAX's interpreter runs it: races are noted, unless `check` asks for them."""
    return isinstance(interpret, InterpretGPUParams) and settings.on == b"host" and not settings.check
