"""The table of features equals brute force: every sort, filter and search, page by page, on both
databases; and it stays put while labels change.
"""

from __future__ import annotations

import random
import shutil
import threading
import time

import numpy as np
import pytest

from services.container import Container
from services.errors import InvalidArgument, NotFound, ResourceExhausted, Unavailable
from services.features import gathering
from services.features.columns import COLUMNS
from services.features.requests import FeatureTableQuery
from services.labels.requests import AddLabel, BulkEdit, EditLabel
from services.settings import Settings
from services.store import Batch, Layout, StoreSpec, StoreWriter
from tests import made_features as made
from tests.integration.features.conftest import N_FEATURES, make_world

SORTS = [
    "feature", "n", "token_density", "idf", "max", "mean", "p50", "label", "category", "source",
    "confidence", "starred", "skipped", "n_labels", "decoder_norm", "max_cosine", "logit_min",
]  # fmt: skip
FILTERS = [
    {"label": "labelled"}, {"label": "unlabelled"}, {"category": "topic"}, {"category": "100%"},
    {"source": "automatic"}, {"starred": True}, {"starred": False}, {"skipped": True},
    {"dead": True}, {"dead": False}, {"range": "n:10.."}, {"range": "max:1.5..3,mean:..2"},
    {"range": "confidence:0.5.."}, {"text": "ab"}, {"text": "%"}, {"text": "_"}, {"text": "\\"},
    {"text": "(.*)"}, {"text": "É"}, {"text": "é ab"}, {"text": "猫"}, {"text": "zz top"},
]  # fmt: skip


