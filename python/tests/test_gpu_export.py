"""Mosaic GPU kernels as texts: whole texts, compared with `gpu/*.kiln` (`pytest --update` writes them anew)."""

import functools
import pathlib

import gpu_kernels
import jax
import jax.numpy as jnp
import pytest
from jax._src.pallas.mosaic_gpu.interpret.params import InterpretGPUParams
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu
from jax.experimental.pallas import tpu as pltpu

import kiln
import kiln.pallas as kp
from kiln.pallas.gpu import kernel

EXPECTED = pathlib.Path(__file__).resolve().parent / "gpu"
I32 = jnp.int32


def text_of(call):
    """The text of a call's only kernel, without the places in Python that it came from."""
    (found,) = kp.export(call)
    return "\n".join(line for line in found.text.splitlines() if not line.lstrip().startswith("source ")) + "\n"


@pytest.mark.parametrize("make", gpu_kernels.ALL, ids=lambda make: make.__name__)
def test_texts(make, update):
    text = text_of(make())
    file = EXPECTED / f"{make.__name__}.kiln"
    if update:
        file.write_text(text)
    if jax.__version_info__[:2] == (0, 11):  # 0.12 traces barriers as single ones, not as arrays of one
        assert text == file.read_text()
    assert kiln.parse(text).text.split() == text.split()


def mesh_call(scope, *, collective, **mesh):
    """A scope with an allocation, in a kernel of some mesh."""

    def body(o):
        def write(_):
            o[...] = 1

        pl.core_map(plgpu.Mesh(**mesh))(lambda: pl.run_scoped(write, scope, collective_axes=collective))

    return functools.partial(pl.run_state(body), jnp.zeros((), I32))


THREADS = {"cluster": (2,), "cluster_names": ("c",), "num_threads": 2, "thread_name": "t"}


@pytest.mark.parametrize(
    "collective, mesh, message",
    [
        (("c", "t"), THREADS, "Collective allocations along cluster axes are not supported"),
        ((), THREADS, "must have the thread axis in its collective axes"),
        (("z",), THREADS, r"Collective axis `z` not found among axes `\['c', 't'\]`"),
        (("c",), {"cluster": (2,), "cluster_names": ("c",)}, "no explicit thread axis specified"),
    ],
)
def test_scopes_are_refused_as_in_jax(collective, mesh, message):
    with pytest.raises(ValueError, match=message):
        kp.export(mesh_call(plgpu.SMEM((), I32), collective=collective, **mesh))


def test_several_barriers_need_an_index():
    def body(o, b):
        plgpu.barrier_arrive(b)

    with pytest.raises(ValueError, match="Attempting to operate on barrier without indexing, but `num_barriers = 2`"):
        kp.export(gpu_kernels.kernel(body, gpu_kernels.array(), scratch_types=[plgpu.Barrier(num_barriers=2)]))


def test_warps_are_not_split_again():
    def body(o):
        def write():
            o[...] = 1.0

        pl.core_map(plgpu.WarpMesh(axis_name="a"))(lambda: pl.core_map(plgpu.WarpMesh(axis_name="b"))(write))

    with pytest.raises(ValueError, match="already core_mapped"):
        kp.export(gpu_kernels.kernel(body, gpu_kernels.array()))


def test_the_generator_of_a_tpu_belongs_to_its_kernels():
    def body(o):
        pltpu.prng_seed(1)

    with pytest.raises(kp.Unsupported, match="`prng_seed` in a kernel for GPUs"):
        kp.export(gpu_kernels.kernel(body, gpu_kernels.array()))


def test_arrays_of_single_warps_are_the_interpreters_alone():
    """As in JAX, whose compiler refuses them."""

    def body(x, o):
        @pl.core_map(plgpu.WarpMesh(axis_name="w"))
        def _():
            o[...] = x[...]

    call = functools.partial(gpu_kernels.kernel, body, gpu_kernels.array(4), gpu_kernels.array(4))
    assert kp.export(call(interpret=InterpretGPUParams()))
    with pytest.raises(ValueError, match="Can only load scalars in warp-level code"):
        kp.export(call())


@pytest.mark.parametrize("transforms, layout", [((), ""), ((plgpu.TilingTransform((8, 64)),), " {1,0:T(8,64)}")])
def test_tiles_are_layouts(transforms, layout):
    def body(x, o, s):
        s[...] = x[...]
        o[...] = s[...]

    memory = plgpu.SMEM((16, 64), jnp.float16, transforms=transforms)
    given = gpu_kernels.array(16, 64, dtype=jnp.float16)
    text = text_of(gpu_kernels.kernel(body, given, given, scratch_types=[memory]))
    assert f"f16[16, 64]{layout} in smem" in text


def test_axes_of_devices_are_inputs(monkeypatch):
    def body(x, o):
        o[...] = x[...] + jax.lax.axis_index("d")

    spec = jax.sharding.PartitionSpec("d")
    call = plgpu.kernel(body, out_type=gpu_kernels.array(4, dtype=I32))
    mesh = jax.sharding.Mesh(jax.devices()[:1], ["d"])
    sharded = jax.shard_map(call, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    exported = []
    original = kernel.export_gpu_call
    monkeypatch.setattr(kernel, "export_gpu_call", lambda **p: exported.append(original(**p)) or exported[-1])
    kp.export(sharded, jnp.zeros((4,), I32))
    assert exported[0].device_axes == ("d",)
    assert ", d: i32)" in exported[0].text
