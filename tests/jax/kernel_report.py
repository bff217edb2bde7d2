"""The report on real kernels, as Markdown: counts by machine, a row a kernel, and drivers that came to nothing."""

from __future__ import annotations

import importlib.metadata
import pathlib
import re
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
HEAD = """# Pallas kernels of real packages on Kiln

Written by `tests/jax/kernels.py`. Each kernel is reached by calling its package on small inputs (`tests/jax/drivers`),
and exported as `kp.export` does. A *kernel* is a body function; its variants are one row, that of the largest.

- *machine*: whose kernel it is, by its compiler parameters, memory spaces and primitives. *copies*: it starts
  asynchronous copies or waits for semaphores.
- The columns of devices hold the largest difference from the reference over all drivers of the kernel, as a part of the
  largest element of the result; or why there is none. The reference is plain JAX where the package or the driver has
  one, else the same program on JAX's own interpreter (*). *own tests*: the package's own test cases ran, on the host.
- Not driven: kernels of tpu-inference and tokamax that talk to other TPUs (their mixtures of experts, all-gather with a
  product), the fp8 indexer of jax-linear-attention, and those of ejkernel that call what JAX 0.11 no longer has.
- Tests of packages that come to no result in their time work on the sizes of real models: plain JAX takes minutes for
  their references on a CPU. What tokamax's kernels for Ampere and Blackwell call of JAX 0.12, its driver brings.
- tokamax's `rope_quant` fails its own tests in 25 of 65,536 values: XLA's quotients in the reference are rounded twice,
  see [differences from JAX](jax.md#differences-from-jax).
- *Run*: exported, and every driver of it agrees with its reference on the host.
- *s*: seconds of the slowest driver, compilation of JAX's part and of the reference included.

"""


def _cell(text: str) -> str:
    """A text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def line(row: Row) -> str:
    """One line for the terminal."""
    refused = [kernel for kernel in row["kernels"] if kernel["refused"]]
    told = row.get("failed") or (f"refused: {refused[0]['refused']}" if refused else "")
    shown = " ".join(f"{on} {_result(row, on)}" for on in row["results"])
    return f"{row['package']}/{row['driver']}: {len(row['kernels'])} kernels {shown} {told} {row['seconds']:.1f} s"


def _result(row: Row, on: str) -> str:
    found = row["results"].get(on)
    if found is None:
        return "-"
    if "failed" in found:
        code = re.search(r"error\[(\d+ \w+)\]", found["failed"])
        return code[1] if code else _cell(found["failed"][:80])
    if "tests" in found:
        passed, ran = found["tests"]
        return f"{passed} of {ran} own tests" + (f": {_cell(found['told'][:60])}" if passed < ran else "")
    mark = "*" if row["reference"] == "JAX interpreter" else ""
    good = found["difference"] <= row["tolerance"]
    return f"{found['difference']:.0e}{mark}" if good else f"**differs by {found['difference']:.0e}**{mark}"


def _worst(cells: Iterable[str]) -> str:
    """Of the results of several drivers: a failure before a difference, a larger before a smaller; `-` is none."""

    def weight(cell: str) -> tuple[bool, float]:
        number = re.fullmatch(r"(\d\S*e\S\d+)\*?", cell)
        return number is None, float(number[1]) if number else 0.0

    return max((cell for cell in cells if cell != "-"), key=weight, default="-")


def _version(row: Row) -> str:
    """Of a row's package: as it was measured, else as it is here."""
    try:
        return row.get("version") or importlib.metadata.version(row["package"])
    except importlib.metadata.PackageNotFoundError:
        return "?"


def _groups(rows: list[Row]) -> dict[tuple[str, str, str], list[tuple[Row, Row]]]:
    """Package, place and name of each kernel: its drivers."""
    groups: dict[tuple[str, str, str], list[tuple[Row, Row]]] = {}
    for row in rows:
        for kernel in row["kernels"]:
            groups.setdefault((row["package"], kernel["place"], kernel["kernel"]), []).append((row, kernel))
    return groups


