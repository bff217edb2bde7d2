"""The command line itself: help, options, operands, exit code 2."""
import re
import subprocess
import unittest

from command import ADD, HAS_VULKAN, KILN, CommandTest

COMMANDS = ["run", "check", "fmt", "ops", "passes", "spirv", "plan", "devices", "doctor", "bench", "help"]


class Help(CommandTest):
    def test_nothing_given(self):
        out, err = self.kiln(code=2)
        self.assertEqual(out, "")
        self.assertIn("usage: kiln COMMAND", err)

    def test_overview_lists_every_command(self):
        for words in (["help"], ["--help"], ["-h"]):
            out, err = self.kiln(*words)
            self.assertEqual(err, "")
            for command in COMMANDS:
                self.assertRegex(out, rf"(?m)^  {command} +\S")

    def test_every_command_has_help(self):
        for command in COMMANDS:
            for words in ([command, "--help"], [command, "-h"], ["help", command]):
                out, _ = self.kiln(*words)
                self.assertIn(f"usage: kiln {command}", out)
                self.assertRegex(out, r"(?m)^  -h, --help +this text$")

    def test_contract_options_are_in_the_help(self):
        options = {
            "run": ["-k", "--on", "--check", "--seed", "--set", "-o", "--time[=N]", "--json"],
            "check": ["-k", "--schedules", "--seed", "--json"],
            "ops": ["--json", "--markdown"],
            "passes": ["-k", "--after"],
            "spirv": ["-k", "--for", "-o", "--text"],
            "plan": ["-k", "--for", "--svg"],
            "devices": ["--json"],
            "doctor": ["--on"],
            "bench": ["--on", "--csv"],
        }
        for command, names in options.items():
            out, _ = self.kiln(command, "--help")
            for name in names:
                self.assertRegex(out, rf"(?m)^  (-\w, )?{re.escape(name)}[ ,\[]", f"kiln {command}")

    def test_help_fits_a_terminal(self):
        for command in COMMANDS:
            out, _ = self.kiln(command, "--help")
            self.assertLessEqual(max(map(len, out.splitlines())), 120, command)

    def test_topics(self):
        overview, _ = self.kiln("help")
        topics = re.findall(r"(?m)^  ([\w-]+) ", overview.split("topics:")[1])
        self.assertIn("environment", topics)
        for topic in topics:
            out, _ = self.kiln("help", topic)
            self.assertGreater(out.count("\n"), 3)

    def test_environment_lists_every_variable(self):
        out, _ = self.kiln("help", "environment")
        for name in ("KILN_THREADS", "KILN_VULKAN_LOADER", "KILN_CHECK"):
            self.assertIn(name, out)

    def test_version(self):
        out, _ = self.kiln("--version")
        self.assertRegex(out, r"^kiln \d+\.\d+\.\d+\n$")


class Mistakes(CommandTest):
    def test_unknown_command(self):
        self.assertIn("did you mean 'check'?", self.fails(2, "unknown_command", "chekc"))
        self.assertNotIn("did you mean", self.fails(2, "unknown_command", "frobnicate"))

    def test_unknown_option(self):
        self.assertIn("did you mean '--seed'?", self.fails(2, "unknown_option", "run", "--sed", "1", "x.kiln"))
        self.fails(2, "unknown_option", "run", "-z", "x.kiln")
        self.fails(2, "unknown_option", "devices", "--on=host")

    def test_option_without_value(self):
        self.fails(2, "option_needs_value", "run", "x.kiln", "--on")
        self.fails(2, "option_takes_no_value", "run", "x.kiln", "--json=yes")

    def test_option_twice(self):
        self.fails(2, "option_twice", "run", "x.kiln", "--on", "host", "--on=host")

    def test_numbers(self):
        for value in ("", "-1", "1.5", "two", "99999999999999999999"):
            err = self.fails(2, "option_not_a_number", "run", "x.kiln", f"--seed={value}")
            self.assertIn("from 0 to 18446744073709551615", err)
        self.fails(2, "option_not_a_number", "run", "x.kiln", "--time=0")
        self.fails(2, "option_not_a_number", "run", "x.kiln", "--tolerance=2")
        self.fails(2, "option_not_a_number", "check", "x.kiln", "--schedules", "0")

    def test_operands(self):
        for command in ("run", "check", "fmt", "passes", "spirv", "plan"):
            self.fails(2, "operand_missing", command)
        for words in (["fmt", "a", "b"], ["devices", "a"], ["ops", "a"], ["help", "a", "b"]):
            self.fails(2, "operand_unexpected", *words)

    def test_options_that_exclude_each_other(self):
        self.fails(2, "options_exclude", "ops", "--json", "--markdown")

    def test_unknown_topic(self):
        self.assertIn("did you mean 'environment'?", self.fails(2, "unknown_topic", "help", "enviroment"))

    def test_dashes_end_the_options(self):
        self.assertIn("'--json'", self.fails(1, "file_unreadable", "fmt", "--", "--json"))

    def test_letters_take_values_both_ways(self):
        file = self.write("add.kiln", ADD)
        for words in (["-k", "nope"], ["-knope"], ["--kernel", "nope"], ["--kernel=nope"]):
            self.assertIn("the file has add", self.fails(1, "unknown_kernel", "run", file, *words))


class Surroundings(CommandTest):
    def test_wrong_environment_is_a_warning(self):
        out, err = self.kiln("fmt", self.write("add.kiln", ADD), env={"KILN_THREADS": "many"})
        self.assertIn("warning[7001 bad_environment]: KILN_THREADS is 'many', expected a whole number from 0 to 1024", err)
        self.assertIn("kernel add", out)

    def test_lost_output_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([KILN, "ops"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 4)
        self.assertIn("standard output", done.stderr)

    @unittest.skipIf(HAS_VULKAN, "this build has Vulkan")
    def test_without_vulkan_the_build_says_so(self):
        file = self.write("add.kiln", ADD)
        sizes = ["--set", "M=4", "--set", "N=4"]
        self.fails(1, "no_vulkan", "spirv", file, *sizes)
        self.fails(1, "no_vulkan", "run", file, "--on", "vulkan", *sizes, "x=ones", "y=ones")
        out, err = self.kiln("devices")
        self.assertIn("host", out)
        self.assertIn("no_vulkan", err)


if __name__ == "__main__":
    unittest.main()
