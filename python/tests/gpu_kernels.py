"""Mosaic GPU kernels that several tests use, one for each part of the export. Each is called without arguments."""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

F16, F32, I32 = jnp.float16, jnp.float32, jnp.int32
TILED = (plgpu.TilingTransform((8, 64)), plgpu.SwizzleTransform(128))


def array(*shape, dtype=F32):
    return jax.ShapeDtypeStruct(shape, dtype)


def kernel(body, out, *args, **options):
    """A call of `plgpu.kernel` on arrays of zeros."""
    inputs = [jnp.zeros(a.shape, a.dtype) for a in args]
    return functools.partial(plgpu.kernel(body, out_type=out, **options), *inputs)


def hand_off():
    """A producer and a consumer with a ring of buffers."""

    def body(x, o, queue, full, empty):
        thread = jax.lax.axis_index("t")

        def produce(i, _):
            slot = jax.lax.rem(i, 2)
            pl.when(i >= 2)(lambda: plgpu.barrier_wait(empty.at[slot]))
            queue[slot] = x[i] * 2
            plgpu.barrier_arrive(full.at[slot])

        def consume(i, _):
            slot = jax.lax.rem(i, 2)
            plgpu.barrier_wait(full.at[slot])
            o[i] = queue[slot]
            plgpu.barrier_arrive(empty.at[slot])

        pl.when(thread == 0)(lambda: jax.lax.fori_loop(0, 8, produce, None))
        pl.when(thread == 1)(lambda: jax.lax.fori_loop(0, 8, consume, None))

    scratch = {
        "queue": plgpu.SMEM((2,), F32),
        "full": plgpu.Barrier(num_barriers=2),
        "empty": plgpu.Barrier(num_barriers=2),
    }
    return kernel(body, array(8), array(8), scratch_types=scratch, num_threads=2, thread_name="t")


def barrier_of_rank_three():
    def body(o, b):
        thread = jax.lax.axis_index("t")
        plgpu.barrier_arrive(b.at[1, 0, thread])
        plgpu.barrier_wait(b.at[1].at[0, thread])
        o[thread] = thread

    scratch = [plgpu.Barrier(num_arrivals=1, num_barriers=(2, 1, 3))]
    return kernel(body, array(3, dtype=I32), scratch_types=scratch, num_threads=3, thread_name="t")


def cluster_barrier():
    """Blocks that read what their neighbours wrote."""

    def body(x, y, o, b):
        c = jax.lax.axis_index("c")
        y[c, :] = x[c, :]
        plgpu.barrier_arrive(b)
        plgpu.barrier_wait(b)
        o[c, :] = y[1 - c, :]

    scratch = [plgpu.ClusterBarrier(collective_axes=("c",))]
    return kernel(
        body, array(2, 8), array(2, 8), array(2, 8), scratch_types=scratch, cluster=(2,), cluster_names=("c",)
    )


def warps():
    """A thread that is split: one warp loads, another multiplies."""

    def body(a, b, o, a_smem, b_smem, acc, loaded, done):
        @pl.core_map(plgpu.WarpMesh(axis_name="warp"))
        def _():
            warp = jax.lax.axis_index("warp")

            @pl.when(warp == 0)
            def _():
                plgpu.copy_gmem_to_smem(a, a_smem, loaded)
                plgpu.copy_gmem_to_smem(b, b_smem, loaded)

            @pl.when(warp == 1)
            def _():
                plgpu.barrier_wait(loaded)
                plgpu.tcgen05_mma(acc, a_smem, b_smem, accumulate=False)
                plgpu.tcgen05_commit_arrive(done)

        plgpu.barrier_wait(done)
        o[...] = plgpu.async_load_tmem(acc)

    scratch = {
        "a_smem": plgpu.SMEM((128, 128), F16, transforms=TILED),
        "b_smem": plgpu.SMEM((128, 128), F16, transforms=TILED),
        "acc": plgpu.TMEM((128, 128), F32),
        "loaded": plgpu.Barrier(num_arrivals=2),
        "done": plgpu.Barrier(orders_tensor_core=True),
    }
    both = [array(128, 128, dtype=F16)] * 2
    return kernel(body, array(128, 128), *both, scratch_types=scratch)


