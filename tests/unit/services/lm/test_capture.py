"""Hook points: the activations of the named place, in every supported family, in every layer."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from services.errors import InvalidArgument, Unsupported
from services.lm.capture import capture
from services.lm.decode import generate
from services.lm.hooks import offered, resolve
from services.lm.sampling import Sampling
from services.sae.preflight.passes import losses_with, read
from tests import tiny

IDS = [1, *range(20, 50)]


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def family(request, lm):
    """A language model of each family with random gains."""
    model = tiny.causal_lm(request.param, seed=3)
    return replace(lm, model=model, info=replace(lm.info, model_id=request.param))


@pytest.fixture(scope="module")
def hidden(family):
    """What transformers gives as hidden states: [layer][n, d]; the last one is normalised."""
    with torch.no_grad():
        output = family.model(torch.tensor([IDS]), output_hidden_states=True)
    return [state[0] for state in output.hidden_states]


@pytest.mark.parametrize("layer", range(tiny.N_LAYERS))
def test_residual_stream_is_transformers_hidden_states(family, hidden, layer):
    pre, post = f"blocks.{layer}.hook_resid_pre", f"blocks.{layer}.hook_resid_post"
    read = capture(family, IDS, [pre, post])
    assert torch.equal(read[pre], hidden[layer])
    if layer + 1 < tiny.N_LAYERS:
        assert torch.equal(read[post], hidden[layer + 1])
    else:  # transformers applies the final norm here; the residual stream is before it
        norm = {"gpt2": "ln_f", "gpt_neox": "final_layer_norm"}.get(family.info.model_id, "norm")
        with torch.inference_mode():
            normed = family.model.base_model.get_submodule(norm)(read[post])
        torch.testing.assert_close(normed, hidden[-1], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(read[post], hidden[-1], atol=1e-2)


@pytest.mark.parametrize("layer", range(tiny.N_LAYERS))
def test_attention_and_mlp_are_what_is_added_to_the_residual_stream(family, layer):
    names = [f"blocks.{layer}.hook_{n}" for n in ("resid_pre", "attn_out", "mlp_out", "resid_post")]
    pre, attention, mlp, post = capture(family, IDS, names).values()
    torch.testing.assert_close(pre + attention + mlp, post, atol=1e-5, rtol=1e-5)
    if family.info.model_id != "gpt_neox":  # its attention and MLP run side by side
        mid = f"blocks.{layer}.hook_resid_mid"
        middle = capture(family, IDS, [mid])[mid]
        torch.testing.assert_close(pre + attention, middle, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", range(tiny.N_LAYERS))
def test_z_is_what_the_output_projection_of_attention_reads(family, layer):
    names = [f"blocks.{layer}.attn.hook_z", f"blocks.{layer}.hook_attn_out"]
    z, attention = capture(family, IDS, names).values()
    point = resolve(family.model, names[0])
    with torch.no_grad():
        projected = point.module(z)
        if family.info.model_id.startswith("gemma"):
            projected = resolve(family.model, names[1]).module(projected)
    assert point.width == z.shape[1]
    torch.testing.assert_close(projected, attention, atol=1e-5, rtol=1e-5)


def test_module_paths_name_the_same_places(family):
    blocks = {"gpt2": "transformer.h", "gpt_neox": "gpt_neox.layers"}
    path = f"{blocks.get(family.info.model_id, 'model.layers')}.1"
    names = ["blocks.1.hook_resid_pre", f"{path}.input", "blocks.1.hook_resid_post", path]
    before, same_before, after, same_after = capture(family, IDS, names).values()
    assert torch.equal(before, same_before) and torch.equal(after, same_after)


def test_activations_while_decoding_agree_with_the_single_pass(family):
    """fp32, relative to the length of the vectors: 1e-5; the pass also has the last token."""
    name = "blocks.2.hook_resid_post"
    family = replace(family, eos_ids=frozenset())
    seen = []
    handle = resolve(family.model, name).module.register_forward_hook(
        lambda _, __, out: seen.append((out[0] if isinstance(out, tuple) else out)[0].clone())
    )
    try:
        written = generate(family, IDS[:6], Sampling(1, 1, 0), 25, seed=1).token_ids
    finally:
        handle.remove()
    cached, single = torch.cat(seen), capture(family, IDS[:6] + written, [name])[name]
    assert len(single) == len(cached) + 1
    errors = (cached - single[:-1]).norm(dim=-1) / single[:-1].norm(dim=-1)
    assert errors.max() < 1e-5


def test_positions_are_not_shifted(lm):
    name = "blocks.0.hook_resid_pre"
    read = capture(lm, IDS, [name])[name]
    assert torch.equal(read, lm.model.get_input_embeddings().weight[IDS])


def test_nothing_below_the_deepest_hook_point_is_computed_and_no_hook_is_left(lm):
    reached = []
    handles = [
        layer.register_forward_hook(lambda *_, i=i: reached.append(i))
        for i, layer in enumerate(lm.model.model.layers)
    ]
    before = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in lm.model.modules()]
    capture(lm, IDS, ["blocks.1.hook_resid_post", "blocks.0.hook_mlp_out"])
    with pytest.raises(Unsupported):
        capture(lm, IDS, ["blocks.1.hook_resid_post", "blocks.7.hook_resid_post"])
    after = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in lm.model.modules()]
    for handle in handles:
        handle.remove()
    assert reached == [0, 1]
    assert before == after


def test_what_was_captured_outlives_the_pass(lm):
    name = "blocks.1.hook_resid_post"
    first = capture(lm, IDS, [name])[name]
    kept = first.clone()
    capture(lm, IDS[::-1], [name])
    assert torch.equal(first, kept)


@pytest.mark.parametrize(
    "name",
    ["blocks.3.hook_resid_post", "blocks.0.hook_nonsense", "model.layers.9.output", "", ".input"],
)
def test_an_unknown_hook_point_is_answered_with_what_there_is(lm, name):
    with pytest.raises(Unsupported, match=r"blocks\.\{0\.\.2\}\.hook_resid_post"):
        capture(lm, IDS, [name])


def test_parallel_attention_has_nothing_in_the_middle():
    neox = tiny.causal_lm("gpt_neox")
    assert not any("resid_mid" in name for name in offered(neox))
    with pytest.raises(Unsupported):
        resolve(neox, "blocks.0.hook_resid_mid")
    sequential = tiny.causal_lm("gpt_neox", use_parallel_residual=False)
    assert resolve(sequential, "blocks.0.hook_resid_mid").width == tiny.D_MODEL


def test_sequences_longer_than_the_context_are_refused(lm):
    for ids in ([], [1] * (lm.n_ctx + 1)):
        with pytest.raises(InvalidArgument):
            capture(lm, ids, ["blocks.0.hook_resid_pre"])
    assert len(capture(lm, [1] * lm.n_ctx, ["blocks.0.hook_resid_pre"]).popitem()[1]) == lm.n_ctx


class Flat(torch.nn.Module):
    """An MLP that is called by another keyword and works on tokens without their batch."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, states):
        return self.inner(states)


