"""The head of a kernel: parameters, grid and blocks, from Pallas' grid mapping."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax._src.pallas.core import Blocked, Element, Squeezed

from kiln.pallas.equation import Axis, Ref, Value
from kiln.pallas.lower import Lowering
from kiln.pallas.memory import clamped
from kiln.pallas.text import Names, Writer, type_text
from kiln.pallas.unsupported import Unsupported


@dataclasses.dataclass(slots=True)
class Param:
    """A parameter of the Kiln kernel."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    words: str = ""  # prefetch, alias x, filled

    @property
    def text(self) -> str:
        """`x: f32[8] prefetch`."""
        return f"{self.name}: {type_text(self.dtype, self.shape)}" + (f" {self.words}" if self.words else "")


@dataclasses.dataclass(slots=True)
class Block:
    """What one grid step sees of a parameter."""

    ref: Ref
    header: str  # the `block` line; empty: all of it
    moves: tuple[int | None, ...]  # per dimension, the grid axis that alone says which block it is
    covers: bool  # whether the steps together see every element


def grid_axes(mapping: Any, bounds: Sequence[Param], names: Names) -> list[Axis]:
    """The axes of the grid; the extents that are known at launch only are parameters."""
    dynamic = iter(bounds)
    axes = []
    for k, extent in enumerate(mapping.grid):
        known = isinstance(extent, (int, np.integer))
        label = mapping.grid_names[k] if mapping.grid_names else None
        wish = str(label) if mapping.grid_names else "ijklmnpq"[k] if k < 8 else f"i{k}"
        text = str(extent) if known else next(dynamic).name
        axes.append(Axis(names.claim(wish), text, int(extent) if known else None, k in mapping.vmapped_dims, label))
    return axes


def block_of(mapping: Any, param: Param, axes: Sequence[Axis], prefetch: Sequence[Ref], names: Names) -> Block:
    """The block of one parameter, with its index map."""
    if mapping.transforms:
        raise Unsupported(f"the transforms of the block of {mapping.origin}", None, "they belong to GPU kernels")
    words = param.shape[len(mapping.block_shape) :]  # of random keys
    dims = (*mapping.block_shape, *map(Blocked, words))
    writer = Writer(names, indent=2)
    low = Lowering(writer, axes)
    found = low.jaxpr(mapping.index_map_jaxpr, [*(axis.index for axis in axes), *prefetch])
    found += [low.constant(0) for _ in words]
    starts = [_start(low, v, dim, extent) for v, dim, extent in zip(found, dims, param.shape, strict=True)]
    shape = (*mapping.transformed_block_aval.shape, *words)
    moves = tuple(_mover(v, axes) for v in starts)
    whole = all(_is_whole(v, dim, n) for v, dim, n in zip(starts, dims, param.shape, strict=True))
    header = "" if whole else _header(param, dims, starts, writer)
    covers = all(_covers(v, dim, n, axes) for v, dim, n in zip(starts, dims, param.shape, strict=True))
    return Block(Ref(param.name, shape, param.dtype), header, moves, covers and _independent(starts))


def _size(dim: Any) -> int:
    return 1 if isinstance(dim, Squeezed) else int(dim.block_size)


def whole_blocks(mapping: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an array that blocks do not reach out of."""
    dims = zip(mapping.block_shape, shape, strict=True)
    return tuple(-(-n // _size(dim)) * _size(dim) if isinstance(dim, Blocked) else n for dim, n in dims)


def _start(low: Lowering, index: Value, dim: Any, extent: int) -> Value:
    """Where the block starts, in Kiln's units, moved inside the (padded) array as dynamic slices are."""
    index, size = low.convert(index, np.int32), _size(dim)
    if isinstance(dim, Blocked):
        return clamped(low, index, 1, -(-extent // size))
    if isinstance(dim, Element):
        before, after = dim.padding
        padded = -(-(extent + before + after) // size) * size
        start = clamped(low, index, size, padded)
        return low.binary("sub", start, low.constant(before)) if before else start
    if isinstance(dim, Squeezed):
        return clamped(low, index, 1, extent)
    raise low.unsupported(
        f"a block dimension of the kind {type(dim).__name__}", "JAX's own interpreter has none either"
    )


def _header(param: Param, dims: Sequence[Any], starts: Sequence[Value], writer: Writer) -> str:
    sizes = ", ".join(_entry(dim) for dim in dims)
    indices = ", ".join(v.text for v in starts)
    if not writer.lines:
        return f"block {param.name} ({sizes}) at ({indices})"
    lines = [line for line in writer.lines if not line.lstrip().startswith("source ")]
    return "\n".join([f"block {param.name} ({sizes}) at {{", *lines, f"    yield {indices}", "  }"])


def _entry(dim: Any) -> str:
    if isinstance(dim, Squeezed):
        return "_"
    return f"element {_size(dim)}" if isinstance(dim, Element) else str(_size(dim))


def _is_whole(start: Value, dim: Any, extent: int) -> bool:
    return not isinstance(dim, Squeezed) and start.number == 0 and _size(dim) == extent


def _mover(start: Value, axes: Sequence[Axis]) -> int | None:
    names = [a.name for a in axes]
    return names.index(start.text) if start.text in names else None


def _covers(start: Value, dim: Any, extent: int, axes: Sequence[Axis]) -> bool:
    size, mover = _size(dim), _mover(start, axes)
    if start.number is not None:
        return size >= extent and start.number == 0
    if mover is None or isinstance(dim, Element):
        return False
    return (axes[mover].size or 0) * size >= extent


def _independent(starts: Sequence[Value]) -> bool:
    """No two dimensions move together."""
    moving = [v.text for v in starts if v.number is None]
    return len(set(moving)) == len(moving)


def parallel(axes: Sequence[Axis], outputs: Sequence[Block], semantics: Sequence[Any] | None) -> list[bool]:
    """Which axes the program itself calls parallel, where every output moves along. Kiln finds others by itself."""
    own = [k for k, axis in enumerate(axes) if not axis.mapped]
    said = {k: str(word) for k, word in zip(own, semantics or (), strict=False)}
    return [
        axis.size is not None
        and "parallel" in said.get(k, "").lower()
        and bool(outputs)
        and all(k in block.moves for block in outputs)
        for k, axis in enumerate(axes)
    ]
