"""An overview as a page of Markdown, to be pasted into notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.evidence.markdown import code, marked, plain, shown, table
from services.evidence.overview import Overview
from services.types import TokenWeight
from services.types.features import Bounds, EvidenceExample, RelatedFeature, TokenUse
from services.types.labels import Label

_INTERVAL_TOKENS, _MEMBERS = 6, 20


def as_markdown(found: Overview) -> str:
    """The page; sections of which nothing is known say so or are left out."""
    parts = (
        _head(found),
        _statistics(found),
        _regions(found),
        _tokens(found),
        _intervals(found),
        _examples(found.examples),
        _logits(found),
        _family(found),
        _related("Nearest decoder directions", "cosine", found.neighbours),
        _related("Correlated features", "correlation", found.correlated),
        _provenance(found),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _head(found: Overview) -> Iterator[str]:
    view, label = found.view, found.marks.label
    title = plain(label.text) if label else "not labelled"
    yield f"# Feature {view.feature_id:,}: {title}"
    yield ""
    yield f"SAE {code(view.sae_id)} at {code(view.hook_name)} of {code(view.model_id)}"
    if label:
        yield from _label(label)
    if found.neuronpedia:
        yield f"<{found.neuronpedia}>"
    yield ""
    for warning in view.warnings:
        yield f"- **Warning.** {plain(warning.text)}"
    if view.warnings:
        yield ""


def _label(label: Label) -> Iterator[str]:
    parts = [f"Label: {label.source.value}, by {code(label.source_name or label.author)}"]
    if label.category:
        parts.append(f"category {code(label.category)}")
    if label.confidence is not None:
        parts.append(f"confidence {label.confidence:g}")
    yield ", ".join(parts)
    if label.notes:
        yield ""
        yield from (f"> {plain(line)}" for line in label.notes.splitlines())


def _statistics(found: Overview) -> Iterator[str]:
    view, known, source = found.view, found.view.known, found.view.source
    yield "## Statistics"
    yield ""
    if known is None or source is None:
        yield "No corpus was read with this SAE yet; `actiscope extract` does it."
        yield ""
        return
    until = "" if known.is_final else ", while the store fills"
    read = f"{source.n_counted:,} tokens, {source.n_documents:,} documents{until}"
    yield f"Corpus {code(source.corpus_name)}: {read}"
    yield ""
    rank = "–" if view.density_rank is None else f"{view.density_rank:,} of {view.n_live:,}"
    median = known.quantiles.get("p50")
    rows = [
        ("activations", f"{known.n:,}", ""),
        ("density", f"{known.token_density:.3g}", _bounds(view.density)),
        ("documents", f"{known.n_documents:,}", ""),
        ("document density", f"{known.document_density:.3g}", _bounds(view.document_density)),
        ("density rank", rank, ""),
        ("mean ± std", f"{_number(known.mean)} ± {_number(known.std)}", _bounds(view.mean)),
        ("median", _number(median), ""),
        ("largest", _number(known.max), ""),
    ]
    yield from table(("", "value", "95 %"), rows, right="lrl")


def _regions(found: Overview) -> Iterator[str]:
    if not found.view.regions:
        return
    yield "## Regions"
    yield ""
    rows = (
        (r.name, f"{r.low:.3g} to {r.high:.3g}", f"{r.n:,}", f"{r.share:.1%}")
        for r in found.view.regions
    )
    yield from table(("region", "activation", "n", "share"), rows, right="llrr")


def _tokens(found: Overview) -> Iterator[str]:
    tokens = found.tokens
    if tokens is None or not tokens.n:
        return
    yield "## Tokens"
    yield ""
    for title, uses in (("at", tokens.at), ("before", tokens.before), ("after", tokens.after)):
        yield from _uses(title, uses)
    yield f"PageRank of the tokens around {tokens.n_ranked:,} of {tokens.n:,} activations:"
    yield ""
    rows = ((code(t.text), f"{t.score:.4f}", f"{t.count:,}") for t in tokens.page_rank)
    yield from table(("token", "rank", "contexts"), rows, right="lrr")


def _uses(title: str, uses: Sequence[TokenUse]) -> Iterator[str]:
    if not uses:
        return
    rows = (
        (
            code(use.text),
            f"{use.count:,}",
            f"{use.share:.1%}",
            _number(use.mean),
            _share(use.fires),
            _number(use.lift),
        )
        for use in uses
    )
    head = (f"token {title}", "n", "share", "mean", "fires on", "lift")
    yield from table(head, rows, right="lrrrrr")


def _intervals(found: Overview) -> Iterator[str]:
    if not found.intervals:
        return
    yield "## Ranges of activation"
    yield ""
    rows = (
        (
            f"{i.low:.3g} to {i.high:.3g}",
            f"{i.n:,}",
            " ".join(code(token.text) for token in i.tokens[:_INTERVAL_TOKENS]),
        )
        for i in found.intervals
    )
    yield from table(("activation", "n", "tokens by TF-IDF"), rows, right="lrl")


def _examples(examples: Sequence[EvidenceExample]) -> Iterator[str]:
    if not examples:
        return
    yield "## Strongest activations"
    yield ""
    for found in examples:
        where = f"document {code(found.document)}" if found.document else "document"
        context = found.example.context
        place = f"{where} ({context.document}), token {context.position:,}"
        yield f"- **{found.example.value:.3f}** {code(marked(found))} – {place}"
    yield ""


def _logits(found: Overview) -> Iterator[str]:
    decoder = found.decoder
    if decoder is None or not decoder.top:
        return
    yield "## Logit weights"
    yield ""

    def cells(weight: TokenWeight) -> tuple[str, str]:
        return code(weight.token_str), f"{weight.weight:+.3f}"

    pairs = zip(decoder.top, decoder.bottom, strict=True)
    rows = ((*cells(up), *cells(down)) for up, down in pairs)
    yield from table(("promotes", "weight", "suppresses", "weight"), rows, right="lrlr")


def _family(found: Overview) -> Iterator[str]:
    family = found.family
    if family is None:
        return
    shown_ones = ", ".join(map(str, family.features[:_MEMBERS]))
    more = (
        f" and {len(family.features) - _MEMBERS:,} more" if len(family.features) > _MEMBERS else ""
    )
    yield "## Family"
    yield ""
    yield f"One of {len(family.features):,} features that write nearly the same, cohesion "
    yield f"{family.cohesion:.3f}: {shown_ones}{more}."
    if family.tokens:
        yield f"Their tokens: {' '.join(code(token.text) for token in family.tokens[:10])}"
    yield ""


def _related(title: str, measure: str, others: Sequence[RelatedFeature]) -> Iterator[str]:
    if not others:
        return
    yield f"## {title}"
    yield ""
    rows = (
        (
            str(other.feature_id),
            f"{other.value:.3f}",
            "–" if other.count is None else f"{other.count:,}",
            _number(other.expected),
            plain(other.label) if other.label else "",
            " ".join(code(token) for token in other.top_tokens[:5]),
        )
        for other in others
    )
    head = ("feature", measure, "both fire", "expected", "label", "top tokens")
    yield from table(head, rows, right="rrrrll")


def _provenance(found: Overview) -> Iterator[str]:
    yield "## Provenance"
    yield ""
    for name, value in found.provenance.items():
        yield f"- {code(name)}: {code(str(value))}"
    yield ""
    yield f"    {shown(found.command)}"


def _bounds(bounds: Bounds | None) -> str:
    return "" if bounds is None else f"{bounds.low:.3g} to {bounds.high:.3g}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
