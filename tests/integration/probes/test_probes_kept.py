"""Probes: kept on both databases, judged by brute force, stale once the weights are others."""

from __future__ import annotations

import csv
import io

import pytest

from services.errors import Conflict, InvalidArgument, NotFound
from services.probes import store as store_module
from services.probes.requests import AddProbe, ProbeQuery
from tests.integration.probes.conftest import SIGNED, engine_held, save_again

HITS = ["the cat sat on the mat", "café 12 345", "dog"]


def add(container, feature, text, should_fire, **more):
    values = {"sae_id": SIGNED, "feature_id": feature, "text": text, "should_fire": should_fire}
    return container.probes.add(AddProbe.parse(values | more))


def report(container, feature, **more):
    return container.probes.report(
        ProbeQuery.parse({"sae_id": SIGNED, "feature_id": feature} | more)
    )


def feature_that_tells_apart(container) -> int:
    """One that fires on the first text and not on the last."""
    first, last = (container.probes.fires(SIGNED, text) for text in (HITS[0], HITS[2]))
    return next(i for i in first.feature_ids.tolist() if i not in set(last.feature_ids.tolist()))


def test_probes_from_keeping_to_removing(furnished):
    probes, feature = furnished.probes, feature_that_tells_apart(furnished)
    assert report(furnished, feature).n == 0
    first = add(furnished, feature, HITS[0], True, author="Ada")
    add(furnished, feature, HITS[1], True)
    add(furnished, feature, HITS[2], False)
    fires = dict(zip(*map(list, probes.fires(SIGNED, HITS[0])), strict=True))
    assert first.measured_max == pytest.approx(float(fires[feature]))
    assert (first.author, first.is_stale) == ("Ada", False)

    for threshold in (0.0, first.measured_max - 1e-3, first.measured_max):
        found = report(furnished, feature, threshold=threshold)
        above = [p.measured_max > threshold for p in found.probes]
        should = [p.should_fire for p in found.probes]
        pairs = list(zip(should, above, strict=True))
        assert found.fired == sum(s and a for s, a in pairs)
        assert found.missed == sum(s and not a for s, a in pairs)
        assert found.fired_wrongly == sum(a and not s for s, a in pairs)
        assert found.n == 3
        assert found.recall == found.fired / 2
        assert found.precision == (found.fired / sum(above) if any(above) else None)
    assert found.fired == 0  # at its very value it does not fire
    assert [p.text for p in found.probes] == HITS

    with pytest.raises(Conflict, match="should fire"):
        add(furnished, feature, HITS[0], False)
    other = add(furnished, feature + 1, HITS[0], False)
    assert report(furnished, feature + 1).probes == (other,)

    probes.remove(SIGNED, feature, first.probe_id)
    assert report(furnished, feature).n == 2
    with pytest.raises(NotFound, match="has no probe"):
        probes.remove(SIGNED, feature, first.probe_id)
    with pytest.raises(NotFound):  # of another feature
        probes.remove(SIGNED, feature, other.probe_id)
    with pytest.raises(NotFound, match="0 to 255"):
        report(furnished, 256)
    with pytest.raises(NotFound):
        add(furnished, 256, "x", True)


def test_other_weights_make_it_stale_until_it_is_measured_again(lab):
    save_again(lab.settings.home, "kept", 1)
    asked = {"sae_id": "kept", "feature_id": 3}
    lab.probes.add(AddProbe.parse(asked | {"text": HITS[0], "should_fire": True}))
    assert lab.probes.report(ProbeQuery.parse(asked)).n == 1
    save_again(lab.settings.home, "kept", 2)
    found = lab.probes.report(ProbeQuery.parse(asked))
    assert found.probes[0].is_stale
    assert (found.n, found.recall) == (0, None)
    again = lab.probes.measure(ProbeQuery.parse(asked))
    assert (again.n, again.probes[0].is_stale) == (1, False)
    fires = dict(zip(*map(list, lab.probes.fires("kept", HITS[0])), strict=True))
    assert again.probes[0].measured_max == pytest.approx(float(fires.get(3, 0)))


def test_without_the_engine_it_is_kept_unmeasured_and_without_sense_not_at_all(lab, monkeypatch):
    with engine_held(lab, full=True):
        kept = add(lab, 5, "the dog", True)
    assert kept.measured_max is None
    assert (report(lab, 5).n, kept.is_stale) == (0, False)
    assert lab.probes.measure(ProbeQuery(sae_id=SIGNED, feature_id=5)).n == 1

    with pytest.raises(InvalidArgument, match="at most 128"):
        add(lab, 5, "cat " * 200, True)
    monkeypatch.setattr(store_module, "MOST", 1)
    with pytest.raises(Conflict, match="the most that are kept"):
        add(lab, 5, "mat", True)
    assert len(report(lab, 5).probes) == 1


def test_as_csv(lab):
    add(lab, 7, '=1+1, "a"\nb', False, author="Ada")
    file = lab.probes.export(ProbeQuery(sae_id=SIGNED, feature_id=7, threshold=0.5))
    assert file.filename == "actiscope-owner_signed-7-probes.csv"
    (row,) = csv.DictReader(io.StringIO(file.content.decode(), newline=""))
    assert row["text"] == '\'=1+1, "a"\nb'
    assert (row["should_fire"], row["threshold"], row["author"]) == ("False", "0.5", "Ada")
    assert row["fires"] == str(float(row["measured_max"]) > 0.5)
