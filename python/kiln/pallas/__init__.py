"""JAX's Pallas kernels on Kiln, unchanged.

    import kiln.pallas as kp
    y = kp.run(f, x, on="vulkan")

`docs/jax.md` says what is supported and how to debug.
"""

from kiln.pallas.bridge import Run, export, interpreter, run
from kiln.pallas.gpu.meanings import inline_meaning
from kiln.pallas.unsupported import Unsupported

__all__ = ["Run", "Unsupported", "export", "inline_meaning", "interpreter", "run"]