def random_query(rng, n_features):
    """Some filters together, and an order."""
    asked = {"sort": rng.choice(SORTS), "descending": rng.random() < 0.5}
    for chosen in rng.sample(FILTERS, rng.choice([0, 1, 1, 2, 3])):
        asked |= chosen
    if rng.random() < 0.2:
        asked["ids"] = rng.sample(range(n_features), n_features // 2)
    if rng.random() < 0.15:
        asked |= {"neighbour_of": rng.randrange(n_features), "sort": "cosine"}
    return asked


def each_alone():
    """Every sort both ways, and every filter."""
    return [
        *({"sort": sort, "descending": down} for sort in SORTS for down in (False, True)),
        *FILTERS,
    ]


def assert_equals_brute_force(world, n_features, queries, rounds):
    rng, n_found = random.Random(1), 0
    for asked in [*queries, *(random_query(rng, n_features) for _ in range(rounds))]:
        found, sought = world.ids(**asked), world.brute.ids(**asked)
        assert found == sought, asked
        n_found += len(found)
        offset = rng.randrange(len(sought) + 1)
        page = world.page(**asked, offset=offset, limit=20)
        assert [line.feature_id for line in page.items] == sought[offset : offset + 20]
        assert (page.total, page.n_features) == (len(sought), n_features)
        assert (page.next_cursor is None) == (offset + 20 >= len(sought) or not page.items)
    assert n_found > n_features


def cursor_pages(world, **asked):
    """All features, page after page."""
    found, cursor = [], None
    while True:
        page = world.page(**asked, cursor=cursor)
        found += [line.feature_id for line in page.items]
        if (cursor := page.next_cursor) is None:
            return found


def test_sorted_filtered_searched_and_paged_as_by_brute_force(world):
    assert_equals_brute_force(world, 400, each_alone(), 40)
    assert_lines_equal_brute_force(world)
    for sort in ("label", "max", "confidence", "starred"):
        asked = {"sort": sort, "descending": sort != "label", "limit": 37}
        assert cursor_pages(world, **asked) == world.brute.ids(sort, asked["descending"])


def assert_lines_equal_brute_force(world):
    for line in world.page(limit=500).items:
        row = world.brute.rows[line.feature_id]
        for name, value in line.statistics.items():
            if name in row:
                assert value == row[name], name
        assert set(line.statistics) <= {column.name for column in COLUMNS}
        assert list(line.top_tokens) == row["top_tokens"]
        assert line.example == next(iter(row["examples"]), None)
        assert list(line.promoted) == row["promoted"]
        assert (line.marks.label and line.marks.label.text) == row["label"]
        assert line.marks.is_starred == row["starred"]
        if line.example is not None:
            start, stop = line.example_mark
            assert line.example[start:stop] == line.top_tokens[0]


def test_what_is_said_shows_in_the_next_page(world):
    labels, features = world.container.labels, world.container.features
    unsaid = world.ids(label="unlabelled")[:3]
    assert world.ids(text="zwieback") == []
    label = labels.add(AddLabel(sae_id=made.SAE, feature_id=unsaid[1], text="A ZwieBack"))
    assert world.ids(text="zwieback", search_in="label") == [unsaid[1]]
    labels.edit(EditLabel(label_id=label.label_id, notes="also **rusk**", category="bread"))
    assert world.ids(text='"ALSO **Rusk**"') == world.ids(category="bread") == [unsaid[1]]
    assert world.ids(text="**rusk**", search_in="label") == []
    labels.star(made.SAE, unsaid[0], True)
    assert unsaid[0] in world.ids(starred=True)
    change = {"sae_id": made.SAE, "feature_ids": unsaid, "add": "together"}
    report = labels.bulk(BulkEdit.parse(change))
    assert world.ids(text="together", search_in="label", sort="n_labels", descending=True) == [
        *([unsaid[0], unsaid[2]])
    ]
    labels.undo(report.batch_id)
    assert world.ids(text="together", search_in="label") == []
    labels.remove(label.label_id)
    line = features.lines(made.SAE, [unsaid[1]], made.STORE)[unsaid[1]]
    assert line.marks.label is None


def test_a_cursor_stays_where_it_is_while_labels_change(world):
    asked = {"sort": "label", "limit": 50}
    before = world.brute.ids("label")
    first = world.page(**asked)
    moved = [before[10], before[200], before[-1]]  # before the cursor, after it, unlabelled
    for feature, text in zip(moved, ("zzzz", "0000", "0001"), strict=True):
        found = world.container.labels.feature(made.SAE, feature).labels
        if found:
            world.container.labels.edit(EditLabel(label_id=found[0].label_id, text=text))
        else:
            add = AddLabel(sae_id=made.SAE, feature_id=feature, text=text)
            world.container.labels.add(add)
    rest, cursor = [], first.next_cursor
    while cursor is not None:
        page = world.page(**asked, cursor=cursor)
        rest += [line.feature_id for line in page.items]
        cursor = page.next_cursor
    expected = [feature for feature in before[50:] if feature not in moved]
    assert [feature for feature in rest if feature not in moved] == expected
    assert moved[0] in rest  # it is now behind the cursor
    assert moved[1] not in rest  # and these are before it
    assert moved[2] not in rest


@pytest.fixture
def simple(made_home, tmp_path, sqlite_url):
    """The services alone, for what makes no difference to a database."""
    made_at, _ = made_home
    container = Container(Settings(home=made_at, database_url=sqlite_url, preload=False))
    yield container
    container.close()


def ask(container, **asked):
    return container.features.page(
        FeatureTableQuery.parse({"sae_id": made.SAE, "store_id": made.STORE, **asked})
    )


def test_a_cursor_of_another_query_or_of_nothing_is_refused(simple):
    cursor = ask(simple, sort="n", limit=10).next_cursor
    assert ask(simple, sort="n", limit=20, cursor=cursor).items
    for asked in ({"sort": "max"}, {"sort": "n", "dead": False}, {"sort": "label"}):
        with pytest.raises(InvalidArgument, match="another query"):
            ask(simple, **asked, cursor=cursor)
    for wrong in ("x", "W10", "bm90IGpzb24", "é", "a" * 999):
        with pytest.raises(InvalidArgument, match="cursor"):
            ask(simple, sort="n", cursor=wrong)


def test_features_and_stores_that_there_are_not(simple):
    for asked in ({"ids": "3,400"}, {"neighbour_of": 400}):
        with pytest.raises(NotFound, match="0 to 399"):
            ask(simple, **asked)
    with pytest.raises(NotFound, match="0 to 399"):
        simple.features.lines(made.SAE, [1, 400])
    with pytest.raises(NotFound, match="no store"):
        ask(simple, store_id="none")
    with pytest.raises(NotFound):
        ask(simple, sae_id="none")
    with pytest.raises(InvalidArgument, match=f"of {made.SAE} with 400 features"):
        ask(simple, sae_id="demo-l1-res")


def test_without_a_store_there_is_the_decoder_and_what_makes_the_rest(simple):
    page = ask(simple, store_id=None, sort="max_cosine", descending=True, limit=500)
    assert page.source is None
    cosines = [line.statistics["max_cosine"] for line in page.items]
    assert cosines == sorted(cosines, reverse=True)
    assert page.items[0].promoted
    assert page.items[0].statistics["n"] is None
    assert [line.feature_id for line in ask(simple, store_id=None, sort="n", limit=3).items] == [
        *(0, 1, 2)
    ]
    for asked in ({"range": "n:1.."}, {"dead": True}):
        with pytest.raises(NotFound, match="actiscope extract"):
            ask(simple, store_id=None, **asked)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": "nothing"}, {"sort": "example"}, {"range": "label:1..2"}, {"range": "n:x..2"},
        {"range": "n:3..2"}, {"range": "n:1"}, {"ids": "1,x"}, {"ids": "9-3"}, {"limit": 501},
        {"ids": "0-99999999"},
        {"search_in": "nowhere"}, {"sort": "fires"}, {"sort": "cosine"}, {"min_fires": 1},
        {"cursor": "x", "offset": 3}, {"unknown": 1}, {"label": "maybe"}, {"source": "nobody"},
    ],
    ids=lambda wrong: "-".join(wrong),
)  # fmt: skip
def test_wrong_questions_are_refused(simple, wrong):
    with pytest.raises(InvalidArgument):
        ask(simple, **wrong)


