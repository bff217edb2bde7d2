#!/usr/bin/env python3
"""Runs every example on every device, at several sizes, on .npy files, and compares with NumPy.

  check.py [--kiln build/dev/kiln] [--on host,vulkan] [--one] [NAME]...

Prints a line for each run and at the end `N passed, N failed, N skipped`. NAME picks kernels by name.
"""
import argparse
import collections
import json
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
# file, kernel, inputs, {output: expected}, largest error relative to the largest expected value (0: the same bits).
Case = collections.namedtuple("Case", "file kernel title inputs sets expected tolerance")


class BFloat16(np.ndarray):
    """An array of f32 values that is written to a file as bf16."""


# ---- .npy files ----

def as_bf16(data):
    bits = np.asarray(data, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def save(path, data):
    """NumPy's own writer; bf16 with the descriptor that ml_dtypes writes."""
    if not isinstance(data, BFloat16):
        return np.save(path, data)
    header = f"{{'descr': '<V2', 'fortran_order': False, 'shape': {tuple(data.shape)}, }}"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + as_bf16(data).tobytes())
    return None


# ---- references ----

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(q, k, v, causal):
    scores = np.einsum("hqd,hkd->hqk", q, k) / math.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(q.shape[1], dtype=bool), scores, -np.inf)
    return softmax(scores) @ v


def convolve(x, w):
    rows, columns = x.shape[0] - w.shape[0] + 1, x.shape[1] - w.shape[1] + 1
    return sum(x[r:r + rows, s:s + columns] @ w[r, s] for r in range(w.shape[0]) for s in range(w.shape[1]))


def heat(x):
    p = np.pad(x, 1, mode="edge")
    return x + 0.125 * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * x)


