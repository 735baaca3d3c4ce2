"""Hook points against hooks written by hand and against transformers' hidden states.

The paths below are written down once more on purpose: a slip in the product's table must show.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from services.errors import Unsupported
from services.lm.capture import capture
from services.lm.catalogue import ModelCatalogue
from services.lm.decode import generate
from services.lm.hooks import offered, resolve
from services.lm.loader import load_model
from services.lm.sampling import Sampling
from tests import tiny

IDS = [1, *range(20, 50)]
LAYER = 1
EVERY = {
    "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out",
    "attn.hook_z", "hook_mlp_in", "ln2.hook_normalized", "mlp.hook_in",
}  # fmt: skip
# family: blocks, norm before the MLP, attention, its output projection, and, where a norm comes
# between them and the residual stream, what attention and MLP write
_LLAMA = ("model.layers", "post_attention_layernorm", "self_attn", "self_attn.o_proj", None, None)
_GEMMA = (
    "model.layers", "pre_feedforward_layernorm", "self_attn", "self_attn.o_proj",
    "post_attention_layernorm", "post_feedforward_layernorm",
)  # fmt: skip
TABLE = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma2": _GEMMA,
    "gemma3": _GEMMA,
    "gemma3_seeing": ("model.language_model.layers", *_GEMMA[1:]),
    "gpt2": ("transformer.h", "ln_2", "attn", "attn.c_proj", None, None),
    "gpt_neox": (
        "gpt_neox.layers", "post_attention_layernorm", "attention", "attention.dense", None, None,
    ),
    # Not in the product's table:
    "mixtral": _LLAMA,
    "gemma": _LLAMA,
    "stablelm": _LLAMA,
    "gpt_neo": ("transformer.h", "ln_2", "attn", "attn.attention.out_proj", None, None),
    "gptj": ("transformer.h", "ln_1", "attn", "attn.out_proj", None, None),
    "phi": ("model.layers", "input_layernorm", "self_attn", "self_attn.dense", None, None),
    "cohere": ("model.layers", "input_layernorm", "self_attn", "self_attn.o_proj", None, None),
    "olmo2": (
        "model.layers", None, "self_attn", "self_attn.o_proj",
        "post_attention_layernorm", "post_feedforward_layernorm",
    ),
    "opt": (
        "model.decoder.layers", "final_layer_norm", "self_attn", "self_attn.out_proj", None, "fc2",
    ),
    "bloom": ("transformer.h", None, None, None, None, None),
    "falcon_mamba": ("backbone.layers", None, None, None, None, None),
}  # fmt: skip
PARALLEL = {"gpt_neox", "gptj", "phi", "cohere"}
LACKING = {
    **{name: {"hook_resid_mid"} for name in PARALLEL},
    "cohere": {"hook_resid_mid", "ln2.hook_normalized"},  # its norm is of a kind of its own
    "olmo2": {"ln2.hook_normalized"},  # no norm before the MLP
    "opt": {"hook_mlp_in", "ln2.hook_normalized", "mlp.hook_in"},  # the MLP is no module
    "bloom": EVERY - {"hook_resid_pre", "hook_resid_post"},  # its parts return sums
    "falcon_mamba": EVERY - {"hook_resid_pre", "hook_resid_post"},  # no attention
}

SEEN = [
    ("hook_attn_out", "attn_writes", "after"),
    ("hook_mlp_out", "mlp_writes", "after"),
    ("attn.hook_z", "projection", "before"),
    ("mlp.hook_in", "mlp", "before"),
    ("hook_mlp_in", "norm", "before"),
]


@pytest.fixture(scope="module", params=TABLE)
def family(request, tmp_path_factory):
    """A checkpoint of the family, saved and loaded as the product does."""
    root = tmp_path_factory.mktemp("family")
    tiny.save_model(root, request.param, request.param, seed=3)
    entry = ModelCatalogue([root]).get(request.param)
    return load_model(entry, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def by_hand(family):
    """What goes in and out of the modules of one block, and transformers' hidden states."""
    blocks, norm, attention, projection, attn_writes, mlp_writes = TABLE[family.info.model_id]
    block = family.model.get_submodule(f"{blocks}.{LAYER}")
    paths = {
        "block": "", "norm": norm, "attention": attention, "projection": projection,
        "attn_writes": attn_writes or attention, "mlp": "mlp", "mlp_writes": mlp_writes or "mlp",
    }  # fmt: skip
    seen = SimpleNamespace(before={}, after={}, block=block, norm_path=norm)

    def watch(name):
        def hook(_, args, kwargs, output):
            seen.before[name] = (args[0] if args else kwargs.get("hidden_states")).detach().clone()
            seen.after[name] = (output[0] if isinstance(output, tuple) else output).detach().clone()

        return hook

    handles = [
        block.get_submodule(path).register_forward_hook(watch(name), with_kwargs=True)
        for name, path in paths.items()
        if path == "" or (path and hasattr(block, path.partition(".")[0]))
    ]
    with torch.no_grad():
        output = family.model(torch.tensor([IDS]), output_hidden_states=True, use_cache=False)
    for handle in handles:
        handle.remove()
    if family.info.model_id == "olmo2":  # the MLP reads the residual stream itself
        seen.before["norm"] = seen.before["mlp"]
    seen.hidden = [state[0] for state in output.hidden_states]
    if family.info.model_id == "falcon_mamba":  # leaves out the embedding
        seen.hidden.insert(0, seen.hidden[0])
    return seen


