"""Pallas kernels of every kind: what Kiln gives is what JAX's own interpreter gives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src import config
from jax._src.pallas.mosaic import pipeline
from jax._src.pallas.primitives import load as pallas_load
from jax._src.pallas.primitives import store as pallas_store
from jax._src.state.types import TransformedRef
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.experimental.pallas import triton

import kiln.pallas as kp

F32, I32 = jnp.float32, jnp.int32


def data(*shape, dtype=F32, seed=0):
    random = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.integer):
        return random.integers(-50, 50, shape).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


def agree(call, *args, exact=False):
    """Runs a call of Pallas on Kiln and in JAX's interpreter."""
    expected = jax.tree.leaves(jax.jit(call)(*args))
    found = jax.tree.leaves(kp.run(jax.jit(call), *args))
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        tolerance = 0 if exact or jnp.issubdtype(a.dtype, jnp.integer) else 2e-2 if a.dtype.itemsize < 4 else 1e-5
        np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=tolerance, atol=tolerance)


def text_of(call, *args):
    kernels = kp.export(jax.jit(call), *args)
    assert len(kernels) == 1
    return kernels[0].text


def call(kernel, out, **options):
    shape, dtype = out
    return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(shape, dtype), interpret=True, **options)


# ---- blocks ----


def copy(x_ref, o_ref):
    o_ref[...] = x_ref[...]


@pytest.mark.parametrize("shape, block", [((16, 8), (4, 8)), ((10, 7), (4, 4)), ((3, 5), (8, 8)), ((9,), (4,))])
def test_blocks_at_the_edge_are_padded_with_nan(shape, block):
    def kernel(x_ref, o_ref, bad_ref):
        o_ref[...] = x_ref[...] + 1
        bad_ref[...] = jnp.sum(jnp.isnan(x_ref[...]).astype(F32)).reshape(bad_ref.shape)

    grid = tuple(pl.cdiv(n, b) for n, b in zip(shape, block, strict=True))
    spec = pl.BlockSpec(block, lambda *i: i)
    f = pl.pallas_call(
        kernel,
        out_shape=(jax.ShapeDtypeStruct(shape, F32), jax.ShapeDtypeStruct(grid, F32)),
        grid=grid,
        in_specs=[spec],
        out_specs=(spec, pl.BlockSpec((1,) * len(grid), lambda *i: i)),
        interpret=True,
    )
    agree(f, data(*shape), exact=True)


FLOATS = ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
WHOLE = ["bool", "int4", "int8", "int32", "uint4", "uint8", "uint16", "uint32"]


@pytest.mark.parametrize("dtype", FLOATS + WHOLE)
def test_what_blocks_at_the_edge_read_outside_is_that_of_the_type(dtype):
    """But for int16, of which JAX reads 0, as its interpreter has semaphores of that type."""
    rows = pl.BlockSpec((4, 8), lambda i: (i, 0))
    f = call(copy, ((8, 8), jnp.dtype(dtype)), grid=(2,), in_specs=[rows], out_specs=rows)
    agree(f, jnp.ones((5, 7), dtype), exact=True)


def test_writes_outside_of_an_edge_are_dropped_and_what_is_not_written_stays():
    """Of an output that begins as an input: rows that a ragged block writes, and columns that none does."""

    def kernel(x_ref, y_ref, o_ref):
        o_ref[:, pl.ds(0, 3)] = x_ref[:, pl.ds(0, 3)] + y_ref[:, pl.ds(1, 3)]

    rows = pl.BlockSpec((4, 8), lambda i: (i, 0))
    f = call(kernel, ((10, 7), F32), grid=(3,), in_specs=[rows, rows], out_specs=rows, input_output_aliases={0: 0})
    agree(f, data(10, 7), data(10, 7, seed=1), exact=True)


def test_element_blocks_past_both_ends():
    """Padding of an Element block is outside, as is what lies past the padding."""
    spec = pl.BlockSpec((pl.Element(6, (2, 3)),), lambda i: (i * 5,))
    agree(
        call(copy, ((18,), F32), grid=(3,), in_specs=[spec], out_specs=pl.BlockSpec((6,), lambda i: (i,))),
        data(11),
        exact=True,
    )


