"""From a source to a corpus: types and names of columns, what is refused, what the hash tells."""

from __future__ import annotations

import hashlib
import json
import math
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.corpus import writing
from services.corpus.catalogue import CorpusCatalogue
from services.corpus.manifest import MANIFEST
from services.corpus.preview import look_at
from services.corpus.reading import Corpus
from services.corpus.sources.files import open_files
from services.corpus.statistics import skipped_of, statistics_of
from services.errors import Conflict, InvalidArgument, NotFound, Unsupported
from tests import corpus as odd
from tests.made_corpora import Reported, jsonl, made, texts
from tests.servers import PROJECT

WORDS = [{"text": f"word {i} é😀", "n": i, "even": i % 2 == 0} for i in range(2500)]


def rows_of(corpus: Corpus) -> list[dict[str, Any]]:
    return [{"text": d.text, **d.metadata} for d in corpus.documents()]


def test_every_document_in_order_and_by_range(tmp_path: Path) -> None:
    corpus = made(jsonl(tmp_path / "a.jsonl", WORDS), tmp_path)
    assert rows_of(corpus) == WORDS
    assert [d.number for d in corpus.documents()] == list(range(2500))
    assert corpus.info.metadata == {"n": "int64", "even": "bool"}
    assert (corpus.info.n_documents, corpus.info.text_column) == (2500, "text")
    for start, stop in ((0, 1), (999, 1001), (2400, None), (2499, 9999), (5, 5), (2500, None)):
        found = [d.metadata["n"] for d in corpus.documents(start, stop)]
        assert found == list(range(2500))[start:stop]
    chosen = np.zeros(2500, bool)
    chosen[[0, 1500, 2499]] = True
    assert [d.number for d in corpus.documents(0, 2499, chosen)] == [0, 1500]
    lengths = [len(row["text"]) for row in WORDS]
    assert corpus.lengths().tolist() == lengths
    assert corpus.info.n_chars == sum(lengths)
    corpus.verify()


def test_row_groups_and_files_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": str(i) * 50_000} for i in range(10)] + [{"text": ""}] * 2000
    monkeypatch.setattr(writing, "GROUP_BYTES", 100_000)
    monkeypatch.setattr(writing, "FILE_BYTES", 300_000)
    corpus = made(jsonl(tmp_path / "a.jsonl", rows), tmp_path)
    files = sorted(corpus.entry.path.glob("documents-*.parquet"))
    assert len(files) == 2
    groups = [pq.ParquetFile(file).metadata for file in files]
    sizes = [g.row_group(i).num_rows for g in groups for i in range(g.num_row_groups)]
    assert max(sizes) <= 1000
    assert texts(corpus) == [row["text"] for row in rows]
    assert [d.number for d in corpus.documents(6, 9)] == [6, 7, 8]
    corpus.verify()


