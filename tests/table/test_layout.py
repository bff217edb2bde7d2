#!/usr/bin/env python3
"""Random layouts of parameters and scratch: packing against XLA's definition done with NumPy, and kernels between them.

  test_layout.py --library libkiln.so [--on host|vulkan]

The definition, from XLA's description of tiled layouts, on whole arrays: put the dimensions in order, the major one first; for each tile
pad the last dimensions to multiples of it, split each into (which tile, where in it), and move what is within tiles to the end. A kernel
copies an array from one layout to another by blocks, or by way of scratch in a third; on a device all are what its memory holds, so its
address arithmetic is tested.
"""
import ctypes
import sys

import numpy as np

from kiln_ctypes import DTYPES, STORAGE, arguments, array_of, opened

KERNELS = {"host": 60, "vulkan": 24}
PACKINGS = 300
DTYPES_USED = ["f32", "u16", "i8", "i4", "u2", "f4e2m1fn"]
BITS = {"i4": 4, "f4e2m1fn": 4, "u2": 2}


class Tile(ctypes.Structure):
    _fields_ = [("rank", ctypes.c_uint32), ("dims", ctypes.c_int64 * 8)]


class RawLayout(ctypes.Structure):
    _fields_ = [("rank", ctypes.c_uint32), ("minor_to_major", ctypes.c_uint32 * 8), ("tile_count", ctypes.c_uint32), ("tiles", Tile * 4),
                ("element_bits", ctypes.c_uint32)]


