"""libkiln by ctypes: the structs and functions of include/kiln/*.h and python/src/*.h that the package uses.

ctypes releases the GIL while a function runs. Nothing here is public.
"""

from __future__ import annotations

import ctypes
import pathlib
from collections.abc import Callable, Iterator, Sequence
from ctypes import POINTER, c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

MAX_RANK = 8
MAX_TILES = 4
MAX_SIZE = 2**63 - 1


class Str(ctypes.Structure):
    """kiln_str: bytes, not ended by a zero."""

    _fields_ = [("data", c_char_p), ("size", c_size_t)]

    @classmethod
    def of(cls, data: bytes) -> Str:
        """Points into `data`, which the struct keeps alive."""
        return cls(data, len(data))

    def __str__(self) -> str:
        if not self.size:
            return ""
        address = ctypes.cast(ctypes.byref(self), POINTER(c_void_p))[0]
        return ctypes.string_at(address, self.size).decode(errors="replace")


class Place(ctypes.Structure):
    """kiln_place."""

    _fields_ = [
        ("file", Str),
        ("line", c_uint32),
        ("column", c_uint32),
        ("length", c_uint32),
        ("line_text", Str),
        ("label", Str),
    ]


class Diag(ctypes.Structure):
    """kiln_diag."""

    _fields_ = [
        ("code", c_uint32),
        ("name", c_char_p),
        ("severity", c_int),
        ("message", Str),
        ("hint", Str),
        ("unit", Str),
        ("seed", c_uint64),
        ("places", POINTER(Place)),
        ("place_count", c_size_t),
    ]


class ParseDesc(ctypes.Structure):
    """kiln_parse_desc."""

    _fields_ = [("text", Str), ("name", Str)]


class TileBox(ctypes.Structure):
    """kiln_tile_box: a tile of a layout."""

    _fields_ = [("rank", c_uint32), ("dims", c_int64 * MAX_RANK)]


class Layout(ctypes.Structure):
    """kiln_layout."""

    _fields_ = [
        ("rank", c_uint32),
        ("minor_to_major", c_uint32 * MAX_RANK),
        ("tile_count", c_uint32),
        ("tiles", TileBox * MAX_TILES),
        ("element_bits", c_uint32),
    ]


class Param(ctypes.Structure):
    """kiln_param."""

    _fields_ = [
        ("name", Str),
        ("dtype", c_int),
        ("direction", c_int),
        ("rank", c_uint32),
        ("dims", c_int64 * MAX_RANK),
        ("dim_text", Str * MAX_RANK),
        ("layout", Layout),
    ]


class Array(ctypes.Structure):
    """kiln_array."""

    _fields_ = [
        ("dtype", c_int),
        ("rank", c_uint32),
        ("dims", c_int64 * MAX_RANK),
        ("data", c_void_p),
        ("size", c_size_t),
    ]


class Size(ctypes.Structure):
    """kiln_size."""

    _fields_ = [("name", Str), ("value", c_int64)]


class Request(ctypes.Structure):
    """kiln_request."""

    _fields_ = [
        ("kernel", c_void_p),
        ("on", Str),
        ("seed", c_uint64),
        ("check", c_bool),
        ("order", c_int),
        ("timing", c_int),
        ("exhaustive", c_uint64),
        ("longest", c_uint32),
        ("resident", c_uint32),
        ("trace", c_char_p),
        ("svg", c_char_p),
        ("sizes", POINTER(Size)),
        ("size_count", c_size_t),
        ("arrays", POINTER(Array)),
        ("array_count", c_size_t),
    ]


class Explored(ctypes.Structure):
    """kiln_explored."""

    _fields_ = [
        ("schedules", c_uint64),
        ("open", c_uint64),
        ("longest", c_uint32),
        ("complete", c_bool),
        ("too_long", c_bool),
    ]


class Failure(ctypes.Structure):
    """kiln_failure."""

    _fields_ = [("seat", c_void_p), ("launch", c_uint64), ("entry", c_int32), ("result", c_int)]


# kiln_speaker: a context, where to write, and how much room there is; gives what was written
Speaker = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, c_size_t)


class DeviceDesc(ctypes.Structure):
    """kiln_device_desc."""

    _fields_ = [
        ("select", Str),
        ("loader", Str),
        ("application", Str),
        ("engine", Str),
        ("time_limit_ns", c_uint64),
        ("accept_failed", c_bool),
        ("print", c_void_p),
        ("print_user", c_void_p),
    ]


class Profile(ctypes.Structure):
    """kiln_profile."""

    _fields_ = [
        ("subgroup_size", c_uint32),
        ("max_workgroup_size", c_uint32),
        ("max_workgroup_count", c_uint32),
        ("shared_memory", c_uint32),
        ("max_bindings", c_uint32),
        ("max_buffer_range", c_uint64),
        ("f64", c_bool),
        ("i64", c_bool),
        ("i64_atomics", c_bool),
        ("serial_subgroups", c_bool),
        ("lock_step", c_bool),
        ("one_subgroup", c_bool),
        ("split_barrier", c_bool),
        ("polls", c_uint32),
        ("max_values", c_uint32),
    ]


