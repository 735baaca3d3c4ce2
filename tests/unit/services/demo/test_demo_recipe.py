"""The recipe from text to model card, at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.demo import build
from services.demo.card import front_matter


@pytest.mark.slow
def test_the_recipe_runs_end_to_end_at_toy_size(tmp_path: Path) -> None:
    build.main(["--toy", "--out", str(tmp_path)])

    card = front_matter((tmp_path / "README.md").read_text("utf-8"))
    assert card["training"]["steps"] == build.TOY.model.steps
    assert set(card["saes"]) == {"demo-l0-res"}
    assert {p.name for p in (tmp_path / "models" / "actiscope-demo").iterdir()} >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "generation_config.json",
    }
    assert (tmp_path / "NOTICE").exists()


def test_options_change_only_what_they_name(tmp_path: Path) -> None:
    arguments = build._arguments(
        ["--out", str(tmp_path), "--steps", "7", "--minutes", "2", "--sae-tokens", "9000"]
    )
    recipe = build._recipe(arguments)
    assert (recipe.model.steps, recipe.model.time_limit_s) == (7, 120)
    assert {sae.n_tokens for sae in recipe.saes} == {9000}
    assert recipe.model.d_model == build.FULL.model.d_model