def test_the_hash_is_of_the_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": f"d{i}", **row} for i, row in enumerate(WORDS[:300])]
    first = made(jsonl(tmp_path / "a.jsonl", rows), tmp_path / "1")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
    monkeypatch.setattr(writing, "GROUP_ROWS", 7)
    second = made(tmp_path / "b.parquet", tmp_path / "2")
    (tmp_path / "c.json").write_text(json.dumps([dict(reversed(r.items())) for r in rows]))
    third = made(tmp_path / "c.json", tmp_path / "3")
    digest = hashlib.sha256()
    for row in rows:
        metadata = {"even": row["even"], "n": row["n"]}
        line = json.dumps([row["name"], row["text"], metadata], ensure_ascii=False)
        digest.update(line.encode() + b"\n")
    hashes = {corpus.info.content_hash for corpus in (first, second, third)}
    assert hashes == {digest.hexdigest()}
    for i, change in enumerate(({"text": "x"}, {"n": -1}, {"name": "x"}, {"even": None})):
        other = jsonl(tmp_path / "d.jsonl", [rows[0] | change, *rows[1:]])
        assert made(other, tmp_path / f"other{i}").info.content_hash not in hashes
    turned = made(jsonl(tmp_path / "d.jsonl", rows[::-1]), tmp_path / "turned")
    assert turned.info.content_hash not in hashes


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([1, None, 2], "int64", [1, None, 2]),
        ([1, 2.5], "float64", [1.0, 2.5]),
        ([2**53 + 1, 0.5], "string", [str(2**53 + 1), "0.5"]),
        ([2**63 - 1, -(2**63)], "int64", [2**63 - 1, -(2**63)]),
        ([2**63, 1], "string", [str(2**63), "1"]),
        ([True, False], "bool", [True, False]),
        ([True, 1], "string", ["true", "1"]),
        (["a", 1, 1.5, True, None], "string", ["a", "1", "1.5", "true", None]),
        (["1", "2"], "string", ["1", "2"]),
        (["", " "], "string", ["", " "]),
        ([None, None], None, None),
        ([[1], "x"], None, None),
        ([{"a": 1}, None], None, None),
    ],
)
def test_types_are_found_over_all_values(
    tmp_path: Path, values: list[Any], kind: str | None, kept: list[Any] | None
) -> None:
    rows = [{"text": "t"}] * 200 + [{"text": "t", "v": value} for value in values]
    corpus = made(jsonl(tmp_path / "a.jsonl", rows), tmp_path)
    assert corpus.info.metadata == ({} if kind is None else {"v": kind})
    if kept is not None:
        found = [d.metadata["v"] for d in corpus.documents(200)]
        assert found == kept
        assert [type(v) for v in found] == [type(v) for v in kept]
    else:
        assert set(corpus.entry.manifest.left_out) == {"v"}


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        (["1", "", "-2"], "int64", [1, None, -2]),
        (["1", "2.5", "1e3"], "float64", [1.0, 2.5, 1000.0]),
        (["007", "1"], "string", ["007", "1"]),
        (["true", "False"], "bool", [True, False]),
        (["nan", "1"], "string", ["nan", "1"]),
        (["1e999", "1"], "string", ["1e999", "1"]),
        (["9" * 30, "1"], "string", ["9" * 30, "1"]),
        ([" 1", "2"], "string", [" 1", "2"]),
    ],
)
def test_types_of_csv_are_those_that_all_fields_have(
    tmp_path: Path, values: list[str], kind: str, kept: list[Any]
) -> None:
    (tmp_path / "a.csv").write_text("text,v\n" + "".join(f"t,{value}\n" for value in values))
    corpus = made(tmp_path / "a.csv", tmp_path, text_column="text")
    assert corpus.info.metadata == {"v": kind}
    assert [d.metadata["v"] for d in corpus.documents()] == kept


def test_nan_says_nothing_and_bytes_are_left_out(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "f": [math.nan, 1.0], "raw": [b"x", None]})
    pq.write_table(table, tmp_path / "a.parquet")
    corpus = made(tmp_path / "a.parquet", tmp_path)
    assert rows_of(corpus) == [{"text": "a", "f": None}, {"text": "b", "f": 1.0}]
    assert "bytes" in corpus.entry.manifest.left_out["raw"]


def test_names_that_stores_need_are_changed(tmp_path: Path) -> None:
    from services.store.spec import StoreSpec

    row = {
        "body": "b", "text": "t", "name": "me", "document": 1, "document_": 2, "start": 3,
        "n_tokens": 4, "n_counted": 5, "": 6, "id": 7,
    }  # fmt: skip
    corpus = made(jsonl(tmp_path / "a.jsonl", [row]), tmp_path, text_column="body")
    (document,) = corpus.documents()
    assert (document.name, document.text) == ("me", "b")
    assert document.metadata == {
        "text_": "t", "document__": 1, "document_": 2, "start_": 3, "n_tokens_": 4,
        "n_counted_": 5, "_": 6, "id": 7,
    }  # fmt: skip
    assert corpus.entry.manifest.renamed["document__"] == "document"
    StoreSpec(d_sae=2, metadata=dict(corpus.info.metadata))


def test_documents_are_named_by_name_id_or_place(tmp_path: Path) -> None:
    rows = [{"name": "a", "id": 1}, {"name": " ", "id": 2}, {"id": ""}, {}, {"name": [1]}]
    path = jsonl(tmp_path / "f.jsonl", [row | {"text": "t"} for row in rows])
    corpus = made(path, tmp_path)
    names = [d.name for d in corpus.documents()]
    assert names == ["a", "2", "f.jsonl:3", "f.jsonl:4", "f.jsonl:5"]
    assert "name" in corpus.entry.manifest.left_out
    (tmp_path / "x.txt").write_text("t")
    assert [d.name for d in made(tmp_path / "x.txt", tmp_path).documents()] == ["x.txt"]


