"""The walk over the equations of a Mosaic GPU kernel: its mesh, and what is looked up by the name of an axis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax._src import core as jax_core
from jax._src.dtypes import itemsize_bits

from kiln.pallas.bounds import Bounds
from kiln.pallas.equation import Axis, Equation, Operand, Ref, Value
from kiln.pallas.lower import RULES, Lowering, rule
from kiln.pallas.text import Names, Writer

WARPS = 4  # of a Pallas thread
_STRUCTURE = ("get", "swap", "cond", "scan", "while")  # what runs even where float arithmetic is skipped


@dataclasses.dataclass(slots=True)
class Team:
    """A level of units below the grid: `cluster c: 2, e: 2` or `threads t: 3`."""

    word: str
    names: tuple[Any, ...]  # as the program names its axes
    axes: list[Axis]

    @property
    def header(self) -> str:
        """Its line at the head of the kernel."""
        return f"  {self.word} {', '.join(f'{a.name}: {a.extent}' for a in self.axes)}"


@dataclasses.dataclass(slots=True)
class Mesh:
    """The units of a launch, and their axes by the program's names."""

    axes: list[Axis]  # of the grid, which counts clusters
    names: tuple[Any, ...]
    devices: Team  # without axes where each device is alone
    cluster: Team
    threads: Team

    @property
    def teams(self) -> list[Team]:
        """The levels that the kernel's head lists: one at least, as that makes its units run side by side."""
        return [team for team in self._levels if team.axes]

    @property
    def _levels(self) -> tuple[Team, Team, Team]:
        return self.devices, self.cluster, self.threads

    def values(self) -> dict[Any, Value]:
        """The index of every axis."""
        groups = ((self.names, self.axes), *((team.names, team.axes) for team in self._levels))
        return {name: axis.index for names, axes in groups for name, axis in zip(names, axes, strict=False)}


def mesh_of(mesh: Any, grid: list[Axis], names: Names, around: Mapping[Any, int]) -> Mesh:
    """The mesh of a kernel; None is that of `pallas_call`: blocks of one thread, numbered by the grid.

    `around`: the axes of the devices that share a launch.
    """

    def axes(labels: Sequence[Any], sizes: Sequence[int]) -> list[Axis]:
        return [Axis(names.claim(_label(a)), str(n), int(n), False) for a, n in zip(labels, sizes, strict=True)]

    devices = Team("devices", tuple(around), axes(list(around), list(around.values())))
    if mesh is None:
        return Mesh(grid, (), devices, Team("cluster", (), []), Team("threads", (), axes(["thread"], [1])))
    clusters = axes(mesh.grid_names, mesh.grid)
    cluster = Team("cluster", tuple(mesh.cluster_names), axes(mesh.cluster_names, mesh.cluster))
    own = () if mesh.thread_name is None else (mesh.thread_name,)
    threads = Team("threads", own, axes(own or ["thread"], [mesh.num_threads or 1]))
    return Mesh(clusters, tuple(mesh.grid_names), devices, cluster, threads)


def _label(axis: Any) -> str:
    return axis if isinstance(axis, str) else "axis"


@dataclasses.dataclass(slots=True)
class Facts:
    """What is known of a whole program before its first equation is written."""

    sparse_bits: set[int] = dataclasses.field(default_factory=set)  # of the sparse factors of its products
    scaled_columns: set[int] = dataclasses.field(default_factory=set)  # of its products with scales in several blocks
    tracked: bool = False  # copies of a cluster are told to the first block only: barriers of the others stay behind


def facts(jaxpr: Any) -> Facts:
    """The facts of a program."""
    found = Facts()
    for eqn in _equations(jaxpr):
        if eqn.params.get("sparse"):
            found.sparse_bits.add(itemsize_bits(eqn.invars[1].aval.dtype))
        if eqn.params.get("scaled") and eqn.params["collective_axis"] is not None:
            found.scaled_columns.add(eqn.invars[0].aval.shape[-1])
        found.tracked |= eqn.params.get("leader_tracked") is not None
    return found


def _equations(jaxpr: Any) -> Iterator[Any]:
    for eqn in jaxpr.eqns:
        yield eqn
        for body in jax_core.jaxprs_in_params(eqn.params):
            yield from _equations(body)


class ManyDevices(Exception):
    """A kernel reaches other devices: it is to be exported as one of all devices."""


