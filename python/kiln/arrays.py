"""Python's arrays as Kiln's: element types, and what may be passed without a copy."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import ml_dtypes
import numpy as np

from kiln import _native

_KINDS = {"i": "int", "u": "uint", "f": "float", "bf": "bfloat"}


def _numpy_type(name: str) -> np.dtype | None:
    """The NumPy type of a Kiln type: `f32` is float32, `bf16` bfloat16, `f8e4m3fn` float8_e4m3fn."""
    if name == "bool":
        return np.dtype(bool)
    kind, bits, form = re.fullmatch(r"([a-z]+)(\d+)(\w*)", name).groups()
    numpy_name = _KINDS[kind] + bits + (f"_{form}" if form else "")
    found = getattr(np, numpy_name, None) or getattr(ml_dtypes, numpy_name, None)
    return None if found is None else np.dtype(found)


NAMES = _native.names_of(_native.lib.kiln_dtype_name)
TYPES = [_numpy_type(name) for name in NAMES]
NUMBERS = {dtype: number for number, dtype in enumerate(TYPES) if dtype is not None}


def type_name(dtype: np.dtype) -> str:
    """Kiln's name of a NumPy type, or NumPy's own where Kiln has none."""
    number = NUMBERS.get(dtype)
    return str(dtype) if number is None else NAMES[number]


def _from_dlpack(value: Any) -> np.ndarray:
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError):  # a type that DLPack or NumPy's reader lacks: bfloat16
        return np.asarray(value)


def as_array(value: Any, dtype: np.dtype | None) -> np.ndarray:
    """Any array-like as a NumPy array, copied only if need be. Plain numbers and lists take `dtype`."""
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
    elif hasattr(value, "__dlpack__"):
        array = _from_dlpack(value)
    elif hasattr(value, "__array__") or hasattr(value, "__array_interface__") or isinstance(value, memoryview):
        array = np.asarray(value)
    elif isinstance(value, bool | int | float | list | tuple):
        array = np.asarray(value)
        if dtype is not None and array.dtype != dtype and array.dtype.kind in "biuf":
            array = _converted(array, dtype)
    else:
        raise TypeError(f"expected an array, got {type(value).__name__}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _converted(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Python's numbers in a parameter's type; one that the type cannot hold is refused."""
    if array.dtype.kind == "f" and dtype.kind in "biu":
        raise TypeError(f"expected {type_name(dtype)}, got a float")
    if dtype.kind in "iu" and array.size:
        info = ml_dtypes.iinfo(dtype)
        if array.min() < info.min or array.max() > info.max:
            raise OverflowError(f"a number does not fit {type_name(dtype)}")
    return array.astype(dtype)


def describe(array: np.ndarray) -> str:
    """A type as Kiln writes it: `f32[2, 3]`."""
    return type_name(array.dtype) + (f"[{', '.join(map(str, array.shape))}]" if array.ndim else "")


def native(array: np.ndarray) -> _native.Array:
    """The kiln_array of a contiguous array of a type that Kiln has."""
    rank = array.ndim
    dims = (ctypes.c_int64 * _native.MAX_RANK)(*array.shape)
    return _native.Array(NUMBERS[array.dtype], rank, dims, array.ctypes.data, array.nbytes)
