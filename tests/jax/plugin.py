"""pytest plugin: JAX's own tests with every Pallas call on Kiln, one JSON line per test.

run.py starts pytest with it and gives the settings in KILN_CONFORMANCE as JSON: `rows` (the file of lines), `on`,
`every`, `shard` [k, n], `extra` (JAX's checkout, for two modules that its wheel leaves out), `gpu` (whether tests are
told that they are on a GPU), `devices` (how many), `texts` (a folder for the kernels of units that are launched, or
nothing).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

import pretend
import pytest

WANTED = json.loads(os.environ["KILN_CONFORMANCE"])
ROWS = pathlib.Path(WANTED["rows"])


class Watch:
    """What happened in the test that runs."""

    def __init__(self, name: str) -> None:
        self.row: dict[str, Any] = {"id": name, "outcome": "passed", "why": "", "lowered": 0, "refused": ""}
        self.start = time.monotonic()


_now = Watch("")


def _write(row: dict[str, Any]) -> None:
    with ROWS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _find_missing_modules() -> None:
    import jax._src
    import jax._src.pallas

    extra = pathlib.Path(WANTED["extra"])
    jax._src.__path__.append(str(extra / "jax" / "_src"))
    jax._src.pallas.__path__.append(str(extra / "jax" / "_src" / "pallas"))


def _count_lowerings() -> None:
    """Notes every Pallas call that reaches Kiln, and what it is refused for."""
    from kiln.pallas import bridge

    call, check = bridge._call, bridge._check_mode

    def counted_check(interpret: Any) -> None:
        _now.row["lowered"] += 1
        check(interpret)

    def counted(*args: Any, **params: Any) -> Any:
        try:
            return call(*args, **params)
        except Exception as error:
            _now.row["refused"] = f"{type(error).__name__}: {error}"[:500]
            raise

    bridge._check_mode, bridge._call = counted_check, counted


def _save_texts(folder: pathlib.Path) -> None:
    """Each kernel of units as a file, once: tests/ws/texts.py runs them."""
    from kiln.pallas import door

    enter = door.enter

    def saved(text: str, *args: Any) -> Any:
        if "machine gpu" in text:
            (folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.kiln").write_text(text)
        return enter(text, *args)

    door.enter = saved


def pytest_configure(config: pytest.Config) -> None:
    """Kiln on, for the whole process."""
    _find_missing_modules()
    _count_lowerings()
    if WANTED["texts"]:
        _save_texts(pathlib.Path(WANTED["texts"]))
    from kiln.kernel import request_settings
    from kiln.pallas import bridge

    stack = contextlib.ExitStack()
    room = {"resident": pretend.MULTIPROCESSORS} if WANTED["gpu"] and WANTED["on"] == "host" else {}
    stack.enter_context(bridge.switched(request_settings(WANTED["on"], False, None, room)))
    if WANTED["gpu"]:
        import meanings  # noqa: F401  (of code for NVIDIA's compiler)

        stack.enter_context(pretend.every_gpu(WANTED["devices"]))
    config.add_cleanup(stack.close)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of this shard that are not done."""
    done = {json.loads(line)["id"] for line in ROWS.read_text().splitlines()} if ROWS.exists() else set()
    shard, shards = WANTED["shard"]
    items[:] = [item for item in items[:: WANTED["every"]][shard::shards] if item.nodeid not in done]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Notes which test runs, so that run.py knows whom to blame, and writes its line at the end."""
    global _now
    from kiln.pallas import door

    _now = Watch(item.nodeid)
    ROWS.with_suffix(".running").write_text(item.nodeid)
    before = door.count()
    yield
    _write({**_now.row, "launches": door.count() - before, "seconds": round(time.monotonic() - _now.start, 3)})


def _reason(report: pytest.TestReport) -> str:
    if report.skipped:
        return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    text = str(report.longrepr)
    marked = [line[1:].strip() for line in text.splitlines() if re.match(r"E\s+\S", line)]
    return "\n".join(marked[:12]) or text[-500:]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The worst of set-up, call and tear-down is the outcome."""
    if report.failed or (report.skipped and _now.row["outcome"] == "passed"):
        _now.row["outcome"] = "failed" if report.failed else "skipped"
        _now.row["why"] = _reason(report)[:1500]
