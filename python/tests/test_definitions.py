"""Primitives that the exporter takes apart, by JAX's definition or by Kiln's, against jax.lax: random and edge inputs."""

import functools

import ml_dtypes
import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

import kiln.pallas as kp

FLOATS = (ml_dtypes.bfloat16, np.float16, np.float32, np.float64)
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -1.5, 2.0, 3.0, 30.0, np.inf, -np.inf, np.nan)
# Units of the last place by which Kiln and XLA may differ. They add the same terms, with other logarithms and powers.
ULP = {
    "zeta": 8, "polygamma": 128, "igamma": 256, "igammac": 256, "igamma_grad_a": 512, "random_gamma_grad": 256,
    "betainc": 256,
}  # fmt: skip
POSITIVE = {"igamma_grad_a", "random_gamma_grad"}  # XLA's loops find no end, or noise, elsewhere


@pytest.fixture(autouse=True)
def wide_types():
    """64-bit types in JAX."""
    with jax.enable_x64(True):
        yield


def in_kernel(function, *operands):
    """What a function gives inside a kernel on Kiln, and outside on JAX."""
    expected = jax.tree.leaves(function(*operands))
    outs = [jax.ShapeDtypeStruct(y.shape, y.dtype) for y in expected]

    def body(*refs):
        results = jax.tree.leaves(function(*(ref[...] for ref in refs[: len(operands)])))
        for ref, result in zip(refs[len(operands) :], results, strict=True):
            ref[...] = result

    return kp.run(pl.pallas_call(body, outs), *operands), expected


def same(function, *operands):
    """Bits alike."""
    for got, expected in zip(*in_kernel(function, *operands), strict=True):
        np.testing.assert_array_equal(got, expected)


def close(function, *operands, rtol=1e-5):
    """Alike but for the order of sums."""
    for got, expected in zip(*in_kernel(function, *operands), strict=True):
        got, expected = (np.asarray(x, np.float64) for x in (got, expected))
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


