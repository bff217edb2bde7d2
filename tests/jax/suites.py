"""A package's own tests on Kiln: test cases with every Pallas call on Kiln, told that they are on a TPU or a GPU."""

from __future__ import annotations

import contextlib
import importlib
import re
import signal
import unittest
from collections.abc import Iterator
from typing import Any

import census
import drivers
from pretend import pretend, tests_hear

import kiln.pallas as kp


class TooLong(Exception):
    """A test that does not end in its time."""


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TooLong in the block when it takes longer."""

    def ring(*_: Any) -> None:
        raise TooLong(f"no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def cases(suite: Any) -> Iterator[unittest.TestCase]:
    """The tests of a suite, one by one."""
    for test in suite:
        if isinstance(test, unittest.TestCase):
            yield test
        else:
            yield from cases(test)


def verdict(test: unittest.TestCase, seconds: int) -> str:
    """How a test ended: nothing when it passed, `skipped: why`, or what went wrong."""
    result = unittest.TestResult()
    try:
        with time_limit(seconds):
            test.run(result)
    except TooLong as error:
        return str(error)
    if result.skipped:
        return f"skipped: {result.skipped[0][1]}"
    wrong = [text for _, text in result.errors + result.failures]
    return _last_error(wrong[0]) if wrong else ""


def _last_error(text: str) -> str:
    """The last error of a traceback and what it says, on one line."""
    found = re.split(r"^(?=[\w.]*Error\b)", text, flags=re.M)
    return " ".join(found[-1].split())[:200] if len(found) > 1 else "failed"


def run(suite: drivers.Suite, on: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Runs the first tests that launch kernels: the kernels, and the verdicts on those tests."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = [suite.pattern]
    tests = cases(loader.loadTestsFromModule(importlib.import_module(suite.module)))
    verdicts: list[str] = []
    with (
        pretend(suite.platform),
        tests_hear(suite.platform),
        census.open_census(run=True) as notes,
        kp.interpreter(on=on),
    ):
        for test in tests:
            before = notes.count
            told = verdict(test, suite.seconds)
            if notes.count > before:
                verdicts.append(told)
            if len(verdicts) >= suite.most:
                break
    return list(notes.kernels.values()), verdicts
