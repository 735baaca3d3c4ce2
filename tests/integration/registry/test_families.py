"""Each family: a checkpoint from disk, an SAE registered for it, a run over REST, and features
equal to plain transformers and the SAE's formula on the raw arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from services.runs.queries import RowQuery, TopQuery
from services.web import install, make_server
from tests import tiny
from tests.integration.registry.conftest import Shop

RUN = "/api/v1/playground/activations/run"
BODY = {"prompt": "the cat sat on", "max_tokens": 12, "temperature": 0, "chat_template": "off"}


def run_over_rest(shop: Shop, **body: Any) -> dict[str, Any]:
    """The whole run."""
    server = make_server(shop.container.settings)
    install(server, shop.container, list)
    client = server.test_client()
    answer = client.post(RUN, json=BODY | {"sae_top_k": 200} | body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    run = client.get(f"/api/v1/playground/activations/{answer.json['request_id']}").json
    assert run["status"] == "ok", run["error_message"]
    return run


def jumprelu(folder: Path, x: np.ndarray) -> np.ndarray:
    """Feature activations [n, d_sae] by the definition, from the arrays of the SAE as given."""
    a = load_file(folder / tiny.WEIGHTS)
    hidden = (x - a["b_dec"]) @ a["W_enc"] + a["b_enc"]
    return np.where(hidden > a["threshold"], hidden, 0)


def plain(model_folder: Path, token_ids: list[int], module: str | None, layer: int) -> np.ndarray:
    """The residual stream after `layer`, or a module's output, by plain transformers, [n, d]."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    seen: list[torch.Tensor] = []
    if module is not None:
        model.get_submodule(module).register_forward_hook(lambda _m, _i, out: seen.append(out))
    with torch.no_grad():
        states = model(torch.tensor([token_ids]), output_hidden_states=True).hidden_states
    return (seen[0] if module is not None else states[layer + 1])[0].numpy()


def assert_equal_features(timeline: dict[str, Any], expected: np.ndarray) -> None:
    """All features of all positions: the same ids, the same values."""
    assert len(timeline["feature_timeline"]) == len(expected)
    assert timeline["l0"] == [int(n) for n in (expected > 0).sum(1)]
    found = np.zeros_like(expected)
    for position, point in enumerate(timeline["feature_timeline"]):
        for feature in point["top_features"]:
            found[position, feature["id"]] = feature["activation"]
    kept = min(200, int((expected > 0).sum(1).max()))
    shown = -np.sort(-expected, axis=1)[:, :kept]
    np.testing.assert_allclose(-np.sort(-found, axis=1)[:, :kept], shown, rtol=2e-4, atol=2e-4)
    strongest = expected.argmax(1)
    rows = np.arange(len(expected))
    np.testing.assert_allclose(
        found[rows, strongest], expected[rows, strongest], rtol=2e-4, atol=2e-4
    )


def token_ids(run: dict[str, Any]) -> list[int]:
    return [token["token"] for token in run["tokens"]]


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_family_registers_runs_and_gives_exact_features(one_shop: Shop, family: str) -> None:
    shop = one_shop
    model = tiny.save_model(shop.folder, f"my-{family}", family)
    sae = tiny.save_sae(
        shop.folder,
        metadata={"model_name": f"someone/my-{family}", "hf_hook_name": None},
    )
    assert shop.add_model(model) == f"my-{family}"
    task = shop.add_saes(sae)
    assert task.results == ("tiny-sae",), task
    card = shop.registry.sae("tiny-sae")
    assert card.info.model_id == f"my-{family}" and card.format == "sae_lens"
    assert shop.registry.model(f"my-{family}").info.family.startswith(family[:5])
    run = run_over_rest(shop, model_id=f"my-{family}")
    (timeline,) = run["features"]
    assert timeline["sae_id"] == "tiny-sae"
    expected = jumprelu(sae, plain(model, token_ids(run), None, 1))
    assert (expected > 0).any() and (expected == 0).any()
    assert_equal_features(timeline, expected)


def test_one_run_with_three_saes_at_two_layers_and_an_mlp(one_shop: Shop) -> None:
    shop = one_shop
    model = tiny.save_model(shop.folder, "tiny")
    hooks = {
        "early": ("blocks.0.hook_resid_post", None, 0),
        "late": ("blocks.1.hook_resid_post", None, 1),
        "mlp": ("blocks.1.hook_mlp_out", "model.layers.1.mlp", 1),
    }
    for seed, (name, (hook, _, _)) in enumerate(hooks.items()):
        tiny.save_sae(
            shop.folder, name, tensors=tiny.sae_tensors(seed=seed),
            metadata={"hook_name": hook, "hf_hook_name": None},
        )  # fmt: skip
    shop.add_model(model)
    task = shop.add_saes(shop.folder / "saes")
    assert task.results == ("saes/early", "saes/late", "saes/mlp"), task
    run = run_over_rest(shop, model_id="tiny", sae_ids=list(task.results))
    assert [t["sae_id"] for t in run["features"]] == list(task.results)
    for timeline, (name, (hook, module, layer)) in zip(run["features"], hooks.items(), strict=True):
        assert timeline["hook_name"] == hook
        x = plain(model, token_ids(run), module, layer)
        assert_equal_features(timeline, jumprelu(shop.folder / "saes" / name, x))
    request_id = run["request_id"]
    for sae_id in task.results:
        rows, total = shop.container.runs.rows(request_id, RowQuery(sae_id=sae_id, limit=5))
        assert total > 0 and {row.sae_id for row in rows} == {sae_id}
        top = shop.container.runs.top_features(request_id, TopQuery(sae_id=sae_id, n=3))
        assert {feature.sae_id for feature in top} == {sae_id}
