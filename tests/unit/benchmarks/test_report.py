"""The benchmarks' arithmetic and report: figures that are right, and none that is lost."""

from __future__ import annotations

import json
import re

import pytest

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.facts import machine_facts
from benchmarks.result import Result, Skipped, interleaved, percentile, quartiles, ratio

FACTS = {"processor": "A | B", "cores": "2"}
RESULT = Result(
    name="ours ÷ theirs",
    value=0.8765,
    unit="×",
    anchor="theirs",
    repetitions=5,
    spread=(0.81, 0.99),
    goal=1.0,
    details={
        "tokens": 1234.0,
        "equal": True,
        "first": {"ms": 1.5, "ratio": 2.0},
        "second": {"ms": 3.25, "ratio": 0.5},
        "other": {"bytes": 7.0},
    },
)


def entry(*results: Result, problem: str | None = None) -> report.Entry:
    return report.Entry("A title", "2026-01-02 03:04 UTC", 12.34, 0.5, results, problem)


def tables(markdown: str) -> list[list[list[str]]]:
    """Each table of the document, as rows of cells, without the line below the head."""
    found = re.findall(r"(?:^\|.*\|\n)+", markdown, re.MULTILINE)
    rows = [[re.split(r" (?<!\\)\| ", line[2:-2]) for line in t.splitlines()] for t in found]
    return [[table[0], *table[2:]] for table in rows]


def test_each_result_is_a_row_with_goal_verdict_and_spread():
    missed = Result("slow", 210.4, "ms", "a blank page", 10, (190.0, 250.6), 200)
    bare = Result("size", 25_000.0, "bytes", "JSON", 3, (1.0, 2.0))
    text = report.markdown(
        report.merged(None, FACTS, {"a": entry(RESULT, missed), "b": entry(bare)})
    )
    head, *rows = tables(text)[0]
    assert head == ["figure", "value", "spread", "goal", "reached", "anchor", "repetitions"]
    assert rows == [
        ["ours ÷ theirs", "**0.876 ×**", "0.81 ×–0.99 ×", "≤ 1 ×", "yes", "theirs", "5"],
        ["slow", "**210 ms**", "190 ms–251 ms", "≤ 200 ms", "**no**", "a blank page", "10"],
        ["size", "**25,000 bytes**", "1 bytes–2 bytes", "", "", "JSON", "3"],
    ]


def test_details_are_lines_and_tables_of_equal_columns():
    text = report.markdown(report.merged(None, FACTS, {"a": entry(RESULT)}))
    assert "- tokens: 1,234\n- equal: yes\n" in text
    assert tables(text)[1:] == [
        [["", "ms", "ratio"], ["first", "1.5", "2"], ["second", "3.25", "0.5"]],
        [["", "bytes"], ["other", "7"]],
    ]


def test_a_value_that_looks_like_a_table_stays_one_cell():
    text = report.markdown(report.merged(None, FACTS, {"a": entry(RESULT)}))
    assert r"processor A \| B, cores 2." in text


def test_the_problem_of_a_benchmark_is_said():
    text = report.markdown(report.merged(None, FACTS, {"a": entry(problem="no Chromium")}))
    assert "Not measured: no Chromium\n" in text


def test_json_and_document_agree_and_earlier_entries_of_the_machine_are_kept(tmp_path):
    files = {"results": tmp_path / "results.json", "document": tmp_path / "doc.md"}
    report.write(FACTS, {"b": entry(RESULT)}, ["a", "b"], **files)
    report.write(FACTS, {"a": entry(problem="later")}, ["a", "b"], **files)
    data = json.loads(files["results"].read_text())
    assert list(data["benchmarks"]) == ["a", "b"]
    assert data["benchmarks"]["b"]["results"][0] == RESULT.document()
    assert data["benchmarks"]["b"]["results"][0]["meets_goal"] is True
    assert files["document"].read_text() == report.markdown(data)


def test_figures_of_another_machine_are_not_kept(tmp_path):
    files = {"results": tmp_path / "results.json", "document": tmp_path / "doc.md"}
    report.write(FACTS, {"b": entry(RESULT)}, ["a", "b"], **files)
    report.write(FACTS | {"cores": "64"}, {"a": entry()}, ["a", "b"], **files)
    assert list(json.loads(files["results"].read_text())["benchmarks"]) == ["a"]


def test_what_a_benchmark_raises_becomes_its_problem(monkeypatch, capsys):
    def run(name, error):
        class Module:
            @staticmethod
            def measure(quick):
                raise error

        monkeypatch.setattr(command, "import_module", lambda _: Module)
        return command.measure(name, quick=True)

    assert run("strip", Skipped("no Chromium")).problem == "no Chromium"
    assert run("strip", KeyError("x")).problem == "it failed with KeyError"
    assert "KeyError" in capsys.readouterr().err


def test_sides_take_turns_in_both_orders():
    calls: list[str] = []
    sides = {name: (lambda name=name: calls.append(name) or float(len(calls))) for name in "ab"}
    samples = interleaved(sides, 3)
    assert calls == ["a", "b", "b", "a", "a", "b"]
    assert samples == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}


def test_the_ratio_is_of_medians_and_the_spread_of_pairs():
    value, spread = ratio([1.0, 2.0, 30.0], [2.0, 4.0, 6.0])
    assert value == 2.0 / 4.0
    assert spread == quartiles([0.5, 0.5, 5.0]) == (0.5, 2.75)
    assert quartiles([3.0]) == (3.0, 3.0)


@pytest.mark.parametrize(("percent", "expected"), [(50, 10), (95, 19), (100, 20), (1, 1)])
def test_percentiles_are_values_that_were_measured(percent, expected):
    assert percentile(list(range(20, 0, -1)), percent) == expected


def test_facts_name_no_host_and_no_path():
    import socket

    text = " ".join(machine_facts().values())
    assert socket.gethostname() not in text and "/" not in text
