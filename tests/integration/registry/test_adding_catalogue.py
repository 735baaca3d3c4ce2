"""Entries of sae-lens' catalogue whose files are not all below the path that it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from services.registry.requests import AddSaes
from services.sae.directory import Directory
from services.types import CatalogueEntry
from tests.hub_stub import HubStub
from tests.integration.registry.conftest import Shop
from tests.sae_layouts import D_IN, LAYOUTS


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubStub]:
    with HubStub(tmp_path / "hub") as stub:
        yield stub


def entry_of(loader: str, path: str) -> CatalogueEntry:
    page = Directory().search("", limit=100_000)
    return next(e for e in page.items if e.loader == loader and e.path == path)


@pytest.mark.parametrize(
    ("case", "loader", "path"),
    [
        ("cross-layer transcoder", "mntss_clt_layer_transcoder", "W_enc_1.safetensors"),
        ("transcoder", "mwhanna_transcoder", "layer_2.safetensors"),
    ],
)
def test_an_entry_that_is_a_file_brings_what_belongs_to_it(
    make_shop: Callable[..., Shop], hub: HubStub, tmp_path: Path, case: str, loader: str, path: str
) -> None:
    shop, entry = make_shop(hub_endpoint=hub.url), entry_of(loader, path)
    made = LAYOUTS[case][1](tmp_path / "made").path
    files = {p.name: p.read_bytes() for p in made.iterdir()}
    hub.put(entry.repo_id, {**files, "W_dec_9.safetensors": b"of another layer"})
    asked = {
        "source": "catalogue", "release": entry.release, "catalogue_ids": [entry.sae_id],
        "preflight": False,
    }  # fmt: skip
    task = shop.ended(shop.registry.add_saes(AddSaes.parse(asked)))
    assert task.results == (f"{entry.release}/{entry.sae_id}",), task
    card = shop.registry.sae(task.results[0])
    assert (card.info.d_in, card.info.trained_on) == (D_IN, LAYOUTS[case][1](tmp_path).model)
    assert not hub.asked("W_dec_9.safetensors")
    decoders = [load_file(made / name) for name in files if name.endswith(".safetensors")]
    theirs = {n: t for tensors in decoders for n, t in tensors.items() if n.startswith("W_dec")}
    (decoder,) = theirs.values()
    expected = decoder.sum(1) if decoder.ndim == 3 else decoder
    ours = load_file(Path(card.path) / "sae_weights.safetensors")["W_dec"]
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
