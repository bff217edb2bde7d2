"""Kernels from Python: texts, arrays in and out, errors, threads."""

import json
import subprocess
import sys
import threading

import ml_dtypes
import numpy as np
import pytest
from texts import OUTSIDE, SCALE, STEP, copy_of

import kiln
from kiln import arrays


@pytest.fixture(scope="module")
def scale():
    return kiln.parse(SCALE)["scale"]


@pytest.fixture(scope="module")
def step():
    return kiln.parse(STEP)["step"]


def test_softmax_of_the_examples(examples):
    x = np.random.default_rng(0).standard_normal((64, 96), np.float32)
    y = kiln.load(examples / "softmax.kiln")["softmax"](x, on="host", check=False, seed=None)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(y, e / e.sum(axis=1, keepdims=True), rtol=1e-5)


def test_text_is_canonical_and_can_be_saved(scale, tmp_path):
    assert scale.name == "scale"
    assert kiln.parse(scale.text).text == scale.text
    scale.save(tmp_path / "scale.kiln")
    again = kiln.load(tmp_path / "scale.kiln")
    assert list(again) == ["scale"] and again.text == scale.text


def test_a_module_of_one_kernel_is_that_kernel(scale):
    module = kiln.parse(SCALE)
    np.testing.assert_array_equal(module(np.ones((2, 3), np.float32), 3.0), np.full((2, 3), 3.0))
    assert module.name == "scale"
    with pytest.raises(LookupError, match="2 kernels: scale, other"):
        assert kiln.parse(SCALE + SCALE.replace("scale", "other")).only


def test_params_and_repr(step):
    assert repr(step) == "<kiln.Kernel step(by: i32[N]) -> (x: i32[N], old: i32[N], total: i32[N])>"
    assert step.params[0].direction == "inout" and step.params[0].shape == ("N",)


def test_inout_is_written_in_place_and_several_outputs_are_a_tuple(step):
    x = np.arange(5, dtype=np.int32)
    old, total = step(x, np.full(5, 10, np.int32))
    np.testing.assert_array_equal(old, np.arange(5))
    np.testing.assert_array_equal(x, np.arange(5) + 10)
    np.testing.assert_array_equal(total, 2 * x)


def test_inout_through_a_strided_array(step):
    whole = np.arange(10, dtype=np.int32)
    step(whole[::2], np.ones(5, np.int32))
    np.testing.assert_array_equal(whole, [1, 1, 3, 3, 5, 5, 7, 7, 9, 9])


def test_strided_transposed_and_read_only_inputs(scale):
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (x[::2], x[:, ::-1], x.T, np.broadcast_to(x[0], (3, 6))):
        np.testing.assert_array_equal(scale(view, 2), view * 2)
    x.flags.writeable = False
    np.testing.assert_array_equal(scale(x, 2), x * 2)


def test_contiguous_inputs_are_not_copied(scale):
    x = np.ones((4, 6), np.float32)
    assert scale._arrays((x, 1.0))[0][0].ctypes.data == x.ctypes.data


@pytest.mark.parametrize("shape", [(0, 3), (1, 1)])
def test_small_and_empty_arrays(scale, shape):
    assert scale(np.ones(shape, np.float32), 1).shape == shape


@pytest.mark.parametrize("number", [n for n, dtype in enumerate(arrays.TYPES) if dtype is not None])
def test_every_element_type_comes_back_bit_for_bit(number):
    name, dtype = arrays.NAMES[number], arrays.TYPES[number]
    bits = np.arange(256, dtype=np.uint8)
    x = (bits < 128) if name == "bool" else np.resize(bits, 256 * dtype.itemsize).view(dtype)
    if dtype.itemsize == 1 and name != "bool":
        x = bits.astype(np.float32).astype(dtype)
    y = kiln.parse(copy_of(name)).only(x)
    assert y.dtype == dtype and y.tobytes() == x.tobytes()


def test_arrays_of_others(scale):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)

    class Lender:
        """Speaks DLPack and nothing else."""

        def __dlpack__(self, **how):
            return x.__dlpack__(**how)

        def __dlpack_device__(self):
            return x.__dlpack_device__()

    np.testing.assert_array_equal(scale(Lender(), 2), x * 2)
    np.testing.assert_array_equal(scale([[1, 2], [3, 4]], 2), [[2, 4], [6, 8]])
    np.testing.assert_array_equal(scale(memoryview(x), np.float32(2)), x * 2)
    np.testing.assert_array_equal(scale(x.astype(">f4"), 2), x * 2)


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((), TypeError, "scale takes 2 arrays .x: f32.M, N., s: f32., got 0"),
        (("text", 1), TypeError, "scale, parameter x: f32.M, N.: expected an array, got str"),
        ((None, 1), TypeError, "parameter x"),
        ((np.ones((2, 2)), 1), kiln.Error, "`x` is f64, expected f32"),
        ((np.ones((2, 2), complex), 1), TypeError, "parameter x: f32.M, N.: got complex128"),
        ((np.array([[object()]]), 1), TypeError, "got object"),
        ((np.ones(2, np.float32), 1), kiln.Error, "`x` has 1 dimensions, expected 2"),
        ((np.ones((1,) * 9, np.float32), 1), TypeError, "parameter x"),
        ((np.ones((2, 2), np.float32), [1, 2]), kiln.Error, "`s` has 1 dimensions, expected 0"),
    ],
)
def test_wrong_arrays(scale, args, error, words):
    with pytest.raises(error, match=words):
        scale(*args)


