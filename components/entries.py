"""What models and SAEs of the registry have in common: state, source, where they came from."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from dash import html

from components.feedback import copyable
from components.icons import icon
from services.types import EntryState, ModelCard, SaeCard, Source

SOURCES = {
    Source.HUGGINGFACE: "Hugging Face",
    Source.CATALOGUE: "Catalogue",
    Source.LOCAL: "Local",
    Source.TRAINED: "Trained here",
}
"""What each source is called."""

# what a state is called, its icon, its tone (a class of base.css)
_STATES = {
    EntryState.READY: ("Ready", "check", "good"),
    EntryState.MISSING: ("Missing", "cross", "bad"),
    EntryState.UNUSABLE: ("Unusable", "warning", "bad"),
    EntryState.DELETED: ("Deleted", "trash", "quiet"),
}


def state_badge(state: EntryState, *, is_resident: bool = False) -> html.Span:
    """The state by word and icon; colour only repeats it."""
    word, picture, tone = _STATES[state]
    if is_resident and state is EntryState.READY:
        word, picture, tone = "Loaded", "memory", "active-still"
    return html.Span([icon(picture, 14), word], className=f"as-status as-{tone}")


def problem_text(card: ModelCard | SaeCard) -> html.P | None:
    """Why it cannot be used; nothing where it can."""
    if card.problem is None:
        return None
    return html.P([icon("warning", 14), html.Span(card.problem)], className="as-problem as-bad")


def sae_href(sae_id: str, **more: str) -> str:
    """Where an SAE is shown."""
    return f"/sae?{urlencode({'id': sae_id, **more}, quote_via=quote)}"


def model_href(model_id: str) -> str:
    """Where a model is shown."""
    return f"/models?{urlencode({'id': model_id}, quote_via=quote)}"


def listed(path: str, **filters: str) -> str:
    """A list with its filters set."""
    return f"{path}?{urlencode(filters, quote_via=quote)}"


def playground_href(sae_id: str, model_id: str) -> str:
    """The playground with the model and the SAE chosen."""
    return f"/?{urlencode({'model': model_id, 'sae': sae_id}, quote_via=quote)}"


def outward(label: Any, url: str) -> html.A:
    """A link that leaves the product, in a tab of its own; `url` must be built on a fixed host."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not the address of a web page: {url[:80]!r}")
    return html.A(
        [label, icon("external", 13)], href=url, target="_blank", rel="noopener noreferrer",
        className="as-outward",
    )  # fmt: skip


def repository(card: ModelCard | SaeCard, endpoint: str) -> Any:
    """The repository it came from, as a link below `endpoint`; None where it came from none."""
    if card.repo_id is None:
        return None
    url = f"{endpoint}/{quote(card.repo_id)}"
    path = card.repo_path if isinstance(card, SaeCard) else None
    if card.repo_revision:
        url += f"/tree/{quote(card.repo_revision)}" + (f"/{quote(path)}" if path else "")
    return outward(card.repo_id, url)


def revision(text: str | None) -> Any:
    """A commit or checksum, shortened to what identifies it; a dash where there is none."""
    return copyable(text[:12], label="revision") if text else "–"
