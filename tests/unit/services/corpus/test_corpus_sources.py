"""Files of every format: what is read of good ones, and what is said of bad ones."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.corpus.sources import json_lines, lines, pieces, text
from services.corpus.sources.files import open_files
from services.corpus.sources.pieces import Row
from services.errors import InvalidArgument, NotFound
from services.types import SkippedLine


def read(path: Path, content: bytes | None = None, **asked: Any) -> list[Any]:
    """The file's rows as their values, and what is skipped as (line, reason)."""
    if content is not None:
        path.write_bytes(content)
    source = open_files(path, asked.get("format", "auto"), asked.get("separator", "file"))
    found: list[Any] = []
    for piece in source.pieces():
        assert piece.file
        found.append(
            (piece.line, piece.reason) if isinstance(piece, SkippedLine) else dict(piece.values)
        )
    assert source.done == source.total == source.size_bytes
    return found


def one_bad(found: list[Any], line: int | None, reason: str) -> None:
    (bad,) = [piece for piece in found if isinstance(piece, tuple)]
    assert bad[0] == line
    assert reason in bad[1]


A, B = {"text": "ä", "n": 1}, {"text": "b\nc", "n": None}
LINES = json.dumps(A).encode() + b"\n" + json.dumps(B).encode()


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES + b"\n",
        b"\xef\xbb\xbf" + LINES,
        LINES.replace(b"\n", b"\r\n"),
        b"\n \n" + LINES + b"\n\n",
        gzip.compress(LINES),
        json.dumps([A, B]).encode(),
        json.dumps([A, B], indent=2).encode() + b"\n",
        b"\xef\xbb\xbf " + gzip.decompress(gzip.compress(json.dumps([A, B]).encode())),
    ],
    ids=["plain", "newline", "BOM", "CRLF", "blank", "gzip", "list", "indented", "BOM and list"],
)
def test_json_in_every_dress(tmp_path: Path, content: bytes) -> None:
    for name in ("a.jsonl", "a.json", "a.jsonl.gz", "unnamed"):
        assert read(tmp_path / name, content) == [A, B]


GOOD = b'{"text": "x"}'


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"text": "x"', "not JSON"),
        (b"{'text': 'x'}", "not JSON"),
        (b'["x"]', "a list, not an object"),
        (b'"x"', "a text, not an object"),
        (b"12", "a number, not an object"),
        (b"null", "null, not an object"),
        (b'{"text": "\xff"}', "not UTF-8 at byte 11"),
        (b'{"text": "a\x00b"}', "not JSON"),
        (b'{"text": NaN}', "NaN is not JSON"),
        (b'{"text": "a", "text": "b"}', "'text' appears twice"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
        (b"<html>", "not JSON"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(
    tmp_path: Path, bad: bytes, reason: str
) -> None:
    found = read(tmp_path / "a.jsonl", GOOD + b"\n" + bad + b"\n\n" + GOOD + b"\n")
    assert [p for p in found if isinstance(p, dict)] == [{"text": "x"}] * 2
    one_bad(found, 2, reason)


def test_a_bad_element_of_a_list_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    for bad, reason in ((b"5", "a number, not an object"), (b'{"text": "\xff"}', "not UTF-8")):
        found = read(tmp_path / "a.json", b'[{"text": "x"},\n\n ' + bad + b',\n{"text": "y"}]')
        assert [p for p in found if isinstance(p, dict)] == [{"text": "x"}, {"text": "y"}]
        one_bad(found, 3, reason)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b'[{"text": "x"},\n{"text": }, {}]', 2, "not JSON"),
        (b'[{"text": "x"}\n{}]', 2, "expected , or ]"),
        (b'[{"text": "x"},\n', 2, "not JSON"),
        (b'[{"text": "x"}', 1, "expected , or ]"),
        (b'[{"text": "x"}]\n{}', 2, "more after the end"),
        (b'[{"text": "x"}, ' + b"[" * 100_000, 1, "nested too deeply"),
    ],
)
def test_a_list_is_read_up_to_where_it_breaks(
    tmp_path: Path, content: bytes, line: int, reason: str
) -> None:
    found = read(tmp_path / "a.json", content)
    one_bad(found, line, reason)
    assert found[0] == {"text": "x"}
    assert "nothing after it" in found[-1][1]


