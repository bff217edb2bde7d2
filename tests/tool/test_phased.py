"""What passes phase_roles and spin_roles refuse, as it would go wrong without a word; tests/ws/ways.py has what they must
not refuse."""
import unittest

from command import HAS_VULKAN, CommandTest

ONE_UNIT = "several units wait for one semaphore"
ONE_TRIP = "it would have to begin anew in each trip of its loop"
MEET = "units share it, and would have to meet in each trip of its loop"

BARRIER_IN_LOOP = """kernel f(x: f32[3, 4]) -> (y: f32[3, 4]) {
  machine gpu
  threads t: 2
  scratch s: f32[3, 4]
  for i in 0 .. 3 {
    scratch full: barrier
    when t == 0 { s[i, :] = x[i, :]  arrive full }
    when t == 1 { wait full          y[i, :] = s[i, :] }
  }
}
"""

MEMORY_IN_LOOP = """kernel f(x: f32[3, 4]) -> (y: f32[3, 4]) {
  machine gpu
  threads t: 2
  scratch full: barrier[3]
  for i in 0 .. 3 {
    scratch s: f32[4]
    when t == 0 { s[...] = x[i, :]  arrive full[i] }
    when t == 1 { wait full[i]      y[i, :] = s[...] }
  }
}
"""

MEMORY_OF_PEER = """kernel f(x: f32[3, 4]) -> (y: f32[3, 4]) {
  machine gpu
  cluster c: 2
  scratch full: barrier[3]
  for i in 0 .. 3 {
    scratch s: f32[4]
    when c == 0 { let q = peer s at 1  q[...] = x[i, :]  let b = peer full at 1  arrive b[i] }
    when c == 1 { wait full[i]         y[i, :] = s[...] }
  }
}
"""

MEMORY_OF_WARPS = """kernel f(x: f32[3, 4]) -> (y: f32[3, 4]) {
  machine gpu
  scratch full: barrier[3]
  warps w {
    for i in 0 .. 3 {
      scratch s: f32[4]
      when w == 0 { s[...] = x[i, :]  arrive full[i] }
      when w == 1 { wait full[i]      y[i, :] = s[...] }
    }
  }
}
"""

TWO_TAKE = """kernel f(x: f32[4]) -> (y: f32[3, 4]) {
  machine gpu
  threads t: 3
  scratch items: semaphore
  when t == 0 { signal items by 1  signal items by 1 }
  when t > 0 { wait items by 1     y[t, :] = x[...] }
}
"""

ONE_COUNTS = """kernel f(x: i32[4]) -> (y: i32[2, 4]) {
  machine gpu
  threads t: 2
  scratch items: semaphore
  when t == 0 { signal items by 2  wait items by 2 }
  when t == 1 { let left = count items  y[t, :] = x[...] + left }
}
"""

ANY_ELEMENT = """kernel f(x: i32[2]) -> (y: i32[3]) {
  machine gpu
  threads t: 3
  scratch items: semaphore[2]
  when t == 0 { signal items[0] by 1  signal items[1] by 1 }
  when t == 1 { wait items[x[0]] by 1 y[1] = 1 }
  when t == 2 { wait items[1] by 1    y[2] = 2 }
}
"""


HAND_OVER = """kernel f(x: f32[4]) -> (y: f32[4]) {
  machine gpu
  threads t: 2
  scratch s: f32[4]
  scratch told: i32
  scratch all: barrier arrivals 2
  when t == 0 { told[...] = 0 }
  arrive all
  wait all
  when t == 0 {
    s[...] = x[...] * 2.0
    atomic release add told[...] = 1
  }
  when t == 1 {
    while { yield (atomic acquire or told[...] = 0) < 1 } { }
    y[...] = s[...]
  }
}
"""

DATA = """kernel f(x: f32[4], n: i32[1]) -> (y: f32[4]) {
  machine gpu
  threads t: 2
  scratch s: f32[4]
  scratch full: barrier
  when t == 0 { for k in 0 .. n[0] { s[...] = x[...] * 2.0  arrive full } }
  when t == 1 { for k in 0 .. n[0] { wait full  y[...] = s[...] } }
}
"""

MANY = """kernel f(x: f32[4]) -> (y: f32[33]) {
  machine gpu
  threads t: 33
  scratch full: barrier
  when t == 0 { arrive full } else { wait full }
  y[t] = x[0]
}
"""

