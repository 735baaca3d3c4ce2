"""What a run's timelines say: rows, rankings, changes. Pure functions, columns in, columns out."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from services.errors import InvalidArgument, NotFound
from services.runs.queries import DeltaQuery, RowQuery, TopQuery
from services.types import (
    ActivationRow,
    FeatureDelta,
    FeatureDeltas,
    FeatureTimeline,
    RunView,
    Segment,
    Token,
    TopFeature,
)

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RowColumns:
    """Activation rows as parallel columns, [r] each, filtered and sorted."""

    tokens: tuple[Token, ...]
    sae_ids: tuple[str, ...]
    prompt_tokens: int
    sae: NDArray[np.int64]  # index into sae_ids
    position: NDArray[np.int64]
    feature_id: NDArray[np.int64]
    activation: NDArray[np.float32]
    rank: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.position)

    @property
    def step(self) -> NDArray[np.int64]:
        """0 for prompt positions, the 1-based decode step for output positions."""
        return np.maximum(self.position - self.prompt_tokens + 1, 0)

    def rows(self, start: int, stop: int | None) -> list[ActivationRow]:
        """The rows `start:stop` as values."""
        part = slice(start, stop)
        columns = (self.step, self.position, self.sae, self.feature_id, self.activation, self.rank)
        return [
            self._row(*values) for values in zip(*(c[part].tolist() for c in columns), strict=True)
        ]

    def _row(
        self, step: int, position: int, sae: int, feature_id: int, activation: float, rank: int
    ) -> ActivationRow:
        token = self.tokens[position]
        return ActivationRow(
            step=step,
            token_position=position,
            token_id=token.token_id,
            token_str=token.text,
            segment=token.segment,
            is_special=token.is_special,
            sae_id=self.sae_ids[sae],
            feature_id=feature_id,
            activation_value=activation,
            rank=rank,
        )


def row_columns(view: RunView, query: RowQuery) -> RowColumns:
    """All rows that pass the query's filters, sorted; ties in order of position, SAE, rank."""
    timelines = _chosen(view, query.sae_id, query.sae_layer)
    wanted = positions_mask(view, query.segment, query.include_special)
    wanted &= _range_mask(len(view.tokens), query.token_start, query.token_end)
    parts = [_timeline_columns(i, t, wanted, query) for i, t in enumerate(timelines)]
    sae, position, feature_id, activation, rank = (
        np.concatenate(column) for column in zip(_empty_columns(), *parts, strict=True)
    )
    columns = RowColumns(
        tokens=view.tokens,
        sae_ids=tuple(t.sae_id for t in timelines),
        prompt_tokens=view.summary.prompt_tokens,
        sae=sae,
        position=position,
        feature_id=feature_id,
        activation=activation,
        rank=rank,
    )
    return _sorted(columns, query)


def top_features(view: RunView, query: TopQuery) -> list[TopFeature]:
    """Features by their largest activation among the kept top-k, then hits, then id."""
    wanted = positions_mask(view, query.segment, query.include_special)
    ranked = [
        feature
        for timeline in _chosen(view, query.sae_id, None)
        for feature in _ranked(timeline, wanted, query.n)
    ]
    ranked.sort(key=lambda f: (-f.max_activation, -f.hits, f.feature_id))
    return ranked[: query.n]


def deltas(view: RunView, query: DeltaQuery, baseline: RunView | None) -> FeatureDeltas:
    """A feature's value by position, and its change.

    Without `baseline` the change is against the position before (none at position 0); with it,
    against the aligned position of that run (none where the texts differ).

    Raises:
        NotFound: the run, or the baseline, has no usable features of the SAE.
    """
    timeline = one_timeline(view, query.sae_id, query.sae_layer)
    values = timeline.values_of(query.feature_id)
    if baseline is None:
        compared = values
        partners = [None, *range(len(values) - 1)]
    else:
        compared = one_timeline(baseline, timeline.sae_id, None).values_of(query.feature_id)
        partners = aligned_positions(view.tokens, baseline.tokens)
    points = [
        _delta(token, float(values[token.position]), partner, compared)
        for token, partner in zip(view.tokens, partners, strict=True)
    ]
    return FeatureDeltas(timeline.sae_id, query.feature_id, tuple(points[: query.limit]))


def aligned_positions(tokens: tuple[Token, ...], baseline: tuple[Token, ...]) -> list[int | None]:
    """For each token the position of the same token in `baseline`, in order, or None."""
    ours = [t.token_id for t in tokens]
    theirs = [t.token_id for t in baseline]
    partners: list[int | None] = [None] * len(ours)
    for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        for i in range(block.size):
            partners[block.a + i] = block.b + i
    return partners


def positions_mask(view: RunView, segment: Segment | None, include_special: bool) -> BoolArray:
    """Which positions count, [n_tokens]."""
    return np.array(
        [
            (segment is None or t.segment == segment) and (include_special or not t.is_special)
            for t in view.tokens
        ],
        dtype=bool,
    )


