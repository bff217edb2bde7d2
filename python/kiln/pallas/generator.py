"""The generator of random bits that a TPU has, seeded and drawn from inside of a kernel: a stand-in made of threefry.

Its bits are not a TPU's, of which nothing is known. Two words are the key of `jax.random`, further words of a seed are
folded in, and so is the number of the draw. The state lies in scratch memory, so that it goes from grid step to grid
step. Keys of `jax.random` that JAX made for TPUs seed this generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax._src.pallas.mosaic.random import is_pallas_impl

from kiln.pallas.equation import Equation, Operand
from kiln.pallas.lower import Lowering, rule

WORDS = 2  # of a key; a third one counts draws
STATE = f"u32[{WORDS + 1}]"


def _state(*seeds: Any) -> Any:
    words = jnp.concatenate([jnp.ravel(seed).astype(jnp.uint32) for seed in seeds])
    key = jax.random.wrap_key_data(jnp.pad(words[:WORDS], (0, max(0, WORDS - words.size))), impl="threefry2x32")
    for word in words[WORDS:]:
        key = jax.random.fold_in(key, word)
    return jnp.append(jax.random.key_data(key), jnp.uint32(0))


def _generator(low: Lowering, eqn: Equation) -> str:
    """Where the state is, which a seed makes."""
    if low.machine:
        raise low.unsupported(f"`{eqn.name}` in a kernel for GPUs", "draw from a key of jax.random")
    if low.in_index_map:
        raise low.unsupported(f"`{eqn.name}` in an index map", "draw in the body")
    if eqn.name != "prng_seed" and STATE not in low.common:
        raise low.unsupported(f"`{eqn.name}` without a seed", "call pltpu.prng_seed first")
    return low.common_scratch(STATE, "generator")


@rule("prng_seed")
def lower_seed(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """Draws begin anew."""
    generator = _generator(low, eqn)
    (state,) = low.trace(_state, *eqn.operands)
    low.writer.line(f"{generator}[...] = {state.text}")
    return []


@rule("prng_random_bits")
def lower_bits(low: Lowering, eqn: Equation) -> Operand:
    """One draw."""

    def draw(state: Any) -> Any:
        key = jax.random.fold_in(jax.random.wrap_key_data(state[:WORDS], impl="threefry2x32"), state[WORDS])
        bits = jax.random.bits(key, eqn.params["shape"], jnp.uint32)
        return jax.lax.bitcast_convert_type(bits, jnp.int32), state.at[WORDS].add(1)

    generator = _generator(low, eqn)
    bits, state = low.trace(draw, low.let(f"{generator}[...]", (WORDS + 1,), jnp.uint32))
    low.writer.line(f"{generator}[...] = {state.text}")
    return bits


@rule("prng_split")
def lower_split(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """The words of a key, one by one."""
    return low.trace(lambda key: list(jnp.ravel(key)), *eqn.operands)


@rule("prng_join")
def lower_join(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A key of words."""
    return low.trace(lambda *words: jnp.stack(words).reshape(eqn.params["impl"].key_shape), *eqn.operands)


@rule("random_fold_in")
def lower_fold_in(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """A key and a number: JAX mixes the words of keys for TPUs one by one."""
    impl = eqn.in_avals[0].dtype._impl
    if not is_pallas_impl(impl):
        return low.defined(eqn)
    return low.jaxpr(jax.make_jaxpr(impl.fold_in)(*eqn.in_avals), eqn.operands)


@rule("random_bits")
def lower_random_bits(low: Lowering, eqn: Equation) -> Sequence[Operand]:
    """The bits that a key stands for: JAX has them of keys for TPUs as signed words."""
    return low.trace(lambda bits: jax.lax.bitcast_convert_type(bits, eqn.avals[0].dtype), *low.defined(eqn))
