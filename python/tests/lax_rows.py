"""For each row of the op table that is no elementwise op, reduction or scan: kernels that use it, to be run by jax.lax too.

A case is a function of refs or of arrays that runs as a Pallas kernel on Kiln and, as it stands, on JAX; its exported text
must hold the row's op. Rows that the exporter has no use for are texts, with what jax.lax makes of the same operands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu, triton

Arrays = list[np.ndarray]


class Case(NamedTuple):
    """`body(*inputs, output)` stores what `reference(*arrays)` returns."""

    inputs: Callable[[np.dtype], Arrays]
    reference: Callable[..., Any]
    body: Callable[..., None]
    mark: str  # what the text must hold
    classes: str  # kinds of element types, as NumPy names them; V: those of ml_dtypes
    text: str = ""  # a kernel in Kiln's own language; `T` stands for the element type
    least_bytes: int = 1


ROWS: dict[str, list[Case]] = {}


def numbers(*shape: int, seed: int = 1) -> Callable[[np.dtype], np.ndarray]:
    """Small numbers of any element type; halves among the floats."""

    def make(dtype: np.dtype) -> np.ndarray:
        rng = np.random.default_rng(seed)
        if dtype == bool:
            return rng.integers(0, 2, shape).astype(bool)
        low = 0 if dtype.kind == "u" else -9
        drawn = rng.integers(low, 10, shape)
        return (drawn if dtype.kind in "iu" else drawn / 2).astype(dtype)

    return make


def places(*values: Any) -> Callable[[np.dtype], np.ndarray]:
    """Indices, whatever the element type."""
    return lambda dtype: np.array(values, np.int32)


def row(name: str, *makers: Any, mark: str = "", classes: str = "biufV") -> Callable[[Any], Any]:
    """A case: a function of arrays."""

    def register(function: Any) -> Any:
        def body(*refs: Any) -> None:
            *inputs, output = refs
            output[...] = function(*(ref[...] for ref in inputs))

        case = Case(lambda dtype: [make(dtype) for make in makers], function, body, mark or f"{name}(", classes)
        ROWS.setdefault(name, []).append(case)
        return function

    return register


def row_of_refs(
    name: str, *makers: Any, reference: Any, mark: str, classes: str = "biufV", least_bytes: int = 1
) -> Callable[[Any], Any]:
    """A case: a kernel body, and what it is to compute."""

    def register(body: Any) -> Any:
        case = Case(
            lambda dtype: [make(dtype) for make in makers], reference, body, mark, classes, least_bytes=least_bytes
        )
        ROWS.setdefault(name, []).append(case)
        return body

    return register


def row_of_text(name: str, *makers: Any, text: str, reference: Any, classes: str = "biufV") -> None:
    """A case in Kiln's own language."""
    case = Case(lambda dtype: [make(dtype) for make in makers], reference, lambda: None, name, classes, text)
    ROWS.setdefault(name, []).append(case)


# ---- making and moving ----

row("full", numbers(4, 8), classes="iufV")(lambda x: x * lax.full((4, 8), 3, x.dtype))
row("iota", numbers(4, 8), classes="iufV")(lambda x: x + lax.broadcasted_iota(x.dtype, (4, 8), 1))
row("convert", numbers(4, 8), mark="f32(", classes="biuV")(lambda x: x.astype(np.float32))
row("convert", numbers(4, 8), mark="i32(", classes="bufV")(lambda x: x.astype(np.int32))
row("bitcast", numbers(4, 8), classes="ifV")(lambda x: lax.bitcast_convert_type(x, f"uint{8 * x.dtype.itemsize}"))
row("bitcast", numbers(4, 8), classes="fV")(lambda x: lax.bitcast_convert_type(x, np.uint8))
row("broadcast", numbers(4, 1))(lambda x: lax.broadcast_in_dim(x, (3, 4, 5), (1, 2)))
row("reshape", numbers(4, 6))(lambda x: lax.reshape(x, (3, 8)))
row("transpose", numbers(2, 3, 4))(lambda x: lax.transpose(x, (2, 0, 1)))
row("concatenate", numbers(2, 3), numbers(2, 5))(lambda x, y: lax.concatenate([x, y, x], 1))
row("slice", numbers(8, 16), mark="[2 : 3 : 2, 1 : 14]")(lambda x: lax.slice(x, (2, 1), (7, 15), (2, 1)))
row("pad", numbers(4, 5))(lambda x: lax.pad(x, x[0, 0], ((1, 2, 1), (-1, 3, 0))))
row("reverse", numbers(4, 5))(lambda x: lax.rev(x, (0, 1)))
row("dynamic_slice", numbers(8, 9), places(3, -7), mark=" : 2, ")(lambda x, i: lax.dynamic_slice(x, i, (2, 4)))
row("update", numbers(8, 9), numbers(2, 4), places(3, 99))(lambda x, y, i: lax.dynamic_update_slice(x, y, i))
row("roll", numbers(8, 9), places(3), mark="concatenate(")(lambda x, i: jnp.roll(x, 3, 1))
row("gather", numbers(8, 9), places(3, 7, 0, 3))(lambda x, i: x.at[i].get(mode="clip"))
row("gather", numbers(8, 9), places(3, 70, -1, 8))(lambda x, i: x.at[:, i].get(mode="fill", fill_value=1))
row("scatter", numbers(8, 9), numbers(3, 9), places(3, 7, 0))(lambda x, y, i: x.at[i].set(y))
row("scatter", numbers(8, 9), numbers(8, 3), places(3, 70, 3), classes="iuf")(
    lambda x, y, i: x.at[:, i].add(y, mode="drop")
)
row("scatter", numbers(8, 9), numbers(3, 9), places(3, 3, 0), classes="iufV")(lambda x, y, i: x.at[i].max(y))
row("sort", numbers(4, 33))(lambda x: lax.sort(x, dimension=1))
row("sort", numbers(4, 33), numbers(4, 33, seed=2))(lambda x, y: lax.sort((x, y), dimension=1, num_keys=1)[1])
row("top_k", numbers(4, 33), classes="iufV")(lambda x: lax.top_k(x, 5)[0])
row("top_k", numbers(33, 4), classes="iufV")(lambda x: lax.top_k(x, 5, axis=0)[1])
row_of_text(
    "take",
    numbers(8, 9),
    places(3, 7, 70),
    places(0, -4, 8),
    text="kernel k(x: T[8, 9], i: i32[3], j: i32[3]) -> (y: T[3]) {\n  y[...] = take(x[...], i[...], j[...])\n}\n",
    reference=lambda x, i, j: x[jnp.clip(i, 0, 7), jnp.clip(j, 0, 8)],
)
row_of_text(
    "size",
    numbers(8, 9),
    text="kernel k(x: T[M, N]) -> (y: i32) {\n  y[...] = M * 100 + N\n}\n",
    reference=lambda x: np.int32(x.shape[0] * 100 + x.shape[1]),
)

