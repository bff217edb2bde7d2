"""Running the command: the base of the tests in this folder."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

KILN = os.environ["KILN"]
HAS_VULKAN = os.environ.get("KILN_HAS_VULKAN", "1") == "1"

ADD = """kernel add(x: f32[M, N], y: f32[M, N]) -> (z: f32[M, N]) {
  grid i: cdiv(M, 4) parallel
  block x (4, N) at (i, 0)
  block y (4, N) at (i, 0)
  block z (4, N) at (i, 0)

  z[...] = x[...] + y[...]
}
"""

# Reads four elements of x, whose shape is up to the data, behind an offset that is data too.
OUTSIDE = """kernel outside(at: i32[1], x: f32[N]) -> (y: f32[4]) {
  y[...] = x[at[0] : 4]
}
"""


class CommandTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="kiln_tool_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return self.path(name)

    def kiln(self, *words, code=0, env=None):
        """What the command printed on (stdout, stderr); its exit code must be `code`."""
        done = subprocess.run([KILN, *map(str, words)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, f"kiln {words}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def fails(self, code, name, *words, env=None):
        """The command ends with `code` after exactly one error, which has this name; returns stderr."""
        out, err = self.kiln(*words, code=code, env=env)
        self.assertEqual(err.count("error["), 1, err)
        self.assertIn(f" {name}]: ", err)
        return err

    def json(self, *words, code=0):
        out, _ = self.kiln(*words, "--json", code=code)
        self.assertEqual(out.count("\n"), 1, "one object on one line")
        return json.loads(out, parse_constant=lambda word: self.fail(f"{word} is not JSON"))
