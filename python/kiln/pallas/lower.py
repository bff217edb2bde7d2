"""Jaxprs to Kiln statements: the walk over equations. What each primitive becomes is said by the rule modules.

An equation is lowered by the first of: a rule (`@rule("name")`), the op of Kiln's table that names the primitive, or
the equations of JAX's own definition of the primitive (decompose.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import core as jax_core
from jax._src.state.types import AbstractRef, ReadEffect

from kiln.pallas import bounds, table
from kiln.pallas.bounds import Bounds
from kiln.pallas.decompose import definition
from kiln.pallas.equation import Axis, Equation, Operand, Ref, Value
from kiln.pallas.keys import of_words
from kiln.pallas.refused import REFUSED
from kiln.pallas.registry import entered_in
from kiln.pallas.text import Writer, dtype_name, literal, type_text
from kiln.pallas.unsupported import Place, Unsupported, place_of

Rule = Callable[["Lowering", Equation], Sequence[Operand] | Operand | None]
RULES: dict[str, Rule] = {}


def rule(*primitives: str, machine: str = "") -> Callable[[Rule], Rule]:
    """Registers how equations of these primitives are lowered, everywhere or in kernels of one machine only."""
    return entered_in(RULES, [f"{machine} {name}".strip() for name in primitives])


def name_of(primitive: Any) -> str:
    """A primitive's name in JAX 0.12; 0.11 ends some in `_p`."""
    return primitive.name.removesuffix("_p")


