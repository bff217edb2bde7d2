"""The scripts of examples/jax and examples/ws, and the first kernel of docs/jax.md run as they stand."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import kiln

pytest.importorskip("jax")

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = [script for folder in ("jax", "ws") for script in sorted((ROOT / "examples" / folder).glob("*.py"))]
PLACES = ["host", *(device.on for device in kiln.devices()[1:] if device.usable)]


def run(arguments, where):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("on", PLACES)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_example(script, on, tmp_path):
    done = run([str(script), on], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"on {on}: " in done.stdout


def test_there_are_examples():
    assert len(SCRIPTS) >= 9


def test_first_kernel_of_the_manual(tmp_path):
    text = (ROOT / "docs" / "jax.md").read_text()
    code = re.search(r"## A first kernel\n\n```python\n(.*?)```", text, re.S)[1]
    if len(PLACES) == 1:
        code = re.sub(r".*on=\"vulkan\".*\n", "", code)
    done = run(["-c", code.replace("4096, 1024", "64, 128")], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "softmax.kiln").exists()
