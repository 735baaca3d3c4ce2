"""SAEDashboard at the demo model: its NeuronpediaRunner's `run`, with its default settings.

The runner's constructor fetches model, SAE and data set from the Hugging Face Hub; that alone is
replaced by the demo's own. The clock runs from when all of these are loaded until the last
dashboard is on disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from demo_model import Clock, language_model, sparse_autoencoder, task, tokenizer, tokens_of
from sae_dashboard.neuronpedia.neuronpedia_runner import NeuronpediaRunner
from sae_dashboard.neuronpedia.neuronpedia_runner_config import NeuronpediaRunnerConfig
from sae_lens import HookedSAETransformer
from transformer_lens import HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_llama_weights


def main() -> None:
    asked = task()
    tokens, folder = tokens_of(asked), Path(asked["output"])
    config = NeuronpediaRunnerConfig(
        sae_set="demo",
        sae_path=asked["sae"],
        outputs_dir=str(folder),
        from_local_sae=True,
        n_prompts_total=len(tokens),
        n_tokens_in_prompt=tokens.shape[1],
        sae_device="cpu",
        model_device="cpu",
        sae_dtype="float32",
        model_dtype="float32",
    )
    runner = _prepared(config, asked, folder)
    torch.save(tokens, folder / f"tokens_{len(tokens)}.pt")  # where the runner looks for them
    clock = Clock()
    runner.run()
    clock.report(
        tokens.numel(),
        files=len(list(folder.glob("batch-*.json"))),
        features_at_a_time=config.n_features_at_a_time,
        prompts_per_pass=config.n_prompts_in_forward_pass,
    )


def _prepared(config: NeuronpediaRunnerConfig, asked: dict[str, Any], folder: Path) -> Any:
    """What the constructor would make, of local files."""
    runner = NeuronpediaRunner.__new__(NeuronpediaRunner)
    runner.cfg = config
    runner.sae = sparse_autoencoder(asked["sae"])
    runner.sae.fold_W_dec_norm()
    runner.model = _hooked(asked["model"])
    runner.hook_name = runner.sae.cfg.metadata.hook_name
    runner.model_id, runner.layer = "actiscope-demo", int(runner.hook_name.split(".")[1])
    runner.activations_store = None
    runner.np_sae_id_suffix = None
    runner.cached_activations_dir = folder / "cached_activations"
    runner.vocab_dict = runner.get_vocab_dict()
    return runner


def _hooked(folder: str) -> HookedSAETransformer:
    plain = language_model(folder)
    c = plain.config
    config = HookedTransformerConfig(
        d_model=c.hidden_size,
        n_layers=c.num_hidden_layers,
        n_ctx=c.max_position_embeddings,
        d_head=c.head_dim,
        n_heads=c.num_attention_heads,
        n_key_value_heads=c.num_key_value_heads,
        d_mlp=c.intermediate_size,
        d_vocab=c.vocab_size,
        act_fn=c.hidden_act,
        eps=c.rms_norm_eps,
        normalization_type="RMS",
        final_rms=True,
        gated_mlp=True,
        positional_embedding_type="rotary",
        rotary_adjacent_pairs=False,
        rotary_dim=c.head_dim,
        rotary_base=10_000,
        original_architecture="LlamaForCausalLM",
        device="cpu",
    )
    hooked = HookedSAETransformer(config, tokenizer=tokenizer(folder))
    hooked.load_and_process_state_dict(
        convert_llama_weights(plain, config),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    ids = torch.arange(10, 30)[None]
    with torch.no_grad():
        if not torch.allclose(hooked(ids), plain(ids).logits, atol=1e-3):
            raise RuntimeError("the converted model and the original disagree")
    return hooked


if __name__ == "__main__":
    main()
