#!/usr/bin/env python3
"""The house rules that no compiler checks: who includes whom, what the library may not call, sizes, tables in order.

Prints one line per fault and exits 1 if there is any; prints functions over 60 lines as notes. Run by ci/lint.
"""
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# The folders that each folder may include, itself aside. Arrows point one way; host and spirv do not know each other.
ARROWS = {
    "base": "",
    "ir": "base",
    "model": "base ir",
    "race": "base ir model",
    "pass": "base ir model",
    "host": "base ir model race pass",
    "spirv": "base ir model pass",
    "vulkan": "base ir model pass spirv",
    "tool": "base ir model race pass host spirv vulkan",
}
# Outside headers that belong to one folder. The first match of a pattern decides.
OUTSIDE = [
    (r"vulkan/|volk\.h", {"vulkan"}),
    (r"spirv-tools/|spirv/", {"spirv"}),
    (r"cblas\.h", {"host"}),
    (r"sleef\.h", {"ir", "host"}),
    (r"png\.h", {"tool"}),
    (r"pthread\.h|sched\.h|threads\.h", {"base", "vulkan"}),
]
# Calls that are made in one file only, or (None) nowhere in the library. The command is no library.
CALLS = [
    (r"getenv|secure_getenv|setenv", "base/config.c", "settings are read in src/base/config.c"),
    (r"malloc|calloc|realloc|free|strdup|aligned_alloc", "base/mem.c", "memory comes through src/base/mem.h"),
    (r"abort|exit|_exit|quick_exit", None, "a library returns a kiln_result"),
    (r"printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror", None, "a library reports a diagnostic"),
]
GENERATED = {"shaders", "bench"}  # headers that CMake makes, of shaders/ and of bench/kernels/
LONG_FUNCTION, LONGEST_FUNCTION, LONGEST_FILE = 60, 120, 800

faults = []


def fault(path, line, message):
    faults.append(f"{path.relative_to(ROOT)}:{line}: {message}")


def code_only(text):
    """The text with comments and the insides of literals blanked; line ends stay."""
    blank = lambda match: re.sub(r"[^\n]", " ", match[0])
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


def check_includes(path, text):
    """Includes go along the arrows, from the root of src, and outside headers stay in their folder."""
    room = path.relative_to(SRC).parts[0]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        quote, name = match.groups()
        folder = name.split("/")[0]
        if quote == '"' and folder in ARROWS:
            if folder != room and folder not in ARROWS[room].split():
                fault(path, number, f"src/{room} may not include src/{folder}")
        elif quote == '"' and folder not in GENERATED | {"kiln"}:
            fault(path, number, f'include "{name}" from the root of src, as in "{room}/{name}"')
        for pattern, rooms in OUTSIDE if quote == "<" else []:
            if re.match(pattern, name) and room not in rooms:
                fault(path, number, f"<{name}> is for {', '.join('src/' + r for r in sorted(rooms))} only")


def check_public_header(path, text):
    """Public headers include the C library and each other."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match and not match[1].startswith("kiln/"):
            fault(path, number, f'a public header includes "{match[1]}"')


def check_calls(path, code):
    name = path.relative_to(SRC).as_posix()
    for pattern, home, reason in CALLS:
        if name == home or (name.startswith("tool/") and "getenv" not in pattern):
            continue
        for match in re.finditer(rf"(?<![\w.>])(?:{pattern})\s*\(", code):
            fault(path, code.count("\n", 0, match.start()) + 1, f"{match[0].rstrip('( ')}: {reason}")


def functions(code):
    """(first line, name, lines) of every function body that begins and ends in column 0 style."""
    start = name = None
    head = ""
    for number, line in enumerate(code.splitlines(), 1):
        if start is None:
            head = line if re.match(r"[A-Za-z_]", line) else head + line
            opens = line.rstrip().endswith("{") and "(" in head and not re.search(r"=\s*\{|^(typedef|struct|enum|union)\b[^(]*\{", head)
            if opens and re.search(r"\)\s*\{\s*$", head):
                start, name = number, re.search(r"(\w+)\s*\(", head)[1]
        elif line.startswith("}"):
            yield start, name, number - start + 1
            start, head = None, ""


def check_sizes(path, text, code, sizes):
    lines = text.count("\n")
    if lines > LONGEST_FILE:
        fault(path, 1, f"{lines} lines; a file has one subject and at most {LONGEST_FILE}")
    for number, name, length in functions(code):
        sizes.append(length)
        if length > LONGEST_FUNCTION:
            fault(path, number, f"{name} has {length} lines; the limit is {LONGEST_FUNCTION}")
        elif length > LONG_FUNCTION:
            print(f"note: {path.relative_to(ROOT)}:{number}: {name} has {length} lines")


def listings():
    """Every CMake file's text: sources are listed by name, most of them in their own folder."""
    files = [path for folder in ("src", "bench") for path in (ROOT / folder).rglob("*")]
    return "\n".join(p.read_text() for p in files if p.name == "CMakeLists.txt" or p.suffix == ".cmake")


def check_listed(path, listed):
    if path.suffix == ".c" and not re.search(rf"\b{re.escape(path.name)}\b", listed):
        fault(path, 1, "not listed in any CMakeLists.txt")


def check_diagnostics():
    """Codes and names of diag.def are unique and in order; a code is never renumbered, so order shows insertions."""
    path = SRC / "base" / "diag.def"
    last, names = 0, set()
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.S)
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*DIAG\(\s*(\d+)\s*,\s*\w+\s*,\s*(\w+)", line)
        if not match:
            continue
        code, name = int(match[1]), match[2]
        if code <= last:
            fault(path, number, f"{code} after {last}: codes are unique and in order")
        if name in names:
            fault(path, number, f"{name} is there twice")
        last = max(last, code)
        names.add(name)


def main():
    sizes, listed = [], listings()
    sources = sorted(p for p in SRC.rglob("*") if p.suffix in (".c", ".h", ".def"))
    for path in sources:
        text = path.read_text()
        code = code_only(text)
        if not text.startswith("/*") and not text.startswith("//"):
            fault(path, 1, "a file begins with a comment that says what it is")
        check_includes(path, text)
        check_calls(path, code)
        check_sizes(path, text, code, sizes)
        check_listed(path, listed)
    for path in sorted((ROOT / "include").rglob("*.h")):
        check_public_header(path, path.read_text())
    check_diagnostics()
    for line in faults:
        print(line)
    if sizes:
        sizes.sort()
        print(f"{len(sources)} files, {len(sizes)} functions: median {statistics.median(sizes):g} lines, "
              f"90 % under {sizes[len(sizes) * 9 // 10]}, longest {sizes[-1]}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
