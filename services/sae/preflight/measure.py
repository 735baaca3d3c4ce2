"""Reading the text with the model and summing up what the SAE makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from services.errors import Unsupported
from services.lm.device import use_threads
from services.sae.preflight.curves import Curves, feature_curves, output_curves
from services.sae.preflight.evidence import broken
from services.sae.preflight.passes import losses_with, read
from services.sae.preflight.sums import Groups, Sums
from services.sae.preflight.text import Windows
from services.sae.preflight.trials import SAMPLE

if TYPE_CHECKING:
    from torch import Tensor

    from services.lm.hooks import HookPoint
    from services.lm.language_model import LanguageModel
    from services.sae.decode import Decoder
    from services.sae.loader import Sae
    from services.types import Finding

_STRETCHES = 32  # of positions, for the error by position
_SMALL_PARAMS = 50_000_000
_CE_MIN = 0.05  # nats that zeros must cost before a share of them can be recovered


@dataclass(frozen=True, slots=True)
class Points:
    """Where to read and write; `others` are pairs (read, reconstructed) of other layers."""

    source: HookPoint
    target: HookPoint | None  # None: what it reconstructs is not known or not in this model
    others: dict[int, tuple[HookPoint, HookPoint]] = field(default_factory=dict)

    @property
    def can_splice(self) -> bool:
        """Whether the target is a place in the model, not something computed from one."""
        return self.target is not None and self.target.norm is None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the passes gave; `sample` holds (x, y) of the SAE's own layer, None, and of others."""

    metrics: dict[str, float | None]
    curves: Curves
    n_counted: int
    problem: Finding | None  # measuring ended there
    sample: dict[int | None, tuple[Tensor, Tensor]]
    by_stretch: tuple[tuple[int, float], ...]  # first position of a stretch and its FVU