def test_squeezed_dimensions_are_dropped():
    spec = pl.BlockSpec((None, 4, pl.squeezed), lambda i, j: (i, 0, j))
    agree(call(copy, ((3, 4, 5), F32), grid=(3, 5), in_specs=[spec], out_specs=spec), data(3, 4, 5), exact=True)


@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_element_blocks_start_anywhere(padding):
    overlapping = pl.BlockSpec((pl.Element(6, padding), pl.Element(8)), lambda i: (i * 4, 0))
    out = pl.BlockSpec((6, 8), lambda i: (i, 0))
    agree(call(copy, ((18, 8), F32), grid=(3,), in_specs=[overlapping], out_specs=out), data(14, 8), exact=True)


def test_block_indices_outside_are_moved_inside():
    spec = pl.BlockSpec((4,), lambda i: (i * 3 - 2,))
    f = call(copy, ((4, 4), F32), grid=(4,), in_specs=[spec], out_specs=pl.BlockSpec((None, 4), lambda i: (i, 0)))
    agree(f, data(12), exact=True)


def test_prefetched_scalars_say_which_block():
    def kernel(ids_ref, x_ref, o_ref):
        o_ref[...] = x_ref[...] + ids_ref[pl.program_id(0)]

    spec = pltpu.PrefetchScalarGridSpec(
        num_scalar_prefetch=1,
        grid=(4,),
        in_specs=[pl.BlockSpec((2, 8), lambda i, ids: (ids[i] // 2, 0))],
        out_specs=pl.BlockSpec((2, 8), lambda i, ids: (i, 0)),
    )
    agree(call(kernel, ((8, 8), F32), grid_spec=spec), np.array([5, 0, 3, 6], np.int32), data(8, 8), exact=True)


def test_dynamic_grids_and_what_they_leave_unwritten():
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...] * pl.num_programs(0)

    def f(n, x):
        spec = pl.BlockSpec((4,), lambda i: (i,))
        return call(kernel, ((16,), F32), grid=(n,), in_specs=[spec], out_specs=spec)(x)

    agree(f, jnp.int32(3), data(16), exact=True)
    assert "filled" in text_of(f, jnp.int32(3), data(16))


def test_outputs_may_begin_as_inputs():
    def kernel(x_ref, y_ref, o_ref):
        o_ref[...] += x_ref[...]

    spec = pl.BlockSpec((4,), lambda i: (i,))
    f = call(kernel, ((8,), F32), grid=(2,), in_specs=[spec, spec], out_specs=spec, input_output_aliases={1: 0})
    agree(f, data(8), data(8, seed=1), exact=True)


def test_kernels_may_write_to_their_inputs():
    def kernel(x_ref, o_ref):
        x_ref[0] = 2 * x_ref[0]
        o_ref[...] = x_ref[...]

    x = data(4, 4)
    spec = pl.BlockSpec((2, 4), lambda i: (i // 2, 0))
    out = pl.BlockSpec((2, 4), lambda i: (i, 0))
    agree(call(kernel, ((8, 4), F32), grid=(4,), in_specs=[spec], out_specs=out), x.copy(), exact=True)


def test_later_steps_see_what_earlier_ones_wrote():
    def kernel(x_ref, o_ref, acc_ref):
        @pl.when(pl.program_id(1) == 0)
        def _():
            acc_ref[...] = jnp.zeros_like(acc_ref)

        acc_ref[...] += jnp.dot(x_ref[...], x_ref[...].T)
        o_ref[...] = acc_ref[...]

    f = call(
        kernel,
        ((8, 4), F32),
        grid=(2, 3),
        in_specs=[pl.BlockSpec((4, 8), lambda i, k: (i, k))],
        out_specs=pl.BlockSpec((4, 4), lambda i, k: (i, 0)),
        scratch_shapes=[pltpu.VMEM((4, 4), F32)],
    )
    agree(f, data(8, 24))


def test_vmap_adds_grid_axes_that_program_id_does_not_count():
    def kernel(x_ref, o_ref):
        o_ref[...] = x_ref[...] * pl.program_id(0)

    spec = pl.BlockSpec((2,), lambda i: (i,))
    f = call(kernel, ((8,), F32), grid=(4,), in_specs=[spec], out_specs=spec)
    agree(jax.vmap(jax.vmap(f)), data(3, 2, 8), exact=True)


def test_gradients():
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.sin(x_ref[...]) * x_ref[...]

    f = call(kernel, ((4, 8), F32))
    agree(lambda x: jax.jvp(f, (x,), (x,)), data(4, 8))


# ---- memory ----


@pytest.mark.parametrize("start", [-9, -3, 0, 2, 5, 7, 40])
def test_slices_are_moved_inside(start):
    def kernel(i_ref, x_ref, o_ref):
        o_ref[...] = x_ref[pl.ds(i_ref[0], 4), 1]

    agree(call(kernel, ((4,), F32)), np.array([start], np.int32), data(8, 3), exact=True)


def test_strided_slices_and_stores():
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.zeros_like(o_ref)
        o_ref[pl.ds(1, 3, 2), :] = x_ref[pl.ds(0, 3, 3), :]

    agree(call(kernel, ((8, 4), F32)), data(9, 4), exact=True)


def test_masks():
    def kernel(x_ref, o_ref):
        first = pl.program_id(0) * 8
        there = jnp.arange(8) + first < x_ref.shape[0]
        part = (pl.ds(first, 8),)
        pallas_store(o_ref, part, pallas_load(x_ref, part, mask=there, other=7.0), mask=there)

    whole, out = pl.BlockSpec((13,), lambda i: (0,)), pl.BlockSpec((16,), lambda i: (0,))
    agree(call(kernel, ((16,), F32), grid=(2,), in_specs=[whole], out_specs=out), data(13), exact=True)


def test_refs_of_refs():
    def kernel(x_ref, o_ref):
        o_ref.at[1].at[pl.ds(2, 4)][...] = x_ref.at[pl.ds(1, 2)].at[1][pl.ds(0, 4)]
        o_ref[0] = x_ref.at[pl.ds(1, 2)].at[0][...]

    agree(call(kernel, ((2, 8), F32)), data(4, 8), exact=True)


SEEN = {
    "reshape": lambda x, i: x.reshape(2, 4, 16)[1],
    "reshape of a part": lambda x, i: x.at[2:4, 4:8].reshape(8)[2:5],
    "part of a reshape": lambda x, i: x.reshape(16, 8).at[i, pl.ds(2, 4)][...],
    "part of a part of a reshape": lambda x, i: (
        x.at[pl.ds(i - 2, 4)].reshape(4, 2, 8).at[:, 1].reshape(32).at[pl.ds(i, 9)][...]
    ),
    "array of indices": lambda x, i: x.reshape(16, 8)[jnp.arange(3) * i, 2],
    "same width": lambda x, i: x.bitcast(I32)[...],
    "narrower": lambda x, i: x.bitcast(jnp.int16)[...],
    "narrower part": lambda x, i: x.at[2:6, 4:12].bitcast(jnp.bfloat16)[...],
    "part of narrower": lambda x, i: x.bitcast(jnp.uint8).at[pl.ds(i, 5), 3:9][...],
    "row of narrower": lambda x, i: x.bitcast(jnp.int16)[i],
    "narrower and wider": lambda x, i: x.bitcast(jnp.int8).reshape(2, 16, 16).bitcast(jnp.uint16)[:, 1:7:2],
    "four bits": lambda x, i: x.bitcast(jnp.int4)[10:20].astype(jnp.int8),
}


@pytest.mark.parametrize("dtype", [F32, I32])
@pytest.mark.parametrize("how", SEEN)
def test_refs_seen_in_other_shapes_and_types(how, dtype):
    def kernel(i_ref, x_ref, o_ref):
        o_ref[...] = SEEN[how](x_ref, i_ref[0])

    x = data(8, 16, dtype=dtype)
    out = jax.eval_shape(lambda: SEEN[how](TransformedRef(jax.new_ref(x), ()), 5))
    agree(call(kernel, (out.shape, out.dtype)), np.array([5], np.int32), x, exact=True)


WRITTEN = {
    "reshape": (lambda y, i: y.reshape(4, 32), lambda y, i: y.reshape(4, 32)[...]),
    "part": (lambda y, i: y.reshape(16, 8).at[i, 2:6], lambda y, i: y.reshape(16, 8)[i, 2:6]),
    "bits": (lambda y, i: y.bitcast(F32), lambda y, i: y.view(np.float32)),
    "narrower rows": (
        lambda y, i: y.bitcast(jnp.int16).at[2:6],
        lambda y, i: y.view(np.int16).reshape(8, 16, 2).transpose(0, 2, 1)[1:3],
    ),
    "one narrower row": (
        lambda y, i: y.bitcast(jnp.uint8).at[i],
        lambda y, i: y.view(np.uint8).reshape(8, 16, 4)[i // 4, :, i % 4],
    ),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_refs_written_in_other_shapes_and_types(how):
    """What JAX's own interpreter cannot do: it is NumPy that tells what must come out."""
    see, where = WRITTEN[how]
    expected = np.full((8, 16), 7, np.int32)
    target = where(expected, 5)
    values = data(*target.shape, dtype=target.dtype)
    target[...] = values
    assert not (expected == 7).all()

    def kernel(i_ref, v_ref, y_ref):
        y_ref[...] = jnp.full((8, 16), 7, I32)
        part = see(y_ref, i_ref[0])
        part[...] = v_ref[...].reshape(part.shape)

    found = kp.run(call(kernel, ((8, 16), I32)), np.array([5], np.int32), values)
    np.testing.assert_array_equal(found, expected)


def test_memory_of_a_scope():
    def kernel(x_ref, o_ref):
        def body(tmp_ref):
            tmp_ref[...] = x_ref[...] + 1
            return tmp_ref[1:3]

        o_ref[...] = pl.run_scoped(body, pltpu.VMEM((4, 8), F32))

    agree(call(kernel, ((2, 8), F32)), data(4, 8), exact=True)


# ---- control ----


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_loops_with_bounds_that_are_computed(steps):
    def kernel(n_ref, x_ref, o_ref):
        first = n_ref[0] - 2
        total = jax.lax.fori_loop(first, n_ref[0], lambda i, t: t * 0.5 + x_ref[jnp.maximum(i, 0)], jnp.zeros(4))
        limit, count = jax.lax.while_loop(lambda c: c[0] < 40, lambda c: (c[0] * 2, c[1] + 1), (n_ref[0] + 1, 0))
        o_ref[0] = total
        o_ref[1] = jnp.full(4, limit + count).astype(F32)

    agree(call(kernel, ((2, 4), F32)), np.array([steps], np.int32), data(8, 4))


@pytest.mark.parametrize("which", [-1, 0, 1, 2, 9])
def test_branches(which):
    def kernel(i_ref, x_ref, o_ref):
        x = x_ref[...]
        o_ref[0] = jax.lax.switch(i_ref[0], [jnp.sin, jnp.cos, lambda v: v * 2], x)
        o_ref[1] = jax.lax.cond(i_ref[0] > 0, lambda v: v + 1, lambda v: v - 1, x)

        @pl.when(i_ref[0] < 1)
        def _():
            o_ref[1] = -x

    agree(call(kernel, ((2, 4), F32)), np.array([which], np.int32), data(4))


@pytest.mark.parametrize("reverse", [False, True])
def test_scans_over_arrays(reverse):
    def kernel(x_ref, o_ref, last_ref):
        def step(total, row):
            return total + row, total * row

        last_ref[...], o_ref[...] = jax.lax.scan(step, jnp.zeros(4), x_ref[...], reverse=reverse)

    f = pl.pallas_call(
        kernel, out_shape=(jax.ShapeDtypeStruct((6, 4), F32), jax.ShapeDtypeStruct((4,), F32)), interpret=True
    )
    agree(f, data(6, 4))


# ---- ops ----


def unary(function):
    def kernel(x_ref, o_ref):
        o_ref[...] = function(x_ref[...])

    return kernel


SHAPE_OPS = {
    "transpose": lambda x: x.T.reshape(4, 6),
    "concatenate": lambda x: jnp.concatenate([x[:2], x[1:3]]),
    "stack": lambda x: jnp.stack([x[0], x[1], x[2], x[3]]),
    "split": lambda x: jnp.concatenate(jnp.split(x, 2)[::-1]),
    "tile": lambda x: jnp.tile(x[:2, :3], (2, 2)),
    "pad": lambda x: jnp.pad(x[1:3, :4], ((1, 1), (0, 2)), constant_values=7),
    "flip": lambda x: jnp.flip(x, (0, 1)),
    "where": lambda x: jnp.where(x > 0, x, 2 * x),
    "softmax": lambda x: jax.nn.softmax(x, axis=1),
    "gelu": jax.nn.gelu,
    "cumsum": lambda x: jnp.cumsum(x, axis=1),
    "floor divide": lambda x: (x * 10).astype(I32) // 3 * 1.0 + (x * 10).astype(I32) % -3,
    "argmax": lambda x: jnp.broadcast_to(jnp.argmax(x, axis=1)[:, None], x.shape).astype(F32),
    "round": lambda x: jnp.round(x * 4) + jax.lax.round(x * 4),
    "clip": lambda x: jnp.clip(x, -0.5, 0.5),
    "select_n": lambda x: jax.lax.select_n((x > 0).astype(I32) + (x > 1), x, -x, 3 * x),
    "reduce": lambda x: x - jnp.max(x, axis=0) + jnp.prod(x, axis=1, keepdims=True) + jnp.min(x),
}


@pytest.mark.parametrize("name", SHAPE_OPS)
def test_ops(name):
    agree(call(unary(SHAPE_OPS[name]), ((4, 6), F32)), data(4, 6))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int8])
@pytest.mark.parametrize("numbers", [(((1,), (0,)), ((), ())), (((1,), (1,)), ((), ())), (((0,), (0,)), ((), ()))])
def test_products(dtype, numbers):
    def kernel(a_ref, b_ref, o_ref):
        wanted = I32 if jnp.issubdtype(dtype, jnp.integer) else F32
        o_ref[...] = jax.lax.dot_general(a_ref[...], b_ref[...], numbers, preferred_element_type=wanted)

    out = I32 if jnp.issubdtype(dtype, jnp.integer) else F32
    agree(call(kernel, ((8, 8), out)), data(8, 8).astype(dtype), data(8, 8, seed=1).astype(dtype))


def test_narrow_floats():
    agree(call(unary(lambda x: x * jnp.bfloat16(1.3)), ((4, 6), jnp.bfloat16)), data(4, 6).astype(jnp.bfloat16))


@pytest.mark.parametrize("dtype", ["int4", "uint4", "int2", "uint2", "float4_e2m1fn"])
def test_elements_of_less_than_a_byte(dtype):
    """XLA packs them in memory; a kernel must neither read them so nor write past their end."""
    values = jnp.arange(64).reshape(8, 8).astype(dtype)
    agree(call(unary(lambda x: x.T), ((8, 8), jnp.dtype(dtype))), values, exact=True)
    agree(call(unary(lambda x: x.astype(F32) * 2), ((8, 8), F32)), values, exact=True)


# ---- what is said ----


def test_ops_know_their_line_of_python():
    text = text_of(call(unary(jnp.sin), ((4,), F32)), data(4))
    assert f'source "{__file__}":' in text


def test_what_cannot_run_names_itself_and_its_place():
    def kernel(x_ref, o_ref):
        o_ref[...] = jnp.real(jax.lax.complex(x_ref[...], x_ref[...]))

    with pytest.raises(kp.Unsupported, match=r"test_export.py:\d+: .*complex"):
        kp.run(call(kernel, ((4,), F32)), data(4))


@pytest.mark.parametrize("op", [triton.atomic_add, triton.atomic_max, triton.atomic_min])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, F32])
def test_atomics_at_arrays_of_indices(op, dtype):
    """Negative indices count from the end; what is written outside is dropped."""

    def kernel(i_ref, j_ref, x_ref, o_ref, old_ref):
        o_ref[...] = jnp.arange(24).reshape(2, 4, 3).astype(dtype)
        old_ref[...] = op(o_ref, (1, i_ref[...], j_ref[...]), x_ref[...])
        op(o_ref, (0, i_ref[...], 0), x_ref[...])
        op(o_ref, (0, i_ref[...].reshape(2, 2), (j_ref[...] + 1).reshape(2, 2)), jnp.full((2, 2), 9, dtype))

    out = (jax.ShapeDtypeStruct((2, 4, 3), dtype), jax.ShapeDtypeStruct((4,), dtype))
    i, j = jnp.array([-1, 0, 2, 1]), jnp.array([1, 2, -3, 0])
    agree(pl.pallas_call(kernel, out_shape=out, interpret=True), i, j, jnp.array([7, 30, 0, 100], dtype), exact=True)


def test_atomics_at_one_place_come_one_after_another():
    """JAX's interpreter loses all but the last of them, and refuses masks, slices and refs seen through others."""

    def kernel(i_ref, x_ref, o_ref, row_ref, old_ref):
        old_ref[...] = triton.atomic_add(o_ref, (i_ref[...],), x_ref[...], mask=x_ref[...] != 2)
        triton.atomic_xor(row_ref.at[:, 1:], (i_ref[...], slice(None)), jnp.stack([x_ref[...], x_ref[...] * 16], 1))

    def run(i, x):
        shapes = [jax.ShapeDtypeStruct(shape, np.int32) for shape in ((4,), (4, 3), (4,))]
        aliases = {2: 0, 3: 1}
        f = pl.pallas_call(
            lambda i, x, _a, _b, *outs: kernel(i, x, *outs), out_shape=shapes, input_output_aliases=aliases
        )
        return f(i, x, jnp.full(4, 100), jnp.full((4, 3), 7))

    total, rows, old = kp.run(run, jnp.array([0, 0, 3, 0]), jnp.array([1, 2, 4, 8]))
    np.testing.assert_array_equal(total, [109, 100, 100, 104])
    np.testing.assert_array_equal(rows, [[7, 7 ^ 11, 7 ^ 11 * 16], [7, 7, 7], [7, 7, 7], [7, 3, 7 ^ 64]])
    np.testing.assert_array_equal(old, [100, 0, 100, 101])


def test_quotients_by_constants_are_rounded_once():
    """XLA multiplies by the reciprocal instead, so that scales, and what they scale to 8 bits, may differ by one step."""

    def quantize(x):
        scale = jnp.max(jnp.abs(x), axis=1, keepdims=True) / 448.0
        return (x * (1.0 / scale)).astype(jnp.float8_e4m3fn), scale

    def kernel(x_ref, q_ref, scale_ref):
        q_ref[...], scale_ref[...] = quantize(x_ref[...])

    x = (data(512, 128) * 8).round() / 8
    most, one, top = np.abs(x).max(axis=1, keepdims=True), np.float32(1), np.float32(448)
    exact, twice = most / top, most * (one / top)
    out = [jax.ShapeDtypeStruct((512, 128), jnp.float8_e4m3fn), jax.ShapeDtypeStruct((512, 1), F32)]
    q, scale = kp.run(pl.pallas_call(kernel, out_shape=out, interpret=True), x)
    np.testing.assert_array_equal(scale, exact)
    np.testing.assert_array_equal(q.view(np.uint8), (x * (one / exact)).astype(jnp.float8_e4m3fn).view(np.uint8))
    np.testing.assert_array_equal(jax.jit(quantize)(x)[1], twice)
    assert (exact != twice).any()


@pytest.mark.parametrize("primitive", [False, True])
def test_pipelines_inside_a_kernel(primitive):
    """As loops and copies, and as the primitive that JAX's flag makes of them."""
    if primitive and not hasattr(pipeline, "emit_pipeline_to_jaxpr"):
        pytest.skip("JAX 0.11 does not hand out what it makes of the primitive")

    def body(x_ref, y_ref, o_ref, sum_ref):
        step = pl.program_id(1)

        @pl.when(step == 0)
        def _():
            sum_ref[...] = jnp.zeros_like(sum_ref)

        sum_ref[...] += x_ref[...] * (pl.program_id(0) + 1).astype(F32) + y_ref[...] * pl.num_programs(1)

        @pl.when(step == pl.num_programs(1) - 1)
        def _():
            o_ref[...] = sum_ref[...]

    def kernel(x_ref, y_ref, o_ref, sum_ref):
        blocks = [pl.BlockSpec((8, 128), lambda i, j: (i * 4 + j, 0)), pl.BlockSpec((8, 128), lambda i, j: (j, 0))]
        pltpu.emit_pipeline(
            lambda *refs: body(*refs, sum_ref),
            grid=(2, 4),
            in_specs=blocks,
            out_specs=[pl.BlockSpec((8, 128), lambda i, j: (i, 0))],
        )(x_ref, y_ref.at[1], o_ref)

    far = pl.BlockSpec(memory_space=pltpu.HBM)
    f = pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((16, 128), F32),
        in_specs=[far, far],
        out_specs=far,
        scratch_shapes=[pltpu.VMEM((8, 128), F32)],
    )
    x, y = data(64, 128), data(2, 32, 128)
    tpu = jax.sharding.AbstractDevice(device_kind="TPU7x", platform="tpu", num_cores=1)
    mesh = jax.sharding.AbstractMesh((), (), abstract_device=tpu)
    with jax.sharding.use_abstract_mesh(mesh), config.use_emit_pipeline_primitive(primitive):
        found = kp.run(f, x, y)
    parts = x.reshape(2, 4, 8, 128) * np.arange(1, 3).reshape(2, 1, 1, 1) + 4 * y[1].reshape(4, 8, 128)
    np.testing.assert_allclose(found, parts.sum(axis=1).reshape(16, 128), rtol=1e-5, atol=1e-5)


def test_unused_equations_leave_no_text():
    def kernel(x_ref, o_ref):
        jnp.exp(x_ref[...])
        o_ref[...] = x_ref[...]

    assert "exp(" not in text_of(call(kernel, ((4,), F32)), data(4))


def test_export_is_linear():
    """Twenty times the equations take about twenty times as long."""
    import time

    from kiln.pallas.exporter import export_call

    def deep(count, x_ref, o_ref):
        x = x_ref[...]
        for k in range(count):
            x = x * 1.5 + k
        o_ref[...] = x

    def seconds(count):
        taken = []

        def record(jaxpr, grid_mapping, **params):
            begin = time.perf_counter()
            result = export_call(jaxpr=jaxpr, grid_mapping=grid_mapping, **params)
            taken.append(time.perf_counter() - begin)
            return result

        from kiln.pallas import bridge

        original, bridge.export_call = bridge.export_call, record
        try:
            kp.export(call(functools.partial(deep, count), ((8,), F32)), data(8))
        finally:
            bridge.export_call = original
        return min(taken)

    seconds(10)
    assert seconds(5000) < 60 * max(seconds(250), 1e-4)


def test_the_branch_for_cpus_is_taken():
    def kernel(x_ref, o_ref, diagonal_ref):
        x = x_ref[...]
        o_ref[...] = jax.lax.platform_dependent(x, cpu=lambda v: v + 1, default=lambda v: v - 1)
        diagonal_ref[...] = jnp.diagonal(x)

    out = [jax.ShapeDtypeStruct((6, 6), F32), jax.ShapeDtypeStruct((6,), F32)]
    agree(pl.pallas_call(kernel, out_shape=out, interpret=True), data(6, 6))