def one_timeline(view: RunView, sae_id: str | None, sae_layer: int | None) -> FeatureTimeline:
    """The chosen SAE's timeline, or the first usable one.

    Raises:
        NotFound: the run has no such features; the message says which it has.
    """
    usable = [t for t in _chosen(view, sae_id, sae_layer) if t.error is None]
    if not usable:
        raise NotFound(f"run {view.summary.request_id} has no features to show")
    return usable[0]


def _chosen(
    view: RunView, sae_id: str | None, sae_layer: int | None
) -> tuple[FeatureTimeline, ...]:
    chosen = tuple(
        t
        for t in view.timelines
        if (sae_id is None or t.sae_id == sae_id) and (sae_layer is None or t.layer == sae_layer)
    )
    if not chosen and (sae_id is not None or sae_layer is not None):
        known = {t.sae_id: t.layer for t in view.timelines}
        raise NotFound(
            f"run {view.summary.request_id} has no SAE {sae_id or ''} at layer {sae_layer}"
            if sae_layer is not None
            else f"run {view.summary.request_id} has no SAE {sae_id}",
            saes=known,
        )
    return chosen


def _range_mask(n: int, start: int | None, end: int | None) -> BoolArray:
    if start is not None and end is not None and start > end:
        raise InvalidArgument(f"token_start {start} lies behind token_end {end}")
    positions = np.arange(n)
    return (positions >= (start or 0)) & (positions <= (n if end is None else end))


def _timeline_columns(
    index: int, timeline: FeatureTimeline, wanted: BoolArray, query: RowQuery
) -> tuple[np.ndarray, ...]:
    shown = min(timeline.top_k, query.rank_max or timeline.top_k)
    ids = timeline.feature_ids[:, :shown]
    keep = (ids >= 0) & wanted[: len(ids), None]
    if query.feature_id is not None:
        keep &= ids == query.feature_id
    position, column = np.nonzero(keep)
    sae = np.full(len(position), index)
    values = timeline.activations[position, column]
    return sae, position, ids[position, column].astype(np.int64), values, column + 1


def _empty_columns() -> tuple[np.ndarray, ...]:
    ints = np.zeros(0, np.int64)
    return ints, ints, ints, np.zeros(0, np.float32), ints


def _sorted(columns: RowColumns, query: RowQuery) -> RowColumns:
    token_ids = np.array([t.token_id for t in columns.tokens], np.int64)
    keys: dict[str, NDArray[np.generic]] = {
        "step": columns.step,
        "token_position": columns.position,
        "token_id": token_ids[columns.position] if len(token_ids) else columns.position,
        "sae_id": columns.sae,
        "feature_id": columns.feature_id,
        "activation_value": columns.activation,
        "rank": columns.rank,
    }
    key = np.negative(keys[query.sort]) if query.descending else keys[query.sort]
    order = np.lexsort((columns.rank, columns.sae, columns.position, key))
    return RowColumns(
        tokens=columns.tokens,
        sae_ids=columns.sae_ids,
        prompt_tokens=columns.prompt_tokens,
        sae=columns.sae[order],
        position=columns.position[order],
        feature_id=columns.feature_id[order],
        activation=columns.activation[order],
        rank=columns.rank[order],
    )


def _ranked(timeline: FeatureTimeline, wanted: BoolArray, n: int | None) -> list[TopFeature]:
    ids = timeline.feature_ids[:, : timeline.top_k]
    position, column = np.nonzero((ids >= 0) & wanted[: len(ids), None])
    if not len(position):
        return []
    values = timeline.activations[position, column].astype(np.float64)
    features, inverse, hits = np.unique(
        ids[position, column], return_inverse=True, return_counts=True
    )
    total = np.bincount(inverse, weights=values)
    # Within each feature the largest value, at its first position, comes first.
    by_strength = np.lexsort((position, -values, inverse))
    first = by_strength[np.concatenate(([0], np.cumsum(hits)[:-1]))]
    order = np.lexsort((features, -hits, -values[first]))[:n]
    return [
        TopFeature(
            sae_id=timeline.sae_id,
            feature_id=int(features[i]),
            max_activation=float(values[first[i]]),
            hits=int(hits[i]),
            mean_activation=float(total[i] / hits[i]),
            argmax_position=int(position[first[i]]),
        )
        for i in order
    ]


def _delta(
    token: Token, value: float, partner: int | None, compared: NDArray[np.float32]
) -> FeatureDelta:
    before = None if partner is None else float(compared[partner])
    return FeatureDelta(
        token_position=token.position,
        token_id=token.token_id,
        token_str=token.text,
        activation_value=value,
        baseline_value=before,
        baseline_position=partner,
        delta=None if before is None else value - before,
    )
