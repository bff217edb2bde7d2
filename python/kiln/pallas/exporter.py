"""A Pallas call as a Kiln kernel: text that stands alone, and how its parameters relate to those of the call.

The meaning is that of JAX's generic interpreter (`interpret=True`): grid steps in order, the last axis fastest; blocks
that reach past an array read NaN (or the smallest integer, or false) there; slices are moved inside.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from kiln.pallas import arith, control, copies, generator, memory, pipeline, shape, speech  # noqa: F401  (their rules)
from kiln.pallas.blocks import Block, Param, block_of, grid_axes, parallel, whole_blocks
from kiln.pallas.equation import Axis, Ref
from kiln.pallas.lower import Lowering, physical
from kiln.pallas.text import Names, Writer
from kiln.pallas.unsupported import Unsupported


@dataclasses.dataclass(frozen=True)
class Exported:
    """A kernel, and how to call it.

    Its inputs are the operands of the call (sizes of a dynamic grid, prefetched scalars, inputs), this device's indices
    along `device_axes` of the mesh around it, then `constants`. Its first outputs are the results of the call, some of
    them larger than those: the kernel reads back what it wrote past their ends. Outputs behind are inputs that the
    kernel writes to, which JAX does not hand back. Where devices share a launch, all arrays of the kernel have a
    leading dimension that numbers those.
    """

    name: str
    text: str
    constants: tuple[np.ndarray, ...]
    outputs: tuple[tuple[tuple[int, ...], np.dtype], ...]  # shapes and types of all outputs
    device_axes: tuple[Any, ...] = ()
    devices: tuple[tuple[Any, int], ...] = ()  # axes and sizes of the mesh whose devices share each launch


def export_call(
    *,
    jaxpr: Any,
    grid_mapping: Any,
    input_output_aliases: Sequence[tuple[int, int]] = (),
    name: str | None = None,
    compiler_params: Any = None,
    **_: Any,
) -> Exported:
    """Exports one call; the parameters are those of `pallas_call_hlo_interpret`, and what it ignores is ignored."""
    kernel = Assembly(jaxpr, grid_mapping, {o: i for i, o in input_output_aliases}, compiler_params)
    return kernel.export(name or own_name(jaxpr))


def own_name(jaxpr: Any) -> str:
    """The name of the Python function."""
    found = re.match(r"[A-Za-z_]\w*", jaxpr.debug_info.func_src_info or "")
    return found.group(0) if found else "kernel"


class Assembly:
    """The parts of one kernel while it is put together."""

    def __init__(self, jaxpr: Any, mapping: Any, aliases: dict[int, int], compiler_params: Any) -> None:
        self.jaxpr = jaxpr
        self.mapping = mapping
        self.aliases = aliases
        self.compiler_params = compiler_params
        self.names = Names()
        self.constants: list[np.ndarray] = []
        self.constant_params: list[Param] = []
        self.device_params: dict[Any, Param] = {}  # by axis of the mesh around the call
        labels = list(jaxpr.debug_info.arg_names or ())
        self.labels = [re.sub(r"_ref$", "", str(n)) for n in labels] if len(labels) == len(jaxpr.invars) else []

    def export(self, name: str) -> Exported:
        """Writes the kernel."""
        name = self.names.claim(name)
        inputs, outputs, written = self._params()
        dynamic, prefetch, blocked = self._split(inputs)
        axes = self._axes(dynamic)
        refs = [Ref(p.name, p.shape, p.dtype) for p in prefetch]
        seen = [written.get(k, p) for k, p in enumerate(blocked)]
        mappings = self.mapping.block_mappings
        blocks = [self._block(m, p, axes, refs) for m, p in zip(mappings, seen + outputs, strict=True)]
        body, low = self._body(axes, refs, blocks)
        results = outputs + [param for param in written.values() if param not in outputs]
        self._fill(outputs, blocks[len(seen) :], low)
        taken = [*inputs, *self.device_params.values(), *self.constant_params]
        lines = [
            f"kernel {name}({_list(taken)}) -> ({_list(results)}) {{",
            *self._grid(axes, [] if written else blocks[len(seen) :]),
            *dict.fromkeys(f"  {b.header}" for b in blocks if b.header),
            *body.lines,
            "}",
        ]
        types = tuple((p.shape, p.dtype) for p in results)
        text = "\n".join(lines) + "\n"
        return Exported(name, text, tuple(self.constants), types, tuple(self.device_params))

    # ---- parameters ----

    def _label(self, place: int, default: str) -> str:
        return self.labels[place] if self.labels and self.labels[place] else default

    def _params(self) -> tuple[list[Param], list[Param], dict[int, Param]]:
        """Inputs, outputs, and the outputs that stand for inputs that are written to, by the input's number."""
        mapping, inputs = self.mapping, []
        for k in range(mapping.num_dynamic_grid_bounds):
            inputs.append(Param(self.names.claim(f"grid_{k}"), (), np.dtype(np.int32), "prefetch"))
        first = len(inputs)
        for k, aval in enumerate(mapping.index_map_avals[len(mapping.grid) :]):
            inputs.append(self._param(aval, k, "s", "prefetch"))
        before = mapping.num_index_operands
        for k in range(mapping.num_inputs):
            inputs.append(self._param(mapping.block_mappings[k].array_aval, before + k, "x"))
        behind = before + mapping.num_inputs
        outputs = [
            self._param(
                m.array_aval,
                behind + k,
                "y",
                f"alias {inputs[first + self.aliases[k]].name}" if k in self.aliases else "",
            )
            for k, m in enumerate(mapping.block_mappings_output)
        ]
        read = self._effects("ReadEffect")
        for k, m in enumerate(mapping.block_mappings_output):
            if k not in self.aliases and behind + k in read:
                outputs[k].shape = whole_blocks(m, outputs[k].shape)
        written = {}
        for k in sorted(self._written()):
            if before <= k < behind:
                same = [outputs[o] for o, i in self.aliases.items() if i == k]
                written[k - before] = same[0] if same else self._written_input(inputs[first + k])
        return inputs, outputs, written

    def _written_input(self, source: Param) -> Param:
        """The output that an input is which the kernel writes to and JAX hands back nowhere."""
        return Param(self.names.claim(source.name + "_new"), source.shape, source.dtype, f"alias {source.name}")

    def _param(self, aval: Any, place: int, default: str, words: str = "") -> Param:
        inner = physical(getattr(aval, "inner_aval", aval))
        if not all(isinstance(n, (int, np.integer)) for n in inner.shape):
            raise Unsupported(f"an array of unknown shape {inner.shape}")
        return Param(self.names.claim(self._label(place, default)), tuple(inner.shape), np.dtype(inner.dtype), words)

    def _written(self) -> set[int]:
        """The numbers of the kernel's refs that it writes to."""
        return self._effects("WriteEffect", "AccumEffect")

    def _effects(self, *kinds: str) -> set[int]:
        """The numbers of the kernel's refs that it has an effect of these kinds on."""
        found = set()
        places = {v: k for k, v in enumerate(self.jaxpr.invars)}
        for effect in self.jaxpr.effects:
            if type(effect).__name__ in kinds:
                where = effect.input
                found.add(where if isinstance(where, int) else places.get(where, -1))
        return found - {-1}

    def _split(self, inputs: list[Param]) -> tuple[list[Param], list[Param], list[Param]]:
        a = self.mapping.num_dynamic_grid_bounds
        b = a + self.mapping.num_index_operands
        return inputs[:a], inputs[a:b], inputs[b:]

    def _constant(self, value: np.ndarray) -> Ref:
        """An array that the kernel closed over becomes an input."""
        for known, param in zip(self.constants, self.constant_params, strict=True):
            if known is value:
                return Ref(param.name, param.shape, param.dtype)
        param = Param(self.names.claim("constant"), value.shape, value.dtype)
        self.constants.append(value)
        self.constant_params.append(param)
        return Ref(param.name, param.shape, param.dtype)

    # ---- head and body ----

    def _axes(self, dynamic: Sequence[Param]) -> list[Axis]:
        return grid_axes(self.mapping, dynamic, self.names)

    def _block(self, mapping: Any, param: Param, axes: Sequence[Axis], prefetch: Sequence[Ref]) -> Block:
        return block_of(mapping, param, axes, prefetch, self.names)

    def _body(self, axes: list[Axis], prefetch: list[Ref], blocks: list[Block]) -> tuple[Writer, Lowering]:
        writer = Writer(self.names)
        low = Lowering(writer, axes, self._constant)
        scratch_vars = self.jaxpr.invars[self.mapping.slice_scratch_ops]
        scratch = [memory.scratch(low, v.aval) for v in scratch_vars]
        written = self._written()
        scalars = [memory.copy_of(low, ref) if k in written else ref for k, ref in enumerate(prefetch)]
        low.jaxpr(self.jaxpr, [*scalars, *(b.ref for b in blocks), *scratch])
        writer.lines[:0] = low.heads
        return writer, low

    def _grid(self, axes: list[Axis], outputs: list[Block]) -> list[str]:
        if not axes:
            return []
        free = parallel(axes, outputs, getattr(self.compiler_params, "dimension_semantics", None))
        words = [f"{a.name}: {a.extent}" + " parallel" * p for a, p in zip(axes, free, strict=True)]
        return [f"  grid {', '.join(words)}"]

    def _fill(self, outputs: list[Param], blocks: list[Block], low: Lowering) -> None:
        """Outputs that may keep elements that no step writes begin filled, as in JAX's interpreter."""
        for param, block in zip(outputs, blocks, strict=True):
            if not param.words and not (block.covers and low.settles(block.ref)):
                param.words = "filled"


def _list(params: Sequence[Param]) -> str:
    return ", ".join(p.text for p in params)


__all__ = ["Assembly", "Exported", "export_call", "own_name"]
