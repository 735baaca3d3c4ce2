"""The examples of the documentation, to be run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture
def docs_examples():
    """The Python blocks of a page."""

    def examples(page: str) -> list[str]:
        return re.findall(r"```python\n(.*?)```", (_DOCS / page).read_text(), re.DOTALL)

    return examples
