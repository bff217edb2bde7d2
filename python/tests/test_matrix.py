"""The list of primitives in docs/ is what the op table and the exporter say."""

import pathlib

from kiln.pallas import matrix

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "jax-primitives.md"


def test_page_is_current():
    assert PAGE.read_text() == matrix.markdown(), "python -m kiln.pallas.matrix > docs/jax-primitives.md"