class GpuLowering(Lowering):
    """Writes the equations of one Mosaic GPU kernel."""

    machine = "gpu"
    clamps = False

    def __init__(
        self,
        writer: Writer,
        constants: Callable[[Any], Ref],
        mesh: Mesh,
        device_axis: Callable[[Any], str],
        interpret: Any = False,
    ) -> None:
        super().__init__(writer, mesh.axes, lambda value: self._own_constant(constants(value)))
        self.mesh = mesh
        self.known = Facts()
        self.warps: Any = None  # the name of the axis of the warps that run these equations
        self.everywhere: dict[str, Ref] = {}  # by the text of what this device has of it: a parameter of all devices
        self._indices = mesh.values()
        self._device_axis = device_axis
        self.compiled = not interpret  # what JAX's compiler refuses its interpreter may take
        self._skip_floats = getattr(interpret, "skip_floating_point_ops", False)

    def lower(self, equation: Equation) -> Sequence[Operand]:
        """The results of one equation; infinity where the program asked to skip float arithmetic."""
        if self._skip_floats and self._skipped(equation):
            return [self.full(self.constant(np.inf, a.dtype), a.shape) for a in equation.avals]
        return super().lower(equation)

    def acts(self, equation: Any) -> bool:
        """Also a read, which may race, and what has no results."""
        return bool(equation.effects) or not equation.outvars or super().acts(equation)

    def _skipped(self, equation: Equation) -> bool:
        acts = equation.name in _STRUCTURE or f"gpu {equation.name}" in RULES
        return not acts and all(jnp.issubdtype(a.dtype, jnp.floating) for a in equation.avals)

    def axis_index(self, name: Any) -> Value:
        """The index of an axis of the kernel's own mesh, or of the mesh of devices around it."""
        found = self._indices.get(name)
        if found is None:
            return self.let(f"{self._device_axis(name)}[...]", (), np.int32, Bounds(0, 2**31 - 1))
        return found

    def devices(self) -> dict[Any, int]:
        """The axes of the devices that share the launch, and their sizes."""
        if not self.mesh.devices.axes:
            raise ManyDevices
        return {
            name: axis.size or 1 for name, axis in zip(self.mesh.devices.names, self.mesh.devices.axes, strict=True)
        }

    def device(self) -> str:
        """The number of this device among them."""
        number = self.constant(0)
        for name, size in self.devices().items():
            number = self.binary("add", self.binary("mul", number, self.constant(size)), self.axis_index(name))
        return number.text

    def _own_constant(self, constant: Ref) -> Ref:
        return self.own_part(constant, self.device()) if self.mesh.devices.axes else constant

    def own_part(self, everywhere: Ref, device: str) -> Ref:
        """What a device has of a parameter of all devices."""
        shape = everywhere.shape[1:]
        name = self.writer.let(f"view {everywhere.text}[{', '.join([device, *':' * len(shape)])}]")[0]
        own = Ref(name, shape, everywhere.dtype, everywhere.text)
        self.everywhere[name] = everywhere
        return own

    def named_barriers(self, arrivals: int) -> str:
        """The 16 barriers of the block that code refers to by number, for those at which so many threads arrive."""
        return self.common_scratch(f"barrier[16] arrivals {arrivals} open", "named")

    def enter_warps(self, name: Any, warp: str) -> None:
        """What follows is run by each warp."""
        self.warps = name
        self._indices[name] = Value(warp, (), np.dtype(np.int32), None, Bounds(0, WARPS - 1))

    def leave_warps(self) -> None:
        """What follows is run by the whole thread again."""
        del self._indices[self.warps]
        self.warps = None


@rule("axis_index", machine="gpu")
def lower_axis_index(low: GpuLowering, eqn: Equation) -> Operand:
    """The index of this unit along an axis."""
    return low.axis_index(eqn.params["axis_name"])


@rule("core_map", "mpmd_map", machine="gpu")
def lower_warps(low: GpuLowering, eqn: Equation) -> Sequence[Operand]:
    """The four warps of a thread, each on its own."""
    mesh = eqn.params["mesh"] if "mesh" in eqn.params else eqn.params["meshes"][0]
    jaxpr = eqn.params["jaxpr"] if "jaxpr" in eqn.params else eqn.params["jaxprs"][0]
    if type(mesh).__name__ != "WarpMesh" or len(eqn.params.get("meshes", "1")) > 1:
        raise low.unsupported("a mesh inside of a kernel that is not one WarpMesh", "plgpu.WarpMesh splits a thread")
    if low.warps is not None:
        raise ValueError(
            "Cannot core_map over WarpMesh while already core_mapped."
            " Cannot mpmd_map over WarpMesh while already mpmd_mapped."
        )
    name = low.writer.names.claim(_label(mesh.axis_name))
    with low.writer.region(f"warps {name}"):
        low.enter_warps(mesh.axis_name, name)
        low.jaxpr(jaxpr, eqn.operands)
        low.leave_warps()
    return []
