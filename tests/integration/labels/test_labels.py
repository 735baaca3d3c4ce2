"""Labels on both databases: kept, chosen, taken back, read by snapshot while others write."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from services.container import Container
from services.errors import Conflict, InvalidArgument, NotFound, Unsupported
from services.labels.requests import (
    AddLabel,
    BulkEdit,
    EditLabel,
    HistoryQuery,
    QueueQuery,
)
from services.labels.service import Labels
from services.types.labels import LabelSource

SAE = "demo-l1-res"


@pytest.fixture
def labels(container) -> Labels:
    return container.labels


def add(labels: Labels, feature: int, text: str, **more):
    return labels.add(AddLabel.parse({"sae_id": SAE, "feature_id": feature, "text": text} | more))


def state(labels: Labels, *features: int):
    """Everything that undoing must bring back."""
    found = [labels.feature(SAE, feature) for feature in features]
    return [(x.marks, x.labels) for x in found]


def history(labels: Labels, **filters):
    return labels.history(HistoryQuery.parse({"sae_id": SAE, **filters})).items


def test_the_first_label_is_chosen_and_the_next_one_when_it_goes(labels):
    first = add(labels, 3, "fires on numbers", category="form", confidence=0.5, notes="**why**")
    second = add(labels, 3, "fires on years", author="ada")
    third = add(labels, 3, "digits")
    assert labels.texts(SAE, [3, 4]) == {3: "fires on numbers"}
    assert labels.feature(SAE, 3).marks.n_labels == 3
    labels.choose(third.label_id, "ada")
    assert labels.feature(SAE, 3).labels == (third, first, second)
    labels.remove(third.label_id)
    assert labels.texts(SAE, [3]) == {3: "fires on numbers"}
    labels.remove(first.label_id)
    assert labels.feature(SAE, 3).marks.label == second
    labels.remove(second.label_id)
    assert labels.texts(SAE, [3]) == {}
    with pytest.raises(NotFound):
        labels.remove(second.label_id)
    actions = [change.action for change in labels.feature(SAE, 3).history]
    assert actions == ["remove", "remove", "remove", "choose", "add", "add", "add"]
    assert [c.author for c in history(labels, author="ada")] == ["ada", "ada"]


def test_an_edit_changes_what_is_given_and_refuses_what_was_not_seen(labels):
    made = add(labels, 0, "a", category="x", source="automatic", source_name="a model")
    assert made.source is LabelSource.AUTOMATIC
    edited = labels.edit(EditLabel(label_id=made.label_id, category=None, notes="n"))
    assert (edited.text, edited.category, edited.notes) == ("a", None, "n")
    unseen = EditLabel(label_id=made.label_id, text="b", if_updated_at=made.updated_at)
    with pytest.raises(Conflict, match="was changed"):
        labels.edit(unseen)
    assert labels.edit(EditLabel(label_id=made.label_id, notes="n")) == edited
    assert len(history(labels)) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"text": "  "}, "blank", id="blank"),
        pytest.param({"text": "x" * 501}, "500", id="long"),
        pytest.param({"notes": "x" * 20_001}, "20000", id="long notes"),
        pytest.param({"confidence": 1.01}, "1", id="too sure"),
        pytest.param({"confidence": float("nan")}, "finite", id="nan"),
        pytest.param({"feature_id": -1}, "0", id="negative"),
        pytest.param({"author": "x" * 101}, "100", id="author"),
        pytest.param({"source": "god"}, "human", id="source"),
    ],
)
def test_values_beyond_the_limits_are_refused_by_name(values, said):
    given = {"sae_id": SAE, "feature_id": 1, "text": "t"} | values
    with pytest.raises(InvalidArgument) as refused:
        AddLabel.parse(given)
    (name,) = values
    assert name in refused.value.message and said in refused.value.message


def test_what_does_not_exist_is_said_with_what_does(labels):
    with pytest.raises(NotFound, match="0 to 1535"):
        add(labels, 1536, "t")
    with pytest.raises(NotFound, match="no SAE"):
        labels.snapshot("none")
    with pytest.raises(InvalidArgument, match="0 to 1535"):
        labels.bulk(BulkEdit(sae_id=SAE, feature_ids=(1, 1536), star=True))
    assert labels.texts("none", [1]) == {}


def test_odd_text_reads_back_the_same_from_either_database(labels):
    odd = "a\x00b\ud800 👩‍👩‍👧 \u202eרtl 中\r\n<img onerror=x> '; DROP"
    made = add(labels, 7, odd, notes=odd, category="c\x00", author="\udc00me")
    assert made.text == odd.replace("\x00", "\u2400").replace("\ud800", "\ufffd")
    assert labels.feature(SAE, 7).labels == (made,)
    assert made.author == "\ufffdme"


def test_snapshots_follow_what_is_written_feature_by_feature(labels, settings):
    empty = labels.snapshot(SAE)
    assert (empty.revision, dict(empty.marks)) == (0, {})
    add(labels, 1, "one")
    one = labels.snapshot(SAE)
    assert one.changed_since(empty) is None and set(one.marks) == {1}
    labels.star(SAE, 2, True)
    other = Container(settings)  # another process, as far as the labels know
    try:
        add(other.labels, 3, "three")
        newest = labels.snapshot(SAE)
        assert newest.changed_since(one) == {2, 3} and newest.changed_since(newest) == frozenset()
        assert labels.snapshot(SAE) is newest
        assert newest.marks == other.labels.snapshot(SAE).marks
        assert newest.marks[1] is one.marks[1]
    finally:
        other.close()


def test_marks_are_set_and_taken_back(labels):
    labels.star(SAE, 5, True, "ada")
    labels.star(SAE, 5, True, "ada")
    labels.skip(SAE, 5, "dead weight", "ada")
    marks = labels.snapshot(SAE).marks[5]
    assert (marks.is_starred, marks.skipped, marks.label) == (True, "dead weight", None)
    labels.unskip(SAE, 5)
    labels.star(SAE, 5, False)
    assert [c.action for c in history(labels)] == ["unstar", "unskip", "skip", "star"]


def test_every_kind_of_change_is_undone_and_done_again(labels):
    first = add(labels, 1, "a", confidence=0.25, notes="n")
    second = add(labels, 1, "b")
    steps = [
        lambda: labels.edit(EditLabel(label_id=first.label_id, text="c", confidence=None)),
        lambda: labels.choose(second.label_id),
        lambda: labels.remove(second.label_id),
        lambda: labels.remove(first.label_id),
        lambda: labels.star(SAE, 1, True),
        lambda: labels.skip(SAE, 1, "why"),
        lambda: add(labels, 1, "d", choose=True),
    ]
    states = [state(labels, 1)]
    for step in steps:
        step()
        states.append(state(labels, 1))
    undone = []
    for before in reversed(states[:-1]):
        change = next(c for c in history(labels) if c.action != "undo" and not c.is_undone)
        undone.append(labels.undo(change_id=change.change_id, author="eve").batch_id)
        assert state(labels, 1) == before
    for batch_id, after in zip(reversed(undone), states[1:], strict=True):
        labels.undo(batch_id)
        assert state(labels, 1) == after
    done = {c.change_id: c for c in history(labels, limit=100)}
    assert not any(c.is_undone for c in done.values() if c.action != "undo")
    with pytest.raises(Conflict, match="undone already"):
        labels.undo(undone[0])


def test_undo_refuses_what_was_changed_since_and_does_nothing_then(labels):
    report = labels.bulk(BulkEdit(sae_id=SAE, feature_ids=range(20), add="bulk", star=True))
    assert report.n == 20
    label = labels.feature(SAE, 4).labels[0]
    labels.edit(EditLabel(label_id=label.label_id, notes="mine"))
    labels.star(SAE, 9, False)
    before = state(labels, *range(20))
    with pytest.raises(Conflict, match="features 4, 9 changed since") as refused:
        labels.undo(report.batch_id)
    assert refused.value.details["features"] == [4, 9]
    assert state(labels, *range(20)) == before
    newest = [change.change_id for change in history(labels)[:2]]
    for change_id in newest:
        labels.undo(change_id=change_id)
    assert labels.undo(report.batch_id).n == 20
    assert all(not m.is_starred and m.label is None for m in labels.snapshot(SAE).marks.values())
    assert labels.status(SAE).n_labelled == 0


def test_bulk_edits_do_the_same_to_each_and_nothing_twice(labels):
    add(labels, 2, "old", category="a")
    features = (1, 2, 3)
    labels.bulk(BulkEdit(sae_id=SAE, feature_ids=features, add="new", category="c"))
    again = labels.bulk(BulkEdit(sae_id=SAE, feature_ids=features, add="new", category="c"))
    assert (again.n, again.batch_id) == (0, None)
    assert labels.texts(SAE, features) == {1: "new", 2: "old", 3: "new"}
    assert labels.bulk(BulkEdit(sae_id=SAE, feature_ids=features, category="d")).n == 3
    assert {m.label.category for m in labels.snapshot(SAE).marks.values() if m.label} == {"d"}
    assert labels.bulk(BulkEdit(sae_id=SAE, feature_ids=(2, 900), remove="all", skip="no")).n == 2
    assert labels.feature(SAE, 2).labels == ()
    with pytest.raises(InvalidArgument, match="say what to do"):
        BulkEdit.parse({"sae_id": SAE, "feature_ids": [1]})


def test_writers_wait_for_each_other_and_readers_miss_nothing(container):
    """Two threads write, a third refreshes its snapshot all the time."""
    labels, ended, seen = container.labels, threading.Event(), [container.labels.snapshot(SAE)]

    def write(offset: int) -> None:
        for i in range(25):
            add(labels, i, f"{offset} {i}")

    def watch() -> None:
        while not ended.is_set():
            seen.append(labels.snapshot(SAE))

    with ThreadPoolExecutor(3) as pool:
        watching = pool.submit(watch)
        for job in [pool.submit(write, offset) for offset in range(2)]:
            job.result()
        ended.set()
        watching.result()
    newest = labels.snapshot(SAE)
    assert newest.revision == 50 and {m.n_labels for m in newest.marks.values()} == {2}
    fresh = Container(container.settings)
    try:
        assert fresh.labels.snapshot(SAE).marks == newest.marks
    finally:
        fresh.close()
    revisions = [snapshot.revision for snapshot in seen]
    assert revisions == sorted(revisions)
    for old, new in pairwise(seen):
        changed = new.changed_since(old)
        differing = {id for id in new.marks if new.marks[id] != old.marks.get(id)}
        assert changed is None or differing <= changed


def test_an_sae_out_of_use_keeps_its_labels_and_one_that_is_forgotten_loses_them(container):
    labels, kept = container.labels, container.base.index
    made = add(labels, 1, "kept")
    before = labels.snapshot(SAE)
    container.registry.delete_sae(SAE, False)
    assert labels.texts(SAE, [1]) == {1: "kept"}
    with pytest.raises(Conflict, match="out of use"):
        add(labels, 2, "no")
    with pytest.raises(Conflict, match="out of use"):
        labels.remove(made.label_id)
    container.registry.restore_sae(SAE)
    add(labels, 2, "yes")
    kept._store.forget("saes", SAE)
    kept.known()  # found again in its folder, as a new one
    after = labels.snapshot(SAE)
    assert (after.revision, dict(after.marks), history(labels)) == (0, {}, ())
    add(labels, 9, "again")
    assert set(labels.snapshot(SAE).marks) == {9}
    assert labels.snapshot(SAE).changed_since(before) is None


def test_history_is_paged_and_filtered(labels):
    for i in range(5):
        add(labels, i % 2, f"label {i}")
    found, cursor = [], None
    while True:
        page = labels.history(HistoryQuery(sae_id=SAE, limit=2, cursor=cursor))
        found += [change.after["text"] for change in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert found == [f"label {i}" for i in reversed(range(5))]
    assert [c.feature_id for c in history(labels, feature_id=1)] == [1, 1]
    assert history(labels, action="undo") == ()
    with pytest.raises(InvalidArgument, match="cursor"):
        labels.history(HistoryQuery(sae_id=SAE, cursor="x'"))


def test_the_queue_leaves_out_what_is_done_and_goes_on_after_a_feature(labels):
    def next_one(**more):
        return labels.next(QueueQuery.parse({"sae_id": SAE, "order": "random", **more}))

    first = next_one()
    assert first.n_left == 1536 and next_one() == first != next_one(seed=1)
    add(labels, first.feature_id, "done")
    second = next_one()
    assert second.n_left == 1535 and next_one(after=first.feature_id) == second
    labels.skip(SAE, second.feature_id, "no idea")
    third = next_one(include_labelled=True, after=first.feature_id)
    assert third.feature_id not in (first.feature_id, second.feature_id)
    assert next_one(include_labelled=True).feature_id == first.feature_id
    with pytest.raises(Unsupported, match="has read no corpus"):
        next_one(order="density")
    assert next_one(order="disagreement") is None
    add(labels, 8, "a")
    add(labels, 8, "b")
    assert next_one(order="disagreement").feature_id == 8
    found = labels.status(SAE)
    assert (found.n_labelled, found.n_skipped, found.n_disagreeing) == (2, 1, 1)
    assert (found.n_live, found.by_source) == (None, {"human": 2})


def test_many_labels_at_once_are_kept_as_one_by_one_and_undone_as_one(labels):
    """So many that they do not go through SQLAlchemy row by row."""
    odd = "tab\t back\\slash 'q' \"d\" \\N 中 👩‍👩‍👧 \r\n{} %s"
    extra = {"embedding": [0.1, -3e-5], "n": None, "text": odd, "deep": {"a": [True, 2**60]}}
    lines = [
        {"modelId": "m", "layer": "l", "index": str(i), "description": f"{odd} {i}", **extra}
        for i in range(700)
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    add(labels, 5, "mine")
    before = labels.snapshot(SAE)
    report = labels.import_(content, SAE, "ada")
    assert (report.n_added, report.n_skipped) == (700, 0)
    marks = labels.snapshot(SAE).marks
    assert marks[5].label.text == "mine" and marks[5].n_labels == 2
    assert {id: m.label.text for id, m in marks.items() if id != 5} == {
        i: f"{odd} {i}" for i in range(700) if i != 5
    }
    shown = labels.feature(SAE, 699)
    kept = shown.labels[0].extra
    assert {name: kept[name] for name in extra} == extra
    assert shown.labels[0] == labels.label(shown.labels[0].label_id)
    written = labels.export(SAE, "neuronpedia").content.splitlines()
    assert [json.loads(line) for line in written[:700]] == lines
    one = labels.bulk(BulkEdit(sae_id=SAE, feature_ids=range(600), star=True, confidence=0.5))
    assert one.n == 600
    with pytest.raises(Conflict, match="and 594 more changed since"):
        labels.undo(report.batch_id)
    labels.undo(one.batch_id)
    undone = labels.undo(report.batch_id)
    assert undone.n == 700
    left = {id: m for id, m in labels.snapshot(SAE).marks.items() if m.label or m.is_starred}
    assert left == dict(before.marks)
    assert labels.undo(undone.batch_id).n == 700
    assert labels.export(SAE, "neuronpedia").content.splitlines() == written
