"""`registration.json`: a round trip, its part in the catalogue, and files that are none."""

from __future__ import annotations

import json

import pytest

from services.errors import Unsupported
from services.sae.catalogue import SaeCatalogue
from services.sae.registration import (
    REGISTRATION,
    Registration,
    SourceFile,
    read_registration,
    write_registration,
)
from tests import tiny

WHOLE = Registration(
    source="catalogue",
    added_at="2025-03-01T12:00:00+00:00",
    model_id="my-gemma",
    format="gemma_scope",
    repo_id="google/gemma-scope-2b-pt-res",
    repo_revision="a" * 40,
    repo_path="layer_12/width_16k/average_l0_71",
    release="gemma-scope-2b-pt-res",
    catalogue_id="layer_12/width_16k/average_l0_71",
    files=(SourceFile("params.npz", 12, "b" * 64),),
    published={"l0": 71.0},
)


@pytest.mark.parametrize("one", [WHOLE, Registration(source="local", added_at="2025-03-01")])
def test_what_is_written_is_read_again(tmp_path, one):
    write_registration(tmp_path, one)
    assert read_registration(tmp_path) == one
    assert [p.name for p in tmp_path.iterdir()] == [REGISTRATION]
    assert json.loads((tmp_path / REGISTRATION).read_text())["version"] == 1


def test_a_folder_without_one_has_none(tmp_path):
    assert read_registration(tmp_path) is None


BROKEN = {
    "no JSON": "{",
    "a list": "[]",
    "another version": json.dumps({"version": 2, "source": "local", "added_at": "x"}),
    "no version": json.dumps({"source": "local"}),
    "a number for text": json.dumps({"version": 1, "source": "local", "model_id": 5}),
    "files without names": json.dumps({"version": 1, "source": "local", "files": [{}]}),
    "figures that are text": json.dumps({"version": 1, "published": {"l0": "many"}}),
    "figures in a list": json.dumps({"version": 1, "published": [1]}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_named_and_disturbs_no_other_sae(tmp_path, case):
    folder = tiny.save_sae(tmp_path, "bad")
    tiny.save_sae(tmp_path, "good")
    (folder / REGISTRATION).write_text(BROKEN[case])
    with pytest.raises(Unsupported, match=REGISTRATION):
        read_registration(folder)
    catalogue = SaeCatalogue([tmp_path])
    assert [e.info.sae_id for e in catalogue.list()] == ["good"]
    assert REGISTRATION in catalogue.problems()[0].reason


def test_the_model_of_the_registration_wins_over_the_one_it_was_trained_on(tmp_path):
    folder = tiny.save_sae(tmp_path, "s", metadata={"model_name": "google/gemma-2-2b"})
    catalogue = SaeCatalogue([tmp_path])
    before = catalogue.get("s")
    assert (before.info.model_id, before.info.trained_on) == ("google/gemma-2-2b",) * 2
    assert before.registration is None
    write_registration(folder, WHOLE)
    entry = catalogue.get("s")
    assert (entry.info.model_id, entry.info.trained_on) == ("my-gemma", "google/gemma-2-2b")
    assert entry.registration == WHOLE
    assert [e.info.sae_id for e in catalogue.list("my-gemma")] == ["s"]


def test_an_sae_that_names_no_model_is_usable_once_it_is_registered(tmp_path):
    folder = tiny.save_sae(tmp_path, "s", metadata={"model_name": ""})
    catalogue = SaeCatalogue([tmp_path])
    assert "names no model" in catalogue.problems()[0].reason
    write_registration(folder, Registration("local", "2025-03-01", model_id="mine"))
    assert catalogue.get("s").info.model_id == "mine"
