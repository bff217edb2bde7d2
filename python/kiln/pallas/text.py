"""Kernel text: literals, type names, and a writer that numbers values and indents regions."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from kiln.pallas.unsupported import Place, Unsupported

RESERVED = frozenset(
    [
        "kernel",
        "func",
        "let",
        "for",
        "while",
        "when",
        "else",
        "switch",
        "case",
        "yield",
        "return",
        "view",
        "in",
        "with",
        "keep",
        "reverse",
        "true",
        "false",
        "inf",
        "nan",
        "bool",
        "scratch",
        "scope",
        "warps",
        "source",
        "print",
        "check",
        "atomic",
        "swap",
        "machine",
        "grid",
        "block",
    ]
)
_KINDS = {"bool": "bool", "int": "i", "uint": "u", "float": "f", "bfloat": "bf"}


def dtype_name(dtype: np.dtype) -> str:
    """Kiln's name of an element type: `float32` is f32, `uint4` u4, `float8_e4m3fn` f8e4m3fn."""
    match = re.fullmatch(r"(bfloat|float|uint|int|bool)(\d*)(?:_(e\d+m\d+\w*))?", np.dtype(dtype).name)
    if match is None or np.dtype(dtype).name == "int1":
        raise Unsupported(
            f"the element type {dtype}", hint="Kiln has bool, integers of 2 to 64 bits and floats of 4 to 64"
        )
    kind, bits, format_ = match.groups()
    return _KINDS[kind] + bits + (format_ or "")


def type_text(dtype: np.dtype, shape: Sequence[int]) -> str:
    """`f32[8, 128]`, or `f32` for a scalar."""
    return dtype_name(dtype) + (f"[{', '.join(map(str, shape))}]" if shape else "")


def literal(value: object, dtype: np.dtype) -> str:
    """A number as an untyped Kiln literal that reads back as the same bits."""
    kind = np.dtype(dtype).name
    if kind == "bool":
        return "true" if value else "false"
    if not kind.startswith(("float", "bfloat")):
        return str(int(value))  # type: ignore[call-overload]
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number) or math.isinf(number):
        return ("-" if math.copysign(1.0, number) < 0 else "") + ("nan" if math.isnan(number) else "inf")
    digits = str(np.float32(number)) if kind == "float32" else repr(number)
    return digits if "." in digits or "e" in digits else digits + ".0"


def typed_literal(value: object, dtype: np.dtype) -> str:
    """A scalar constant that carries its type: `f32(1.5)`."""
    return f"{dtype_name(dtype)}({literal(value, dtype)})"


class Names:
    """Gives out names that no other value of a kernel has."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._count = 0

    def fresh(self) -> str:
        """The next `tN`."""
        while True:
            name = f"t{self._count}"
            self._count += 1
            if name not in self._used:
                return name

    def claim(self, wish: str) -> str:
        """`wish` as an identifier, with a number behind it when it is taken."""
        base = re.sub(r"\W", "_", wish, flags=re.ASCII).strip("_") or "x"
        base = (base if not base[0].isdigit() else "x" + base)[:200]
        name, count = base, 1
        while name in self._used or name in RESERVED or re.fullmatch(r"[iuf]\d+(e\d+m\d+\w*)?|bf16", name):
            count += 1
            name = f"{base}_{count}"
        self._used.add(name)
        return name


class Writer:
    """Lines of a region, indented; tells a place only when it changes."""

    def __init__(self, names: Names, indent: int = 1) -> None:
        self.names = names
        self.lines: list[str] = []
        self._indent = "  " * indent
        self._top = self._indent
        self._place: Place | None = None
        self._told: Place | None = None

    @property
    def at_top(self) -> bool:
        """Whether the next line is outside of all regions."""
        return self._indent == self._top

    def at(self, place: Place | None) -> None:
        """Where the lines to come are from."""
        self._place = place

    def line(self, text: str) -> None:
        """Writes one statement."""
        if self._place is not None and self._place != self._told:
            self._told = self._place
            self.lines.append(f"{self._indent}source {quote(self._place.file)}:{self._place.line}:{self._place.column}")
        self.lines.append(self._indent + text)

    def line_when(self, condition: str, text: str) -> None:
        """Writes one statement that is run where a condition holds; always where there is none."""
        with self.region(f"when {condition}") if condition else contextlib.nullcontext():
            self.line(text)

    def let(self, expression: str, count: int = 1) -> list[str]:
        """Names the results of an expression."""
        names = [self.names.fresh() for _ in range(count)]
        self.line(f"let {binding(names)} = {expression}")
        return names

    @contextlib.contextmanager
    def region(self, head: str, tail: str = "}") -> Iterator[None]:
        """Lines inside `head { .. }`."""
        self.line(head + " {" if head else "{")
        with self.indented():
            yield
        self.lines.append(self._indent + tail)

    @contextlib.contextmanager
    def indented(self) -> Iterator[None]:
        """Lines one level deeper."""
        outer = self._indent
        self._indent += "  "
        try:
            yield
        finally:
            self._indent = outer

    @contextlib.contextmanager
    def scope(self) -> Iterator[list[str]]:
        """Lines that always run, whose memory ends with them; what is put into the list is yielded, and named anew."""
        yielded: list[str] = []
        always = self.at_top
        with self.region("scope"):
            head = len(self.lines) - 1
            outer_top, self._top = self._top, self._indent if always else self._top
            yield yielded
            self._top = outer_top
            if yielded:
                self.line(f"yield {', '.join(yielded)}")
        yielded[:] = [self.names.fresh() for _ in yielded]
        if yielded:
            self.lines[head] = f"{self._indent}let {binding(yielded)} = scope {{"

    def raw(self, text: str) -> None:
        """A line that no place belongs to: the joint of two regions."""
        self.lines.append(self._indent + text)


def binding(names: Sequence[str]) -> str:
    """The left-hand side of a `let`."""
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def quote(text: str) -> str:
    """A text in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
