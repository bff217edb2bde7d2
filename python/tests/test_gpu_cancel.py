"""Clusters that ask for the work of others which have not started: of those that there is no room for at first."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gpu_kernels import I32, array, kernel
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import kiln
import kiln.pallas as kp


def scheduled(grid, threads=None, cluster=None):
    """Counts how often each piece of work is done, and by which step of its cluster's loop."""
    names = tuple(f"g{i}" for i in range(len(grid)))
    axes = {"thread_axis": "t"} if threads else {}
    options = {"num_threads": threads, "thread_name": "t"} if threads else {}
    if cluster:
        axes["cluster_axes"] = ("c",)
        options |= {"cluster": (cluster,), "cluster_names": ("c",)}

    own = ["c"] * bool(cluster) + ["t"] * bool(threads)

    def body(o):
        @plgpu.dynamic_scheduling_loop(grid_names=names, **axes)
        def _(info):
            o[(*info.index, *map(jax.lax.axis_index, own))] = info.local_index + 1

    shape = (*grid, *([cluster] if cluster else []), *([threads] if threads else []))
    return kernel(body, array(*shape, dtype=I32), grid=grid, grid_names=names, **options)


@pytest.mark.parametrize(
    ("grid", "threads", "cluster"),
    [((5,), None, None), ((2, 3), None, None), ((2, 3), 2, None), ((3,), None, 2), ((2,), 2, 2)],
)
def test_each_cluster_does_its_own_work(grid, threads, cluster):
    done = kp.run(scheduled(grid, threads, cluster), check=True, exhaustive=True)
    assert (np.asarray(done) == 1).all()


def test_one_cluster_does_all():
    done = np.asarray(kp.run(scheduled((2, 3)), check=True, resident=1))
    assert sorted(done.flat) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("cluster", "resident"), [(None, 2), (2, 4), (2, 3)])
def test_work_is_done_once_by_those_that_there_is_room_for(cluster, resident):
    done = np.asarray(kp.run(scheduled((5,), 2, cluster), check=True, resident=resident)).reshape(5, -1)
    assert (done == done[:, :1]).all()
    assert (done[:, 0] == 1).sum() == max(1, resident // (cluster or 1))


def test_clusters_that_wait_for_others_without_room():
    """Each tells the next, and the first waits for the last."""

    def body(o):
        tokens = pl.get_global(plgpu.SemaphoreType.REGULAR)
        place = jax.lax.axis_index("g")
        pl.when(place == 0)(lambda: pl.semaphore_wait(tokens))
        pl.when(place == 2)(lambda: pl.semaphore_signal(tokens))
        o[place] = place

    call = kernel(body, array(3, dtype=I32), grid=(3,), grid_names=("g",))
    assert (np.asarray(kp.run(call, check=True, resident=2)) == np.arange(3)).all()
    with pytest.raises(kiln.Fault, match="deadlock"):
        kp.run(call, check=True, resident=1)


def request(arrivals=1, waits=1, requests=1, reads=True):
    """A request by one thread; it looks at the answer once it is there."""

    def body(o, answer, there):
        for _ in range(requests):
            plgpu.try_cluster_cancel(answer, there)
        for _ in range(waits):
            plgpu.barrier_wait(there)
        index, granted = plgpu.query_cluster_cancel(answer, grid_names=("g",))
        o[jax.lax.axis_index("g")] = jnp.where(granted, 100 + index[0], 1) if reads else 1

    scratch = [plgpu.TryClusterCancelResult(), plgpu.Barrier(num_arrivals=arrivals)]
    return kernel(body, array(3, dtype=I32), grid=(3,), grid_names=("g",), scratch_types=scratch)


@pytest.mark.parametrize("make", [request, functools.partial(request, reads=False)])
def test_a_request_is_answered(make):
    assert (np.asarray(kp.run(make(), check=True, exhaustive=True)) == 1).all()


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"waits": 2}, "deadlock"),
        ({"arrivals": 2}, "deadlock"),
        ({"requests": 0}, "deadlock"),
        ({"requests": 2, "waits": 0}, "race"),
        ({"requests": 3, "arrivals": 2}, "race"),
        ({"waits": 0}, "race"),
    ],
)
def test_faulty_requests(how, fault):
    with pytest.raises(kiln.Fault) as caught:
        kp.run(request(**how), check=True, exhaustive=True)
    assert caught.value.name == fault


def test_one_thread_asks_alone():
    """All threads must ask: the barrier counts each."""

    def body(o, answer, there):
        thread = jax.lax.axis_index("t")
        pl.when(thread == 0)(lambda: plgpu.try_cluster_cancel(answer, there))
        plgpu.barrier_wait(there)
        o[thread] = 1

    scratch = [plgpu.TryClusterCancelResult(), plgpu.Barrier(num_arrivals=2)]
    call = kernel(body, array(2, dtype=I32), scratch_types=scratch, num_threads=2, thread_name="t")
    with pytest.raises(kiln.Fault, match="deadlock"):
        kp.run(call, check=True)
