#!/usr/bin/env python3
"""Layouts as XLA gave them on TPUs: the bytes of arrays, and which arrays are the same bytes.

  test_recorded.py --library libkiln.so

recorded_layouts.tsv was written by tests/jax/record_layouts.py; a row names the versions it came from. Where XLA turned a function into
a bitcast, the elements that the function moves must lie where they lay: packed in the one layout, and moved and packed in the other,
they are the same memory.
"""
import ctypes
import math
import pathlib
import re
import sys

import numpy as np

from kiln_ctypes import STORAGE, arguments, array_of, opened
from test_layout import Layout

ROWS = pathlib.Path(__file__).parent / "recorded_layouts.tsv"
XLA_TYPES = {"pred": "bool", **{f"s{bits}": f"i{bits}" for bits in (2, 4, 8, 16, 32)}}


def numbers(text):
    return [int(number) for number in text.split(",")]


def array_text(text):
    """The type, sizes and layout of `bf16[16,128]{1,0:T(8,128)(2,1)}`."""
    dtype, sizes, order, details = re.fullmatch(r"(\w+)\[([\d,]+)\]\{([\d,]+)(?::(.*))?\}", text).groups()
    tiles, bits = re.fullmatch(r"(?:T((?:\([\d,]+\))*))?(?:E\((\d+)\))?", details or "").groups()
    layout = Layout(numbers(order), [numbers(tile) for tile in re.findall(r"\(([\d,]+)\)", tiles or "")], int(bits or 0))
    return XLA_TYPES.get(dtype, dtype), numbers(sizes), layout


def memory_of(kiln, data, dtype, layout):
    raw, array = layout.raw(), array_of(data, dtype)
    memory = np.zeros(kiln.lib.kiln_layout_size(ctypes.byref(raw), ctypes.byref(array)), np.uint8)
    kiln.lib.kiln_layout_pack(ctypes.byref(raw), ctypes.byref(array), memory.ctypes.data_as(ctypes.c_void_p))
    return memory


def numbered(sizes, dtype, layout):
    """Elements that differ from their neighbours, and from zero, which padding is."""
    width = layout.bits or min(23, 8 * STORAGE[dtype]().itemsize)
    return (np.arange(math.prod(sizes)) * 7 % ((1 << width) - 1) + 1).astype(STORAGE[dtype]).reshape(sizes)


def holds(kiln, array, what, result):
    """Whether a row is true of Kiln's layouts."""
    dtype, sizes, layout = array_text(array)
    data = numbered(sizes, dtype, layout)
    memory = memory_of(kiln, data, dtype, layout)
    if what == "bytes":
        return memory.size == int(result)
    for name, list_text in re.findall(r"(\w+)\(([\d,]+)\)", what):
        data = getattr(data, name)(numbers(list_text))
    _, sizes, layout = array_text(result)
    return list(data.shape) == sizes and np.array_equal(memory_of(kiln, np.ascontiguousarray(data), dtype, layout), memory)


def main():
    kiln = opened(arguments(), "recorded layouts")
    if not kiln:
        return 0
    kiln.lib.kiln_layout_size.restype = ctypes.c_size_t
    rows = ROWS.read_text().splitlines()
    wrong = [row for row in rows if not holds(kiln, *row.split("\t")[2:])]
    for row in wrong:
        print(f"FAIL {row}")
    print(f"{len(rows) - len(wrong)} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
