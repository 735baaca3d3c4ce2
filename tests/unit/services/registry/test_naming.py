"""Ids from places, and models under several names."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import InvalidArgument
from services.registry.naming import (
    check_id,
    free_id,
    matching_model,
    model_id_of,
    sae_id_of,
    same_model,
    segment,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt2-small", "gpt2"),
        ("gpt2-small", "openai-community/gpt2"),
        ("google/gemma-2-2b", "gemma-2-2b"),
        ("meta-llama/Llama-3.1-8B", "unsloth/Meta-Llama-3.1-8B"),
        ("meta-llama/Llama-2-7b-hf", "llama-2-7b"),
        ("EleutherAI/pythia-70m-deduped", "pythia-70m-deduped"),
        ("mistral-7b", "mistralai/Mistral-7B-v0.1"),
    ],
)
def test_names_of_one_model(one: str, other: str) -> None:
    assert same_model(one, other) and same_model(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("google/gemma-2-2b", "google/gemma-2-2b-it"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"),
        ("pythia-70m", "pythia-70m-deduped"),
        ("gpt2", "gpt2-medium"),
        ("", ""),
        ("", "gpt2"),
    ],
)
def test_names_of_two_models(one: str, other: str) -> None:
    assert not same_model(one, other)


def test_an_exact_name_goes_before_a_similar_one() -> None:
    models = [("copy/gemma-2-2b", ()), ("google/gemma-2-2b", ()), ("mine", ("x/qwen",))]
    assert matching_model("google/gemma-2-2b", models) == "google/gemma-2-2b"
    assert matching_model("gemma-2-2b", models) == "copy/gemma-2-2b"
    assert matching_model("Qwen", models) == "mine"
    assert matching_model("gpt2", models) is None


def test_ids_are_made_of_places(tmp_path: Path) -> None:
    file = tmp_path / "my sae.safetensors"
    file.touch()
    none = {"release": None, "catalogue_id": None, "repo_id": None}
    assert sae_id_of(**none, place=tmp_path / "a b", inner="") == "a-b"
    assert sae_id_of(**none, place=file, inner=file.name) == "my-sae/my-sae"
    assert sae_id_of(**none, place=tmp_path / "x", inner="l1/w16k/params.npz") == "x/l1--w16k"
    hub = none | {"repo_id": "google/gemma-scope-2b-pt-res"}
    made = sae_id_of(**hub, place=tmp_path, inner="layer_12/width_16k/average_l0_82")
    assert made == "gemma-scope-2b-pt-res/layer_12--width_16k--average_l0_82"
    listed = hub | {"release": "gemma-scope", "catalogue_id": "layer_12/width_16k/canonical"}
    made = sae_id_of(**listed, place=tmp_path, inner="x")
    assert made == "gemma-scope/layer_12--width_16k--canonical"
    assert model_id_of("owner/Name_1", None) == "owner/Name_1"
    assert model_id_of(None, Path("/x/.hidden model")) == "hidden-model"
    assert sae_id_of(**none, place=tmp_path / "catalogue", inner="") == "catalogue-2"
    assert sae_id_of(**none, place=tmp_path / "x", inner="preflights") == "x/preflights-2"
    for text in ("", "...", "ä/ö", "-" * 300, "a" * 300):
        check_id(segment(text))


@pytest.mark.parametrize(
    "id",
    [
        "",
        "/",
        "a/",
        "/a",
        "a/b/c",
        ".a",
        "a/.b",
        "a b",
        "a\x00",
        "../a",
        "catalogue",
        "x/preflights",
    ],
)
def test_ids_that_are_none(id: str) -> None:
    with pytest.raises(InvalidArgument):
        check_id(id)


def test_a_free_id_is_free_and_short_enough() -> None:
    assert free_id("a", set()) == "a"
    assert free_id("a", {"a", "a-2"}) == "a-3"
    check_id(free_id("a" * 100, {"a" * 100}))
    long = f"{'o' * 100}/{'a' * 100}"
    assert check_id(free_id(long, {long})).startswith("o" * 100 + "/a")
