"""Looking at kernels and at Kiln: fmt, ops, passes, plan, spirv, devices, doctor."""
import json
import re
import unittest
import xml.etree.ElementTree

from command import ADD, HAS_VULKAN, CommandTest

SIZES = ["--set", "M=16", "--set", "N=32"]

SCRATCH = """kernel f(x: f32[16, 32]) -> (y: f32[16, 32]) {
  scratch kept: f32[16, 32] in smem
  kept[...] = x[...]
  for i in 0 .. 16 { y[i, :] = kept[15 - i, :] }
}
"""


class Fmt(CommandTest):
    def test_fixed_point(self):
        once, _ = self.kiln("fmt", self.write("add.kiln", ADD))
        twice, _ = self.kiln("fmt", self.write("once.kiln", once))
        self.assertEqual(once, twice)
        self.assertIn("kernel add(", once)


class Ops(CommandTest):
    def test_json(self):
        ops = json.loads(self.kiln("ops", "--json")[0])["ops"]
        add = next(op for op in ops if op["id"] == "add")
        self.assertEqual((add["infix"], add["arity"], add["jax"]), ("+", 2, "add"))
        self.assertTrue(all(op["doc"] for op in ops))
        self.assertEqual(len({op["id"] for op in ops}), len(ops))

    def test_text_and_markdown_name_every_op(self):
        names = {op["name"] for op in json.loads(self.kiln("ops", "--json")[0])["ops"]}
        text, _ = self.kiln("ops")
        markdown, _ = self.kiln("ops", "--markdown")
        self.assertEqual({line.split()[0] for line in text.splitlines()[1:]}, names)
        for name in names:
            self.assertIn(f"`{name}", markdown)


class Passes(CommandTest):
    def names(self):
        out, _ = self.kiln("passes", "--list")
        return [line.split()[0] for line in out.splitlines()[1:]]

    def test_every_stage_is_shown(self):
        out, _ = self.kiln("passes", self.write("add.kiln", ADD), *SIZES)
        shown = [line.split()[2].rstrip(":") for line in out.splitlines() if line.startswith("// after ")]
        self.assertGreater(len(shown), 2)
        self.assertEqual(shown, [name for name in self.names() if name in shown])

    def test_one_stage(self):
        out, _ = self.kiln("passes", self.write("add.kiln", ADD), *SIZES, "--after", "expand_blocks")
        self.assertEqual(out.count("kernel add("), 1)
        self.assertNotIn("block x", out)

    def test_mistakes(self):
        file = self.write("add.kiln", ADD)
        self.assertIn("did you mean 'fold'?", self.fails(1, "unknown_pass", "passes", file, *SIZES, "--after", "folds"))
        _, err = self.kiln("passes", file, code=1)
        self.assertIn("error[", err)

    @unittest.skipUnless(HAS_VULKAN, "this build has no SPIR-V half")
    def test_for_a_profile(self):
        out, _ = self.kiln("passes", self.write("add.kiln", ADD), *SIZES, "--for", "gpu32")
        self.assertIn("// after split_blocks", out)
        self.fails(1, "unknown_profile", "passes", self.write("add.kiln", ADD), *SIZES, "--for", "gpu33")


class Plan(CommandTest):
    def test_table(self):
        out, _ = self.kiln("plan", self.write("f.kiln", SCRATCH))
        self.assertRegex(out, r"(?m)^ *kept +smem +2 KiB ")

    def test_machine(self):
        head, rest = SCRATCH.split("\n", 1)
        out, _ = self.kiln("plan", self.write("f.kiln", head + "\n  machine tpu\n" + rest))
        self.assertIn("machine tpu: ", out)
        self.assertRegex(out, r"(?m)^ *x +hbm +2 KiB ")

    @unittest.skipUnless(HAS_VULKAN, "this build has no SPIR-V half")
    def test_what_a_workgroup_shares(self):
        file = self.write("f.kiln", SCRATCH)
        out, _ = self.kiln("plan", file, "--for", "gpu32")
        told = re.search(r"(?m)^a workgroup shares (\d+) B: (\d+) B of scratch, (\d+) B for tiles", out)
        total, scratch, tiles = (int(size) for size in told.groups())
        self.assertEqual(total, scratch + tiles)
        out, _ = self.kiln("spirv", file, "--for", "gpu32")
        self.assertIn(f", {total} bytes of shared memory\n", out)

    def test_drawing(self):
        self.kiln("plan", self.write("f.kiln", SCRATCH), "--svg", self.path("plan.svg"))
        root = xml.etree.ElementTree.parse(self.path("plan.svg")).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertIn("kept", "".join(root.itertext()))


@unittest.skipUnless(HAS_VULKAN, "this build has no SPIR-V half")
class Spirv(CommandTest):
    def test_text(self):
        for profile in ("baseline", "swiftshader", "lavapipe16", "gpu32", "gpu64"):
            out, _ = self.kiln("spirv", self.write("add.kiln", ADD), *SIZES, "--for", profile)
            self.assertIn("OpEntryPoint GLCompute", out)
            self.assertRegex(out, r"(?m)^; binding 0: parameter 0, 2048 bytes$")

    def test_binary(self):
        self.kiln("spirv", self.write("add.kiln", ADD), *SIZES, "-o", self.path("add.spv"))
        words = (self.folder / "add.spv").read_bytes()
        self.assertEqual(words[:4], b"\x03\x02\x23\x07")
        self.assertEqual(len(words) % 4, 0)

    def test_mistakes(self):
        file = self.write("add.kiln", ADD)
        self.assertIn("gpu64", self.fails(1, "unknown_profile", "spirv", file, *SIZES, "--for", "voodoo"))
        self.fails(2, "options_exclude", "spirv", file, *SIZES, "--text", "-o", "x.spv")
        _, err = self.kiln("spirv", file, code=1)
        self.assertIn("error[", err)


class Places(CommandTest):
    def test_devices(self):
        devices = self.json("devices")["devices"]
        self.assertEqual((devices[0]["name"], devices[0]["usable"]), ("host", True))
        out, _ = self.kiln("devices")
        self.assertIn("host", out)

    def test_doctor_on_the_host(self):
        out, _ = self.kiln("doctor", "--on", "host")
        self.assertIn("all is well", out)
        self.assertNotIn("FAIL", out)
        self.fails(1, "unknown_target", "doctor", "--on", "gpu")

    def test_doctor_names_a_wrong_variable(self):
        out, _ = self.kiln("doctor", "--on", "host", env={"KILN_THREADS": "x"}, code=4)
        self.assertIn("FAIL variables", out)


if __name__ == "__main__":
    unittest.main()
