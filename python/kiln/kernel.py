"""Kernels: parsed from text, looked at, launched on NumPy arrays."""

from __future__ import annotations

import ctypes
import os
import pathlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Unpack

import numpy as np

from kiln import _native, arrays
from kiln._native import Context, Str, lib
from kiln.errors import Error, failure
from kiln.settings import Checks, Explored, Settings, explored_of, request, request_settings

_IN, _OUT, _INOUT = range(3)  # kiln_direction
_SHAPES_KEPT = 256


class Param(NamedTuple):
    """A parameter of a kernel. A dimension is a number, or the text of a symbolic size."""

    name: str
    type: str
    shape: tuple[int | str, ...]
    direction: str  # "in", "out" or "inout"
    dtype: np.dtype | None  # None: NumPy has no such type here

    def __str__(self) -> str:
        shape = f"[{', '.join(map(str, self.shape))}]" if self.shape else ""
        return f"{self.name}: {self.type}{shape}"


def _read_param(kernel: int, index: int) -> Param:
    raw = _native.Param()
    lib.kiln_kernel_param(kernel, index, ctypes.byref(raw))
    shape = tuple(raw.dims[d] if raw.dims[d] >= 0 else str(raw.dim_text[d]) for d in range(raw.rank))
    direction = ("in", "out", "inout")[raw.direction]
    return Param(str(raw.name), arrays.NAMES[raw.dtype], shape, direction, arrays.TYPES[raw.dtype])


