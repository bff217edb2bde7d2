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

HOPPER, BLACKWELL = "9.0", "10.3"  # compute capabilities
CUDA = 13000  # as its libraries write version 13.0
MULTIPROCESSORS = 132  # of an H100; JAX's tests ask for so much shared memory that one has room for one block
CORES = {"tpu": 1, "gpu": 8}  # few, so that kernels that start a block on each core stay small
KINDS = {"tpu": "TPU7x", "gpu": "NVIDIA H100"}
LIMITS = {"shared_memory_per_block_optin": 227 << 10, "compute_capability": HOPPER}


class Device(types.SimpleNamespace):
    """What stands for a device of JAX, which may be a key of caches."""

    __hash__ = object.__hash__


def device(platform: str, **changes: Any) -> Any:
    """What stands for JAX's device; some of its attributes may be others."""
    cores = CORES[platform]
    kind = {"device_kind": KINDS[platform], "platform": platform, "num_cores": cores}
    return Device(**{**kind, "id": 0, "core_count": cores, **LIMITS, **changes})


@contextlib.contextmanager
def pretend(platform: str, **changes: Any) -> Iterator[None]:
    """The default device is a TPU, or a GPU."""
    chip = device(platform, **changes)
    kind = jax.sharding.AbstractDevice(device_kind=chip.device_kind, platform=platform, num_cores=chip.num_cores)
    with (
        mock.patch.object(backend, "get_default_device", lambda: chip),
        mock.patch.object(jax, "default_backend", lambda: platform),
        jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), (), abstract_device=kind)),
    ):
        yield


def _numbers(capability: str) -> tuple[int, ...]:
    return tuple(map(int, capability.split(".")))


def _cuda_versions() -> Any:
    answers = {"cuda_runtime_get_version": lambda: CUDA, "cuda_supports_multicast": lambda device: True}
    return types.SimpleNamespace(**answers)


@contextlib.contextmanager
def _earlier_names() -> Iterator[None]:
    """Tests of a few days before the release: one argument had another name then."""
    from jax._src.pallas.mosaic_gpu import pipeline
    from jax.experimental.pallas import mosaic_gpu as plgpu

    emit = pipeline.emit_pipeline_warp_specialized

    @functools.wraps(emit)
    def emit_pipeline(*args: Any, **named: Any) -> Any:
        if "manual_ready_barriers" in named:
            named["manual_produced_barriers"] = named.pop("manual_ready_barriers")
        return emit(*args, **named)

    with contextlib.ExitStack() as stack:
        for module in (pipeline, plgpu):
            stack.enter_context(mock.patch.object(module, "emit_pipeline_warp_specialized", emit_pipeline))
        yield


ANSWERS: dict[str, dict[str, Callable[..., Any]]] = {
    "gpu": {
        "is_device_cuda": lambda: True,
        "device_under_test": lambda: "gpu",
        "is_cuda_compute_capability_at_least": lambda least: _numbers(least) <= _numbers(BLACKWELL),
        "is_cuda_compute_capability_equal": lambda wanted: _numbers(wanted) <= _numbers(BLACKWELL),
        "is_cuda_version_at_least": lambda major, minor: True,
    },
    "tpu": {
        "device_under_test": lambda: "tpu",
        "is_device_tpu": lambda version=None, variant="": version in (None, 7),
        "is_device_tpu_at_least": lambda version: version <= 7,
    },
}


@contextlib.contextmanager
def tests_hear(platform: str) -> Iterator[None]:
    """JAX's helpers of tests say that they run on a TPU, or a GPU."""
    from jax._src import test_util as jtu  # wants absl, which only tests need

    with contextlib.ExitStack() as stack:
        for name, answer in ANSWERS[platform].items():
            stack.enter_context(mock.patch.object(jtu, name, answer))
        yield


@contextlib.contextmanager
def every_gpu(devices: int) -> Iterator[None]:
    """JAX's tests hear that the GPU is the one they ask for, Hopper or Blackwell.

    Those that skip under pytest look at NVIDIA's instructions, but for those of several devices.
    """
    from jax._src import lib
    from jax._src import test_util as jtu

    with contextlib.ExitStack() as stack:
        stack.enter_context(tests_hear("gpu"))
        stack.enter_context(mock.patch.object(jtu, "is_running_under_pytest", lambda: devices == 1))
        stack.enter_context(mock.patch.object(jtu.CudaArchSpecificTest, "skip_unless_tcgen05", lambda test: None))
        for name, limit in {"core_count": MULTIPROCESSORS, **LIMITS}.items():
            stack.enter_context(mock.patch.object(type(jax.devices()[0]), name, limit, create=True))
        stack.enter_context(mock.patch.object(backend, "get_default_device", lambda: device("gpu")))
        stack.enter_context(mock.patch.object(lib, "cuda_versions", _cuda_versions()))
        stack.enter_context(_earlier_names())
        yield


@contextlib.contextmanager
def devices_are(platform: str, **changes: Any) -> Iterator[None]:
    """JAX's devices are one TPU, or GPU, for those that ask what it is."""
    found = [device(platform, **changes)]
    with mock.patch.object(jax, "devices", lambda *_: found), mock.patch.object(jax, "local_devices", lambda *_: found):
        yield


def told(platform: str, function: Callable[..., Any], **changes: Any) -> Callable[..., Any]:
    """A function that is told, while it runs, what JAX's first device is."""

    @functools.wraps(function)
    def hears(*arguments: Any) -> Any:
        with pretend(platform, **changes), devices_are(platform, **changes):
            return function(*arguments)

    return hears


def hopper(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is told, while it runs, that JAX's first device is an H100."""
    return told("gpu", function)


def tensor_core(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is told, while it runs, that JAX's first device is a TPU."""
    return told("tpu", function)