def copies_out():
    """Groups of copies to global memory: open ones, awaited for their sources and in full, and ones that add."""

    def body(x, o, s):
        s[...] = x[...]
        plgpu.commit_smem()
        plgpu.copy_smem_to_gmem(s.at[0], o.at[0], commit_group=False)
        plgpu.copy_smem_to_gmem(s.at[1], o.at[1], commit_group=False)
        plgpu.commit_smem_to_gmem_group()
        plgpu.wait_smem_to_gmem(0, wait_read_only=True)
        plgpu.copy_smem_to_gmem(s.at[0], o.at[1], reduction_op="add")
        plgpu.copy_smem_to_gmem(s.at[1], o.at[0], predicate=jax.lax.axis_index("g") == 0)
        plgpu.wait_smem_to_gmem(0)

    scratch = [plgpu.SMEM((2, 8), F32)]
    return kernel(body, array(2, 8), array(2, 8), scratch_types=scratch, grid=(2,), grid_names=("g",))


def collective_copy():
    """A copy that the blocks of a cluster share."""

    def body(x, o, s, b):
        plgpu.copy_gmem_to_smem(x, s, b, collective_axes="c")
        plgpu.barrier_wait(b)
        o[jax.lax.axis_index("c"), ...] = s[...]

    scratch = [plgpu.SMEM((64, 64), F16), plgpu.Barrier()]
    out, given = array(2, 64, 64, dtype=F16), array(64, 64, dtype=F16)
    return kernel(body, out, given, scratch_types=scratch, cluster=(2,), cluster_names=("c",))


def guarded_copy():
    """A copy that one block makes only; the barrier completes in both."""

    def body(x, o, s, b):
        s[...] = jnp.zeros((8,), F32)
        plgpu.commit_smem()
        plgpu.copy_gmem_to_smem(x, s, b, predicate=jax.lax.axis_index("g") == 0)
        plgpu.barrier_wait(b)
        o[jax.lax.axis_index("g"), :] = s[...]

    scratch = [plgpu.SMEM((8,), F32), plgpu.Barrier()]
    return kernel(body, array(2, 8), array(8), scratch_types=scratch, grid=(2,), grid_names=("g",))


def other_block():
    """A block that reads the shared memory of another."""

    def body(o, s, b):
        c = jax.lax.axis_index("c")
        s[...] = jnp.full((8,), c, I32)
        plgpu.barrier_arrive(b)
        plgpu.barrier_wait(b)
        o[c, :] = plgpu.cluster_ref(s, {"c": 1 - c})[...]
        plgpu.barrier_arrive(b)
        plgpu.barrier_wait(b)

    scratch = [plgpu.SMEM((8,), I32), plgpu.ClusterBarrier(collective_axes=("c",))]
    return kernel(body, array(2, 8, dtype=I32), scratch_types=scratch, cluster=(2,), cluster_names=("c",))


def semaphores():
    def body(o, s):
        pl.semaphore_signal(s, 2)
        pl.semaphore_wait(s, 1)
        pl.semaphore_wait(s, 1, decrement=False)
        o[...] = pl.semaphore_read(s)
        pl.semaphore_wait(s, 1)

    return kernel(body, array(dtype=I32), scratch_types=[plgpu.SemaphoreType.REGULAR])


def accumulator():
    """Products into registers, which begin at zero or with a value."""

    def body(a, b, o, a_smem, b_smem):
        a_smem[...] = a[...]
        b_smem[...] = b[...]
        plgpu.commit_smem()

        def scope(acc):
            plgpu.wgmma(acc, a_smem, b_smem)
            plgpu.wgmma_wait(0)
            return acc[...]

        first = pl.run_scoped(scope, plgpu.ACC((64, 128), F32))

        def state(acc):
            plgpu.wgmma(acc, a_smem, b_smem)

        o[...] = pl.run_state(state)(plgpu.ACC.init(first))

    scratch = [plgpu.SMEM((64, 64), F16, transforms=TILED), plgpu.SMEM((64, 128), F16, transforms=TILED)]
    given = [array(64, 64, dtype=F16), array(64, 128, dtype=F16)]
    return kernel(body, array(64, 128), *given, scratch_types=scratch)


