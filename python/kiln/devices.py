"""The devices that kernels can run on."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from kiln import _native
from kiln._native import Context, lib


@dataclass(frozen=True)
class Device:
    """A device. `on` is what `kernel(..., on=)` takes for it; an unusable one says why in `refusal`."""

    on: str
    name: str
    driver: str = ""
    usable: bool = True
    refusal: str = ""
    subgroup_size: int = 0


def devices() -> list[Device]:
    """The host, then every Vulkan device, the best first; refused ones too."""
    found = [Device("host", "host")]
    if not hasattr(lib, "kiln_devices"):
        return found
    context, count = Context(), ctypes.c_size_t()
    infos = ctypes.POINTER(_native.DeviceInfo)()
    desc = _native.DeviceDesc()
    lib.kiln_devices(context.handle, ctypes.byref(desc), ctypes.byref(infos), ctypes.byref(count))
    for info in infos[: count.value] if count.value else []:
        place = f"vulkan:{info.index}"
        size = info.profile.subgroup_size
        found.append(Device(place, str(info.name), str(info.driver), info.usable, str(info.refusal), size))
    return found