def test_wrong_inout(step):
    by = np.ones(3, np.int32)
    x = np.zeros(3, np.int32)
    x.flags.writeable = False
    with pytest.raises(ValueError, match=r"step, parameter x: i32\[N\]: is written, but the array is read-only"):
        step(x, by)
    with pytest.raises(TypeError, match="is written, so it needs an array"):
        step([1, 2, 3], by)
    with pytest.raises(kiln.Error) as shared:
        step(by, by)
    assert shared.value.name == "arrays_overlap"


@pytest.mark.parametrize("on", ["cuda", "", None, 3, "vulkanx"])
def test_wrong_devices(scale, on):
    with pytest.raises(ValueError, match="expected 'host', 'vulkan'"):
        scale(np.ones((1, 1), np.float32), 1, on=on)


def test_no_such_device(scale):
    with pytest.raises(kiln.Error) as error:
        scale(np.ones((1, 1), np.float32), 1, on="vulkan:no device is called so")
    assert error.value.name and error.value.message


def test_errors_say_where():
    with pytest.raises(kiln.Error) as error:
        kiln.parse(SCALE.replace("* s", "+ missing"), name="scale.kiln")
    assert (error.value.code, error.value.name) == (1007, "unknown_name")
    assert error.value.places[0] == ("scale.kiln", 7, 21)
    assert "missing" in error.value.message
    assert "^" in str(error.value) and "scale.kiln:7:21" in str(error.value)


def test_what_is_no_text():
    with pytest.raises(TypeError):
        kiln.parse(b"kernel")
    with pytest.raises(UnicodeEncodeError):
        kiln.parse("kernel \ud800")
    with pytest.raises(kiln.Error):
        kiln.parse("")
    with pytest.raises(FileNotFoundError):
        kiln.load("no such file.kiln")


def test_check_raises_faults():
    outside = kiln.parse(OUTSIDE)["outside"]
    x = np.arange(4, dtype=np.float32)
    assert outside(x, 0, check=True).shape == (2, 4)
    with pytest.raises(kiln.Fault) as fault:
        outside(x, 3, check=True, seed=5)
    assert (fault.value.name, fault.value.code, fault.value.seed) == ("out_of_bounds", 5003, 5)
    assert fault.value.places[0].line == 4 and "i 1" in fault.value.unit
    with pytest.raises(ValueError, match="check=True runs on the host only"):
        outside(x, 0, check=True, on="vulkan")


def test_symbolic_sizes_that_no_array_tells():
    fill = kiln.parse("kernel fill() -> (y: i32[N]) {\n  y[...] = iota(i32[N], axis: 0)\n}\n").only
    np.testing.assert_array_equal(fill(sizes={"N": 5}), np.arange(5))
    np.testing.assert_array_equal(fill(sizes={"N": 7}), np.arange(7))
    with pytest.raises(kiln.Error, match="N"):
        fill()
    for wrong in (-1, 2**63):
        with pytest.raises(ValueError, match="size N"):
            fill(sizes={"N": wrong})


def test_shapes_come_and_go(scale):
    for size in [*range(1, 40), *range(40, 1, -1)]:
        x = np.ones((2, size), np.float32)
        np.testing.assert_array_equal(scale(x, size), x * size)


def test_many_threads(scale, step):
    wrong = []

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(60):
            x = random.standard_normal((random.integers(1, 5), 32), np.float32)
            if not np.array_equal(scale(x, 3), x * np.float32(3)):
                wrong.append(x)
            counts = np.zeros(7, np.int32)
            step(counts, np.ones(7, np.int32))
            if counts.sum() != 7:
                wrong.append(counts)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_kernel_outlives_its_module_object():
    x = np.ones((8, 8), np.float32)
    for _ in range(50):
        kernel = kiln.parse(SCALE)["scale"]
        np.testing.assert_array_equal(kernel(x, 2), x * 2)
        del kernel


def test_after_a_fork_the_child_launches_too():
    code = f"""
import os, numpy as np, kiln
scale, x = kiln.parse({SCALE!r}).only, np.ones((5000, 800), np.float32)
assert np.array_equal(scale(x, 2), x * 2)
child = os.fork()
if not child:
    os._exit(0 if np.array_equal(scale(x, 3), x * 3) else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, timeout=60).returncode == 0


def test_kernels_print_to_standard_output(capsys):
    says = kiln.parse('kernel says(n: i32) {\n  print "n is {}", n[...]\n}\n').only
    assert says(7) is None
    says(8, check=True)
    assert capsys.readouterr().out == "n is 7\nn is 8\n"


def test_devices():
    found = kiln.devices()
    assert found[0].on == "host" and all(device.usable or device.refusal for device in found)


def test_ops():
    rows = json.loads(kiln.ops_json())["ops"]
    assert {"add", "exp"} <= {row["jax"] for row in rows}
    assert {"name": "i4", "class": "sint", "bits": 4} in json.loads(kiln.ops_json())["types"]


def test_import_takes_no_jax():
    code = "import kiln, sys; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ml_dtypes(scale):
    with pytest.raises(kiln.Error, match="`x` is bf16, expected f32"):
        scale(np.ones((2, 2), ml_dtypes.bfloat16), 1)
