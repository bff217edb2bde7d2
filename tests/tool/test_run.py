"""kiln run and kiln check on the host: data in, data out, JSON, faults."""
import json
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import unittest
import zlib

import numpy

from command import ADD, KILN, OUTSIDE, CommandTest

TYPES = {"bool": "?", "i8": "i1", "i16": "<i2", "i32": "<i4", "i64": "<i8", "u8": "u1", "u16": "<u2", "u32": "<u4",
         "u64": "<u8", "f16": "<f2", "f32": "<f4", "f64": "<f8"}


def copy_kernel(dtype, shape="N"):
    rank = shape.count(",") + 1
    return f"kernel copy(x: {dtype}[{shape}]) -> (y: {dtype}[{shape}]) {{\n  y[...] = x[...]\n}}\n"


class Data(CommandTest):
    def save(self, name, array):
        numpy.save(self.path(name), array)
        return self.path(name)

    def copied(self, dtype, data, shape="N", **sizes):
        """What a kernel that copies x to y makes of `data`."""
        file, out = self.write("copy.kiln", copy_kernel(dtype, shape)), self.path("y.npy")
        self.kiln("run", file, f"x={data}", "-o", f"y={out}", *[f"--set={k}={v}" for k, v in sizes.items()])
        return numpy.load(out)

    def test_files_of_every_type(self):
        for dtype, code in TYPES.items():
            x = numpy.array([0, 1, 1, 0, 1], code) if dtype == "bool" else numpy.array([0, 1, 100, 7, 127], code)
            y = self.copied(dtype, self.save("x.npy", x))
            self.assertEqual(y.dtype, x.dtype)
            numpy.testing.assert_array_equal(x, y)

    def test_bfloat16_is_two_opaque_bytes(self):
        x = numpy.array([0x3F80, 0xBF80, 0x4049], "<u2")
        y = self.copied("bf16", self.save("x.npy", x.view("V2")))
        numpy.testing.assert_array_equal(numpy.frombuffer(y.tobytes(), "<u2"), x)

    def test_fortran_order_and_empty_arrays(self):
        x = numpy.asfortranarray(numpy.arange(24, dtype="<f4").reshape(2, 3, 4))
        numpy.testing.assert_array_equal(self.copied("f32", self.save("x.npy", x), "A, B, C"), x)

    def test_faults_are_replayed(self):
        """The line that replays a fault has all that the run was given, and gives the same report."""
        folder = self.folder / "it's here"
        folder.mkdir()
        file = folder / "outside.kiln"
        file.write_text(OUTSIDE)
        at = self.save("at.npy", numpy.array([5], "<i4"))
        said = self.kiln("check", file, f"at={at}", "x=iota", "--set=N=8", "--schedules=2", code=3)
        line = next(line for line in said[0].splitlines() if line.endswith(" replays it"))
        words = shlex.split(line.removesuffix(" replays it"))
        self.assertEqual(words[0], "kiln")
        self.assertEqual(self.kiln(*words[1:], code=3)[1], said[1])

    def test_memory_limit(self):
        """What does not fit says which limit that is; clusters that wait for others are no deadlock then."""
        row = """kernel row() -> (y: i32[64]) {
  machine gpu
  grid g: 64 parallel
  scratch room: f32[1024, 64]
  scratch turn: semaphore[64] in gmem
  when g < 63 { wait turn[g + 1] by 1 }
  y[g] = g
  when g > 0 { signal turn[g] by 1 }
}
"""
        file = self.write("row.kiln", row)
        self.assertIn("--memory", self.fails(1, "memory_limit", "check", file, "--memory=4"))
        self.kiln("check", file, "--memory=64", "--schedules=1")
        large = self.write("large.kiln", "kernel large() -> (y: f32[4]) {\n  scratch s: f32[1024, 1024]\n"
                           "  s[...] = 1.0\n  y[...] = s[0, 0 : 4]\n}\n")
        self.fails(1, "memory_limit", "run", large, "--memory=2")
        self.kiln("run", large, "--memory=20")

    def test_generated_data(self):
        numpy.testing.assert_array_equal(self.copied("i32", "zeros", N=3), [0, 0, 0])
        numpy.testing.assert_array_equal(self.copied("bf16", "ones", N=2).view("<u2"), [0x3F80, 0x3F80])
        numpy.testing.assert_array_equal(self.copied("u8", "iota", N=300), numpy.arange(300).astype("u1"))
        numpy.testing.assert_array_equal(self.copied("f16", "iota", N=5), numpy.arange(5, dtype="<f2"))

    def test_random_data(self):
        x = self.copied("f32", "random:1", N=100000)
        numpy.testing.assert_array_equal(x, self.copied("f32", "random:1", N=100000))
        self.assertFalse(numpy.array_equal(x, self.copied("f32", "random:2", N=100000)))
        self.assertTrue(0 <= x.min() < 0.001 and 0.999 < x.max() < 1 and abs(x.mean() - 0.5) < 0.01)
        n = self.copied("f64", "normal:3", N=100000)
        self.assertTrue(abs(n.mean()) < 0.02 and abs(n.std() - 1) < 0.02 and abs(numpy.corrcoef(n[1:], n[:-1])[0, 1]) < 0.02)
        numpy.testing.assert_array_equal(self.copied("i16", "zeros", N=3), 0)
        u = self.copied("u8", "normal:3", N=10000)
        self.assertTrue(4 < u.mean() < 12 and u.max() < 80)
        i = self.copied("i8", "random:4", N=10000)
        self.assertTrue(i.min() == 0 and i.max() == 99)

    def test_sizes_come_from_files_options_and_each_other(self):
        file, out = self.write("add.kiln", ADD), self.path("z.npy")
        x = numpy.arange(15, dtype="<f4").reshape(5, 3)
        self.kiln("run", file, f"x={self.save('x.npy', x)}", "y=ones", "-o", f"z={out}")
        numpy.testing.assert_array_equal(numpy.load(out), x + 1)
        self.fails(1, "data_size_unknown", "run", file, "x=ones", "y=ones", "--set", "M=4")

    def test_inout(self):
        file = self.write("scale.kiln", "kernel scale(x: f32[N] inout) {\n  x[...] = 2.0 * x[...]\n}\n")
        x, out = numpy.arange(4, dtype="<f4"), self.path("out.npy")
        for words in ([], ["--time=3"]):  # timed runs must not double it again
            self.kiln("run", file, f"x={self.save('x.npy', x)}", "-o", f"x={out}", *words)
            numpy.testing.assert_array_equal(numpy.load(out), 2 * x)

    def test_wrong_data(self):
        file = self.write("copy.kiln", copy_kernel("f32"))
        rows = {
            "data_missing": [],
            "not_named": ["x.npy"],
            "unknown_parameter": ["xx=ones"],
            "data_for_output": ["x=ones", "y=ones", "--set=N=2"],
            "data_twice": ["x=ones", "x=zeros", "--set=N=2"],
            "bad_seed": ["x=random:one", "--set=N=2"],
            "data_size_unknown": ["x=ones"],
            "file_unreadable": ["x=" + self.path("absent.npy")],
            "npy_magic": ["x=" + file],
            "data_type": ["x=" + self.save("d.npy", numpy.zeros(3))],
            "data_rank": ["x=" + self.save("r.npy", numpy.zeros((3, 1), "<f4"))],
            "npy_big_endian": ["x=" + self.save("b.npy", numpy.zeros(3, ">f4"))],
            "npy_object": ["x=" + self.save("o.npy", numpy.array([None]))],
            "argument_too_big": ["x=ones", f"--set=N={2**40}"],
            "bad_set": ["x=ones", "--set=N"],
            "unknown_size": ["x=ones", "--set=M=3"],
            "output_of_input": ["x=ones", "--set=N=2", "-o", "x=x.npy"],
            "output_twice": ["x=ones", "--set=N=2", "-o", "y=a.npy", "-o", "y=b.npy"],
            "no_picture": ["x=ones", "--set=N=2", "-o", "y=y.png"],
            "unknown_target": ["x=ones", "--set=N=2", "--on", "gpu"],
        }
        for name, words in rows.items():
            with self.subTest(name):
                self.fails(1, name, "run", file, *words)

    def test_a_wrong_place_to_save(self):
        file = self.write("copy.kiln", copy_kernel("f32"))
        self.fails(1, "file_unwritable", "run", file, "x=ones", "--set=N=2", "-o", "y=" + self.path("no/such/y.npy"))

    def test_every_prefix_of_a_file_is_refused(self):
        file = self.write("copy.kiln", copy_kernel("f32"))
        self.save("x.npy", numpy.zeros(1, "<f4"))
        whole = (self.folder / "x.npy").read_bytes()
        for size in (0, 5, 9, 60, 127, 128, len(whole) - 1):
            (self.folder / "cut.npy").write_bytes(whole[:size])
            _, err = self.kiln("run", file, f"x={self.path('cut.npy')}", code=1)
            self.assertRegex(err, r"cut\.npy(:\d+:\d+)?: error\[70\d\d npy_")


