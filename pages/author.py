"""Whose name stands at what is written: a field of it, kept by the browser."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output

from components.ids import Shell
from pages.callbacks import CallbackSet
from pages.context import services
from pages.label_ids import author_field

callbacks = CallbackSet()


def author_input(at: str) -> dmc.TextInput:
    """The field of the user's name; `at` tells those of a page apart."""
    return dmc.TextInput(
        id=author_field(at), label="Your name", placeholder=services().settings.author,
        attributes={"input": {"maxLength": 100}},
    )  # fmt: skip


def author_of(kept: Any) -> str | None:
    """The name that the browser keeps; None where there is none, or no name."""
    return (kept.strip()[:100].rstrip() or None) if isinstance(kept, str) else None


callbacks.clientside(
    """
    (typed, kept) => {
      const {no_update, callback_context: {triggered}} = window.dash_clientside;
      const changed = (triggered || []).find(t => t.prop_id.includes('author-field'));
      const isTyped = changed && typeof changed.value === 'string';
      if (isTyped && (changed.value || '') !== (kept || '')) {
        const name = changed.value || null;
        return [name, typed.map(value => (value || '') === (name || '') ? no_update : name || '')];
      }
      return [no_update, typed.map(
        value => (value || '') === (kept || '') ? no_update : kept || '')];
    }
    """,
    Output(Shell.AUTHOR, "data"),
    Output(author_field(), "value"),
    Input(author_field(), "value"),
    Input(Shell.AUTHOR, "data"),
    prevent_initial_call=False,
)
