"""What the ops that find elements by computed indices mean, in NumPy: one element at a time, from lax's own definitions."""
import itertools

import numpy as np

from reference import FLOATS, INTS, widen


def clamp(value, most):
    return max(0, min(int(value), most))


def dynamic_slice(x, starts, sizes):
    at = [clamp(start, n - size) for start, n, size in zip(starts, x.shape, sizes)]
    return x[tuple(slice(a, a + size) for a, size in zip(at, sizes))]


def update(x, v, starts):
    out, at = x.copy(), [clamp(start, n - size) for start, n, size in zip(starts, x.shape, v.shape)]
    out[tuple(slice(a, a + size) for a, size in zip(at, v.shape))] = v
    return out


def take(x, *indices):
    return x[tuple(np.clip(index, 0, n - 1) for index, n in zip(indices, x.shape))]


def roll(x, shift, axis, stride=0, stride_axis=0):
    out = np.empty_like(x)
    for at in np.ndindex(x.shape):
        source = list(at)
        source[axis] = (at[axis] - shift - stride * at[stride_axis]) % x.shape[axis]
        out[at] = x[tuple(source)]
    return out


def window_start(a, index, batch, rank, sizes, shape, mode):
    """Where the window of one index starts; None when it is dropped."""
    start = [0] * rank
    for k, axis in enumerate(a["start_map"]):
        value, most = int(index[k]), shape[axis] - sizes[axis]
        if mode == "fill" and not 0 <= value <= most:
            return None
        start[axis] = clamp(value, most)
    for axis, of in zip(a.get("batch_dims", []), a.get("index_batch_dims", [])):
        start[axis] = batch[of]
    return start


def windows(a, x, indices, rank, sizes, mode):
    """(place in what lies side by side, place in x or None) of every element of every window."""
    gone = set(a["collapsed_dims"]) | set(a.get("batch_dims", []))
    kept = [axis for axis in range(x.ndim) if axis not in gone]
    batch_axes = [axis for axis in range(rank) if axis not in a["offset_dims"]]
    for batch in np.ndindex(indices.shape[:-1]):
        start = window_start(a, indices[batch], batch, x.ndim, sizes, x.shape, mode)
        for offset in itertools.product(*(range(sizes[axis]) for axis in kept)):
            place = [0] * rank
            for axis, value in zip(batch_axes, batch):
                place[axis] = value
            for axis, value in zip(a["offset_dims"], offset):
                place[axis] = value
            if start is None:
                yield tuple(place), None
                continue
            source = list(start)
            for axis, value in zip(kept, offset):
                source[axis] += value
            yield tuple(place), tuple(source)


def gather(x, indices, a, mode, fill):
    rank = indices.ndim - 1 + len(a["offset_dims"])
    kept = iter([n for axis, n in enumerate(a["slice_sizes"]) if axis not in set(a["collapsed_dims"]) | set(a.get("batch_dims", []))])
    batch = iter(indices.shape[:-1])
    out = np.full([next(kept) if axis in a["offset_dims"] else next(batch) for axis in range(rank)], fill, x.dtype)
    for place, source in windows(a, x, indices, rank, a["slice_sizes"], mode):
        if source is not None:
            out[place] = x[source]
    return out


def scatter(x, indices, updates, a, mode, combine):
    """`combine` joins two elements of storage."""
    gone, out, next_offset = set(a["collapsed_dims"]) | set(a.get("batch_dims", [])), x.copy(), iter(a["offset_dims"])
    sizes = [1 if axis in gone else updates.shape[next(next_offset)] for axis in range(x.ndim)]
    for place, target in windows(a, x, indices, updates.ndim, sizes, mode):
        if target is not None:
            out[target] = combine(out[target], updates[place])
    return out


def sort_key(value, dtype):
    """Numbers before NaN; zeros of both signs are equal."""
    wide = widen(np.asarray(value), dtype)
    return (1, 0) if dtype in FLOATS and np.isnan(wide) else (0, float(wide) if dtype in FLOATS else int(wide))


