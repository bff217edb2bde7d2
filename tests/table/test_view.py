#!/usr/bin/env python3
"""Random views of views, parts, other shapes and other types, read and written through, against NumPy.

  test_view.py --library libkiln.so [--on host|vulkan]

The reference does not know what a view is: it numbers the bits of an array. An element is the list of its bits' numbers; a part picks
lists, another shape moves them, a wider type joins those that lie together, a narrower one cuts them. What a read gives, and what a write
leaves behind, are then bits looked up by number.
"""
import sys

import numpy as np

from kiln_ctypes import STORAGE, KilnError, arguments, opened

CASES = {"host": 400, "vulkan": 40}
BITS = {"u2": 2, "i4": 4, "u4": 4, "i8": 8, "u8": 8, "i16": 16, "u16": 16, "i32": 32, "u32": 32}
LONG = {"i64": 64, "u64": 64}  # not every device has them
FLOATS = {"f16": 16, "f32": 32}  # devices may change the bits of NaN
WIDTHS = 4  # changes of width that a chain of views may have


def words_of(dtype):
    """The unsigned NumPy type that an element is stored in."""
    return np.dtype(f"u{np.dtype(STORAGE[dtype]).itemsize}")


def random_elements(rng, dtype, bits, shape):
    """Any bits."""
    return np.asarray(rng.integers(0, 1 << bits, shape, dtype=np.uint64)).astype(words_of(dtype)).view(STORAGE[dtype])


def to_bits(data, bits):
    """All bits of an array in order, each element's low one first."""
    words = data.view(np.dtype(f"u{data.itemsize}")).astype(np.uint64)
    return (words[..., None] >> np.arange(bits, dtype=np.uint64) & np.uint64(1)).astype(np.uint8).reshape(-1)


def from_bits(bits, dtype):
    """Elements whose bits are the last axis."""
    words = (bits.astype(np.uint64) << np.arange(bits.shape[-1], dtype=np.uint64)).sum(axis=-1, dtype=np.uint64)
    return words.astype(words_of(dtype)).view(STORAGE[dtype])


