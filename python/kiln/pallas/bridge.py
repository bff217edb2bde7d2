"""The switch that makes JAX's Pallas calls run on Kiln.

JAX hands every Pallas call to one function while it lowers a program. The first `interpreter` block puts a function of
ours before it, which looks at a setting to learn whether Kiln is on in this thread. The setting is part of the keys of
JAX's caches, so a program that was compiled with Kiln off, or on another device, is never taken for one with Kiln on.
When a block ends the setting is put back, and everything goes its usual way.
"""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.interpreters import mlir
from jax._src.pallas import pallas_call as jax_pallas_call
from jax._src.state.types import RefEffect

from kiln.arrays import type_name
from kiln.errors import Error, Fault
from kiln.kernel import Kernel
from kiln.pallas import door, table
from kiln.pallas.exporter import Exported, export_call
from kiln.pallas.gpu.calls import is_gpu, is_mode
from kiln.pallas.unsupported import Unsupported
from kiln.settings import Checks, Explored, Settings, request_settings

TESTED = ((0, 11, 1), (0, 12, 0))  # from, to: the versions of JAX that this was tested with

_setting: Any = jax.make_user_context(None)  # None, Settings, or the Collector of `export`


class Collector:
    """Takes kernels instead of running them."""

    def __init__(self) -> None:
        self.kernels: list[Kernel] = []


class Run:
    """What ran on Kiln in an `interpreter` block."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._first = door.count()
        self._end: int | None = None
        self._last_faults: list[Fault] | None = None

    @property
    def _launches(self) -> range:
        return range(self._first, door.count() if self._end is None else self._end)

    def _entries(self) -> list[door.Entry]:
        """One for each launch, in order."""
        return [entry for entry in door.launched(self._launches) if entry.settings == self._settings]

    @property
    def kernels(self) -> list[Kernel]:
        """One kernel for each launch, in order, as far as the log goes back. Threads with equal settings share it."""
        return [entry.kernel for entry in self._entries()]

    @property
    def explored(self) -> dict[Kernel, Explored]:
        """With `exhaustive`: what the latest launch of each kernel came to."""
        if not self._settings.exhaustive:
            return {}
        found = {entry.kernel: door.explored(entry) for entry in dict.fromkeys(self._entries())}
        return {kernel: explored for kernel, explored in found.items() if explored.schedules or explored.too_long}

    @property
    def errors(self) -> list[Error]:
        """What launches failed of, oldest first."""
        failures, launches = door.failures(), self._launches
        found = [each for each in failures if each.launch in launches and each.entry.settings == self._settings]
        return [error for failed in found for error in failed.errors]

    @property
    def faults(self) -> list[Fault]:
        """The faults of kernels that `check` found, oldest first."""
        if self._last_faults is not None:
            return self._last_faults
        return [error for error in self.errors if isinstance(error, Fault)]

    def _close(self) -> None:
        self._end = door.count()
        for kernel, explored in self.explored.items():
            explored.tell(kernel.name, stacklevel=5)
        self._last_faults = self.faults


@functools.cache
def _install() -> None:
    """Puts `_lowering` before JAX's own: where primitives look it up, and where `mpmd_map` does."""
    _check_version()
    original = jax_pallas_call._pallas_call_lowering
    ours = functools.partial(_lowering, original)
    jax_pallas_call._pallas_call_lowering = ours
    mlir.register_lowering(jax_pallas_call.pallas_call_p, ours)


def _check_version() -> None:
    found = jax.__version_info__[:3]
    if not TESTED[0] <= found or found[: len(TESTED[1])] > TESTED[1]:
        low, high = (".".join(map(str, version)) for version in TESTED)
        warnings.warn(f"kiln.pallas was tested with JAX {low} to {high}, this is {jax.__version__}", stacklevel=4)


def _lowering(original: Callable[..., Any], ctx: Any, *nodes: Any, interpret: Any, **params: Any) -> Any:
    """The lowering of every Pallas call: ours where Kiln is on, JAX's where it is off."""
    setting = _setting.value
    if setting is None or _runs_elsewhere(ctx.module_context):
        return original(ctx, *nodes, interpret=interpret, **params)
    if params["jaxpr"].constvars:
        raise ValueError("Cannot lower a pallas_call with constants.")
    _check_mode(interpret)
    return mlir.lower_fun(functools.partial(_call, setting, interpret, **params), multiple_results=True)(ctx, *nodes)


def _runs_elsewhere(module: Any) -> bool:
    """Whether a program is exported (jax.export): it will run in another process, if not on another machine."""
    return module.lowering_parameters.for_export or "cpu" not in module.platforms


def _check_mode(interpret: Any) -> None:
    """JAX has three interpreters; the machine of one of them is still to come."""
    if type(interpret).__name__ == "InterpretParams":
        raise Unsupported("kernels of JAX's TPU interpret mode", hint="interpret=True is supported")


def _export(interpret: Any, **params: Any) -> Exported:
    """The kernel of a Pallas call, by the machine it is written for."""
    if is_gpu(interpret, params["mesh"], params["compiler_params"]):
        return _gpu().export_gpu_call(interpret=interpret, **params)
    return export_call(**params)


