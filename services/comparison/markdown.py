"""A comparison as Markdown, to be pasted into notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from services.evidence.markdown import code, marked, plain, table
from services.types.features import ComparedFeature, FeatureComparison, ScoredToken

_SHOWN = 10
_NONE = "–"


def as_markdown(found: FeatureComparison, link: Callable[[str, int], str] | None = None) -> str:
    """The whole comparison; `link` gives the address of a feature's page."""
    return "\n".join(_lines(found, link)).rstrip() + "\n"


def _lines(found: FeatureComparison, link: Callable[[str, int], str] | None) -> Iterator[str]:
    names = [f"{plain(f.sae_id)} {f.feature_id}" for f in found.features]
    yield "# " + " · ".join(names)
    yield ""
    yield from _statistics(found, names, link)
    for title, matrix, format in (
        ("Decoder cosine", found.cosine, "{:.3f}"),
        ("Overlap (Jaccard)", found.jaccard, "{:.3f}"),
        ("Correlation", found.correlation, "{:.3f}"),
        ("Tokens at which both fire", found.count, "{:,}"),
    ):
        yield f"## {title}"
        yield ""
        rows = zip(names, matrix, strict=True)
        yield from table(
            ["", *names],
            [[name, *(_number(v, format) for v in row)] for name, row in rows],
            right="l" + "r" * len(names),
        )
    yield from _tokens(found, names)
    yield from _shared(found, names)
    if found.notes:
        yield "## Not compared"
        yield ""
        yield from (f"- {plain(note)}" for note in found.notes)


def _number(value: float | None, format: str = "{:.4g}") -> str:
    return _NONE if value is None else format.format(value)


def _statistics(
    found: FeatureComparison, names: Sequence[str], link: Callable[[str, int], str] | None
) -> Iterator[str]:
    features = found.features
    links = [n if link is None else f"[{n}]({link(f.sae_id, f.feature_id)})"
             for n, f in zip(names, features, strict=True)]  # fmt: skip
    rows: list[tuple[str, Callable[[ComparedFeature], str]]] = [
        ("Label", lambda f: plain(f.label) if f.label else _NONE),
        ("Model, hook point", lambda f: plain(f"{f.view.model_id} {f.view.hook_name}")),
        ("Corpus", lambda f: plain(f.view.source.corpus_name) if f.view.source else _NONE),
        ("Activations", lambda f: _of(f, lambda k: f"{k.n:,}")),
        ("Density", lambda f: _interval(f, "token_density", f.view.density)),
        ("Share of documents", lambda f: _interval(f, "document_density", f.view.document_density)),
        ("Mean", lambda f: _interval(f, "mean", f.view.mean)),
        ("Largest", lambda f: _of(f, lambda k: _number(k.max))),
    ]
    cells = [[title, *(value(feature) for feature in features)] for title, value in rows]
    yield from table(["", *links], cells)


def _of(feature: ComparedFeature, value: Callable[..., str]) -> str:
    return _NONE if feature.view.known is None else value(feature.view.known)


def _interval(feature: ComparedFeature, name: str, bounds: object) -> str:
    value = _of(feature, lambda known: _number(getattr(known, name)))
    if bounds is None or value == _NONE:
        return value
    return f"{value} ({_number(bounds.low)} to {_number(bounds.high)})"  # type: ignore[attr-defined]


def _tokens(found: FeatureComparison, names: Sequence[str]) -> Iterator[str]:
    columns: tuple[tuple[str, Callable[[ComparedFeature], Sequence[ScoredToken]]], ...] = (
        ("Promoted tokens", lambda f: f.promoted),
        ("Suppressed tokens", lambda f: f.suppressed),
        ("Fires on, the others do not", lambda f: f.distinguishing),
    )
    yield "## Tokens"
    yield ""
    cells = [
        [title, *(", ".join(code(t.text) for t in of(f)[:_SHOWN]) or _NONE for f in found.features)]
        for title, of in columns
    ]
    yield from table(["", *names], cells)


def _shared(found: FeatureComparison, names: Sequence[str]) -> Iterator[str]:
    if not found.shared:
        return
    yield "## Shared examples"
    yield ""
    rows = [
        [*(_number(v) for v in s.values), code(marked(s.example))] for s in found.shared[:_SHOWN]
    ]
    yield from table([*names, "context"], rows, right="r" * len(names))