class Module(Mapping[str, "Kernel"]):
    """The kernels of one text, by name. One that has a single kernel can be called as this kernel."""

    def __init__(self, text: str, name: str = "<kernel>") -> None:
        self._handle = ctypes.c_void_p()
        self._handles: dict[str, int] = {}
        self._context = Context()
        self._lock = threading.Lock()
        data, file = text.encode(), os.fsencode(name)
        desc = _native.ParseDesc(Str.of(data), Str.of(file))
        result = lib.kiln_module_parse(self._context.handle, ctypes.byref(desc), ctypes.byref(self._handle))
        if result:
            raise failure(self._context.handle, result)
        handles = [lib.kiln_module_kernel(self._handle, i) for i in range(lib.kiln_module_kernel_count(self._handle))]
        self._handles = {str(lib.kiln_kernel_name(handle)): handle for handle in handles}

    def __getitem__(self, name: str) -> Kernel:
        return Kernel(self, self._handles[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)

    def __del__(self) -> None:
        if lib is None or not getattr(self, "_handle", None):
            return
        for handle in self._handles.values():
            lib.kiln_seat_forget(handle)
        lib.kiln_module_destroy(self._handle)

    def __repr__(self) -> str:
        return f"<kiln.Module: {', '.join(self)}>"

    @property
    def text(self) -> str:
        """The whole text in canonical form, one op a line."""
        with self._lock:
            return str(lib.kiln_module_text(self._handle))

    @property
    def only(self) -> Kernel:
        """The kernel of a module that has just one."""
        if len(self) != 1:
            raise LookupError(f"the module has {len(self)} kernels: {', '.join(self)}; take one by its name")
        return next(iter(self.values()))

    @property
    def name(self) -> str:
        """The name of the only kernel."""
        return self.only.name

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the text, ready for `kiln run`."""
        pathlib.Path(path).write_text(self.text, encoding="utf-8")

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Launches the only kernel."""
        return self.only(*args, **settings)


class Kernel:
    """One kernel of a module. Immutable; may be launched from any thread."""

    def __init__(self, module: Module, handle: int) -> None:
        self.module = module
        self.handle = handle
        self.name = str(lib.kiln_kernel_name(handle))
        self.params = tuple(_read_param(handle, i) for i in range(lib.kiln_kernel_param_count(handle)))
        self._given = [param for param in self.params if param.direction != "out"]
        self._shapes: dict[Any, list[tuple[int, tuple[int, ...], np.dtype]]] = {}

    def __repr__(self) -> str:
        given = ", ".join(str(p) for p in self.params if p.direction == "in")
        rest = ", ".join(f"{p}" for p in self.params if p.direction != "in")
        return f"<kiln.Kernel {self.name}({given}) -> ({rest})>"

    @property
    def text(self) -> str:
        """The text of the kernel's module in canonical form, one op a line."""
        return self.module.text

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the text, ready for `kiln run`."""
        self.module.save(path)

    def __call__(
        self,
        *args: Any,
        on: str = "host",
        check: bool = False,
        seed: int | None = None,
        sizes: Mapping[str, int] | None = None,
        **checks: Unpack[Checks],
    ) -> Any:
        """Launches the kernel on one array per `in` and `inout` parameter; returns the outputs.

        Arrays of NumPy and ml_dtypes, and whatever speaks DLPack, are taken as they are if they are contiguous; `inout`
        parameters are written in place. Returns an array, a tuple if there are several outputs, None if there are none.

        Args:
          *args: the arrays, in the order of the parameters.
          on: "host", "vulkan" (the best device), "vulkan:2" or "vulkan:TEXT" (a part of the device's name).
          check: looks for faults while running (host only); the first is raised as kiln.Fault.
          seed: orders what is free to run in any order, for checks.
          sizes: values of symbolic sizes that no array determines.
          **checks: how to look for faults, for checks: kiln.settings.Checks.
        """
        given = self._arrays(args)
        named = tuple((name.encode(), _size(name, value)) for name, value in (sizes or {}).items())
        filled, results = self._complete(given, named)
        settings = request_settings(on, check, seed, checks)
        explored = launch(self.handle, filled, settings, _native.sizes_of(named))
        if explored is not None:
            explored.tell(self.name, stacklevel=2)
        self._write_back(args, given)
        return results[0] if len(results) == 1 else (tuple(results) or None)

    def _arrays(self, args: tuple[Any, ...]) -> list[tuple[np.ndarray, bool]]:
        """The arguments as contiguous arrays, and whether each is a copy that is to be written back."""
        if len(args) != len(self._given):
            wanted = ", ".join(map(str, self._given))
            raise TypeError(f"kernel {self.name} takes {len(self._given)} arrays ({wanted}), got {len(args)}")
        return [self._array(param, value) for param, value in zip(self._given, args, strict=True)]

    def _array(self, param: Param, value: Any) -> tuple[np.ndarray, bool]:
        try:
            array = arrays.as_array(value, param.dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(f"kernel {self.name}, parameter {param}: {error}") from None
        if array.dtype not in arrays.NUMBERS or array.ndim > _native.MAX_RANK:
            raise TypeError(f"kernel {self.name}, parameter {param}: got {arrays.describe(array)}")
        if param.direction == "inout":
            self._check_inout(param, value, array)
        ready = np.require(array, requirements=["C", "A"]).reshape(array.shape)
        return ready, param.direction == "inout" and ready.ctypes.data != array.ctypes.data

    def _check_inout(self, param: Param, value: Any, array: np.ndarray) -> None:
        if not array.flags.writeable:
            raise ValueError(f"kernel {self.name}, parameter {param}: is written, but the array is read-only")
        if isinstance(value, np.generic) or not np.shares_memory(array, np.asarray(value)):
            raise TypeError(f"kernel {self.name}, parameter {param}: is written, so it needs an array, not a value")

    def _write_back(self, args: tuple[Any, ...], given: list[tuple[np.ndarray, bool]]) -> None:
        for value, (array, copied) in zip(args, given, strict=True):
            if copied:
                np.asarray(value)[...] = array

    def _complete(
        self, given: list[tuple[np.ndarray, bool]], sizes: tuple[tuple[bytes, int], ...]
    ) -> tuple[ctypes.Array[_native.Array], list[np.ndarray]]:
        """One kiln_array per parameter, outputs newly made."""
        inputs = iter(given)
        filled = (_native.Array * len(self.params))()
        for index, param in enumerate(self.params):
            if param.direction != "out":
                filled[index] = arrays.native(next(inputs)[0])
        key = (sizes, *((array.dtype, array.shape) for array, _ in given))
        shapes = self._shapes.get(key)
        if shapes is None:
            shapes = self._solve(key, filled, sizes)
        results = []
        for index, shape, dtype in shapes:
            result = np.empty(shape, dtype)
            filled[index] = arrays.native(result)
            results.append(result)
        return filled, results

    def _solve(
        self, key: Any, filled: ctypes.Array[_native.Array], sizes: tuple[tuple[bytes, int], ...]
    ) -> list[tuple[int, tuple[int, ...], np.dtype]]:
        """The outputs' places, shapes and types, from the inputs' shapes; kept for the next call."""
        context = Context()
        listed = _native.sizes_of(sizes)
        result = lib.kiln_kernel_shapes(context.handle, self.handle, listed, len(sizes), filled, len(filled))
        if result:
            raise failure(context.handle, result)
        shapes = [
            (index, tuple(filled[index].dims[: filled[index].rank]), self._output_type(param))
            for index, param in enumerate(self.params)
            if param.direction == "out"
        ]
        if len(self._shapes) >= _SHAPES_KEPT:
            self._shapes.clear()
        self._shapes[key] = shapes
        return shapes

    def _output_type(self, param: Param) -> np.dtype:
        if param.dtype is None:
            raise TypeError(f"kernel {self.name}, output {param}: NumPy has no such type; update ml_dtypes")
        return param.dtype


def _size(name: str, value: Any) -> int:
    value = int(value)
    if not 0 <= value <= _native.MAX_SIZE:
        raise ValueError(f"size {name} is {value}, expected 0 to {_native.MAX_SIZE}")
    return value


def launch(
    handle: int,
    filled: ctypes.Array[_native.Array],
    settings: Settings,
    sizes: ctypes.Array[_native.Size],
) -> Explored | None:
    """Runs a kernel on arrays, one per parameter; what that came to where it is by all schedules."""
    wanted = request(handle, settings)
    wanted.sizes, wanted.size_count = sizes, len(sizes)
    wanted.arrays, wanted.array_count = filled, len(filled)
    seat = ctypes.c_void_p()
    result = lib.kiln_seat_run(ctypes.byref(wanted), ctypes.byref(seat))
    try:
        if result:
            raise failure(lib.kiln_seat_context(seat), result) if seat else MemoryError("no memory for a launch")
        return explored_of(lib.kiln_seat_explored(seat)) if settings.exhaustive else None
    finally:
        lib.kiln_seat_give_back(seat)


def parse(text: str, name: str = "<kernel>") -> Module:
    """Parses and verifies a text of one or more kernels. `name` is said in messages, as a file's would be."""
    if not isinstance(text, str):
        raise TypeError(f"expected the text of a kernel, got {type(text).__name__}")
    return Module(text, name)


def load(path: str | os.PathLike[str]) -> Module:
    """Parses and verifies a .kiln file."""
    data = pathlib.Path(path).read_bytes()
    try:
        return Module(data.decode(), os.fspath(path))
    except UnicodeDecodeError as error:
        raise Error(f"{os.fspath(path)}: not a kernel: byte {error.start} is no UTF-8") from None
