"""Labels on the terminal."""

from __future__ import annotations

import click

from services.cli.text import printable
from services.types.labels import FeatureLabels, ImportReport, LabelStatus


def print_feature(found: FeatureLabels) -> None:
    """All labels of a feature, the chosen one marked, and what was done last."""
    marks = found.marks
    star = " ★" if marks.is_starred else ""
    click.echo(f"feature {marks.feature_id}{star}")
    if marks.skipped:
        click.echo(f"skipped: {printable(marks.skipped, newline=' ')}")
    for label in found.labels:
        facts = [label.category, label.source.value, label.source_name, label.author]
        named = ", ".join(printable(fact) for fact in facts if fact)
        sign = "*" if marks.label is not None and label == marks.label else "-"
        click.echo(f"{sign} {printable(label.text, newline=' ')}  ({named})")
    for change in found.history[:10]:
        undone = " (undone)" if change.is_undone else ""
        click.echo(
            f"  {change.at:%Y-%m-%d %H:%M} {printable(change.author)}: {change.action}{undone}"
        )


def print_status(found: LabelStatus) -> None:
    """How far the labelling is."""
    live = f" ({found.n_live:,} live)" if found.n_live is not None else ""
    click.echo(f"{found.n_labelled:,} of {found.n_features:,} features{live} are labelled")
    click.echo(f"starred {found.n_starred:,}, skipped {found.n_skipped:,}, ", nl=False)
    click.echo(f"with labels that differ {found.n_disagreeing:,}")
    for name, counts in (("source", found.by_source), ("category", found.by_category)):
        for value, n in counts.items():
            click.echo(f"  {name} {printable(value) or '(none)'}: {n:,}")


def print_report(report: ImportReport) -> None:
    """What an import did, or would do."""
    done = "added" if report.batch_id else "to add"
    click.echo(f"{report.format}, SAE {report.sae_id}: {report.n_labels:,} labels")
    click.echo(f"{done} {report.n_added:,}, known {report.n_known:,}, ", nl=False)
    click.echo(f"skipped {report.n_skipped:,}")
    for problem in report.problems[:20]:
        click.echo(f"  {printable(problem.place)}: {printable(problem.reason)}")
    if report.batch_id:
        click.echo(f"undo it: actiscope labels undo {report.sae_id} {report.batch_id}")
