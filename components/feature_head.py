"""What a feature is, in the first lines of its page: name, place, numbers, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import count_text, number_text, share_text
from components.corpora import corpus_href
from components.entries import listed, model_href, outward, sae_href
from components.feature_links import feature_href
from components.icons import icon
from components.token_text import readable
from services.types.features import ActivationRegion, Bounds, FeatureView, FeatureWarning
from services.types.labels import FeatureMarks


def name_line(marks: FeatureMarks | None) -> html.Div:
    """The chosen label, with where it is from; that there is none otherwise."""
    label = None if marks is None else marks.label
    if label is None:
        return html.Div(
            html.Span("No label yet", className="as-muted"), className="as-feature-name"
        )
    said = [label.source.value, label.source_name, label.category]
    more = readable(" · ".join(str(part) for part in said if part))
    return html.Div(
        [html.Span(readable(label.text)), html.Span(more, className="as-muted as-small")],
        className="as-feature-name",
    )


def place_line(view: FeatureView) -> html.Dl:
    """SAE, model, hook point and what its evidence is from."""
    source = view.source
    parts: list[tuple[str, Any]] = [
        ("SAE", dcc.Link(view.sae_id, href=sae_href(view.sae_id))),
        ("Model", dcc.Link(view.model_id, href=model_href(view.model_id))),
        ("Hook point", html.Code(view.hook_name)),
    ]
    if source is not None:
        corpus = dcc.Link(source.corpus_name, href=corpus_href(source.corpus_id))
        store = dcc.Link(
            "extraction", href=listed("/extraction", id=source.store_id), className="as-small"
        )
        size = f"{source.n_counted:,} tokens, {source.n_documents:,} documents"
        so_far = "" if source.is_complete else " so far"
        parts.append(("Corpus", [corpus, f" · {size}{so_far} · ", store]))
    terms = [html.Div([html.Dt(term), html.Dd(value)]) for term, value in parts]
    return html.Dl(terms, className="as-feature-place")


def step_links(view: FeatureView, **query: Any) -> list[Any]:
    """The live features before and after this one."""
    steps = (("Previous", view.previous), ("Next", view.next))
    live = "live " if view.source is not None else ""
    return [
        dcc.Link(
            name, href=feature_href(view.sae_id, number, **query), className=_STEP,
            title=f"{name} {live}feature, #{number}",
        )
        if number is not None
        else html.Span(name, className=f"{_STEP} as-button-off")
        for name, number in steps
    ]  # fmt: skip


_STEP = "as-button as-button-quiet as-button-small"


def neuronpedia_link(url: str | None) -> Any:
    """Its page there, where the SAE is known to be there."""
    return None if url is None else outward("Neuronpedia", url)


def warnings_list(warnings: Sequence[FeatureWarning]) -> Any:
    """Why its evidence must be read with care, in whole sentences."""
    if not warnings:
        return None
    items = [
        html.Li([icon("warning", 15), html.Span(warning.text)], className="as-warn")
        for warning in warnings
    ]
    return html.Ul(items, className="as-feature-warnings", **{"aria-label": "Warnings"})


def feature_numbers(view: FeatureView) -> Any:
    """What is known from the whole store, with the 95 % intervals of what is an estimate."""
    known = view.known
    if known is None:
        return None
    numbers = [
        ("Activations", count_text(known.n), None),
        ("Density", share_text(known.token_density), _between(view.density, share=True)),
        ("Documents", count_text(known.n_documents), None),
        ("Share of documents", share_text(known.document_density),
         _between(view.document_density, share=True)),
        ("Largest", number_text(known.max), None),
        ("Mean", number_text(known.mean), _between(view.mean)),
        ("Median", number_text(known.quantiles.get("p50")), None),
        ("Standard deviation", number_text(known.std), None),
        ("Rank by density", count_text(view.density_rank), _of_live(view)),
        ("IDF", number_text(known.idf), None),
    ]  # fmt: skip
    terms = [
        html.Div([html.Dt(term), html.Dd([value, _more(more)])]) for term, value, more in numbers
    ]
    return html.Dl(terms, className="as-numbers as-numbers-feature")


def _of_live(view: FeatureView) -> str | None:
    if view.density_rank is None or view.n_live is None:
        return None
    return f"of {view.n_live:,} that fire"


def _between(bounds: Bounds | None, *, share: bool = False) -> str | None:
    """The interval in words."""
    if bounds is None:
        return None
    form = share_text if share else number_text
    return f"{form(bounds.low).removesuffix(' %')} – {form(bounds.high)}"


def _more(text: str | None) -> Any:
    return None if text is None else html.Span(text, className="as-number-more")


def regions_bar(regions: Sequence[ActivationRegion], button: Any) -> Any:
    """How its activations are spread below the effective maximum; each part can be chosen.

    `button(low, high)` is the id of the button that shows the examples of a part.
    """
    shown = [region for region in regions if region.n]
    if not shown:
        return None
    items = [
        html.Li(
            html.Button(
                [
                    html.Span(region.name, className="as-region-name"),
                    html.Span(share_text(region.share), className="as-num"),
                    html.Span(
                        f"{number_text(region.low)} to {number_text(region.high)}",
                        className="as-muted as-num as-small",
                    ),
                    html.Span(
                        html.Span(style={"width": f"{100 * min(1.0, region.share):.4g}%"}),
                        className="as-region-track",
                    ),
                ],
                id=button(region.low, region.high), type="button", className="as-region",
                **{"aria-label": f"Examples of the {region.n:,} activations in the region "
                                 f"{region.name}, {share_text(region.share)} of all"},
            )
        )
        for region in reversed(shown)
    ]  # fmt: skip
    return html.Ul(items, className="as-regions", **{"aria-label": "Regions of activation"})


def no_store(sae_id: str) -> dmc.Alert:
    """Why there is no evidence from text, and what makes some."""
    link = dcc.Link(
        "Extract its features over a corpus", href=listed("/extractions/new", sae=sae_id)
    )
    text = "What its decoder says is below; what it fires on needs an extraction over a corpus."
    return dmc.Alert(
        [dmc.Text(text), link], title="This SAE has read no corpus yet", color="yellow",
        variant="light", icon=icon("warning", 20), className="as-warning",
    )  # fmt: skip
