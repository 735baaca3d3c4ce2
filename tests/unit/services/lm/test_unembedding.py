"""The way from the residual stream to the logits, against the logits of the model itself."""

from __future__ import annotations

import pytest
import torch

from services.errors import Unsupported
from services.lm.unembedding import find_unembedding
from tests import tiny

IDS = torch.tensor([[1, *range(20, 40)]])
EXTRA = ("gemma3_seeing", "gptj", "phi", "cohere", "olmo2", "olmo", "granite", "opt", "bloom",
         "falcon_mamba")  # fmt: skip
OPTIONS = {
    "granite": {"logits_scaling": 3.0},
    "gemma2": {"final_logit_softcapping": 5.0},
    "gemma3_untied": {"tie_word_embeddings": False},
}


def made(family, dtype=torch.float32):
    options = OPTIONS.get(family, {})
    return tiny.language_model(family.removesuffix("_untied"), dtype, seed=4, **options)


@pytest.fixture(scope="module", params=(*tiny.FAMILIES, "gemma3_untied", *EXTRA))
def lm(request):
    return made(request.param)


def logits_of(lm, residual):
    """The model's own logits when `residual` [n, d] is what its last block writes."""
    blocks = max(
        (m for m in lm.model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 3),
        key=lambda m: sum(p.numel() for p in m.parameters()),
    )

    def put(module, args, output):
        new = residual[None]
        return (new, *output[1:]) if isinstance(output, tuple) else new

    handle = blocks[-1].register_forward_hook(put)
    try:
        ids = torch.arange(3, 3 + len(residual))[None]
        return lm.model(input_ids=ids, use_cache=False).logits[0]
    finally:
        handle.remove()


def norm_scale(found, residual):
    """1 / the size that the final norm divides by, per row."""
    if found.norm is None:
        return torch.ones(len(residual), 1)
    x = residual - residual.mean(-1, keepdim=True) if found.norm.is_centred else residual
    return x.pow(2).mean(-1, keepdim=True).rsqrt()


def bias_of(lm, found):
    """The logits of a residual whose normalised values are 0: the bias of norm and unembedding."""
    tiny_one = torch.full((1, found.W_U.shape[1]), 1e-30)
    return logits_of(lm, tiny_one)


def uncapped(logits, found):
    cap = found.softcapping
    return logits if cap is None else cap * torch.atanh(logits.double() / cap)


def test_norm_then_unembedding_of_a_residual_gives_the_models_logits(lm):
    found = find_unembedding(lm)
    residual = torch.randn(6, found.W_U.shape[1], generator=torch.Generator().manual_seed(1)) * 3
    with torch.no_grad():
        ours = (found.read(residual) * norm_scale(found, residual)) @ found.W_U.float().T
        theirs = uncapped(logits_of(lm, residual), found) - uncapped(bias_of(lm, found), found)
    torch.testing.assert_close(ours.double(), theirs.double(), atol=2e-3, rtol=2e-3)


def test_logit_weights_are_the_derivative_with_the_norms_scale_frozen(lm):
    """d logit / d residual along a direction, less what comes through the norm's own size."""
    found = find_unembedding(lm)
    generator = torch.Generator().manual_seed(2)
    direction = torch.randn(1, found.W_U.shape[1], generator=generator)
    residual = torch.randn(1, found.W_U.shape[1], generator=generator)
    centred = direction - direction.mean() if found.norm and found.norm.is_centred else direction
    x = residual - residual.mean() if found.norm and found.norm.is_centred else residual
    # At right angles to the residual a step leaves the norm's size as it is.
    direction = direction - x * (centred * x).sum() / (x * x).sum()
    step = 1e-2
    with torch.no_grad():
        more = uncapped(logits_of(lm, residual + step * direction), found).double()
        less = uncapped(logits_of(lm, residual - step * direction), found).double()
        slope = (more - less) / (2 * step) / norm_scale(found, residual)
        weights = found.read(direction) @ found.W_U.float().T
    torch.testing.assert_close(weights.double(), slope.double(), atol=1e-2, rtol=1e-2)


def test_scales_and_softcapping_are_those_of_the_configuration(lm):
    found, config = find_unembedding(lm), lm.model.config.get_text_config(decoder=True)
    assert found.softcapping == getattr(config, "final_logit_softcapping", None)
    if config.model_type == "granite":
        assert found.scale == pytest.approx(1 / 3)
    elif config.model_type == "cohere":
        assert found.scale == pytest.approx(config.logit_scale)
    else:
        assert found.scale == 1


def test_the_models_own_weights_are_used_and_not_copied(lm):
    assert find_unembedding(lm).W_U is lm.model.get_output_embeddings().weight


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "cohere"])
def test_half_precision_is_understood_as_well(family):
    a, b = find_unembedding(made(family)), find_unembedding(made(family, torch.bfloat16))
    assert (a.norm is None, a.norm.is_centred) == (b.norm is None, b.norm.is_centred)
    torch.testing.assert_close(a.norm.gain, b.norm.gain, atol=0.02, rtol=0.02)
    assert b.scale == pytest.approx(a.scale, rel=0.02)


def test_a_model_without_an_unembedding_says_so():
    lm = made("llama")
    lm.model.get_output_embeddings = lambda: None
    with pytest.raises(Unsupported, match="no unembedding matrix"):
        find_unembedding(lm)
