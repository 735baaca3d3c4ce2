"""What a preflight found: the verdict as a badge, its reasons, its numbers and conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.amounts import number_text, seconds_text, share_text
from components.feedback import copyable
from components.icons import icon
from components.runs import time_element
from components.tables import Column, table
from services.types import Finding, PreflightReport, Verdict

# what a verdict is called, its icon, its tone (a class of base.css), what it means
_VERDICTS: dict[Verdict | None, tuple[str, str, str, str]] = {
    Verdict.GOOD: ("Good", "check", "good", "Measured with its model, and nothing was wrong."),
    Verdict.SUSPICIOUS: (
        "Suspicious", "warning", "warn", "Usable, but something is not as it should be.",
    ),
    Verdict.BROKEN: ("Broken", "cross", "bad", "Its numbers mean nothing with this model."),
    None: ("Not measured", "clock", "quiet", "Nobody has measured it with its model yet."),
}  # fmt: skip

_CHECKSUM = re.compile("[0-9a-f]{40,}")

Format = Callable[[float | None], str]

# name in `PreflightReport.metrics`, what it is called, what it is, how it is written
_METRICS: tuple[tuple[str, str, str, Format], ...] = (
    ("l0", "L0", "features that fire per token, mean", number_text),
    ("l0_p10", "L0, 10th percentile", "a tenth of the tokens have fewer", number_text),
    ("l0_p90", "L0, 90th percentile", "a tenth of the tokens have more", number_text),
    (
        "explained_variance", "Explained variance",
        "1 − squared error / squared distance from the mean", share_text,
    ),
    ("fvu", "FVU", "fraction of variance unexplained", share_text),
    ("mse", "MSE", "squared error per token", number_text),
    ("cosine", "Cosine", "between activation and reconstruction", number_text),
    ("norm_ratio", "Norm ratio", "length of the reconstruction / of the activation", number_text),
    ("ce_model", "Cross-entropy", "of the model, in nats per token", number_text),
    ("ce_spliced", "… with the SAE spliced in", "its reconstruction in place of x", number_text),
    ("ce_zero", "… with zeros", "zero in place of x: the baseline", number_text),
    (
        "loss_recovered", "Loss recovered",
        "how far the spliced loss is from the baseline towards the model's", share_text,
    ),
    ("dead_share", "Silent features", "that fire nowhere on this text", share_text),
    ("dense_share", "Dense features", "that fire on more than 10 % of the tokens", share_text),
    ("input_norm", "Activation norm", "mean length of x", number_text),
    ("expected_norm", "Expected norm", "what the SAE was made for, where it says", number_text),
    ("bos_norm", "Norm at BOS", "length of x at the first token", number_text),
)  # fmt: skip
_KNOWN = {name for name, *_ in _METRICS}
KEY_METRICS = ("l0", "explained_variance", "loss_recovered", "dead_share")


def verdict_word(verdict: Verdict | None) -> str:
    """What the verdict is called in running text."""
    return _VERDICTS[verdict][0].lower()


def verdict_badge(verdict: Verdict | None, *, stale: bool = False) -> html.Span:
    """The verdict by word and icon; colour only repeats it. `stale`: measured on other weights."""
    word, picture, tone, meaning = _VERDICTS[verdict]
    badge = html.Span([icon(picture, 14), word], className=f"as-status as-{tone}", title=meaning)
    if not stale or verdict is None:
        return badge
    return html.Span([badge, stale_mark()], className="as-badges")


def stale_mark() -> html.Span:
    """Says that the weights are not those that were measured."""
    return html.Span(
        [icon("rerun", 14), "Stale"],
        className="as-status as-quiet",
        title="The weights of the SAE or of its model have changed since: measure again.",
    )


def verdict_summary(report: PreflightReport | None, *, stale: bool = False) -> html.Div:
    """The verdict, what it means, when it was found, and the numbers that matter most."""
    verdict = report.verdict if report else None
    _, picture, tone, meaning = _VERDICTS[verdict]
    head = [
        html.Span(icon(picture, 16), className=f"as-mark as-{tone}"),
        dmc.Text(_VERDICTS[verdict][0], fw=600, size="lg"),
        stale_mark() if stale and report else None,
    ]
    parts = [html.Div(head, className="as-verdict", role="status"), dmc.Text(meaning)]
    if report is not None:
        parts.append(_key_numbers(report))
        parts.append(_when(report))
    return html.Div(parts, className="as-verdict-summary")


def _key_numbers(report: PreflightReport) -> html.Dl:
    labels = {name: (label, form) for name, label, _, form in _METRICS}
    pairs = [(labels[name], report.metrics.get(name)) for name in KEY_METRICS]
    return html.Dl(
        [html.Div([html.Dt(label), html.Dd(form(value))]) for (label, form), value in pairs],
        className="as-numbers",
    )


def _when(report: PreflightReport) -> html.Div:
    return html.Div(
        ["With ", report.model_id, ", ", time_element(report.created_at), " UTC, in ",
         seconds_text(report.duration_s)],
        className="as-muted as-small",
    )  # fmt: skip


def findings_list(findings: Sequence[Finding]) -> html.Div:
    """Each reason with its remedy, worst first; says so when there is none."""
    if not findings:
        return html.Div(
            [icon("check", 16), dmc.Text("Nothing to report: every check passed.")],
            className="as-inline as-good",
        )
    return html.Div(html.Ul([_finding(one) for one in findings], className="as-findings"))


def _finding(finding: Finding) -> html.Li:
    _, picture, tone, _ = _VERDICTS[finding.verdict]
    body = html.Div(
        [
            html.Div([verdict_badge(finding.verdict), html.Code(finding.code, className="as-id")],
                     className="as-badges"),
            dmc.Text(finding.message),
            html.P([html.Strong("Do this: "), finding.remedy]) if finding.remedy else None,
        ]
    )  # fmt: skip
    mark = html.Span(icon(picture, 14), className=f"as-mark as-{tone}")
    return html.Li([mark, body])


def metrics_table(report: PreflightReport) -> html.Div:
    """Every measured number with what it means, beside the publisher's where there is one."""
    known = [row for row in _METRICS if row[0] in report.metrics or row[0] in report.published]
    others = [(n, n, "", number_text) for n in sorted({*report.metrics} - _KNOWN)]
    rows = [_metric_row(report, *row) for row in (*known, *others)]
    columns = [Column("Measure"), Column("Measured", number=True)]
    if report.published:
        columns.append(Column("Published", number=True))
    cells = [row[: len(columns)] for row in rows]
    return table("Measured numbers", columns, cells)


