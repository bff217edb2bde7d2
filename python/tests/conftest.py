"""What the tests share."""

import pathlib

import pytest


@pytest.fixture(scope="session")
def examples() -> pathlib.Path:
    return pathlib.Path(__file__).resolve().parents[2] / "examples"
