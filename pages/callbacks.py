"""Callbacks declared beside their functions and attached to an app later.

Dash's own `@callback` belongs to the first app of a process; a `CallbackSet` can be installed into
any number of apps, and the decorated functions stay plain functions for tests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from dash import Dash, State, set_props
from dash.exceptions import PreventUpdate

from pages.errors import notify, show_inline

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Declared:
    function: Callable[..., Any] | str
    dependencies: tuple[Any, ...]
    options: dict[str, Any]
    errors_in: str | None


class CallbackSet:
    """What one module wants to have called, in the order of declaration."""

    def __init__(self) -> None:
        self._declared: list[_Declared] = []

    def on(
        self, *dependencies: Any, errors_in: str | None = None, **options: Any
    ) -> Callable[[Function], Function]:
        """Declare the function below as a callback; it is called by user actions only unless told.

        With `errors_in` an error appears inside the component of that id, and the next success
        clears it; without, it appears as a notification.
        """
        options.setdefault("prevent_initial_call", True)

        def declare(function: Function) -> Function:
            self._declared.append(_Declared(function, dependencies, options, errors_in))
            return function

        return declare

    def clientside(self, source: str, *dependencies: Any, **options: Any) -> None:
        """Declare a JavaScript function as a callback."""
        options.setdefault("prevent_initial_call", True)
        self._declared.append(_Declared(source, dependencies, options, None))

    def install(self, app: Dash) -> None:
        """Attach all of them to `app`."""
        for one in self._declared:
            if isinstance(one.function, str):
                app.clientside_callback(one.function, *one.dependencies, **one.options)
            else:
                function, dependencies = _clearing(one)
                if one.options.get("background"):
                    function = _reporting(function, one.errors_in)
                app.callback(*dependencies, **one.options, **_error_edge(one.errors_in))(function)


def _error_edge(slot: str | None) -> dict[str, Any]:
    return {} if slot is None else {"on_error": functools.partial(show_inline, slot)}


def _reporting(function: Callable[..., Any], slot: str | None) -> Callable[..., Any]:
    """`function`, showing its errors itself: Dash hands on those of a background job as text."""
    show = notify if slot is None else functools.partial(show_inline, slot)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except PreventUpdate:
            raise
        except Exception as error:
            show(error)
            raise PreventUpdate from error

    return wrapped


def _clearing(one: _Declared) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Its function, taking down the error in its slot once it succeeds; and its dependencies.

    Only where an error stands: the browser complains of a slot on a page that was left meanwhile.
    """
    function, slot = one.function, one.errors_in
    assert callable(function)
    if slot is None:
        return function, one.dependencies

    @functools.wraps(function)
    def wrapped(*args: Any) -> Any:
        *given, shown = args
        result = function(*given)
        if shown:
            set_props(slot, {"children": None})
        return result

    return wrapped, (*one.dependencies, State(slot, "children", allow_optional=True))
