"""Dash's callback requests, checked against the callbacks that exist.

Dash trusts what arrives at `_dash-update-component`: an unknown output or a missing input ends in
a 500 there, and ids and property names are not looked at. Here each request must be one that the
page's own renderer could have sent; values stay untrusted and are the callbacks' to check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import current_app, request

from services.errors import InvalidArgument
from services.web.state import state

_CALLBACK = "_dash-update-component"
_DEPENDENCIES = "_dash-dependencies"


def is_callback() -> bool:
    """Whether the request calls a callback."""
    rule = request.url_rule
    return rule is not None and request.method == "POST" and rule.rule.endswith(_CALLBACK)


def check(body: Any) -> None:
    """Refuse a body that no page of this app sends.

    Raises:
        InvalidArgument: not an object, no callback has that output, or its inputs, state or
            outputs are not the callback's.
    """
    if not isinstance(body, dict):
        raise InvalidArgument("a callback request is a JSON object")
    spec = _spec(body.get("output"))
    _check_items("inputs", body.get("inputs", []), spec["inputs"])
    _check_items("state", body.get("state", []), spec["state"])
    _check_outputs(body.get("outputs", []), spec)
    changed = body.get("changedPropIds", [])
    if not isinstance(changed, list) or not all(isinstance(name, str) for name in changed):
        raise InvalidArgument("changedPropIds must be a list of strings")


def _spec(output: Any) -> dict[str, Any]:
    if not isinstance(output, str):
        raise InvalidArgument("output must name a callback")
    known = state().callbacks
    if output not in known:  # callbacks may be registered while layouts are built
        known.update(_registered())
    if output not in known or known[output].get("clientside_function"):
        raise InvalidArgument(
            f"there is no callback with the output {output[:200]!r}; reload the page"
        )
    return known[output]


def _registered() -> dict[str, Any]:
    endpoint = (request.endpoint or "").replace(_CALLBACK, _DEPENDENCIES)
    dependencies: Callable[[], Any] = current_app.view_functions[endpoint]
    listed = dependencies()
    return {spec["output"]: spec for spec in json.loads(listed.get_data())}


def _check_items(name: str, items: Any, expected: list[dict[str, Any]]) -> None:
    if not isinstance(items, list) or len(items) != len(expected):
        raise InvalidArgument(f"{name} must be a list of {len(expected)}")
    for item, spec in zip(items, expected, strict=True):
        _check_item(name, item, spec["id"], spec["property"])


def _check_outputs(outputs: Any, spec: dict[str, Any]) -> None:
    if spec.get("no_output"):
        return
    output = spec["output"]
    is_multi = output.startswith("..") and output.endswith("..")
    names = output[2:-2].split("...") if is_multi else [output]
    given = outputs if is_multi else [outputs]
    if not isinstance(given, list) or len(given) != len(names):
        raise InvalidArgument(f"outputs must be a list of {len(names)}")
    for item, name in zip(given, names, strict=True):
        component_id, _, prop = name.rpartition(".")
        # The renderer sends the property of a shared output with its hash, as it is registered.
        _check_item("outputs", item, component_id.replace("\\.", "."), prop)


def _check_item(name: str, item: Any, component_id: str, prop: str) -> None:
    """One input, state or output; a list of them where the id is a pattern over many."""
    is_pattern = component_id.startswith("{")
    for part in item if isinstance(item, list) and is_pattern else [item]:
        fits = (
            isinstance(part, dict)
            and part.get("property") == prop
            and (
                _matches(part.get("id"), json.loads(component_id))
                if is_pattern
                else part.get("id") == component_id
            )
        )
        if not fits:
            raise InvalidArgument(f"{name} must hold {component_id}.{prop}")


def _matches(given: Any, pattern: dict[str, Any]) -> bool:
    """Whether `given` is an id of the pattern: its keys, and its values but for wildcards."""
    return (
        isinstance(given, dict)
        and given.keys() == pattern.keys()
        and all(
            isinstance(value, (str, int, float)) if isinstance(wanted, list) else value == wanted
            for value, wanted in zip(given.values(), map(pattern.get, given), strict=True)
        )
    )