# ---- arithmetic ----

row("integer_pow", numbers(4, 8), classes="iufV")(lambda x: lax.integer_pow(x, 3))
row("integer_pow", numbers(4, 8), classes="fV")(lambda x: lax.integer_pow(jnp.where(x == 0, 1, x), -2))
row("reduce_precision", numbers(4, 8), classes="fV")(lambda x: lax.reduce_precision(x, 4, 2))
row("dot", numbers(4, 8), numbers(8, 5), classes="iufV")(lambda x, y: lax.dot(x, y))
row("dot", numbers(2, 4, 8), numbers(2, 5, 8), classes="iufV")(
    lambda x, y: lax.dot_general(x, y, (((2,), (2,)), ((0,), (0,))))
)
row("dot", numbers(4, 8), numbers(8, 5), classes="i")(
    lambda x, y: lax.dot(x, y, preferred_element_type=jnp.promote_types(x.dtype, np.int32))
)

# ---- memory ----


@row_of_refs("load", numbers(8, 16), reference=lambda x: x[2:8:3, 5:9], mark="[2 : 2 : 3, 5 : 4]")
def load_part(x: Any, y: Any) -> None:
    y[...] = x[pl.ds(2, 2, 3), 5:9]


@row_of_refs("load", numbers(8, 16), places(3, 7, 0), reference=lambda x, i: x[i], mark="x[")
def load_places(x: Any, i: Any, y: Any) -> None:
    y[...] = x[i[...]]


@row_of_refs("store", numbers(8), reference=lambda x: jnp.concatenate([x, -x[::-1]]), mark="y[8 : 8]", classes="ifV")
def store_parts(x: Any, y: Any) -> None:
    y[0:8] = x[...]
    y[8:16] = -x[...][::-1]


@row_of_refs(
    "atomic",
    numbers(8),
    reference=lambda x: jnp.stack([x * 0 + 1, x + 1]),
    mark="atomic add",
    classes="iu",
    least_bytes=4,
)
def atomic_add(x: Any, y: Any) -> None:
    y[...] = jnp.ones(y.shape, y.dtype)
    y[1] = triton.atomic_add(y, (1, slice(None)), x[...]) + x[...]


@row_of_refs("view", numbers(8, 16), reference=lambda x: x[2:6, 4:8], mark="view ")
def view_of_view(x: Any, y: Any) -> None:
    y[...] = x.at[2:6].at[:, 4:12][:, 0:4]


@row_of_refs("view_as", numbers(8, 16), reference=lambda x: x.reshape(16, 8)[2:5], mark=" as ")
def view_in_another_shape(x: Any, y: Any) -> None:
    y[...] = x.reshape(16, 8)[2:5]


@row_of_refs("permute", numbers(8, 16), reference=lambda x: x[2:6].T, mark=" permute ")
def view_in_another_order(x: Any, y: Any) -> None:
    y[...] = x.at[2:6].T[...]


@row_of_refs("scratch", numbers(8), reference=lambda x: x + x, mark="scratch ", classes="iufV")
def scratch(x: Any, y: Any) -> None:
    def inside(z: Any) -> None:
        z[...] = x[...]
        y[...] = z[...] + x[...]

    pl.run_scoped(inside, tpu.VMEM(x.shape, x.dtype))


# ---- control ----


@row("for", numbers(4, 8), mark="for ", classes="iufV")
def loop(x: Any) -> Any:
    return lax.scan(lambda total, line: (total + line, None), x[0] * 0, x)[0]


row("yield", numbers(4, 8), mark="yield ", classes="iufV")(loop)


@row("while", numbers(4, 8), mark="while", classes="iufV")
def halving(x: Any) -> Any:
    return lax.while_loop(lambda c: c[0] < 40, lambda c: (c[0] * 2 + 1, c[1] + x[0]), (np.int32(1), x[0] * 0))[1]


@row("when", numbers(4, 8), places(3), mark="when ")
def branch(x: Any, i: Any) -> Any:
    return lax.cond(i[0] > 2, lambda: x[0], lambda: x[1])


@row("switch", numbers(4, 8), places(2), mark="switch ")
def branches(x: Any, i: Any) -> Any:
    return lax.switch(i[0], [lambda: x[0], lambda: x[1], lambda: x[3]])
