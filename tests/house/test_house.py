#!/usr/bin/env python3
"""The house rules of ci/house.py find what they are for: each planted fault is found, a clean tree is not blamed."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HOUSE = pathlib.Path(__file__).resolve().parents[2] / "ci" / "house.py"


class House(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.write("ci/house.py", HOUSE.read_text())
        self.write("src/base/diag.def", "/* rows */\nDIAG(1001, ERROR, first, \"\", \"\")\n")
        self.write("src/ir/CMakeLists.txt", "target_sources(kiln_objects PRIVATE\n  good.c)\n")
        self.write("src/ir/good.c", '/* Good. */\n#include "base/mem.h"\n\nint good(void) {\n  return 1; /* abort() */\n}\n')

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_house(self):
        done = subprocess.run([sys.executable, self.root / "ci" / "house.py"], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def expect(self, message, text, name="src/ir/good.c"):
        self.write(name, text)
        status, output = self.run_house()
        self.assertEqual(status, 1, output)
        self.assertIn(message, output)

    def test_clean_tree(self):
        status, output = self.run_house()
        self.assertEqual(status, 0, output)
        self.assertIn("1 functions: median 3 lines", output)

    def test_wrong_arrow(self):
        self.expect("src/ir may not include src/host", '/* x */\n#include "host/run.h"\n')

    def test_include_not_from_the_root(self):
        self.expect('include "ir.h" from the root of src', '/* x */\n#include "ir.h"\n')

    def test_outside_header_in_the_wrong_folder(self):
        self.expect("is for src/vulkan only", "/* x */\n#include <volk.h>\n")

    def test_library_that_reads_the_environment(self):
        self.expect("getenv: settings are read", '/* x */\nint f(void) { return getenv("A") != 0; }\n')

    def test_library_that_prints(self):
        self.expect("printf: a library reports", '/* x */\nvoid f(void) { printf("x"); }\n')

    def test_library_that_allocates_past_the_hook(self):
        self.expect("malloc: memory comes through", "/* x */\nvoid *f(void) { return malloc(1); }\n")

    def test_function_too_long(self):
        self.expect("f has 132 lines", "/* x */\nint f(void) {\n" + "  g();\n" * 130 + "}\n")

    def test_file_too_long(self):
        self.expect("801 lines", "/* x */\n" + "int x;\n" * 800)

    def test_no_opening_comment(self):
        self.expect("begins with a comment", "int x;\n")

    def test_unlisted_source(self):
        self.expect("not listed in any CMakeLists.txt", "/* x */\n", "src/ir/lost.c")

    def test_diagnostics_out_of_order(self):
        rows = '/* rows */\nDIAG(1002, ERROR, b, "", "")\nDIAG(1001, ERROR, a, "", "")\n'
        self.expect("1001 after 1002", rows, "src/base/diag.def")

    def test_diagnostic_named_twice(self):
        rows = '/* rows */\nDIAG(1001, ERROR, a, "", "")\nDIAG(1002, ERROR, a, "", "")\n'
        self.expect("a is there twice", rows, "src/base/diag.def")


if __name__ == "__main__":
    unittest.main()