def tensor_memory():
    """Stores and loads of tensor memory, a copy to it, and a product that takes it as its left operand."""

    def body(a, b, o, s, t, acc, done):
        s[...] = b[...]
        plgpu.commit_smem()
        plgpu.async_store_tmem(t, a[...])
        plgpu.commit_tmem()
        plgpu.async_copy_smem_to_tmem(s, t)
        plgpu.tcgen05_mma(acc, t, s, done, accumulate=jax.lax.axis_index("g") > 0)
        plgpu.barrier_wait(done)
        o[...] = plgpu.async_load_tmem(acc.at[:, :64])
        plgpu.wait_load_tmem()

    scratch = {
        "s": plgpu.SMEM((128, 128), F16),
        "t": plgpu.TMEM((128, 128), F16, packed=True),
        "acc": plgpu.TMEM((128, 128), F32),
        "done": plgpu.Barrier(orders_tensor_core=True),
    }
    both = [array(128, 128, dtype=F16)] * 2
    return kernel(body, array(128, 64), *both, scratch_types=scratch, grid=(1,), grid_names=("g",))


def in_place():
    """core_map writes what run_state holds: one memory, in and out."""

    def body(o):
        @pl.core_map(plgpu.Mesh(num_threads=4, thread_name="t", grid=(2,), grid_names=("g",)))
        def _():
            o[jax.lax.axis_index("g"), jax.lax.axis_index("t")] = jax.lax.axis_index("t")

    return functools.partial(pl.run_state(body), jnp.zeros((2, 4), I32))


def written_input():
    def body(x, o):
        x[0] = 3.0
        o[...] = x[...]

    return kernel(body, array(4), array(4))


def shared_operands():
    """The operands of pallas_call may be wanted in shared memory."""

    def body(x, o):
        o[...] = x[...] + 1

    spec = plgpu.BlockSpec((8,), memory_space=plgpu.SMEM)
    call = pl.pallas_call(
        body, out_shape=array(8), in_specs=[spec], out_specs=spec, compiler_params=plgpu.CompilerParams()
    )
    return functools.partial(call, jnp.zeros((8,)))


def transposed():
    """Parts of memory that are seen transposed."""

    def body(x, o, s):
        s.transpose((1, 0))[...] = x[...]
        o[...] = s.transpose((1, 0)).at[2:4, 8:][...].T + s[8:, 2:4]

    return kernel(body, array(8, 2), array(4, 16), scratch_types=[plgpu.SMEM((16, 4), F32)])


def union():
    """A product of tiles and of transposed ones, and its copy out, in the memory that the tiles had."""

    def body(a, b, o, tiles, done):
        (left, right), whole = tiles
        plgpu.copy_gmem_to_smem(a, left, done)
        plgpu.copy_gmem_to_smem(b, right, done)
        plgpu.barrier_wait(done)

        @functools.partial(pl.run_scoped, acc=plgpu.ACC((64, 32), F32))
        def sums(acc):
            plgpu.wgmma(acc, left, plgpu.transpose_ref(right, (1, 0)))
            return acc[...]

        whole[...] = sums
        plgpu.commit_smem()
        plgpu.copy_smem_to_gmem(plgpu.transpose_ref(whole, (1, 0)), o)
        plgpu.wait_smem_to_gmem(0)

    tiles = [plgpu.SMEM((64, 128), F16, transforms=TILED), plgpu.SMEM((32, 128), F16, transforms=TILED)]
    scratch = [plgpu.RefUnion(tiles, plgpu.SMEM((64, 32), F32)), plgpu.Barrier(num_arrivals=2)]
    return kernel(body, array(32, 64), array(64, 128, dtype=F16), array(32, 128, dtype=F16), scratch_types=scratch)


def exchanged(x):
    """What the neighbour along `b` of a mesh of devices has, and the sum of what all have."""

    def body(x, o, ready, done):
        me, there = jax.lax.axis_index("b"), {"b": 1 - jax.lax.axis_index("b")}
        o[...] = plgpu.multimem_load_reduce(x, collective_axes=("a", "b"), reduction_op="add")
        plgpu.semaphore_signal_multicast(ready, collective_axes=("a", "b"))
        pl.semaphore_wait(ready, 4)
        plgpu.remote_ref(o, there)[...] += x[...]
        pl.semaphore_signal(done, device_id=(jax.lax.axis_index("a"), 1 - me))
        pl.semaphore_wait(done)

    scratch = [plgpu.SemaphoreType.REGULAR] * 2
    return plgpu.kernel(body, out_type=jax.ShapeDtypeStruct(x.shape, x.dtype), scratch_types=scratch)(x)


def scheduled():
    """A loop over the work of clusters that have not started."""

    def body(o):
        @plgpu.dynamic_scheduling_loop(grid_names=("g",))
        def _(info):
            o[info.index[0]] = info.local_index

    return kernel(body, array(4, dtype=I32), grid=(4,), grid_names=("g",))