def draw(*shape, dtype=np.float32, seed=0):
    """Numbers near 0; small whole ones of integer types."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        return jnp.asarray(rng.integers(-9 if np.dtype(dtype).kind == "i" else 0, 10, shape), dtype)
    return jnp.asarray(rng.standard_normal(shape), dtype)


def special_operands(name, dtype):
    """Positive random numbers, and every pair of edges."""
    rng = np.random.default_rng(1)
    count = 3 if name == "betainc" else 2
    random = [rng.gamma(2.0, 1.5, 200) + 0.05 for _ in range(count)]
    if name == "polygamma":
        random[0] = np.floor(random[0])
    if name == "betainc":
        random[2] = rng.uniform(0, 1, 200)
    if name not in POSITIVE:
        grids = np.meshgrid(*[EDGES] * count)
        asked = np.isfinite(grids[0]) | (name != "zeta")  # XLA has NaN for the sum of 1 and zeros
        asked &= (grids[0] != 0) | (grids[-1] != 0) | (name != "polygamma")  # the pole of digamma: NaN in JAX 0.11
        random = [np.concatenate([x, grid[asked]]) for x, grid in zip(random, grids, strict=True)]
    return [jnp.asarray(x, dtype) for x in random]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", list(ULP))
def test_special(name, dtype):
    (got,), (expected,) = in_kernel(getattr(lax, name), *special_operands(name, dtype))
    got, expected = (np.asarray(x).astype(np.float64) for x in (got, expected))
    limits = ml_dtypes.finfo(dtype)
    unit = np.maximum(np.abs(expected), 1 if name == "polygamma" else float(limits.smallest_normal)) * float(limits.eps)
    with np.errstate(invalid="ignore"):
        off = np.where(np.isfinite(expected), np.abs(got - expected) / unit, 0)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))
    assert np.nanmax(off) <= ULP[name]


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_upper_half_of_products(dtype):
    limits = np.iinfo(dtype)
    values = np.array([limits.min, limits.min + 1, 0, 1, 3, limits.max // 3, limits.max - 1, limits.max], dtype)
    a, b = (jnp.asarray(x.ravel()) for x in np.meshgrid(values, values))
    exact = [int(x) * int(y) >> limits.bits for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(in_kernel(lax.mulhi, a, b)[0][0], np.array(exact, dtype))


@pytest.mark.parametrize("dtype", [*FLOATS, np.int32, np.uint8])
def test_total_order(dtype):
    values = np.array(EDGES).astype(dtype) if np.dtype(dtype).kind not in "iu" else np.arange(5, dtype=dtype)
    a, b = (jnp.asarray(x.ravel()) for x in np.meshgrid(values, values))
    for primitive in (jax._src.lax.lax.eq_to_p, jax._src.lax.lax.lt_to_p, jax._src.lax.lax.le_to_p):
        same(primitive.bind, a, b)


def weighted(a, b):
    """Combines pairs of a value and a number; keeps order."""
    return a[0] * 0.5 + b[0], lax.max(a[1], b[1])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2)])
def test_reduction_by_a_computation(dtype, axes):
    x, place = draw(5, 8, 7, dtype=dtype), draw(5, 8, 7, dtype=np.int32)

    def largest(a, b):
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))
        return lax.select(first, a[0], b[0]), lax.select(first, a[1], b[1])

    same(lambda x, i: lax.reduce((x, i), (np.array(-np.inf, dtype), np.int32(99)), largest, axes), x, place)


def test_reduction_keeps_order():
    """An operation that is associative and nothing more: maps x -> a x + b, one after another."""
    x, y = draw(3, 13, dtype=np.int32), draw(3, 13, dtype=np.int32, seed=1)

    def after(f, g):
        return f[0] * g[0], f[1] * g[0] + g[1]

    same(lambda x, y: lax.reduce((x, y), (np.int32(1), np.int32(0)), after, (1,)), x, y)


WINDOWS = [
    {"window_dimensions": (2, 3), "window_strides": (1, 1), "padding": "VALID"},
    {"window_dimensions": (3, 5), "window_strides": (2, 3), "padding": "SAME"},
    {"window_dimensions": (2, 2), "window_strides": (2, 2), "padding": ((0, 1), (2, 0))},
    {"window_dimensions": (2, 3), "window_strides": (1, 2), "padding": "VALID", "window_dilation": (2, 3)},
    {"window_dimensions": (3, 2), "window_strides": (2, 1), "padding": "SAME", "base_dilation": (2, 3)},
    {"window_dimensions": (1, 16), "window_strides": (1, 1), "padding": ((0, 0), (15, 0))},
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("dtype", [np.int32, ml_dtypes.bfloat16, np.float32])
def test_windows(window, dtype):
    x = jnp.round(draw(8, 16, dtype=dtype) * 4)
    low, high = (-np.inf, np.inf) if np.dtype(dtype).kind != "i" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    for combine, init in ((lax.add, 0), (lax.max, low), (lax.min, high), (lambda a, b: a + b, 0)):
        reduced = functools.partial(lax.reduce_window, init_value=np.array(init, dtype), computation=combine, **window)
        close(reduced, x, rtol=0.02)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize(("window", "strides"), [((2, 2), (2, 2)), ((3, 3), (2, 1))])
def test_gradients_of_pools(window, strides, dtype):
    def pool(x):
        return lax.reduce_window(x, -np.inf, lax.max, window, strides, "SAME")

    x = draw(8, 16, dtype=dtype)
    close(jax.grad(lambda x: (pool(x) ** 2).sum()), x, rtol=0.02)
    close(lambda x, t: jax.jvp(pool, (x,), (t,))[1], x, x * 2)


@pytest.mark.parametrize("name", ["cumlogsumexp", "cumsum", "cumprod", "cummax", "cummin"])
@pytest.mark.parametrize("reverse", [False, True])
def test_running(name, reverse):
    close(functools.partial(getattr(lax, name), axis=1, reverse=reverse), draw(4, 33))


CONVOLUTIONS = [
    ((2, 3, 8, 9), (4, 3, 3, 3), {"window_strides": (1, 1), "padding": "SAME"}),
    ((2, 3, 8, 9), (4, 3, 2, 3), {"window_strides": (2, 3), "padding": ((1, 0), (-1, 2))}),
    ((2, 4, 8), (6, 2, 3), {"window_strides": (1,), "padding": "SAME", "feature_group_count": 2}),
    ((4, 3, 8), (6, 3, 3), {"window_strides": (1,), "padding": "VALID", "batch_group_count": 2}),
    ((2, 3, 8), (4, 3, 3), {"window_strides": (1,), "padding": ((1, 2),), "lhs_dilation": (2,), "rhs_dilation": (3,)}),
    (
        (2, 5, 6, 3),
        (3, 3, 3, 4),
        {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": ("NHWC", "HWIO", "NHWC")},
    ),
    ((1, 2, 4, 5, 4), (3, 2, 2, 2, 2), {"window_strides": (1, 2, 1), "padding": "VALID"}),
]


@pytest.mark.parametrize("dtype", [np.int32, ml_dtypes.bfloat16, np.float32])
@pytest.mark.parametrize(("lhs", "rhs", "params"), CONVOLUTIONS)
def test_convolution(lhs, rhs, params, dtype):
    close(
        lambda x, w: lax.conv_general_dilated(x, w, **params),
        draw(*lhs, dtype=dtype),
        draw(*rhs, dtype=dtype),
        rtol=0.02,
    )


def test_gradients_of_a_convolution():
    def loss(x, w):
        return (lax.conv_general_dilated(x, w, (2,), "SAME") ** 2).sum()

    close(jax.grad(loss, (0, 1)), draw(2, 3, 16), draw(4, 3, 5), rtol=1e-4)


def test_ragged_products():
    sizes = jnp.array([4, 0, 9, 3], np.int32)
    close(lax.ragged_dot, draw(16, 8), draw(4, 8, 5), sizes)
    contracted = lax.RaggedDotDimensionNumbers((((0,), (0,)), ((), ())), [0], [])
    close(lambda x, y, n: lax.ragged_dot_general(x, y, n, contracted), draw(16, 8), draw(16, 5), sizes)


def test_approximate_top_k():
    for function in (lax.approx_max_k, lax.approx_min_k):
        for axis in (0, 1):
            same(functools.partial(function, k=5, reduction_dimension=axis), draw(33, 40))


@pytest.mark.parametrize("dtype", [np.float32, np.int32, ml_dtypes.bfloat16])
def test_pieces(dtype):
    x = draw(6, 8, dtype=dtype)
    same(lambda x: lax.split(x, (1, 5), 0), x)
    same(lambda x: jnp.stack([x, x + x], 1), x)
    same(lambda x: jnp.tile(x, (2, 1, 3)), x)
    same(lax.square, x)


@pytest.mark.parametrize("change", ["add", "subtract", "multiply", "min", "max", "set", "power"])
def test_scatters(change):
    same(lambda x, i: getattr(x.at[i], change)(2.0), draw(8, 4), jnp.array([1, 3, 6], np.int32))


def test_scatter_of_a_function_applies_it_as_often_as_its_index_comes():
    places = jnp.array([1, 3, 1, 99], np.int32)
    same(lambda x, i: x.at[i].apply(lambda v: v * 2 + 1), draw(8, 4), places)
    same(lambda x, i: x.at[:, i].apply(lambda v: v * 2 + 1), draw(3, 8), places)


WORDS = jnp.array([3, 7], np.uint32)


@pytest.mark.parametrize(
    "use",
    [
        lambda key: jax.random.bits(key, (3, 5), np.uint16),
        lambda key: jax.random.uniform(key, (8, 16)),
        lambda key: jax.random.key_data(jax.random.split(key, 3)[jnp.arange(3)[::-1]]),
        lambda key: jax.random.key_data(jax.random.split(key, (2, 3)).T),
        lambda key: jax.random.key_data(lax.fori_loop(0, 3, lambda i, k: jax.random.split(k)[0], key)),
        lambda key: jax.random.key_data(jnp.where(jnp.arange(2) > 0, jax.random.split(key), key)),
        lambda key: jax.vmap(lambda k: jax.random.bits(k, (4,)))(jax.random.split(key, 3)),
        lambda key: jax.random.permutation(key, 8),
        lambda key: jax.random.poisson(key, 2.5, (8,)),
    ],
)
def test_random(use):
    same(lambda words: use(jax.random.wrap_key_data(words)), WORDS)


@pytest.mark.parametrize("name", ["normal", "gamma", "truncated_normal", "beta"])
def test_distributions(name):
    arguments = {"gamma": (2.5,), "truncated_normal": (-1.0, 1.0), "beta": (2.5, 1.5)}.get(name, ())
    draw_one = functools.partial(getattr(jax.random, name), shape=(16,))
    close(lambda words: draw_one(jax.random.wrap_key_data(words), *arguments), WORDS)


def test_loop_that_ends_for_each_row_by_itself():
    def double(x):
        return lax.while_loop(lambda c: c[0] < 10.0, lambda c: (c[0] * 2 + 0.5, c[1] + 1), (x, 0))

    same(jax.vmap(double), jnp.abs(draw(16)))


def refused(function, *operands):
    """What Kiln says of a kernel that holds a function."""
    with pytest.raises(kp.Unsupported) as caught:
        in_kernel(function, *operands)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("complex", lambda x: lax.complex(x, x).real),
        ("fft", lambda x: jnp.abs(jnp.fft.rfft(x))),
        ("cholesky", lambda x: lax.linalg.cholesky(x)),
        ("pure_callback", lambda x: jax.pure_callback(lambda v: v, jax.ShapeDtypeStruct(x.shape, x.dtype), x)),
        ("rng_uniform", lambda x: lax.rng_uniform(x[0, 0], x[1, 1], (4, 4))),
    ],
)
def test_what_is_refused_is_named_with_its_line(name, function):
    text = refused(function, jnp.eye(4, dtype=np.float32))
    assert f"`{name}`" in text and "test_definitions.py:" in text


def test_complex_arrays_are_refused():
    assert "complex64" in refused(lambda x: x + x, jnp.ones((4, 4), np.complex64))


PACKED = [
    (np.float32, ml_dtypes.bfloat16, 2), (np.int32, np.int16, 2), (np.int32, np.int8, 4), (np.uint32, np.uint8, 4),
    (np.int16, np.int8, 2), (np.int32, ml_dtypes.int4, 8),
]  # fmt: skip


@pytest.mark.parametrize(("wide", "narrow", "count"), PACKED)
def test_packing_and_unpacking_of_words(wide, narrow, count):
    parts = [(draw(8, 16, seed=k) * 100).astype(wide) for k in range(count)]

    def body(*refs):
        word = pltpu.pack_elementwise([ref[...] for ref in refs[:count]], packed_dtype=narrow)
        refs[count][...] = word
        for k, ref in enumerate(refs[count + 1 :]):
            ref[...] = pltpu.unpack_elementwise(word, index=k, packed_dtype=narrow, unpacked_dtype=wide)

    words = jax.ShapeDtypeStruct((8, 16), f"uint{np.dtype(wide).itemsize * 8}")
    call = pl.pallas_call(body, [words, *[jax.ShapeDtypeStruct((8, 16), wide)] * count])
    packed, *found = kp.run(call, *parts)
    cut = [np.asarray(x).astype(narrow) for x in parts]
    if narrow != ml_dtypes.int4:
        little = np.stack(cut, axis=-1).reshape(8, -1).view(packed.dtype)
        np.testing.assert_array_equal(packed, little)
    for got, part in zip(found, cut, strict=True):
        np.testing.assert_array_equal(got, part.astype(wide))