def sort(operands, dtypes, axis, keys):
    """Rows along the axis in the order of their first `keys` operands, equal ones as they stood."""
    moved = [np.moveaxis(o, axis, -1) for o in operands]
    out = [np.empty_like(m) for m in moved]
    for row in np.ndindex(moved[0].shape[:-1]):
        rank = lambda i: tuple(sort_key(moved[k][row][i], dtypes[k]) for k in range(keys))
        order = sorted(range(moved[0].shape[-1]), key=rank)
        for m, o in zip(moved, out):
            o[row] = m[row][order]
    return [np.moveaxis(o, -1, axis) for o in out]


def top_k(x, dtype, k):
    """The greatest by the order of IEEE 754's totalOrder, the first of equals first."""
    values, places = np.empty((*x.shape[:-1], k), x.dtype), np.empty((*x.shape[:-1], k), np.int32)
    for row in np.ndindex(x.shape[:-1]):
        if dtype in FLOATS:
            word = np.ascontiguousarray(x[row]).view(f"i{x.dtype.itemsize}")
            number = [int(w) if w >= 0 else int(w) ^ int(np.iinfo(word.dtype).max) for w in word]
        else:
            number = [int(w) for w in x[row]]
        order = sorted(range(len(number)), key=lambda i: -number[i])[:k]
        values[row], places[row] = x[row][order], order
    return values, places


def fill_of(dtype):
    """What lax.gather fills with when nothing is given."""
    if dtype == "bool":
        return 1
    if dtype in INTS:
        return INTS[dtype].min if INTS[dtype].min else INTS[dtype].max
    return 0x7FC0 if dtype == "bf16" else np.nan


# ---- what the table test runs ----

# Ops of several results, as functions that hand on one of them.
PRELUDE = """func sorted_along(x, y) { let (p, q) = sort(x, y, axis: 1)  return p }
func moved_along(x, y) { let (p, q) = sort(x, y, axis: 1)  return q }
func sorted_down(x) { return sort(x, axis: 0) }
func moved_by_two(x, y, z) { let (p, q, r) = sort(x, y, z, axis: 1, keys: 2)  return r }
func top_values(x) { let (v, i) = top_k(x, k: 3)  return v }
func top_places(x) { let (v, i) = top_k(x, k: 3)  return i }
"""
ROWS = {"offset_dims": [1], "collapsed_dims": [0], "start_map": [0]}
BOXES = {"offset_dims": [0, 2], "collapsed_dims": [], "start_map": [1, 0]}
POINTS = {"offset_dims": [], "collapsed_dims": [0, 1], "start_map": [0, 1]}
BATCHED = {"offset_dims": [2], "collapsed_dims": [], "start_map": [1], "batch_dims": [0], "index_batch_dims": [0]}


def attributes(a, **more):
    return ", ".join(f"{name}: {value}" for name, value in {**a, **more}.items())


def inputs(rng):
    """n: starts, some outside; p, b: indices of points and of batched windows; t: places to take."""
    return {"n": np.array([3, -1, 2, 9], np.int32), "p": rng.integers(-1, 5, (5, 2)).astype(np.int32),
            "b": rng.integers(-2, 8, (4, 3, 1)).astype(np.int32), "t": rng.integers(-2, 8, (2, 5, 3)).astype(np.int32)}


def gathers(x, dtype, data):
    p, b = data["p"], data["b"]
    zero = {"bool": "true"}.get(dtype, "2.0" if dtype in FLOATS else "2")
    two = np.asarray(0x4000 if dtype == "bf16" else 1 if dtype == "bool" else 2).astype(x.dtype)
    cases = [("rows", "p[:, 0 : 1]", p[:, :1], {**ROWS, "slice_sizes": [1, 6]}), ("boxes", "p[...]", p, {**BOXES, "slice_sizes": [2, 3]}),
             ("points", "p[...]", p, {**POINTS, "slice_sizes": [1, 1]}), ("batched", "b[...]", b, {**BATCHED, "slice_sizes": [1, 2]})]
    for name, text, indices, a in cases:
        for mode, fill, value in (("clip", "", 0), ("fill", "", fill_of(dtype)), ("fill", zero + ", ", two)):
            yield (f"gather {name} {mode} {fill}", f"gather(x[...], {text}, {fill}{attributes(a, mode=mode)})", gather(x, indices, a, mode, value))


