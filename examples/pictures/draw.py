#!/usr/bin/env python3
"""Draws the pictures of the manual by `kiln check --svg` and compares them with docs/pictures.

    examples/pictures/draw.py KILN [--update]

All are of ring.kiln: with one buffer instead of three, with three, and with a mistake. --update writes them.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PICTURES = HERE.parents[1] / "docs" / "pictures"
EDITS = {
    "ring_1": (r"\b3\b", "1"),
    "ring_3": (r"$^", ""),
    "deadlock": (r"when i \+ 3 < N", "when slot < 2"),
}


def draw(kiln: str, name: str, folder: pathlib.Path) -> str:
    """The picture of the ring with that edit."""
    pattern, replacement = EDITS[name]
    kernel, drawn = folder / "ring.kiln", folder / "ring.svg"
    kernel.write_text(re.sub(pattern, replacement, (HERE / "ring.kiln").read_text()))
    command = [str(pathlib.Path(kiln).resolve()), "check", kernel.name, "--set", "N=6", "--svg", drawn.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != (3 if name == "deadlock" else 0):
        sys.exit(f"{name}: kiln ended with {done.returncode}\n{done.stderr}")
    return drawn.read_text()


def main() -> None:
    """Compares or updates; ends with 1 when something differs."""
    stale = []
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in EDITS:
            drawn, path = draw(sys.argv[1], name, pathlib.Path(folder)), PICTURES / f"{name}.svg"
            if path.exists() and path.read_text() == drawn:
                continue
            stale.append(path.name)
            if "--update" in sys.argv:
                path.write_text(drawn)
    if stale and "--update" not in sys.argv:
        sys.exit(f"not as kiln draws it: {', '.join(stale)}; see what --update changes")


if __name__ == "__main__":
    main()
