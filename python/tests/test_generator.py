"""The generator of random bits that kernels for TPUs seed and draw from: what Kiln has in its place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.random.threefry2x32 import apply_round
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

import kiln
import kiln.pallas as kp

PLACES = ["host", *(device.on for device in kiln.devices() if device.on != "host" and device.usable)]
STEPS, TILE = 3, (8, 128)


def draws(body, *args, on="host", in_specs=()):
    """A tile of words from each of three steps."""
    block = pl.BlockSpec(TILE, lambda i: (i, 0))
    out = jax.ShapeDtypeStruct((STEPS * TILE[0], TILE[1]), jnp.uint32)
    call = pl.pallas_call(body, out, grid=(STEPS,), in_specs=in_specs, out_specs=block)
    return np.asarray(kp.run(lambda: call(*args), on=on)).reshape(STEPS, *TILE)


def stand_in(key, count):
    """The bits of one draw, as the manual says."""
    return np.asarray(jax.random.bits(jax.random.fold_in(key, count), TILE, jnp.uint32))


def threefry(*words):
    return jax.random.wrap_key_data(jnp.array(words, jnp.uint32), impl="threefry2x32")


@pytest.mark.parametrize("on", PLACES)
def test_draws_follow_one_another_through_the_grid(on):
    def body(o):
        pl.when(pl.program_id(0) == 0)(lambda: pltpu.prng_seed(7, -1))
        o[...] = pltpu.prng_random_bits(TILE).astype(jnp.uint32)

    wanted = [stand_in(threefry(7, 2**32 - 1), step) for step in range(STEPS)]
    np.testing.assert_array_equal(draws(body, on=on), wanted)


@pytest.mark.parametrize(
    "seeds, key",
    [((5,), lambda step: threefry(5, 0)), ((5, 6, 7), lambda step: jax.random.fold_in(threefry(5, 6), 7))],
)
def test_a_seed_begins_anew(seeds, key):
    def body(o):
        pltpu.prng_seed(*seeds)
        first = pltpu.prng_random_bits(TILE)
        pltpu.prng_seed(*seeds)
        o[...] = (first ^ pltpu.prng_random_bits(TILE) ^ pltpu.prng_random_bits(TILE)).astype(jnp.uint32)

    np.testing.assert_array_equal(draws(body), [stand_in(key(step), 1) for step in range(STEPS)])


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_index_maps_do_not_draw(seeds):
    def index(i):
        pltpu.prng_seed(*seeds)
        return i, 0

    def body(x, o):
        o[...] = x[...]

    block, shape = pl.BlockSpec(TILE, index), jax.ShapeDtypeStruct((STEPS * TILE[0], TILE[1]), jnp.float32)
    call = pl.pallas_call(body, shape, grid=(STEPS,), in_specs=[block], out_specs=pl.BlockSpec(TILE, lambda i: (i, 0)))
    with pytest.raises(kp.Unsupported, match="`prng_seed` in an index map"):
        kp.export(call, jnp.zeros(shape.shape))


@pytest.mark.parametrize("block", [pl.BlockSpec(memory_space=pltpu.SMEM), pl.BlockSpec(memory_space=pltpu.VMEM)])
def test_keys_for_tpus_are_folded_and_drawn_from(block):
    def body(key, o):
        o[...] = jax.random.bits(jax.random.fold_in(key[...], pl.program_id(0)), TILE, jnp.uint32)

    key = pltpu.to_pallas_key(jax.random.key(3))
    found = draws(body, key, in_specs=[block])
    low, high = jax.random.key_data(key)[0]
    for step in range(STEPS):
        np.testing.assert_array_equal(
            found[step], stand_in(threefry(*apply_round([low, high + jnp.uint32(step)], 13)), 0)
        )


def test_threefry_keys_are_folded_as_ever():
    def body(key, o):
        o[...] = jax.random.bits(jax.random.fold_in(key[...], pl.program_id(0)), TILE, jnp.uint32)

    key = jax.random.key(3)
    found = draws(body, key, in_specs=[pl.BlockSpec(memory_space=pltpu.SMEM)])
    np.testing.assert_array_equal(found, [stand_in(key, step) for step in range(STEPS)])
