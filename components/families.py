"""Families of features: how many there are, each with its tokens, and the kept sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import count_text, number_text
from components.feature_links import compare_href, feature_href, features_href
from components.feature_lists import token_chips
from components.icons import icon
from components.token_text import readable
from services.types.features import FamilySizes, FeatureFamily, KeptFamilies

_MEMBERS = 12
_COMPARED = 6
_BARS = 24
_MOST_IN_ADDRESS = 20_000  # characters


def spans(features: Sequence[int]) -> str:
    """Numbers as an address carries them: 3,5,10-20."""
    pieces: list[list[int]] = []
    for feature in sorted(features):
        if pieces and feature == pieces[-1][1] + 1:
            pieces[-1][1] = feature
        else:
            pieces.append([feature, feature])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in pieces)


def sizes_line(sizes: FamilySizes) -> html.Div:
    """How many families there are at the threshold, and how large."""
    if not sizes.n_families:
        text = "No two features are each other's neighbours at this cosine: lower it."
        return html.Div(text, className="as-muted")
    said = [
        ("families", count_text(sizes.n_families)),
        ("features in them", count_text(sizes.n_features)),
        ("in none", count_text(sizes.n_alone)), ("in the largest", count_text(sizes.largest)),
        ("median size", number_text(sizes.median)),
    ]  # fmt: skip
    numbers = [html.Span([html.B(value), f" {name}"], className="as-num") for name, value in said]
    return html.Div([html.Div(numbers, className="as-sizes"), _bars(sizes)])


def _bars(sizes: FamilySizes) -> html.Div:
    """Families by size, as small bars; the words are for everybody else."""
    shown = list(sizes.by_size.items())[:_BARS]
    most = max(n for _, n in shown)
    bars = [
        html.Span(
            style={"height": f"{max(6, round(100 * n / most))}%"},
            title=f"{n:,} of {size:,} features", className="as-size-bar",
        )
        for size, n in shown
    ]  # fmt: skip
    words = ", ".join(f"{n} of {size}" for size, n in shown)
    return html.Div(bars, className="as-size-bars", role="img",
                    **{"aria-label": f"Families by number of features: {words}"})  # fmt: skip


def family_list(
    sae_id: str, families: Sequence[FeatureFamily], on_map: Callable[[int], Any]
) -> html.Ol:
    """Families with their tokens, cohesion and members."""
    items = [_family(sae_id, family, on_map) for family in families]
    start = families[0].number if families else 1
    return html.Ol(items, className="as-families", start=start)


def _family(sae_id: str, family: FeatureFamily, on_map: Callable[[int], Any]) -> html.Li:
    members, n = family.features, len(family.features)
    links = [
        dcc.Link(f"#{one}", href=feature_href(sae_id, one), className="as-member")
        for one in members[:_MEMBERS]
    ]
    if n > _MEMBERS:
        links.append(html.Span(f"and {n - _MEMBERS:,} more", className="as-muted"))
    ids = spans(members)
    compared = [(sae_id, one) for one in members[:_COMPARED]]
    name = f"family {family.number}"
    actions = [
        dmc.Button("On the map", id=on_map(family.number), variant="subtle", size="compact-xs",
                   **{"aria-label": f"Show {name} on the map"}),
        dcc.Link(["As a table", dmc.VisuallyHidden(f": {name}")],
                 href=features_href(sae_id, ids=ids), className="as-small")
        if len(ids) <= _MOST_IN_ADDRESS else None,
        dcc.Link(["Compare", dmc.VisuallyHidden(f" the first of {name}")],
                 href=compare_href(*compared), className="as-small"),
    ]  # fmt: skip
    head = [
        html.B(f"{n:,} features"),
        html.Span(f"cohesion {number_text(family.cohesion)}", className="as-muted as-num"),
        token_chips([token.text for token in family.tokens], 8) if family.tokens else None,
    ]
    return html.Li(
        [
            html.Div(head, className="as-family-head"),
            html.Div(links, className="as-members"),
            html.Div(actions, className="as-family-actions"),
        ]
    )


def kept_list(
    sets: Sequence[KeptFamilies], shown: str | None, href: Callable[[str], str],
    remove: Callable[[str], Any],
) -> Any:  # fmt: skip
    """The kept sets, each with its files."""
    if not sets:
        return dmc.Text("None kept yet.", className="as-muted")
    items = []
    for one in sets:
        address = f"/api/v1/saes/{quote(one.sae_id)}/families/kept/{one.set_id}"
        about = (
            f"{one.n_families:,} families, {one.n_features:,} features, cosine "
            f"{number_text(one.parameters.get('threshold'))}, {readable(one.author)}, "
            f"{one.created_at:%Y-%m-%d}"
        )
        name = readable(one.name)
        items.append(
            html.Li(
                [
                    dcc.Link(name, href=href(one.set_id),
                             className="as-current" if one.set_id == shown else ""),
                    html.Span(about, className="as-muted as-small"),
                    html.A("CSV", href=f"{address}?format=csv", download="",
                           **{"aria-label": f"{name} as CSV"}),
                    html.A("JSON", href=address, download=f"{one.set_id}.json",
                           **{"aria-label": f"{name} as JSON"}),
                    html.Button(icon("trash", 16), id=remove(one.set_id), type="button",
                                className="as-x", **{"aria-label": f"Remove {name}"}),
                ]
            )
        )  # fmt: skip
    return html.Ul(items, className="as-kept", **{"aria-label": "Kept families"})