class Caller(torch.nn.Module):
    """What calls it so, in the place of the MLP."""

    def __init__(self, inner):
        super().__init__()
        self.flat = Flat(inner)

    def forward(self, hidden_states):
        return self.flat(states=hidden_states[0])[None]


@pytest.mark.parametrize("side", ["input", "output"])
def test_modules_that_flatten_the_batch_are_read_and_written_over(lm, side):
    """As some experts do; the same numbers as with a module that does not."""
    plain = lm.model
    model = copy.deepcopy(plain)
    model.model.layers[1].mlp = Caller(model.model.layers[1].mlp)
    flat = replace(lm, model=model)
    name = {"input": "mlp.input", "output": "mlp.output"}[side]
    ours, theirs = f"model.layers.1.mlp.flat.{side}", f"model.layers.1.{name}"
    assert torch.equal(capture(flat, IDS, [ours])[ours], capture(lm, IDS, [theirs])[theirs])
    points = (resolve(model, ours), resolve(plain, theirs))
    losses, found = zip(
        *(read(m, IDS, {"x": p}) for m, p in zip((flat, lm), points, strict=True)), strict=True
    )
    assert torch.equal(losses[0], losses[1]) and torch.equal(found[0]["x"], found[1]["x"])
    values = torch.randn(found[0]["x"].shape, generator=torch.Generator().manual_seed(1))
    spliced = [losses_with(m, IDS, p, values, 1) for m, p in zip((flat, lm), points, strict=True)]
    assert torch.equal(*spliced) and not torch.equal(spliced[0], losses[0])
