"""A server with a tiny model, two SAEs for it and two corpora, on a database of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.container import Container
from services.web import install, make_server
from tests import tiny
from tests.made_corpora import jsonl, made

SAE, SECOND = "tiny-sae", "owner/second"
WORDS = ["the", "cat", "sat", "on", "the", "mat", "and", "the", "dog", "ran"]


def rows(n: int) -> list[dict[str, Any]]:
    """Documents that a tiny model reads in one window each."""
    return [
        {"text": " ".join(WORDS[(i + j) % 10] for j in range(3 + i % 9)), "year": i}
        for i in range(n)
    ]


def furnish(home: Path) -> None:
    """Put model, SAEs and corpora into a data folder."""
    home.mkdir()
    tiny.save_model(home, "tiny")
    tiny.save_sae(home, SAE)
    meta = {"hook_name": "blocks.2.hook_resid_post", "hf_hook_name": "model.layers.2.output"}
    tiny.save_sae(home, SECOND, tensors=tiny.sae_tensors(seed=5), metadata=meta)
    made(jsonl(home / "small.jsonl", rows(20)), home)
    made(jsonl(home / "large.jsonl", rows(1500)), home)


@pytest.fixture
def furnished(settings: Any) -> Iterator[Container]:
    """Its services."""
    furnish(settings.home)
    made = Container(settings)
    yield made
    made.close()


@pytest.fixture
def client(furnished: Container) -> Iterator[FlaskClient]:
    """Its REST."""
    server = make_server(furnished.settings)
    install(server, furnished, list)
    with server.test_client() as made:
        yield made


def corpus_id(container: Container, name: str) -> str:
    """The id of `small` or `large`."""
    entries = container.corpora._catalogue.list()
    return next(e.info.corpus_id for e in entries if e.info.corpus_id.startswith(name))
