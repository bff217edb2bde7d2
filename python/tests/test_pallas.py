"""JAX's Pallas kernels on Kiln: run, interpreter and export, under transformations, with settings, with errors."""

import functools
import os
import subprocess
import sys
import textwrap
import threading

import ml_dtypes
import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.experimental.pallas import tpu_sc as plsc
from jax.experimental.pallas import triton as plgpu

import kiln
import kiln.pallas as kp
from kiln import arrays

BLOCK = pl.BlockSpec((2, 128), lambda i: (i, 0))


def scaled_kernel(x_ref, y_ref, o_ref):
    o_ref[...] = x_ref[...] * 2 + y_ref[...]


def scaled(x, y, interpret=False, kernel=scaled_kernel):
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    grid = (x.shape[0] // 2,)
    call = pl.pallas_call(kernel, shape, grid=grid, in_specs=[BLOCK] * 2, out_specs=BLOCK, interpret=interpret)
    return call(x, y)


@pytest.fixture
def x():
    return jnp.arange(1024, dtype=jnp.float32).reshape(8, 128)


@pytest.mark.parametrize("interpret", [False, True])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_run_whatever_interpret_says(x, interpret, wrap):
    y = kp.run(wrap(functools.partial(scaled, interpret=interpret)), x, x, on="host", check=False, seed=None)
    np.testing.assert_array_equal(y, x * 3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_arithmetic_shifts_keep_the_top_bit_of_unsigned_numbers(dtype):
    top = jnp.iinfo(dtype).max
    given = [jnp.asarray(values, dtype) for values in ([top, top - 5, top // 2, 3], [3, jnp.iinfo(dtype).bits, 2, 1])]

    def kernel(x_ref, amount_ref, o_ref):
        o_ref[...] = jax.lax.shift_right_arithmetic(x_ref[...], amount_ref[...])

    call = pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct((4,), dtype))
    np.testing.assert_array_equal(kp.run(call, *given), jax.lax.shift_right_arithmetic(*given))


def test_the_run_lists_launches(x):
    with kp.interpreter(on="host", check=False) as run:
        jax.block_until_ready([scaled(x, x), jax.jit(scaled)(x, x)])
        assert [kernel.name for kernel in run.kernels] == ["scaled_kernel"] * 2
    assert len(run.kernels) == 2 and run.faults == []
    with kp.interpreter():
        scaled(x, x).block_until_ready()
    assert len(run.kernels) == 2


def test_everything_is_as_before_when_a_block_ends(x):
    jitted = jax.jit(scaled)
    for _ in range(2):
        with kp.interpreter():
            np.testing.assert_array_equal(jitted(x, x), x * 3)
        with pytest.raises(ValueError, match="Only interpret mode is supported on CPU"):
            jitted(x, x)
        with kp.interpreter() as outer, pytest.raises(RuntimeError, match="mine"):
            raise RuntimeError("mine")
    assert outer.kernels == []


def test_programs_of_on_and_off_are_kept_apart(x):
    jitted = jax.jit(functools.partial(scaled, interpret=True))
    jitted(x, x)
    with kp.interpreter() as run:
        jitted(x, x).block_until_ready()
    assert len(run.kernels) == 1
    with kp.interpreter() as run:
        pass
    jitted(x, x).block_until_ready()
    assert run.kernels == []


def test_compiled_once_for_several_blocks(x):
    traces = []

    @jax.jit
    def traced(x):
        traces.append(x)
        return scaled(x, x)

    for _ in range(3):
        kp.run(traced, x)
    assert len(traces) == 1


def test_vmap_grad_scan_and_cond(x):
    @jax.custom_vjp
    def square(x):
        return kernel(x)

    def kernel(x):
        def body(x_ref, o_ref):
            o_ref[...] = x_ref[...] * x_ref[...]

        return pl.pallas_call(body, jax.ShapeDtypeStruct(x.shape, x.dtype))(x)

    square.defvjp(lambda x: (kernel(x), x), lambda x, g: (2 * x * g,))
    with kp.interpreter():
        batch = jnp.stack([x, x + 1, x - 5])
        np.testing.assert_array_equal(jax.vmap(scaled)(batch, batch), batch * 3)
        np.testing.assert_array_equal(jax.vmap(scaled, in_axes=(0, None))(batch, x), batch * 2 + x)
        np.testing.assert_allclose(jax.grad(lambda x: square(x).sum())(x), 2 * x)
        primal, tangent = jax.jvp(lambda x: kernel(x), (x,), (jnp.ones_like(x),))
        np.testing.assert_allclose(tangent, 2 * x)
        total, _ = jax.lax.scan(lambda c, _: (scaled(c, c), None), x, length=3)
        np.testing.assert_array_equal(total, x * 27)
        np.testing.assert_array_equal(jax.lax.cond(True, lambda: scaled(x, x), lambda: x), x * 3)
    del primal


@pytest.mark.parametrize("module", ["mosaic_gpu.core", "mosaic.pipeline"])
def test_start_without_what_only_kernels_for_gpus_or_with_pipelines_want(module):
    code = f"import sys, kiln.pallas; sys.exit('jax._src.pallas.{module}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def on_four_devices(code):
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    flags = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_devices_that_reach_each_other_share_a_launch():
    on_four_devices("""
    import jax, numpy as np, jax.numpy as jnp
    from jax.sharding import PartitionSpec as P
    import gpu_kernels
    import kiln.pallas as kp
    mesh = jax.make_mesh((2, 2), ("a", "b"))
    x = jnp.arange(64, dtype=jnp.float32).reshape(8, 8)
    x = jax.device_put(x, jax.NamedSharding(mesh, P("a", "b")))
    f = jax.jit(jax.shard_map(gpu_kernels.exchanged, mesh=mesh, in_specs=P("a", "b"), out_specs=P("a", "b"), check_vma=False))
    blocks = np.asarray(x).reshape(2, 4, 2, 4).transpose(0, 2, 1, 3)
    expected = (blocks[:, ::-1] + blocks.sum((0, 1))).transpose(0, 2, 1, 3).reshape(8, 8)
    with kp.interpreter(check=True) as run:
        for _ in range(5):
            np.testing.assert_array_equal(f(x), expected)
    assert len(run.kernels) == 5, len(run.kernels)
    """)


def test_several_devices_at_once():
    on_four_devices("""
    import jax, numpy as np, jax.numpy as jnp
    from jax.sharding import PartitionSpec as P
    import kiln.pallas as kp
    from test_pallas import scaled
    mesh = jax.make_mesh((4,), ("d",))
    x = jnp.arange(4096, dtype=jnp.float32).reshape(32, 128)
    x = jax.device_put(x, jax.NamedSharding(mesh, P("d")))
    f = jax.jit(jax.shard_map(scaled, mesh=mesh, in_specs=P("d"), out_specs=P("d"), check_vma=False))
    with kp.interpreter() as run:
        for _ in range(20):
            np.testing.assert_array_equal(f(x, x), x * 3)
    assert len(run.kernels) == 80, len(run.kernels)
    """)


def test_two_threads_with_different_settings(x):
    wrong = []

    def work(check):
        for _ in range(10):
            with kp.interpreter(check=check) as run:
                jitted = jax.jit(scaled)
                if not np.array_equal(jitted(x, x), x * 3) or len(run.kernels) != 1:
                    wrong.append(run.kernels)

    threads = [threading.Thread(target=work, args=(check,)) for check in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def reads_outside(x_ref, at_ref, o_ref):
    o_ref[...] = x_ref[pl.ds(at_ref[0], 4)]


def test_export_stands_alone(x, tmp_path):
    (kernel,) = kp.export(scaled, x, jax.ShapeDtypeStruct(x.shape, x.dtype))
    kernel.save(tmp_path / "k.kiln")
    again = kiln.load(tmp_path / "k.kiln")["scaled_kernel"]
    np.testing.assert_array_equal(again(np.asarray(x), np.asarray(x)), x * 3)
    assert again(x, x).tolist() == (x * 3).tolist()  # JAX's arrays too
    twice = kp.export(lambda x: scaled(scaled(x, x), x), x)
    assert [k.name for k in twice] == ["scaled_kernel"] * 2


def test_exported_lines_are_of_the_python_source(x):
    text = kp.export(scaled, x, x)[0].text
    line = scaled_kernel.__code__.co_firstlineno + 1
    assert f'test_pallas.py":{line}:' in text


def test_constants_and_aliases(x):
    table = np.arange(128, dtype=np.float32)

    def adds(x_ref, o_ref):
        o_ref[...] = x_ref[...] + 1

    def f(x):
        x = pl.pallas_call(adds, jax.ShapeDtypeStruct(x.shape, x.dtype), input_output_aliases={0: 0})(x)
        return x + table

    y = kp.run(f, x)
    np.testing.assert_array_equal(y, x + 1 + table)
    np.testing.assert_array_equal(x.ravel(), np.arange(1024))  # the argument itself stays
    np.testing.assert_array_equal(kp.run(jax.jit(f, donate_argnums=0), x + 0), x + 1 + table)


SMALL = [d for d, n in (("float8_e4m3fn", "f8e4m3fn"), ("float8_e5m2", "f8e5m2"), ("int4", "i4")) if n in arrays.NAMES]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "float16", "bfloat16", "float32", *SMALL])
def test_element_types(dtype):
    def copies(x_ref, o_ref):
        o_ref[...] = x_ref[...]

    x = jnp.arange(-8, 8).astype(dtype)
    y = kp.run(lambda x: pl.pallas_call(copies, jax.ShapeDtypeStruct(x.shape, x.dtype))(x), x)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_debug_print(wrap, capsys):
    def says(x_ref, o_ref):
        pl.debug_print("i is {}, x is {}", pl.program_id(0), x_ref[0])
        o_ref[0] = x_ref[0] + 1

    out = jax.ShapeDtypeStruct((1,), jnp.int32)
    f = wrap(lambda x: pl.pallas_call(says, out, grid=(2,))(x))
    kp.run(f, jnp.array([5], jnp.int32))
    assert capsys.readouterr().out == "i is 0, x is 5\ni is 1, x is 5\n"


def machine_only(x_ref, o_ref):
    o_ref[...] = x_ref[...] + pltpu.prng_random_bits(x_ref.shape).astype(x_ref.dtype)


def test_what_is_unsupported_says_so_and_where(x):
    with pytest.raises(kp.Unsupported, match=r"test_pallas.py:\d+.*prng_random_bits"):
        kp.run(functools.partial(scaled_like, kernel=machine_only), x)
    with pytest.raises(kp.Unsupported, match="TPU interpret mode"):
        kp.run(functools.partial(scaled, interpret=pltpu.InterpretParams()), x, x)


def scaled_like(x, kernel):
    return pl.pallas_call(kernel, jax.ShapeDtypeStruct(x.shape, x.dtype))(x)


def test_errors_of_a_launch(x):
    with pytest.raises(kiln.Error, match="device") as error:
        kp.run(scaled, x, x, on="vulkan:no device is called so")
    assert error.value.name
    with kp.interpreter(on="vulkan:no device is called so") as run, pytest.raises(jax.errors.JaxRuntimeError) as raised:
        jax.block_until_ready(scaled(x, x))
    assert "Kiln" in str(raised.value)
    assert run.faults == []


def test_programs_of_another_process_are_refused(x):
    target = kp.bridge.door.TARGET
    with kp.interpreter():
        scaled(x, x)
    call = jax.ffi.ffi_call(target, jax.ShapeDtypeStruct((), np.float32))
    with pytest.raises(jax.errors.JaxRuntimeError, match="compiled by another process"):
        jax.block_until_ready(call(kernel=np.int64(0), process=np.int64(1)))
    for wrong in (-1, 10**9):
        with pytest.raises(jax.errors.JaxRuntimeError, match="a call without a kernel"):
            jax.block_until_ready(call(kernel=np.int64(wrong), process=np.int64(kiln._lib.kiln_door_mark())))


def test_wrong_arguments(x):
    with pytest.raises(ValueError, match="on='gpu'"), kp.interpreter(on="gpu"):
        pass
    with pytest.raises(ValueError, match="host only"):
        kp.run(scaled, x, x, on="vulkan", check=True)


@pytest.mark.parametrize("name", ["int2", "uint4", "int4", "float4_e2m1fn", "float8_e4m3fn", "float8_e8m0fnu"])
def test_types_of_less_than_two_bytes(name):
    """XLA packs elements of less than a byte on a CPU: they come and go unpacked."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    x = (
        np.array([[1, 2, 1], [1, 1, 2], [2, 2, 1]], np.float32)
        .astype(np.int8 if "int" in name else np.float32)
        .astype(dtype)
    )

    def both(x):
        def kernel(x_ref, wide_ref, same_ref):
            wide_ref[...] = x_ref[...].astype(jnp.float32)
            same_ref[...] = x_ref[...].astype(jnp.float32).astype(dtype)

        shapes = (jax.ShapeDtypeStruct(x.shape, jnp.float32), jax.ShapeDtypeStruct(x.shape, dtype))
        return pl.pallas_call(kernel, out_shape=shapes, interpret=True)(x)

    wide, same = kp.run(both, x, on="host")
    np.testing.assert_array_equal(np.asarray(wide), x.astype(np.float32))
    np.testing.assert_array_equal(np.asarray(same).view(np.uint8), x.view(np.uint8))


@pytest.mark.parametrize("batch", [0, 2])
def test_what_a_kernel_writes_to_its_prefetched_scalars_stays(batch):
    def kernel(count_ref, x_ref, o_ref):
        count_ref[0] += 1
        o_ref[...] = x_ref[...] + count_ref[0]

    spec = pl.BlockSpec((1, 128), lambda i, count: (i, 0))
    grid = pltpu.PrefetchScalarGridSpec(num_scalar_prefetch=1, grid=(4,), in_specs=[spec], out_specs=spec)
    call = pl.pallas_call(kernel, jax.ShapeDtypeStruct((4, 128), np.float32), grid_spec=grid, interpret=True)
    x = jnp.ones((4, 128))
    if batch:
        found = kp.run(jax.vmap(call), jnp.array([[5], [50]], jnp.int32), jnp.stack([x, x]))
        np.testing.assert_array_equal(found[:, :, 0], [[7, 8, 9, 10], [52, 53, 54, 55]])
    else:
        np.testing.assert_array_equal(kp.run(call, jnp.array([5], jnp.int32), x)[:, 0], [7, 8, 9, 10])


def test_an_index_map_may_branch():
    def kernel(count_ref, x_ref, o_ref):
        o_ref[...] = x_ref[...] * 2

    def page(i, count):
        return jax.lax.cond(i < count[0], lambda: i, lambda: jax.lax.switch(count[0], [lambda: 3, lambda: 0])), 0

    spec = pl.BlockSpec((1, 128), page)
    rows = pl.BlockSpec((1, 128), lambda i, count: (i, 0))
    grid = pltpu.PrefetchScalarGridSpec(num_scalar_prefetch=1, grid=(4,), in_specs=[spec], out_specs=rows)
    call = pl.pallas_call(kernel, jax.ShapeDtypeStruct((4, 128), np.float32), grid_spec=grid, interpret=True)
    x = jnp.broadcast_to(jnp.arange(4.0)[:, None], (4, 128))
    for count, pages in ((0, [3, 3, 3, 3]), (2, [0, 1, 0, 0])):
        found = kp.run(call, jnp.array([count], jnp.int32), x)
        np.testing.assert_array_equal(found[:, 0], 2.0 * np.array(pages))


def test_an_aliased_input_that_is_written_to_is_one_memory_with_the_output():
    def kernel(x_ref, o_ref):
        x_ref[0, :] = x_ref[0, :] * 10
        o_ref[1, :] = x_ref[0, :] + o_ref[1, :]

    shape = jax.ShapeDtypeStruct((2, 128), np.float32)
    call = pl.pallas_call(kernel, shape, input_output_aliases={0: 0}, interpret=True)
    np.testing.assert_array_equal(kp.run(call, jnp.ones((2, 128))), [[10] * 128, [11] * 128])


def test_what_is_written_past_an_output_is_there_to_be_read_back():
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...]
        y = o_ref[...]
        o_ref[...] = y + y[:, ::-1]

    call = pl.pallas_call(
        kernel, jax.ShapeDtypeStruct((8, 100), np.float32), grid=(1,), interpret=True,
        in_specs=[pl.BlockSpec((8, 128), lambda i: (0, 0))], out_specs=pl.BlockSpec((8, 128), lambda i: (0, 0)),
    )  # fmt: skip
    x = jnp.arange(1024, dtype=jnp.float32).reshape(8, 128)
    np.testing.assert_array_equal(kp.run(call, x), (x + x[:, ::-1])[:, :100])


def test_a_false_mask_keeps_a_store_from_an_element_that_another_names():
    def kernel(at_ref, x_ref, o_ref):
        at = at_ref[...]
        plgpu.store(o_ref.at[at, pl.ds(0, 4)], x_ref[...], mask=(at_ref[...] < 3)[:, None] & (x_ref[...] > 0))

    x = jnp.arange(24, dtype=jnp.float32).reshape(6, 4)
    call = pl.pallas_call(kernel, jax.ShapeDtypeStruct((4, 4), np.float32), interpret=True)
    y = kp.run(call, jnp.array([2, 1, 3, 0, 3, 3], jnp.int32), x)
    np.testing.assert_array_equal(y, np.stack([x[3], x[1], [np.nan, 1, 2, 3], [np.nan] * 4]))


@pytest.mark.parametrize("count", [0, 3, 8])
def test_a_copy_of_computed_size(count):
    def kernel(count_ref, x_ref, o_ref, rows_ref, sem):
        n = count_ref[0]
        o_ref[...] = jnp.zeros_like(o_ref)
        rows_ref[...] = jnp.ones_like(rows_ref)
        copy = pltpu.make_async_copy(x_ref.at[1, pl.ds(2, n)], rows_ref.at[pl.ds(0, n)], sem)
        copy.start()
        copy.wait()
        o_ref[...] = rows_ref[...]

    call = pl.pallas_call(
        kernel, jax.ShapeDtypeStruct((8, 128), np.float32), interpret=True,
        in_specs=[pl.BlockSpec(memory_space=pltpu.SMEM), pl.BlockSpec(memory_space=pl.ANY)],
        scratch_shapes=[pltpu.VMEM((8, 128), np.float32), pltpu.SemaphoreType.DMA],
    )  # fmt: skip
    x = jnp.arange(2 * 16 * 128, dtype=jnp.float32).reshape(2, 16, 128)
    y = kp.run(call, jnp.array([count], jnp.int32), x)
    np.testing.assert_array_equal(y, jnp.where(jnp.arange(8)[:, None] < count, x[1, 2:10], 1))


def test_the_cores_of_a_mesh_take_turns():
    mesh = pltpu.TensorCoreMesh(axis_name="core", num_cores=3)

    def kernel(x_ref, y_ref):
        core = jax.lax.axis_index("core")
        y_ref[core] = x_ref[2 - core] * (core + 1)

    x = np.arange(24, dtype=np.int32).reshape(3, 8)
    call = pl.kernel(kernel, out_type=jax.ShapeDtypeStruct(x.shape, x.dtype), mesh=mesh)
    np.testing.assert_array_equal(kp.run(jax.jit(call), x), x[::-1] * np.array([[1], [2], [3]]))


def test_devices_are_no_cores_of_a_kernel(x):
    def kernel(x_ref, y_ref):
        y_ref[...] = x_ref[...] + jax.lax.axis_index("d")

    call = pl.pallas_call(kernel, jax.ShapeDtypeStruct(x.shape, x.dtype))
    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec()
    mapped = jax.shard_map(call, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    with pytest.raises(kp.Unsupported, match="axis_index"):
        kp.run(mapped, x)


@pytest.mark.parametrize("carry", [None, 5])
def test_a_parallel_loop_writes_what_its_steps_write(carry):
    def kernel(x_ref, y_ref, last_ref):
        @plsc.parallel_loop(1, 8, step=3, carry=None if carry is None else jnp.int32(carry))
        def total(k, total=0):
            y_ref[k] = x_ref[k] + total
            return total + k

        last_ref[0] = jnp.int32(0) if carry is None else total

    x = np.arange(16, dtype=np.int32).reshape(8, 2)
    outs = [jax.ShapeDtypeStruct((8, 2), np.int32), jax.ShapeDtypeStruct((1,), np.int32)]
    mesh = pltpu.TensorCoreMesh(axis_name="core", num_cores=1)
    y, last = kp.run(jax.jit(pl.kernel(kernel, out_type=outs, mesh=mesh)), x)
    totals = {1: 5, 4: 6, 7: 10} if carry else {1: 0, 4: 0, 7: 0}
    for row, total in totals.items():
        np.testing.assert_array_equal(y[row], x[row] + total)
    assert last[0] == (17 if carry else 0)