def joined(places, axis, ratio):
    """`ratio` elements that lie along the axis become one."""
    shape = places.shape
    places = places.reshape(*shape[:axis], shape[axis] // ratio, ratio, *shape[axis + 1:])
    places = np.moveaxis(places, axis + 1, -2)
    return places.reshape(*places.shape[:-2], -1)


def parted(places, axis, ratio):
    """One element becomes `ratio` along the axis."""
    places = np.moveaxis(places.reshape(*places.shape[:-1], ratio, -1), -2, axis + 1)
    shape = places.shape
    return places.reshape(*shape[:axis], shape[axis] * ratio, *shape[axis + 2:])


def random_shape(rng, count):
    """Up to five dimensions that hold so many elements."""
    shape = []
    while len(shape) < 4 and count > 1 and rng.random() < 0.7:
        shape.append(int(rng.choice([f for f in range(1, count + 1) if count % f == 0])))
        count //= shape[-1]
    return [*shape, count]


class Chain:
    """A chain of views, and the numbers of the bits that its last one shows."""

    def __init__(self, rng, bits):
        self.rng, self.bits, self.lines, self.name, self.widths = rng, bits, [], "x", 0
        self.root = self.dtype = str(rng.choice(list(bits)))
        self.root_shape = [int(n) for n in rng.choice([1, 2, 3, 4, 6, 8, 12, 16], rng.integers(1, 4))]
        count = int(np.prod(self.root_shape)) * bits[self.root]
        self.places = np.arange(count).reshape(*self.root_shape, bits[self.root])
        for _ in range(int(rng.integers(1, 5))):
            [self.part, self.reshape, self.recast, self.rewidth][int(rng.integers(0, 4))]()

    @property
    def shape(self):
        return list(self.places.shape[:-1])

    def see(self, text, places, dtype):
        name = f"v{len(self.lines)}"
        self.lines.append(f"let {name} = view {self.name}{text}")
        self.name, self.places, self.dtype = name, places, dtype

    def start(self, at):
        """A known start, or one that is computed from n, which is 1."""
        return f"n + {at - 1}" if self.rng.random() < 0.5 else str(at)

    def entry(self, extent):
        """One entry of an index, as Kiln and as NumPy write it."""
        kind, stride = self.rng.random(), int(self.rng.integers(1, 3))
        if kind < 0.35:
            return ":", slice(None)
        if kind < 0.55:
            at = int(self.rng.integers(0, extent))
            return self.start(at), at
        size = int(self.rng.integers(1, (extent - 1) // stride + 2))
        first = int(self.rng.integers(0, extent - (size - 1) * stride))
        text = f"{self.start(first)} : {size}" + (f" : {stride}" if stride > 1 else "")
        return text, slice(first, first + (size - 1) * stride + 1, stride)

    def index(self):
        entries = [self.entry(extent) for extent in self.shape]
        return ", ".join(text for text, _ in entries), tuple(index for _, index in entries)

    def part(self):
        text, index = self.index()
        if self.places[index].ndim > 1:
            self.see(f"[{text}]", self.places[index], self.dtype)

    def reshape(self):
        shape = random_shape(self.rng, int(np.prod(self.shape)))
        self.see(f" as {self.dtype}{shape}", self.places.reshape(*shape, -1), self.dtype)

    def recast(self):
        dtype = str(self.rng.choice([other for other in self.bits if self.bits[other] == self.bits[self.dtype]]))
        self.see(f" as {dtype}{self.shape}", self.places, dtype)

    def rewidth(self):
        dtype, axis = str(self.rng.choice(list(self.bits))), int(self.rng.integers(0, len(self.shape)))
        have, want = self.bits[self.dtype], self.bits[dtype]
        if have == want or self.widths == WIDTHS or (have < want and self.shape[axis] % (want // have)):
            return
        places = joined(self.places, axis, want // have) if have < want else parted(self.places, axis, have // want)
        self.widths += 1
        self.see(f" as {dtype}{list(places.shape[:-1])}", places, dtype)


class Access:
    """A read or a write through a chain, as a kernel and as NumPy."""

    def __init__(self, chain, writes):
        rng, self.chain, self.writes = chain.rng, chain, writes
        text, index = chain.index() if rng.random() < 0.7 else ("...", ...)
        self.seen = chain.places[index]
        shape = self.seen.shape[:-1]
        self.data = random_elements(rng, chain.root, chain.bits[chain.root], chain.root_shape)
        self.value = random_elements(rng, chain.dtype, chain.bits[chain.dtype], shape)
        self.mask = np.ones(shape, np.uint8)
        masked = rng.random() < 0.3 and len(shape) > 0
        if masked:
            self.mask = rng.integers(0, 2, shape).astype(np.uint8)
        place = f"{chain.name}[{text}{', mask: m[...]' if masked else ''}]"
        body = "\n  ".join(["let n = s[0]", *chain.lines, f"{place} = w[...]" if writes else f"y[...] = {place}"])
        dims = list(shape) if shape else ""
        self.text = (f"kernel k(x: {chain.root}{chain.root_shape} inout, w: {chain.dtype}{dims}, m: bool{dims}, s: i32[1])"
                     f" -> (y: {chain.dtype}{dims} filled) {{\n  {body}\n}}\n")

    def found(self, kiln, on_device):
        chain, changed, read = self.chain, self.data.copy(), np.zeros_like(self.value)
        inputs = [(changed, chain.root), (self.value, chain.dtype), (self.mask, "bool"), (np.ones(1, np.int32), "i32")]
        kiln.run_text(self.text, [*inputs, (read, chain.dtype)], on_device)
        return changed if self.writes else read

    def expected(self):
        chain, chosen = self.chain, self.mask.astype(bool)
        bits = to_bits(self.data, chain.bits[chain.root])
        if not self.writes:
            return np.where(chosen, from_bits(bits[self.seen], chain.dtype), np.zeros((), self.value.dtype))
        bits[self.seen[chosen]] = to_bits(self.value, chain.bits[chain.dtype]).reshape(self.seen.shape)[chosen]
        return from_bits(bits.reshape(*chain.root_shape, -1), chain.root)

    def agrees(self, kiln, on_device):
        return self.found(kiln, on_device).tobytes() == self.expected().tobytes()


def main():
    chosen = arguments()
    kiln = opened(chosen, "views")
    if not kiln:
        return 0
    passed, failed, bits = 0, 0, {**BITS, **(LONG if kiln.i64 else {}), **(FLOATS if chosen.on == "host" else {})}
    for number in range(CASES[chosen.on]):
        for writes in (False, True):
            access = Access(Chain(np.random.default_rng(number), bits), writes)
            try:
                good, why = access.agrees(kiln, chosen.on == "vulkan"), ""
            except KilnError as error:
                good, why = False, error
            passed, failed = passed + good, failed + (not good)
            if not good:
                print(f"FAIL case {number} {why}\n{access.text}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
