"""The command on the Vulkan devices that the loader finds."""
import json
import subprocess
import sys
import unittest

import numpy

from command import ADD, KILN, CommandTest

DATA = ["x=normal:1", "y=normal:2", "--set=M=37", "--set=N=53"]

# Every way that a value has into a log; a step of each kind; what one step tells in a loop and under a condition.
SAYS = """kernel says(x: f32[4, 3], n: i4[5]) -> (y: f32[4, 3]) {
  grid i: 2 parallel, j: 2
  block x (1, 3) at (i * 2 + j, 0)
  block y (1, 3) at (i * 2 + j, 0)
  let v = x[...]
  print "{} {}: {}", i, j, v
  for k in 0 .. 2 { when k <= j { print "k", k, f16(v), bf16(v), f8e4m3fn(v), f8e8m0fnu(v), f4e2m1fn(v), v > 0.0 } }
  print "{} {} {}", n[...] - i4(3), u8(i) + u8(255), i16(j) - i16(2)
  WIDE
  check i * 2 + j < LIMIT, "a step below LIMIT"
  y[...] = v
}
"""


# Roles that spin: each waits for those before it only, which every driver lets run first.
ONE_WAY = """kernel one_way(x: f32[8, 16]) -> (y: f32[8, 16]) {
  machine gpu
  threads t: 3
  scratch s: f32[8, 16]
  scratch u: f32[8, 16]
  scratch full: barrier[8]
  scratch more: semaphore
  when t == 0 { for k in 0 .. 8 { s[k, :] = x[k, :]  arrive full[k] } }
  when t == 1 { for k in 0 .. 8 { wait full[k]  u[k, :] = s[k, :] + 1.0  signal more by 1 } }
  when t == 2 { for k in 0 .. 8 { wait more by 1  y[k, :] = u[k, :] * 2.0 } }
}
"""
NEVER = ONE_WAY.replace("signal more by 1", "")


def usable():
    listing = subprocess.run([KILN, "devices", "--json"], capture_output=True, text=True, check=True)
    return [d for d in json.loads(listing.stdout)["devices"] if d["name"] != "host" and d["usable"]]


