"""Health tells what failed when it was last tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import ActiscopeError
from services.health import check_health
from services.lm.catalogue import ModelCatalogue
from services.lm.resident import Residents
from services.runs.catalogue import Catalogue
from services.sae.catalogue import SaeCatalogue
from services.types import Check
from tests import tiny


class _House:
    """A data folder with two models and an SAE, and its health."""

    def __init__(self, home: Path, device: str = "cpu") -> None:
        self.home = home
        tiny.save_model(home, "tiny")
        tiny.save_model(home, "other")
        tiny.save_sae(home)
        models, saes = ModelCatalogue([home]), SaeCatalogue([home])
        self.catalogue = Catalogue(models, saes, "tiny")
        self.residents = Residents(models, saes, device, threads=1)

    def failing(self) -> dict[str, Check]:
        health = check_health(self.home, lambda: ("", {}), self.catalogue, self.residents)
        assert health.status == ("ok" if all(c.ok for c in health.checks) else "degraded")
        return {check.name: check for check in health.checks if not check.ok}


@pytest.mark.parametrize(("model", "name"), [("tiny", "model"), ("other", "model:other")])
def test_a_model_that_could_not_be_loaded_fails_until_it_can(
    tmp_path: Path, model: str, name: str
) -> None:
    house = _House(tmp_path)
    path = tmp_path / "models" / model / "tokenizer.json"
    good = path.read_bytes()
    assert house.failing() == {}
    path.write_text("{}")
    with pytest.raises(ActiscopeError) as failed:
        house.residents.model(model)
    assert set(house.failing()) == {name}
    assert failed.value.message in house.failing()[name].message
    path.write_bytes(good)
    house.residents.model(model)
    assert house.failing() == {}


def test_an_sae_that_could_not_be_loaded_fails_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = _House(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise ValueError("a broken pipe")

    with monkeypatch.context() as broken, pytest.raises(ValueError, match="a broken pipe"):
        broken.setattr("services.sae.loader.load_sae", fail)
        house.residents.sae("tiny-sae")
    assert "a broken pipe" in house.failing()["sae:tiny-sae"].message
    house.residents.sae("tiny-sae")
    assert house.failing() == {}


def test_a_device_that_is_not_there_fails_with_all_that_needs_it(tmp_path: Path) -> None:
    house = _House(tmp_path, device="cuda:99")
    assert house.failing() == {}  # nobody has tried
    with pytest.raises(ActiscopeError):
        house.residents.model("tiny")
    assert set(house.failing()) == {"device", "model", "sae:tiny-sae"}
    assert "ACTISCOPE_DEVICE=auto" in house.failing()["device"].message


def test_a_data_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    house = _House(tmp_path)
    house.home = tmp_path / "file"
    house.home.write_text("")
    assert "ACTISCOPE_HOME" in house.failing()["disk"].message
    house.home = tmp_path / "not" / "there" / "yet"
    assert house.failing() == {}
