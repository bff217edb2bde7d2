"""A Mosaic GPU kernel as Kiln text: `plgpu.kernel`, `core_map` over a plgpu.Mesh, `pallas_call` with GPU parameters.

The grid counts clusters; below it stand the teams. Units of a launch may run in any order and at once, so every axis is
parallel. Refs have the shapes that the program sees: tiling and swizzling are left out, as they change no result.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kiln.pallas.blocks import Block, Param
from kiln.pallas.equation import Axis, Ref
from kiln.pallas.exporter import Assembly, Exported, own_name
from kiln.pallas.gpu import copies, inline, known, memory, remote, sync, tensor  # noqa: F401  (their rules)
from kiln.pallas.gpu.devices import around as devices_around
from kiln.pallas.gpu.lower import GpuLowering, ManyDevices, facts, mesh_of
from kiln.pallas.lower import Lowering
from kiln.pallas.text import Writer
from kiln.pallas.unsupported import Unsupported


def export_gpu_call(
    *,
    jaxpr: Any,
    grid_mapping: Any,
    mesh: Any = None,
    input_output_aliases: Sequence[tuple[int, int]] = (),
    kernel_arg_transforms: Sequence[Any] = (),
    compiler_params: Any = None,
    name: str | None = None,
    interpret: Any = False,
    **_: Any,
) -> Exported:
    """Exports one call; the parameters are those of JAX's `interpret_pallas_call` for GPUs."""
    aliases = {o: i for i, o in input_output_aliases}

    def export(around: Mapping[Any, int]) -> Exported:
        kernel = GpuAssembly(jaxpr, grid_mapping, aliases, compiler_params)
        kernel.program_mesh, kernel.layouts, kernel.interpret = mesh, kernel_arg_transforms, interpret
        kernel.around = around
        return dataclasses.replace(kernel.export(name or own_name(jaxpr)), devices=tuple(around.items()))

    try:
        return export({})
    except ManyDevices:
        return export(devices_around())


class GpuAssembly(Assembly):
    """The parts of one GPU kernel while it is put together."""

    program_mesh: Any = None
    layouts: Sequence[Any] = ()
    interpret: Any = False
    around: Mapping[Any, int] = types.MappingProxyType({})  # the axes of the devices that share a launch

    # ---- parameters ----

    def _params(self) -> tuple[list[Param], list[Param], dict[int, Param]]:
        inputs, outputs, written = super()._params()
        if self.around and any(param.words == "prefetch" for param in inputs):
            raise Unsupported("scalars that are known before the grid in a kernel of several devices")
        for param in {id(p): p for p in [*inputs, *outputs, *written.values()]}.values():
            param.shape = self._stacked(param.shape)
        return inputs, outputs, written

    def _constant(self, value: np.ndarray) -> Ref:
        ref = super()._constant(value)
        shape = self._stacked(value.shape)
        next(param for param in self.constant_params if param.name == ref.text).shape = shape
        return dataclasses.replace(ref, shape=shape)

    def _stacked(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A leading dimension numbers the devices."""
        return (math.prod(self.around.values()), *shape) if self.around else shape

    def _device_axis(self, name: Any) -> str:
        """The parameter that holds this device's index along an axis of the mesh around the kernel."""
        if name not in self.device_params:
            label = self.names.claim(name if isinstance(name, str) else "device")
            self.device_params[name] = Param(label, (), np.dtype(np.int32))
        return self.device_params[name].name

    # ---- head and body ----

    def _axes(self, dynamic: Sequence[Param]) -> list[Axis]:
        grid = super()._axes(dynamic) if self.program_mesh is None else []
        self.mesh = mesh_of(self.program_mesh, grid, self.names, self.around)
        return self.mesh.axes

    def _block(self, mapping: Any, param: Param, axes: Sequence[Axis], prefetch: Sequence[Ref]) -> Block:
        if self.around and not mapping.has_trivial_window():
            raise Unsupported("blocks of arrays in a kernel of several devices", None, "index the whole arrays")
        if mapping.has_trivial_window():
            return Block(Ref(param.name, param.shape, param.dtype), "", (None,) * len(param.shape), False)
        return super()._block(mapping, param, axes, prefetch)

    def _grid(self, axes: list[Axis], outputs: list[Block]) -> list[str]:
        words = [f"{a.name}: {a.extent} parallel" for a in axes]
        grid = [f"  grid {', '.join(words)}"] if words else []
        return ["  machine gpu", *grid, *(team.header for team in self.mesh.teams)]

    def _body(self, axes: list[Axis], prefetch: list[Ref], blocks: list[Block]) -> tuple[Writer, Lowering]:
        writer = Writer(self.names)
        low = GpuLowering(writer, self._constant, self.mesh, self._device_axis, self.interpret)
        low.known = facts(self.jaxpr)
        refs = self._one_memory([b.ref for b in blocks])
        if self.around:
            refs = [low.own_part(ref, low.device()) for ref in refs]
        operands = self._stage(low, refs)
        first = self.mapping.num_index_operands + len(blocks)
        variables = self.jaxpr.invars[first:]
        layouts = list(self.layouts)[first:] or [()] * len(variables)
        scratch = [memory.allocate(low, v.aval, x) for v, x in zip(variables, layouts, strict=True)]
        low.jaxpr(self.jaxpr, [*prefetch, *operands, *scratch])
        for ref, staged in list(zip(refs, operands, strict=True))[self.mapping.num_inputs :]:
            if staged is not ref:
                writer.line(f"{ref.text}[...] = {low.let(f'{staged.text}[...]', ref.shape, ref.dtype).text}")
        writer.lines[:0] = low.heads
        return writer, low

    def _one_memory(self, refs: list[Ref]) -> list[Ref]:
        """An input that is aliased is seen as the output."""
        for output, source in self.aliases.items():
            refs[source] = refs[self.mapping.num_inputs + output]
        return refs

    def _stage(self, low: GpuLowering, refs: list[Ref]) -> list[Ref]:
        """The operands of `pallas_call`: those that it wants in shared memory are copies."""
        variables = self.jaxpr.invars[self.mapping.slice_block_ops]
        staged = []
        for number, (ref, variable) in enumerate(zip(refs, variables, strict=True)):
            shared = str(getattr(variable.aval, "memory_space", None)) == "smem"
            staged.append(memory.allocate(low, variable.aval) if shared else ref)
            if shared and number < self.mapping.num_inputs:
                value = low.let(f"{ref.text}[...]", ref.shape, ref.dtype)
                low.writer.line(f"{staged[-1].text}[...] = {value.text}")
        return staged