def test_what_fires_on_a_text_is_what_fires_on_it(sqlite_url, tmp_path):
    container = Container(Settings(home=tmp_path, database_url=sqlite_url, preload=False))
    try:
        sae_id, text = "demo-l1-res", "def f(x): return x"
        fires = container.probes.fires(sae_id, text)
        values = dict(zip(fires.feature_ids.tolist(), fires.values.tolist(), strict=True))
        asked = {"sae_id": sae_id, "store_id": None, "fires_on": text, "limit": 500}
        page = ask(container, **asked, sort="fires", descending=True)
        assert {line.feature_id: line.fires for line in page.items} == pytest.approx(values)
        shown = [line.fires for line in page.items]
        assert shown == sorted(shown, reverse=True)
        strong = ask(container, **asked, min_fires=shown[2])
        assert {line.feature_id for line in strong.items} == {
            feature for feature, value in values.items() if value >= shown[2]
        }
    finally:
        container.close()


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_131072_features_as_by_brute_force(tmp_path, database_url):
    n, home = 2**17, tmp_path / "home"
    made.make_home(home, n, 60_000)
    world = make_world(home, database_url, made.make_decoder(home, n), n)
    try:
        assert_equals_brute_force(world, n, each_alone()[::4], 12)
        asked = {"sort": "label", "descending": True, "limit": 500}
        assert cursor_pages(world, **asked) == world.brute.ids("label", True)
        started = time.thread_time()
        world.page(sort="label", text="ab", limit=100)
        assert time.thread_time() - started < 1
    finally:
        world.container.close()


@pytest.fixture
def without_texts(made_home, tmp_path, sqlite_url):
    """The same in a data folder where nobody asked before."""
    shutil.copytree(made_home[0], tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "derived" / "features", ignore_errors=True)
    container = Container(Settings(home=tmp_path / "home", database_url=sqlite_url, preload=False))
    yield container
    container.close()


def test_a_page_does_not_wait_long_for_texts_that_are_being_gathered(without_texts, monkeypatch):
    go_on, real = threading.Event(), gathering.gather

    def slow(*arguments):
        go_on.wait(30)
        return real(*arguments)

    monkeypatch.setattr("services.features.texts.gather", slow)
    monkeypatch.setattr("services.features.bases.WAIT_S", 0.05)
    page = ask(without_texts, sort="n", descending=True, limit=3)
    assert page.items[0].statistics["n"] > 0
    assert page.items[0].top_tokens == ()
    with pytest.raises(Unavailable, match="in a moment"):
        ask(without_texts, text="a")
    go_on.set()
    deadline = time.monotonic() + 30
    while not (page := ask(without_texts, sort="n", limit=3, descending=True)).items[0].top_tokens:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert ask(without_texts, text="a").total


def test_texts_that_cannot_be_gathered_are_not_tried_with_every_page(without_texts, monkeypatch):
    tries = []

    def full(*_):
        tries.append(1)
        raise ResourceExhausted("no space left")

    monkeypatch.setattr("services.features.texts.gather", full)
    for _ in range(3):
        assert ask(without_texts, text="a", label="unlabelled").items  # in promoted tokens
    assert len(tries) == 1


def test_of_a_store_that_fills_there_is_what_is_known(without_texts):
    folder = without_texts.settings.home / "stores" / "filling"
    layout = Layout(part_tokens=64, part_nnz=400, segment_nnz=500)
    spec = StoreSpec(N_FEATURES, sae_id=made.SAE, layout=layout)
    writer = StoreWriter.open_for_resume(str(folder), spec)
    n, fired = 640, np.arange(640) % 5
    writer.append(
        Batch(
            token_ids=np.zeros(n, np.uint32),
            indptr=np.arange(n + 1),
            features=fired,
            values=np.ones(n, np.float32),
            starts=np.arange(n) == 0,
            documents=[{"name": "one"}],
        )
    )
    page = ask(without_texts, store_id="filling", sort="n", descending=True, limit=6)
    assert not page.source.is_complete
    assert page.source.n_counted > 0
    counts = [line.statistics["n"] for line in page.items]
    assert sum(counts) == page.source.n_counted
    assert counts[5] == 0
    assert page.items[0].statistics["max"] is None
    assert ask(without_texts, store_id="filling", dead=False).total == 5
    assert ask(without_texts, store_id="filling", sort="max", limit=2).items[1].feature_id == 1
    with pytest.raises(Unavailable, match="once the store filling is complete"):
        ask(without_texts, store_id="filling", range="max:1..")