class Measurement:
    """Window after window; `result` at any time."""

    def __init__(
        self, lm: LanguageModel, sae: Sae, decoder: Decoder, points: Points, windows: Windows
    ) -> None:
        self._lm, self._sae, self._decoder = lm, sae, decoder
        self._points, self._windows = points, windows
        self._bucket_of = np.arange(windows.length) * _STRETCHES // max(windows.length, 1)
        self._sums: Sums | None = None
        self._losses: dict[str, list[Tensor]] = {"model": [], "spliced": [], "zero": []}
        self._sample: dict[int | None, list[tuple[Tensor, Tensor]]] = {}
        self._problem: Finding | None = None

    def run(self, progress: Callable[[int, int], None], should_stop: Callable[[], bool]) -> bool:
        """Read all windows; False when told to stop."""
        done = 0
        for number, ids in enumerate(self._windows.rows):
            if should_stop():
                return False
            progress(done, self._windows.n_tokens)
            use_threads(_threads(self._lm))
            self._read(number, ids)
            if self._problem is not None:
                break
            done += len(ids)
        progress(done, self._windows.n_tokens)
        return not should_stop()

    def _read(self, number: int, ids: Sequence[int]) -> None:
        try:
            losses, found = read(self._lm, ids, self._named())
        except Unsupported as error:  # what is computed there is no vector for each token
            self._problem = broken("no_hook", error.message, "give the hook name of its training")
            return
        x, y = found["x"], found.get("y", found["x"])
        self._problem = self._width_problem(x, self._sae.info.d_in, "reads")
        if self._problem is not None:
            return
        features = self._sae.encode(x)
        made = None
        if self._points.target is not None:
            made = self._decoder.reconstruct(x, features).to(y.device)
            self._problem = self._width_problem(y, made.shape[1], "writes")
        self._problem = self._problem or _not_finite(x, y, features, made)
        if self._problem is not None:
            return
        keep = self._counted(ids)
        self._sum_up(number, keep, x, features, y, made)
        self._keep_sample(found, keep)
        self._keep_losses("model", losses, keep)
        if made is not None and self._points.can_splice:
            self._splice(ids, keep, made)

    def _width_problem(self, found: Tensor, width: int, verb: str) -> Finding | None:
        if found.ndim == 2 and found.shape[1] == width:
            return None
        return broken(
            "wrong_width",
            f"the SAE {verb} {width} numbers per token, {self._lm.info.model_id} has "
            f"{found.shape[-1]} there",
            "register it for the model it was trained on",
        )

    def _named(self) -> dict[str, HookPoint]:
        points = {"x": self._points.source}
        target = self._points.target
        if target is not None and target != self._points.source:
            points["y"] = target
        for layer, (read_at, made_at) in self._points.others.items():
            points[f"x{layer}"] = read_at
            if made_at != read_at:
                points[f"y{layer}"] = made_at
        return points

    def _counted(self, ids: Sequence[int]) -> Tensor:
        first = max(1, self._windows.first)
        special = self._lm.special_ids
        flags = [at >= first and id not in special for at, id in enumerate(ids)]
        return torch.tensor(flags, dtype=torch.bool)

    def _sum_up(
        self, number: int, keep: Tensor, x: Tensor, features: Tensor, y: Tensor, made: Tensor | None
    ) -> None:
        if self._sums is None:
            n_windows = len(self._windows.rows)
            self._sums = Sums(
                Groups.empty(n_windows, y.shape[1]),
                Groups.empty(_STRETCHES, y.shape[1]),
                np.zeros(features.shape[1], np.int64),
            )
        rows = keep.to(x.device)
        self._sums.add_features(x[rows], features[keep.to(features.device)])
        self._sums.bos_norms += x[: self._windows.first].norm(dim=1).tolist()
        if made is not None:
            buckets = self._bucket_of[: len(keep)][keep.numpy()]
            self._sums.add_outputs(number, buckets, y[rows], made[rows])

    def _keep_sample(self, found: dict[str, Tensor], keep: Tensor) -> None:
        if self._points.target is None:
            return
        at = keep.nonzero()[:, 0]
        wanted = -(-SAMPLE // len(self._windows.rows))
        at = at[torch.linspace(0, len(at) - 1, min(wanted, len(at))).long()]
        for layer, name in [(None, ""), *((n, str(n)) for n in self._points.others)]:
            x = found[f"x{name}"]
            y = found.get(f"y{name}", x)
            at = at.to(x.device)
            self._sample.setdefault(layer, []).append((x[at], y[at]))

    def _keep_losses(self, name: str, losses: Tensor, keep: Tensor) -> None:
        self._losses[name].append(losses[keep[1:].to(losses.device)].double().cpu())

    def _splice(self, ids: Sequence[int], keep: Tensor, made: Tensor) -> None:
        first, target = max(1, self._windows.first), self._points.target
        assert target is not None
        for name, values in (("spliced", made), ("zero", torch.zeros_like(made))):
            losses = losses_with(self._lm, ids, target, values, first)
            self._keep_losses(name, losses, keep)

    def result(self) -> Measured:
        """What has been measured."""
        sums, metrics, curves = self._sums, {}, {}
        by_stretch: tuple[tuple[int, float], ...] = ()
        if sums is not None:
            metrics = sums.feature_metrics()
            curves = dict(feature_curves(sums))
            if self._points.target is not None:
                metrics |= sums.output_metrics()
                curves |= output_curves(sums, self._bucket_of)
                by_stretch = self._by_stretch(sums)
        return Measured(
            metrics={**metrics, **self._loss_metrics()},
            curves=curves,
            n_counted=0 if sums is None else sum(map(len, sums.l0)),
            problem=self._problem,
            sample={
                layer: (torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts]))
                for layer, parts in self._sample.items()
            },
            by_stretch=by_stretch,
        )

    def _loss_metrics(self) -> dict[str, float | None]:
        ce: dict[str, float | None] = {
            f"ce_{name}": torch.cat(parts).mean().item() if parts else None
            for name, parts in self._losses.items()
        }
        model, spliced, zero = ce["ce_model"], ce["ce_spliced"], ce["ce_zero"]
        if model is None or spliced is None or zero is None:
            return {**ce, "loss_recovered": None}
        recovered = (zero - spliced) / (zero - model) if zero - model >= _CE_MIN else None
        return {**ce, "loss_recovered": recovered}

    def _by_stretch(self, sums: Sums) -> tuple[tuple[int, float], ...]:
        starts = np.searchsorted(self._bucket_of, np.arange(_STRETCHES))
        fvu = sums.positions.unexplained()
        return tuple(
            (int(at), float(v)) for at, v in zip(starts, fvu, strict=True) if np.isfinite(v)
        )


def _threads(lm: LanguageModel) -> int:
    """A small model is measured with the threads it writes with.

    On a busy machine the barriers of more threads make it ten times slower; on an idle one they
    save little.
    """
    is_small = lm.info.n_params is not None and lm.info.n_params < _SMALL_PARAMS
    return lm.threads if is_small else lm.reading_threads


def _not_finite(x: Tensor, y: Tensor, features: Tensor, made: Tensor | None) -> Finding | None:
    tensors = {
        "the model's activations": x,
        "the activations to reconstruct": y,
        "the SAE's features": features,
    }
    if made is not None:
        tensors["the SAE's reconstruction"] = made
    name = next((n for n, t in tensors.items() if not bool(torch.isfinite(t).all())), None)
    if name is None:
        return None
    return broken(
        "not_finite",
        f"{name} are not all finite numbers" if name.endswith("s") else f"{name} is not finite",
        "compute in bfloat16 or float32 (ACTISCOPE_DTYPE); if it stays, the weights are damaged",
    )
