"""Drivers of real Pallas kernels: each calls a function of a package on small inputs.

A driver is a function that gives a `Case`; `@driver("package")` puts it into `DRIVERS`. Nothing of the packages is
copied here: a driver imports what it needs when it is called.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np


class Case(NamedTuple):
    """A function that launches Pallas kernels, its arguments, and what it should give."""

    function: Callable[..., Any]
    arguments: Sequence[Any] = ()
    reference: Callable[..., Any] | None = None  # None: the function itself on JAX's interpreter
    tolerance: float = 1e-5  # of the largest element of each result


class Suite(NamedTuple):
    """A package's own test cases, which compare with its own references."""

    module: str
    pattern: str = "*"
    most: int = 2  # tests that launch kernels
    seconds: int = 60  # that a test may take
    platform: str = "tpu"


class Driver(NamedTuple):
    """A row of the table."""

    package: str
    name: str
    make: Callable[[], Case | Suite]


DRIVERS: list[Driver] = []


Maker = Callable[..., Case | Suite]


def driver(package: str, **variants: dict[str, Any]) -> Callable[[Maker], Maker]:
    """Registers a driver, or one for each of its variants: a name and the keyword arguments."""

    def register(make: Maker) -> Maker:
        for variant, arguments in (variants or {"": {}}).items():
            name = f"{make.__name__}-{variant}" if variant else make.__name__
            DRIVERS.append(Driver(package, name, lambda arguments=arguments: make(**arguments)))
        return make

    return register


def suites(package: str, name: str, folder: str, files: dict[str, str]) -> None:
    """Registers a driver for each file of a package's own tests."""

    def make(file: str) -> Suite:
        return Suite(f"{folder}.{file}")

    make.__name__ = name
    driver(package, **{variant: {"file": file} for variant, file in files.items()})(make)


def normal(*shape: int, seed: int = 0, dtype: Any = jnp.float32, scale: float = 1.0) -> jax.Array:
    """Normal numbers, the same in every process."""
    numbers = np.random.default_rng([seed, *shape]).standard_normal(shape, np.float32)
    return jnp.asarray(numbers * scale, dtype)


def integers(low: int, high: int, *shape: int, seed: int = 0, dtype: Any = jnp.int32) -> jax.Array:
    """Integers from low to high, the latter excluded."""
    return jnp.asarray(np.random.default_rng([seed, *shape]).integers(low, high, shape), dtype)


def gradients(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The gradients of a function's weighted sum by its first arguments."""

    def weighted(*arguments: Any) -> jax.Array:
        y = function(*arguments)
        return (y.astype(jnp.float32) * jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)).sum()

    return jax.grad(weighted, argnums=tuple(range(count)))


def backward(case: Case, count: int) -> Case:
    """A case of the gradients of both sides by their first arguments; the case itself for none."""
    if not count:
        return case
    reference = case.reference and gradients(case.reference, count)
    return case._replace(function=gradients(case.function, count), reference=reference)


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds empty modules where a package imports large ones that its kernels make no use of."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Any module of the packages."""
        known = name.partition(".")[0] in self.packages
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        """What answers to every name."""
        return mock.MagicMock(__path__=[], __spec__=spec, __name__=spec.name)

    def exec_module(self, module: Any) -> None:
        """There is no code."""


def stand_in(*packages: str) -> None:
    """Puts empty modules in place of packages, installed or not."""
    sys.meta_path.insert(0, StandIns(packages))
