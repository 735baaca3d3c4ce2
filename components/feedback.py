"""What a page says when there is nothing, something wrong, something to wait for or to confirm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components import ids
from components.icons import icon

_SHOWN_DETAILS = 8


def empty_state(title: str, text: str, action: Any = None, *, icon_name: str = "empty") -> html.Div:
    """Why there is nothing here and what to do about it; `action` is a button or a link."""
    return html.Div(
        [
            html.Div(icon(icon_name, 28), className="as-empty-mark"),
            dmc.Text(title, fw=600, size="lg"),
            dmc.Text(text, className="as-muted", maw=440),
            None if action is None else html.Div(action, className="as-empty-action"),
        ],
        className="as-empty",
    )


def error_alert(
    error_code: str, message: str, details: Mapping[str, Any] | None = None, *, action: Any = None
) -> Any:
    """An error the user can do something about: what is wrong first, the code for a report last."""
    shown = [
        html.Div([html.Dt(str(key)), html.Dd(_shortened(value))])
        for key, value in list((details or {}).items())[:_SHOWN_DETAILS]
        if key != "problems"
    ]
    return dmc.Alert(
        [
            dmc.Text(message, className="as-error-message"),
            html.Dl(shown, className="as-error-details") if shown else None,
            html.Div([dmc.Code(error_code), action], className="as-error-foot"),
        ],
        title="This did not work",
        color="red",
        variant="light",
        icon=icon("warning", 20),
        className=f"as-error as-error-{error_code.lower().replace('_', '-')}",
    )


def notice(title: str, message: str, *, kind: str = "info") -> dict[str, Any]:
    """A toast for `Shell.NOTICES.sendNotifications=[...]`; `kind`: info, done or error."""
    colour, picture = {
        "info": ("accent", "info"), "done": ("teal", "check"), "error": ("red", "warning")
    }[kind]  # fmt: skip
    return {
        "action": "show",
        "title": title,
        "message": message,
        "color": colour,
        "icon": icon(picture),
        "autoClose": False if kind == "error" else 5000,
    }


def loading(rows: int = 3, *, label: str = "Loading") -> html.Div:
    """A placeholder in the shape of text while something loads."""
    bars = [dmc.Skeleton(h=14, w=f"{100 - 14 * (i % 3)}%", radius="sm") for i in range(rows)]
    return html.Div(
        [dmc.VisuallyHidden(label), dmc.Stack(bars, gap="sm")],
        role="status",
        className="as-loading",
    )


def code_block(code: str, *, id: str | dict[str, Any], label: str = "Code") -> html.Div:
    """Code to take away, with a button that copies it; `id` is the code's own."""
    return html.Div(
        [
            html.Button(
                [icon("copy", 16), html.Span("Copy", className="as-copy-label")],
                className="as-copy",
                type="button",
                **{"data-copy": "code", "aria-label": f"Copy {label.lower()}"},
            ),
            html.Pre(html.Code(code, id=id), tabIndex=0, role="region", **{"aria-label": label}),
        ],
        className="as-code",
    )


def copyable(text: str, *, label: str) -> html.Span:
    """A short value in monospace (an id) with a button that copies it."""
    return html.Span(
        [
            html.Code(text, className="as-id"),
            html.Button(
                icon("copy", 14),
                className="as-copy as-copy-small",
                type="button",
                **{"data-copy": "code", "aria-label": f"Copy {label}"},
            ),
        ],
        className="as-copyable",
    )


def confirm_modal(
    name: str, *, title: str, text: str, confirm_label: str, danger: bool = True
) -> dmc.Modal:
    """A question before something that cannot be undone.

    Open it with `Output(name, "opened")`; its buttons are `ids.confirm(name)` and
    `ids.dismiss(name)`.
    """
    buttons = [
        dmc.Button("Keep", id=ids.dismiss(name), variant="default"),
        dmc.Button(confirm_label, id=ids.confirm(name), color="red" if danger else "accent"),
    ]
    return dmc.Modal(
        [dmc.Text(text), dmc.Group(buttons, justify="flex-end", mt="lg")],
        id=name,
        title=title,
        opened=False,
        centered=True,
        size="sm",
        closeButtonProps={"aria-label": "Close"},
    )


def _shortened(value: Any, limit: int = 300) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
