"""What the recipe reads of the standard library."""

from __future__ import annotations

from pathlib import Path

from services.demo import corpus
from services.demo.corpus import Document

LONG = "x = 1\n" * 50


def test_reads_sources_and_leaves_out_tests_tables_and_third_parties(tmp_path: Path) -> None:
    for name in ("kept.py", "test/skipped.py", "site-packages/skipped.py", "config-3/skipped.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(LONG)
    assert [d.name for d in corpus.stdlib_documents(tmp_path)] == ["kept.py"]


def test_leaves_out_files_with_a_licence_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("# Licensed to PSF under a Contributor Agreement.\n" + LONG)
    (tmp_path / "short.py").write_text("x = 1\n")
    assert corpus.stdlib_documents(tmp_path) == []


def test_cleaning_removes_tabs_trailing_blanks_and_coding_lines() -> None:
    text = "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\nif x:\r\n\ty = 1   \n\n\n\n\n\nz = 2\n"
    assert corpus.clean(text) == "if x:\n    y = 1\n\n\nz = 2\n"


def test_held_out_documents_are_never_trained_on() -> None:
    documents = [Document(str(i), LONG) for i in range(400)]
    parts = corpus.split(documents, seed=3)
    assert parts == corpus.split(documents, seed=3)
    assert len(parts.validation) == 10
    assert not set(parts.train) & set(parts.validation)
    assert len(parts.train) + len(parts.validation) == len(documents)


def test_digest_depends_on_content_not_on_order() -> None:
    one, two = Document("a", "text"), Document("b", "text")
    assert corpus.corpus_sha256([one, two]) == corpus.corpus_sha256([two, one])
    assert corpus.corpus_sha256([one]) != corpus.corpus_sha256([Document("a", "texts")])


def test_docstring_and_definition_are_paired_without_the_docstring() -> None:
    source = "class A:\n    def double(self, x):\n        {}\n        return 2 * x\n"
    source = source.format('"""Return twice the value."""')
    pairs = list(corpus.docstring_pairs(Document("a.py", source)))
    assert pairs == [("Return twice the value.", "def double(self, x):\n    return 2 * x")]


def test_documents_that_are_not_python_have_no_pairs() -> None:
    assert list(corpus.docstring_pairs(Document("topic:x", "not python at all"))) == []
