"""Labels of features as the user meets them: what they say, where they come from, their history."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import share_text
from components.feature_links import feature_href
from components.icons import icon
from components.runs import time_element
from services.types.labels import FeatureLabels, Label, LabelChange, LabelSource

Id = dict[str, Any]

# what a source is called, its icon
_SOURCES: dict[LabelSource, tuple[str, str]] = {
    LabelSource.HUMAN: ("Human", "pen"),
    LabelSource.AUTOMATIC: ("Automatic", "models"),
    LabelSource.IMPORTED: ("Imported", "upload"),
}
_ACTIONS = {
    "add": "added",
    "edit": "changed",
    "remove": "removed",
    "choose": "chose",
    "star": "starred it",
    "unstar": "took the star away",
    "skip": "skipped it",
    "unskip": "put it back into the queue",
    "import": "imported",
    "undo": "undid a change",
}
_FIELDS = ("text", "category", "confidence", "notes", "source", "source_name")
_SHOWN = 120  # characters of a text in the history


def source_badge(source: LabelSource, name: str | None) -> html.Span:
    """Where a label comes from, by word and icon."""
    word, picture = _SOURCES[source]
    text = f"{word}: {name}" if name else word
    return html.Span([icon(picture, 14), text], className="as-source")


def notes_view(notes: str) -> dcc.Markdown:
    """Notes as they are to be read: Markdown without HTML; of pictures the links to them.

    A picture would be fetched from wherever the notes say.
    """
    return dcc.Markdown(
        without_pictures(notes), className="as-label-notes", dangerously_allow_html=False
    )


def without_pictures(notes: str) -> str:
    """Markdown whose pictures are links; the form does the same in the browser."""
    return re.sub(r"!+\[", "[", notes)  # all of the signs: "!![" would leave one


def label_cards(known: FeatureLabels, act: Callable[[str, str], Id]) -> html.Ul:
    """The labels beside each other, the chosen one first; `act` names a label's buttons."""
    chosen = known.marks.label and known.marks.label.label_id
    cards = [_card(label, label.label_id == chosen, act) for label in known.labels]
    return html.Ul(cards, className="as-label-cards", **{"aria-label": "Labels"})


def _card(label: Label, is_chosen: bool, act: Callable[[str, str], Id]) -> html.Li:
    head = [html.Strong(label.text, className="as-label-text")]
    if is_chosen:
        head.append(html.Span([icon("check", 14), "Chosen"], className="as-status as-good"))
    facts: list[Any] = [source_badge(label.source, label.source_name)]
    if label.category:
        facts.append(html.Span(label.category, className="as-chip"))
    if label.confidence is not None:
        facts.append(html.Span(f"confidence {share_text(label.confidence)}"))
    facts += [html.Span(label.author), time_element(label.updated_at)]
    return html.Li(
        [
            html.Div(head, className="as-label-head"),
            html.Div(facts, className="as-label-facts"),
            notes_view(label.notes) if label.notes.strip() else None,
            html.Div(_buttons(label, is_chosen, act), className="as-label-acts"),
        ],
        className="as-label-card as-current" if is_chosen else "as-label-card",
        key=label.label_id,
    )


def _buttons(label: Label, is_chosen: bool, act: Callable[[str, str], Id]) -> list[Any]:
    does = [("edit", "Edit"), ("remove", "Remove")]
    if not is_chosen:
        does.insert(0, ("choose", "Choose"))
    return [
        dmc.Button(
            word, id=act(label.label_id, do), variant="default", size="compact-sm",
            **{"aria-label": f"{word} label {label.text}"},
        )
        for do, word in does
    ]  # fmt: skip


def change_lines(
    changes: Sequence[LabelChange],
    undo: Callable[[LabelChange], Id],
    texts: Mapping[str, str] | None = None,
    *,
    with_feature: bool = False,
) -> list[html.Li]:
    """The history, newest first; `texts` are the labels that there are, by id."""
    return [_change(change, undo(change), texts or {}, with_feature) for change in changes]


def _change(change: LabelChange, undo: Id, texts: Mapping[str, str], with_feature: bool) -> html.Li:
    said = [html.Span(change.author, className="as-change-author"), " "]
    if with_feature:
        href = feature_href(change.sae_id, change.feature_id)
        said += [dcc.Link(f"#{change.feature_id}", href=href), " "]
    said.append(html.Span(change_text(change, texts)))
    button = dmc.Button(
        "Undo", id=undo, variant="default", size="compact-sm",
        **{"aria-label": f"Undo: {change_text(change, texts)}"},
    )  # fmt: skip
    undone = html.Span("undone", className="as-muted as-small")
    return html.Li(
        [
            time_element(change.at),
            html.Div(said, className="as-change-said"),
            undone if change.is_undone else button,
        ],
        className="as-change as-undone" if change.is_undone else "as-change",
        key=str(change.change_id),
    )


def batch_line(changes: Sequence[LabelChange], undo: Id, shown: Sequence[html.Li]) -> html.Li:
    """Changes that were made together, which are undone together; `shown` are some of them."""
    newest, n = changes[0], len(changes)
    words = {_ACTIONS.get(change.action, change.action) for change in changes}
    text = f"{' and '.join(sorted(words))}: {n:,} changes made together"
    button = dmc.Button(
        "Undo all", id=undo, variant="default", size="compact-sm",
        **{"aria-label": f"Undo all of it: {text}"},
    )  # fmt: skip
    is_undone = all(change.is_undone for change in changes)
    said = [html.Span(newest.author, className="as-change-author"), " ", html.Span(text)]
    more = html.Li(f"and {n - len(shown):,} more", className="as-muted as-small")
    return html.Li(
        [
            time_element(newest.at),
            html.Div(said, className="as-change-said"),
            html.Span("undone", className="as-muted as-small") if is_undone else button,
            html.Ul([*shown, *([more] if n > len(shown) else [])], className="as-changes"),
        ],
        className="as-change as-batch",
        key=newest.batch_id,
    )


def change_text(change: LabelChange, texts: Mapping[str, str]) -> str:
    """What was done, in words, with the values that changed."""
    before, after = change.before or {}, change.after or {}
    word = _ACTIONS.get(change.action, change.action)
    if change.action == "skip":
        return f"{word}: {_short(after.get('skip_reason'))}"
    if "chosen_label_id" in after and "label_id" not in before:
        return f"{word} “{_short(texts.get(str(after['chosen_label_id']), 'another label'))}”"
    if "label_id" in before and "label_id" in after:
        differ = [name for name in _FIELDS if name in after and before.get(name) != after[name]]
        values = [f"{n} {_short(before.get(n))} → {_short(after[n])}" for n in differ]
        return f"{word} {'; '.join(values)}".rstrip()
    text = after.get("text", before.get("text"))
    return word if text is None else f"{word} “{_short(text)}”"


def _short(value: Any) -> str:
    if value is None or value == "":
        return "none"
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
