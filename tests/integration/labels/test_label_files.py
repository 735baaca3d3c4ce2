"""Files of labels: each format read, kept and written again as it was."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidArgument, TooLarge
from services.labels.formats import detecting
from services.labels.formats.table import escaped, unescaped
from services.labels.requests import AddLabel, BulkEdit, EditLabel, HistoryQuery
from services.runs.export import csv_safe

SAE, OTHER = "demo-l1-res", "demo-l2-res"

EXPLANATIONS = [
    {
        "modelId": "gpt2-small", "layer": "8-res-jb", "index": "12",
        "description": " numbers written as words", "explanationModelName": "gpt-4o-mini",
        "typeName": "oai_token-act-pair", "authorId": "c1", "notes": None, "scores": [{"v": 0.5}],
        "embedding": [0.25, -1e-7, 3], "umap_x": 1, "createdAt": "2024-06-01T00:00:00Z",
    },
    {
        "modelId": "gpt2-small", "layer": "8-res-jb", "index": "3",
        "description": "=SUM(A1) 中👩‍👩‍👧",
        "explanationModelName": None, "typeName": None, "notes": "by **hand**",
    },
    {
        "modelId": "gpt2-small", "layer": "8-res-jb", "index": "12", "description": "numerals",
        "explanationModelName": "claude", "typeName": "np_max-act",
    },
    {"index": 700, "description": "numerals"},
]  # fmt: skip
CONSOLIDATED = {
    "900": {
        "feature_id": 900, "model_type": "ultra", "dashboard_name": "Swim speed",
        "dashboard_category": "tactical", "dashboard_notes": "see 12", "research_label": None,
        "research_state_path": "/x/feature_900_ultra.json", "hypothesis_confidence": 0.75,
        "display_name": "Swim speed", "source": "merged", "last_updated": "2025-01-02T03:04:05",
    },
    "7": {
        "feature_id": 7, "model_type": "ultra", "dashboard_name": "Ink saver",
        "dashboard_category": "none", "dashboard_notes": None, "research_label": "ink",
        "research_state_path": None, "hypothesis_confidence": None, "display_name": "Ink saver",
        "source": "dashboard", "last_updated": "2025-01-02T03:04:05",
    },
}  # fmt: skip
SEED_003 = {
    "model": "ultra",
    "labels": {
        "18": {
            "name": "kit", "category": "strategic", "notes": "", "source": "claude code",
            "importance_percentile": 99.5, "interpretability_confidence": 0.8,
            "stability_score": 0.91, "provenance": {"runs": ["a", "b"], "seed": 3},
        },
        "2": {"name": "kit two", "category": "none", "interpretability_confidence": 7},
    },
    "created": "2025-01-01",
}  # fmt: skip
PLAIN = {"12": "twelve", "5": " five ", "1535": "last"}


@pytest.fixture
def database_url(sqlite_url):
    """What files are is the same on both; test_labels.py imports into both."""
    return sqlite_url


@pytest.fixture
def labels(container):
    return container.labels


def spelt(document, lines: bool = False) -> bytes:
    if lines:
        return "".join(json.dumps(x) + "\n" for x in document).encode()
    return json.dumps(document, indent=1).encode()


def ordered(value):
    """Equal only when the order of the keys is, too, where a key is a feature."""
    if isinstance(value, dict) and all(key.isdigit() for key in value):
        return [(key, inner) for key, inner in value.items()]
    return value


@pytest.mark.parametrize(
    ("document", "format"),
    [
        pytest.param(EXPLANATIONS, "neuronpedia", id="explanations"),
        pytest.param({"n": 4, "explanations": EXPLANATIONS, "v": {}}, "neuronpedia", id="wrapped"),
        pytest.param(CONSOLIDATED, "splatnlp", id="consolidated"),
        pytest.param(SEED_003, "splatnlp", id="seed-003"),
        pytest.param(list(CONSOLIDATED.values()), "splatnlp", id="list"),
        pytest.param(PLAIN, "saelens", id="plain"),
        pytest.param({"labels": PLAIN, "x": 1}, "saelens", id="plain-wrapped"),
    ],
)
def test_a_json_file_comes_out_as_it_went_in(labels, document, format):
    content = spelt(document)
    looked = labels.look(content, SAE)
    report = labels.import_(content, SAE, "ada")
    assert (looked.n_added, looked.batch_id) == (report.n_added, None)
    assert (report.format, report.n_skipped) == (format, 0)
    written = json.loads(labels.export(SAE, format).content)
    assert written == document
    assert ordered(written) == ordered(document)
    again = labels.import_(content, SAE)
    assert (again.n_known, again.n_added, again.batch_id) == (report.n_added, 0, None)
    assert labels.undo(report.batch_id).n == len(labels.snapshot(SAE).marks)
    assert labels.status(SAE).n_labelled == 0
    labels.undo(_last_batch(labels))
    assert json.loads(labels.export(SAE, format).content) == document


def _last_batch(labels) -> str:
    return labels.history(HistoryQuery(sae_id=SAE, limit=1)).items[0].batch_id


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_lines_of_explanations_also_packed_come_out_as_lines(labels, packed):
    content = spelt(EXPLANATIONS, lines=True)
    labels.import_(gzip.compress(content) if packed else b"\xef\xbb\xbf" + content, SAE)
    file = labels.export(SAE, "neuronpedia")
    assert file.filename.endswith(".jsonl")
    assert [json.loads(line) for line in file.content.splitlines()] == EXPLANATIONS


def test_what_was_changed_since_is_in_the_file_and_nothing_else(labels):
    labels.import_(spelt(EXPLANATIONS), SAE)
    label = labels.feature(SAE, 3).labels[0]
    labels.edit(EditLabel(label_id=label.label_id, text="formulas", notes=""))
    labels.add(AddLabel(sae_id=SAE, feature_id=9, text="new"))
    written = json.loads(labels.export(SAE, "neuronpedia").content)
    changed = {k: v for k, v in EXPLANATIONS[1].items() if k != "notes"}
    assert written[1] == changed | {"description": "formulas"}
    assert [written[i] for i in (0, 2, 3)] == [EXPLANATIONS[i] for i in (0, 2, 3)]
    assert (written[4]["index"], written[4]["description"]) == ("9", "new")
    labels.import_(spelt(CONSOLIDATED), OTHER)
    label = labels.feature(OTHER, 7).labels[0]
    labels.edit(EditLabel(label_id=label.label_id, category="tactical"))
    written = json.loads(labels.export(OTHER, "splatnlp").content)
    assert written["7"]["dashboard_category"] == "tactical"
    assert written["900"] == CONSOLIDATED["900"]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_our_own_formats_carry_everything_to_another_sae(labels, format):
    labels.import_(spelt(EXPLANATIONS), SAE, "ada")
    odd = "a\r\nb \"q\", 'x ; \t\u2028 ='1"
    made = labels.add(
        AddLabel(sae_id=SAE, feature_id=12, text=odd, notes="-1\r", confidence=1 / 3, choose=True)
    )
    labels.bulk(BulkEdit(sae_id=SAE, feature_ids=(4, 12), star=True, skip="=cmd", author="@eve"))
    first = labels.export(SAE, format).content
    report = labels.import_(first, OTHER, "bob")
    assert report.n_added == 5
    second = labels.export(OTHER, format).content
    assert second.replace(OTHER.encode(), SAE.encode()) == first
    copied = labels.feature(OTHER, 12).marks
    assert (copied.label.text, copied.label.confidence, copied.label.created_at) == (
        odd, 1 / 3, made.created_at,
    )  # fmt: skip
    assert (copied.is_starred, copied.skipped, copied.n_labels) == (True, "=cmd", 3)
    assert labels.import_(first, OTHER).batch_id is None


@given(st.text(alphabet="='+-@\t\r\n|a \ufeff＝", max_size=8))
def test_no_cell_is_a_formula_and_every_cell_reads_back(text):
    assert csv_safe(escaped(text)) == escaped(text)
    assert unescaped(escaped(text)) == text


def test_the_csv_is_safe_in_a_spreadsheet(labels):
    for i, text in enumerate(("=1+1", "+1", "-1", "@x", "'=1", " =1", "\uff1d1", "'plain")):
        labels.add(AddLabel(sae_id=SAE, feature_id=i, text=text, category=text, author=text))
    content = labels.export(SAE, "csv").content
    for row in csv.reader(io.StringIO(content.decode(), newline="")):
        assert [csv_safe(cell) for cell in row] == row
    labels.import_(content, OTHER)
    assert labels.texts(OTHER, range(8)) == labels.texts(SAE, range(8))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Index;Name;Category;Extra\r\n5;five;c;e\r\n\r\n6;six;;\r\n", id="semicolons"),
        pytest.param("feature\tlabel\n5\tfive\n6\tsix", id="tabs"),
        pytest.param('\ufeff"index","description"\n5,"five"\n6,six\n', id="bom"),
    ],
)
def test_tables_of_others_are_read_by_their_header(labels, text):
    report = labels.import_(text.encode(), SAE)
    assert (report.format, report.n_added) == ("csv", 2)
    assert labels.texts(SAE, [5, 6]) == {5: "five", 6: "six"}


@pytest.mark.parametrize(
    ("content", "places"),
    [
        pytest.param(
            b'{"index": 1, "description": "a"}\n{"index": "x", "description": "b"}\n'
            b'{"index": 1536, "description": "c"}\nnot json\n{"index": 2}\n'
            b'{"index": 3, "description": "d", "index": 4}\n{"index": 5, "description": "'
            + b"x" * 501
            + b'"}\n{"index": 6, "description": "e", "score": NaN}\n{"index": 7, "descri',
            [f"line {i}" for i in range(2, 10)],
            id="lines",
        ),
        pytest.param(
            b'{"1": "a", "02": "b", "3": 4, "5": "x", "5": "y", "99999": "z"}',
            ["labels['02']", "labels['3']", "labels['5']", "labels['99999']"],
            id="plain",
        ),
        pytest.param(
            b'feature,label,confidence\n1,a,0.5\n2,b,high\n3\n4,d,2\n,e,\n5,"   ",\n',
            [f"line {i}" for i in range(3, 8)],
            id="csv",
        ),
        pytest.param(
            b'{"0": "x", "1": {"name": "a"}, "2": {"name": "b", "x": '
            + b"[" * 300
            + b"]" * 300
            + b'}, "3": {"name": "c"}, "3": {}}',
            ["features['0']", "features['2']", "features['3']"],
            id="splatnlp",
        ),
        pytest.param(
            b'{"format": "actiscope-labels", "version": 1, "features": ['
            b'{"feature_id": 1, "labels": [{"text": "a"}]}, {"feature_id": 2, "labels": '
            b'[{"text": "b", "created_at": "0001-01-01T00:00:00+14:00"}]}]}',
            ["features[1]"],
            id="times",
        ),
    ],
)
def test_bad_entries_are_named_by_place_and_stop_or_are_skipped(labels, content, places):
    looked = labels.look(content, SAE)
    assert [problem.place for problem in looked.problems] == places
    assert all(problem.reason for problem in looked.problems)
    with pytest.raises(InvalidArgument, match="nothing was imported") as stopped:
        labels.import_(content, SAE)
    assert [p["place"] for p in stopped.value.details["problems"]] == places
    assert not labels.snapshot(SAE).marks
    report = labels.import_(content, SAE, mode="skip")
    assert (report.n_added, report.n_skipped) == (1, len(places))
    assert labels.texts(SAE, range(1536)) == {1: "a"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b" \n", "empty", id="blank"),
        pytest.param(b"\xff\xfe\x00", "UTF-16", id="half-utf-16"),
        pytest.param(b"feature,label\n1,\xff", "line 2", id="not-utf-8"),
        pytest.param(b"{", "not JSON", id="half"),
        pytest.param(b"[" * 200_000, "deeply", id="deep"),
        pytest.param(b"[1, 2]", "no file of labels", id="numbers"),
        pytest.param(b'{"of": NaN, "labels": {"1": "a"}}', "cannot be kept: NaN", id="around"),
        pytest.param(b"a,b\n1,2", "column of features", id="no-header"),
        pytest.param(b'{"format": "actiscope-labels", "version": 9}', "newer", id="newer"),
        pytest.param(gzip.compress(b"{}")[:-4], "gzip", id="half-gzip"),
        pytest.param(b"\x1f\x8bnot", "gzip", id="no-gzip"),
        pytest.param(b"<!DOCTYPE html>", "column of features", id="html"),
    ],
)
def test_what_is_no_file_of_labels_is_said(labels, content, said):
    with pytest.raises(InvalidArgument, match=said):
        labels.import_(content, SAE)


def test_a_file_is_not_unpacked_beyond_the_limit(labels, monkeypatch):
    monkeypatch.setattr(detecting, "MAX_BYTES", 1000)
    with pytest.raises(TooLarge):
        labels.look(gzip.compress(b" " * 1001), SAE)
    with pytest.raises(TooLarge):
        labels.look(b" " * 1001, SAE)


def test_the_sae_is_found_in_the_file_or_must_be_named(labels):
    labels.add(AddLabel(sae_id=SAE, feature_id=1, text="a"))
    assert labels.import_(labels.export(SAE, "json").content).n_known == 1
    with pytest.raises(InvalidArgument, match="name one"):
        labels.look(spelt(PLAIN))
    with pytest.raises(InvalidArgument, match="gpt2-small/8-res-jb"):
        labels.look(spelt(EXPLANATIONS))
    mixed = [*EXPLANATIONS, EXPLANATIONS[0] | {"layer": "9-res-jb"}]
    assert "9-res-jb" in labels.look(spelt(mixed), SAE).problems[0].reason
