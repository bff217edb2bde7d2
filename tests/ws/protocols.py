"""Random protocols, correct by construction: a tree of groups of threads, each of which hands items on to those below.

A *group* is one to three threads. What comes to it goes through a ring of slots with an array of barriers `full` and
one `empty` (or semaphores, or copies): every thread of the group above fills its part of a slot, every thread of this
one reads all parts. How a group shares the work is its *manner*: `all` take every item, items are `dealt` out to them,
or they take `turns` at one piece of memory (ping-pong). Leaves write the output. Everything else is chosen at random:
how many items, slots and arrivals, shapes of barrier arrays, loops in loops, sums kept across waits, clusters, ...

A kernel is kept as data, so that one that fails can be made smaller (`smaller`); `Writer` makes its text. It also knows
which of the waits and arrivals the kernel cannot do without, so that it can leave one out (`broken`).
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator

THREADS_MOST, CLUSTER_THREADS_MOST, SLOTS_MOST = 8, 4, 6


@dataclasses.dataclass(frozen=True)
class Group:
    """Threads that do the same, and how items come to them from the group above."""

    above: int  # its number, -1: none
    size: int = 1
    manner: str = "all"  # dealt, turns
    items: int = 1  # at most as many as come to the group above: it may leave early
    shape: tuple[int, ...] = (1,)  # of the arrays of barriers: as many as the ring has slots
    arrivals: int = 1  # of each thread above, for an item
    way: str = "store"  # semaphore, copy, multicast (across the cluster), peer (to the next block), warps
    inner: int = 1  # parts of an item that come one by one
    keeps: str = "value"  # acc: where the sum of these parts is, across waits
    total: bool = False  # what it hands on is the sum of all items so far
    late: bool = False  # a slot is given back after the item was handed on
    copies_out: bool = False  # leaves: by way of shared memory

    @property
    def slots(self) -> int:
        """Of its ring."""
        return math.prod(self.shape)

    @property
    def parts(self) -> int:
        """How often something comes to it."""
        return self.items * self.inner

    @property
    def takers(self) -> int:
        """How many threads read a slot."""
        return 1 if self.manner == "dealt" else self.size


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A kernel."""

    groups: tuple[Group, ...]
    width: int = 1
    blocks: int = 1  # of a cluster
    points: int = 1  # of the grid
    known: bool = True  # how many items there are; else data says so

    def below(self, g: int) -> list[int]:
        """The groups that a group hands items on to."""
        return [h for h, group in enumerate(self.groups) if group.above == g]

    def first(self, g: int) -> int:
        """The first thread of a group."""
        return sum(group.size for group in self.groups[:g])


