"""A small loader of libkiln for the table tests: one process parses and runs a thousand kernels."""
import argparse
import ctypes
import pathlib

import numpy as np

RESULTS = ["ok", "invalid", "limit", "unsupported", "fault", "memory", "device", "device lost", "device memory", "timeout", "io"]
# In the order of kiln_dtype; bf16 is kept as its bits.
STORAGE = {"bool": np.uint8, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8, "u16": np.uint16,
           "u32": np.uint32, "u64": np.uint64, "f16": np.float16, "bf16": np.uint16, "f32": np.float32, "f64": np.float64}
# What NumPy lacks, by the names of ml_dtypes: one element a byte, kept as its bits.
NARROW = {"i2": "int2", "u2": "uint2", "i4": "int4", "u4": "uint4", "f8e4m3fn": "float8_e4m3fn", "f8e5m2": "float8_e5m2",
          "f8e4m3": "float8_e4m3", "f8e3m4": "float8_e3m4", "f8e4m3fnuz": "float8_e4m3fnuz", "f8e5m2fnuz": "float8_e5m2fnuz",
          "f8e4m3b11fnuz": "float8_e4m3b11fnuz", "f8e8m0fnu": "float8_e8m0fnu", "f4e2m1fn": "float4_e2m1fn"}
WIDE = list(STORAGE)
STORAGE.update(dict.fromkeys(NARROW, np.uint8))
DTYPES = list(STORAGE)


class Str(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]

    @classmethod
    def of(cls, text):
        data = text.encode()
        return cls(data, len(data))

    def __str__(self):
        return ctypes.string_at(self.data, self.size).decode() if self.size else ""


class Array(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("rank", ctypes.c_uint32), ("dims", ctypes.c_int64 * 8), ("data", ctypes.c_void_p),
                ("size", ctypes.c_size_t)]


class Size(ctypes.Structure):
    _fields_ = [("name", Str), ("value", ctypes.c_int64)]


class ParseDesc(ctypes.Structure):
    _fields_ = [("text", Str), ("name", Str)]


class HostDesc(ctypes.Structure):
    _fields_ = [("sizes", ctypes.POINTER(Size)), ("size_count", ctypes.c_size_t), ("check", ctypes.c_bool),
                ("seed", ctypes.c_uint64), ("step_limit", ctypes.c_uint64), ("memory_limit", ctypes.c_uint64),
                ("progress", ctypes.c_void_p), ("progress_user", ctypes.c_void_p), ("print", ctypes.c_void_p),
                ("print_user", ctypes.c_void_p)]


class Diag(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint32), ("name", ctypes.c_char_p), ("severity", ctypes.c_int), ("message", Str), ("hint", Str),
                ("unit", Str), ("seed", ctypes.c_uint64), ("places", ctypes.c_void_p), ("place_count", ctypes.c_size_t)]


class DeviceDesc(ctypes.Structure):
    _fields_ = [("select", Str), ("loader", Str), ("application", Str), ("engine", Str), ("time_limit_ns", ctypes.c_uint64),
                ("accept_failed", ctypes.c_bool), ("print", ctypes.c_void_p), ("print_user", ctypes.c_void_p)]


class Profile(ctypes.Structure):
    _fields_ = [("subgroup_size", ctypes.c_uint32), ("max_workgroup_size", ctypes.c_uint32),
                ("max_workgroup_count", ctypes.c_uint32), ("shared_memory", ctypes.c_uint32), ("max_bindings", ctypes.c_uint32),
                ("max_buffer_range", ctypes.c_uint64), ("f64", ctypes.c_bool), ("i64", ctypes.c_bool), ("i64_atomics", ctypes.c_bool),
                ("serial_subgroups", ctypes.c_bool), ("lock_step", ctypes.c_bool),
                ("one_subgroup", ctypes.c_bool), ("split_barrier", ctypes.c_bool),
                ("polls", ctypes.c_uint32), ("max_values", ctypes.c_uint32)]


