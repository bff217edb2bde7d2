#!/usr/bin/env python3
"""Runs `kiln check` on every kernel here and compares what it says with NAME.txt and with docs/checkers.md.

    examples/faults/page.py KILN [--update]

Each kernel begins with comments: what is wrong, then `Cure:`. --update writes the reports and their part of the page.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "checkers.md"
MARK = "<!-- from here on written by examples/faults/page.py --update -->\n"


def report(kiln: str, path: pathlib.Path) -> str:
    """What the checkers say."""
    command = [str(pathlib.Path(kiln).resolve()), "check", path.name, "x=iota"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 3:
        sys.exit(f"{path.name}: expected a fault, kiln ended with {done.returncode}\n{done.stderr}")
    return done.stderr


def section(path: pathlib.Path, said: str) -> str:
    """A kernel's part of the page."""
    lines = path.read_text().splitlines()
    words = " ".join(line[3:] for line in lines if line.startswith("// "))
    wrong, cure = words.split(" Cure: ")
    code = "\n".join(line for line in lines if not line.startswith("//"))
    title = path.stem.replace("_", " ")
    return f"\n## {title}\n\n{wrong}\n\n```\n{code}\n```\n\n```\n{said}```\n\n*Cure*: {cure}\n"


def main() -> None:
    """Compares or updates; ends with 1 when something differs."""
    update = "--update" in sys.argv
    stale = []
    wanted = {}
    page = PAGE.read_text()
    head = page[: page.index(MARK) + len(MARK)]
    for path in sorted(HERE.glob("*.kiln")):
        said = report(sys.argv[1], path)
        wanted[path.with_suffix(".txt")] = said
        head += section(path, said)
    wanted[PAGE] = head
    for path, text in wanted.items():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if update:
            path.write_text(text)
    if stale and not update:
        sys.exit(f"not as kiln says it: {', '.join(stale)}; see what --update changes")


if __name__ == "__main__":
    main()