class Lowering:
    """Writes the equations of one kernel."""

    machine = ""  # whose rules come before those of all
    clamps = True  # whether slices that reach outside of a ref are moved inside

    def __init__(
        self, writer: Writer, axes: Sequence[Axis] = (), constants: Callable[[Any], Ref] | None = None
    ) -> None:
        self.writer = writer
        self.axes = list(axes)
        self._constants = constants
        self._env: dict[Any, Operand] = {}
        self._places: dict[int, tuple[Any, Place | None]] = {}
        self.place: Place | None = None
        self._settled: dict[str, bool] = {}
        self.common: dict[str, str] = {}  # scratch of the whole kernel that it did not ask for: names by types

    @property
    def in_index_map(self) -> bool:
        """Whether this is no body: what an index map computes has neither constants nor scratch."""
        return self._constants is None

    @property
    def heads(self) -> list[str]:
        """Lines that come before all others."""
        return [f"  scratch {name}: {kind}" for kind, name in self.common.items()]

    def common_scratch(self, kind: str, label: str) -> str:
        """The name of the one scratch of this type that the whole kernel shares without having asked for it."""
        if kind not in self.common:
            self.common[kind] = self.writer.names.claim(label)
        return self.common[kind]

    def touch(self, ref: Ref, stores_all: bool) -> None:
        """Notes an access: whether a ref's first one is a store of all of it that always happens."""
        self._settled.setdefault(ref.base or ref.text, stores_all and not ref.base and self.writer.at_top)

    def settles(self, ref: Ref) -> bool:
        """Whether the kernel stores all of a ref before it does anything else with it."""
        return self._settled.get(ref.text, False)

    # ---- values ----

    def constant(self, number: Any, dtype: Any = np.int32) -> Value:
        """A scalar literal."""
        dtype = np.dtype(dtype)
        limits = Bounds(int(number), int(number)) if is_integer(dtype) else None
        return Value(literal(number, dtype), (), dtype, number, limits)

    def let(self, expression: str, shape: Sequence[int], dtype: Any, limits: Bounds | None = None) -> Value:
        """Names an expression."""
        return Value(self.writer.let(expression)[0], tuple(shape), np.dtype(dtype), None, limits)

    def array(self, value: Any) -> Operand:
        """A constant that the program closed over."""
        if not hasattr(value, "shape"):
            value = np.asarray(value)
        if isinstance(getattr(value, "aval", None), AbstractRef):
            raise self.unsupported("a ref that the kernel closed over")
        value = np.asarray(value)
        if value.ndim == 0:
            return self.constant(value, value.dtype)
        if self._constants is None:
            raise self.unsupported("an array constant in an index map")
        ref = self._constants(value)
        return self.let(f"{ref.text}[...]", value.shape, value.dtype)

    def full(self, value: Value, shape: Sequence[int]) -> Value:
        """A scalar repeated to a shape."""
        if not shape:
            return value
        if value.number is not None:
            text = f"full({value.text}, {type_text(value.dtype, shape)})"
        else:
            text = f"broadcast({value.text}, shape: [{', '.join(map(str, shape))}])"
        return self.let(text, shape, value.dtype, value.bounds)

    def convert(self, value: Value, dtype: Any) -> Value:
        """To another element type."""
        dtype = np.dtype(dtype)
        if value.dtype == dtype:
            return value
        limits = value.bounds
        if value.dtype.kind == "b":
            limits = Bounds(0, 1)
        limits = limits if _fits(limits, dtype) else None
        if value.number is not None and limits is not None:
            return self.constant(int(value.number), dtype)
        result = self.let(f"{dtype_name(dtype)}({value.typed})", value.shape, dtype, limits)
        if value.dtype.kind == "b" and not value.shape:
            result.condition = value
        return result

    def binary(self, primitive: str, a: Value, b: Value, dtype: Any = None) -> Value:
        """An elementwise op of two operands, by the name of its primitive."""
        shape = a.shape if len(a.shape) >= len(b.shape) else b.shape
        return self.elementwise(primitive, [a, b], shape, dtype or a.dtype)

    def elementwise(self, primitive: str, operands: Sequence[Value], shape: Sequence[int], dtype: Any) -> Value:
        """An op of the table whose operands broadcast."""
        limits = bounds.of(primitive, [v.bounds for v in operands])
        if not shape and (known := self._known(primitive, operands, limits, dtype)) is not None:
            return known
        op = table.ops()[primitive]
        anchored = any(v.number is None for v in operands[op.name == "select" :])
        texts = [v.text if anchored and (op.name != "select" or i) else v.typed for i, v in enumerate(operands)]
        if not op.infix:
            text = f"{op.name}({', '.join(texts)})"
        elif len(texts) == 1:
            text = op.infix + texts[0]
        else:
            text = f"{texts[0]} {op.infix} {texts[1]}"
        return self.let(text, shape, dtype, limits)

    def _known(self, primitive: str, operands: Sequence[Value], limits: Bounds | None, dtype: Any) -> Value | None:
        """A scalar that bounds or constants decide: the arithmetic of indices is full of them."""
        if limits is not None and limits.low == limits.high:
            return self.constant(limits.low, dtype)
        truth = bounds.decided(primitive, [v.bounds for v in operands])
        if truth is not None:
            return self.constant(truth, np.bool_)
        first = operands[0]
        if primitive == "select_n" and first.number is not None:
            return operands[1] if first.number else operands[2]
        if primitive in ("and", "or") and dtype == np.bool_:
            for a, b in (operands, operands[::-1]):
                if a.number is not None:
                    return b if bool(a.number) == (primitive == "and") else a
        return None

    def unsupported(self, what: str, hint: str = "") -> Unsupported:
        """An error at the equation being lowered."""
        return Unsupported(what, self.place, hint)

    # ---- jaxprs ----

    def trace(self, function: Callable[..., Any], *operands: Operand) -> list[Operand]:
        """Lowers a function of jax.numpy on these operands, or one of Pallas where there are refs among them."""
        avals = [jax_core.ShapedArray(x.shape, x.dtype) for x in operands]
        seen = [AbstractRef(a) if isinstance(x, Ref) else a for x, a in zip(operands, avals, strict=True)]
        return self.jaxpr(jax.make_jaxpr(function)(*seen), operands)

    def jaxpr(
        self,
        jaxpr: Any,
        args: Sequence[Operand],
        consts: Sequence[Operand] | None = None,
        wanted: Sequence[int] | None = None,
    ) -> list[Operand]:
        """Lowers the equations of a jaxpr in place; its results, of which only the `wanted` ones need be right."""
        inner = getattr(jaxpr, "jaxpr", jaxpr)
        if consts is None:
            consts = [self.array(c) for c in getattr(jaxpr, "consts", ())]
        self._env.update(zip(inner.constvars, consts, strict=True))
        self._env.update(zip(inner.invars, args, strict=True))
        outvars = inner.outvars if wanted is None else [inner.outvars[k] for k in wanted]
        needed, live = self._needed(inner, outvars)
        for equation in needed:
            self._equation(equation, live)
        return [self._read(v) if wanted is None or k in wanted else None for k, v in enumerate(inner.outvars)]

    def _needed(self, jaxpr: Any, outvars: Sequence[Any]) -> tuple[list[Any], set[Any]]:
        """The equations that do something or whose results are used, in order, and all that is used."""
        live = {v for v in outvars if isinstance(v, jax_core.Var)}
        needed = []
        for equation in reversed(jaxpr.eqns):
            if self.acts(equation) or any(v in live for v in equation.outvars):
                needed.append(equation)
                live.update(v for v in equation.invars if isinstance(v, jax_core.Var))
        return needed[::-1], live

    def acts(self, equation: Any) -> bool:
        """Whether an equation does something beside its results; of some bodies JAX knows no effects."""
        bodies = jax_core.jaxprs_in_params(equation.params)
        writes = any(not isinstance(effect, ReadEffect) for effect in equation.effects)
        return writes or any(self.acts(e) for body in bodies for e in body.eqns)

    def _read(self, atom: Any) -> Operand:
        if isinstance(atom, jax_core.Literal):
            return self.array(np.asarray(atom.val, dtype=atom.aval.dtype))
        return self._env[atom]

    def _equation(self, equation: Any, live: set[Any]) -> None:
        self.place = self._place(equation.source_info)
        self.writer.at(self.place)
        lowered = Equation(
            name_of(equation.primitive),
            equation.primitive,
            equation.params,
            [self._read(v) for v in equation.invars],
            equation.outvars,
            [physical(v.aval) for v in equation.outvars],
            [v.aval for v in equation.invars],
            live,
        )
        results = self.lower(of_words(self, lowered))
        self._env.update(zip(equation.outvars, results, strict=True))

    def lower(self, equation: Equation) -> Sequence[Operand]:
        """The results of one equation."""
        found = RULES.get(f"{self.machine} {equation.name}") or RULES.get(equation.name)
        if found is None:
            found = _table_rule(equation.name)
        if found is None:
            return self.defined(equation)
        results = found(self, equation)
        if results is None:
            return []
        return [results] if isinstance(results, (Value, Ref)) else results

    def defined(self, equation: Equation) -> list[Operand]:
        """The results of one equation by what defines its primitive."""
        inner = None if equation.name in REFUSED else definition(equation)
        if inner is None:
            hint = REFUSED.get(equation.name, "write it with other operations")
            raise self.unsupported(f"the primitive `{equation.name}`", hint)
        return self.jaxpr(inner, list(equation.operands))

    def _place(self, source_info: Any) -> Place | None:
        """Many equations share a traceback, which is slow to look through."""
        traceback = source_info.traceback
        known = self._places.get(id(traceback))
        if known is None:
            known = self._places[id(traceback)] = (traceback, place_of(source_info))
        return known[1] or self.place


def physical(aval: Any) -> Any:
    """Keys of random generators are arrays of words."""
    return jax_core.physical_aval(aval) if isinstance(aval, jax_core.ShapedArray) else aval


def is_integer(dtype: Any) -> bool:
    """Whether an element type is a signed or unsigned integer of any width."""
    return bool(jnp.issubdtype(dtype, jnp.integer))


def _fits(limits: Bounds | None, dtype: np.dtype) -> bool:
    if limits is None or not is_integer(dtype):
        return False
    info = jnp.iinfo(dtype)
    return limits.within(int(info.min), int(info.max))


def _table_rule(name: str) -> Rule | None:
    op = table.ops().get(name)
    return RULES.get(f"form:{op.form}") if op else None
