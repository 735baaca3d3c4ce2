"""Kept families on both databases."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from db.family_sets import FamilySetLine, FamilySetRecord, FamilySetRepository
from db.models import SaeRow, table
from db.unit_of_work import UnitOfWork
from services.maps.kept import _packed, _unpacked
from services.types.features import FeatureFamily, ScoredToken

AT = datetime(2026, 3, 1, 12, 30, 5, 123456, tzinfo=UTC)


def record(set_id: str, sae_id: str = "a/b", minutes: int = 0, name: str = "mine"):
    return FamilySetRecord(
        set_id=set_id, sae_id=sae_id, name=name, parameters={"threshold": 0.7, "n_families": 1},
        author="me", created_at=AT + timedelta(minutes=minutes), families=bytes(range(256)) * 9,
    )  # fmt: skip


@pytest.fixture
def saes(uow: UnitOfWork) -> None:
    same = {
        "source": "local", "model_id": "m", "trained_on": "", "hook_name": "", "layer": 0,
        "d_in": 1, "d_sae": 1, "architecture": "standard", "format": "", "local_path": "",
        "size_bytes": 1, "published": {}, "created_at": AT, "updated_at": AT,
    }  # fmt: skip
    rows = table(SaeRow)
    with uow.write() as session:
        for sae_id in ("a/b", "other"):
            session.execute(insert(rows).values(sae_id=sae_id, **same))


@pytest.mark.usefixtures("saes")
def test_sets_are_kept_listed_and_removed(uow: UnitOfWork) -> None:
    made = [record("1"), record("2", minutes=2, name="日本 \U0001f600"), record("3", "other")]
    with uow.write() as session:
        for one in made:
            FamilySetRepository(session).insert(one)
    with uow.read() as session:
        sets = FamilySetRepository(session)
        assert sets.get("2") == made[1]
        assert sets.get("nothing") is None
        assert sets.count("a/b") == 2
        lines = sets.of_sae("a/b")
    assert [line.set_id for line in lines] == ["2", "1"]
    assert asdict(lines[0]) == {k: v for k, v in asdict(made[1]).items() if k != "families"}
    assert type(lines[0]) is FamilySetLine
    with uow.write() as session:
        assert FamilySetRepository(session).delete("1")
        assert not FamilySetRepository(session).delete("1")
        assert FamilySetRepository(session).count("a/b") == 1


@pytest.mark.usefixtures("saes")
def test_sets_go_with_their_sae(uow: UnitOfWork) -> None:
    rows = table(SaeRow)
    with uow.write() as session:
        FamilySetRepository(session).insert(record("1"))
    with uow.write() as session:
        session.execute(rows.delete().where(rows.c.sae_id == "a/b"))
    with uow.read() as session:
        assert FamilySetRepository(session).get("1") is None


def test_a_set_of_nobody_is_refused(uow: UnitOfWork) -> None:
    with pytest.raises(ValueError, match=r"(?i)foreign key"), uow.write() as session:
        FamilySetRepository(session).insert(record("1", "nobody"))


def test_families_are_packed_whole() -> None:
    families = (
        FeatureFamily(1, (3, 70_000), 0.1 + 0.2, (ScoredToken(5, "日", -1 / 3, 2),)),
        FeatureFamily(2, (1, 2, 9), 1.0, ()),
    )
    assert _unpacked(_packed(families)) == families
    assert _unpacked(_packed(())) == ()