class DeviceInfo(ctypes.Structure):
    """kiln_device_info."""

    _fields_ = [
        ("index", c_uint32),
        ("name", Str),
        ("driver", Str),
        ("vendor", c_uint32),
        ("device", c_uint32),
        ("api_version", c_uint32),
        ("driver_version", c_uint32),
        ("usable", c_bool),
        ("refusal", Str),
        ("profile", Profile),
    ]


_FUNCTIONS = {
    "kiln_version": (c_char_p, []),
    "kiln_python_sizes": (c_size_t, [POINTER(c_size_t), c_size_t]),
    "kiln_result_name": (c_char_p, [c_int]),
    "kiln_context_create": (c_int, [c_void_p, POINTER(c_void_p)]),
    "kiln_context_destroy": (None, [c_void_p]),
    "kiln_diag_count": (c_size_t, [c_void_p]),
    "kiln_diag_get": (POINTER(Diag), [c_void_p, c_size_t]),
    "kiln_diag_clear": (None, [c_void_p]),
    "kiln_diag_render": (Str, [c_void_p, POINTER(Diag)]),
    "kiln_dtype_name": (c_char_p, [c_int]),
    "kiln_dtype_size": (c_size_t, [c_int]),
    "kiln_module_parse": (c_int, [c_void_p, POINTER(ParseDesc), POINTER(c_void_p)]),
    "kiln_module_destroy": (None, [c_void_p]),
    "kiln_module_kernel_count": (c_size_t, [c_void_p]),
    "kiln_module_kernel": (c_void_p, [c_void_p, c_size_t]),
    "kiln_module_text": (Str, [c_void_p]),
    "kiln_kernel_name": (Str, [c_void_p]),
    "kiln_kernel_param_count": (c_size_t, [c_void_p]),
    "kiln_kernel_param": (c_int, [c_void_p, c_size_t, POINTER(Param)]),
    "kiln_kernel_shapes": (c_int, [c_void_p, c_void_p, POINTER(Size), c_size_t, POINTER(Array), c_size_t]),
    "kiln_devices": (c_int, [c_void_p, POINTER(DeviceDesc), POINTER(POINTER(DeviceInfo)), POINTER(c_size_t)]),
    "kiln_seat_run": (c_int, [POINTER(Request), POINTER(c_void_p)]),
    "kiln_seat_context": (c_void_p, [c_void_p]),
    "kiln_seat_explored": (Explored, [c_void_p]),
    "kiln_seat_give_back": (None, [c_void_p]),
    "kiln_seat_forget": (None, [c_void_p]),
    "kiln_seat_print_to": (None, [c_void_p]),
    "kiln_python_ops": (c_char_p, []),
    "kiln_python_order": (c_char_p, [c_size_t]),
    "kiln_python_timing": (c_char_p, [c_size_t]),
    "kiln_door_enter": (c_int64, [POINTER(Request), c_bool]),
    "kiln_door_raced": (c_bool, [c_uint64]),
    "kiln_door_speak": (None, [Speaker]),
    "kiln_door_mark": (c_int64, []),
    "kiln_door_count": (c_uint64, []),
    "kiln_door_log": (c_size_t, [c_uint64, POINTER(c_int32), c_size_t]),
    "kiln_door_explored": (Explored, [c_int32]),
    "kiln_door_keep_failures": (None, [c_bool]),
    "kiln_door_failure": (c_bool, [POINTER(Failure)]),
}


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(pathlib.Path(__file__).with_name("_libkiln.so")))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name, None)  # a build without Vulkan or without jaxlib lacks some
        if function is not None:
            function.restype, function.argtypes = result, arguments
    return library


lib = _load()
_MIRRORED = (Place, Diag, ParseDesc, Param, Array, Size, Request, Explored, Failure, DeviceDesc, DeviceInfo)


def _check_sizes() -> None:
    """A library whose structs are not those above is refused before it writes into one."""
    sizes = (c_size_t * len(_MIRRORED))()
    count = lib.kiln_python_sizes(sizes, len(sizes))
    wrong = [struct.__name__ for struct, size in zip(_MIRRORED, sizes, strict=True) if ctypes.sizeof(struct) != size]
    if count != len(_MIRRORED) or wrong:
        raise ImportError(f"kiln's library and its Python differ in {wrong or 'number'}: build both anew")


_check_sizes()


class Context:
    """A kiln_context, destroyed with this object."""

    def __init__(self) -> None:
        self.handle = c_void_p()
        if lib.kiln_context_create(None, ctypes.byref(self.handle)):
            raise MemoryError("no memory for a Kiln context")

    def __del__(self) -> None:
        if lib is not None:
            lib.kiln_context_destroy(self.handle)


def diagnostics(context: c_void_p) -> Iterator[tuple[Diag, str]]:
    """The diagnostics of a context, each with its rendered text. Valid until the context is used again."""
    for index in range(lib.kiln_diag_count(context)):
        diag = lib.kiln_diag_get(context, index)
        yield diag.contents, str(lib.kiln_diag_render(context, diag))


def names_of(function: Callable[[int], bytes | None]) -> tuple[str, ...]:
    """What the library calls 0, 1, .., up to the first without a name."""
    names: list[str] = []
    while (name := function(len(names))) is not None:
        names.append(name.decode())
    return tuple(names)


def sizes_of(sizes: Sequence[tuple[bytes, int]]) -> ctypes.Array[Size]:
    """Values of symbolic sizes for a call."""
    return (Size * len(sizes))(*(Size(Str.of(name), value) for name, value in sizes))
