"""Labels as they are shown: notes fetch nothing from elsewhere."""

from __future__ import annotations

import pytest

from components.labels import without_pictures


@pytest.mark.parametrize(
    ("notes", "shown"),
    [
        ("a ![picture](https://example.org/x.png)", "a [picture](https://example.org/x.png)"),
        ("!![[x](u)](https://example.org/x.png)", "[[x](u)](https://example.org/x.png)"),
        ("![![a](b)](c)", "[[a](b)](c)"),
        ("really! [a link](/runs)!", "really! [a link](/runs)!"),
    ],
)
def test_pictures_in_notes_are_links(notes: str, shown: str) -> None:
    assert without_pictures(notes) == shown
    assert "![" not in shown