def scatters(x, dtype, data, joins):
    p, b = data["p"], data["b"]
    cases = [("rows", "p[:, 0 : 1]", p[:, :1], ROWS, "t5", x[np.array([0, 1, 2, 3, 0])]), ("points", "p[...]", p, POINTS, "x[0, 0 : 5]", x[0, :5]),
             ("boxes", "p[0 : 2, :]", p[:2], BOXES, "reshape(x[0 : 2, :], shape: [2, 2, 3])", x[:2].reshape(2, 2, 3)),
             ("batched", "b[...]", b, BATCHED, "reshape(x[...], shape: [4, 3, 2])", x.reshape(4, 3, 2))]
    for name, text, indices, a, given, updates in cases:
        given = "concatenate(x[...], x[0 : 1, :], axis: 0)" if given == "t5" else given
        for k, (combine, join) in enumerate(joins.items()):
            mode = ("clip", "fill")[k % 2]
            yield (f"scatter {name} {combine}", f"scatter(x[...], {text}, {given}, {attributes(a, mode=mode, combine=combine)})",
                   scatter(x, indices, updates, a, mode, join))


def rolls(x):
    yield "roll", "roll(x[...], n[0], axis: 1)", roll(x, 3, 1)
    yield "roll back", "roll(x[...], n[1], axis: 0)", roll(x, -1, 0)
    yield "roll known", "roll(x[...], 8, axis: 1)", roll(x, 8, 1)
    yield "roll rows", "roll(x[...], n[2], axis: 1, stride: 2, stride_axis: 0)", roll(x, 2, 1, 2, 0)


def sorts(x, dtype):
    ordinal = np.broadcast_to(np.arange(6, dtype=np.int32), (4, 6))
    number = "iota(i32[4, 6], axis: 1)"
    yield "sort", f"sorted_along(x[...], {number})", sort([x, ordinal], [dtype, "i32"], 1, 1)[0]
    yield "sort down", "sorted_down(x[...])", sort([x], [dtype], 0, 1)[0]
    yield "sort moves", f"moved_along(x[...], {number})", sort([x, ordinal], [dtype, "i32"], 1, 1)[1]
    yield ("sort by two", f"moved_by_two({number} / 3, x[...], {number})",
           sort([ordinal // 3, x, ordinal], ["i32", dtype, "i32"], 1, 2)[2])
    if dtype != "bool":
        values, places = top_k(x, dtype, 3)
        yield "top values", "top_values(x[...])", values
        yield "top places", "top_places(x[...])", places


def moves(x, dtype, data, joins):
    """(label, text, expected storage) of everything; x is [4, 6]. Results are of the type, or i32."""
    n, t = data["n"], data["t"]
    yield "dynamic_slice", "dynamic_slice(x[...], n[0], n[1], size: [2, 3])", dynamic_slice(x, n[:2], (2, 3))
    yield "slice at", "x[...][n[0] : 2, n[2] : 2 : 2]", x[2:4, 2:5:2]
    yield "slice row", "x[...][n[1], :]", x[0]
    yield "update", "update(x[...], x[0 : 2, 0 : 3], n[0], n[2])", update(x, x[:2, :3], [n[0], n[2]])
    yield "take", "take(x[...], t[0, :, :], t[1, :, :])", take(x, t[0], t[1])
    yield from rolls(x)
    yield from gathers(x, dtype, data)
    yield from scatters(x, dtype, data, joins)
    yield from sorts(x, dtype)