def test_nested_values_are_kept_as_json_where_they_are_named(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"text": "t", "l": [1, "é"], "n": 1}])
    report = Reported()
    assert made(path, tmp_path / "1", report).info.metadata == {"n": "int64"}
    assert "'l' is left out" in report.lines[0]
    named = made(path, tmp_path / "2", metadata=("l",))
    assert [d.metadata for d in named.documents()] == [{"l": '[1, "é"]'}]
    assert made(path, tmp_path / "3", metadata=()).info.metadata == {}
    with pytest.raises(InvalidArgument, match="no column 'z'"):
        made(path, tmp_path / "4", metadata=("z",))


def test_the_column_of_the_text_is_chosen_or_asked_for(tmp_path: Path) -> None:
    only = jsonl(tmp_path / "a.jsonl", [{"n": 1, "body": "b"}])
    assert made(only, tmp_path / "1").info.text_column == "body"
    two = jsonl(tmp_path / "b.jsonl", [{"title": "t", "body": "b"}])
    with pytest.raises(InvalidArgument, match="title, body"):
        made(two, tmp_path / "2")
    assert texts(made(two, tmp_path / "3", text_column="title")) == ["t"]


BAD = {
    "no column": ({"n": 1}, "no column 'text'; it has n"),
    "null": ({"text": None}, "is null, not a text"),
    "a number": ({"text": 5}, "is a number, not a text"),
    "a list": ({"text": ["x"]}, "is a list, not a text"),
    "NUL": ({"text": "a\x00"}, "U+0000 (NUL), at character 2"),
    "a surrogate": ({"text": "ab\ud800"}, "lone surrogate, at character 3"),
    "NUL in metadata": ({"text": "a", "n": "\x00"}, "the column 'n' contains U+0000"),
    "a surrogate in a list": ({"text": "a", "n": ["\udc00"]}, "the column 'n' contains a lone"),
    "NUL in a name": ({"text": "a", "\x00": 1}, "the name of a column contains U+0000"),
}


