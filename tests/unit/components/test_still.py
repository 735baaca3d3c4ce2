"""What only is to be read, as one component."""

from __future__ import annotations

import dash_mantine_components as dmc
import pytest
from dash import dcc, html

from components.still import still
from components.tables import Column, table


def test_elements_become_a_tree_with_their_text_as_it_is() -> None:
    link = dcc.Link(["on", dmc.VisuallyHidden(" it")], href="/x", className="as-small")
    found = still([html.P(["<b>", html.Code("&")], className="as-muted"), link, None]).tree
    code = {"tag": "code", "attributes": {}, "children": "&"}
    hidden = {"tag": "span", "attributes": {"className": "as-offscreen"}, "children": " it"}
    attributes = {"href": "/x", "className": "as-small"}
    assert found == [
        {"tag": "p", "attributes": {"className": "as-muted"}, "children": ["<b>", code]},
        {"tag": "a", "attributes": attributes, "children": ["on", hidden]},
        None,
    ]


def test_a_table_keeps_what_screen_readers_need() -> None:
    box = still(table("Ages", [Column("Name"), Column("Age", number=True)], [["Ada", "7"]])).tree
    assert box["attributes"]["aria-label"] == "Ages" and box["attributes"]["tabIndex"] == 0
    head, body = box["children"]["children"]
    assert [cell["attributes"]["scope"] for cell in head["children"]["children"]] == ["col"] * 2
    name, age = body["children"][0]["children"]
    assert name["tag"] == "th" and age["attributes"]["data-label"] == "Age"


@pytest.mark.parametrize(
    "wrong",
    [html.Button("b"), html.P("p", id="x"), html.Script("s"), dcc.Input(), html.P("p", style={})],
)
def test_what_does_something_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"cannot be still|has no"):
        still([wrong])
