"""The figures on the screen, in `benchmarks/results.json` and in `docs/benchmarks.md`.

The document is made from the JSON alone. A benchmark that was not run this time keeps its earlier
entry, as long as that was measured on the same machine with the same libraries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.result import Result

_FOLDER = Path(__file__).resolve().parent
RESULTS = _FOLDER / "results.json"
DOCUMENT = _FOLDER.parent / "docs" / "benchmarks.md"

_INTRODUCTION = """\
# Benchmarks

Written by `make bench`; do not edit. Each figure is measured against a named anchor in the same
run: both sides take turns, the value is the ratio of the medians, and the spread is the lower and
upper quartile over the repetitions. Smaller is better. A load above the number of cores means that
the machine was busy with something else, and that the figures deserve less trust.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one benchmark; `problem` says why there are no results."""

    title: str
    measured_at: str  # ISO date and time, UTC
    seconds: float
    load: float | None  # at its start
    results: Sequence[Result] = ()
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "title": self.title,
            "measured_at": self.measured_at,
            "seconds": round(self.seconds, 1),
            "load": self.load,
            "problem": self.problem,
            "results": [result.document() for result in self.results],
        }


def merged(
    earlier: Mapping[str, Any] | None, facts: Mapping[str, str], entries: Mapping[str, Entry]
) -> dict[str, Any]:
    """The document of `entries`, with the earlier ones that are still comparable."""
    same = earlier is not None and earlier.get("machine") == dict(facts)
    kept = dict(earlier["benchmarks"]) if earlier is not None and same else {}
    new = {name: entry.document() for name, entry in entries.items()}
    return {"machine": dict(facts), "benchmarks": kept | new}


def write(
    facts: Mapping[str, str],
    entries: Mapping[str, Entry],
    order: Sequence[str],
    results: Path = RESULTS,
    document: Path = DOCUMENT,
) -> None:
    """Bring both files up to date."""
    earlier = json.loads(results.read_text()) if results.exists() else None
    data = merged(earlier, facts, entries)
    data["benchmarks"] = {n: data["benchmarks"][n] for n in order if n in data["benchmarks"]}
    results.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    document.write_text(markdown(data))


def markdown(data: Mapping[str, Any]) -> str:
    """`docs/benchmarks.md`: the machine, one table of all figures, then the details of each."""
    entries = data["benchmarks"].values()
    parts = [_INTRODUCTION, _machine(data["machine"]), _overview(entries)]
    parts += [_section(entry) for entry in entries]
    return "\n".join(parts)


def _machine(facts: Mapping[str, str]) -> str:
    named = (f"{name} {value}" for name, value in facts.items())
    return "## Machine\n\n" + ", ".join(_cell(text) for text in named) + ".\n"


def _overview(entries: Sequence[Mapping[str, Any]]) -> str:
    rows = [_row(result) for entry in entries for result in entry["results"]]
    head = ("figure", "value", "spread", "goal", "reached", "anchor", "repetitions")
    return "## Results\n\n" + _table(head, rows)


def _row(result: Mapping[str, Any]) -> list[str]:
    unit = result["unit"]
    reached = {True: "yes", False: "**no**", None: ""}[result["meets_goal"]]
    return [
        result["name"],
        f"**{shown(result['value'], unit)}**",
        "–".join(shown(value, unit) for value in result["spread"]),
        "" if result["goal"] is None else "≤ " + shown(result["goal"], unit),
        reached,
        result["anchor"],
        str(result["repetitions"]),
    ]


def _section(entry: Mapping[str, Any]) -> str:
    load = "" if entry["load"] is None else f", load {entry['load']}"
    taken = f"Measured {entry['measured_at']} in {entry['seconds']:.0f} s{load}."
    parts = [f"## {entry['title']}\n", taken + "\n"]
    if entry["problem"]:
        parts.append(f"Not measured: {entry['problem']}\n")
    for result in entry["results"]:
        if result["details"]:
            parts.append(f"### {result['name']}\n")
            parts.append(_details(result["details"]))
    return "\n".join(parts)


def _details(details: Mapping[str, Any]) -> str:
    """A value per line; a mapping becomes one row of a table with the mappings beside it."""
    plain = {k: v for k, v in details.items() if not isinstance(v, Mapping)}
    tables = {k: v for k, v in details.items() if isinstance(v, Mapping)}
    parts = ["".join(f"- {name}: {_value(value)}\n" for name, value in plain.items())]
    while tables:
        columns = list(next(iter(tables.values())))
        same = {k: v for k, v in tables.items() if list(v) == columns}
        rows = [[name, *map(_value, values.values())] for name, values in same.items()]
        parts.append(_table(("", *columns), rows))
        tables = {k: v for k, v in tables.items() if k not in same}
    return "\n".join(part for part in parts if part)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(_cell, line)) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def shown(value: float, unit: str) -> str:
    """The value with three significant digits and its unit."""
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}".strip()


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shown(value, "") if isinstance(value, int | float) else str(value)


def printed(name: str, entry: Entry) -> str:
    """The entry as lines for the screen."""
    lines = [f"{name}: {entry.title} ({entry.seconds:.0f} s)"]
    if entry.problem:
        lines.append(f"  not measured: {entry.problem}")
    for result in entry.results:
        _, value, spread, goal, reached, anchor, n = _row(result.document())
        verdict = f" [{goal}: {reached}]" if goal else ""
        lines.append(f"  {result.name}: {value} ({spread}, n={n}){verdict} against {anchor}")
        lines += [f"      {key}: {found}" for key, found in result.details.items()]
    return "\n".join(lines).replace("**", "")