@pytest.mark.parametrize(("row", "reason"), BAD.values(), ids=BAD)
def test_what_cannot_be_a_document_stops_or_is_skipped(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    path = jsonl(tmp_path / "a.jsonl", [WORDS[0], row, WORDS[1]])
    with pytest.raises(InvalidArgument, match=r"^a\.jsonl, line 2: ") as refused:
        made(path, tmp_path)
    assert reason in refused.value.message
    assert refused.value.details["line"] == 2
    assert not list((tmp_path / "corpora").iterdir())
    corpus = made(path, tmp_path, on_error="skip")
    assert rows_of(corpus) == WORDS[:2]
    assert corpus.info.n_skipped == 1
    (line,) = skipped_of(corpus.entry.path)
    assert (line.file, line.line) == ("a.jsonl", 2)
    assert reason in line.reason


def test_odd_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    good = [t for t in odd.TEXTS.values() if not any(c in t for c in "\x00\ud800\udc00")]
    assert len(good) > 20
    rows = [{"text": t, "also": t} for t in good]
    for path in (jsonl(tmp_path / "a.jsonl", rows), tmp_path / "b.parquet"):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
        corpus = made(path, tmp_path / path.suffix)
        assert rows_of(corpus) == rows


def test_nothing_at_all_is_refused(tmp_path: Path) -> None:
    for i, content in enumerate(("", "\n\n", "[]")):
        (tmp_path / "a.jsonl").write_text(content)
        with pytest.raises(InvalidArgument, match="no documents"):
            made(tmp_path / "a.jsonl", tmp_path / str(i))
    with pytest.raises(InvalidArgument, match="2 pieces of it are skipped"):
        made(jsonl(tmp_path / "b.jsonl", [1, 2]), tmp_path / "x", on_error="skip")


def test_cancelling_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.corpus import gathering

    monkeypatch.setattr(gathering, "_LOOK_S", 0)
    path = jsonl(tmp_path / "a.jsonl", WORDS)
    for stop_after in (0, 100, 2499, 2501, 4000):
        with pytest.raises(InterruptedError):
            made(path, tmp_path, Reported(stop_after))
        assert not list((tmp_path / "corpora").iterdir())


def test_statistics_are_those_of_all_documents(tmp_path: Path) -> None:
    rows = [{"text": "x" * i, "kind": "ab"[i % 2], "n": i % 3} for i in range(1, 2001)]
    rows.append({"text": "", "kind": "b", "n": 5})
    statistics = statistics_of(made(jsonl(tmp_path / "a.jsonl", rows), tmp_path))
    lengths = [len(row["text"]) for row in rows]
    assert statistics.n_chars == sum(lengths)
    assert (statistics.shortest, statistics.longest, statistics.n_empty) == (0, 2000, 1)
    assert statistics.median == np.median(lengths)
    assert sum(statistics.length_counts) == 2000
    edges = statistics.length_edges
    for i, count in enumerate(statistics.length_counts):
        last = i == len(statistics.length_counts) - 1
        inside = [n for n in lengths if edges[i] <= n and (n < edges[i + 1] or last) and n]
        assert count == len(inside)
    assert statistics.metadata["kind"] == (("b", 1001), ("a", 1000))
    assert dict(statistics.metadata["n"]) == {"0": 666, "1": 667, "2": 667, "5": 1}


def test_a_look_is_quick_and_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": i, "body": "long " * 1000, "title": "short", "l": [1]} for i in range(5000)]
    path = jsonl(tmp_path / "a.jsonl", rows)
    source = open_files(path, "auto")
    preview = look_at(source)
    assert source.done < path.stat().st_size / 10
    assert preview.columns == {
        "id": "int64", "body": "string", "title": "string", "l": "list or object",
    }  # fmt: skip
    assert preview.suggested_text == "body"
    assert len(preview.rows) == 20
    assert len(preview.rows[0]["body"]) == 501
    (tmp_path / "b.jsonl").write_bytes(b"\xff\n" + b'{"text": "x"}')
    assert look_at(open_files(tmp_path / "b.jsonl", "auto")).suggested_text == "text"
    (tmp_path / "c.jsonl").write_bytes(b"nonsense")
    with pytest.raises(InvalidArgument, match=r"c\.jsonl, line 1: not JSON"):
        look_at(open_files(tmp_path / "c.jsonl", "auto"))


def test_the_catalogue_offers_what_can_be_read(tmp_path: Path) -> None:
    good = made(jsonl(tmp_path / "a.jsonl", WORDS[:10]), tmp_path)
    bad = made(jsonl(tmp_path / "b.jsonl", WORDS[:11]), tmp_path)
    catalogue = CorpusCatalogue((tmp_path / "nothing", tmp_path))
    ids = {good.info.corpus_id, bad.info.corpus_id}
    assert {entry.info.corpus_id for entry in catalogue.list()} == ids
    (bad.entry.path / "documents-00000.parquet").write_bytes(b"short")
    (tmp_path / "corpora" / "empty").mkdir()
    (tmp_path / "corpora" / "odd").mkdir()
    (tmp_path / "corpora" / "odd" / MANIFEST).write_text('{"format_version": 1}')
    (tmp_path / "corpora" / "later").mkdir()
    later = good.entry.manifest.as_json().replace(b'"format_version": 1', b'"format_version": 2')
    (tmp_path / "corpora" / "later" / MANIFEST).write_bytes(later)
    assert [entry.info.corpus_id for entry in catalogue.list()] == [good.info.corpus_id]
    problems = {info.corpus_id: info.problem or "" for info in catalogue.problems()}
    assert set(problems) == {bad.info.corpus_id, "empty", "odd", "later"}
    assert "has changed" in problems[bad.info.corpus_id]
    assert "version 2" in problems["later"]
    with pytest.raises(Unsupported, match="has changed"):
        catalogue.get(bad.info.corpus_id)
    with pytest.raises(NotFound):
        catalogue.get("../a")


def test_a_changed_file_is_found(tmp_path: Path) -> None:
    corpus = made(jsonl(tmp_path / "a.jsonl", WORDS), tmp_path)
    file = corpus.entry.path / "documents-00000.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(Conflict, match="documents-00000"):
        corpus.verify()


_IMPORT = """
import resource, sys
from pathlib import Path
from tests.made_corpora import made
made(Path(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak_mb(n: int) -> float:
        path = tmp_path / f"{n}.jsonl"
        with path.open("w") as file:
            for i in range(n):
                file.write(json.dumps({"text": f"{i} " * 20_000}) + "\n")
        run = [sys.executable, "-c", _IMPORT, str(path), str(tmp_path / str(n))]
        done = subprocess.run(run, cwd=PROJECT, capture_output=True, text=True, check=True)
        return int(done.stdout) / 1024

    assert resource.getpagesize()  # Linux counts in kB
    small, large = peak_mb(100), peak_mb(1500)  # about 10 MB and 170 MB
    assert large - small < 60