def _kernel_row(key: tuple[str, str, str], found: list[tuple[Row, Row]], places: list[str]) -> str:
    largest = max((kernel for _, kernel in found), key=lambda kernel: kernel["equations"])
    refused = next((kernel["refused"] for _, kernel in found if kernel["refused"]), "")
    clean = [row for row, _ in found if not any(kernel["refused"] for kernel in row["kernels"])]
    cells = [_worst(_result(row, on) for row in clean) if clean else "-" for on in places]
    package, place, name = key
    told = _cell(refused) if refused else "yes"
    seconds = max(row["seconds"] for row, _ in found)
    machine = largest["machine"] + (", copies" if largest["waits"] else "")
    parts = [package, f"`{name}` {place}", machine, str(largest["equations"]), told, *cells, f"{seconds:.1f}"]
    return f"| {' | '.join(parts)} |"


def _counts(groups: dict[Any, list[tuple[Row, Row]]]) -> list[str]:
    table: dict[str, list[int]] = {}
    for found in groups.values():
        largest = max((kernel for _, kernel in found), key=lambda kernel: kernel["equations"])
        count = table.setdefault(largest["machine"] + (" with copies" if largest["waits"] else ""), [0, 0])
        count[0] += 1
        count[1] += not any(kernel["refused"] for _, kernel in found)
    lines = ["| machine | kernels | exported |", "|---|--:|--:|"]
    lines += [f"| {name} | {all_} | {good} |" for name, (all_, good) in sorted(table.items())]
    shares = [_share("Triton, generic and TPU kernels without copies", _aimed(table)), _gpu_share(groups)]
    return [*lines, "", *shares, ""]


def _gpu_share(groups: dict[Any, list[tuple[Row, Row]]]) -> str:
    """How many kernels of Mosaic GPU there are, export and run."""
    gpu = [found for found in groups.values() if found[0][1]["machine"] == "mosaic gpu"]
    exported = sum(not any(kernel["refused"] for _, kernel in found) for found in gpu)
    ran = sum(all(_agrees(row) for row, _ in found) for found in gpu)
    return f"Mosaic GPU kernels: {len(gpu)}, of which {exported} export and {ran} run."


def _agrees(row: Row) -> bool:
    found = row["results"].get("host", {})
    return found.get("difference", float("inf")) <= row.get("tolerance", 0.0)


def _aimed(table: dict[str, list[int]]) -> list[list[int]]:
    return [count for name, count in table.items() if "copies" not in name and "mosaic" not in name]


def _share(what: str, counts: list[list[int]]) -> str:
    all_, good = (sum(count[k] for count in counts) for k in (0, 1))
    return f"{what}: {good} of {all_}, {100 * good / max(all_, 1):.1f} %."


def _nothing(rows: list[Row]) -> list[str]:
    lost = [row for row in rows if row.get("failed")]
    lines = [f"| {row['package']} | {row['driver']} | {_cell(row['failed'])} |" for row in lost]
    return (
        ["", "Drivers that came to no result:", "", "| package | driver | why |", "|---|---|---|", *lines]
        if lost
        else []
    )


def write(path: pathlib.Path, rows: list[Row]) -> None:
    """The page."""
    groups = _groups(rows)
    places = list(dict.fromkeys(on for row in rows for on in row["results"]))
    versions = sorted({f"{row['package']} {_version(row)}" for row in rows})
    lines = [f"Packages: {', '.join(versions)}.", "", *_counts(groups)]
    lines += [f"| package | kernel | machine | equations | exported | {' | '.join(places)} | s |"]
    lines += ["|---|---|---|--:|---|" + "---|" * len(places) + "--:|"]
    lines += [_kernel_row(key, groups[key], places) for key in sorted(groups)]
    path.write_text(HEAD + "\n".join([*lines, *_nothing(rows)]) + "\n")