def test_a_list_is_read_in_small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": "äöü€😀" * i, "n": [i, {"m": -1.5e3}]} for i in range(40)]
    for step in (1, 2, 3, 7, 64):
        monkeypatch.setattr(json_lines, "_STEP", step)
        content = json.dumps(rows, ensure_ascii=False, indent=1).encode()
        assert read(tmp_path / "a.json", content) == rows


def test_lines_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lines, pieces, text):
        monkeypatch.setattr(module, "MAX_BYTES", 1000)
    long = json.dumps({"text": "x" * 5000}).encode()
    found = read(tmp_path / "a.jsonl", GOOD + b"\n" + long + b"\n" + GOOD)
    assert [p for p in found if isinstance(p, dict)] == [{"text": "x"}] * 2
    one_bad(found, 2, "MiB")
    one_bad(read(tmp_path / "a.txt", b"x" * 5000), None, "MiB")
    found = read(tmp_path / "b.txt", b"a\n" + b"x" * 5000 + b"\nb", separator="line")
    assert [p for p in found if isinstance(p, dict)] == [{"text": "a"}, {"text": "b"}]
    paragraphs = b"a\nb\n\n" + b"xxxx\n" * 500 + b"\nc\n"
    found = read(tmp_path / "c.txt", paragraphs, separator="blank_line")
    assert [p for p in found if isinstance(p, dict)] == [{"text": "a\nb"}, {"text": "c"}]
    one_bad(found, 4, "MiB")


def test_text_by_file_line_and_paragraph(tmp_path: Path) -> None:
    content = "\ufeffä b\nc\n\n \nd\r\n".encode()
    read_by = lambda separator: [  # noqa: E731
        p["text"] for p in read(tmp_path / "a.txt", content, separator=separator)
    ]
    assert read_by("file") == ["ä b\nc\n\n \nd\r\n"]
    assert read_by("line") == ["ä b", "c", "d"]
    assert read_by("blank_line") == ["ä b\nc", "d"]
    source = open_files(tmp_path / "a.txt", "auto", "blank_line")
    assert [p.line for p in source.pieces()] == [1, 5]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a\nb\x00c", 2, "U+0000"),
        (b"a\nb\n\xffc", 3, "not UTF-8"),
        ("a".encode("utf-16"), 1, "UTF-16"),
        (gzip.compress(b"abc" * 10_000, mtime=0)[:-20], None, "damaged"),
    ],
    ids=["a NUL", "a byte that is no UTF-8", "UTF-16", "a torn gzip"],
)
def test_a_text_file_that_is_none(
    tmp_path: Path, content: bytes, line: int | None, reason: str
) -> None:
    one_bad(read(tmp_path / "a.txt", content), line, reason)


def test_csv_in_every_dress(tmp_path: Path) -> None:
    expected = [{"text": 'a, "b"\nc', "n": "1"}, {"text": "ä", "n": ""}]
    comma = 'text,n\n"a, ""b""\nc",1\nä,\n'
    crlf = comma.replace("\n", "\r\n").replace('b""\r\n', 'b""\n')
    blank = comma.replace("\nä", "\n\nä")
    for content in (comma, crlf, "\ufeff" + comma, comma.rstrip("\n"), blank):
        assert read(tmp_path / "a.csv", content.encode()) == expected
        assert read(tmp_path / "a.csv.gz", gzip.compress(content.encode())) == expected
    for delimiter in ";\t":
        content = f'text{delimiter}n\n"a, ""b""\nc"{delimiter}1\nä{delimiter}\n'
        assert read(tmp_path / "a.tsv", content.encode()) == expected
    assert read(tmp_path / "b.csv", b"text\nx\n") == [{"text": "x"}]
    assert read(tmp_path / "b.csv", b",text\n0,x\n") == [{"column_1": "0", "text": "x"}]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"only", "1 fields, where the header has 2"),
        (b"a,b,c", "3 fields"),
        (b"\xff,1", "not UTF-8"),
        (b'a"b" ,"x"y', "not CSV"),
        (b"a\rb,1", "not CSV"),
    ],
)
def test_a_bad_record_is_named_and_the_others_are_read(
    tmp_path: Path, bad: bytes, reason: str
) -> None:
    found = read(tmp_path / "a.csv", b'text,n\n"x\ny",1\n' + bad + b"\nz,2\n")
    assert [p for p in found if isinstance(p, dict)] == [
        {"text": "x\ny", "n": "1"},
        {"text": "z", "n": "2"},
    ]
    one_bad(found, 4, reason)


