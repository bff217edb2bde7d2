"""The list of primitives in docs/ is what the op table, the exporter and JAX say."""

import pathlib

import pytest

jax = pytest.importorskip("jax")

from kiln.pallas import matrix

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "jax-primitives.md"


def test_page_is_current():
    if f"with JAX {jax.__version__}:" not in PAGE.read_text():
        pytest.skip(f"the page is made with another version of JAX than {jax.__version__}")
    assert PAGE.read_text() == matrix.markdown(), "python -m kiln.pallas.matrix > docs/jax-primitives.md"


def test_every_primitive_of_jax_is_lowered_or_refused_with_a_reason():
    found = matrix.classes()
    assert found["unknown"] == set()
    assert not found["refused"] & (found["op"] | found["rule"] | found["definition"])
