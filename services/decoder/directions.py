"""What each feature of an SAE writes per unit of its activation, read from disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from services.errors import Conflict
from services.lm.device import memory_guard
from services.lm.weight_files import revision
from services.sae.by_sae_lens import SaeLensSae
from services.sae.config import WEIGHTS
from services.sae.native import read_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from services.sae.catalogue import SaeEntry
    from services.sae.loader import Sae


@dataclass(frozen=True, slots=True)
class Directions:
    """The decoder of an SAE in float32 on its device, in the space of what it writes.

    Scales of the inputs and of the decoder are folded in, as they are in the activations. Where
    an SAE normalises each token's input, the token's own scale is left out.
    """

    unit: Tensor  # [d_sae, d_out], rows of length 1; 0 where the decoder is 0
    norms: Tensor  # [d_sae]
    W_enc: Tensor | None  # [d_in, d_sae]; None where it reads another space than it writes

    def rows(self, chosen: slice) -> Tensor:
        """The directions of some features, as long as they are."""
        return self.unit[chosen] * self.norms[chosen, None]

    @torch.no_grad()
    def encoder_cosines(self, chosen: slice) -> Tensor | None:
        """Cosine of what each of some features reads and writes; 0 where it does neither."""
        if self.W_enc is None:
            return None
        reads = self.W_enc[:, chosen].T.float()
        length = reads.norm(dim=1).clamp(min=torch.finfo(torch.float32).tiny)
        return ((reads * self.unit[chosen]).sum(1) / length).clamp(-1, 1)


@torch.no_grad()
def read_directions(sae: Sae, entry: SaeEntry) -> Directions:
    """The directions of the SAE that is loaded.

    Raises `Conflict` when its file is another one by now, and `ResourceExhausted`.
    """
    with memory_guard(f"for the decoder of {entry.info.sae_id}"):
        W_dec = _decoder(sae, entry)
        norms = W_dec.norm(dim=1)
        W_dec /= torch.where(norms > 0, norms, 1)[:, None]
    config = entry.config
    if config.rescale_acts_by_decoder_norm and config.k is not None:
        # Encoding multiplied the activation by the length: a unit of it writes a unit.
        norms = (norms > 0).to(norms.dtype)
    owner: Any = sae.sae if isinstance(sae, SaeLensSae) else sae
    W_enc = getattr(owner, "W_enc", None)
    if "transcoder" in config.architecture or (W_enc is not None and len(W_enc) != W_dec.shape[1]):
        W_enc = None
    return Directions(W_dec, norms, W_enc)


def _decoder(sae: Sae, entry: SaeEntry) -> Tensor:
    if isinstance(sae, SaeLensSae):
        return sae.sae.W_dec.detach().to(torch.float32, copy=True)
    if revision([entry.path / WEIGHTS], hash_large=True) != sae.info.revision:
        raise Conflict(
            f"the weights of SAE {entry.info.sae_id} have changed since they were loaded: "
            "start again",
            sae_id=entry.info.sae_id,
        )
    # A copy in any case: a mapped file that is replaced would take the process down.
    place = sae.W_enc.device  # type: ignore[attr-defined]
    W_dec = read_tensors(entry.path / WEIGHTS)["W_dec"].to(place, torch.float32, copy=True)
    return W_dec if entry.config.input_scale == 1 else W_dec.div_(entry.config.input_scale)
