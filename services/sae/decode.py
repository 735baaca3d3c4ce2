"""From features back to activations: what an SAE makes of what it read.

Decoding is needed to measure an SAE, not to read features: the decoder comes from disk for the
measurement and is let go afterwards. The reconstruction lives in the space of the hook: run-time
norms, a scale of the inputs and centring are undone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from services.lm.weight_files import read_json
from services.sae.by_sae_lens import SaeLensSae
from services.sae.config import CONFIG, WEIGHTS, SaeConfig
from services.sae.native import read_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from services.sae.catalogue import SaeEntry
    from services.sae.loader import Sae


class Decoder(Protocol):
    """Reconstructs activations; `weights` are as on disk, by the names of the tensors."""

    @property
    def target(self) -> str | None:
        """Hook name of what is reconstructed; None for a transcoder that does not say."""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """All tensors of the SAE's file."""

    def reconstruct(self, x: Tensor, features: Tensor) -> Tensor:
        """x' [n, d_out] in float32 from `x` [n, d_in] and `features` [n, d_sae], its encoding."""


def load_decoder(sae: Sae, entry: SaeEntry) -> Decoder:
    """The decoder of `sae`, on the device and in the dtype of its encoder.

    Raises `Unsupported` that names the file and what is wrong with it.
    """
    weights = read_tensors(entry.path / WEIGHTS)
    target = target_of(entry)
    if isinstance(sae, SaeLensSae):
        return _SaeLensDecoder(target, weights, sae)
    place = _placement(sae)
    scale = entry.config.input_scale

    def placed(name: str, by: float = 1.0) -> Tensor:
        # One copy in any case: a mapped file that is replaced would take the process down.
        tensor = weights[name].to(*place, copy=True)
        return tensor if by == 1 else tensor.div_(by)

    W_dec = placed("W_dec", scale)
    is_measured = entry.config.rescale_acts_by_decoder_norm and entry.config.k is not None
    return _NativeDecoder(
        target=target,
        weights=weights,
        config=entry.config,
        W_dec=W_dec,
        b_dec=placed("b_dec", scale),
        W_skip=placed("W_skip") if "skip" in entry.config.architecture else None,
        decoder_norm=W_dec.norm(dim=-1) if is_measured else None,
    )


def target_of(entry: SaeEntry) -> str | None:
    """The hook name whose activations the SAE reconstructs; a transcoder's is its output hook.

    None where it is not known, and where no place has what comes out: a layer of a cross-layer
    transcoder writes to many, and its decoders are summed.
    """
    if "transcoder" not in entry.config.architecture:
        return entry.capture_name
    meta = metadata(entry)
    if meta.get("decoder_is_summed"):
        return None
    name = meta.get("hf_hook_name_out") or meta.get("hook_name_out")
    return str(name) if name else None


def metadata(entry: SaeEntry) -> dict[str, Any]:
    """What `cfg.json` says beside the sizes; older files keep it on the top level."""
    cfg = read_json(entry.path / CONFIG)
    meta = cfg.get("metadata")
    return {**cfg, **meta} if isinstance(meta, dict) else cfg


def _placement(sae: Any) -> tuple[torch.device, torch.dtype]:
    return sae.W_enc.device, sae.W_enc.dtype


@dataclass(frozen=True, slots=True)
class _NativeDecoder:
    target: str | None
    weights: Mapping[str, Tensor]
    config: SaeConfig
    W_dec: Tensor
    b_dec: Tensor
    W_skip: Tensor | None  # [d_out, d_in], from the unnormalised input
    decoder_norm: Tensor | None  # [d_sae], by which encoding scaled the features

    @torch.inference_mode()
    def reconstruct(self, x: Tensor, features: Tensor) -> Tensor:
        """x' [n, d_out] in float32 from `x` [n, d_in] and `features` [n, d_sae]."""
        features = features.to(self.W_dec.device, self.W_dec.dtype)
        x = x.to(self.W_dec.device, self.W_dec.dtype)
        if self.decoder_norm is not None:
            features = features / self.decoder_norm
        y = torch.addmm(self.b_dec, features, self.W_dec)
        if self.W_skip is not None:
            y = y + x @ self.W_skip.T
        # What a transcoder writes lies in another space than what it reads.
        return (y if "transcoder" in self.config.architecture else self._unnormalised(x, y)).float()

    def _unnormalised(self, x: Tensor, y: Tensor) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        centred = x - mean if self.config.centres_input else x
        if self.config.normalize_activations == "layer_norm":
            centre = centred.mean(-1, keepdim=True)
            y = y * ((centred - centre).std(-1, keepdim=True) + 1e-5) + centre
        if self.config.normalize_activations == "constant_norm_rescale":
            y = y * (centred.norm(dim=-1, keepdim=True) / self.config.d_in**0.5)
        return y + mean if self.config.centres_input else y


@dataclass(frozen=True, slots=True)
class _SaeLensDecoder:
    target: str | None
    weights: Mapping[str, Tensor]
    owner: SaeLensSae

    @torch.inference_mode()
    def reconstruct(self, x: Tensor, features: Tensor) -> Tensor:
        """x' [n, d_in] in float32 from `x` [n, d_in] and `features` [n, d_sae]."""
        sae = self.owner.sae
        x = x.to(sae.device, sae.dtype)
        mean = x.mean(-1, keepdim=True) if self.owner.config.centres_input else 0
        centred = (x - mean).unsqueeze(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.owner.config.architecture == "temporal":
                # Its features are only what is new; what it predicts belongs to the rest.
                y = sae(centred)[0]
            else:
                if sae.cfg.normalize_activations != "none":
                    sae.encode(centred)  # keeps the norms that decoding undoes
                y = sae.decode(features.to(sae.device, sae.dtype).unsqueeze(0))[0]
        return (y + mean).float()
