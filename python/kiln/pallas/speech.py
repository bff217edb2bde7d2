"""What a kernel says while it runs: prints and checks."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jax import tree_util
from jax._src.debugging import merge_callback_args
from jax._src.pallas.core import debug_checks_enabled

from kiln.pallas.equation import Equation, Operand, Ref, Value
from kiln.pallas.lower import Lowering, rule
from kiln.pallas.memory import load
from kiln.pallas.text import quote


def template(text: str, args: Sequence[Any], named: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """A format of Python as one with bare `{}`, and the values in their order. How a value is formatted is Kiln's."""
    pieces, values, count = [], [], 0
    for literal, field, _, _ in string.Formatter().parse(text):
        pieces.append(literal.replace("{", "{{").replace("}", "}}"))
        if field is None:
            continue
        pieces.append("{}")
        if field == "":
            values.append(args[count])
            count += 1
        else:
            values.append(args[int(field)] if field.isdigit() else named[field])
    return "".join(pieces), values


@rule("debug_print")
def lower_print(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A `print` statement, with the values where the format puts them."""
    params = eqn.params
    args, named = merge_callback_args(params["in_tree"], eqn.operands, params["static_args"])
    text, values = params["fmt"], list(args)
    if params["has_placeholders"] or "{" in text:
        text, values = template(text, args, named)
    else:
        text += " {}" * len(values)
    shown = [_shown(low, v).typed for v in values]
    low.writer.line(f"print {', '.join([quote(text), *shown])}")
    return []


def _shown(low: Lowering, value: Any) -> Value:
    """What is printed: a ref's contents, and numbers that the program knew while it was traced."""
    if isinstance(value, Ref):
        return load(low, value, ())
    return value if isinstance(value, Value) else low.array(np.asarray(value))


@rule("check")
def lower_check(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Check condition, "message": only where the program has turned checks on, as in JAX."""
    if eqn.params["debug"] and not debug_checks_enabled():
        return []
    error = tree_util.tree_unflatten(eqn.params["err_tree"], eqn.operands)
    for effect, failed in error._pred.items():
        good = low.elementwise("not", [failed], failed.shape, np.bool_)
        low.writer.line(f"check {good.typed}, {quote(_message(error, effect))}")
    return []


def _message(error: Any, effect: Any) -> str:
    payload = error._payload.get(effect, ())
    for tree in error._metadata.values():
        return str(getattr(tree_util.tree_unflatten(tree, payload), "fmt_string", "")) or "a check failed"
    return "a check failed"