def shape_of(pick: random.Random, slots: int) -> tuple[int, ...]:
    """So many barriers, in one to three dimensions."""
    rank = pick.randint(1, 3)
    shape = [slots]
    while len(shape) < rank:
        whole = shape.pop()
        part = pick.choice([d for d in range(1, whole + 1) if whole % d == 0])
        shape += [part, whole // part]
    return tuple(shape)


def way_of(pick: random.Random, above: Group, manner: str, blocks: int) -> str:
    """How items may come from the group above."""
    ways = ["store"] * 8 + ["semaphore"] * 2
    ways += ["copy"] * 4 if above.above < 0 and above.size == 1 else []
    ways += ["multicast"] * 4 if above.above < 0 and above.size == 1 and blocks > 1 else []
    ways += ["peer"] * 6 if blocks > 1 else []
    ways += ["warps"] if pick.random() < 0.1 and manner != "turns" else []
    return pick.choice(ways)


def group_below(pick: random.Random, groups: list[Group], above: int, room: int, blocks: int) -> Group:
    """One more group."""
    upper = groups[above]
    size = min(room, pick.choice([1, 1, 1, 2, 2, 3]))
    manner = "all" if size == 1 else pick.choice(["all", "dealt", "turns"] if size == 2 else ["all", "dealt"])
    way = way_of(pick, upper, manner, blocks)
    apart = math.lcm(upper.size if upper.manner == "dealt" else 1, size if manner == "dealt" else 1)
    slots = apart * pick.randint(1, SLOTS_MOST // apart)
    nests = apart == 1 and way not in ("copy", "multicast") and pick.random() < 0.3
    return Group(
        above,
        size,
        manner,
        items=upper.items if pick.random() < 0.8 else pick.randint(1, upper.items),
        shape=shape_of(pick, slots),
        arrivals=pick.choice([1, 1, 1, 2, 3]) if way in ("store", "peer") else 1,
        way=way,
        inner=pick.randint(2, 4) if nests else 1,
        keeps=pick.choice(["value", "acc"]),
        total=pick.random() < 0.2,
        late=pick.random() < 0.5,
        copies_out=pick.random() < 0.15,
    )


def protocol(seed: int) -> Protocol:
    """The one of that seed."""
    pick = random.Random(seed)
    blocks = 2 if pick.random() < 0.2 else 1
    room = pick.randint(2, THREADS_MOST if blocks == 1 else CLUSTER_THREADS_MOST)
    size = min(room - 1, pick.choice([1, 1, 1, 2, 3]))
    manner = "dealt" if size > 1 and pick.random() < 0.3 else "all"
    groups = [Group(-1, size, manner, items=pick.randint(1, 9))]
    room -= size
    while room > 0:
        groups.append(group_below(pick, groups, pick.randrange(len(groups)), room, blocks))
        room -= groups[-1].size
    return Protocol(
        tuple(groups),
        width=pick.choice([1, 3, 4, 8]),
        blocks=blocks,
        points=pick.choice([1] * 9 + [2]),
        known=pick.random() < 0.6,
    )


# ---- text ----


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a kernel."""

    text: str
    needed: bool = False  # a wait or an arrival without which the kernel is wrong


class Writer:
    """The text of a protocol."""

    def __init__(self, p: Protocol) -> None:
        self.p = p
        self.lead = "g, " * (p.points > 1) + "c, " * (p.blocks > 1)
        extents = [f"{n}, " for n in (p.points, p.blocks) if n > 1]
        self.lead_extents = "".join(extents)
        self.leaves = [(g, i) for g, group in enumerate(p.groups) if not p.below(g) for i in range(group.size)]

    # -- what is declared

    def ring(self, g: int) -> list[str]:
        """The ring through which items come to a group."""
        group, upper = self.p.groups[g], self.p.groups[self.p.groups[g].above]
        shape = ", ".join(str(d) for d in group.shape)
        lines = [f"scratch s{g}: f32[{shape}, {self.fillers(g)}, {self.p.width}]"]
        if group.way == "semaphore":
            lines += [f"scratch full{g}_{i}: semaphore[{shape}]" for i in range(group.size)]  # each has one taker
            lines += [f"scratch empty{g}_{i}: semaphore[{shape}]" for i in range(upper.size)]
        else:
            told = self.fillers(g) * group.arrivals * (4 if group.way == "warps" else 1)
            across = " across c" if group.way == "multicast" else ""
            lines += [f"scratch full{g}: barrier[{shape}]" + f" arrivals {told}" * (told > 1)]
            lines += [f"scratch empty{g}: barrier[{shape}]" + f" arrivals {group.takers}" * (group.takers > 1) + across]
        if group.way == "peer":
            lines += [f"let far_{name}{g} = peer {name}{g} at 1 - c" for name in ("s", "full", "empty")]
        return lines

    def declared(self) -> list[str]:
        """What all threads share, and what each has for itself."""
        lines = [] if self.p.known else ["let extra = n[0] - 0"]
        for g, group in enumerate(self.p.groups):
            lines += self.ring(g) if g else []
            lines += [f"scratch kept{g}: f32[{self.p.width}] in acc"] * (group.inner > 1 and group.keeps == "acc")
            lines += [f"scratch total{g}: f32[{self.p.width}] in acc"] * group.total
            if group.manner == "turns":
                lines += [f"scratch both{g}: f32[{self.p.width}]", f"scratch turn{g}: barrier[2]"]
        lines += [f"scratch out{g}_{i}: f32[{self.p.width}]" for g, i in self.leaves if self.p.groups[g].copies_out]
        return lines

    def trips(self, count: int) -> str:
        """A number of items, as loops say it."""
        return str(count) if self.p.known else f"{count} + extra"

    # -- what is handed on

    def fillers(self, g: int) -> int:
        """How many threads fill a slot of the ring to a group."""
        upper = self.p.groups[self.p.groups[g].above]
        return 1 if upper.manner == "dealt" else upper.size

    def slot(self, g: int, part: str) -> str:
        """The indices of the slot for a part."""
        group, below, words = self.p.groups[g], 1, []
        for d in reversed(group.shape):
            words.append(f"{part} / {below} % {d}" if below > 1 else f"{part} % {d}")
            below *= d
        return ", ".join(reversed(words))

    def reused(self, g: int, i: int) -> bool:
        """Whether thread i, where items are dealt out to it, sees a slot for the second time."""
        return self.p.groups[g].parts > self.p.groups[g].slots + i

    def dealt_place(self, g: int, i: int) -> int:
        """Which of the items is thread i's first."""
        return i if self.p.groups[g].manner == "dealt" else 0

    def signals(self, g: int, i: int, h: int, signal: str, part: str, least: int) -> list[Line]:
        """Thread i of group g signals whom in group h an item is for; in vain, where it has no part from `least` on."""
        lower, lines = self.p.groups[max(g, h)], []
        for j in range(self.p.groups[h].size):
            line, shares = signal.format(j), [(self.p.groups[g], i), (self.p.groups[h], j)]
            if self.p.groups[h].manner == "dealt":
                line = f"when {part} % {self.p.groups[h].size} == {j} {{ {line} }}"
            mine = (
                k
                for k in range(lower.parts)
                if all(group.manner != "dealt" or k % group.size == place for group, place in shares)
            )
            lines.append(Line(line, any(k >= least for k in mine)))
        return lines

    def send(self, g: int, i: int, below: int, part: str, value: str) -> list[Line]:
        """Thread i of group g fills its part of a slot."""
        group, slot, far = self.p.groups[below], self.slot(below, part), ""
        place = 0 if self.p.groups[g].manner == "dealt" else i
        first = self.dealt_place(g, i)
        if group.way == "peer":
            far = "far_"
        wait = f"wait empty{below}[{slot}]"
        if group.way == "semaphore":
            wait = f"wait empty{below}_{i}[{slot}] by {group.takers}"
        lines = [Line(f"when {part} >= {group.slots} {{ {wait} }}", self.reused(below, first))]
        if group.way in ("copy", "multicast"):
            across = " across c" if group.way == "multicast" else ""
            row = f"x[{self.lead.replace('c, ', '0, ') if across else self.lead}{part}, :]"
            return [*lines, Line(f"copy {row} -> s{below}[{slot}, 0, :] arrive full{below}[{slot}]{across}")]
        lines.append(Line(f"{far}s{below}[{slot}, {place}, :] = {value}"))
        told = Line(f"arrive {far}full{below}[{slot}]", first < group.items)
        if group.way == "warps":
            told = Line(f"warps w {{ {told.text} }}", told.needed)
        if group.way != "semaphore":
            return lines + [told] * group.arrivals
        return lines + self.signals(g, i, below, f"signal full{below}_{{}}[{slot}] by 1", part, 0)

    def give_back(self, g: int, i: int, part: str) -> list[Line]:
        """Thread i of group g has read a slot."""
        group, slot = self.p.groups[g], self.slot(g, part)
        needed = self.reused(g, self.dealt_place(g, i))
        fence = [Line("commit smem")] if group.way in ("copy", "multicast") else []
        if group.way != "semaphore":
            far = "far_" if group.way == "peer" else ""
            return [*fence, Line(f"arrive {far}empty{g}[{slot}]", needed)]
        owed = f"when {part} + {group.slots} < {self.trips(group.parts)}"  # what nobody takes would leak
        given = f"{owed} {{{{ signal empty{g}_{{}}[{slot}] by 1 }}}}"
        return self.signals(g, i, group.above, given, part, group.slots)

    def take(self, g: int, i: int, part: str) -> tuple[list[Line], str]:
        """Thread i of group g waits for a slot: how, and what is in it."""
        group, slot = self.p.groups[g], self.slot(g, part)
        needed = self.dealt_place(g, i) < group.items
        wait = f"wait full{g}[{slot}]"
        if group.way == "semaphore":
            wait = f"wait full{g}_{i}[{slot}] by {self.fillers(g)}"
        return [Line(wait, needed)], " + ".join(f"s{g}[{slot}, {p}, :]" for p in range(self.fillers(g)))

    # -- what a thread does

    def receive(self, g: int, i: int) -> list[Line]:
        """`v` becomes the item, with what thread i adds to it."""
        group = self.p.groups[g]
        if g == 0:
            return [Line(f"let v = x[{self.lead}k, :] + {i + 1}.0")]
        if group.inner == 1:
            lines, value = self.take(g, i, "k")
            lines += [Line(f"let v = ({value}) * {g + 1}.0 + {i}.0")]
            return lines + (self.give_back(g, i, "k") if not group.late else [])
        part = f"(k * {group.inner} + j)"
        lines, value = self.take(g, i, part)
        back = self.give_back(g, i, part)
        if group.keeps == "acc":
            inside = [*lines, Line(f"kept{g}[...] = kept{g}[...] + ({value})"), *back]
            head, tail = f"for j in 0 .. {group.inner} {{", f"let v = kept{g}[...] * {g + 1}.0 + {i}.0"
            return [Line(f"kept{g}[...] = full(0.0, f32[{self.p.width}])"), Line(head), *inside, Line("}"), Line(tail)]
        head = f"let sum = for j in 0 .. {group.inner} with (sum = full(0.0, f32[{self.p.width}])) {{"
        inside = [*lines, Line(f"let next = sum + ({value})"), *back, Line("yield next")]
        return [Line(head), *inside, Line("}"), Line(f"let v = sum * {g + 1}.0 + {i}.0")]

    def in_turn(self, g: int, i: int) -> list[Line]:
        """Threads of a group add to what they share, one after the other."""
        again = self.p.groups[g].items > 1
        return [
            Line(f"wait turn{g}[{i}]", again or i > 0),
            Line(f"both{g}[...] = both{g}[...] + v"),
            Line(f"let v{i} = both{g}[...]"),
            Line(f"arrive turn{g}[{1 - i}]", again or i == 0),
        ]

    def hand_on(self, g: int, i: int, value: str) -> list[Line]:
        """Thread i of group g has made an item: to all groups below, or out."""
        group, lines = self.p.groups[g], []
        for below in self.p.below(g):
            lower = self.p.groups[below]
            part = "k" if lower.inner == 1 else f"(k * {lower.inner} + j)"
            inside = self.send(g, i, below, part, value if lower.inner == 1 else f"{value} + f32(j)")
            if lower.inner > 1:
                inside = [Line(f"for j in 0 .. {lower.inner} {{"), *inside, Line("}")]
            if lower.items < group.items:
                inside = [Line(f"when k < {self.trips(lower.items)} {{"), *inside, Line("}")]
            lines += inside
        if (g, i) in self.leaves:
            lines += self.write(g, i, value)
        return lines

    def write(self, g: int, i: int, value: str) -> list[Line]:
        """A leaf's output."""
        row = f"y[{self.lead}{self.leaves.index((g, i))}, k, :]"
        if not self.p.groups[g].copies_out:
            return [Line(f"{row} = {value}")]
        out = f"out{g}_{i}"
        lines = ["await copies 0 sources", f"{out}[...] = {value}", "commit smem", f"copy {out} -> {row}"]
        return [Line(line) for line in lines]

    def thread(self, g: int, i: int) -> list[Line]:
        """All that thread i of group g does."""
        group = self.p.groups[g]
        zero = f"full(0.0, f32[{self.p.width}])"
        lines = [Line(f"when t == {self.p.first(g) + i} {{")]
        if group.manner == "turns" and i == 0:
            lines.append(Line(f"both{g}[...] = {zero}"))
        if group.manner == "turns" and i == 1:
            lines.append(Line(f"arrive turn{g}[0]", True))
        lines += [Line(f"total{g}[...] = {zero}")] * group.total
        lines.append(Line(f"for k in 0 .. {self.trips(group.items)} {{"))
        lines += [Line(f"when k % {group.size} == {i} {{")] * (group.manner == "dealt")
        lines += self.receive(g, i)
        value = "v"
        if group.manner == "turns":
            lines, value = lines + self.in_turn(g, i), f"v{i}"
        if group.total:
            lines += [Line(f"total{g}[...] = total{g}[...] + {value}"), Line(f"let sofar = total{g}[...]")]
            value = "sofar"
        lines += self.hand_on(g, i, value)
        lines += self.give_back(g, i, "k") if g > 0 and group.inner == 1 and group.late else []
        lines += [Line("}")] * (group.manner == "dealt")
        lines.append(Line("}"))
        if (g, i) in self.leaves and group.copies_out:
            lines.append(Line("await copies 0", self.dealt_place(g, i) < group.items))
        return [*lines, Line("}")]

    def lines(self) -> list[Line]:
        """The kernel."""
        p = self.p
        rows = max(group.items for group in p.groups)
        head = f"x: f32[{self.lead_extents}{rows}, {p.width}]" + ("" if p.known else ", n: i32[1]")
        out = f"y: f32[{self.lead_extents}{len(self.leaves)}, {rows}, {p.width}] filled"
        lines = [f"kernel protocol({head}) -> ({out}) {{", "machine gpu"]
        lines += [f"grid g: {p.points} parallel"] * (p.points > 1) + [f"cluster c: {p.blocks}"] * (p.blocks > 1)
        lines += [f"threads t: {sum(group.size for group in p.groups)}", *self.declared()]
        threads = [self.thread(g, i) for g, group in enumerate(p.groups) for i in range(group.size)]
        return [*(Line(line) for line in lines), *(line for thread in threads for line in thread), Line("}")]


def text(lines: list[Line]) -> str:
    """The lines, indented."""
    depth, written = 0, []
    for line in lines:
        depth -= line.text == "}"
        written.append("  " * depth + line.text)
        depth += line.text.endswith("{")
    return "\n".join(written) + "\n"


def broken(p: Protocol, pick: random.Random) -> str:
    """The text without one of the waits and arrivals that it needs; empty where there is none."""
    lines = Writer(p).lines()
    needed = [n for n, line in enumerate(lines) if line.needed]
    if not needed:
        return ""
    out = pick.choice(needed)
    return text(lines[:out] + lines[out + 1 :])


# ---- making one smaller ----


def without(p: Protocol, g: int) -> Protocol:
    """Without a group that hands nothing on."""
    groups = [
        dataclasses.replace(group, above=group.above - (group.above > g)) for h, group in enumerate(p.groups) if h != g
    ]
    return dataclasses.replace(p, groups=tuple(groups))


def changed(p: Protocol, g: int, **fields: object) -> Protocol:
    """With other fields of a group."""
    groups = list(p.groups)
    groups[g] = dataclasses.replace(groups[g], **fields)  # type: ignore[arg-type]
    return dataclasses.replace(p, groups=tuple(groups))


def with_fewer_items(p: Protocol) -> Protocol:
    """One item less for all that have several."""
    groups = [dataclasses.replace(group, items=max(group.items - 1, 1)) for group in p.groups]
    return dataclasses.replace(p, groups=tuple(groups))


SIMPLE = Group(0)


def smaller(p: Protocol) -> Iterator[Protocol]:
    """Protocols that are a step simpler, still correct."""
    for g in reversed(range(1, len(p.groups))):
        if not p.below(g) and len(p.groups) > 2:
            yield without(p, g)
    yield with_fewer_items(p)
    yield from (
        dataclasses.replace(p, **{name: value}) for name, value in (("points", 1), ("known", True), ("width", 1))
    )
    if all(group.way not in ("multicast", "peer") for group in p.groups):
        yield dataclasses.replace(p, blocks=1)
    for g, group in enumerate(p.groups):
        for name in ("arrivals", "way", "inner", "keeps", "total", "late", "copies_out"):
            yield changed(p, g, **{name: getattr(SIMPLE, name)})
        if group.manner == "turns":
            yield changed(p, g, manner="all")
        if group.manner == "all" and group.size > 1:
            yield changed(p, g, size=group.size - 1)
        if len(group.shape) > 1:
            yield changed(p, g, shape=(group.slots,))
        if group.slots > 1 and "dealt" not in (group.manner, p.groups[group.above].manner):
            yield changed(p, g, shape=(group.slots - 1,))