@functools.cache
def _gpu() -> Any:
    """What exports Mosaic GPU kernels, and speaks for JAX's interpreter of them.

    It imports JAX's Mosaic GPU, which takes several times as long as all else: programs without such kernels do not
    wait for that.
    """
    from kiln.pallas.gpu import kernel, mode

    mode.install(lambda: _setting.value is not None)
    return kernel


def _call(setting: Any, interpret: Any, *args: Any, jaxpr: Any, grid_mapping: Any, **params: Any) -> Sequence[Any]:
    """What JAX traces in place of a Pallas call: one call of the exported kernel."""
    exported = _export(interpret, jaxpr=jaxpr, grid_mapping=grid_mapping, **params)
    collecting = isinstance(setting, Collector)
    settings = request_settings("host", False, None) if collecting else setting
    mode = is_mode(interpret, settings)
    entry = door.enter(exported.text, settings, mode, mode and interpret.detect_races)
    if collecting:
        setting.kernels.append(entry.kernel)
    if params["debug"]:
        print(f"\nThe kernel in pallas_call {jaxpr.debug_info.func_src_info}:\n{exported.text}")
    outputs = [block.array_aval for block in grid_mapping.block_mappings_output]
    shared = bool(exported.devices)
    results = [jax.ShapeDtypeStruct(shape[shared:], _byte_of(dtype)) for shape, dtype in exported.outputs]
    dynamic = grid_mapping.num_dynamic_grid_bounds
    aliases = {source + dynamic: target for source, target in params["input_output_aliases"]}
    has_side_effect = not outputs or any(not isinstance(effect, RefEffect) for effect in jaxpr.effects)
    device = [jax.lax.axis_index(name) for name in exported.device_axes]
    operands = [_to_bytes(jnp.asarray(x)) for x in [*args, *device, *exported.constants]]
    if shared:
        number = functools.reduce(lambda n, axis: n * axis[1] + jax.lax.axis_index(axis[0]), exported.devices, 0)
        operands.append(jnp.asarray(number, np.int32))
    devices = math.prod(size for _, size in exported.devices) if shared else 0
    found = door.call(entry, operands, results, aliases, has_side_effect, devices)
    return [_from_bytes(_cropped(y, aval.shape), aval.dtype) for y, aval in zip(found, outputs, strict=False)]


def _cropped(y: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The elements of an output that belong to a result."""
    return y if y.shape == shape else jax.lax.slice(y, (0,) * y.ndim, shape)


def _byte_of(dtype: Any) -> Any:
    """The type that an element type goes through the door as: XLA packs elements of less than a byte, Kiln does not."""
    if table.type_bits().get(type_name(dtype), 8) >= 8:
        return dtype
    return jnp.int8 if jnp.issubdtype(dtype, jnp.signedinteger) else jnp.uint8


def _to_bytes(x: jax.Array) -> jax.Array:
    if _byte_of(x.dtype) == x.dtype:
        return x
    if jnp.issubdtype(x.dtype, jnp.floating):
        x = jax.lax.bitcast_convert_type(x, jnp.uint4)
    return x.astype(_byte_of(x.dtype))


def _from_bytes(y: jax.Array, dtype: Any) -> jax.Array:
    if y.dtype == dtype:
        return y
    if jnp.issubdtype(dtype, jnp.floating):
        return jax.lax.bitcast_convert_type(y.astype(jnp.uint4), dtype)
    return y.astype(dtype)


@contextlib.contextmanager
def switched(setting: Any) -> Iterator[None]:
    """Kiln on in this thread, with a setting."""
    _install()
    with _setting(setting):
        yield


@contextlib.contextmanager
def interpreter(
    on: str = "host", check: bool = False, seed: int | None = None, **checks: Unpack[Checks]
) -> Iterator[Run]:
    """Runs every Pallas call of this thread on Kiln, whatever its `interpret=` says.

    Under `jit`, `vmap`, `grad` and `shard_map` as well. Arguments are those of a kernel's call. Programs run
    asynchronously: wait for their results (`jax.block_until_ready`) inside the block to have them in the `Run`.
    """
    settings = request_settings(on, check, seed, checks)
    door.watch(1)
    run = Run(settings)
    try:
        with switched(settings):
            yield run
    finally:
        run._close()
        door.watch(-1)


def run(
    fun: Callable[..., Any],
    *args: Any,
    on: str = "host",
    check: bool = False,
    seed: int | None = None,
    **checks: Unpack[Checks],
) -> Any:
    """Calls `fun(*args)`; every Pallas call inside runs on Kiln, the rest on JAX. Waits for the results.

    A launch that fails raises kiln.Error, or kiln.Fault for a fault that `check` found.
    """
    with interpreter(on, check, seed, **checks) as current:
        try:
            return jax.block_until_ready(fun(*args))
        except (jax.errors.JaxRuntimeError, ValueError) as error:  # JAX makes the latter of some statuses of XLA
            failed = current.errors
            if not failed:
                raise
            raise failed[-1] from error


def export(fun: Callable[..., Any], *args: Any) -> list[Kernel]:
    """The kernels of the Pallas calls that `fun(*args)` makes, in the order of its program; nothing is run.

    The arguments may be arrays or jax.ShapeDtypeStruct. Each kernel's text stands alone: `save` it, and `kiln run` it.
    """
    collector = Collector()
    with switched(collector):
        jax.jit(fun).lower(*args)
    return collector.kernels
