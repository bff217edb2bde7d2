"""Kernels that reach the memory and the semaphores of other devices: all devices of the mesh around share one launch.

Parameters then have a leading dimension that numbers the devices. A kernel that stays on its own device is launched by
each of them alone: only when a kernel asks for another one is it exported anew, as one of `ManyDevices`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jax import tree_util
from jax._src import core as jax_core
from jax._src.pallas.mosaic_gpu.core import PeerMemRef
from jax._src.pallas.primitives import device_id_to_logical
from jax._src.pallas.utils import MeshInfo, strides_from_shape

from kiln.pallas.equation import Ref
from kiln.pallas.gpu.lower import GpuLowering
from kiln.pallas.memory import integer


def around() -> dict[Any, int]:
    """The axes of the mesh of devices around a call, and their sizes."""
    return dict(jax_core.get_axis_env().axis_sizes)


# ---- which device is meant ----


def number_of(low: GpuLowering, device: Any, kind: Any) -> str:
    """The number of a device, row by row of the mesh: `device` is its coordinates, or the number itself."""
    sizes = low.devices()
    mesh = MeshInfo(tuple(sizes.values()), tuple(sizes), strides_from_shape(tuple(sizes.values())))
    leaves, tree = tree_util.tree_flatten(device)
    values = [integer(low, leaf) for leaf in leaves]
    own = [low.axis_index(name) for name in sizes]

    def number(*operands: Any) -> Any:
        found = tree_util.tree_unflatten(tree, operands[: len(values)])
        places = dict(zip(sizes, operands[len(values) :], strict=True))
        logical, others = device_id_to_logical(mesh, found, kind, places.__getitem__)
        if others:
            raise low.unsupported(f"a device and {', '.join(map(str, others))} at once")
        return logical

    return low.trace(number, *values, *own)[0].text


def all_devices(low: GpuLowering, axes: Any) -> Sequence[str]:
    """The numbers of all devices, which are those along `axes`."""
    sizes = low.devices()
    named = axes if isinstance(axes, tuple) else (axes,)
    if set(named) != set(sizes):
        raise low.unsupported(f"some axes of the devices, {named} of {tuple(sizes)}", "JAX takes all of them as well")
    return [str(k) for k in range(math.prod(sizes.values()))]


# ---- the memory of others ----


def elsewhere(low: GpuLowering, ref: Ref, device: str) -> Ref:
    """A parameter of another device."""
    low.devices()
    if ref.text not in low.everywhere:
        raise low.unsupported("memory of another device that is no argument of the kernel")
    return low.own_part(low.everywhere[ref.text], device)


def remote(low: GpuLowering, ref: Ref, transforms: Sequence[Any]) -> tuple[Ref, list[Any]]:
    """The ref of another device where the transforms name one, and the transforms that are left."""
    others = [t for t in transforms if isinstance(t, PeerMemRef)]
    if not others:
        return ref, list(transforms)
    there = elsewhere(low, ref, number_of(low, others[-1].device_id, others[-1].device_id_type))
    return there, [t for t in transforms if not isinstance(t, PeerMemRef)]
