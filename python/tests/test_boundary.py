"""No input from Python ends the process: random objects, types, shapes, strides and texts at the ctypes boundary."""

import random

import ml_dtypes
import numpy as np
from texts import OUTSIDE, SCALE, STEP

import kiln

ROUNDS = 3000
DTYPES = [
    *"?bBhHiIlLqQefdgFDOSUVmM",
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.int4,
    ml_dtypes.uint2,
    ">i4",
    ">f4",
]
ALLOWED = (kiln.Error, TypeError, ValueError, OverflowError, MemoryError, BufferError, AttributeError)


def _odd(pick):
    """Something that is no array."""
    lying = type(
        "Lying",
        (),
        {"__dlpack__": lambda self, **k: pick.choice([None, 1, "x"]), "__dlpack_device__": lambda self: (1, 0)},
    )()
    wrong = type("Wrong", (), {"__array__": lambda self, *a, **k: pick.choice([None, [1], np.zeros(2)])})()
    return pick.choice(
        [
            None,
            1,
            -1,
            2**70,
            1.5,
            float("nan"),
            "x",
            b"x",
            [],
            [[1], [1, 2]],
            {},
            object(),
            lying,
            wrong,
            np.float32(1),
            np.datetime64(1, "s"),
            memoryview(b"abcd"),
            range(3),
            1j,
            kiln,
            lambda: 0,
        ]
    )


def _array(pick):
    shape = tuple(pick.choice([0, 1, 2, 3, 4, 5, 7]) for _ in range(pick.choice([0, 1, 1, 2, 2, 2, 3, 10])))
    array = np.zeros(shape, pick.choice(DTYPES))
    change = pick.randrange(7)
    if change == 0:
        array = array.T
    elif change == 1 and array.ndim:
        array = array[:: pick.choice([-1, 2, -2])]
    elif change == 2 and array.size and array.ndim:
        array = np.broadcast_to(array[:1], (3, *array.shape[1:]))
    elif change == 3:
        array.flags.writeable = False
    elif change == 4 and array.nbytes and array.dtype.kind != "O":
        array = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)  # not aligned
    elif change == 5:
        array = array.view(type("Sub", (np.ndarray,), {}))
    return array


def test_launches():
    pick = random.Random(1)
    kernels = [kiln.parse(text).only for text in (SCALE, STEP, OUTSIDE)]
    ran = 0
    for _ in range(ROUNDS):
        kernel = pick.choice(kernels)
        given = [pick.choice([_array, _array, _array, _odd])(pick) for _ in range(pick.choice([0, 1, 2, 2, 2, 2, 3]))]
        if pick.random() < 0.2:  # nearly right
            given = [
                np.zeros(pick.choice([(3,) * len(p.shape), (4,) * len(p.shape)]), p.dtype)
                for p in kernel.params
                if p.direction != "out"
            ]
        settings = pick.choice(
            [
                {},
                {},
                {"check": True},
                {"seed": pick.choice([-1, 2**80, 3])},
                {"sizes": {pick.choice(["M", "N", "", "\0", "é"]): pick.choice([-1, 0, 3, 2**62, "x"])}},
            ]
        )
        try:
            kernel(*given, **settings)
            ran += 1
        except ALLOWED:
            pass
    assert ran > 100  # some were right


def test_texts():
    pick = random.Random(2)
    parsed = 0
    for _ in range(ROUNDS):
        text = list(pick.choice((SCALE, STEP, OUTSIDE)))
        for _ in range(pick.randrange(4)):
            at = pick.randrange(len(text))
            text[at : at + pick.randrange(3)] = pick.choice(["", "\0", "é", "(", "}", "9" * 30, "f64", "\n", "-", "i"])
        try:
            kernel = kiln.parse("".join(text)).only
            parsed += 1
            kernel(*(np.zeros((2,) * len(p.shape), p.dtype) for p in kernel.params if p.direction != "out"))
        except (*ALLOWED, LookupError):
            pass
    assert parsed > 100
