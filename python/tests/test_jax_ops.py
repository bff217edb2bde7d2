"""The kernels that JAX itself ships give what their references give: the drivers of tests/jax, on small inputs."""

import functools
import importlib
import pathlib
import sys

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import kiln
import kiln.pallas as kp

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "jax"))
import drivers
import measure

for module in ("jax_gpu", "jax_tpu"):
    importlib.import_module(f"drivers.{module}")

JAX = {driver.name: driver for driver in drivers.DRIVERS if driver.package == "jax"}
PLAIN = sorted(name for name, driver in JAX.items() if driver.make().reference is not None)
DEVICES = [device.on for device in kiln.devices() if device.on != "host" and device.usable]
QUICK = (  # compiled by a device in a second or two
    "gpu_decode_attention", "gpu_layer_norm-ragged", "gpu_mha-segments", "gpu_paged_attention-plain",
    "gpu_rms_norm_backward", "gpu_softmax-odd", "tpu_gmm-plain", "tpu_matmul-f32", "tpu_tgmm", "tpu_threefry",
)  # fmt: skip


@functools.cache
def reference(name):
    case = JAX[name].make()
    return jax.block_until_ready(case.reference(*case.arguments))


def compare(name, on):
    case = JAX[name].make()
    with kp.interpreter(on=on) as run:
        found = jax.block_until_ready(case.function(*case.arguments))
        assert run.kernels
    assert measure.difference(found, reference(name)) <= case.tolerance


@pytest.mark.parametrize("name", PLAIN)
def test_on_the_host(name):
    compare(name, "host")


@pytest.mark.skipif(not DEVICES, reason="no usable Vulkan device here")
@pytest.mark.parametrize("name", QUICK)
def test_on_the_first_device(name):
    compare(name, DEVICES[0])


def test_a_difference_is_seen():
    x = np.arange(4, dtype=np.float32)
    assert measure.difference([x], [x]) == 0
    assert measure.difference([x], [x + 0.3]) > 0.06
    assert measure.difference([x], [np.where(x > 2, np.nan, x)]) == np.inf
