"""Adding from folders: what is there afterwards, and that nothing is ever half there."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from services.errors import Busy, InvalidArgument, NotFound, Unsupported
from services.registry import cards, measuring
from services.registry.requests import AddModel, AddSaes, LookRequest, SaeQuery
from services.types import EntryState, Source, TaskStatus
from tests import tiny
from tests.broken_files import SAFETENSORS
from tests.integration.registry.conftest import Shop


def test_an_sae_is_converted_once_described_and_offered(shop: Shop) -> None:
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    source = tiny.save_sae(shop.folder, metadata={"neuronpedia_id": "tiny/1-res"})
    task = shop.add_saes(source)
    card = shop.registry.sae(task.results[0])
    assert card.info.sae_id == "tiny-sae" and card.info.model_id == "tiny"
    assert (card.source, card.state) == (Source.LOCAL, EntryState.READY)
    assert card.info.neuronpedia_url(7) == "https://neuronpedia.org/tiny/1-res/7"
    kept = Path(card.path)
    assert kept == shop.home / "saes" / "tiny-sae"
    for name, array in load_file(source / tiny.WEIGHTS).items():
        np.testing.assert_array_equal(load_file(kept / tiny.WEIGHTS)[name], array)
    registration = json.loads((kept / "registration.json").read_text())
    assert registration["model_id"] == "tiny" and registration["source"] == "local"
    sizes = {f["name"]: f["size"] for f in registration["files"]}
    assert sizes[tiny.WEIGHTS] == (source / tiny.WEIGHTS).stat().st_size
    shutil.rmtree(source)  # the original is not needed any more
    assert [s.sae_id for s in shop.registry.model("tiny").info.saes] == ["tiny-sae"]
    offered = {m.model_id: m.saes for m in shop.container.models}["tiny"]
    assert [s.sae_id for s in offered] == ["tiny-sae"]
    assert shop.left_behind() == []


def test_a_model_is_registered_where_it_lies(shop: Shop) -> None:
    folder = tiny.save_model(shop.folder, "My Model (v1)")
    assert shop.add_model(folder) == "My-Model-v1"
    card = shop.registry.model("My-Model-v1")
    assert (shop.home / "models" / "My-Model-v1").is_symlink()
    assert card.state is EntryState.READY and card.fits and card.memory_bytes > 0
    asked = {"source": "local", "path": str(folder), "model_id": "another"}
    task = shop.done(shop.registry.add_model(AddModel.parse(asked)))  # it is known already
    assert task.results == ("My-Model-v1",) and "another" in task.problems[0]
    assert shop.left_behind() == []


def test_adding_again_is_the_same_and_another_under_its_name_is_refused(shop: Shop) -> None:
    source = tiny.save_sae(shop.folder)
    first = shop.add_saes(source)
    before = shop.registry.sae("tiny-sae").added_at
    assert shop.add_saes(source).results == first.results
    assert shop.registry.sae("tiny-sae").added_at == before
    shutil.rmtree(source)
    tiny.save_sae(shop.folder, tensors=tiny.sae_tensors(seed=5))
    refused = shop.add_saes(source)
    assert refused.status is TaskStatus.FAILED and refused.error_code == "CONFLICT"
    assert "tiny-sae-2" in (refused.error_message or "")
    assert shop.add_saes(source, sae_id="tiny-sae-2").results == ("tiny-sae-2",)
    assert shop.saes() == ["tiny-sae", "tiny-sae-2"] and shop.left_behind() == []


def test_names_that_become_equal_get_numbers_within_one_request(one_shop: Shop) -> None:
    for seed, name in enumerate(("a b", "a-b")):
        tiny.save_sae(one_shop.folder, name, tensors=tiny.sae_tensors(seed=seed))
    task = one_shop.add_saes(one_shop.folder / "saes")
    assert sorted(task.results) == ["saes/a-b", "saes/a-b-2"], task


def test_an_sae_waits_for_its_model_and_is_measured_when_it_comes(shop: Shop) -> None:
    tiny.save_sae(shop.folder, metadata={"model_name": "owner/Tiny-Model"})
    task = shop.add_saes(shop.folder / "saes" / "tiny-sae", preflight=True)
    assert task.results == ("tiny-sae",) and "owner/Tiny-Model" in task.problems[0]
    assert shop.registry.sae("tiny-sae").info.model_id == "owner/Tiny-Model"
    assert shop.registry.sae("tiny-sae").preflight is None
    added = shop.done(
        shop.registry.add_model(
            AddModel(source="local", path=str(tiny.save_model(shop.folder, "tiny-model")))
        )
    )
    assert added.results == ("tiny-model",)
    card = shop.registry.sae("tiny-sae")
    assert card.info.model_id == "tiny-model" and card.info.trained_on == "owner/Tiny-Model"
    assert card.preflight is not None and card.info.verdict is card.preflight.verdict
    assert card.preflight.model_id == "tiny-model" and not card.is_stale
    assert shop.registry.preflights("tiny-sae") == (card.preflight,)
    (offered,) = {m.model_id: m.saes for m in shop.container.models}["tiny-model"]
    assert offered.verdict is card.preflight.verdict


def test_a_preflight_of_other_weights_is_stale_and_no_verdict(one_shop: Shop) -> None:
    shop = one_shop
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    shop.add_saes(tiny.save_sae(shop.folder), preflight=True)
    shop.registry.unload_model("tiny")  # or what is outdated would be measured again by itself
    folder = Path(shop.registry.sae("tiny-sae").path)
    for path, old, new in (
        (folder / "cfg.json", "blocks.1.hook_resid_post", "blocks.0.hook_resid_post"),
        (shop.folder / "models" / "tiny" / "tokenizer.json", "<pad>", "<nop>"),
        (shop.folder / "models" / "tiny" / "config.json", '"rms_norm_eps": ', '"rms_norm_eps": 1'),
    ):
        content = path.read_text()
        path.write_text(content.replace(old, new))
        assert_outdated(shop)
        path.write_text(content)  # as it was measured
        assert not shop.registry.sae("tiny-sae").is_stale
        assert shop.container.base.catalogue.sae("tiny-sae").verdict is not None
    changed = load_file(folder / tiny.WEIGHTS)
    save_file({name: array * 2 for name, array in changed.items()}, folder / tiny.WEIGHTS)
    assert_outdated(shop)
    again = shop.done(shop.registry.preflight("tiny-sae"))
    assert again.results == ("tiny-sae",) and not shop.registry.sae("tiny-sae").is_stale
    assert len(shop.registry.preflights("tiny-sae")) == 2


def assert_outdated(shop: Shop) -> None:
    card = shop.registry.sae("tiny-sae")
    assert card.is_stale and card.preflight is not None and card.info.verdict is None
    assert shop.container.base.catalogue.sae("tiny-sae").verdict is None
    (offered,) = {m.model_id: m.saes for m in shop.container.models}["tiny"]
    assert offered.verdict is None


def test_a_verdict_is_of_the_model_that_the_sae_is_for(one_shop: Shop) -> None:
    shop = one_shop
    for name in ("tiny", "other"):
        shop.add_model(tiny.save_model(shop.folder, name))
    source = tiny.save_sae(shop.folder)
    shop.add_saes(source, preflight=True)
    assert shop.registry.sae("tiny-sae").info.verdict is not None
    shop.add_saes(source, model_id="other")
    card = shop.registry.sae("tiny-sae")
    assert card.info.model_id == "other" and card.info.verdict is None
    shop.add_saes(source, model_id="tiny")
    assert shop.registry.sae("tiny-sae").info.verdict is not None


def test_what_changed_is_measured_once_though_it_changes_again(
    one_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = one_shop
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    shop.add_saes(tiny.save_sae(shop.folder), preflight=True)
    folder = Path(shop.registry.sae("tiny-sae").path)
    for module in (measuring, cards):  # as a file does that is written again and again
        monkeypatch.setattr(module, "is_stale", lambda *_: True)
    assert (folder / "cfg.json").is_file() and shop.registry.sae("tiny-sae").is_stale
    (task,) = [t for t in shop.registry.tasks() if t.title == "Preflight of what has changed"]
    assert shop.done(task).results == ("tiny-sae",)
    assert len(shop.registry.preflights("tiny-sae")) == 2


def test_listing_writes_nothing_though_a_value_is_beyond_its_column(one_shop: Shop) -> None:
    path = tiny.save_model(one_shop.home, "tiny") / "config.json"
    config = json.loads(path.read_text()) | {"max_position_embeddings": 10**30}
    path.write_text(json.dumps(config))
    store = one_shop.registry._parts.store
    assert one_shop.registry.model("tiny").info.n_ctx == 10**30
    before = store.rows().models["tiny"]
    assert before.n_ctx == 2**63 - 1
    one_shop.registry.models()
    assert store.rows().models["tiny"] == before  # nor when it was updated


def test_what_changed_is_measured_again_by_itself(one_shop: Shop) -> None:
    shop = one_shop
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    shop.add_saes(tiny.save_sae(shop.folder), preflight=True)
    path = Path(shop.registry.sae("tiny-sae").path) / tiny.WEIGHTS
    changed = load_file(path)
    save_file({name: array * 2 for name, array in changed.items()}, path)
    assert shop.registry.saes()[-1].is_stale
    (task,) = [t for t in shop.registry.tasks() if t.title == "Preflight of what has changed"]
    assert shop.done(task).results == ("tiny-sae",)
    card = shop.registry.sae("tiny-sae")
    assert not card.is_stale and card.info.verdict is not None
    assert len(shop.registry.preflights("tiny-sae")) == 2


def test_a_named_model_wins_unless_its_width_cannot_fit(one_shop: Shop) -> None:
    shop = one_shop
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    shop.add_model(tiny.save_model(shop.folder, "other"))
    source = tiny.save_sae(shop.folder)
    shop.add_saes(source)
    assert shop.registry.sae("tiny-sae").info.model_id == "tiny"
    shop.add_saes(source, model_id="other")
    assert shop.registry.sae("tiny-sae").info.model_id == "other"
    refused = shop.add_saes(source, model_id="actiscope-demo")
    assert refused.error_code == "UNSUPPORTED" and "256" in (refused.error_message or "")
    with pytest.raises(NotFound):
        shop.add_saes(source, model_id="nowhere")
    assert shop.left_behind() == []


def test_short_and_foreign_names_find_the_model(one_shop: Shop) -> None:
    shop = one_shop
    shop.add_model(tiny.save_model(shop.folder, "gpt2", "gpt2"))
    names = ("gpt2-small", "openai-community/gpt2", "GPT2")
    for i, name in enumerate(names):
        tiny.save_sae(shop.folder, f"sae-{i}", metadata={"model_name": name, "hf_hook_name": None})
    task = shop.add_saes(shop.folder / "saes")
    assert {shop.registry.sae(id).info.model_id for id in task.results} == {"gpt2"}
    assert len(shop.registry.saes(SaeQuery(model_id="gpt2"))) == 3
    assert len(shop.registry.saes(SaeQuery(text="GPT2-small res"))) == 1


def test_what_is_missing_must_be_said(one_shop: Shop) -> None:
    shop = one_shop
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    folder = shop.folder / "bare"
    folder.mkdir()
    save_file(tiny.sae_tensors(), folder / "weights.safetensors")
    (found,) = shop.registry.look(LookRequest(source="local", path=str(folder)))
    assert set(found.needs) == {"model_id", "hook_name"}
    refused = shop.add_saes(folder)
    assert refused.status is TaskStatus.FAILED and "hook_name" in (refused.error_message or "")
    given = {"model_id": "tiny", "hook_name": "blocks.1.hook_resid_post"}
    task = shop.add_saes(folder, **given)
    info = shop.registry.sae(task.results[0]).info
    assert (info.model_id, info.hook_name) == ("tiny", "blocks.1.hook_resid_post")


def test_a_hook_that_is_given_is_used_for_one_and_refused_for_several(one_shop: Shop) -> None:
    shop = one_shop
    shop.add_model(tiny.save_model(shop.folder, "tiny"))
    for seed, name in enumerate(("a", "b")):
        tiny.save_sae(shop.folder, name, tensors=tiny.sae_tensors(seed=seed))
    given = {"hook_name": "blocks.2.hook_resid_pre"}
    task = shop.add_saes(shop.folder / "saes" / "a", **given)
    info = shop.registry.sae(task.results[0]).info
    assert (info.hook_name, info.layer) == ("blocks.2.hook_resid_pre", 2)
    several = shop.add_saes(shop.folder / "saes", **given)
    assert several.error_code == "INVALID_ARGUMENT"
    assert "blocks.1.hook_resid_post" in str(several.error_message)
    chosen = shop.add_saes(shop.folder / "saes", paths=["b"], **given)
    assert shop.registry.sae(chosen.results[0]).info.layer == 2


def test_only_the_chosen_ones_are_added(one_shop: Shop) -> None:
    for seed, name in enumerate(("a", "b", "c")):
        tiny.save_sae(one_shop.folder, name, tensors=tiny.sae_tensors(seed=seed))
    place = one_shop.folder / "saes"
    task = one_shop.add_saes(place, paths=["a", "c"])
    assert task.results == ("saes/a", "saes/c")
    wrong = one_shop.add_saes(place, paths=["z"])
    assert wrong.error_code == "INVALID_ARGUMENT" and "'b'" in (wrong.error_message or "")
    several = one_shop.add_saes(place, sae_id="x")
    assert several.error_code == "INVALID_ARGUMENT"
    assert one_shop.add_saes(place, sae_id="x", paths=["b"]).results == ("x",)


@pytest.mark.parametrize("name", SAFETENSORS)
def test_malformed_weights_are_refused_and_leave_nothing(one_shop: Shop, name: str) -> None:
    folder = tiny.save_sae(one_shop.folder)
    (folder / tiny.WEIGHTS).write_bytes(SAFETENSORS[name][0])
    task = one_shop.add_saes(folder)
    assert task.status is TaskStatus.FAILED and task.error_code == "UNSUPPORTED", task
    assert one_shop.saes() == [] and one_shop.left_behind() == []
    assert not list((one_shop.home / "saes").glob("*")) if (one_shop.home / "saes").exists() else 1


@pytest.mark.parametrize(
    "cfg",
    [
        "", "{", "[]", "null", '{"architecture": "unheard of"}', '{"d_in": -1}', "[" * 100_000,
        '{"architecture": "topk", "d_in": 64, "d_sae": 1e400}',
    ],
)  # fmt: skip
def test_malformed_configurations_are_refused_and_leave_nothing(one_shop: Shop, cfg: str) -> None:
    folder = tiny.save_sae(one_shop.folder)
    (folder / "cfg.json").write_text(cfg)
    task = one_shop.add_saes(folder)
    assert task.status is TaskStatus.FAILED and task.error_code == "UNSUPPORTED", task
    assert one_shop.saes() == [] and one_shop.left_behind() == []


def test_weights_that_are_no_numbers_are_refused(one_shop: Shop) -> None:
    tensors = tiny.sae_tensors()
    tensors["W_enc"][3, 5] = np.nan
    task = one_shop.add_saes(tiny.save_sae(one_shop.folder, tensors=tensors))
    assert task.error_code == "UNSUPPORTED" and "NaN" in (task.error_message or "")
    assert one_shop.saes() == [] and one_shop.left_behind() == []


def test_a_broken_one_among_good_ones_is_told_and_the_others_come(one_shop: Shop) -> None:
    tiny.save_sae(one_shop.folder, "good")
    bad = tiny.save_sae(one_shop.folder, "bad")
    (bad / tiny.WEIGHTS).write_bytes(b"abc")
    task = one_shop.add_saes(one_shop.folder / "saes")
    assert task.status is TaskStatus.SUCCEEDED and task.results == ("saes/good",)
    assert len(task.problems) == 1 and "bad" in task.problems[0]


def test_pickles_are_refused_with_the_way_to_convert_them(one_shop: Shop) -> None:
    folder = one_shop.folder / "old"
    folder.mkdir()
    (folder / "ae.pt").write_bytes(b"\x80\x04\x95boom")
    task = one_shop.add_saes(folder)
    assert task.error_code == "UNSUPPORTED" and "safetensors" in (task.error_message or "")
    model = tiny.save_model(one_shop.folder, "tiny")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    asked = AddModel(source="local", path=str(model))
    refused = one_shop.ended(one_shop.registry.add_model(asked))
    assert refused.error_code == "UNSUPPORTED" and "safetensors" in (refused.error_message or "")
    assert not (one_shop.home / "models" / "tiny").exists() and one_shop.left_behind() == []


def test_only_open_folders_are_read(one_shop: Shop, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    tiny.save_sae(secret)
    tiny.save_model(secret, "tiny")
    link = one_shop.folder / "link"
    link.symlink_to(secret)
    outside = [secret, secret / "nowhere", link, one_shop.folder / ".." / "secret", Path("/etc")]
    for path in outside:
        with pytest.raises(InvalidArgument, match="ACTISCOPE_LOCAL_ROOTS"):
            one_shop.registry.look(LookRequest(source="local", path=str(path)))
        with pytest.raises(InvalidArgument, match="ACTISCOPE_LOCAL_ROOTS"):
            one_shop.registry.add_saes(AddSaes(source="local", path=str(path)))
        with pytest.raises(InvalidArgument, match="ACTISCOPE_LOCAL_ROOTS"):
            one_shop.registry.add_model(AddModel(source="local", path=str(path)))
    with pytest.raises(InvalidArgument, match="from the root on"):
        one_shop.registry.look(LookRequest(source="local", path="saes"))
    with pytest.raises(NotFound):
        one_shop.registry.look(LookRequest(source="local", path=str(one_shop.folder / "none")))


def test_files_that_are_links_out_of_an_open_folder_are_not_read(
    one_shop: Shop, tmp_path: Path
) -> None:
    secret = tiny.save_sae(tmp_path / "secret")
    folder = tiny.save_sae(one_shop.folder)
    (folder / tiny.WEIGHTS).unlink()
    os.symlink(secret / tiny.WEIGHTS, folder / tiny.WEIGHTS)
    task = one_shop.add_saes(folder)
    assert task.error_code == "INVALID_ARGUMENT"
    model = tiny.save_model(one_shop.folder, "tiny")
    other = tiny.save_model(tmp_path / "secret", "tiny")
    (model / "model.safetensors").unlink()
    os.symlink(other / "model.safetensors", model / "model.safetensors")
    asked = AddModel(source="local", path=str(model))
    refused = one_shop.ended(one_shop.registry.add_model(asked))
    assert refused.error_code == "INVALID_ARGUMENT"
    assert one_shop.saes() == [] and one_shop.left_behind() == []


def test_fifty_equal_requests_are_one_task(one_shop: Shop) -> None:
    source = tiny.save_sae(one_shop.folder)
    request = AddSaes(source="local", path=str(source), preflight=False)
    barrier, ids = threading.Barrier(10), []

    def ask() -> None:
        barrier.wait()
        ids.append(one_shop.registry.add_saes(request).task_id)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tasks = [one_shop.ended(one_shop.registry.task(id)) for id in set(ids)]
    assert all(task.results == ("tiny-sae",) for task in tasks)
    assert one_shop.saes() == ["tiny-sae"]


def test_a_model_of_an_unknown_family_is_refused_when_it_is_added(one_shop: Shop) -> None:
    folder = tiny.save_model(one_shop.folder, "tiny")
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "alien9"}
    (folder / "config.json").write_text(json.dumps(config))
    task = one_shop.ended(one_shop.registry.add_model(AddModel(source="local", path=str(folder))))
    assert task.error_code == "UNSUPPORTED" and "alien9" in (task.error_message or "")
    assert not (one_shop.home / "models" / "tiny").is_symlink() and one_shop.left_behind() == []


def test_a_model_that_asks_for_code_is_refused(one_shop: Shop) -> None:
    folder = tiny.save_model(one_shop.folder, "tiny")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    task = one_shop.ended(one_shop.registry.add_model(AddModel(source="local", path=str(folder))))
    assert task.error_code == "UNSUPPORTED" and "code" in (task.error_message or "")


def test_what_lies_in_the_folder_unusable_is_listed_with_the_reason(one_shop: Shop) -> None:
    folder = tiny.save_sae(one_shop.home, "by-hand")
    (folder / "cfg.json").write_text("{")
    card = one_shop.registry.sae("by-hand")
    assert card.state is EntryState.UNUSABLE and card.problem
    with pytest.raises(Unsupported):
        one_shop.registry.preflight("by-hand")
    one_shop.registry.delete_sae("by-hand")
    assert one_shop.registry.sae("by-hand").state is EntryState.DELETED
    one_shop.registry.restore_sae("by-hand")
    one_shop.registry.delete_sae("by-hand", with_files=True)
    assert not folder.exists()


def test_too_many_tasks_are_busy(one_shop: Shop) -> None:
    source = tiny.save_sae(one_shop.folder)
    one_shop.add_model(tiny.save_model(one_shop.folder, "tiny"))
    one_shop.add_saes(source)
    released = threading.Event()
    one_shop.container.base.worker.submit(released.wait)
    try:
        with pytest.raises(Busy):
            for i in range(100):
                asked = AddSaes(source="local", path=str(source), sae_id=f"x{i}")
                one_shop.registry.add_saes(asked)
    finally:
        released.set()
