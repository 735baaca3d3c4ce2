"""The way to the residual stream, against what a step at the hook point does to that stream."""

from __future__ import annotations

import pytest
import torch

from services.decoder.routes import find_route
from services.errors import Unsupported
from services.lm.capture import capture, register
from services.lm.hooks import resolve
from tests import tiny

IDS = [1, *range(20, 32)]
FAMILIES = (*tiny.FAMILIES, "olmo2", "phi")
PARALLEL = ("phi", "gpt_neox")
STEP = 1e-2
# Modules whose output passes a norm before it is added.
_NORMED = ["model.layers.1.self_attn.o_proj.output", "model.layers.1.mlp.output"]
UNWRITTEN = ["blocks.1.mlp.hook_in", "blocks.1.ln2.hook_normalized"]


@pytest.fixture(scope="module", params=FAMILIES)
def lm(request):
    return tiny.language_model(request.param, seed=5)


def stepped(lm, hook, direction, read):
    """The values at `read` for the last token when `direction` is added there to those at `hook`,
    less those when it is taken away, per step."""
    point, found = resolve(lm.model, hook), []

    for sign in (1, -1):

        def act(values, sign=sign):
            values = values.clone()
            values[:, -1] += sign * STEP * direction
            return values

        handle = register(point, act)
        try:
            found.append(capture(lm, IDS, [read])[read][-1].double())
        finally:
            handle.remove()
    return (found[0] - found[1]) / (2 * STEP)


def random_direction(width):
    return torch.randn(width, generator=torch.Generator().manual_seed(7))


def routed(lm, hook, direction):
    with torch.no_grad():
        return find_route(lm, hook)(direction[None])[0].double()


def test_places_of_the_residual_stream_are_there_already(lm):
    direction = random_direction(tiny.D_MODEL)
    for hook in ("hook_resid_pre", "hook_resid_post"):
        route = find_route(lm, f"blocks.1.{hook}")
        assert torch.equal(route(direction[None])[0], direction)
        assert route.width == tiny.D_MODEL


def test_what_is_added_arrives_as_it_is(lm):
    """Attention's in the middle; behind the block what the MLP writes, too."""
    direction = random_direction(tiny.D_MODEL)
    places = {"hook_mlp_out": "hook_resid_post", "hook_attn_out": "hook_resid_mid"}
    if lm.info.model_id in PARALLEL:
        places = dict.fromkeys(places, "hook_resid_post")
    for hook, place in places.items():
        effect = stepped(lm, f"blocks.1.{hook}", direction, f"blocks.1.{place}")
        ours = routed(lm, f"blocks.1.{hook}", direction)
        torch.testing.assert_close(ours, effect, atol=1e-3, rtol=1e-3)


def test_heads_go_through_their_matrix(lm):
    hook = "blocks.1.attn.hook_z"
    width = resolve(lm.model, hook).width
    place = "hook_resid_post" if lm.info.model_id in PARALLEL else "hook_resid_mid"
    step, scale = unnormed(lm, hook, width, "blocks.1.hook_attn_out")
    effect = stepped(lm, hook, step, f"blocks.1.{place}") * scale
    torch.testing.assert_close(routed(lm, hook, step), effect, atol=2e-3, rtol=2e-3)


def test_a_norm_behind_attention_and_mlp_gives_its_gain(lm):
    if lm.info.model_id not in ("gemma2", "gemma3", "olmo2"):
        return
    for hook, added in zip(_NORMED, ("hook_attn_out", "hook_mlp_out"), strict=True):
        step, scale = unnormed(lm, hook, tiny.D_MODEL, f"blocks.1.{added}")
        effect = stepped(lm, hook, step, f"blocks.1.{added}") * scale
        torch.testing.assert_close(routed(lm, hook, step), effect, atol=2e-3, rtol=2e-3)
        assert "gain" in find_route(lm, hook).words


def unnormed(lm, hook, width, added):
    """A direction that leaves the size of what `added`'s norm reads as it is, and that size; any
    direction and 1 where there is no such norm."""
    module = resolve(lm.model, added).module
    if "Norm" not in type(module).__name__:
        return random_direction(width), 1.0
    path = next(name for name, m in lm.model.named_modules() if m is module)
    before = capture(lm, IDS, [f"{path}.input"])[f"{path}.input"][-1].double()
    generator = torch.Generator().manual_seed(8)
    a, b = (torch.randn(width, generator=generator) for _ in range(2))
    along = [stepped(lm, hook, d, f"{path}.input") @ before for d in (a, b)]
    direction = a - b * float(along[0] / along[1])
    return direction / direction.norm(), before.pow(2).mean().sqrt()


def test_the_embedding_is_in_the_stream_also_with_places_added():
    direction = random_direction(tiny.D_MODEL)
    for family in ("llama", "gpt2", "gemma2"):
        lm = tiny.language_model(family, seed=5)
        assert torch.equal(routed(lm, "hook_embed", direction).float(), direction)


def test_an_embedding_that_is_normalised_first_is_refused():
    with pytest.raises(Unsupported, match="hook_embed"):
        find_route(tiny.language_model("bloom", seed=5), "hook_embed")


@pytest.mark.parametrize("hook", UNWRITTEN)
def test_what_is_only_read_is_refused(hook):
    with pytest.raises(Unsupported, match=f"what is written at {hook}"):
        find_route(tiny.language_model("llama", seed=5), hook)


def test_neurons_go_through_the_matrix_behind_them():
    lm = tiny.language_model("llama", seed=5)
    hook = "model.layers.1.mlp.down_proj.input"
    step = random_direction(128)
    effect = stepped(lm, hook, step, "blocks.1.hook_resid_post")
    torch.testing.assert_close(routed(lm, hook, step), effect, atol=1e-3, rtol=1e-3)


def test_the_other_vocabulary_leads_to_the_same_place():
    lm = tiny.language_model("gpt2", seed=5)
    direction = random_direction(tiny.D_MODEL)
    a = routed(lm, "blocks.1.attn.hook_z", direction)
    assert torch.equal(a, routed(lm, "transformer.h.1.attn.c_proj.input", direction))


def test_half_precision_finds_the_same_way():
    lm = tiny.language_model("gemma2", torch.bfloat16, seed=5)
    for hook in ("hook_resid_mid", "hook_attn_out", "hook_mlp_out", "attn.hook_z"):
        find_route(lm, f"blocks.1.{hook}")
