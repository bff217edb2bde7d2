"""kiln check --trace and --svg: what the units did, in simulated time."""
import json
import pathlib
import re
import sys
import unittest
import xml.etree.ElementTree

from command import CommandTest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "race"))
import suite  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
GOLDEN = HERE / "ring_trace.json"  # when a change of it is meant: what `kiln check` writes for RING with N=2

RING = """kernel ring(x: f32[N, 32]) -> (y: f32[N, 32]) {
  machine gpu
  threads t: 2
  scratch s: f32[1, 32]
  scratch full: barrier
  scratch empty: barrier
  for i in 0 .. N {
    when t == 0 {
      when i > 0 { wait empty }
      copy x[i, :] -> s[0, :] arrive full
    } else {
      wait full
      y[i, :] = s[0, :] + 1.0
      commit smem
      when i + 1 < N { arrive empty }
    }
  }
}
"""

STEPS = """kernel steps(x: f32[4, 6]) -> (y: f32[4]) {
  grid i: 4 parallel, k: 3
  block x (1, 2) at (i, k)
  block y (1) at (i)
  when k == 0 { y[...] = 0.0 }
  y[...] += sum(x[...], axis: 1)
}
"""

WARPS = """kernel split(x: f32[4, 8]) -> (y: f32[4, 8]) {
  machine gpu
  threads t: 1
  scratch n: semaphore[4]
  warps w {
    when w > 0 { wait n[w] by 1 }
    y[w, :] = x[w, :]
    when w < 3 { signal n[w + 1] by 1 }
  }
}
"""

LONG = """kernel long(x: f32[N]) -> (y: f32[N]) {
  for i in 0 .. N { y[i] = x[i] + 1.0 }
}
"""


