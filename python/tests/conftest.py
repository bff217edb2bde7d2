"""What the tests share."""

import pathlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--update: expected texts are written anew."""
    parser.addoption("--update", action="store_true", help="write the expected texts anew")


@pytest.fixture(scope="session")
def update(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--update")


@pytest.fixture(scope="session")
def examples() -> pathlib.Path:
    return pathlib.Path(__file__).resolve().parents[2] / "examples"
