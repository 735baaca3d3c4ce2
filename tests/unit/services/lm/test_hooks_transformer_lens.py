"""The same places as TransformerLens names, and the stated differences to its processed weights."""

from __future__ import annotations

import pytest
import torch

from services.lm.capture import capture
from services.lm.catalogue import ModelCatalogue
from services.lm.hooks import offered
from services.lm.loader import load_model
from tests import tiny

IDS = [1, *range(20, 50)]
TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}
HAVE_LAYER_NORM = {"gpt2", "gpt_neox"}
CENTRED = ("hook_embed", "hook_resid", "hook_attn_out", "hook_mlp_out", "hook_mlp_in")


@pytest.fixture(scope="module", params=["gpt2", "gpt_neox", "llama", "gemma2"])
def family(request, tmp_path_factory):
    """A checkpoint: its name, its folder, and what is captured of it at every hook point."""
    root = tmp_path_factory.mktemp("family")
    folder = tiny.save_model(root, request.param, request.param, seed=3)
    entry = ModelCatalogue([root]).get(request.param)
    lm = load_model(entry, torch.device("cpu"), torch.float32)
    names = [name.replace("{0..2}", "1") for name in offered(lm.model)]
    return request.param, folder, lm.tokenizer, capture(lm, IDS, names)


def by_transformer_lens(family, *, processed):
    from transformer_lens.model_bridge import TransformerBridge

    name, folder, tokenizer, ours = family
    model = tiny.causal_lm(name, seed=3)
    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, tokenizer=tokenizer)
    if processed:
        bridge.enable_compatibility_mode()
    bridge.set_use_hook_mlp_in(True)
    _, cache = bridge.run_with_cache(torch.tensor([IDS]))
    return {hook: cache[hook][0].reshape(len(IDS), -1) for hook in ours}


def test_each_point_is_where_transformer_lens_has_it(family):
    theirs = by_transformer_lens(family, processed=False)
    assert len(theirs) >= 9
    for hook, values in family[3].items():
        torch.testing.assert_close(values, theirs[hook], **TOLERANCE, msg=hook)


def test_processed_weights_differ_as_stated(family):
    theirs = by_transformer_lens(family, processed=True)
    for hook, values in family[3].items():
        expected, point = theirs[hook], hook.removeprefix("blocks.1.")
        if point == "mlp.hook_in":  # gain and bias of the norm have moved behind it
            assert not torch.allclose(values, expected, atol=0.1)
            continue
        if family[0] in HAVE_LAYER_NORM and point.startswith(CENTRED):
            assert not torch.allclose(values, expected, atol=1e-3)
            values = values - values.mean(-1, keepdim=True)
        if family[0] in HAVE_LAYER_NORM and point == "attn.hook_z":  # lacks the value bias
            difference = values - expected
            assert difference[0].abs().max() > 0.1
            expected = expected + difference[0]
        torch.testing.assert_close(values, expected, **TOLERANCE, msg=hook)
