"""Models and SAEs, as a run names them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a run may use."""

    model_id: str
    n_layers: int
    d_model: int
    n_ctx: int
    n_vocab: int
    n_params: int | None
    has_chat_template: bool
    revision: str  # what identifies the weights: hub commit or sha256 of the weight files
    saes: tuple[SaeInfo, ...] = ()
    family: str = ""  # transformers' model_type: llama, gemma2, gpt2, ...
    dtype: str = ""  # of most of its weights on disk, in safetensors' words: F32, BF16, ...
    size_bytes: int = 0  # of its weight files


class Verdict(StrEnum):
    """What a preflight says about a model and an SAE together."""

    GOOD = "good"
    SUSPICIOUS = "suspicious"  # usable, but something is not as it should be
    BROKEN = "broken"  # its numbers mean nothing


def page_on_neuronpedia(neuronpedia_id: str | None) -> str | None:
    """The address there of the SAE called so there."""
    return f"https://neuronpedia.org/{neuronpedia_id}" if neuronpedia_id else None


@dataclass(frozen=True, slots=True)
class SaeInfo:
    """An SAE and the model it is registered for."""

    sae_id: str
    model_id: str  # of this server; where there is none, what `trained_on` says
    hook_name: str
    layer: int
    d_in: int
    d_sae: int
    architecture: str
    revision: str  # sha256 of the weight file
    neuronpedia_id: str | None = None  # as "gpt2-small/6-res-jb"
    trained_on: str = ""  # the model's name as the SAE's publisher gives it
    verdict: Verdict | None = None  # of the newest preflight; None where there is none

    def neuronpedia_url(self, feature_id: int | None = None) -> str | None:
        """Its page, or a feature's, on Neuronpedia; None where the SAE is not known to be there."""
        url = page_on_neuronpedia(self.neuronpedia_id)
        return url if feature_id is None or url is None else f"{url}/{feature_id}"
