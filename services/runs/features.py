"""The features of a finished sequence: one forward pass, then each SAE on what its hook saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from services.errors import ActiscopeError, as_product_error
from services.runs.catalogue import Catalogue
from services.types import FeatureTimeline, FloatArray, IntArray

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel
    from services.lm.resident import Residents
    from services.sae.loader import Sae

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SaeOutcome:
    """What one SAE gave: its timeline, and per feature the exact maximum and hits.

    `feature_max` and `feature_hits` are [d_sae], over all positions that count; they and the
    provenance are None when the SAE failed.
    """

    timeline: FeatureTimeline
    feature_max: FloatArray | None = None
    feature_hits: IntArray | None = None
    provenance: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One sequence, read once by a model."""

    lm: LanguageModel
    activations: dict[str, Any] | ActiscopeError  # by hook name, [n, d]; or why there are none
    counted: list[bool]
    top_k: int


@dataclass(frozen=True, slots=True)
class FeatureReader:
    """Applies SAEs to sequences that a model reads once."""

    catalogue: Catalogue
    residents: Residents

    def read(
        self,
        lm: LanguageModel,
        sae_ids: Sequence[str],
        token_ids: list[int],
        counted: list[bool],
        top_k: int,
    ) -> list[SaeOutcome]:
        """The features of each SAE, in the order of `sae_ids`.

        An SAE that fails gives a timeline with its reason and does not touch the others.
        `counted` says which positions enter the per-feature summary.
        """
        from services.lm.capture import capture

        saes = {sae_id: _attempt(self._fitting, lm, sae_id) for sae_id in sae_ids}
        hooks = {s.capture_name for s in saes.values() if not isinstance(s, ActiscopeError)}
        activations = _attempt(capture, lm, token_ids, sorted(hooks))
        reading = _Reading(lm, activations, counted, top_k)
        return [self._outcome(reading, sae_id, saes[sae_id]) for sae_id in sae_ids]

    def _fitting(self, lm: LanguageModel, sae_id: str) -> Sae:
        from services.sae.loader import check_fit

        sae = self.residents.sae(sae_id)
        check_fit(lm, sae)
        return sae

    def _outcome(self, reading: _Reading, sae_id: str, sae: Sae | ActiscopeError) -> SaeOutcome:
        if isinstance(sae, ActiscopeError):
            return self._failed(sae_id, reading.top_k, sae)
        if isinstance(reading.activations, ActiscopeError):
            return self._failed(sae_id, reading.top_k, reading.activations)
        outcome = _attempt(self._encoded, reading, sae, reading.activations[sae.capture_name])
        if isinstance(outcome, ActiscopeError):
            return self._failed(sae_id, reading.top_k, outcome)
        return outcome

    def _encoded(self, reading: _Reading, sae: Sae, activations: Any) -> SaeOutcome:
        from services.sae.encode import encode_features

        encoded = encode_features(sae, activations, reading.top_k, reading.counted)
        timeline = FeatureTimeline(
            sae_id=sae.info.sae_id,
            hook_name=sae.info.hook_name,
            layer=sae.info.layer,
            top_k=reading.top_k,
            feature_ids=encoded.feature_ids,
            activations=encoded.activations,
            l0=encoded.l0,
        )
        provenance = self._provenance(reading.lm, sae)
        return SaeOutcome(timeline, encoded.feature_max, encoded.feature_hits, provenance)

    def _provenance(self, lm: LanguageModel, sae: Sae) -> dict[str, Any]:
        """What is needed to compute the same with plain transformers and sae-lens."""
        from services.lm.hooks import resolve

        entry = self.catalogue.sae_entry(sae.info.sae_id)
        point = resolve(lm.model, sae.capture_name)
        names = {id(module): name for name, module in lm.model.named_modules()}
        return {
            "sae_id": sae.info.sae_id,
            "revision": sae.info.revision,
            "architecture": sae.info.architecture,
            "d_sae": sae.info.d_sae,
            "verdict": self.catalogue.sae(sae.info.sae_id).verdict,
            "hook_name": sae.info.hook_name,
            "path": str(entry.path),
            "module": names[id(point.module)],
            "side": point.side,
            "norm": asdict(point.norm) if point.norm else None,
            "centres_input": entry.config.centres_input,
            "input_scale": entry.config.input_scale,
        }

    def _failed(self, sae_id: str, top_k: int, error: ActiscopeError) -> SaeOutcome:
        info = _attempt(self.catalogue.sae, sae_id)
        # An error here: deleted since the run was accepted.
        place = ("unknown", 0) if isinstance(info, ActiscopeError) else (info.hook_name, info.layer)
        timeline = FeatureTimeline(
            sae_id=sae_id,
            hook_name=place[0],
            layer=place[1],
            top_k=top_k,
            feature_ids=np.zeros((0, top_k), np.int32),
            activations=np.zeros((0, top_k), np.float32),
            l0=np.zeros(0, np.int32),
            error=error.message,
        )
        return SaeOutcome(timeline)


def _attempt(work: Callable[..., T], *arguments: Any) -> T | ActiscopeError:
    """The result, or the error as a value: one SAE's failure is a reason, not the run's end."""
    try:
        return work(*arguments)
    except Exception as error:
        return as_product_error(error)
