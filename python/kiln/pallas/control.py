"""Control flow, and the primitives that only hold another jaxpr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax._src import core as jax_core

from kiln.pallas.arith import attribute_list
from kiln.pallas.bounds import Bounds
from kiln.pallas.equation import Axis, Equation, Operand, Ref, Value
from kiln.pallas.lower import Lowering, physical, rule
from kiln.pallas.shape import broadcast, reshape
from kiln.pallas.text import binding, type_text

# ---- holders of a jaxpr ----


@rule(
    "jit", "pjit", "closed_call", "core_call", "eval_jaxpr", "custom_jvp_call", "custom_vjp_call", "jaxpr_call",
    "custom_vjp_call_jaxpr", "remat2", "checkpoint", "remat", "custom_lin", "composite", "xla_metadata_call",
    "custom_partitioning",
)  # fmt: skip
def lower_call(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A function call: its equations stand in its place."""
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr", "call"):
        if key in eqn.params:
            return low.jaxpr(eqn.params[key], eqn.operands)
    raise low.unsupported(f"the primitive `{eqn.name}`")


# ---- branches ----


def _body(low: Lowering, jaxpr: Any, args: Sequence[Operand]) -> None:
    """The statements of a region and its yield."""
    results = low.jaxpr(jaxpr, args)
    if results:
        low.writer.line(f"yield {', '.join(r.typed for r in results)}")


def _assigned(low: Lowering, avals: Sequence[Any]) -> tuple[str, list[Value]]:
    """`let (a, b) = ` and the values it names."""
    names = [low.writer.names.fresh() for _ in avals]
    values = [Value(n, tuple(a.shape), np.dtype(a.dtype)) for n, a in zip(names, avals, strict=True)]
    return (f"let {binding(names)} = " if names else ""), values


@rule("platform_index")
def lower_platform_index(low: Lowering, eqn: Equation) -> Operand:
    """Which branch of `lax.platform_dependent` runs: Kiln stands where JAX's code for CPUs would."""
    for index, platforms in enumerate(eqn.params["platforms"]):
        if platforms is None or "cpu" in platforms:
            return low.constant(index)
    raise low.unsupported("`lax.platform_dependent` without a branch for CPUs")