def read(family, hook):
    name = f"blocks.{LAYER}.{hook}"
    return capture(family, IDS, [name])[name]


def has(family, hook):
    return hook not in LACKING.get(family.info.model_id, ())


def same(values, expected, family):
    """The same numbers; experts are added up in an order that may change."""
    tolerance = 1e-5 if family.info.model_id == "mixtral" else 0
    torch.testing.assert_close(values, expected, atol=tolerance, rtol=tolerance)


def rows(tensor):
    return tensor.reshape(len(IDS), -1)


def test_each_family_offers_what_it_has_and_nothing_else(family):
    lacking = LACKING.get(family.info.model_id, set())
    expected = {"hook_embed", *(f"blocks.{{0..2}}.{hook}" for hook in EVERY - lacking)}
    assert set(offered(family.model)) == expected
    for hook in EVERY & lacking:
        with pytest.raises(Unsupported, match="hook_resid_post"):
            resolve(family.model, f"blocks.{LAYER}.{hook}")


def test_the_residual_stream_is_the_hidden_states(family, by_hand):
    same(read(family, "hook_resid_pre"), by_hand.hidden[LAYER], family)
    same(read(family, "hook_resid_post"), by_hand.hidden[LAYER + 1], family)


def test_the_embedding_is_the_tables_row(family):
    table = family.model.get_input_embeddings()
    with torch.no_grad():
        expected = table(torch.tensor(IDS))
    assert torch.equal(capture(family, IDS, ["hook_embed"])["hook_embed"], expected)
    assert resolve(family.model, "hook_embed").width == tiny.D_MODEL


def test_each_point_is_what_the_module_sees(family, by_hand):
    for hook, module, side in SEEN:
        if has(family, hook):
            values = read(family, hook)
            same(values, rows(getattr(by_hand, side)[module]), family)
            assert resolve(family.model, f"blocks.{LAYER}.{hook}").width == values.shape[1]


