"""Adding from a hub: downloads that resume, are cancelled, refused, and registered whole."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from services.errors import NotFound, Unavailable
from services.registry.requests import AddModel, AddSaes, LookRequest
from services.types import Source, TaskStatus, TaskView
from tests import tiny
from tests.hub_stub import HubStub
from tests.integration.registry.conftest import Shop

REPO = "someone/tiny-saes"
RELEASE, RELEASE_REPO = "gpt2-small-res-jb", "jbloom/GPT2-Small-SAEs-Reformatted"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubStub]:
    with HubStub(tmp_path / "hub") as stub:
        yield stub


@pytest.fixture
def hub_shop(make_shop: Callable[..., Shop], hub: HubStub) -> Shop:
    return make_shop(hub_endpoint=hub.url)


def fill(hub: HubStub, repo: str, root: Path, below: str) -> str:
    """A repository with what lies in `root`/`below`; its commit."""
    files = [path for path in (root / below).rglob("*") if path.is_file()]
    return hub.put(
        repo, {path.relative_to(root / below).as_posix(): path.read_bytes() for path in files}
    )


def fill_saes(hub: HubStub, root: Path, repo: str = REPO, *names: str) -> str:
    for seed, name in enumerate(names or ("layer_0/a", "layer_1/b")):
        tiny.save_sae(root, name, tensors=tiny.sae_tensors(seed=seed))
    return fill(hub, repo, root, "saes")


def add_saes(shop: Shop, **given: object) -> TaskView:
    asked = {"source": "huggingface", "repo_id": REPO, "preflight": False} | given
    return shop.ended(shop.registry.add_saes(AddSaes.parse(asked)))


def add_model(shop: Shop, repo_id: str, **given: object) -> TaskView:
    asked = {"source": "huggingface", "repo_id": repo_id} | given
    return shop.ended(shop.registry.add_model(AddModel.parse(asked)))


def downloaded(shop: Shop) -> list[Path]:
    """What lies in downloads."""
    return [path for path in (shop.home / "downloads").rglob("*") if path.is_file()]


def config(model_type: str, **given: object) -> bytes:
    """A config.json."""
    sizes = {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 320}
    return json.dumps({"model_type": model_type} | sizes | given).encode()


LLAMA = {
    "config.json": config("llama"),
    "tokenizer.json": b"{}",
    "model.safetensors": b"nothing that could be loaded",
}


def test_a_repository_is_shown_by_folder_and_added_by_choice(
    hub: HubStub, hub_shop: Shop, tmp_path: Path
) -> None:
    commit = fill_saes(hub, tmp_path / "made")
    hub.put(REPO, {"README.md": b"# SAEs", "old/ae.pt": b"\x80\x04boom"})
    commit = hub.commit(REPO)
    found = hub_shop.registry.look(LookRequest(source="huggingface", repo_id=REPO))
    assert [(c.path, c.format) for c in found] == [
        ("layer_0/a", "sae_lens"), ("layer_1/b", "sae_lens"), ("old", "")
    ]  # fmt: skip
    assert "pickle" in (found[2].problem or "")
    task = add_saes(hub_shop, paths=["layer_1/b"])
    assert task.results == ("tiny-saes/layer_1--b",), task
    card = hub_shop.registry.sae("tiny-saes/layer_1--b")
    assert (card.source, card.repo_id, card.repo_revision) == (Source.HUGGINGFACE, REPO, commit)
    assert card.repo_path == "layer_1/b"
    kept = load_file(Path(card.path) / tiny.WEIGHTS)
    given = load_file(tmp_path / "made" / "saes" / "layer_1" / "b" / tiny.WEIGHTS)
    np.testing.assert_array_equal(kept["W_enc"], given["W_enc"])
    assert not hub.asked(f"layer_0/a/{tiny.WEIGHTS}") and not hub.asked("ae.pt")
    assert add_saes(hub_shop).results == ("tiny-saes/layer_0--a", "tiny-saes/layer_1--b")
    left = list((hub_shop.home / "downloads").rglob("*.safetensors"))
    assert left == [] and hub_shop.left_behind() == []


def test_an_entry_of_the_catalogue_brings_what_it_publishes(
    hub: HubStub, hub_shop: Shop, tmp_path: Path
) -> None:
    fill_saes(hub, tmp_path / "made", RELEASE_REPO, "blocks.1.hook_resid_pre")
    asked = {"source": "catalogue", "release": RELEASE, "preflight": False}
    request = AddSaes.parse(asked | {"catalogue_ids": ["blocks.1.hook_resid_pre"]})
    task = hub_shop.ended(hub_shop.registry.add_saes(request))
    assert task.results == (f"{RELEASE}/blocks.1.hook_resid_pre",), task
    card = hub_shop.registry.sae(task.results[0])
    assert (card.source, card.release) == (Source.CATALOGUE, RELEASE)
    assert card.info.neuronpedia_id == "gpt2-small/1-res-jb"
    entry = hub_shop.registry.search(f"{RELEASE} blocks.1.hook_resid_pre").items[0]
    assert entry.release == RELEASE
    if entry.l0 is not None:
        assert card.published["l0"] == entry.l0
    with pytest.raises(NotFound):
        hub_shop.registry.add_saes(AddSaes.parse(asked | {"catalogue_ids": ["blocks.99"]}))


def test_a_cut_download_fails_whole_or_resumes(
    hub: HubStub, hub_shop: Shop, tmp_path: Path
) -> None:
    fill_saes(hub, tmp_path / "made", REPO, "a")
    size = (tmp_path / "made" / "saes" / "a" / tiny.WEIGHTS).stat().st_size
    hub.cut(tiny.WEIGHTS, after=size // 2)
    task = add_saes(hub_shop)
    assert task.results == ("tiny-saes/a",), task
    ranges = [r.headers.get("range") for r in hub.asked(tiny.WEIGHTS)]
    assert f"bytes={size // 2}-" in ranges


def test_a_cancelled_download_stops_at_once_and_goes_on_later(
    hub: HubStub, hub_shop: Shop, tmp_path: Path
) -> None:
    fill_saes(hub, tmp_path / "made", REPO, "a")
    hub.drip(tiny.WEIGHTS, chunk=1000, every_s=0.1, times=1)
    request = AddSaes(source="huggingface", repo_id=REPO, preflight=False)
    task = hub_shop.registry.add_saes(request)
    deadline = time.monotonic() + 60
    while (view := hub_shop.registry.task(task.task_id)).done < 20_000:
        assert time.monotonic() < deadline and not view.status.is_final, view
        time.sleep(0.02)
    assert view.phase == "downloading" and view.unit == "bytes" and view.total
    assert view.per_s and view.per_s > 0
    whole = view.total
    hub_shop.registry.cancel(task.task_id)
    view = hub_shop.ended(view)
    assert view.status is TaskStatus.CANCELLED and view.done < whole / 2  # long before its end
    assert view.results == () and hub_shop.saes() == [] and hub_shop.left_behind() == []
    task = hub_shop.ended(hub_shop.registry.add_saes(request))
    assert task.results == ("tiny-saes/a",)
    assert any(r.headers.get("range") for r in hub.asked(tiny.WEIGHTS))


def test_an_altered_file_is_never_registered(hub: HubStub, hub_shop: Shop, tmp_path: Path) -> None:
    fill_saes(hub, tmp_path / "made", REPO, "a")
    hub.alter(tiny.WEIGHTS, times=20)
    task = add_saes(hub_shop)
    assert task.status is TaskStatus.FAILED and hub_shop.saes() == []
    hub.forgive()
    assert add_saes(hub_shop).results == ("tiny-saes/a",)


def test_each_way_it_can_fail_says_what_to_do(
    hub: HubStub, hub_shop: Shop, make_shop: Callable[..., Shop], tmp_path: Path
) -> None:
    fill_saes(hub, tmp_path / "made", REPO, "a")
    hub.gated[REPO] = "right-token"
    gated = add_saes(hub_shop)
    assert gated.error_code in ("UNAUTHENTICATED", "FORBIDDEN") and "TOKEN" in str(
        gated.error_message
    )
    missing = add_saes(hub_shop, repo_id="someone/nothing")
    assert missing.error_code == "NOT_FOUND"
    hub.put("someone/pickles", {"ae.pt": b"\x80\x04"})
    pickles = add_saes(hub_shop, repo_id="someone/pickles")
    assert pickles.error_code == "UNSUPPORTED" and "safetensors" in str(pickles.error_message)
    hub_shop.container.close()
    allowed = make_shop(hub_endpoint=hub.url, hub_token="right-token")
    assert add_saes(allowed).results == ("tiny-saes/a",)
    allowed.container.close()
    offline = make_shop(hub_endpoint=hub.url, offline=True)
    said = add_saes(offline, repo_id="someone/other")
    assert said.error_code == "UNAVAILABLE" and "ACTISCOPE_OFFLINE" in str(said.error_message)
    with pytest.raises(Unavailable):
        offline.registry.look(LookRequest(source="huggingface", repo_id=REPO))
    assert offline.registry.is_offline
    hub_check = next(c for c in offline.container.health().checks if c.name == "hub")
    assert hub_check.ok and "offline" in hub_check.message


def test_a_model_of_the_hub_is_moved_into_place_and_its_saes_follow(
    hub: HubStub, hub_shop: Shop, tmp_path: Path
) -> None:
    tiny.save_model(tmp_path / "made", "tiny")
    commit = fill(hub, "someone/tiny", tmp_path / "made", "models/tiny")
    hub.put("someone/tiny", {"original/params.json": b"{}", "pytorch_model.bin": b"\x80"})
    commit = hub.commit("someone/tiny")
    sae = tiny.save_sae(hub_shop.folder, metadata={"model_name": "someone/tiny"})
    hub_shop.add_saes(sae)
    task = add_model(hub_shop, "someone/tiny")
    assert task.results == ("someone/tiny",), task
    card = hub_shop.registry.model("someone/tiny")
    assert (card.source, card.repo_revision) == (Source.HUGGINGFACE, commit)
    assert [s.sae_id for s in card.info.saes] == ["tiny-sae"]
    assert hub_shop.registry.sae("tiny-sae").preflight is not None
    assert not hub.asked("pytorch_model.bin") and not hub.asked("params.json")
    assert list((hub_shop.home / "downloads").iterdir()) == []
    asked = len(hub.requests)
    assert add_model(hub_shop, "someone/tiny").results == ("someone/tiny",)
    assert not any("resolve" in r.path for r in hub.requests[asked:])
    other = add_model(hub_shop, "someone/tiny", model_id="actiscope-demo")
    assert other.error_code == "CONFLICT" and hub_shop.left_behind() == []


def test_sharded_weights_come_whole(hub: HubStub, hub_shop: Shop, tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "made", "tiny")
    tiny.causal_lm("llama").save_pretrained(folder, max_shard_size="100KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    fill(hub, "tiny-sharded", tmp_path / "made", "models/tiny")
    task = add_model(hub_shop, "tiny-sharded")
    assert task.results == ("tiny-sharded",), task
    loaded = hub_shop.done(hub_shop.registry.load_model("tiny-sharded"))
    assert loaded.results == ("tiny-sharded",)
    assert hub_shop.registry.model("tiny-sharded").is_resident


def test_weights_that_are_refused_are_not_kept(hub: HubStub, hub_shop: Shop) -> None:
    hub.put("someone/odd", LLAMA)  # what its weights are is known only when they are here
    task = add_model(hub_shop, "someone/odd")
    assert task.error_code == "UNSUPPORTED" and hub.asked("model.safetensors")
    assert downloaded(hub_shop) == [] and hub_shop.left_behind() == []


def test_what_is_chosen_and_cannot_be_added_is_told(
    hub: HubStub, hub_shop: Shop, tmp_path: Path
) -> None:
    fill_saes(hub, tmp_path / "made")
    good = hub.files(REPO)
    no_decoder = save({"W_enc": np.zeros((64, 8), np.float32)})
    not_finite = tiny.sae_tensors() | {"threshold": np.full(256, np.nan, np.float32)}
    for path, weights in (("layer_2/c", no_decoder), ("layer_3/d", save(not_finite))):
        cfg = good["layer_0/a/cfg.json"]
        hub.put(REPO, {f"{path}/cfg.json": cfg, f"{path}/{tiny.WEIGHTS}": weights})
    task = add_saes(hub_shop, paths=["layer_0/a", "layer_2/c", "layer_3"])
    assert task.results == ("tiny-saes/layer_0--a",), task
    assert len(task.problems) == 2 and "layer_2/c" in task.problems[0]
    assert "layer_3/d" in task.problems[1] and "NaN" in task.problems[1]
    assert [path for path in downloaded(hub_shop) if path.suffix == ".safetensors"] == []
    absent = add_saes(hub_shop, paths=["layer_1/b", "no/such"])
    assert absent.error_code == "INVALID_ARGUMENT" and "no/such" in str(absent.error_message)
    assert not hub.asked(f"layer_1/b/{tiny.WEIGHTS}")
    assert add_saes(hub_shop, paths=["layer_2/c"]).error_code == "UNSUPPORTED"


def test_downloads_that_nobody_goes_on_with_are_removed(
    hub: HubStub, hub_shop: Shop, tmp_path: Path
) -> None:
    fill_saes(hub, tmp_path / "made", REPO, "a")
    for name, days in (("forgotten", 8), ("interrupted", 6)):
        folder = hub_shop.home / "downloads" / name
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"x")
        moment = time.time() - days * 24 * 3600
        os.utime(folder, (moment, moment))
    add_saes(hub_shop)
    assert [path.name for path in downloaded(hub_shop) if path.name == "part"] == ["part"]
    assert not (hub_shop.home / "downloads" / "forgotten").exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"\x80"}, "pytorch_model.bin"),
        ({"README.md": b"x"}, "config.json"),
        ({"config.json": b'{"auto_map": {"A": "b"}}', "model.safetensors": b"x"}, "code"),
        ({"config.json": b"{}", "model.safetensors": b"x"}, ""),
        (LLAMA | {"config.json": config("t5", is_encoder_decoder=True)}, "encoder"),
        (LLAMA | {"config.json": config("alien9")}, "alien9"),
        (LLAMA | {"config.json": config("llama", architectures=["LlamaForMaskedLM"])}, "write"),
        (LLAMA | {"config.json": config("llama", hidden_size=None)}, "hidden_size"),
        ({name: LLAMA[name] for name in ("config.json", "model.safetensors")}, "tokenizer"),
    ],
)
def test_a_repository_that_is_no_plain_model_is_refused(
    hub: HubStub, hub_shop: Shop, files: dict[str, bytes], said: str
) -> None:
    hub.put("someone/odd", files)
    task = add_model(hub_shop, "someone/odd")
    assert task.error_code == "UNSUPPORTED" and said in str(task.error_message), task
    assert not hub.asked(".safetensors") and not hub.asked(".bin")  # known before that
    assert downloaded(hub_shop) == []
    assert not (hub_shop.home / "models" / "someone" / "odd").exists()
    assert hub_shop.left_behind() == []