@rule("cond")
def lower_cond(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """`when` for two branches, `switch` for more."""
    which, *args = eqn.operands
    branches = eqn.params["branches"]
    if which.number is not None:
        taken = min(max(int(which.number), 0), len(branches) - 1)
        return low.jaxpr(branches[taken], args)
    if len(branches) == 1:
        return low.jaxpr(branches[0], args)
    if len(branches) == 2:
        return _when(low, eqn, which, args)
    return _switch(low, eqn, which, args)


def _when(low: Lowering, eqn: Equation, which: Value, args: Sequence[Operand]) -> Sequence[Operand]:
    no, yes = eqn.params["branches"]
    condition = which.condition
    if which.dtype == np.bool_:
        condition = which
    if condition is None:
        condition = low.binary("gt", which, low.constant(0, which.dtype), np.bool_)
    let, results = _assigned(low, eqn.avals)
    if not results and not yes.eqns:
        condition, yes, no = low.elementwise("not", [condition], (), np.bool_), no, yes
    if not results and not yes.eqns:
        return []
    two = bool(results) or bool(no.eqns)
    with low.writer.region(f"{let}when {condition.text}", "} else {" if two else "}"):
        _body(low, yes, args)
    if two:
        with low.writer.indented():
            _body(low, no, args)
        low.writer.raw("}")
    return results


def _switch(low: Lowering, eqn: Equation, which: Value, args: Sequence[Operand]) -> Sequence[Operand]:
    index = low.convert(which, np.int32)
    let, results = _assigned(low, eqn.avals)
    with low.writer.region(f"{let}switch {index.text}"):
        for number, branch in enumerate(eqn.params["branches"]):
            with low.writer.region(f"case {number}"):
                _body(low, branch, args)
    return results


# ---- loops ----


class Loop:
    """The carried values of a loop, those left out that need not be carried: what never changes, and what counts.

    A counter is a carried i32 that each step adds 1 to; it is the loop's own index plus what it began with.
    """

    def __init__(self, low: Lowering, jaxpr: Any, before: int, inits: Sequence[Operand]) -> None:
        self.low = low
        self.jaxpr = jaxpr
        self.inits = list(inits)
        self.invars = jaxpr.invars[before : before + len(inits)]
        self.outvars = jaxpr.outvars[: len(inits)]
        added = _increments(jaxpr)
        pairs = list(zip(self.invars, self.outvars, strict=True))
        self.fixed = [a is b or isinstance(x, Ref) for (a, b), x in zip(pairs, inits, strict=True)]
        self.counts = [
            not isinstance(b, jax_core.Literal) and added.get(b) is a and a.aval.dtype == np.int32 for a, b in pairs
        ]
        self.carried: list[int] = []
        self.values: list[Operand] = list(inits)

    def choose(self, count: bool) -> None:
        """Decides what is carried; `count`: an index exists that counters can be made of."""
        self.carried = [k for k, fixed in enumerate(self.fixed) if not (fixed or (count and self.counts[k]))]
        for k in self.carried:
            init = self.inits[k]
            self.values[k] = Value(self.low.writer.names.fresh(), init.shape, init.dtype)

    def head(self, extra: Sequence[tuple[Value, str]] = ()) -> str:
        """` with (a = x, ..)`; empty when nothing is carried."""
        pairs = [f"{self.values[k].text} = {self.inits[k].typed}" for k in self.carried]
        pairs += [f"{value.text} = {init}" for value, init in extra]
        return f" with ({', '.join(pairs)})" if pairs else ""

    def avals(self) -> list[Any]:
        """The types of what is carried."""
        return [physical(self.invars[k].aval) for k in self.carried]

    def count_from(self, index: Value) -> None:
        """Gives counters their values inside the loop."""
        for k, counts in enumerate(self.counts):
            if counts and not self.fixed[k]:
                start = self.inits[k]
                self.values[k] = index if start.number == 0 else self.low.binary("add", start, index)

    def results(self, eqn: Equation, outside: Sequence[Value], steps: Value | None) -> list[Operand]:
        """What the carried values are after the loop, which took `steps` steps."""
        after = list(self.values)
        for k, value in zip(self.carried, outside, strict=False):
            after[k] = value
        for k, counts in enumerate(self.counts):
            if steps is not None and counts and not self.fixed[k] and not eqn.dead(k):
                after[k] = self.low.binary("add", self.inits[k], _at_least_zero(self.low, steps))
        return after


def _increments(jaxpr: Any) -> dict[Any, Any]:
    """Results that are an operand plus 1."""
    found = {}
    for equation in jaxpr.eqns:
        if equation.primitive.name == "add" and len(equation.invars) == 2:
            a, b = equation.invars
            if isinstance(b, jax_core.Literal) and not isinstance(a, jax_core.Literal) and b.val == 1:
                found[equation.outvars[0]] = a
    return found


def _groups(eqn: Equation) -> tuple[int, int]:
    """How many constants and carried values a scan has."""
    if "ft_in" in eqn.params:
        consts, carry, _ = eqn.params["ft_in"].update(eqn.operands).unpack()
        return len(list(consts)), len(list(carry))
    return eqn.params["num_consts"], eqn.params["num_carry"]


@rule("scan")
def lower_scan_loop(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """`for` over the leading axis of some arrays, with carried values and results that are stacked."""
    jaxpr, length = eqn.params["jaxpr"], eqn.params["length"]
    const_count, carry_count = _groups(eqn)
    consts = eqn.operands[:const_count]
    loop = Loop(low, jaxpr, const_count, eqn.operands[const_count : const_count + carry_count])
    loop.choose(count=True)
    arrays = eqn.operands[const_count + carry_count :]
    index = Value(low.writer.names.fresh(), (), np.dtype(np.int32), None, Bounds(0, max(length - 1, 0)))
    stacks = [_Stack(low, aval) for aval in eqn.avals[carry_count:]]
    let, outside = _assigned(low, loop.avals() + eqn.avals[carry_count:])
    head = loop.head([(stack.inside, stack.init) for stack in stacks])
    with low.writer.region(f"{let}for {index.text} in 0 .. {length}{head}"):
        loop.count_from(index)
        at = index
        if eqn.params["reverse"] and (arrays or stacks):
            at = low.binary("sub", low.constant(length - 1), index)
        rows = [_row(low, x, at) for x in arrays]
        stacked = range(carry_count, len(jaxpr.outvars))
        results = low.jaxpr(jaxpr, [*consts, *loop.values, *rows], wanted=[*loop.carried, *stacked])
        after = [results[k].typed for k in loop.carried]
        after += [stack.put(value, at) for stack, value in zip(stacks, results[carry_count:], strict=True)]
        if after:
            low.writer.line(f"yield {', '.join(after)}")
    carried = loop.results(eqn, outside, low.constant(length))
    return carried + outside[len(loop.carried) :]


def _row(low: Lowering, x: Value, at: Value) -> Value:
    """One element along the leading axis."""
    entries = ", ".join([f"{at.text} : 1"] + [":"] * (len(x.shape) - 1))
    return _drop_first(low, low.let(f"{x.text}[{entries}]", (1, *x.shape[1:]), x.dtype, x.bounds))


def _drop_first(low: Lowering, x: Value) -> Value:
    return low.let(f"reshape({x.text}, shape: [{', '.join(map(str, x.shape[1:]))}])", x.shape[1:], x.dtype, x.bounds)


class _Stack:
    """A stacked result of a scan: a carried tile of which each step writes a row."""

    def __init__(self, low: Lowering, aval: Any) -> None:
        self.low = low
        shape, dtype = tuple(aval.shape), np.dtype(aval.dtype)
        self.inside = Value(low.writer.names.fresh(), shape, dtype)
        self.init = f"full({low.constant(0, dtype).text}, {type_text(dtype, shape)})"

    def put(self, value: Value, at: Value) -> str:
        """The tile with this step's row."""
        row = reshape(self.low, value, (1, *value.shape))
        starts = ", ".join([at.text] + ["0"] * len(value.shape))
        shape, dtype = self.inside.shape, self.inside.dtype
        return self.low.let(f"update({self.inside.text}, {row.typed}, {starts})", shape, dtype).text


@rule("while")
def lower_while(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """`for` where the condition is a counter below something fixed, else `while`."""
    condition, body = eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
    first, second = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    limits, consts = eqn.operands[:first], eqn.operands[first : first + second]
    loop = Loop(low, body, second, eqn.operands[first + second :])
    known = _counted(condition, first, loop)
    if known is None:
        return _while(low, eqn, loop, limits, consts)
    counter, limit = known
    if isinstance(limit, jax_core.Literal):
        end = low.constant(limit.val)
    else:
        place = list(condition.invars).index(limit)
        end = limits[place] if place < first else loop.inits[place - first]
    return _counted_loop(low, eqn, loop, loop.inits[counter], end, consts)


def _counted(condition: Any, first: int, loop: Loop) -> tuple[int, Any] | None:
    """Which carried value the condition compares with what, when that makes it a loop of known length."""
    if len(condition.eqns) != 1 or condition.eqns[0].primitive.name != "lt":
        return None
    a, b = condition.eqns[0].invars
    places = {v: k - first for k, v in enumerate(condition.invars)}
    counter = -1 if isinstance(a, jax_core.Literal) else places[a]
    if condition.outvars[0] is not condition.eqns[0].outvars[0] or counter < 0 or not loop.counts[counter]:
        return None
    if not isinstance(b, jax_core.Literal) and places[b] >= 0 and not loop.fixed[places[b]]:
        return None
    return counter, b


def _counted_loop(
    low: Lowering, eqn: Equation, loop: Loop, start: Value, end: Value, consts: Sequence[Operand]
) -> list[Operand]:
    steps = low.binary("sub", end, start) if start.number != 0 else end
    loop.choose(count=True)
    limits = Bounds(0, max(steps.bounds.high - 1, 0)) if steps.bounds else Bounds(0, 2**31 - 1)
    index = Value(low.writer.names.fresh(), (), np.dtype(np.int32), None, limits)
    let, outside = _assigned(low, loop.avals())
    with low.writer.region(f"{let}for {index.text} in 0 .. {steps.text}{loop.head()}"):
        loop.count_from(index)
        results = low.jaxpr(loop.jaxpr, [*consts, *loop.values], wanted=loop.carried)
        if loop.carried:
            low.writer.line(f"yield {', '.join(results[k].typed for k in loop.carried)}")
    return loop.results(eqn, outside, steps)


def _at_least_zero(low: Lowering, steps: Value) -> Value:
    if steps.bounds is not None and steps.bounds.low >= 0:
        return steps
    return low.binary("max", steps, low.constant(0))


def _while(
    low: Lowering, eqn: Equation, loop: Loop, limits: Sequence[Operand], consts: Sequence[Operand]
) -> list[Operand]:
    loop.choose(count=False)
    let, outside = _assigned(low, loop.avals())
    writer = low.writer
    with writer.region(f"{let}while", f"}}{loop.head()} {{"):
        goes_on = _condition(low, eqn, limits, loop)
        axes = attribute_list(range(len(goes_on.shape)))
        writer.line(f"yield any({goes_on.text}, axis: {axes})" if goes_on.shape else f"yield {goes_on.typed}")
    with writer.indented():
        results = low.jaxpr(loop.jaxpr, [*consts, *loop.values], wanted=loop.carried)
        if eqn.params["cond_jaxpr"].out_avals[0].shape:
            results = _only_where(low, _condition(low, eqn, limits, loop), loop, results)
        if loop.carried:
            writer.line(f"yield {', '.join(results[k].typed for k in loop.carried)}")
    writer.raw("}")
    return loop.results(eqn, outside, None)


def _condition(low: Lowering, eqn: Equation, limits: Sequence[Operand], loop: Loop) -> Value:
    return low.jaxpr(eqn.params["cond_jaxpr"], [*limits, *loop.values])[0]


def _only_where(low: Lowering, goes_on: Value, loop: Loop, after: Sequence[Operand]) -> list[Operand]:
    """The carried values where a batch's own loop goes on, else those before the step: loops as vmap makes them."""
    kept = list(after)
    for k in loop.carried:
        new = after[k]
        whole = broadcast(low, goes_on, new.shape, range(len(goes_on.shape)))
        kept[k] = low.elementwise("select_n", [whole, new, loop.values[k]], new.shape, new.dtype)
    return kept


@rule("parallel_loop")
def lower_parallel_loop(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A loop whose steps may come in any order: here they come in theirs."""
    jaxpr, tree = eqn.params["jaxpr"], eqn.params["tree"]
    limits = [None if v.number is None else int(v.number) for v in eqn.operands[:3]]

    def loop(*operands: Any) -> Any:
        known = [x if limit is None else limit for x, limit in zip(operands, limits, strict=False)]
        start, stop, step, consts, carry = tree.unflatten([*known, *operands[3:]])

        def body(k: Any, carry: Any) -> Any:
            return jax_core.eval_jaxpr(jaxpr, consts, start + k * step, *carry)

        return jax.lax.fori_loop(0, (stop - start + step - 1) // step, body, list(carry))

    return low.trace(loop, *eqn.operands)


# ---- the grid ----


@rule("program_id")
def lower_program_id(low: Lowering, eqn: Equation) -> Operand:
    """The index of a grid axis."""
    return _axis(low, eqn).index


@rule("axis_index")
def lower_axis_index(low: Lowering, eqn: Equation) -> Operand:
    """The number of the core that runs a kernel of a mesh of cores: the index of the grid's axis of that name."""
    wanted = eqn.params["axis_name"]
    found = next((axis for axis in low.axes if axis.label is not None and axis.label == wanted), None)
    if found is None:
        raise low.unsupported("the primitive `axis_index`", "a kernel does not talk to the other devices of a mesh")
    return found.index


@rule("num_programs")
def lower_num_programs(low: Lowering, eqn: Equation) -> Operand:
    """The extent of a grid axis."""
    axis = _axis(low, eqn)
    if axis.size is not None:
        return low.constant(axis.size)
    return low.let(f"{axis.extent}[...]", (), np.int32, Bounds(0, 2**31 - 1))


def _axis(low: Lowering, eqn: Equation) -> Axis:
    own = [axis for axis in low.axes if not axis.mapped]
    return own[eqn.params["axis"]]