class Trace(CommandTest):
    def trace(self, text, *words, code=0):
        """The trace of a kernel, its events checked; slices by track."""
        file, out = self.write("kernel.kiln", text), self.path("out.json")
        self.kiln("check", file, *words, "--trace", out, code=code)
        trace = json.loads(pathlib.Path(out).read_text())
        self.slices = {}
        for event in trace["traceEvents"]:
            if event["ph"] == "X":
                self.slices.setdefault((event["pid"], event["tid"]), []).append(event)
        self.check_tracks(trace["traceEvents"])
        self.check_arrows(trace["traceEvents"])
        return trace

    def check_tracks(self, events):
        """All tracks have names, and slices of one lie beside or inside each other."""
        named = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}
        self.assertEqual(set(self.slices), named)
        for track in self.slices.values():
            around = []
            for event in sorted(track, key=lambda event: (event["ts"], -event["dur"])):
                while around and around[-1] <= event["ts"]:
                    around.pop()
                end = event["ts"] + event["dur"]
                self.assertTrue(not around or end <= around[-1], event)
                around.append(end)

    def check_arrows(self, events):
        """Every arrow has two ends, each in a slice, and none points back in time."""
        arrows = {}
        for event in events:
            if event["ph"] in "sf":
                arrows.setdefault(event["id"], {})[event["ph"]] = event
        for arrow in arrows.values():
            self.assertEqual(sorted(arrow), ["f", "s"])
            self.assertLessEqual(arrow["s"]["ts"], arrow["f"]["ts"])
            for end in arrow.values():
                track = self.slices[end["pid"], end["tid"]]
                inside = [one for one in track if one["ts"] <= end["ts"] < one["ts"] + max(one["dur"], 1)]
                self.assertTrue(inside, end)
        self.arrows = arrows

    def named(self, trace, phase, name):
        return [e for e in trace["traceEvents"] if e["ph"] == phase and e["name"] == name]

    def test_ring_is_as_it_was(self):
        self.trace(RING, "--set=N=2")
        written = pathlib.Path(self.path("out.json")).read_text()
        self.assertEqual(written.replace(self.path("kernel.kiln"), "ring.kiln"), GOLDEN.read_text())

    def test_waits_end_with_what_released_them(self):
        trace = self.trace(RING, "--set=N=5")
        for wait, cause in (("wait full", "copy"), ("wait empty", "hand-off")):
            waits = self.named(trace, "X", wait)
            self.assertEqual(len(waits), 5 if cause == "copy" else 4)
            for one in waits:
                ends = [a["s"] for a in self.arrows.values() if a["f"]["tid"] == one["tid"]
                        and one["ts"] <= a["f"]["ts"] < one["ts"] + one["dur"]]
                self.assertEqual(len(ends), 1)
                source = [e for e in self.slices[1, ends[0]["tid"]] if e["ts"] + e["dur"] - 1 == ends[0]["ts"]]
                self.assertEqual(source[0]["cat"], cause)
                self.assertLessEqual(source[0]["ts"] + source[0]["dur"], one["ts"] + one["dur"])

    def test_the_picture_does_not_depend_on_the_order(self):
        """The order in which units run, and copies move on, is the seed's; simulated time is not."""
        def slices(seed):
            self.trace(RING, "--set=N=6", f"--seed={seed}", "--schedules=1")
            return {track: sorted((e["ts"], e["dur"], e["name"]) for e in events)
                    for track, events in self.slices.items()}
        self.assertEqual(len({str(slices(seed)) for seed in range(6)}), 1)

    def test_twice_the_same(self):
        texts = set()
        for _ in range(2):
            self.trace(WARPS, "--seed=9")
            texts.add(pathlib.Path(self.path("out.json")).read_text())
        self.assertEqual(len(texts), 1)

    def test_deeper_rings_take_less_time(self):
        ring = (EXAMPLES / "pictures" / "ring.kiln").read_text()
        deep = self.trace(ring, "--set=N=9")["otherData"]["ticks"]
        shallow = self.trace(re.sub(r"\b3\b", "1", ring), "--set=N=9")["otherData"]["ticks"]
        self.assertLess(1.5 * deep, shallow)

    def test_warps_and_semaphores(self):
        trace = self.trace(WARPS)
        for w in (1, 2, 3):
            self.assertEqual(len(self.named(trace, "X", f"wait n[{w}]")), 1)
        self.assertEqual(len(self.arrows), 3)
        split = self.named(trace, "X", "warps")
        self.assertEqual(len(split), 1)
        last = max(e["ts"] + e["dur"] for track, events in self.slices.items() for e in events if track[1] > 1)
        self.assertGreaterEqual(split[0]["ts"] + split[0]["dur"], last)

    def test_steps_of_a_grid(self):
        trace = self.trace(STEPS)
        for k in range(3):
            self.assertEqual(len(self.named(trace, "X", f"k {k}")), 4)
        self.assertEqual(len(self.named(trace, "X", "i 3")), 1)

    def test_faults_are_marked(self):
        """Each example of a fault, where it was found, with what the report says."""
        for path in sorted((EXAMPLES / "faults").glob("*.kiln")):
            trace = self.trace(path.read_text(), "x=iota", "--schedules=1", code=3)
            marks = [e for e in trace["traceEvents"] if e["ph"] == "i"]
            report = path.with_suffix(".txt").read_text().split("]: ", 1)[1].split("\n")[0]
            self.assertEqual([(m["name"], m["args"]["report"]) for m in marks],
                             [("race" if "race" in path.stem else path.stem, report)])

    def test_a_deadlock_stays_on_its_tracks(self):
        trace = self.trace((EXAMPLES / "faults" / "deadlock.kiln").read_text(), code=3)
        stuck = [e for track in self.slices.values() for e in track if e["cat"] == "stuck"]
        self.assertEqual(sorted(e["name"] for e in stuck), ["wait a", "wait b"])
        self.assertTrue(all(e["ts"] + e["dur"] == trace["otherData"]["ticks"] for e in stuck))

    def test_a_race_has_both_ends(self):
        self.trace((EXAMPLES / "faults" / "race_of_copy.kiln").read_text(), code=3)
        race = [a for a in self.arrows.values() if a["s"]["cat"] == "race"]
        self.assertEqual(len(race), 1)
        self.assertNotEqual(race[0]["s"]["tid"], race[0]["f"]["tid"])

    def test_long_runs_say_what_is_lost(self):
        file, out = self.write("long.kiln", LONG), self.path("out.svg")
        _, err = self.kiln("check", file, "--set=N=200000", "--schedules=1", "--svg", out)
        self.assertIn("warning[7147 trace_full]", err)
        self.assertIn("events lost", pathlib.Path(out).read_text())

    def test_drawings_are_xml(self):
        for text, words, code in ((RING, ["--set=N=3"], 0), (STEPS, [], 0), (WARPS, [], 0),
                                  ((EXAMPLES / "faults" / "race.kiln").read_text(), [], 3)):
            file, out = self.write("kernel.kiln", text), self.path("out.svg")
            self.kiln("check", file, *words, "--svg", out, code=code)
            root = xml.etree.ElementTree.parse(out).getroot()
            words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
            self.assertIn("busy", words)
            self.assertEqual(any(word.startswith("1 \N{MIDDLE DOT} ") for word in words), code == 3)

    def test_every_kind_of_kernel(self):
        """Some of the labelled suite's: whatever its fault, the trace is well formed and has it."""
        for path in sorted((HERE.parent / "race").glob("*.kiln")):
            for case in suite.cases_of(path, with_mutants=False)[::7]:
                fault = case.fault.split("|")[0]
                trace = self.trace(case.text, *suite.inputs(case.text), *case.options, code=3 if fault else 0)
                marks = {e["name"] for e in trace["traceEvents"] if e["ph"] == "i"}
                self.assertEqual(bool(marks), bool(fault), case.name)

    def test_explored_schedules_are_drawn(self):
        """The schedule that is drawn is the one that the report replays."""
        file, out = self.write("race.kiln", (EXAMPLES / "faults" / "race.kiln").read_text()), self.path("out.json")
        said, err = self.kiln("check", file, "--exhaustive", "--trace", out, code=3)
        self.assertEqual(err.count("fault["), 1, err)
        explored = pathlib.Path(out).read_text()
        self.assertEqual(explored.count('"ph": "i"'), 1)
        choices = re.search(r"--replay (\S+)", said)[1]
        self.kiln("check", file, "--replay", choices, "--trace", out, code=3)
        self.assertEqual(pathlib.Path(out).read_text(), explored)

    def test_explored_schedules_are_drawn_on_the_arrays_as_they_were(self):
        """This kernel waits for ever where it starts from zeros, and ends where it starts from what it leaves."""
        text = """
kernel once(x: i32[1] inout) {
  machine gpu
  threads t: 2
  scratch n: semaphore
  when t == 0 {
    let seen = x[0]
    when seen == 1 { signal n by 1 }
    x[0] = 1
  }
  when t == 1 { wait n by 1 }
}
"""
        trace = self.trace(text, "--exhaustive", code=3)
        self.assertEqual([e["name"] for e in trace["traceEvents"] if e["ph"] == "i"], ["deadlock"])

    def test_files_that_cannot_be_written(self):
        file = self.write("kernel.kiln", STEPS)
        self.fails(1, "file_unwritable", "check", file, "--trace", self.path("nowhere/out.json"))


if __name__ == "__main__":
    unittest.main()
