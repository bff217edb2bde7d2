"""Which JAX primitives run where, as Markdown: from the library's op table and the exporter's rules.

python -m kiln.pallas.matrix > docs/jax-primitives.md
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from kiln import ops_json
from kiln.pallas import gpu_kernel  # noqa: F401  (registers the rules)
from kiln.pallas.lower import RULES

HEAD = """# JAX primitives on Kiln

Made by `python -m kiln.pallas.matrix`. *Op*: the Kiln op that stands for the primitive. Element types are those that
the executor takes; ops that
move or make elements, and those with effects, take all. A primitive without an op is written in other ops by a rule of
the exporter. What is in neither list is taken apart by JAX's own definition of it (threefry, random bits, logsumexp
and the like), or else refused by name.

| primitive | op | host | Vulkan |
|---|---|---|---|
"""


def _types(op: dict[str, object], executor: str) -> str:
    found = op.get(executor)
    if isinstance(found, list):
        return " ".join(map(str, found)) or "-"
    return "yes" if found in (None, True, "yes") else "-"


def markdown() -> str:
    """The page."""
    ops = {op["jax"]: op for op in json.loads(ops_json())["ops"] if op["jax"]}
    rows = [f"| `{name}` | `{op['name']}` | {_types(op, 'host')} | {_types(op, 'spirv')} |" for name, op in ops.items()]
    plain = [name for name in RULES if name not in ops and not name.startswith("form:") and " " not in name]
    gpu = [name.removeprefix("gpu ") for name in RULES if name.startswith("gpu ")]
    lists = f"\n\nBy rules: {_listed(plain)}.\n\nBy rules of Mosaic GPU kernels: {_listed(gpu)}.\n"
    return HEAD + "\n".join(sorted(rows)) + lists


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    print(markdown(), end="")
