"""Mosaic GPU kernels on the host and on devices: their results, and JAX's GPU interpret mode taken over."""

import inspect

import gpu_kernels
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.pallas.mosaic_gpu.interpret import interpret_pallas_call
from jax._src.pallas.mosaic_gpu.interpret.params import InterpretGPUParams
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln
import kiln.pallas as kp
from kiln.pallas.gpu import inline, known

F32, I32 = jnp.float32, jnp.int32
DEVICES = [device for device in kiln.devices() if device.on != "host" and device.usable]


def data(*shape, dtype=F32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def halves(*shape):
    return data(*shape, dtype=np.float16)


# Of each kernel: its arrays, and what it makes of them.
RESULTS = [
    (gpu_kernels.hand_off, [data(8)], lambda x: x * 2),
    (gpu_kernels.barrier_of_rank_three, [], lambda: np.arange(3)),
    (gpu_kernels.cluster_barrier, [data(2, 8), np.zeros((2, 8), np.float32)], lambda x, _: x[::-1]),
    (gpu_kernels.warps, [halves(128, 128), halves(128, 128)], lambda a, b: a.astype(np.float32) @ b.astype(np.float32)),
    (gpu_kernels.collective_copy, [halves(64, 64)], lambda x: np.stack([x, x])),
    (gpu_kernels.guarded_copy, [data(8)], lambda x: np.stack([x, np.zeros(8)])),
    (gpu_kernels.other_block, [], lambda: np.repeat([[1], [0]], 8, axis=1)),
    (gpu_kernels.semaphores, [], lambda: 1),
    (
        gpu_kernels.accumulator,
        [halves(64, 64), halves(64, 128)],
        lambda a, b: 2 * (a.astype(np.float32) @ b.astype(np.float32)),
    ),
    (
        gpu_kernels.started_accumulator,
        [halves(64, 64), halves(64, 64)],
        lambda a, b: 2 * (a + (2 * a).astype(np.float32) @ b.astype(np.float32)),
    ),
    (gpu_kernels.in_place, [np.zeros((2, 4), np.int32)], lambda _: np.tile(np.arange(4), (2, 1))),
    (gpu_kernels.written_input, [data(4)], lambda x: np.concatenate([[3], x[1:]])),
    (gpu_kernels.shared_operands, [data(8)], lambda x: x + 1),
    (gpu_kernels.transposed, [data(4, 16)], lambda x: x.T[8:, 2:4] * 2),
    (
        gpu_kernels.union,
        [halves(64, 128), halves(32, 128)],
        lambda a, b: b.astype(np.float32) @ a.astype(np.float32).T,
    ),
    (gpu_kernels.scheduled, [], lambda: np.zeros(4)),
]


@pytest.mark.parametrize("make, arrays, expected", RESULTS, ids=lambda x: getattr(x, "__name__", ""))
def test_results(make, arrays, expected):
    found = kp.run(make().func, *arrays, check=True)
    np.testing.assert_allclose(found, expected(*arrays), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not DEVICES, reason="no usable Vulkan device here")
@pytest.mark.parametrize("make, arrays, expected", RESULTS, ids=lambda x: getattr(x, "__name__", ""))
def test_results_on_a_device(make, arrays, expected):
    found = kp.run(make().func, *arrays, on=DEVICES[0].on)
    np.testing.assert_allclose(found, expected(*arrays), rtol=1e-4, atol=1e-4)


@plgpu.inline_mgpu(
    arg_types=(plgpu.Layout.WG_STRIDED((128,), vec_size=1), plgpu.RefType()),
    return_type=plgpu.ShapeDtypeStruct((128,), F32, layout=plgpu.Layout.WG_STRIDED((128,), vec_size=1)),
)
def opaque(ctx, x, ref):
    raise AssertionError("nobody makes NVIDIA's code")


def meet(operation, barrier_id, num_threads):
    """A named barrier, as packages write it."""

    @plgpu.inline_mgpu()
    def bar_op(ctx):
        return operation, barrier_id, num_threads  # what the table looks for among the variables it closes over

    bar_op()


def inline_kernel(body, *args, shape=(128,), **options):
    return plgpu.kernel(body, out_type=gpu_kernels.array(*shape), **options)(*args)


def test_code_whose_meaning_is_not_known_is_refused():
    def body(x, o, s):
        o[...] = opaque(x[...], s)

    with pytest.raises(kp.Unsupported, match=r"test_gpu_run\.opaque.*inline_meaning"):
        kp.run(lambda: inline_kernel(body, data(128), scratch_types=[plgpu.SMEM((2, 128), F32)]))


def test_code_with_a_meaning(monkeypatch):
    def meaning(code, x, ref):
        assert len(code.layouts) == 2 and code.results[0].shape == (128,)
        ref[...] = x * 3
        return x + 1

    def body(x, o, s):
        o[...] = opaque(x[...], s.at[1]) + s[1]

    name = f"{__name__}.opaque"
    monkeypatch.setitem(inline.MEANINGS, name, None)
    kp.inline_meaning(name)(meaning)
    found = kp.run(lambda x: inline_kernel(body, x, scratch_types=[plgpu.SMEM((2, 128), F32)]), data(128), check=True)
    np.testing.assert_allclose(found, data(128) * 4 + 1, rtol=1e-6)


SWIZZLED = (plgpu.TilingTransform((8, 32)), plgpu.SwizzleTransform(128))


@plgpu.inline_mgpu(arg_types=(plgpu.RefType(SWIZZLED), plgpu.RefType()))
def fourth_row(ctx, staged, out):
    raise AssertionError("nobody makes NVIDIA's code")


def test_code_that_looks_at_memory_with_a_layout(monkeypatch):
    def meaning(code, staged, out):
        out[...] = staged[3] * 2

    def body(x, o, s):
        s[...] = x[...]
        fourth_row(s, o)

    name = f"{__name__}.fourth_row"
    monkeypatch.setitem(inline.MEANINGS, name, None)
    kp.inline_meaning(name)(meaning)
    scratch = [plgpu.SMEM((8, 128), F32, transforms=SWIZZLED)]
    found = kp.run(lambda x: inline_kernel(body, x, scratch_types=scratch), data(8, 128), check=True)
    np.testing.assert_array_equal(found, data(8, 128)[3] * 2)


def packaged(asm, result, types):
    @plgpu.inline_mgpu(arg_types=types, return_type=plgpu.ShapeDtypeStruct(*result, layout=plgpu.Layout.WGMMA))
    def code(ctx, *args):
        return asm  # which a meaning may look at

    return code


def run_packaged(monkeypatch, meaning, result, *args, asm="", refs=0):
    """What a package's code gives, here under another name; so many of its first arguments are refs."""
    monkeypatch.setitem(inline.MEANINGS, f"{__name__}.packaged.<locals>.code", meaning)
    code = packaged(asm, result, [plgpu.RefType()] * refs + [plgpu.Layout.WGMMA] * (len(args) - refs))

    def body(*places):
        *inputs, out = places
        out[...] = code(*inputs[:refs], *(x[...] for x in inputs[refs:]))

    return kp.run(lambda: plgpu.kernel(body, out_type=jax.ShapeDtypeStruct(*result))(*args))


@pytest.mark.parametrize("asm, order", [("prmt.b32", range(8)), ("lop3.b32", (0, 2, 4, 6, 1, 3, 5, 7))])
def test_integers_of_four_bits_as_f8(monkeypatch, asm, order):
    x = np.random.default_rng(4).permuted(np.tile(np.arange(-8, 8), (64, 4)), axis=1)
    packed = jnp.asarray(x, jnp.int4)
    found = run_packaged(monkeypatch, known.biased_f8, (x.shape, jnp.float8_e4m3fn), packed, asm=asm)
    wanted = x.reshape(64, 8, 8)[:, :, order].reshape(x.shape)
    np.testing.assert_array_equal(np.asarray(found, np.float32) * 512 - 8, wanted)


def test_a_sum_that_goes_on_by_a_scaled_product(monkeypatch):
    total, rows, columns = data(64, 32), data(64), data(32)
    product = np.arange(64 * 32, dtype=np.int32).reshape(64, 32)
    found = run_packaged(monkeypatch, known.rescaled, (total.shape, F32), total, product, rows, columns)
    np.testing.assert_allclose(found, total + product * rows[:, None] * columns, rtol=1e-5)


def test_rows_by_the_factors_in_memory(monkeypatch):
    factors, x = data(64), data(64, 32)
    found = run_packaged(monkeypatch, known.scaled_rows, (x.shape, F32), factors, x, refs=1)
    np.testing.assert_allclose(found, x * factors[:, None], rtol=1e-6)


@pytest.mark.skipif(not hasattr(plgpu, "store"), reason="from JAX 0.12 on")
def test_a_store_that_gives_nothing_back():
    def body(x, o):
        plgpu.store(o.at[pl.ds(64, 64)], x[pl.ds(0, 64)], optimized=False)
        plgpu.store(o.at[pl.ds(0, 64)], x[pl.ds(64, 64)], optimized=False)

    np.testing.assert_array_equal(kp.run(lambda x: inline_kernel(body, x), data(128)), np.roll(data(128), 64))


@plgpu.inline_mgpu(return_type=plgpu.ShapeDtypeStruct((128,), F32, layout=plgpu.Layout.WGMMA))
def rows_of_a_warp(ctx):
    raise AssertionError("nobody makes NVIDIA's code")


@pytest.mark.parametrize(
    "make, words",
    [(lambda x: x[...], "Can only load scalars"), (lambda x: rows_of_a_warp(), r"scalar return types.*\(128,\)")],
)
def test_a_warp_has_no_arrays(make, words):
    def body(x, o):
        @plgpu.warp_map
        def _(warp):
            o[...] = make(x)

    with pytest.raises(ValueError, match=words):
        kp.run(lambda x: inline_kernel(body, x), data(128))


def scales(*shape):
    return (2.0 ** (np.arange(np.prod(shape)).reshape(shape) % 5 - 2)).astype(jnp.float8_e8m0fnu)


def in_pieces(given, blocks):
    """Scales of each block's rows as tensor memory wants them: 32 rows and 4 columns at a time."""
    padded = jnp.pad(given.reshape(blocks, -1, 4), ((0, 0), (0, 128 - len(given) // blocks), (0, 0)))
    return padded.reshape(blocks, 4, 32, 1, 4).transpose(0, 3, 2, 1, 4).reshape(blocks, 1, 32, 16)


def in_halves(given):
    """Scales of the columns of two blocks with 64 rows each."""
    parts = len(given) // 64
    stored = given.reshape(2, parts, 32, 4).transpose(0, 2, 1, 3).reshape(1, 1, 64, 4 * parts)
    return jnp.pad(stored, ((0, 0), (0, 0), (0, 0), (0, 16 - 4 * parts)))


@pytest.mark.parametrize("rows", [128, 64])
def test_scales_of_a_product_of_two_blocks(rows):
    a, b = (data(n, 128).astype(jnp.float8_e5m2) for n in (2 * rows, 128))
    left, right = scales(2 * rows, 4), scales(128, 4)
    stored = in_halves(right) if rows == 64 else in_pieces(right, 1)
    found = kp.run(gpu_kernels.scaled_by_two_blocks(rows), a, b, in_pieces(left, 2), stored, check=True)
    wide = [np.float32(x) * np.repeat(np.float32(s), 32, axis=1) for x, s in ((a, left), (b, right))]
    np.testing.assert_allclose(found, wide[0] @ wide[1].T, rtol=1e-4, atol=1e-4)


def test_named_barriers_end_with_arrivals_pending(monkeypatch):
    def body(x, o, s):
        @pl.when(jax.lax.axis_index("t") == 0)
        def _():
            s[...] = x[...] * 2
            meet("arrive", 7, 256)
            meet("sync", 8, 256)
            meet("arrive", 7, 256)  # of which nobody hears

        @pl.when(jax.lax.axis_index("t") == 1)
        def _():
            meet("sync", 7, 256)
            o[...] = s[...]
            meet("arrive", 8, 256)

    monkeypatch.setattr(inline, "NAMED_BARRIERS", {f"{__name__}.meet.<locals>.bar_op"})
    options = {"scratch_types": [plgpu.SMEM((128,), F32)], "num_threads": 2, "thread_name": "t"}
    found = kp.run(lambda x: inline_kernel(body, x, **options), data(128), check=True)
    np.testing.assert_array_equal(found, data(128) * 2)


def test_a_named_barrier_takes_the_phase_that_a_thread_arrives_in(monkeypatch):
    """One thread arrives for two phases before it first waits there."""

    def body(x, o, s):
        @pl.when(jax.lax.axis_index("t") == 0)
        def _():
            for part in (0, 1):
                s[part] = x[...] * (part + 1)
                meet("arrive", 7, 256)
                meet("sync", 8, 256)
            meet("sync", 7, 256)
            o[2] = s[0]

        @pl.when(jax.lax.axis_index("t") == 1)
        def _():
            for part in (0, 1):
                meet("sync", 7, 256)
                o[part] = s[part]
                meet("arrive", 8, 256)
            s[0] = x[...] * 4
            meet("arrive", 7, 256)

    monkeypatch.setattr(inline, "NAMED_BARRIERS", {f"{__name__}.meet.<locals>.bar_op"})
    options = {"scratch_types": [plgpu.SMEM((2, 128), F32)], "num_threads": 2, "thread_name": "t"}
    found = kp.run(lambda x: inline_kernel(body, x, shape=(3, 128), **options), data(128), check=True)
    np.testing.assert_array_equal(found, data(128) * np.array([[1], [2], [4]]))


@pytest.mark.skipif("predicate" not in inspect.signature(plgpu.barrier_arrive).parameters, reason="JAX 0.12 has it")
def test_an_arrival_under_a_condition():
    def body(x, o, s, full):
        thread = jax.lax.axis_index("t")

        @pl.when(thread == 0)
        def _():
            s[...] = x[...] * 2

        for turn in (0, 1):
            plgpu.barrier_arrive(full, predicate=thread == turn)  # each thread once

        @pl.when(thread == 1)
        def _():
            plgpu.barrier_wait(full)
            o[...] = s[...]

    scratch = [plgpu.SMEM((128,), F32), plgpu.Barrier(num_arrivals=2)]
    options = {"scratch_types": scratch, "num_threads": 2, "thread_name": "t"}
    found = kp.run(lambda x: inline_kernel(body, x, **options), data(128), check=True)
    np.testing.assert_array_equal(found, data(128) * 2)


def test_pipeline():
    np.testing.assert_array_equal(kp.run(gpu_kernels.pipeline()), np.ones(32))


# ---- JAX's interpret mode ----


def both_write(guarded, **params):
    """Two threads that write one place; a barrier between them where `guarded`."""

    def body(o, b):
        thread = jax.lax.axis_index("t")

        @pl.when(thread == 0)
        def _():
            o[...] = 1
            plgpu.barrier_arrive(b)

        @pl.when(thread == 1)
        def _():
            if guarded:
                plgpu.barrier_wait(b)
            o[...] = 2

    return plgpu.kernel(
        body,
        out_type=gpu_kernels.array(dtype=I32),
        scratch_types=[plgpu.Barrier()],
        num_threads=2,
        thread_name="t",
        interpret=InterpretGPUParams(**params),
    )


def test_races_are_noted_and_forgotten():
    with kp.interpreter() as run:
        assert int(both_write(False, detect_races=True)()) in (1, 2)
        assert interpret_pallas_call.get_races().races_found
        assert int(both_write(True, detect_races=True)()) == 2
        assert not interpret_pallas_call.get_races().races_found
        both_write(False, detect_races=True)()
        interpret_pallas_call.gpu_callbacks.reset_gpu_interpret_mode_state()
        assert not interpret_pallas_call.get_races().races_found
    assert len(run.kernels) == 3
    assert not run.faults


def test_check_raises_races():
    with pytest.raises(kiln.Fault) as caught:
        kp.run(both_write(False))
        kp.run(both_write(False), check=True)
    assert caught.value.name == "race"


def test_faults_of_barriers_are_said_in_jaxs_words():
    def body(o, b):
        plgpu.barrier_arrive(b)
        plgpu.barrier_arrive(b)
        o[...] = 1

    out = gpu_kernels.array(dtype=I32)
    call = plgpu.kernel(body, out_type=out, scratch_types=[plgpu.Barrier()], interpret=InterpretGPUParams())
    with kp.interpreter(), pytest.raises(Exception, match="Barrier completed phase 1, but no threads observed phase 0"):
        jax.block_until_ready(call())


def test_float_arithmetic_may_be_skipped():
    def body(x, o, n):
        n[...] = x[...].astype(I32).sum()
        o[...] = x[...] * 2

    call = pl.pallas_call(
        body,
        out_shape=(gpu_kernels.array(4), gpu_kernels.array(dtype=I32)),
        interpret=InterpretGPUParams(skip_floating_point_ops=True),
    )
    floats, total = kp.run(call, np.arange(4, dtype=np.float32))
    np.testing.assert_array_equal(floats, np.full(4, np.inf))
    assert int(total) == 6


def test_a_last_phase_may_stay_unseen():
    """JAX's interpreter refuses this; pipelines of real kernels end so, and hardware does not mind."""

    def body(o, b):
        plgpu.barrier_arrive(b)
        plgpu.barrier_wait(b)
        plgpu.barrier_arrive(b)
        o[...] = 1

    call = gpu_kernels.kernel(body, gpu_kernels.array(dtype=I32), scratch_types=[plgpu.Barrier()])
    assert int(kp.run(call, check=True)) == 1


@pytest.mark.parametrize("cluster", [(), (2,), (2, 3)])
def test_a_block_is_numbered_by_its_place_in_the_grid(cluster):
    """Row by row; blocks of one cluster have one number, and each its own in the cluster."""
    grid, names, own = (2, 3, 4), ("a", "b", "c"), ("x", "y")[: len(cluster)]

    def body(o):
        place = [jax.lax.axis_index(name) for name in (*own, *names)]
        inside = jax.lax.axis_index(own) if own else 0
        o[*place] = 100 * inside + jax.lax.axis_index(names)

    options = {"grid": grid, "grid_names": names, "cluster": cluster, "cluster_names": own}
    found = np.asarray(kp.run(gpu_kernels.kernel(body, gpu_kernels.array(*cluster, *grid, dtype=I32), **options)))
    blocks, clusters = np.arange(np.prod(cluster, dtype=int)), np.arange(24)
    assert (found.reshape(len(blocks), 24) == 100 * blocks[:, None] + clusters).all()
