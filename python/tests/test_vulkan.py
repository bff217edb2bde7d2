"""Launches on Vulkan devices; skipped where there is none."""

import numpy as np
import pytest
from texts import SCALE, STEP, copy_of

import kiln

DEVICES = [device for device in kiln.devices() if device.on != "host" and device.usable]
pytestmark = pytest.mark.skipif(not DEVICES, reason="no usable Vulkan device here")


def test_as_on_the_host(examples):
    softmax = kiln.load(examples / "softmax.kiln")["softmax"]
    for rows in (8, 64, 8, 24):
        x = np.random.default_rng(rows).standard_normal((rows, 96), np.float32)
        np.testing.assert_allclose(softmax(x, on="vulkan"), softmax(x), rtol=1e-5)


def test_devices_by_number_and_name():
    scale = kiln.parse(SCALE).only
    x = np.ones((2, 8), np.float32)
    for on in (DEVICES[0].on, f"vulkan:{DEVICES[0].name[:5]}"):
        np.testing.assert_array_equal(scale(x, 2, on=on), x * 2)


def test_inout_and_several_outputs():
    step = kiln.parse(STEP).only
    x = np.arange(32, dtype=np.int32)
    for round in range(1, 4):
        old, total = step(x, np.full(32, 10, np.int32), on="vulkan")
        np.testing.assert_array_equal(x, np.arange(32) + 10 * round)
        np.testing.assert_array_equal(old, x - 10)
        np.testing.assert_array_equal(total, x * 2)


def test_what_a_device_cannot_do_is_an_error_and_the_device_goes_on():
    x = np.ones(4, np.float64)
    double = kiln.parse(copy_of("f64")).only
    try:
        np.testing.assert_array_equal(double(x, on="vulkan"), x)
    except kiln.Error as error:
        assert error.code and error.message
    scale = kiln.parse(SCALE).only
    np.testing.assert_array_equal(scale(np.ones((2, 8), np.float32), 2, on="vulkan"), np.full((2, 8), 2.0))