class Layout:
    """minor_to_major, tiles, and the bits of an element where these are packed (else 0)."""

    def __init__(self, order, tiles, bits):
        self.order, self.tiles, self.bits = order, tiles, bits

    def __str__(self):
        tiles = "T" + "".join(f"({','.join(map(str, tile))})" for tile in self.tiles) if self.tiles else ""
        details = tiles + (f"E({self.bits})" if self.bits else "")
        return f"{{{','.join(map(str, self.order))}{':' if details else ''}{details}}}"

    def raw(self):
        tiles = [Tile(len(tile), (ctypes.c_int64 * 8)(*tile)) for tile in self.tiles]
        return RawLayout(len(self.order), (ctypes.c_uint32 * 8)(*self.order), len(tiles), (Tile * 4)(*tiles), self.bits)

    def packed(self, data):
        """What memory holds, padding as zeros: bytes."""
        memory = data.transpose(self.order[::-1])
        for tile in self.tiles:
            kept = memory.ndim - len(tile)
            memory = np.pad(memory, [(0, 0)] * kept + [(0, -size % step) for size, step in zip(memory.shape[kept:], tile)])
            split = [part for size, step in zip(memory.shape[kept:], tile) for part in (size // step, step)]
            axes = [*range(kept), *range(kept, memory.ndim + len(tile), 2), *range(kept + 1, memory.ndim + len(tile), 2)]
            memory = memory.reshape(*memory.shape[:kept], *split).transpose(axes)
        flat = np.ascontiguousarray(memory).reshape(-1)
        if not self.bits:
            return flat.view(np.uint8)
        places = np.unpackbits(flat.astype(np.uint8)[:, None], axis=1, count=self.bits, bitorder="little").reshape(-1)
        return np.packbits(places, bitorder="little")


def random_layout(rng, rank, dtype):
    """One tile of any rank, or two of which the second divides the first, as XLA's do."""
    tiles = []
    if rng.random() < 0.8:
        inner = [int(size) for size in rng.integers(1, 4, rng.integers(1, rank + 1))]
        tiles = [[size * int(rng.integers(1, 4)) for size in inner]]
        if rng.random() < 0.5:
            tiles.append(inner)
    return Layout([int(d) for d in rng.permutation(rank)], tiles, BITS[dtype] if dtype in BITS and rng.random() < 0.7 else 0)


def random_array(rng, dtype):
    shape = tuple(int(size) for size in rng.integers(1, 12, rng.integers(1, 4)))
    width = BITS.get(dtype, 8 * STORAGE[dtype]().itemsize)
    return rng.integers(0, 1 << min(width, 23), shape).astype(STORAGE[dtype])


def check_packing(kiln, rng, dtype):
    data = random_array(rng, dtype)
    layout = random_layout(rng, data.ndim, dtype)
    raw, array, expected = layout.raw(), array_of(data, dtype), layout.packed(data)
    kiln.lib.kiln_layout_size.restype = ctypes.c_size_t
    size = kiln.lib.kiln_layout_size(ctypes.byref(raw), ctypes.byref(array))
    memory, back = np.zeros(size, np.uint8), np.zeros_like(data)
    kiln.lib.kiln_layout_pack(ctypes.byref(raw), ctypes.byref(array), memory.ctypes.data_as(ctypes.c_void_p))
    array_back = array_of(back, dtype)
    kiln.lib.kiln_layout_unpack(ctypes.byref(raw), memory.ctypes.data_as(ctypes.c_void_p), ctypes.byref(array_back))
    good = memory.size == expected.size and (memory == expected).all() and (back == data).all()
    return good, f"packing {dtype}{list(data.shape)} {layout}"


def check_kernel(kiln, rng, dtype, on_device):
    data = random_array(rng, dtype)
    shape = ", ".join(map(str, data.shape))
    source, target = random_layout(rng, data.ndim, dtype), random_layout(rng, data.ndim, dtype)
    block = ", ".join([str(int(rng.integers(1, data.shape[0] + 1))), *map(str, data.shape[1:])])
    rows = block.split(",")[0]
    at = ", ".join(["i"] + ["0"] * (data.ndim - 1))
    text = (f"kernel k(x: {dtype}[{shape}] {source}) -> (y: {dtype}[{shape}] {target}) {{\n  grid i: cdiv({data.shape[0]}, {rows}) parallel\n"
            f"  block x ({block}) at ({at})\n  block y ({block}) at ({at})\n  y[...] = x[...]\n}}\n")
    found = np.zeros_like(data)
    kiln.run_text(text, [(data, dtype), (found, dtype)], on_device)
    return (found == data).all(), f"running\n{text}"


def check_scratch(kiln, rng, dtype, on_device):
    """Written whole and by rows, read by columns; by way of a view of another shape as well."""
    data = random_array(rng, dtype)
    shape = ", ".join(map(str, data.shape))
    layout = random_layout(rng, data.ndim, dtype)
    others = ", :" * (data.ndim - 1)
    space = rng.choice(["smem", "gmem"])
    text = (f"kernel k(x: {dtype}[{shape}]) -> (y: {dtype}[{shape}], flat: {dtype}[{data.size}]) {{\n"
            f"  scratch s: {dtype}[{shape}] {layout} in {space}\n  s[...] = full(0, {dtype}[{shape}])\n"
            f"  for i in 0 .. {data.shape[0]} {{ s[i{others}] = x[i{others}] }}\n"
            f"  for i in 0 .. {data.shape[-1]} {{ y[..., i] = s[..., i] }}\n"
            f"  let row = view s as {dtype}[{data.size}]\n  flat[...] = row[...]\n}}\n")
    found, flat = np.zeros_like(data), np.zeros_like(data).reshape(-1)
    kiln.run_text(text, [(data, dtype), (found, dtype), (flat, dtype)], on_device)
    return (found == data).all() and (flat == data.reshape(-1)).all(), f"running\n{text}"


def main():
    chosen = arguments()
    kiln = opened(chosen, "layouts")
    if not kiln:
        return 0
    rng, passed, failed = np.random.default_rng(3), 0, 0
    assert set(DTYPES_USED) <= set(DTYPES)
    checks = [lambda dtype: check_packing(kiln, rng, dtype)] * (PACKINGS if chosen.on == "host" else 0)
    checks += [lambda dtype: check_kernel(kiln, rng, dtype, chosen.on == "vulkan")] * KERNELS[chosen.on]
    checks += [lambda dtype: check_scratch(kiln, rng, dtype, chosen.on == "vulkan")] * KERNELS[chosen.on]
    for number, check in enumerate(checks):
        good, what = check(DTYPES_USED[number % len(DTYPES_USED)])
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"FAIL {what}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