def pipeline():
    """A pipeline whose copies out depend on whether the block has changed."""

    def body(x, o):
        def step(_, x_smem, o_smem):
            o_smem[...] = x_smem[...] + 1

        spec = plgpu.BlockSpec((8,), lambda i: (i,))
        plgpu.emit_pipeline(step, grid=(4,), in_specs=[spec], out_specs=[spec], max_concurrent_steps=2)(x, o)

    call = kernel(body, array(32), array(32))
    device = jax.sharding.AbstractDevice(device_kind="NVIDIA H100 80GB HBM3", platform="gpu", num_cores=8)
    mesh = jax.sharding.AbstractMesh((), (), abstract_device=device)

    def run():
        with jax.sharding.use_abstract_mesh(mesh):
            return call()

    return run


def started_accumulator():
    """An accumulator that starts with a value, in a body that closes over another, and one that is stored to."""

    def body(a, b, o, left, right, ready):
        plgpu.copy_gmem_to_smem(a, left, ready)
        plgpu.copy_gmem_to_smem(b, right, ready)
        plgpu.barrier_wait(ready)
        start = left[...].astype(F32)

        def multiply(acc):
            plgpu.wgmma(acc, (start * 2).astype(F16), right)

        def doubled(acc):
            acc[...] = acc[...] * 2
            return acc[...]

        o[...] = pl.run_state(doubled)(plgpu.ACC.init(pl.run_state(multiply)(plgpu.ACC.init(start))))

    tiles = [plgpu.SMEM((64, 64), F16, transforms=TILED)] * 2
    scratch = [*tiles, plgpu.Barrier(num_arrivals=2)]
    return kernel(body, array(64, 64), array(64, 64, dtype=F16), array(64, 64, dtype=F16), scratch_types=scratch)


ALL = (
    hand_off, barrier_of_rank_three, cluster_barrier, warps, copies_out, collective_copy, guarded_copy, other_block, semaphores,
    accumulator, tensor_memory, in_place, written_input, shared_operands, transposed, union, scheduled, pipeline,
    started_accumulator,
)  # fmt: skip


def scaled_by_two_blocks(rows):
    """A product with scales of two blocks; of 64 rows each, the scales of the columns lie in two halves."""
    n, k = 128, 128
    f8, scale = jnp.float8_e5m2, jnp.float8_e8m0fnu
    halved = rows == 64
    layout = plgpu.TMEMLayout.SCALES_M64_COLLECTIVE_LAYOUT if halved else plgpu.TMEMLayout.SCALES_LAYOUT
    scales = plgpu.TMEMLayout.SCALES_LAYOUT

    def kernel(a, b, sa, sb, o, a_part, b_part, sa_part, sb_all, full, done, acc, left, right):
        block = jax.lax.axis_index("x")
        own, whole = plgpu.CopyPartition.PARTITIONED(0), plgpu.CopyPartition.REPLICATED
        for source, target, what in ((a, a_part, own), (b, b_part, own), (sa, sa_part, own), (sb, sb_all, whole)):
            plgpu.copy_gmem_to_smem(source, target, full, collective_axes="x", leader_tracked=what)

        @pl.when(block == 0)
        def _():
            plgpu.barrier_wait(full)
            plgpu.async_copy_scales_to_tmem(sa_part, left, collective_axis="x")
            plgpu.async_copy_scales_to_tmem(sb_all, right, collective_axis="x")
            options = {"a_scale": left, "b_scale": right, "accumulate": False, "collective_axis": "x"}
            plgpu.tcgen05_mma(acc, a_part, b_part.transpose((1, 0)), done, **options)

        plgpu.barrier_wait(done)
        o[pl.ds(block * rows, rows), :] = plgpu.async_load_tmem(acc)

    return plgpu.kernel(
        kernel,
        out_type=array(2 * rows, n),
        scratch_types=[
            plgpu.SMEM((rows, k), f8),
            plgpu.SMEM((n // 2, k), f8),
            plgpu.SMEM((1, 1, 32, 16), scale),
            plgpu.SMEM((1, 1, 64 if halved else 32, 16), scale),
            plgpu.Barrier(num_arrivals=4),
            plgpu.Barrier(orders_tensor_core=True),
            plgpu.TMEM((rows, n), jnp.float32, collective=True),
            plgpu.TMEM((128, 4), scale, layout=scales, collective=True),
            plgpu.TMEM((256 if halved else n, 4), scale, layout=layout, collective=True),
        ],
        cluster=(2,),
        cluster_names=("x",),
    )
