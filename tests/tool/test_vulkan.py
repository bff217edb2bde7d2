"""The command on the Vulkan devices that the loader finds."""
import json
import subprocess
import sys
import unittest

import numpy

from command import ADD, KILN, CommandTest

DATA = ["x=normal:1", "y=normal:2", "--set=M=37", "--set=N=53"]


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