class Devices(CommandTest):
    def test_every_way_to_name_a_device(self):
        file, device = self.write("add.kiln", ADD), DEVICES[0]
        for on in ("vulkan", f"vulkan:{device['index']}", f"vulkan:{device['name'].split()[0]}"):
            answer = self.json("run", file, *DATA, "--on", on)
            self.assertTrue(answer["ok"])
            self.assertNotEqual(answer["device"], "host")

    def test_the_same_numbers_as_the_host(self):
        file = self.write("add.kiln", ADD)
        for on in ("host", "vulkan"):
            self.kiln("run", file, *DATA, "--on", on, "--time=2", "-o", f"z={self.path(on)}.npy")
        numpy.testing.assert_array_equal(numpy.load(self.path("host.npy")), numpy.load(self.path("vulkan.npy")))

    def test_subgroups_of_roles(self):
        file, data = self.write("one_way.kiln", ONE_WAY), "x=normal:1"
        self.kiln("run", file, data, "-o", f"y={self.path('host.npy')}")
        for how in ("each", "one"):
            words = ["--on", "vulkan", "--units", "phased", "--subgroups", how]
            self.kiln("run", file, data, *words, "-o", f"y={self.path('vulkan.npy')}")
            numpy.testing.assert_array_equal(numpy.load(self.path("host.npy")), numpy.load(self.path("vulkan.npy")))

    def test_roles_that_spin(self):
        spin = ["--on", "vulkan", "--units", "spin", "--polls", "4000"]
        file, data = self.write("one_way.kiln", ONE_WAY), "x=normal:1"
        self.kiln("run", file, data, "-o", f"y={self.path('host.npy')}")
        self.kiln("run", file, data, *spin, "-o", f"y={self.path('vulkan.npy')}")
        numpy.testing.assert_array_equal(numpy.load(self.path("host.npy")), numpy.load(self.path("vulkan.npy")))
        err = self.kiln("run", self.write("never.kiln", NEVER), data, *spin, code=3)[1]
        self.assertIn("gave_up]: a unit gave up after 4000 looks: 1 of 3 units of kernel one_way wait", err)
        self.assertIn("unit (t 2) waits for more: the count is 0 of 1", err)
        self.assertNotIn("did not get its turn", err)

    def test_roles_that_spin_are_starved(self):
        text = ONE_WAY.replace("t == 0", "t == 3").replace("t == 1", "t == 0").replace("t: 3", "t: 4")
        file = self.write("starved.kiln", text)
        err = self.kiln("run", file, "x=normal:1", "--on", "vulkan", "--units", "spin", "--polls", "4000", code=3)[1]
        self.assertIn("unit (t 0) waits for full[0]: phase 0 has 0 of 1 arrivals", err)
        self.assertIn("unit (t 0) did not get its turn: what it waits for at full[0] came when it had given up", err)

    def test_roles_that_spin_break_rules(self):
        text = ONE_WAY.replace("barrier[8]", "barrier").replace("by 1 }", "by 2 }", 1)
        text = text.replace("arrive full[k]", "arrive full  arrive full").replace("full[k]", "full")
        for units in (["--units", "phased"], ["--units", "spin", "--polls", "4000"]):
            err = self.kiln("run", self.write("rules.kiln", text), "x=normal:1", "--on", "vulkan", *units, code=3)[1]
            self.assertIn("the first wait of a unit comes after the second phase completed; nothing was observed", err)
            self.assertIn("semaphore_leak]: more: the semaphore ends with a count above zero (8 left)", err)

    def test_roles_that_spin_are_stopped(self):
        for waits in (NEVER, ONE_WAY.replace("wait more by 1 ", "while { yield count more < 9 } { }")):
            file = self.write("waits.kiln", waits)
            words = ["--on", "vulkan", "--units", "spin", "--polls", 1 << 30, "--limit", 1]
            self.fails(4, "launch_stopped", "run", file, "x=normal:1", *words)

    def test_all(self):
        answer = self.json("run", self.write("add.kiln", ADD), *DATA, "--on", "all")
        self.assertEqual([d["device"] for d in answer["devices"]][0], "host")
        self.assertEqual(len(answer["devices"]), 1 + len(DEVICES))
        for device in answer["devices"][1:]:
            self.assertTrue(device["differences"]["z"]["agrees"])
        out, _ = self.kiln("run", self.write("add.kiln", ADD), *DATA, "--on", "all")
        self.assertIn("agrees", out)

    def test_all_without_those_that_cannot(self):
        kernel = "kernel twice(x: f64[8]) -> (y: f64[8]) { y[...] = x[...] * 2.0 }"
        file = self.write("twice.kiln", kernel)
        answer = self.json("run", file, "x=iota", "--on", "all")
        self.assertTrue(answer["ok"])
        self.assertEqual(answer["errors"], [])
        for device, known in zip(answer["devices"][1:], DEVICES, strict=True):
            if known["f64"]:
                self.assertTrue(device["differences"]["y"]["agrees"])
            else:
                self.assertEqual((device["result"], device["skipped"]), ("unsupported", "the device has no f64"))
        out, err = self.kiln("run", file, "x=iota", "--on", "all")
        lacking = sum(not device["f64"] for device in DEVICES)
        self.assertEqual(out.count("skipped: the device has no f64"), lacking)
        self.assertEqual(err.count("device_skipped"), lacking)
        self.assertNotIn("error[", err)

    def test_kernels_say_the_same_as_on_the_host(self):
        for device in DEVICES:
            wide = 'print "{} {}", f64(v), i64(i) - i64(2)' if device["f64"] else ""
            for limit, code in ((4, 0), (2, 3)):
                file = self.write("says.kiln", SAYS.replace("LIMIT", str(limit)).replace("WIDE", wide))
                wanted, here = (self.kiln("run", file, "x=normal:1", "n=ones", "--on", on, code=code)
                                for on in ("host", f"vulkan:{device['index']}"))
                lines = [text.partition("says on")[0].splitlines() for text in (wanted[0], here[0])]
                self.assertEqual(sorted(lines[0]), sorted(lines[1]))
                self.assertEqual([line[:3] for line in lines[1] if ": [[" in line], ["0 0", "0 1", "1 0", "1 1"])
                self.assertEqual(here[1], wanted[1])

    def test_a_log_that_is_full(self):
        kernel = """kernel many() -> (y: i32[1]) {
  grid i: 4000
  for k in 0 .. 100 { print "{}", i * 100 + k }
  when i == 0 { CHECK y[...] = 1 }
}"""
        for check, said in (("", "warning[6024 log_full]"), ('check 1 < 2, "no" ', "fault[6025 log_lost_checks]")):
            file = self.write("many.kiln", kernel.replace("CHECK ", check))
            out, err = self.kiln("run", file, "--on", "vulkan", code=3 if check else 0)
            printed = [int(line) for line in out.splitlines() if line.isdigit()]
            self.assertIn(said, err)
            self.assertEqual(printed, sorted(set(printed)))
            self.assertIn(f": {400000 - len(printed)} of the 400000 ", err)

    def test_no_such_device(self):
        self.kiln("run", self.write("add.kiln", ADD), *DATA, "--on", "vulkan:no such name", code=1)

    def test_profile_of_a_device(self):
        out, _ = self.kiln("spirv", self.write("add.kiln", ADD), "--set=M=8", "--set=N=8", "--for", "vulkan")
        self.assertIn("OpEntryPoint", out)

    def test_doctor(self):
        out, _ = self.kiln("doctor", "--on", "vulkan:" + str(DEVICES[0]["index"]))
        self.assertIn("the same numbers as the host", out)


if __name__ == "__main__":
    DEVICES = usable()
    if not DEVICES:
        print("skipped: no usable Vulkan device")
        sys.exit(77)
    unittest.main()