def test_a_quote_that_is_never_closed_says_how_many_lines_it_took(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", b'text,n\nx,1\n"y,2\nz,3\nz,4\n')
    assert found[0] == {"text": "x", "n": "1"}
    one_bad(found, 3, "3 lines from here on are lost")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"a,b,a\n1,2,3\n", "'a' is there twice"), (b'"a,b\n1,2\n', "header")],
)
def test_a_header_that_is_none(tmp_path: Path, content: bytes, reason: str) -> None:
    found = read(tmp_path / "a.csv", content)
    one_bad(found, 1, reason)
    assert len(found) == 1


def test_parquet_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "n": i, "l": [i], "at": None} for i in range(1000)]
    table = pa.Table.from_pylist(rows)
    for name in ("a.parquet", "a.txt"):
        pq.write_table(table, tmp_path / name, row_group_size=300)
        assert read(tmp_path / name) == rows


def test_types_that_json_does_not_know(tmp_path: Path) -> None:
    from datetime import date, datetime
    from decimal import Decimal

    row = {
        "text": "x", "d": date(2026, 1, 2), "t": datetime(2026, 1, 2, 3, 4), "m": Decimal("1.50"),
        "b": b"\xff", "s": {"a": date(2026, 1, 2)},
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [
        {"text": "x", "d": "2026-01-02", "t": "2026-01-02T03:04:00", "m": "1.50", "b": b"\xff",
         "s": {"a": "2026-01-02"}}
    ]  # fmt: skip


def test_parquet_with_a_text_that_is_no_utf8(tmp_path: Path) -> None:
    column = pa.array([b"a", b"\xff", b"c"]).view(pa.binary())
    bad = pa.Array.from_buffers(pa.string(), 3, column.buffers())
    pq.write_table(pa.table({"text": bad}), tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert [p for p in found if isinstance(p, dict)] == [{"text": "a"}, {"text": "c"}]
    one_bad(found, 2, "not UTF-8")


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x" * 1000] * 1000}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for content in (whole[:-10], whole[:4], b"PAR1" + b"\xff" * 100 + b"PAR1", b"", b"<html>"):
        (tmp_path / "b.parquet").write_bytes(content)
        one_bad(read(tmp_path / "b.parquet", format="parquet"), 1, "damaged")


def test_a_folder_is_read_by_name_and_has_one_format(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl", ".hidden/x.jsonl", ".y.jsonl"):
        (folder / name).write_text(json.dumps({"text": name}))
    (folder / "picture.png").write_bytes(b"\x89PNG")
    source = open_files(folder, "auto")
    found = [(p.file, p.values["text"]) for p in source.pieces() if isinstance(p, Row)]
    assert found == [(name, name) for name in ("a.jsonl", "b.jsonl", "sub/c.jsonl")]
    assert source.others == ["picture.png"]
    (folder / "read.txt").write_text("x")
    with pytest.raises(InvalidArgument, match="several formats"):
        open_files(folder, "auto")
    assert [f.name for f in open_files(folder, "text").files] == ["read.txt"]
    with pytest.raises(InvalidArgument, match="no parquet files"):
        open_files(folder, "parquet")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InvalidArgument, match="no file and no folder"):
        open_files(tmp_path / "pipe.jsonl", "auto")
    with pytest.raises(InvalidArgument, match="no files"):
        open_files(tmp_path, "auto")
    with pytest.raises(NotFound):
        open_files(tmp_path / "gone.jsonl", "auto")


def test_a_dataset_that_was_saved(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"text": f"t{i}", "label": i % 2} for i in range(600)]
    made = datasets.Dataset.from_list(rows)
    made.save_to_disk(str(tmp_path / "saved"), num_shards=2)
    assert read(tmp_path / "saved") == rows
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(str(tmp_path / "splits"))
    with pytest.raises(InvalidArgument, match="test, train"):
        open_files(tmp_path / "splits", "auto")
    assert read(tmp_path / "splits" / "train") == rows
    state = json.loads((tmp_path / "saved" / "state.json").read_text())
    state["_data_files"] = [{"filename": "../../etc/passwd"}]
    (tmp_path / "saved" / "state.json").write_text(json.dumps(state))
    with pytest.raises(InvalidArgument, match="outside"):
        open_files(tmp_path / "saved", "auto")
