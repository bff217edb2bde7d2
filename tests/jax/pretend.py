"""Answers of a machine that it is not: tests and packages that ask where they are hear that it is a GPU or TPU.

Nothing that is lowered depends on it: Kiln takes Pallas calls over before JAX looks for hardware.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax
from jax.extend import backend

HOPPER, BLACKWELL = "9.0", "10.3"
CORES = {"tpu": 1, "gpu": 8}  # few, so that kernels that start a block on each core stay small
KINDS = {"tpu": "TPU7x", "gpu": "NVIDIA H100"}
LIMITS = {"shared_memory_per_block_optin": 227 << 10, "compute_capability": HOPPER}


def device(platform: str) -> Any:
    """What stands for JAX's device."""
    cores = CORES[platform]
    kind = {"device_kind": KINDS[platform], "platform": platform, "num_cores": cores}
    return types.SimpleNamespace(**kind, id=0, core_count=cores, **LIMITS)


@contextlib.contextmanager
def pretend(platform: str) -> Iterator[None]:
    """The default device is a TPU, or a GPU."""
    chip = device(platform)
    kind = jax.sharding.AbstractDevice(device_kind=chip.device_kind, platform=platform, num_cores=chip.num_cores)
    with (
        mock.patch.object(backend, "get_default_device", lambda: chip),
        mock.patch.object(jax, "default_backend", lambda: platform),
        jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), (), abstract_device=kind)),
    ):
        yield


def _numbers(capability: str) -> tuple[int, ...]:
    return tuple(map(int, capability.split(".")))


@contextlib.contextmanager
def every_gpu() -> Iterator[None]:
    """JAX's tests hear that the GPU is the one they ask for, Hopper or Blackwell."""
    from jax._src import test_util as jtu  # wants absl, which only JAX's tests need

    answers = {
        "is_device_cuda": lambda: True,
        "device_under_test": lambda: "gpu",
        "is_cuda_compute_capability_at_least": lambda least: _numbers(least) <= _numbers(BLACKWELL),
        "is_cuda_compute_capability_equal": lambda wanted: _numbers(wanted) <= _numbers(BLACKWELL),
        "is_cuda_version_at_least": lambda major, minor: True,
    }
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(jtu, name, answer))
        stack.enter_context(mock.patch.object(jtu.CudaArchSpecificTest, "skip_unless_tcgen05", lambda test: None))
        for name, limit in {"core_count": 132, **LIMITS}.items():
            stack.enter_context(mock.patch.object(type(jax.devices()[0]), name, limit, create=True))
        stack.enter_context(mock.patch.object(backend, "get_default_device", lambda: device("gpu")))
        yield


@contextlib.contextmanager
def gpu_devices() -> Iterator[None]:
    """JAX's devices are one GPU, for those that ask what it is."""
    found = [device("gpu")]
    with mock.patch.object(jax, "devices", lambda *_: found), mock.patch.object(jax, "local_devices", lambda *_: found):
        yield


def hopper(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is told, while it runs, that JAX's first device is an H100."""

    @functools.wraps(function)
    def told(*arguments: Any) -> Any:
        with pretend("gpu"), gpu_devices():
            return function(*arguments)

    return told
