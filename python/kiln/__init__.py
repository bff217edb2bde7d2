"""Kiln from Python: tile kernels in the model of JAX Pallas, on the host and on any Vulkan device.

    import kiln
    k = kiln.load("softmax.kiln")["softmax"]
    y = k(x, on="host")

`kiln.pallas` runs the Pallas kernels of JAX programs.
"""

from kiln import output as _output
from kiln._native import lib as _lib
from kiln.devices import Device, devices
from kiln.errors import Error, Fault, Place
from kiln.kernel import Kernel, Module, Param, load, parse
from kiln.settings import Unexplored

_output.connect()
__version__ = _lib.kiln_version().decode()


def ops_json() -> str:
    """The op tables of the language as JSON, as `kiln ops --json` prints them."""
    text = _lib.kiln_python_ops()
    if text is None:
        raise MemoryError("no memory for the op tables")
    return text.decode()


__all__ = [
    "Device",
    "Error",
    "Fault",
    "Kernel",
    "Module",
    "Param",
    "Place",
    "Unexplored",
    "devices",
    "load",
    "ops_json",
    "parse",
]
