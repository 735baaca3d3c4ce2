"""Evidence while a store fills, and from which of several stores it is by default."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from db.extraction_records import NewExtraction
from services.container import Container
from services.corpus.store import CorpusStore
from services.errors import Unavailable
from services.evidence.requests import (
    BreakdownQuery,
    ExamplesQuery,
    IntervalsQuery,
    OverviewQuery,
    RelatedQuery,
    TokensQuery,
    ViewQuery,
)
from services.extraction.store import ExtractionStore
from services.settings import Settings
from services.store import StoreWriter, compact
from services.types import ExtractionLive
from tests import tiny
from tests.made_corpora import jsonl, made
from tests.made_stores import fill, spec
from tests.made_texts import Texts

SAE, D_SAE, FEATURE = "filling", 24, 7


@pytest.fixture
def home(tmp_path):
    tiny.save_sae(tmp_path, SAE, tensors=tiny.sae_tensors(d_sae=D_SAE))
    return tmp_path


@pytest.fixture
def container(home):
    url = f"sqlite:///{home / 'actiscope.sqlite'}"
    opened = Container(Settings(home=home, database_url=url, preload=False))
    yield opened
    opened.close()


def test_what_is_there_while_a_store_fills(container, home):
    texts, url = Texts(600, density=0.2), str(home / "stores" / "part")
    writer = StoreWriter.open_for_resume(url, spec(D_SAE, sae_id=SAE), "0")
    fill(writer, texts.corpus, stop=400)
    texts.write_vocabulary(url)
    evidence = container.evidence
    of = {"sae_id": SAE, "feature_id": FEATURE, "store_id": "part"}
    view = evidence.view(ViewQuery(**of))
    n_tokens = container.stores.open("part").n_tokens
    values = texts.corpus.values[:n_tokens, FEATURE]
    assert 0 < n_tokens < 600 and not view.source.is_complete and not view.known.is_final
    assert view.known.n == np.count_nonzero(values)
    assert view.source.n_counted == texts.corpus.counted[:n_tokens].sum()
    assert evidence.examples(ExamplesQuery(**of)).total == view.known.n
    intervals = evidence.intervals(IntervalsQuery(**of))
    assert sum(i.n for i in intervals) == view.known.n and not any(i.tokens for i in intervals)
    tokens = evidence.tokens(TokensQuery(**of))
    assert sum(use.count for use in tokens.at) <= tokens.n and tokens.page_rank
    assert {use.lift for use in tokens.at} == {None}
    assert evidence.breakdown(BreakdownQuery(**of, column="source"))
    with pytest.raises(Unavailable):
        evidence.related(RelatedQuery(**of, by="count"))
    page = evidence.overview(OverviewQuery(**of))
    assert "while the store fills" in page and "Correlated" not in page


def test_what_was_kept_is_of_its_version(container, home):
    """The store goes on: nothing that was cached of the earlier version is shown."""
    texts, url = Texts(600, density=0.2), str(home / "stores" / "part")
    writer = StoreWriter.open_for_resume(url, spec(D_SAE, sae_id=SAE), "0")
    fill(writer, texts.corpus, stop=400)
    query = ViewQuery(sae_id=SAE, feature_id=FEATURE, store_id="part")
    before = container.evidence.view(query)
    fill(writer, texts.corpus)
    writer.finish_shard()
    compact(url)
    container.stores.forget("part")
    after = container.evidence.view(query)
    assert after.known.n == np.count_nonzero(texts.corpus.values[:, FEATURE]) > before.known.n
    assert after.known.is_final and after.regions != before.regions


def test_a_complete_store_comes_before_a_newer_one_that_fills(container, home):
    rows = ExtractionStore(container.base.database)
    container.base.index.known()
    corpus = made(jsonl(home / "texts.jsonl", [{"text": "x"}]), home).info
    CorpusStore(container.base.database).sync([corpus])
    for number, (store_id, stop) in enumerate([("old", 600), ("whole", 600), ("fills", 300)]):
        url, texts = str(home / "stores" / store_id), Texts(600, density=0.2)
        writer = StoreWriter.open_for_resume(url, spec(D_SAE, sae_id=SAE), "0")
        fill(writer, texts.corpus, stop=stop)
        row = NewExtraction(
            extraction_id=store_id,
            model_id="tiny",
            hook_name="blocks.1.hook_resid_post",
            layer=1,
            d_sae=D_SAE,
            corpus_id=corpus.corpus_id,
            config={},
            created_at=datetime(2026, 1, 1 + number, tzinfo=UTC),
            sae_id=SAE,
        )
        rows.ensure([row])
        live, write = ExtractionLive(n_tokens=stop), container.base.database.write
        if stop == 600:
            writer.finish_shard()
            compact(url)
            with write() as session:
                rows.complete(store_id, live, 1)(session)
        else:
            with write() as session:
                rows.keep(store_id, live)(session)
        view = container.evidence.view(ViewQuery(sae_id=SAE, feature_id=FEATURE))
        assert view.source.store_id == ("old" if store_id == "old" else "whole")
        assert container.features.source(SAE) == view.source
