"""The demo's corpus: `python -m services.demo.build_corpus --out FOLDER`.

Documents that the demo's model and SAEs were not trained on: the library documents that the
recipe holds out, and text of its generator from a seed of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from services.corpus.catalogue import FOLDER
from services.corpus.manifest import MANIFEST, Manifest
from services.corpus.requests import AddCorpus
from services.corpus.settling import About, make_corpus
from services.corpus.sources.files import open_files
from services.demo import corpus, text
from services.demo import vocabulary as v
from services.demo.questions import Exchange, arithmetic, knowledge
from services.demo.stories import story, with_article
from services.demo.text import Message
from services.demo.tokenizer import render
from services.types import CorpusSource

log = logging.getLogger(__name__)

CORPUS_ID: Final = "demo"
SEED: Final = 4  # of the recipe are 0, and 1 for what it holds out
MADE_AT: Final = datetime(2026, 11, 21, tzinfo=UTC)
N_STORIES, N_FACTS, N_SUMS, N_CONVERSATIONS = 1200, 500, 300, 1500

Made = dict[str, Any]


def documents() -> Iterator[Made]:
    """All documents in their order: held-out ones of the library, then own ones by kind."""
    yield from library_documents()
    yield from own_documents()


def library_documents() -> Iterator[Made]:
    """What the recipe never trains on of this interpreter's library and help topics."""
    for document in sorted(corpus.split(corpus.all_documents()).validation):
        kind = "help" if document.name.startswith("topic:") else "code"
        topic = document.name.removeprefix("topic:").partition("/")[0].removesuffix(".py")
        yield _made(document.name, kind, topic, document.text)


def own_documents() -> Iterator[Made]:
    """Text of the project's generator."""
    rng = random.Random(SEED)
    makers: tuple[tuple[Callable[[random.Random], tuple[str, str]], str, int], ...] = (
        (_story, "story", N_STORIES),
        (_facts, "facts", N_FACTS),
        (_sums, "sums", N_SUMS),
        (_conversation, "conversation", N_CONVERSATIONS),
    )
    for make, kind, count in makers:
        for number in range(1, count + 1):
            topic, made = make(rng)
            yield _made(f"{kind} {number}", kind, topic, made)


def build(out: Path) -> Manifest:
    """The corpus in `<out>/corpora/demo`, made as any corpus is."""
    folder = out / FOLDER / CORPUS_ID
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "demo.jsonl"
        file.write_text("".join(json.dumps(d) + "\n" for d in documents()), encoding="utf-8")
        request = AddCorpus(path=str(file), text_column="text")
        about = About("Demo", CorpusSource.DEMO, "python -m services.demo.build_corpus")
        manifest = make_corpus(open_files(file, "jsonl"), request, about, folder, _Quiet())
    manifest = replace(manifest, corpus_id=CORPUS_ID, created_at=MADE_AT)
    (folder / MANIFEST).write_bytes(manifest.as_json())
    return manifest


def _made(name: str, kind: str, topic: str, made: str) -> Made:
    return {
        "name": name,
        "text": made,
        "kind": kind,
        "topic": topic,
        "lines": made.count("\n") + 1,
        "is_generated": kind not in ("code", "help"),
    }


def _story(rng: random.Random) -> tuple[str, str]:
    """One to three stories about the same animal."""
    animal = rng.choice(v.ANIMALS)
    n = rng.choices((1, 2, 3), (70, 20, 10))[0]
    return animal, "\n\n".join(story(rng, animal=animal) for _ in range(n))


def _facts(rng: random.Random) -> tuple[str, str]:
    made = [knowledge(rng).answer for _ in range(rng.randint(4, 12))]
    return "knowledge", " ".join(made)


def _sums(rng: random.Random) -> tuple[str, str]:
    made = [arithmetic(rng).answer for _ in range(rng.randint(5, 20))]
    return "arithmetic", "\n".join(made)


def _conversation(rng: random.Random) -> tuple[str, str]:
    """A conversation as the model's chat template writes it; in a tenth about an animal."""
    if rng.random() < 0.1:
        animal = rng.choice(v.ANIMALS)
        asked = Exchange(f"Tell me about {with_article(animal)}.", story(rng, animal=animal))
        turns = [Message("user", asked.question), Message("assistant", asked.answer)]
        return animal, render(turns)
    messages = text.conversation(rng)
    return ("with system prompt" if messages[0].role == "system" else "plain"), render(messages)


class _Quiet:
    """Nobody watches."""

    def begin(self, phase: str, total: int | None = None, unit: str = "", done: int = 0) -> None:
        """A phase begins."""
        log.info("%s %s %s", phase, total, unit)

    def progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """So much of it is done."""

    def log(self, message: str, level: str = "info") -> None:
        """Something worth telling."""
        log.warning("%s: %s", level, message)

    def check(self) -> None:
        """It never stops."""


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `python -m services.demo.build_corpus`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(prog="services.demo.build_corpus", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a folder without corpora/demo")
    manifest = build(parser.parse_args(argv).out)
    print(f"{manifest.n_documents} documents, {manifest.n_chars} characters")


if __name__ == "__main__":
    main()
