"""Memory that runs out is told as such wherever it happens; a decoder takes no more than it needs.

And a cross-layer transcoder's layer, of which no reconstruction can be judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from services.errors import ResourceExhausted
from services.lm.language_model import LanguageModel
from services.sae.catalogue import SaeCatalogue
from services.sae.decode import load_decoder
from services.sae.loader import load_sae
from services.sae.preflight import preflight
from tests import tiny
from tests.integration.engine.demo_pairs import CPU, SAES, codes, demo_model, measured, shipped
from tests.sae_layouts import cross_layer_transcoder


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return demo_model()


class Greedy:
    """An SAE for which memory runs out: when it is asked for its weights, or after some texts."""

    def __init__(self, sae: Any, after: int) -> None:
        self._sae, self._left = sae, after

    def __getattr__(self, name: str) -> Any:
        if name == "W_enc" and self._left == 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return getattr(self._sae, name)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        if self._left == 1:
            raise MemoryError
        self._left -= 1
        return self._sae.encode(x)


@pytest.mark.parametrize("after", [0, 1, 3])  # the decoder; the first text; the trials
def test_memory_that_runs_out_is_told_wherever_it_happens(lm: LanguageModel, after: int) -> None:
    entry = shipped(SAES[0])
    with pytest.raises(ResourceExhausted, match="to measure the SAE"):
        preflight(lm, Greedy(load_sae(entry, CPU, threads=1), after), entry, max_tokens=512)


class Copies(TorchDispatchMode):
    """The shapes of all that is copied or computed anew."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (
            torch.ops.aten._to_copy,
            torch.ops.aten.clone,
            torch.ops.aten.div,
        ):
            self.shapes.append(tuple(result.shape))
        return result


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_decoder_is_copied_once_and_the_encoder_not_again(
    tmp_path: Any, scale: float, dtype: torch.dtype
) -> None:
    scaled = {"normalize_activations": "expected_average_only_in", "norm_scaling_factor": scale}
    tiny.save_sae(tmp_path, "one", "standard", **scaled)
    entry = SaeCatalogue([tmp_path]).get("one")
    sae, copies = load_sae(entry, CPU, dtype), Copies()
    with copies:
        decoder: Any = load_decoder(sae, entry)
    shape = (entry.config.d_sae, entry.config.d_in)
    assert copies.shapes.count(shape) == 1
    assert shape[::-1] not in copies.shapes
    expected = (torch.as_tensor(tiny.sae_tensors()["W_dec"]).to(dtype) / scale).float()
    torch.testing.assert_close(decoder.W_dec.float(), expected)


@pytest.fixture
def summed(tmp_path: Any) -> Iterator[Any]:
    """A transcoder of the demo's width, once summed over layers and once not."""
    t = tiny.sae_tensors(d_in=256, d_sae=512)
    meta = {
        "model_name": "actiscope-demo", "hf_hook_name": "model.layers.1.mlp.input",
        "hook_name_out": "blocks.1.hook_mlp_out",
    }  # fmt: skip
    tiny.save_sae(tmp_path, "one-layer", "transcoder", t, meta, d_out=256)
    tiny.save_sae(
        tmp_path, "summed", "transcoder", t, {**meta, "decoder_is_summed": True}, d_out=256
    )
    yield SaeCatalogue([tmp_path])


def test_what_a_summed_decoder_gives_is_not_judged(lm: LanguageModel, summed: Any) -> None:
    single, report = (measured(lm, summed.get(id)) for id in ("one-layer", "summed"))
    assert single.metrics["explained_variance"] is not None
    (finding,) = [f for f in report.findings if f.code == "not_measured"]
    assert "cross-layer" in finding.message
    assert "not_reconstructing" in codes(single) and "not_reconstructing" not in codes(report)
    for name in ("explained_variance", "fvu", "ce_spliced", "loss_recovered", "norm_ratio"):
        assert report.metrics[name] is None
    assert report.metrics["l0"] == single.metrics["l0"]
    assert "summed" in report.conditions["reconstructed_at"]


def test_a_cross_layer_transcoder_says_so_after_it_was_added_twice(tmp_path: Any) -> None:
    from services.sae.decode import target_of
    from services.sae.formats import Hints, convert, look

    made = cross_layer_transcoder(tmp_path)
    place = made.path
    for name in ("once", "twice"):
        (found,) = look(place, Hints(made.origin)).found
        place = tmp_path / "home" / "saes" / name
        convert(found, place, model_name="tiny")
        assert target_of(SaeCatalogue([tmp_path / "home"]).get(name)) is None
