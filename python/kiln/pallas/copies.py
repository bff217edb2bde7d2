"""Copies between refs: made at once, as JAX's generic interpreter makes them.

A copy of computed size goes through a mask: the largest box that both sides can hold, of which the first rows count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax._src.state.indexing import NDIndexer, Slice
from jax._src.state.types import TransformedRef

from kiln.pallas.equation import Equation, Operand, Ref, Value
from kiln.pallas.lower import Lowering, rule
from kiln.pallas.memory import Spot, integer, load, spot, store, view_through
from kiln.pallas.text import type_text

Side = tuple[Ref, Sequence[Any]]


@rule("dma_start")
def lower_copy(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A copy inside one device."""
    source, target, _, _, device = eqn.params["tree"].unflatten(eqn.operands)
    if device is not None or eqn.params.get("add"):
        raise low.unsupported("a copy to another device in a kernel of the generic kind")
    sides = [_side(source), _side(target)]
    if any(_computed(transforms) for _, transforms in sides):
        _copy_some(low, sides)
    else:
        store(low, *sides[1], load(low, *sides[0]), None, False)
    return []


@rule("dma_wait")
def lower_copy_wait(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """The end of a copy, which has been made."""
    return []


def _side(ref: Any) -> Side:
    return (ref.ref, ref.transforms) if isinstance(ref, TransformedRef) else (ref, ())


def _sizes(indexer: NDIndexer) -> list[Any]:
    return [index.size for index in indexer.indices if isinstance(index, Slice)]


def _computed(transforms: Sequence[Any]) -> bool:
    indexers = [t for t in transforms if isinstance(t, NDIndexer)]
    return any(not isinstance(size, int) for indexer in indexers for size in _sizes(indexer))


def _last(low: Lowering, side: Side) -> tuple[Ref, NDIndexer]:
    """A side as one indexer of a ref; all that come before it become views."""
    ref, transforms = side
    if not transforms or not isinstance(transforms[-1], NDIndexer):
        ref = view_through(low, ref, transforms)
        return ref, NDIndexer.make_trivial_indexer(ref.shape)
    return view_through(low, ref, transforms[:-1]), transforms[-1]


def _copy_some(low: Lowering, sides: Sequence[Side]) -> None:
    """The copy of a box of which some sizes are known when it runs."""
    (source, first), (target, second) = (_last(low, side) for side in sides)
    rooms = [min(pair) for pair in zip(_rooms(source, first), _rooms(target, second), strict=True)]
    counts = enumerate(_sizes(first))
    masks = [_first_ones(low, axis, count, rooms) for axis, count in counts if not isinstance(count, int)]
    mask = masks[0]
    for other in masks[1:]:
        mask = low.binary("and", mask, other, np.bool_)
    spots = [_box(low, ref, indexer, rooms) for ref, indexer in ((source, first), (target, second))]
    low.touch(source, False)
    value = low.let(spots[0].text(f"mask: {mask.text}"), rooms, source.dtype)
    low.touch(target, False)
    low.writer.line(spots[1].text(f"mask: {mask.text}") + f" = {value.text}")


def _rooms(ref: Ref, indexer: NDIndexer) -> list[int]:
    """How much each slice may take: its size, or where that is computed all of the dimension."""
    pairs = zip(indexer.indices, ref.shape, strict=True)
    return [(i.size if isinstance(i.size, int) else extent) for i, extent in pairs if isinstance(i, Slice)]


def _first_ones(low: Lowering, axis: int, size: Any, shape: Sequence[int]) -> Value:
    """Which elements lie before a computed size along an axis."""
    place = low.let(f"iota({type_text(np.dtype(np.int32), shape)}, axis: {axis})", shape, np.int32)
    return low.binary("lt", place, integer(low, size), np.bool_)


def _box(low: Lowering, ref: Ref, indexer: NDIndexer, rooms: Sequence[int]) -> Spot:
    """A side's box of known sizes: it starts where the indexer says, and may reach outside where the mask is false."""
    left = iter(rooms)
    known = [
        Slice(index.start, next(left), index.stride) if isinstance(index, Slice) else index for index in indexer.indices
    ]
    return spot(low, ref, NDIndexer(tuple(known), indexer.shape, indexer.int_indexer_shape), clamp=False)
