"""Links out of the folders that may be read: refused before anything behind them is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from services.errors import InvalidArgument
from services.registry.requests import LookRequest
from services.sae.formats import Hints, look
from tests import sae_layouts, tiny
from tests.integration.registry.conftest import Shop

SECRET = "SECRET-VALUE-123"


def hidden(root: Path, content: object) -> Path:
    """A file outside of every folder that may be read."""
    file = root / "outside" / "hosts"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def cfg_of_a_link(shop: Shop, root: Path) -> Path:
    folder = tiny.save_sae(shop.folder)
    cfg = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").unlink()
    (folder / "cfg.json").symlink_to(hidden(root, cfg | {"architecture": SECRET}))
    return folder


def scaler_of_a_link(shop: Shop, root: Path) -> Path:
    folder = tiny.save_sae(shop.folder, normalize_activations="expected_average_only_in")
    (folder / "activation_scaler.json").symlink_to(hidden(root, {"scaling_factor": 1}))
    return folder


def bare_with_a_linked_config(shop: Shop, root: Path) -> Path:
    made = sae_layouts.bare(shop.folder)
    folder = made.path.parent
    (folder / "config.json").symlink_to(hidden(root, {"model_name": SECRET}))
    return folder


def linked_npz(shop: Shop, root: Path) -> Path:
    folder = shop.folder / "layer_1"
    folder.mkdir()
    (folder / "params.npz").symlink_to(hidden(root, SECRET))
    return folder


CASES: list[Callable[[Shop, Path], Path]] = [
    cfg_of_a_link, scaler_of_a_link, bare_with_a_linked_config, linked_npz
]  # fmt: skip


@pytest.mark.parametrize("make", CASES)
def test_a_link_out_of_an_open_folder_is_refused_unread(
    one_shop: Shop, tmp_path: Path, make: Callable[[Shop, Path], Path]
) -> None:
    folder = make(one_shop, tmp_path)
    with pytest.raises(InvalidArgument, match="ACTISCOPE_LOCAL_ROOTS") as caught:
        one_shop.registry.look(LookRequest(source="local", path=str(folder)))
    assert SECRET not in caught.value.message
    task = one_shop.add_saes(folder)
    assert task.error_code == "INVALID_ARGUMENT" and SECRET not in str(task)


def test_what_lies_above_an_open_folder_is_not_read(tmp_path: Path) -> None:
    """sparsify's config.json one folder up: as if it were not there, unless it may be read."""
    made = sae_layouts.sparsify(tmp_path)
    run = next(p for p in tmp_path.rglob("config.json"))
    folder = next(p for p in tmp_path.rglob("sae.safetensors")).parent
    asked: list[Path] = []

    def check(file: Path) -> None:
        asked.append(file)
        if not file.resolve().is_relative_to(folder.resolve()):
            raise InvalidArgument("outside")

    open_, closed = (look(folder, Hints(made.origin), *c).found[0] for c in ((), (check,)))
    assert run.parent == folder.parent and run in asked
    assert open_.config["metadata"]["model_name"] == made.model
    assert closed.config["metadata"]["model_name"] == "" and "model_id" in closed.needs


def test_links_that_no_sae_needs_do_not_matter(one_shop: Shop, tmp_path: Path) -> None:
    folder = tiny.save_sae(one_shop.folder)
    (folder / "notes.txt").symlink_to(hidden(tmp_path, SECRET))
    (found,) = one_shop.registry.look(LookRequest(source="local", path=str(folder)))
    assert found.problem is None
