"""Taking out of use and back, and for good; memory within a budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.errors import Conflict, NotFound, ResourceExhausted
from services.lm.memory import model_bytes
from services.registry.requests import SaeQuery
from services.runs.request import RunRequest
from services.types import EntryState, ModelInfo, RunStatus, RunView
from tests import tiny
from tests.integration.registry.conftest import TIMEOUT_S, Shop
from tests.made_models import make_endless


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """With a model and two SAEs."""
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    for seed, name in enumerate(("a", "b")):
        tiny.save_sae(shop.folder, name, tensors=tiny.sae_tensors(seed=seed))
    shop.add_saes(shop.folder / "saes")
    return shop


def run(shop: Shop, **given: object) -> RunView:
    body = {"prompt": "the cat", "model_id": "tiny", "max_tokens": 4, "temperature": 0}
    started = shop.container.runs.start(RunRequest.parse(body | given))
    shop.container.runs.wait(started.request_id, TIMEOUT_S)
    return shop.container.runs.view(started.request_id)


def test_a_deleted_sae_is_not_offered_and_comes_back(stocked: Shop) -> None:
    registry = stocked.registry
    registry.delete_sae("saes/a")
    card = registry.sae("saes/a")
    assert card.state is EntryState.DELETED and card.deleted_at is not None
    assert Path(card.path).is_dir()
    assert stocked.saes() == ["saes/b"]
    shown = registry.saes(SaeQuery(include_deleted=True))
    assert "saes/a" in [c.info.sae_id for c in shown]
    assert [s.sae_id for s in registry.model("tiny").info.saes] == ["saes/b"]
    with pytest.raises(NotFound, match="restore"):
        stocked.container.runs.start(RunRequest(prompt="x", model_id="tiny", sae_ids=("saes/a",)))
    with pytest.raises(NotFound, match="restore"):
        registry.preflight("saes/a")
    assert run(stocked).summary.sae_ids == ("saes/b",)
    assert registry.restore_sae("saes/a").state is EntryState.READY
    assert run(stocked).summary.sae_ids == ("saes/a", "saes/b")
    registry.delete_sae("saes/a")
    stocked.add_saes(stocked.folder / "saes", paths=["a"])  # adding it again restores it as well
    assert registry.sae("saes/a").state is EntryState.READY


def test_a_deleted_model_is_not_offered_and_comes_back(stocked: Shop) -> None:
    registry = stocked.registry
    registry.delete_model("tiny")
    assert "tiny" not in [c.info.model_id for c in registry.models()]
    assert "tiny" in [c.info.model_id for c in registry.models(include_deleted=True)]
    assert "tiny" not in [m.model_id for m in stocked.container.models]
    with pytest.raises(NotFound, match="restore"):
        stocked.container.runs.start(RunRequest(prompt="x", model_id="tiny"))
    with pytest.raises(NotFound, match="restore"):
        registry.load_model("tiny")
    with pytest.raises(NotFound):
        registry.preflight("saes/a")
    assert registry.restore_model("tiny").state is EntryState.READY


def test_files_go_only_when_nothing_depends_on_them(stocked: Shop) -> None:
    registry, original = stocked.registry, stocked.folder / "models" / "tiny"
    view = run(stocked, sae_ids=("saes/a",))
    with pytest.raises(Conflict) as refused:
        registry.delete_sae("saes/a", with_files=True)
    assert refused.value.details["dependents"] == ["1 stored run used it"]
    assert registry.dependents("saes", "saes/b") == ()
    with pytest.raises(Conflict) as refused:
        registry.delete_model("tiny", with_files=True)
    reasons = refused.value.details["dependents"]
    assert "1 stored run used it" in reasons and "SAE saes/b is for it" in reasons
    stocked.container.runs.delete(view.summary.request_id)
    for sae_id in ("saes/a", "saes/b"):
        folder = Path(registry.sae(sae_id).path)
        registry.delete_sae(sae_id, with_files=True)
        assert not folder.exists()
        with pytest.raises(NotFound):
            registry.sae(sae_id)
    assert not (stocked.home / "saes" / "saes").exists()
    registry.delete_model("tiny", with_files=True)
    assert not (stocked.home / "models" / "tiny").is_symlink()
    assert (original / "model.safetensors").is_file()  # it is the user's
    assert stocked.left_behind() == []


def test_the_demos_files_stay_and_the_default_model_is_kept(one_shop: Shop) -> None:
    registry = one_shop.registry
    with pytest.raises(Conflict, match="ACTISCOPE_DEFAULT_MODEL"):
        registry.delete_model("actiscope-demo")
    with pytest.raises(Conflict, match="part of Actiscope"):
        registry.delete_sae("demo-l1-res", with_files=True)
    registry.delete_sae("demo-l1-res")
    assert [s.sae_id for s in one_shop.container.models[0].saes] == ["demo-l2-res"]
    assert Path(registry.restore_sae("demo-l1-res").path).is_dir()


def test_what_a_run_uses_is_not_deleted(shop: Shop) -> None:
    body = make_endless(shop.home)
    started = shop.container.runs.start(RunRequest.parse(body))
    try:
        for delete in (
            lambda: shop.registry.delete_model("endless"),
            lambda: shop.registry.delete_sae("endless-l2"),
            lambda: shop.registry.delete_sae("endless-l2", with_files=True),
        ):
            with pytest.raises(Conflict, match="under way"):
                delete()
    finally:
        shop.container.runs.cancel(started.request_id)
        shop.container.runs.wait(started.request_id, TIMEOUT_S)
    shop.registry.delete_sae("endless-l2")


def test_a_folder_that_is_gone_is_missing_and_can_be_forgotten(stocked: Shop) -> None:
    import shutil

    shutil.rmtree(stocked.home / "saes" / "saes" / "a")
    card = stocked.registry.sae("saes/a")
    assert card.state is EntryState.MISSING and card.problem and card.info.d_sae == 256
    stocked.registry.delete_sae("saes/a", with_files=True)
    assert stocked.saes() == ["saes/b"]
    (stocked.home / "models" / "tiny").unlink()
    assert stocked.registry.model("tiny").state is EntryState.MISSING


def test_what_was_deleted_and_removed_by_hand_can_be_forgotten(stocked: Shop) -> None:
    import shutil

    registry = stocked.registry
    registry.delete_sae("saes/a")
    shutil.rmtree(registry.sae("saes/a").path)
    registry.delete_sae("saes/a", with_files=True)
    with pytest.raises(NotFound):
        registry.sae("saes/a")
    registry.delete_sae("saes/b", with_files=True)
    registry.delete_model("tiny")
    (stocked.home / "models" / "tiny").unlink()
    registry.delete_model("tiny", with_files=True)
    with pytest.raises(NotFound):
        registry.model("tiny")


def test_a_model_is_estimated_in_the_dtype_that_its_device_has(one_shop: Shop) -> None:
    import torch

    registry, residents = one_shop.registry, one_shop.container.base.residents
    (info,) = [card.info for card in registry.models()]
    assert registry.models()[0].memory_bytes == model_bytes(info, "float32")
    residents._place = (torch.device("cpu"), torch.bfloat16)  # as `auto` is on CUDA
    assert registry.models()[0].memory_bytes == model_bytes(info, "bfloat16")


def test_models_make_room_for_each_other(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    for i in range(3):
        shop.add_model(tiny.save_model(shop.folder, f"tiny-{i}", seed=i))
    info: ModelInfo = shop.registry.model("tiny-0").info
    needed = model_bytes(info, "float32")
    shop.container.close()
    shop = make_shop(memory_budget_gb=needed * 2.5 / 1e9)
    assert shop.registry.model("tiny-0").budget_bytes == pytest.approx(needed * 2.5, abs=2)
    for i in range(3):
        shop.done(shop.registry.load_model(f"tiny-{i}"))
    resident = [c.info.model_id for c in shop.registry.models() if c.is_resident]
    assert resident == ["tiny-1", "tiny-2"]
    assert run(shop, model_id="tiny-0").summary.status is RunStatus.OK
    resident = [c.info.model_id for c in shop.registry.models() if c.is_resident]
    assert resident == ["tiny-0", "tiny-2"]
    assert not shop.registry.unload_model("tiny-2").is_resident
    shop.container.close()
    shop = make_shop(memory_budget_gb=needed / 2 / 1e9)
    assert not shop.registry.model("tiny-0").fits
    task = shop.ended(shop.registry.load_model("tiny-0"))
    assert task.error_code == ResourceExhausted.code
    assert "ACTISCOPE_MEMORY_BUDGET_GB" in str(task.error_message)