# Text of warps that is mostly known once they have numbers, in front of which roles meet in each trip.
LONG_WARPS = """kernel f(x: i32[4]) -> (y: i32[4, 4]) {
  machine gpu
  threads t: 2
  scratch n: i32[4] in regs
  for r in 0 .. 4 {
    scratch s: i32[4]
    scratch full: barrier
    when t == 0 {
      n[...] = x[...]
      warps w {
        LINES
      }
      s[...] = n[...]
      arrive full
    }
    when t == 1 { wait full  y[r, :] = s[...] }
  }
}
"""


@unittest.skipUnless(HAS_VULKAN, "this build has no SPIR-V half")
class Long(CommandTest):
    def test_warps_of_many_lines(self):
        for count in (74, 84, 123, 126):  # of values that come by folding, places in a list were not counted
            lines = "\n        ".join(f"n[w] = n[w] + (w * 3 + {i}) * (w + {i}) * (w - {i})" for i in range(count))
            path = self.write("f.kiln", LONG_WARPS.replace("LINES", lines))
            out, _ = self.kiln("passes", path, "--for", "lavapipe8", "--units", "phased", "--after", "phase_roles")
            self.assertIn("scratch anew: i32[3, 1] in smem", out)


@unittest.skipUnless(HAS_VULKAN, "this build has no SPIR-V half")
class Spun(CommandTest):
    def out(self, *words):
        return self.kiln(*words)[0]

    def refused(self, text, profile, units, why):
        path = self.write("f.kiln", text)
        err = self.fails(1, "no_way_to_run", "spirv", path, "--for", profile, "--units", units)
        self.assertRegex(err, why)

    def test_only_where_one_may_wait_for_another(self):
        wait = MANY.replace("33", "3")
        self.refused(wait, "lavapipe8", "spin", "roles cannot wait for one another: on this device one that waits may keep")
        self.refused(MANY, "gpu32", "spin", "roles cannot wait for one another: there are 33, a workgroup has 32 subgroups")
        self.assertIn("OpAtomicLoad", self.out("spirv", self.write("f.kiln", wait), "--for", "gpu32", "--units", "spin"))

    def test_what_begins_anew_in_each_trip(self):
        self.refused(BARRIER_IN_LOOP, "gpu32", "spin", f"roles cannot wait for one another: {ONE_TRIP}")
        self.refused(MEMORY_IN_LOOP, "gpu32", "spin", f"roles cannot wait for one another: {MEET}")

    def test_semaphores_with_several_waiters(self):
        for text in (TWO_TAKE, ONE_COUNTS, ANY_ELEMENT):
            self.refused(text, "gpu32", "spin", f"roles cannot wait for one another: {ONE_UNIT}")
            self.out("spirv", self.write("f.kiln", text), "--for", "lavapipe8", "--units", "phased")

    def test_auto_spins_only_what_cannot_be_fused(self):
        path = self.write("f.kiln", DATA)
        self.assertIn("spun: roles look until it is their turn", self.out("plan", path, "--for", "gpu32"))
        self.assertIn("phased: roles take turns", self.out("plan", path, "--for", "lavapipe8"))
        self.assertIn("fused", self.out("plan", self.write("f.kiln", MANY), "--for", "gpu32"))

    def test_words_by_hand(self):
        path = self.write("f.kiln", HAND_OVER)
        self.out("check", path)
        for order in ("acquire ", "release "):
            _, err = self.kiln("check", self.write("g.kiln", HAND_OVER.replace(order, "")), code=3)
            self.assertIn("race]: s[0]: nothing orders", err)
        self.assertIn("OpAtomicLoad", self.out("spirv", path, "--for", "gpu32"))
        self.refused(HAND_OVER, "gpu32", "phased", "a unit looks at memory until another one has written")
        self.refused(HAND_OVER, "gpu32", "fused", "a unit looks at memory until another one has written")


@unittest.skipUnless(HAS_VULKAN, "this build has no SPIR-V half")
class Refused(CommandTest):
    def refused(self, text, place, why):
        words = ["passes", self.write("f.kiln", text), "--for", "lavapipe8", "--units", "phased"]
        err = self.fails(1, "no_way_to_run", *words)
        self.assertRegex(err, rf"note: .*f\.kiln:{place}: roles cannot take turns: {why}")

    def test_what_blocks_share_in_a_trip(self):
        self.refused(MEMORY_OF_PEER, "6:13", MEET)
        across = BARRIER_IN_LOOP.replace("threads t", "cluster t").replace("barrier", "barrier across t")
        self.refused(across, "6:13", ONE_TRIP)

    def test_what_warps_share_in_a_trip(self):
        self.refused(MEMORY_OF_WARPS, "6:15", MEET)

    def test_more_than_the_flags_count(self):
        self.refused(MANY.replace("33", "4096"), "1:8", "there are more than 4095")


if __name__ == "__main__":
    unittest.main()
