"""Which JAX primitives run where, as Markdown: from the library's op table and the exporter's rules.

python -m kiln.pallas.matrix > docs/jax-primitives.md
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any

import jax
from jax._src.interpreters import mlir
from jax._src.state import discharge
from jax.experimental.pallas import mosaic_gpu, tpu, triton  # noqa: F401  (register their primitives)

from kiln import ops_json
from kiln.pallas import exporter, table  # noqa: F401  (exporters register their rules)
from kiln.pallas.definitions import DEFINITIONS
from kiln.pallas.gpu import kernel  # noqa: F401  (likewise)
from kiln.pallas.lower import RULES, name_of
from kiln.pallas.refused import REASONS

HEAD = """# JAX primitives on Kiln

Made by `python -m kiln.pallas.matrix` with JAX {version}: every primitive that JAX's interpreter of kernels knows on a
CPU. *Op*: the Kiln op that stands for the primitive. Element types are those that the executor takes; ops that move or
make elements, and those with effects, take all.

| primitive | op | host | Vulkan |
|---|---|---|---|
"""


def _types(op: dict[str, object], executor: str) -> str:
    found = op.get(executor)
    if isinstance(found, list):
        return " ".join(map(str, found)) or "-"
    return "yes" if found in (None, True, "yes") else "-"


def known_to_jax() -> dict[str, Any]:
    """The primitives that a kernel may hold when JAX interprets it on a CPU, with their lowering if there is one."""
    on_cpu = {**mlir._lowerings, **mlir._platform_specific_lowerings["cpu"]}
    rules = {name_of(primitive): getattr(entry, "rule", entry) for primitive, entry in on_cpu.items()}
    return {name_of(primitive): None for primitive in discharge._discharge_rules} | rules


def defined_by_jax(rule: Any) -> bool:
    """Whether a lowering is a function of other lax operations."""
    rule = getattr(rule, "func", rule)
    try:
        return "lower_fun" in rule.__qualname__ or "lower_fun" in inspect.getsource(rule)
    except (AttributeError, OSError, TypeError):
        return False


def classes() -> dict[str, set[str]]:
    """All primitives by what becomes of them; `unknown` are refused without a reason."""
    refused = {name for names in REASONS.values() for name in names.split()}
    ops, rules = set(table.ops()), {name for name in RULES if not name.startswith("form:") and " " not in name}
    known = known_to_jax()
    left = set(known) - ops - rules - refused - set(DEFINITIONS)
    by_jax = {name for name in left if defined_by_jax(known[name])}
    found = {"op": ops, "rule": rules - ops, "definition": set(DEFINITIONS), "jax": by_jax, "refused": refused}
    return found | {"unknown": left - by_jax}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def markdown() -> str:
    """The page."""
    ops = {op["jax"]: op for op in json.loads(ops_json())["ops"] if op["jax"]}
    rows = [f"| `{name}` | `{op['name']}` | {_types(op, 'host')} | {_types(op, 'spirv')} |" for name, op in ops.items()]
    found = classes()
    gpu = [name.removeprefix("gpu ") for name in RULES if name.startswith("gpu ")]
    parts = [
        f"Written in other ops by a rule of the exporter: {_listed(found['rule'])}.",
        f"By rules of Mosaic GPU kernels: {_listed(gpu)}.",
        f"Written in other lax operations by Kiln, where XLA has its own: {_listed(found['definition'])}.",
        f"Taken apart by JAX's own definition: {_listed(found['jax'])}.",
        "Refused by name, with the line of Python:",
        "\n".join(f"- {_listed(names.split())}: {reason}." for reason, names in REASONS.items()),
    ]
    return HEAD.format(version=jax.__version__) + "\n".join(sorted(rows)) + "\n\n" + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
