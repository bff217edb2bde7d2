#!/usr/bin/env python3
"""The demonstration: one attention kernel, the same arrays, every device; each result against NumPy in double precision.

Usage: demo.py KILN   (the command to use). Exits 1 when a device's numbers are wrong or a run fails.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

HEADS, LENGTH, WIDTH = 8, 1000, 64  # 1000 is no multiple of the kernel's blocks of 32
TOLERANCE = 1e-4
ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNEL = ROOT / "examples" / "attention.kiln"


def reference(q, k, v):
    q, k, v = (x.astype(numpy.float64) for x in (q, k, v))
    scores = q @ k.swapaxes(1, 2) / numpy.sqrt(q.shape[2])
    weights = numpy.exp(scores - scores.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True) @ v


def devices(kiln):
    """(--on value, name) of the host and of each Vulkan device; refused devices are reported."""
    found = [("host", "host")]
    listing = subprocess.run([kiln, "devices", "--json"], capture_output=True, text=True)
    if listing.returncode:
        print(f"no Vulkan here: {listing.stderr.strip()}")
        return found
    for device in json.loads(listing.stdout)["devices"]:
        if device.get("name") == "host":
            continue
        if device["usable"]:
            found.append((f"vulkan:{device['index']}", device["name"]))
        else:
            print(f"{device['name']}: not used: {device['refusal']}")
    if len(found) == 1:
        print("no Vulkan device to run on here; `ci/setup drivers` fetches two that run on the CPU, then\n"
              "VK_DRIVER_FILES=build/drivers/ss.json:build/drivers/lvp.json ci/demo\n")
    return found


def run(kiln, on, folder, expected):
    """(milliseconds, largest error) of the kernel on one device; raises RuntimeError with what the command said."""
    out = folder / "o.npy"
    out.unlink(missing_ok=True)
    data = [f"{name}={folder / name}.npy" for name in "qkv"]
    command = [kiln, "run", str(KERNEL), "-k", "attention", "--on", on, "--json", "--time=3", *data, "-o", f"o={out}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or done.stdout.strip())
    return json.loads(done.stdout)["ms"], float(numpy.abs(numpy.load(out) - expected).max())


def main(kiln):
    random = numpy.random.default_rng(1)
    q, k, v = (random.standard_normal((HEADS, LENGTH, WIDTH), dtype=numpy.float32) for _ in range(3))
    expected, good = reference(q, k, v), True
    print(f"attention, {HEADS} heads, {LENGTH} rows of {WIDTH}, f32, from {KERNEL.relative_to(ROOT)}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for letter, array in zip("qkv", (q, k, v)):
            numpy.save(folder / f"{letter}.npy", array)
        rows = devices(kiln)
        width = max(len(title) for _, title in rows)
        print(f"{'device':<{width}}  {'ms':>9}  {'largest error':>13}  verdict")
        for on, title in rows:
            try:
                milliseconds, error = run(kiln, on, folder, expected)
                fine = error <= TOLERANCE
                print(f"{title:<{width}}  {milliseconds:>9.3f}  {error:>13.2e}  {'agrees' if fine else 'WRONG'}")
            except RuntimeError as failure:
                fine = False
                print(f"{title:<{width}}  {'':>9}  {'':>13}  FAILED\n{failure}")
            good = good and fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