def layernorm(x, scale, shift):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) * scale + shift


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def mandelbrot(height, width):
    x = (np.arange(width, dtype=np.float32) - np.float32(-(-width // 2))) * np.float32(1 / 256) - np.float32(0.75)
    y = (np.arange(height, dtype=np.float32) - np.float32(-(-height // 2)))[:, None] * np.float32(1 / 256)
    x, y = np.broadcast_arrays(x, y)
    a, b, count = x, y, np.zeros((height, width), np.int32)
    with np.errstate(all="ignore"):
        for _ in range(255):
            inside = a * a + b * b < 4
            a, b, count = np.where(inside, a * a - b * b + x, a), np.where(inside, 2 * a * b + y, b), count + inside
    shade = np.where(count == 255, 0, count)
    clip = lambda n: np.minimum(n, 255)
    return np.stack([clip(4 * shade), clip(8 * shade) - clip(2 * shade) // 2, clip(16 * shade)], axis=-1).astype(np.uint8)


# ---- cases ----

def cases():
    """Every example at several sizes; some that the blocks divide, more that they do not."""
    rng = np.random.default_rng(3)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    wide = lambda data: np.asarray(data, np.float64)

    def case(name, title, inputs, expected, tolerance, sets=(), kernel=None):
        return Case(f"{name}.kiln", kernel or name, title, inputs, sets, expected, tolerance)

    for n in (1, 1024, 5000):
        x, y = normal(n), normal(n)
        yield case("add", f"{n}", {"x": x, "y": y}, {"z": x + y}, 0)
        yield case("axpy", f"{n}", {"a": np.float32(2.5), "x": x, "y": y}, {"y": y + np.float32(2.5) * x}, 0)
    for m, n in ((8, 64), (13, 37), (100, 1000)):
        x, size = normal(m, n), f"{m} x {n}"
        yield case("softmax", size, {"x": x}, {"y": softmax(wide(x))}, 1e-5)
        scale, shift = normal(n), normal(n)
        yield case("layernorm", size, {"x": x, "scale": scale, "shift": shift}, {"y": layernorm(wide(x), scale, shift)}, 1e-5)
        half, weight = x.astype(np.float16), scale.astype(np.float16)
        rms = wide(half) / np.sqrt((wide(half)**2).mean(axis=1, keepdims=True) + 1e-6) * wide(weight)
        yield case("rmsnorm", size, {"x": half, "scale": weight}, {"y": rms}, 1e-3)
        yield case("transpose", size, {"x": x}, {"y": x.T}, 0)
        yield case("reduce", size, {"x": x}, {"y": wide(x).sum(axis=1)}, 1e-5, kernel="row_sum")
        yield case("reduce", size, {"x": x}, {"y": wide(x).sum(axis=0)}, 1e-5, kernel="column_sum")
        whole = rng.integers(-1000, 1000, (m, n), dtype=np.int32)
        backward = np.ascontiguousarray(np.cumsum(whole[:, ::-1], axis=1)[:, ::-1])
        yield case("prefix_sum", size, {"x": whole}, {"y": np.cumsum(whole, axis=1), "z": backward}, 0)
    for m, k, n in ((64, 64, 64), (70, 96, 33), (1, 32, 130)):
        a, b, size = normal(m, k), normal(k, n), f"{m} x {k} x {n}"
        yield case("matmul", size, {"a": a, "b": b}, {"c": wide(a) @ wide(b)}, 1e-5)
        halves = a.astype(np.float16), b.astype(np.float16)
        yield case("matmul", size, dict(zip("ab", halves)), {"c": wide(halves[0]) @ wide(halves[1])}, 1e-5, kernel="matmul_f16")
        brains = [((as_bf16(t).astype(np.uint32) << 16).view(np.float32)).view(BFloat16) for t in (a, b)]
        yield case("matmul", size, dict(zip("ab", brains)), {"c": wide(brains[0]) @ wide(brains[1])}, 1e-5, kernel="matmul_bf16")
        whole = [rng.integers(-128, 128, t.shape, dtype=np.int8) for t in (a, b)]
        yield case("matmul", size, dict(zip("ab", whole)), {"c": whole[0].astype(np.int32) @ whole[1].astype(np.int32)}, 0,
                   kernel="matmul_i8")
        bias = normal(n)
        yield case("matmul_gelu", size, {"x": a, "w": b / 8, "bias": bias}, {"y": gelu(wide(a) @ wide(b / 8) + bias)}, 1e-5)
    for h, s, d in ((2, 64, 32), (3, 50, 16), (1, 100, 64)):
        q, k, v = normal(h, s, d), normal(h, s, d), normal(h, s, d)
        for name, causal in (("attention", False), ("attention_causal", True)):
            yield case("attention", f"{h} x {s} x {d}", {"q": q, "k": k, "v": v}, {"o": attention(wide(q), wide(k), wide(v), causal)},
                       1e-5, kernel=name)
    for (h, w, c), (r, s, k) in (((8, 34, 4), (3, 3, 8)), ((11, 50, 3), (5, 2, 7))):
        x, f = normal(h, w, c), normal(r, s, c, k)
        yield case("conv2d", f"{h} x {w} x {c}, {r} x {s}", {"x": x, "w": f}, {"y": convolve(wide(x), wide(f))}, 1e-5)
    for h, w in ((16, 64), (1, 3), (37, 101)):
        x = normal(h, w)
        yield case("stencil", f"{h} x {w}", {"x": x}, {"y": heat(wide(x))}, 1e-5)
        yield case("mandelbrot", f"{h} x {w}", {}, {"image": mandelbrot(h, w)}, 0, sets=(f"H={h}", f"W={w}"))
    for n, v, d in ((5, 9, 64), (33, 100, 50)):
        ids, table = rng.integers(0, v, n, dtype=np.int32), normal(v, d)
        yield case("gather", f"{n} of {v} x {d}", {"ids": ids, "table": table}, {"y": table[ids]}, 0)
    for n in (1024, 3001):
        x = rng.integers(0, 256, n, dtype=np.uint8)
        yield case("histogram", f"{n}", {"x": x}, {"count": np.bincount(x, minlength=256)}, 0)
    yield from specialised(normal, wide)


def specialised(normal, wide):
    """The kernels of examples/ws, whose threads have roles: sizes are multiples of their tiles."""
    def case(name, title, inputs, expected, tolerance):
        """One of them; who takes tiles by a counter begins at 0."""
        inputs |= {"next": np.zeros(1, np.int32)} if name == "persistent" else {}
        return Case(f"ws/{name}.kiln", name, title, inputs, (), expected, tolerance)

    for m, n in ((2, 3), (5, 4)):
        x = normal(m, n)
        yield case("handoff", f"{m} x {n}", {"x": x}, {"y": (x + np.float32(1)) * np.float32(2)}, 0)
    for m, k, n in ((64, 64, 64), (128, 96, 192)):
        a, b = normal(m, k), normal(k, n)
        for name in ("matmul", "persistent", "multicast"):
            yield case(name, f"{m} x {k} x {n}", {"a": a, "b": b}, {"c": wide(a) @ wide(b)}, 1e-5)
    for s, d in ((64, 32), (192, 16)):
        q, k, v = normal(s, d), normal(s, d), normal(s, d)
        expected = attention(*(wide(one)[None] for one in (q, k, v)), False)[0]
        for name in ("attention", "ping_pong")[: 1 if s == 64 else 2]:  # lavapipe compiles ping_pong for 20 s
            yield case(name, f"{s} x {d}", {"q": q, "k": k, "v": v}, {"o": expected}, 1e-5)


# ---- running ----

def devices(kiln, wanted):
    """The host, and every usable Vulkan device."""
    found = [] if "host" not in wanted else [("host", "host")]
    if "vulkan" not in wanted:
        return found
    listed = subprocess.run([kiln, "devices", "--json"], capture_output=True, text=True)
    for device in json.loads(listed.stdout)["devices"] if listed.returncode == 0 else []:
        if device.get("usable") and "index" in device:
            found.append((f"vulkan:{device['index']}", device["name"]))
    return found


def run(kiln, case, device, folder):
    """(error, reason): the largest error of all outputs, or why there is none."""
    command = [kiln, "run", str(HERE / case.file), "-k", case.kernel, "--on", device]
    for item in case.sets:
        command += ["--set", item]
    for name, data in case.inputs.items():
        save(folder / f"{name}.npy", data)
        command.append(f"{name}={folder / name}.npy")
    for name in case.expected:
        command += ["-o", f"{name}={folder / name}.out.npy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return None, (done.stderr or done.stdout).strip()
    return max(error_of(np.load(folder / f"{name}.out.npy"), expected) for name, expected in case.expected.items()), ""


def error_of(found, expected):
    expected = np.asarray(expected)
    if found.shape != expected.shape:
        return math.inf
    if not np.isfinite(found.astype(np.float64)).all():
        return math.inf
    largest = np.abs(expected).max() or 1
    return float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max() / largest)


def check(kiln, case, device, name):
    """Prints a line of the table; True when the outputs are right."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kiln-example-"))
    try:
        error, reason = run(kiln, case, device, folder)
    except subprocess.TimeoutExpired:
        error, reason = None, "no end after 300 s"
    finally:
        shutil.rmtree(folder)
    good = error is not None and error <= case.tolerance
    shown = "-" if error is None else f"{error:.1e}"
    print(f"{'ok  ' if good else 'FAIL'} {case.kernel:<17}{case.title:<20}{name[:24]:<26}{shown:>8}{case.tolerance:>9.0e}"
          + (f"\n{reason}" if reason else ""), flush=True)
    return good


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kiln", default="kiln")
    options.add_argument("--on", default="host,vulkan")
    options.add_argument("--one", action="store_true", help="only one size of each: the last, which the blocks do not divide")
    options.add_argument("names", nargs="*")
    chosen = options.parse_args()
    places = devices(chosen.kiln, chosen.on.split(","))
    if not places:
        print("SKIP examples: no usable device\n0 passed, 0 failed, 1 skipped")
        return 0
    chosen_cases = [case for case in cases() if not chosen.names or case.kernel in chosen.names]
    if chosen.one:
        chosen_cases = list({case.kernel: case for case in chosen_cases}.values())
    print(f"     {'kernel':<17}{'size':<20}{'device':<26}{'error':>8}{'allowed':>9}")
    results = [check(chosen.kiln, case, device, name) for case in chosen_cases for device, name in places]
    print(f"{results.count(True)} passed, {results.count(False)} failed, 0 skipped")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