def _metric_row(
    report: PreflightReport, name: str, label: str, meaning: str, form: Format
) -> list[Any]:
    title = html.Span([label, html.Span(meaning, className="as-muted as-small as-block")])
    return [title, form(report.metrics.get(name)), form(report.published.get(name))]


def conditions_list(report: PreflightReport) -> html.Div:
    """On which text and how it was measured; the text itself below."""
    texts = {k: v for k, v in report.conditions.items() if _is_long(v)}
    short = {k: v for k, v in report.conditions.items() if k not in texts}
    pairs: list[tuple[str, Any]] = [(_name(k), _shown(v)) for k, v in short.items()]
    pairs += [
        ("SAE revision", copyable(report.sae_revision[:16] or "–", label="SAE revision")),
        ("Model revision", copyable(report.model_revision[:16] or "–", label="model revision")),
    ]
    facts = html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in pairs], className="as-facts"
    )
    return html.Div([facts, *(_long_text(_name(k), str(v)) for k, v in texts.items())])


def history_table(reports: Sequence[PreflightReport]) -> html.Div:
    """All preflights of an SAE, newest first."""
    columns = [
        Column("When (UTC)"), Column("Model"), Column("Verdict"), Column("L0", number=True),
        Column("Explained variance", number=True), Column("Reasons"),
    ]  # fmt: skip
    rows = [
        [
            time_element(report.created_at),
            report.model_id,
            verdict_badge(report.verdict),
            number_text(report.metrics.get("l0")),
            share_text(report.metrics.get("explained_variance")),
            ", ".join(finding.code for finding in report.findings) or "none",
        ]
        for report in reports
    ]
    return table("Earlier measurements", columns, rows)


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 120


def _long_text(title: str, text: str) -> html.Details:
    block = html.Pre(text, tabIndex=0, role="region", **{"aria-label": title})
    return html.Details([html.Summary(title), block], className="as-code as-details")


def _name(key: str) -> str:
    words = [{"sae": "SAE", "bos": "BOS"}.get(word, word) for word in key.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _shown(value: Any) -> Any:
    """A condition; checksums are shortened to what identifies them."""
    if isinstance(value, str) and _CHECKSUM.fullmatch(value):
        return copyable(value[:16], label="checksum")
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return "–" if value is None else str(value)
