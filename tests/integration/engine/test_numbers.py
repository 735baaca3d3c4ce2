"""From a prompt to features, against transformers and sae-lens used plainly; no GPU needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.lm.capture import capture
from services.lm.catalogue import ModelCatalogue
from services.lm.decode import generate
from services.lm.prompts import render
from services.lm.resident import Residents
from services.lm.sampling import Sampling
from services.lm.tokens import decode_text, token_bytes
from services.sae.catalogue import SaeCatalogue
from services.sae.encode import encode_features
from services.sae.loader import check_fit
from tests import tiny
from tests.integration.engine.reference import reference_features

DEMO = Path(__file__).parents[3] / "services/demo/artefacts"


def tiny_roots(folder: Path) -> Path:
    tiny.save_model(folder, "tiny")
    tiny.save_sae(folder, "a")
    meta = {"hook_name": "blocks.0.hook_resid_post", "hf_hook_name": None}
    tiny.save_sae(folder, "b", "topk", tiny.sae_tensors(seed=5), meta, k=30)
    return folder


@pytest.fixture(scope="module", params=["tiny", "demo"])
def run(request, tmp_path_factory):
    """One run through the engine: what was read, written and encoded, by SAE id."""
    root = DEMO if request.param == "demo" else tiny_roots(tmp_path_factory.mktemp("home"))
    if request.param == "demo" and not (DEMO / "models").is_dir():
        pytest.skip("the demo's artefacts are not built")
    models, saes = ModelCatalogue([root]), SaeCatalogue([root])
    residents = Residents(models, saes, device="cpu")
    lm = residents.model(models.list()[0].info.model_id)
    prompt = render(lm, "Tell me a story about a fox. 😀")
    written = generate(lm, prompt.token_ids, Sampling(0.7, 0.95), 60, seed=7)
    loaded = [residents.sae(entry.info.sae_id) for entry in saes.list(lm.info.model_id)]
    ids = prompt.token_ids + written.token_ids
    counted = [not s for s in prompt.is_special]
    counted += [id not in lm.special_ids for id in written.token_ids]
    activations = capture(lm, ids, [sae.capture_name for sae in loaded])
    encoded = {}
    for sae in loaded:
        check_fit(lm, sae)
        encoded[sae.info.sae_id] = encode_features(sae, activations[sae.capture_name], 20, counted)
    return models, saes, lm, ids, counted, encoded


def expected_features(run, sae_id):
    models, saes, lm, ids, *_ = run
    entry = saes.get(sae_id)
    return reference_features(models.get(lm.info.model_id).path, entry.path, ids, entry.info.layer)


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return np.allclose(a, b, atol=2e-3, rtol=1e-4)


def test_features_are_those_of_transformers_and_sae_lens_position_by_position(run):
    for sae_id, encoded in run[-1].items():
        expected = expected_features(run, sae_id)
        assert encoded.l0.tolist() == (expected != 0).sum(1).tolist()
        for row, (ids, values) in enumerate(
            zip(encoded.feature_ids, encoded.activations, strict=True)
        ):
            kept = ids >= 0
            assert close(values[kept], expected[row, ids[kept]])
            strongest = np.sort(np.abs(expected[row]))[::-1][: kept.sum()]
            assert close(np.abs(values[kept]), strongest)


def test_a_shift_by_one_position_would_be_noticed(run):
    for sae_id, encoded in run[-1].items():
        expected = expected_features(run, sae_id)
        best, value = encoded.feature_ids[:, 0], encoded.activations[:, 0]
        rows = np.arange(1, len(best))
        assert close(value[1:], expected[rows, best[1:]])
        assert not close(value[1:], expected[rows - 1, best[1:]])


def test_summaries_leave_special_and_template_tokens_out_and_miss_nothing_else(run):
    *_, counted, encodings = run
    for sae_id, encoded in encodings.items():
        expected = expected_features(run, sae_id)
        words = expected[np.array(counted)]
        assert 0 < len(words) < len(expected)
        assert encoded.feature_hits.tolist() == (words != 0).sum(0).tolist()
        assert close(encoded.feature_max, words.max(0))
        assert not close(encoded.feature_max, expected.max(0))


def test_the_tokens_spell_what_was_read_and_written(run):
    _, _, lm, ids, *_ = run
    rendered = render(lm, "Tell me a story about a fox. 😀")
    n = len(rendered.token_ids)
    assert b"".join(token_bytes(lm.tokenizer, ids[:n])).decode() == rendered.text
    assert decode_text(lm.tokenizer, ids[n:]) == lm.tokenizer.decode(
        ids[n:], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