def test_the_middle_is_the_stream_with_attention_and_without_the_mlp(family, by_hand):
    if not has(family, "hook_resid_mid"):
        return  # see test_each_family_offers
    middle = read(family, "hook_resid_mid")
    attention, mlp = (rows(by_hand.after[n]) for n in ("attn_writes", "mlp_writes"))
    torch.testing.assert_close(middle, by_hand.hidden[LAYER] + attention, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(middle + mlp, by_hand.hidden[LAYER + 1], atol=1e-5, rtol=1e-5)


def test_side_by_side_attention_and_mlp_add_up(family, by_hand):
    if not has(family, "hook_attn_out"):
        return  # see test_each_family_offers
    total = sum(read(family, hook) for hook in ("hook_resid_pre", "hook_attn_out", "hook_mlp_out"))
    torch.testing.assert_close(total, by_hand.hidden[LAYER + 1], atol=1e-5, rtol=1e-5)


def test_the_normalised_residual_has_no_gain_and_no_bias(family, by_hand):
    if not has(family, "ln2.hook_normalized"):
        return  # see test_each_family_offers
    stream = rows(by_hand.before["norm"]).double().numpy()
    norm = by_hand.block.get_submodule(by_hand.norm_path)
    is_layer_norm = isinstance(norm, torch.nn.LayerNorm)
    eps = norm.eps if hasattr(norm, "eps") else norm.variance_epsilon
    if is_layer_norm:
        stream = stream - stream.mean(1, keepdims=True)
    expected = stream / np.sqrt((stream**2).mean(1, keepdims=True) + eps)
    values = read(family, "ln2.hook_normalized")
    np.testing.assert_allclose(values.numpy(), expected, atol=2e-6, rtol=2e-5)
    # ... and with them it is what the MLP reads
    gain = norm.weight.detach() + (1 if family.info.model_id.startswith("gemma") else 0)
    scaled = values * gain + (norm.bias.detach() if is_layer_norm else 0)
    torch.testing.assert_close(scaled, rows(by_hand.after["norm"]), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(values, scaled, atol=0.1)


def test_writing_gives_what_a_plain_pass_over_all_tokens_gives(family):
    """Also where a family keeps no KV cache: greedy tokens equal the argmax of full passes."""
    written = generate(family, IDS[:9], Sampling(0), 6, seed=0).token_ids
    ids = list(IDS[:9])
    with torch.no_grad():
        for _ in written:
            ids.append(
                int(family.model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
            )
    assert written == ids[9:]
    assert family.has_cache == (family.info.model_id != "falcon_mamba")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["phi", "olmo2", "gptj", "opt"])
def test_what_is_found_does_not_depend_on_the_precision(name, dtype):
    model = tiny.causal_lm(name, seed=3)
    assert set(offered(model)) == set(offered(tiny.causal_lm(name, seed=3).to(dtype)))


def test_attention_that_is_scaled_before_it_is_added_is_not_offered():
    """Granite multiplies what attention and MLP return: their outputs are not what is written."""
    names = " ".join(offered(tiny.causal_lm("granite", residual_multiplier=0.22)))
    assert "hook_resid_pre" in names and "attn" not in names and "mlp" not in names
    assert "hook_attn_out" in " ".join(offered(tiny.causal_lm("granite", residual_multiplier=1.0)))


def test_looking_at_a_model_leaves_no_hook_behind():
    model = tiny.causal_lm("phi")
    offered(model)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_paths_of_a_text_model_lead_into_one_that_also_sees():
    seeing = tiny.causal_lm("gemma3_seeing")
    for path in ("model.layers.1.output", "model.layers.1.mlp.down_proj.input"):
        point = resolve(seeing, path)
        inside = path.removeprefix("model.").rpartition(".")[0]
        assert point.module is seeing.model.language_model.get_submodule(inside)
    with pytest.raises(Unsupported):
        resolve(seeing, "model.layers.7.output")
    with pytest.raises(Unsupported):
        resolve(seeing, "model.layers.1.nothing.output")


def test_what_is_no_vector_per_token_is_refused(lm):
    headed = replace(lm, model=tiny.causal_lm("qwen3"))  # normalises each head on its own
    with pytest.raises(Unsupported, match=r"gives \[1, 31, 4, 16\], not one vector"):
        capture(headed, IDS, ["model.layers.0.self_attn.q_norm.output"])
    with pytest.raises(Unsupported, match="does not compute lm_head"):
        capture(lm, IDS, ["lm_head.output"])
