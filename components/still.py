"""What only is to be read, as one component.

Dash looks at each of its components again whenever an answer comes: tables of a thousand cells keep
a page busy for seconds. The browser's half is `assets/actiscope_still.js`; text only ever becomes
text there.
"""

from __future__ import annotations

from typing import Any

from dash.development.base_component import Component

_HTML = "dash_html_components"
_TAGS = frozenset(
    ("Code", "Div", "H3", "Li", "Mark", "Ol", "P", "Span", "Table", "Tbody", "Td", "Th", "Thead",
     "Tr", "Ul")
)  # fmt: skip
_STANDS_FOR = {"Link": "a", "VisuallyHidden": "span"}
_ATTRIBUTES = frozenset({"className", "href", "role", "scope", "tabIndex", "title"})
_HIDDEN = {"className": "as-offscreen"}


class Still(Component):
    """Elements without ids; needs the script in assets.

    In:  tree: text, a list of trees, or {"tag", "attributes", "children"}.
    """

    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "actiscope"
    _type = "Still"
    _prop_names = ["id", "tree"]
    _valid_wildcard_attributes: list[str] = []
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []

    def __init__(self, **props: Any) -> None:
        super().__init__(**props)


def still(children: Any) -> Still:
    """`children`, plain elements and links, as one component.

    Raises:
        ValueError: there is one among them that does something, or has an id.
    """
    return Still(tree=_tree(children))


def _tree(node: Any) -> Any:
    if node is None or isinstance(node, str | int | float):
        return node
    if isinstance(node, list | tuple):
        return [_tree(one) for one in node]
    tag, props = _tag(node), node.to_plotly_json()["props"]
    children = _tree(props.pop("children", None))
    if wrong := [name for name in props if not _may_stand(name)]:
        raise ValueError(f"a still {tag} has no {', '.join(wrong)}")
    attributes = props | (_HIDDEN if node._type == "VisuallyHidden" else {})
    return {"tag": tag, "attributes": attributes, "children": children}


def _tag(node: Component) -> str:
    if node._namespace == _HTML and node._type in _TAGS:
        return str(node._type).lower()
    if node._type in _STANDS_FOR:
        return _STANDS_FOR[node._type]
    raise ValueError(f"{node._type} cannot be still")


def _may_stand(name: str) -> bool:
    return name in _ATTRIBUTES or name.startswith(("aria-", "data-"))
