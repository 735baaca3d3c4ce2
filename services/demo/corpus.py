"""Text that every CPython brings: its standard library and the topics of its help system."""

from __future__ import annotations

import ast
import hashlib
import random
import re
import sysconfig
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

SKIPPED_FOLDERS: Final = frozenset(
    {
        "site-packages",
        "__pycache__",
        "test",
        "tests",
        "encodings",
        "ensurepip",
        "pydoc_data",
        "idlelib",
        "lib2to3",
        "turtledemo",
    }
)
"""Third-party code, tables, and packages that some distributions of Python leave out."""

OWN_LICENCE: Final = re.compile(r"licensed (to|under)|all rights reserved|redistribution", re.I)
LICENCE_LINES: Final = 60
VALIDATION_SHARE: Final = 0.025


class Document(NamedTuple):
    """A text of the corpus and the name it is sorted and split by."""

    name: str
    text: str


class Split(NamedTuple):
    """Documents to train on and documents that are never trained on."""

    train: list[Document]
    validation: list[Document]


def clean(text: str) -> str:
    """Spaces for tabs, no trailing blanks, no shebang or coding line, at most two blank lines."""
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    text = re.sub(r"[ ]+\n", "\n", text)
    text = re.sub(r"\n{4,}", "\n\n\n", text)
    return re.sub(r"^(#!.*\n|# *-\*-.*\n)+", "", text)


def has_own_licence(text: str) -> bool:
    """Whether the head of the file speaks of a licence of its own beside CPython's."""
    head = "\n".join(text.split("\n")[:LICENCE_LINES])
    return OWN_LICENCE.search(head) is not None


def _source_paths(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*.py")):
        folders = path.relative_to(root).parts[:-1]
        if not SKIPPED_FOLDERS & set(folders) and not any(f.startswith("config-") for f in folders):
            yield path


def _readable(path: Path) -> str | None:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    usable = len(text) >= 200 and max(map(len, text.split("\n"))) <= 2000
    return clean(text) if usable and not has_own_licence(text) else None


def stdlib_documents(root: Path | None = None) -> list[Document]:
    """The sources of the standard library under `root` (this interpreter's by default)."""
    root = root or Path(sysconfig.get_paths()["stdlib"])
    texts = ((path, _readable(path)) for path in _source_paths(root))
    return [Document(str(path.relative_to(root)), text) for path, text in texts if text]


def topic_documents() -> list[Document]:
    """The reference topics of `help()`."""
    from pydoc_data.topics import topics

    return [Document(f"topic:{name}", clean(topics[name])) for name in sorted(topics)]


def all_documents(limit: int | None = None) -> list[Document]:
    """The whole corpus, or its first `limit` documents."""
    return (stdlib_documents() + topic_documents())[:limit]


def split(documents: Sequence[Document], seed: int = 0) -> Split:
    """A shuffled split that leaves out `VALIDATION_SHARE` of the documents, at least four."""
    shuffled = list(documents)
    random.Random(seed).shuffle(shuffled)
    held_out = max(4, round(len(shuffled) * VALIDATION_SHARE))
    return Split(train=shuffled[held_out:], validation=shuffled[:held_out])


def corpus_sha256(documents: Iterable[Document]) -> str:
    """A digest of names and texts: equal corpora have equal digests."""
    digest = hashlib.sha256()
    for document in sorted(documents):
        digest.update(f"{document.name}\0{document.text}\0".encode())
    return digest.hexdigest()


_Definition = ast.FunctionDef | ast.ClassDef


def _summary(node: _Definition) -> str | None:
    docstring = ast.get_docstring(node)
    if not docstring or len(node.body) < 2:
        return None
    summary = " ".join(docstring.split("\n\n")[0].split())
    return summary if 15 <= len(summary) <= 200 and ">>>" not in summary else None


def _source_without_docstring(lines: list[str], node: _Definition) -> str:
    docstring = node.body[0]
    head = lines[node.lineno - 1 : docstring.lineno - 1]
    kept = head + lines[docstring.end_lineno : node.end_lineno]
    return textwrap.dedent("\n".join(kept)).strip("\n")


def docstring_pairs(document: Document) -> Iterator[tuple[str, str]]:
    """Pairs (first paragraph of a docstring, the definition it belongs to without it)."""
    try:
        tree = ast.parse(document.text)
    except SyntaxError:
        return
    lines = document.text.split("\n")
    for node in ast.walk(tree):
        if isinstance(node, _Definition) and (summary := _summary(node)):
            source = _source_without_docstring(lines, node)
            if 30 <= len(source) <= 900:
                yield summary, source
