"""SAEs on the terminal: lines of tables, verdicts with their reasons, whole cards."""

from __future__ import annotations

import click

from services.cli.text import printable, table
from services.types import CatalogueEntry, PreflightReport, SaeCard


def entry_line(entry: CatalogueEntry) -> tuple[object, ...]:
    return (
        entry.release,
        entry.sae_id,
        entry.model,
        entry.hook,
        "" if entry.layer is None else entry.layer,
        "" if entry.width is None else entry.width,
        "" if entry.l0 is None else f"{entry.l0:g}",
        entry.neuronpedia_url() or "",
        f"cannot be added: {entry.problem}" if entry.problem else "",
    )


def line(card: SaeCard) -> tuple[object, ...]:
    """A line of the list."""
    info = card.info
    return (
        info.sae_id,
        _verdict(card),
        card.state.value,
        info.model_id,
        info.hook_name,
        info.d_sae,
        info.architecture,
        card.release or card.repo_id or card.source.value,
    )


def _verdict(card: SaeCard) -> str:
    return card.info.verdict.value if card.info.verdict else "not measured"


def print_verdicts(cards: list[SaeCard]) -> None:
    """Each SAE with its verdict and what speaks against it."""
    for card in cards:
        click.echo(f"{_verdict(card)}: {card.info.sae_id} ({card.format}, {card.info.hook_name})")
        if card.preflight is not None and not card.is_stale:
            print_report(card.preflight)


def print_report(report: PreflightReport) -> None:
    """Findings with their remedies, and the main figures."""
    for finding in report.findings:
        click.echo(f"  {finding.code}: {printable(finding.message, newline=' ')}")
        click.echo(f"    -> {printable(finding.remedy, newline=' ')}")
    figures = (
        ("l0", "L0"),
        ("explained_variance", "explained variance"),
        ("loss_recovered", "loss recovered"),
        ("dead_share", "dead"),
    )
    values = [(label, report.metrics.get(name)) for name, label in figures]
    shown = [f"{label} {value:.3g}" for label, value in values if value is not None]
    if shown:
        click.echo(f"  {', '.join(shown)}")


def print_card(card: SaeCard) -> None:
    """All that is known."""
    info = card.info
    rows = [
        ("SAE", info.sae_id),
        ("state", card.state.value),
        ("problem", card.problem),
        ("verdict", _verdict(card)),
        ("model", info.model_id),
        ("trained on", info.trained_on),
        ("hook", info.hook_name),
        ("width", f"{info.d_in} to {info.d_sae}"),
        ("architecture", info.architecture),
        ("format", card.format),
        ("source", card.source.value),
        ("release", card.release),
        ("repository", card.repo_id and f"{card.repo_id} at {card.repo_revision}"),
        ("path", card.path),
        ("Neuronpedia", info.neuronpedia_url()),
        ("stored runs", card.runs),
    ]
    click.echo(table(("", ""), [row for row in rows if row[1] not in (None, "")]).lstrip("\n"))
    if card.preflight is not None:
        click.echo("\npreflight" + (" (of other files than those there now)" * card.is_stale))
        print_report(card.preflight)
