"""How checks look for faults: schedules, all schedules, and pictures of what was found."""

import json
import xml.etree.ElementTree

import numpy as np
import pytest

import kiln

# Threads 1 and 2 take what thread 0 gives, in either order.
THIEVES = """
kernel thieves(x: f32[3]) -> (y: f32[3]) {
  machine gpu
  threads t: 3
  scratch n: semaphore
  when t == 0 { signal n by 2 signal n by 1 }
  when t == 1 { wait n by 1 }
  when t == 2 { wait n by 2 }
  y[t] = x[t]
}
"""
# Who looks before the signal waits for a second one, which never comes.
GREEDY = """
kernel greedy(x: f32[3]) -> (y: f32[3]) {
  machine gpu
  threads t: 3
  scratch n: semaphore
  when t == 0 { signal n by 1 }
  when t == 2 { let seen = count n  wait n by 2 - seen }
  y[t] = x[t]
}
"""
COUNTS = """
kernel counts(x: i32[3] inout) {
  machine gpu
  threads t: 3
  for k in 0 .. 2 { atomic add x[0] = 1 }
}
"""
X = np.ones(3, np.float32)


@pytest.fixture
def thieves():
    return kiln.parse(THIEVES)


@pytest.mark.parametrize(
    "how",
    [{"schedule": "pct", "copies": "late"}, {"schedule": "reverse", "seed": 3}, {"schedule": "starve", "seed": 2}, {}],
)
def test_schedules(thieves, how):
    assert (thieves(X, check=True, **how) == X).all()


def test_a_schedule_decides():
    greedy = kiln.parse(GREEDY)
    with pytest.raises(kiln.Fault, match="deadlock"):
        greedy(X, check=True, schedule="reverse")
    assert (greedy(X, check=True, schedule="round-robin") == X).all()


def test_all_schedules(thieves, recwarn):
    assert (thieves(X, check=True, exhaustive=True) == X).all()
    assert not recwarn.list
    with pytest.raises(kiln.Fault, match="deadlock"):
        kiln.parse(GREEDY)(X, check=True, exhaustive=True)


def test_all_schedules_start_from_the_same_arrays():
    x = np.zeros(3, np.int32)
    with pytest.warns(kiln.Unexplored, match="counts: explored 3 of at least [0-9]+ schedules; stopped at the limit"):
        kiln.parse(COUNTS)(x, check=True, exhaustive=3)
    assert x[0] == 6


@pytest.mark.parametrize("exhaustive", [False, True])
def test_pictures(thieves, tmp_path, exhaustive):
    trace, svg = tmp_path / "out.json", tmp_path / "out.svg"
    assert (thieves(X, check=True, exhaustive=exhaustive, trace=trace, svg=svg) == X).all()
    slices = [event for event in json.loads(trace.read_text())["traceEvents"] if event["ph"] == "X"]
    assert {event["name"] for event in slices} >= {"signal n", "wait n"}
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")


@pytest.mark.parametrize("exhaustive", [False, True])
def test_a_picture_shows_the_fault(tmp_path, exhaustive):
    trace = tmp_path / "out.json"
    with pytest.raises(kiln.Fault, match="deadlock"):
        kiln.parse(GREEDY)(X, check=True, exhaustive=exhaustive, schedule="reverse", trace=trace)
    assert "fault" in trace.read_text() and "deadlock" in trace.read_text()


def test_a_file_that_cannot_be_written(thieves, tmp_path):
    with pytest.raises(kiln.Error, match="nowhere"):
        thieves(X, check=True, trace=tmp_path / "nowhere" / "out.json")


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"trace": "x.json"}, ValueError, "check=True"),
        ({"check": True, "schedule": "fifo"}, ValueError, "round-robin"),
        ({"check": True, "copies": "never"}, ValueError, "eager"),
        ({"check": True, "exhaustive": 0}, ValueError, "how many"),
        ({"check": True, "exhaustiv": True}, TypeError, "exhaustive"),
    ],
)
def test_wrong_requests(thieves, how, error, words):
    with pytest.raises(error, match=words):
        thieves(X, **how)


def test_from_jax(tmp_path):
    pytest.importorskip("jax")
    import gpu_kernels

    import kiln.pallas as kp

    trace = tmp_path / "out.json"
    with kp.interpreter(check=True, exhaustive=True, schedule="random", seed=4, trace=trace, svg=None) as run:
        gpu_kernels.hand_off()().block_until_ready()
    ((kernel, explored),) = run.explored.items()
    assert kernel is run.kernels[0]
    assert str(explored) == "explored the one schedule" and explored.complete
    assert "wait full[1]" in trace.read_text()
    with kp.interpreter(check=True) as run:
        gpu_kernels.hand_off()().block_until_ready()
    assert run.explored == {}


def test_schedules_left_from_jax():
    pytest.importorskip("jax")
    from gpu_kernels import I32, array, jax, kernel, pl, plgpu

    import kiln.pallas as kp

    def body(o, s):
        thread = jax.lax.axis_index("t")
        pl.when(thread < 2)(lambda: pl.semaphore_signal(s, 1))
        pl.when(thread == 2)(lambda: pl.semaphore_wait(s, 2))
        o[thread] = thread

    scratch = [plgpu.SemaphoreType.REGULAR]
    call = kernel(body, array(3, dtype=I32), scratch_types=scratch, num_threads=3, thread_name="t")
    with pytest.warns(kiln.Unexplored, match="explored 1 of at least 2 schedules; stopped at the limit"):
        assert (kp.run(call, check=True, exhaustive=1) == np.arange(3)).all()


def test_long_schedules():
    turns = THIEVES.replace("signal n by 2 signal n by 1", "for k in 0 .. 3 { signal n by 1 }")
    with pytest.warns(kiln.Unexplored, match="thieves: not explored: a schedule has more than 4 steps"):
        kiln.parse(turns)(X, check=True, exhaustive=True, steps=4)