class DeviceInfo(ctypes.Structure):
    _fields_ = [("index", ctypes.c_uint32), ("name", Str), ("driver", Str), ("vendor", ctypes.c_uint32), ("device", ctypes.c_uint32),
                ("api_version", ctypes.c_uint32), ("driver_version", ctypes.c_uint32), ("usable", ctypes.c_bool), ("refusal", Str),
                ("profile", Profile)]


class KilnError(Exception):
    def __init__(self, result, message):
        super().__init__(f"{RESULTS[result]}: {message}")
        self.unsupported = RESULTS[result] == "unsupported"


def array_of(data, dtype):
    """A kiln_array that points into a NumPy array of the dtype's storage."""
    assert data.flags.c_contiguous and data.dtype == STORAGE[dtype]
    dims = (ctypes.c_int64 * 8)(*data.shape)
    return Array(DTYPES.index(dtype), data.ndim, dims, data.ctypes.data, data.nbytes)


class Kiln:
    """A context with, on request, the best Vulkan device."""

    def __init__(self, library, device=False):
        self.lib = ctypes.CDLL(str(pathlib.Path(library).resolve()))
        pointer = ctypes.c_void_p
        self.lib.kiln_diag_get.restype = ctypes.POINTER(Diag)
        self.lib.kiln_module_find.restype = pointer
        self.lib.kiln_diag_count.restype = ctypes.c_size_t
        self.lib.kiln_module_find.argtypes = [pointer, Str]
        self.context, self.device = pointer(), pointer()
        self.check(self.lib.kiln_context_create(None, ctypes.byref(self.context)))
        self.name, self.i64, self.f64 = "host", True, True
        if device:
            self.lib.kiln_device_get.restype = ctypes.POINTER(DeviceInfo)
            self.check(self.lib.kiln_device_open(self.context, ctypes.byref(DeviceDesc()), ctypes.byref(self.device)))
            info = self.lib.kiln_device_get(self.device).contents
            self.name, self.i64, self.f64 = str(info.name), info.profile.i64, info.profile.f64

    def check(self, result):
        if result == 0:
            return
        count = self.lib.kiln_diag_count(self.context) if self.context else 0
        said = [self.lib.kiln_diag_get(self.context, ctypes.c_size_t(i)).contents for i in range(min(count, 3))]
        message = "; ".join(f"{diag.name.decode()}: {diag.message}" for diag in said)
        self.lib.kiln_diag_clear(self.context)
        raise KilnError(result, message)

    def parse(self, text):
        module = ctypes.c_void_p()
        desc = ParseDesc(Str.of(text), Str.of("table"))
        self.check(self.lib.kiln_module_parse(self.context, ctypes.byref(desc), ctypes.byref(module)))
        return module

    def run(self, module, kernel, arrays, on_device):
        """Runs a kernel of the module on [(NumPy array, dtype), ...], one for each parameter, in place."""
        found = ctypes.c_void_p(self.lib.kiln_module_find(module, Str.of(kernel)))
        list_of = (Array * len(arrays))(*(array_of(data, dtype) for data, dtype in arrays))
        count = ctypes.c_size_t(len(arrays))
        if on_device:
            self.check(self.lib.kiln_device_run(self.device, found, None, ctypes.c_size_t(0), list_of, count))
        else:
            self.check(self.lib.kiln_host_run(self.context, found, ctypes.byref(HostDesc()), list_of, count))

    def run_text(self, text, arrays, on_device):
        """Runs the kernel `k` of a text."""
        module = self.parse(text)
        try:
            self.run(module, "k", arrays, on_device)
        finally:
            self.destroy(module)

    def destroy(self, module):
        self.lib.kiln_module_destroy(module)


def arguments(*flags):
    """The command line of these tests: the library, where to run, and switches of their own."""
    options = argparse.ArgumentParser()
    options.add_argument("--library", required=True)
    options.add_argument("--on", choices=("host", "vulkan"), default="host")
    for flag, settings in flags:
        options.add_argument(flag, **settings)
    return options.parse_args()


def opened(chosen, what):
    """The library, with a device where one is asked for; None, said as a skipped test, where there is none."""
    try:
        return Kiln(chosen.library, chosen.on == "vulkan")
    except KilnError as error:
        print(f"SKIP {what}: {error}\n0 passed, 0 failed, 1 skipped")
        return None
