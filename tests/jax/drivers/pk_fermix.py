"""fermix: determinants and Pfaffians of batches, in Triton's style with `debug_barrier` and in-place panels."""

from __future__ import annotations

from typing import Any
from unittest import mock

import jax.numpy as jnp
from fermix import _inverse, _lu, _pf, _pfinv
from fermix._field import Field

from drivers import Case, driver, normal

SIZES: dict[str, dict[str, Any]] = {"small": {"n": 24}, "wide": {"n": 70}, "c64": {"n": 24, "dtype": jnp.complex64}}


def _matrices(n: int, dtype: Any, skew: bool) -> Any:
    a = normal(2, n, n)
    a = a + 1j * normal(2, n, n, seed=1) if dtype == jnp.complex64 else a
    return a - a.swapaxes(1, 2) if skew else a


def _case(run: Any, n: int, dtype: Any, skew: bool = False, reference: Any = None) -> Case:
    field = Field(jnp.dtype(dtype))

    def kernel(a: Any) -> Any:
        with mock.patch("jax.default_backend", lambda: "gpu"):
            return run(field.split(a), n, field)

    return Case(kernel, [_matrices(n, dtype, skew)], reference, 1e-3)


@driver("fermix", **SIZES)
def fermix_slogdet(n: int, dtype: Any = jnp.float32) -> Case:
    """Blocked LU with partial pivoting."""
    return _case(
        lambda a, n, f: _lu._lu_core(a, n, f, "ieee", 1)[:2], n, dtype, False, lambda a: tuple(jnp.linalg.slogdet(a))
    )


@driver("fermix", **SIZES)
def fermix_inverse(n: int, dtype: Any = jnp.float32) -> Case:
    """LU, leaf inverses, products of sub-blocks, permutation."""
    return _case(lambda a, n, f: _lu_inverse(a, n, f), n, dtype, False, lambda a: jnp.linalg.inv(a).swapaxes(1, 2))


def _lu_inverse(a: Any, n: int, field: Any) -> Any:
    return _inverse._lu_parts(a, n, field, "ieee", 1, None)[2]


@driver("fermix", **SIZES)
def fermix_slogpf(n: int, dtype: Any = jnp.float32) -> Case:
    """Parlett-Reid of skew matrices."""
    return _case(
        lambda a, n, f: _pf._pf_core(a, n, f, "ieee")[1], n, dtype, True, lambda a: jnp.linalg.slogdet(a)[1] / 2
    )


@driver("fermix", **SIZES)
def fermix_pfaffian_inverse(n: int, dtype: Any = jnp.float32) -> Case:
    """Its factors turned into the inverse."""
    return _case(lambda a, n, f: _pfinv._pf_parts(a, n, f, "ieee", None, False)[2], n, dtype, True, jnp.linalg.inv)
