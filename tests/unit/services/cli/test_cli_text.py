"""Text for terminals: nothing that a token says is obeyed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.settings_report import masked
from services.cli.text import paint, printable, strip, table
from tests import corpus
from tests.factories import run_view

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from([*corpus.TEXTS.values()])
)
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    shown = printable(text)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "\n" not in printable(text, newline=" ")


def test_a_newline_is_seen_and_breaks_the_line() -> None:
    assert printable("a\nb\tc\x1b[31m") == "a⏎\nb\\x09c\\x1b[31m"


def test_the_strip_holds_every_token_in_order_with_and_without_colour() -> None:
    view = run_view()
    plain = "".join(token.text for token in view.tokens)
    assert strip(view, view.timeline(None), colour=False) == plain
    assert _ANSI.sub("", strip(view, view.timeline(None), colour=True)) == plain


def test_a_run_without_features_is_a_plain_strip() -> None:
    view = run_view(timelines=())
    assert "\x1b[48" not in strip(view, None, colour=True)


def test_stronger_is_another_step_of_the_scale_and_weak_is_plain() -> None:
    steps = [paint("x", float(s)) for s in np.linspace(0, 1, 200)]
    distinct = list(dict.fromkeys(steps))
    assert distinct[0] == "x"
    assert len(distinct) == 8
    assert steps[-1] == paint("x", 1.0)


def test_colour_never_crosses_a_line_break() -> None:
    for line in paint("ab\ncd\n", 1.0).split("\n"):
        assert not line or line.endswith("\x1b[0m")


def test_a_table_aligns_and_defuses_its_cells() -> None:
    shown = table(("NAME", "N"), [("a\x1b[2J", 5), ("longer", 12)], right="lr")
    assert shown.splitlines() == ["NAME       N", "a\\x1b[2J   5", "longer    12"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (8050, "8050"),
        ("sqlite:////tmp/a.sqlite", "sqlite:////tmp/a.sqlite"),
        ("postgresql+psycopg://u:s3cret@h/db", "postgresql+psycopg://u:********@h/db"),
        ("postgresql://u:a:b/c@d@h/db", "postgresql://u:********@h/db"),
        (
            "postgresql://h/db?user=u&password=x&a=b",
            "postgresql://h/db?user=u&password=********&a=b",
        ),
        ("postgresql+psycopg://u:p%40ss@h:5432/db", "postgresql+psycopg://u:********@h:5432/db"),
    ],
)
def test_passwords_in_urls_are_masked(value: object, shown: str) -> None:
    assert masked(value) == shown