class Kernels(CommandTest):
    def test_several_kernels(self):
        file = self.write("two.kiln", ADD + copy_kernel("f32"))
        err = self.fails(1, "kernel_not_chosen", "run", file, "x=ones")
        self.assertIn("add, copy", err)
        self.kiln("run", file, "-k", "copy", "x=ones", "--set=N=2")

    def test_wrong_text_has_a_place(self):
        file = self.write("bad.kiln", "kernel f(x: f32[2]) -> (y: f32[2]) {\n  y[...] = x[...] +\n}\n")
        _, err = self.kiln("run", file, "x=ones", code=1)
        self.assertRegex(err, r"bad\.kiln:\d+:\d+: error\[1\d\d\d \w+\]: ")
        self.assertIn("^", err)

    def test_missing_file(self):
        for command in ("run", "check", "fmt", "passes", "plan"):
            self.fails(1, "file_unreadable", command, self.path("absent.kiln"))
        self.fails(1, "file_unreadable", "run", str(self.folder))


class Output(CommandTest):
    def test_summary(self):
        out, err = self.kiln("run", self.write("add.kiln", ADD), "x=iota", "y=ones", "--set=M=3", "--set=N=4")
        self.assertEqual(err, "")
        self.assertRegex(out, r"^add on host: \d+\.\d+ ms\n")
        self.assertIn("z: f32[3, 4]  min 1  max 12  mean 6.5\n", out)
        self.assertIn("[1 2 3 4 5 6 7 8 ...]", out)

    def test_json(self):
        answer = self.json("run", self.write("add.kiln", ADD), "x=iota", "y=ones", "--set=M=3", "--set=N=4")
        self.assertEqual((answer["kernel"], answer["device"], answer["ok"], answer["faults"]), ("add", "host", True, []))
        self.assertGreater(answer["ms"], 0)
        z = answer["outputs"]["z"]
        self.assertEqual((z["dtype"], z["shape"], z["min"], z["max"], z["mean"]), ("f32", [3, 4], 1, 12, 6.5))

    def test_json_of_numbers_that_json_lacks(self):
        text = "kernel f(x: f32[2]) -> (y: f32[2]) {\n  y[...] = log(x[...] - 1.0)\n}\n"
        answer = self.json("run", self.write("f.kiln", text), "x=zeros")
        self.assertIsNone(answer["outputs"]["y"]["mean"])

    def test_json_of_awkward_names(self):
        """Quotes, control characters and bytes that are no UTF-8 in a file's name, which the place of an error shows."""
        name = os.fsencode(self.folder) + b"/a\"b\\\n\x01\xff.kiln"
        with open(name, "wb") as file:
            file.write(b"kernel k(x: f32[2]) -> (y: f32[2]) { y[...] = z }")
        done = subprocess.run([KILN, "run", name, "--json", "x=ones"], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        place = json.loads(done.stdout)["errors"][0]["places"][0]
        self.assertTrue(place["file"].endswith("/a\"b\\\n\x01\ufffd.kiln"), place)

    def test_json_of_a_mistake(self):
        answer = self.json("run", self.write("add.kiln", ADD), "x=ones", code=1)
        self.assertFalse(answer["ok"])
        self.assertEqual([e["name"] for e in answer["errors"]], ["data_missing"])

    def test_everywhere_is_the_host_where_there_is_no_vulkan(self):
        words = ["run", self.write("add.kiln", ADD), "x=iota", "y=ones", "--set=M=3", "--set=N=4", "--on", "all"]
        nothing = {"VK_DRIVER_FILES": self.path("none.json"), "VK_ICD_FILENAMES": self.path("none.json")}
        out, err = self.kiln(*words, "--json", env=nothing)
        answer = json.loads(out)
        self.assertEqual((answer["ok"], answer["errors"], answer["device"]), (True, [], "all"))
        self.assertIn("note[", err)

    def test_time(self):
        for words in (["--time"], ["--time=3"]):
            answer = self.json("run", self.write("add.kiln", ADD), "x=ones", "y=ones", "--set=M=8", "--set=N=8", *words)
            self.assertGreater(answer["ms"], 0)

    def test_progress_is_for_terminals(self):
        words = ["run", self.write("add.kiln", ADD), "x=ones", "y=ones", "--set=M=4096", "--set=N=1024"]
        _, err = self.kiln(*words, "--time=20")
        self.assertEqual(err, "")
        try:
            ours, theirs = pty.openpty()
        except OSError as reason:
            self.skipTest(f"no terminal can be made here: {reason}")
        done = subprocess.Popen([KILN, *words, "--time=100000"], stdout=subprocess.DEVNULL, stderr=theirs)
        try:
            self.assertTrue(select.select([ours], [], [], 20)[0], "nothing shown")
            self.assertIn(b"running on the host [", os.read(ours, 1000))
        finally:
            done.kill()
            done.wait()
            os.close(ours)
            os.close(theirs)

    def png(self, name):
        """(width, height, colour type, rows of bytes) of a PNG whose rows are stored unfiltered or filtered simply."""
        data = (self.folder / name).read_bytes()
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        at, body = 8, b""
        while at < len(data):
            (size,), kind = struct.unpack(">I", data[at:at + 4]), data[at + 4:at + 8]
            if kind == b"IHDR":
                width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
                self.assertEqual(depth, 8)
            if kind == b"IDAT":
                body += data[at + 8:at + 8 + size]
            at += size + 12
        return width, height, colour, zlib.decompress(body)

    def test_pictures(self):
        grey = "kernel p(x: u8[H, W]) -> (y: u8[H, W]) {\n  y[...] = x[...]\n}\n"
        self.kiln("run", self.write("p.kiln", grey), "x=iota", "--set=H=3", "--set=W=5", "-o", f"y={self.path('y.png')}")
        width, height, colour, body = self.png("y.png")
        self.assertEqual((width, height, colour, len(body)), (5, 3, 0, 3 * 6))
        rgb = "kernel p(x: u8[H, W, 3]) -> (y: u8[H, W, 3]) {\n  y[...] = x[...]\n}\n"
        self.kiln("run", self.write("p.kiln", rgb), "x=iota", "--set=H=2", "--set=W=2", "-o", f"y={self.path('c.png')}")
        width, height, colour, body = self.png("c.png")
        self.assertEqual((width, height, colour, len(body)), (2, 2, 2, 2 * 7))
        absent = self.path("absent/c.png")
        words = ["run", self.path("p.kiln"), "x=iota", "--set=H=2", "--set=W=2", "-o", f"y={absent}"]
        self.fails(1, "file_unwritable", *words)
        self.assertNotIn("saved", self.kiln(*words, code=1)[0])


HANDOFF = """kernel f(x: f32[4]) -> (y: f32[4]) {
  machine gpu  threads t: 2
  scratch s: f32[4]
  scratch full: barrier
  when t == 0 { s[...] = x[...]  arrive full }
  when t == 1 { wait full  y[...] = s[...] }
}
"""
# Two threads take from one count; with less than 3 one of them goes without.
THIEVES = """kernel f(x: f32[3]) -> (y: f32[3]) {
  machine gpu  threads t: 3
  scratch n: semaphore
  y[t] = x[t]
  when t == 0 { signal n by 3 }
  when t == 1 { wait n by 1 }
  when t == 2 { wait n by 2 }
}
"""


class Checks(CommandTest):
    def at(self, value):
        numpy.save(self.path("at.npy"), numpy.array([value], "<i4"))
        return [self.write("outside.kiln", OUTSIDE), f"at={self.path('at.npy')}", "x=iota", "--set=N=8"]

    def test_a_clean_kernel(self):
        out, err = self.kiln("check", *self.at(4))
        self.assertEqual(err, "")
        self.assertIn("no fault found in 4 schedules", out)

    def test_a_fault(self):
        for words in (["check", *self.at(5)], ["run", "--check", *self.at(-1)]):
            _, err = self.kiln(*words, code=3)
            self.assertRegex(err, r"outside\.kiln:2:\d+: fault\[5\d\d\d out_of_bounds\]: ")

    def test_memory_that_was_never_written(self):
        text = "kernel f(x: f32[8]) -> (y: f32[8]) {\n  scratch s: f32[8] in smem\n  y[...] = s[...] + x[...]\n}\n"
        _, err = self.kiln("check", self.write("f.kiln", text), code=3)
        self.assertRegex(err, r"f\.kiln:3:\d+: fault\[5004 uninitialized_read\]: ")

    def test_a_fault_in_json(self):
        answer = self.json("check", *self.at(5), code=3)
        self.assertFalse(answer["ok"])
        fault = answer["faults"][0]
        self.assertEqual((fault["name"], fault["places"][0]["line"], fault["seed"]), ("out_of_bounds", 2, 0))
        self.assertTrue(fault["unit"] and fault["message"] and fault["code"] // 1000 == 5)

    def test_what_checkers_take(self):
        """The arrays, and scratch of one block at a time; its shadow is no more than two bytes a byte and a constant."""
        text = """kernel f(x: f32[N, 1024]) -> (y: f32[N, 1024]) {
          machine gpu
          grid i: N parallel
          scratch s: f32[1024] in smem
          s[...] = x[i, :]
          y[i, :] = s[...]
        }"""
        path = self.write("f.kiln", text)
        arrays, answer = 2 * 64 * 1024 * 4, self.json("check", path, "--set=N=64")
        self.assertTrue(arrays < answer["memory_bytes"] <= arrays + 4 * 4096)
        self.assertTrue(0 < answer["shadow_bytes"] <= 2 * arrays + 4096)
        unchecked = self.json("run", path, "x=iota", "--set=N=64")
        self.assertEqual(unchecked["shadow_bytes"], 0)

    def test_orders_by_name(self):
        for order in ("by-seed", "round-robin", "reverse", "random", "pct"):
            for copies in ("by-seed", "eager", "late", "random"):
                self.kiln("check", *self.at(4), "--schedule", order, "--copies", copies)
                self.kiln("check", *self.at(5), "--schedule", order, "--copies", copies, code=3)
        self.fails(2, "option_not_a_choice", "check", *self.at(4), "--schedule", "pcb")

    def test_one_schedule_is_enough(self):
        out, _ = self.kiln("check", self.write("f.kiln", HANDOFF), "x=iota")
        self.assertIn("one schedule is enough: synchronisation depends neither on timing nor on data", out)
        self.assertIn("no fault found in 1 schedule", out)

    def test_one_schedule_is_enough_for_this_data(self):
        by_data = HANDOFF.replace("t == 0 {", "t == 0 { for k in 0 .. i32(x[0]) + 1 {").replace("arrive full }", "arrive full } }")
        out, _ = self.kiln("check", self.write("f.kiln", by_data), "x=zeros")
        self.assertIn("one schedule is enough for this data; in line 5 data decides", out)

    def test_all_schedules(self):
        file = self.write("f.kiln", THIEVES)
        out, _ = self.kiln("check", file, "--exhaustive")
        self.assertIn("one schedule is not enough: what lines 6 and 7 do may come in either order", out)
        self.assertIn("explored all 2 schedules", out)
        out, _ = self.kiln("check", file, "--exhaustive", "--steps", "3")
        self.assertIn("not explored: a schedule has more than 3 steps; --steps 6 tries longer ones", out)
        out, _ = self.kiln("check", file, "--exhaustive=1")
        self.assertIn("explored 1 of at least 2 schedules; stopped at the limit", out)

    def test_a_schedule_is_replayed(self):
        file = self.write("f.kiln", THIEVES.replace("by 3 ", "by 2 "))
        out, err = self.kiln("check", file, "--exhaustive", code=3)
        self.assertIn("explored all 2 schedules", out)
        choices = re.findall(r"^kiln check \S+f\.kiln --replay (\S+) replays it$", out, re.MULTILINE)
        self.assertEqual(len(choices), 2)  # one for each thread that may go without
        self.assertRegex(out, r"(?m)^deadlock after \d+ steps, with \d+ switch(es)? of unit:$")
        for one in choices:
            again, said = self.kiln("check", file, "--replay", one, code=3)
            self.assertIn("fault[5002 deadlock]", said)
            self.assertIn(said, err)
            self.assertIn("takes from a semaphore", again)
        self.fails(1, "option_not_a_choice", "check", file, "--replay", "3x")

    def test_schedules_in_json(self):
        answer = self.json("check", self.write("f.kiln", THIEVES), "--exhaustive")
        self.assertEqual((answer["explored"]["schedules"], answer["explored"]["complete"]), (2, True))

    def test_checks_run_on_the_host_alone(self):
        self.fails(1, "check_needs_host", "run", "--check", "--on", "vulkan", *self.at(0))

    def test_data_may_be_left_out(self):
        self.kiln("check", self.write("add.kiln", ADD), "--set=M=4", "--set=N=4")


SAYS = """kernel says(x: f32[2, 3]) -> (y: f32[2, 3]) {
  grid i: 2
  print "{{x}} is {} at {:>3}", x[...] * 0.5, i
  print "more", iota(i32[3], axis: 0) * 50, 1e-7, f16(2), true, x[0, 1] > 5.0
  check i < 1, "i is below 1"
  y[...] = x[...]
}
"""


class Says(CommandTest):
    def test_prints_in_order(self):
        text = SAYS.replace("i < 1", "i < 2")
        out, _ = self.kiln("run", self.write("says.kiln", text), "x=iota")
        lines = out.splitlines()
        self.assertEqual(lines[:4], ["{x} is [[0.  0.5 1. ]", " [1.5 2.  2.5]] at 0", "more [  0  50 100] 1e-07 2.0 True False",
                                     "{x} is [[0.  0.5 1. ]"])

    def test_prints_of_inner_regions(self):
        text = """kernel says() -> (y: i32[1]) {
  for k in 0 .. 3 { print "a", k  when k == 0 { print "first" } when k == 2 { print "last" } check k < 2, "k is below 2" }
  y[...] = 1
}"""
        out, err = self.kiln("run", self.write("says.kiln", text), code=3)
        self.assertEqual(out.splitlines()[:5], ["a 0", "first", "a 1", "a 2", "last"])
        self.assertIn("check failed: k is below 2", err)

    def test_prints_stay_out_of_json(self):
        text = SAYS.replace("i < 1", "i < 2")
        self.assertTrue(self.json("run", self.write("says.kiln", text), "x=iota")["ok"])

    def test_a_check_that_fails(self):
        _, err = self.kiln("run", self.write("says.kiln", SAYS), "x=iota", code=3)
        self.assertRegex(err, r"says\.kiln:5:3: fault\[5005 check_failed\]: check failed: i is below 1")
        self.assertIn("step (i 1)", err)


if __name__ == "__main__":
    unittest.main()
