"""The ops and types of the Kiln language, the ops by JAX primitive, as the library itself states them."""

from __future__ import annotations

import functools
import json
from typing import NamedTuple


class Op(NamedTuple):
    """One row of Kiln's op tables."""

    name: str
    form: str
    infix: str
    jax: str


def _read() -> str:
    """The table in JSON: the library's own, so that exporter and executor cannot disagree."""
    from kiln import ops_json

    return ops_json()


@functools.cache
def ops() -> dict[str, Op]:
    """JAX primitive -> Kiln op. Ops that no primitive names are left out."""
    rows = json.loads(_read())["ops"]
    named = [Op(row["name"], row["form"], row["infix"], row["jax"]) for row in rows if row["jax"]]
    return {op.jax: op for op in reversed(named)}


@functools.cache
def type_bits() -> dict[str, int]:
    """Kiln's element types, and the bits that a value of each has."""
    return {row["name"]: row["bits"] for row in json.loads(_read())["types"]}
