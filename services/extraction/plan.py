"""What an extraction does, decided once: files and numbers follow from it, the corpus and weights.

A resumed extraction computes the same batches, since the plan is kept with the job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from services.corpus.packing import Cut, Policy, usual_context, usual_stride
from services.corpus.requests import Packing
from services.errors import InvalidArgument
from services.extraction.requests import ExtractionOptions
from services.sae.preflight.stated import read_stated
from services.store.spec import Layout, Precision
from services.versions import library_versions

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel
    from services.sae.catalogue import SaeEntry

_POOL_BATCHES = 8  # sorted by length together: the rest of padding is a few per cent
_PIECE_FLOPS = {"cpu": 1e11, "mps": 1e12, "cuda": 4e13}  # about a second of the slowest usual one
_BATCH_TOKENS = {"cpu": 4096, "mps": 16_384, "cuda": 65_536}  # more gains nothing
_PART_BATCHES = 48  # about a minute of work, which a crash can cost
_PART_LEAST = 2**12


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of an extraction, resolved; JSON values only."""

    context: int
    stride: int
    policy: Policy
    bos_id: int | None
    skip_bos: bool
    skip_special: bool
    max_tokens: int | None
    sample_seed: int | None
    batch_tokens: int  # padded tokens per forward pass
    part_tokens: int  # tokens per part of the stores
    metadata: Mapping[str, str]
    precision: Precision
    device: str
    dtype: str
    versions: Mapping[str, str]  # of the libraries that began it

    @property
    def cut(self) -> Cut:
        """How documents become windows."""
        return Cut(self.context, self.stride, self.bos_id, self.policy)

    @property
    def pool_tokens(self) -> int:
        """Tokens of windows that are sorted by length together."""
        return _POOL_BATCHES * self.batch_tokens

    @property
    def layout(self) -> Layout:
        """Sizes of the stores' files."""
        return Layout(part_tokens=self.part_tokens)

    def drift(self, lm: LanguageModel) -> str | None:
        """What is other now than when it was made, in words; None where all is the same."""
        now = {"device": str(lm.device), "dtype": str(lm.dtype).removeprefix("torch.")}
        now |= library_versions()
        before = {"device": self.device, "dtype": self.dtype, **self.versions}
        changed = [f"{k} {before.get(k)} is now {v}" for k, v in now.items() if before.get(k) != v]
        return ", ".join(changed) or None

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """The plan that `as_json` gave."""
        return cls(**values)


def resolve(
    options: ExtractionOptions,
    lm: LanguageModel,
    saes: Sequence[SaeEntry],
    columns: Mapping[str, str],
) -> Plan:
    """The plan of an extraction with these SAEs of a corpus with these metadata columns.

    Raises:
        InvalidArgument: an option does not fit the model, the SAEs or the corpus.
    """
    packing, bos_id = options.packing, _bos_id(options.packing, lm, saes)
    context = context_of(packing, lm.n_ctx, saes)
    if context > lm.n_ctx:
        raise InvalidArgument(
            f"a context of {context} tokens; {lm.info.model_id} reads {lm.n_ctx}", field="context"
        )
    batch_tokens = options.batch_tokens or _batch_tokens(lm, saes)
    return Plan(
        context=context,
        stride=packing.stride or usual_stride(context),
        policy=packing.policy,
        bos_id=bos_id,
        skip_bos="bos" in options.skip,
        skip_special="special" in options.skip,
        max_tokens=options.max_tokens,
        sample_seed=options.sample_seed if options.max_tokens else None,
        batch_tokens=max(batch_tokens, context),
        part_tokens=min(max(_PART_BATCHES * batch_tokens, _PART_LEAST), Layout().part_tokens),
        metadata=_columns(options, columns),
        precision=options.precision,
        device=str(lm.device),
        dtype=str(lm.dtype).removeprefix("torch."),
        versions=library_versions(),
    )


def context_of(packing: Packing, n_ctx: int, saes: Sequence[SaeEntry]) -> int:
    """Tokens per window: as asked, or as model and SAEs are used to."""
    return packing.context or usual_context(n_ctx, (read_stated(s, {}).context_size for s in saes))


def reads_bos(packing: Packing, saes: Sequence[SaeEntry]) -> bool:
    """Whether BOS heads the windows, where the tokenizer has one.

    Raises:
        InvalidArgument: the SAEs were trained differently, and nobody says which.
    """
    if packing.bos != "auto":
        return packing.bos == "always"
    says = {sae.info.sae_id: read_stated(sae, {}).prepend_bos for sae in saes}
    if len(set(says.values())) > 1:
        without = ", ".join(sae_id for sae_id, bos in says.items() if not bos)
        raise InvalidArgument(
            f"{without} read texts without BOS, the other SAEs with it: say which (packing.bos "
            "always or never), or extract them apart",
            field="bos",
            sae_ids=list(says),
        )
    return all(says.values())


def _bos_id(packing: Packing, lm: LanguageModel, saes: Sequence[SaeEntry]) -> int | None:
    bos_id: int | None = lm.tokenizer.bos_token_id
    if packing.bos == "always" and bos_id is None:
        raise InvalidArgument(f"the tokenizer of {lm.info.model_id} has no BOS", field="bos")
    return bos_id if reads_bos(packing, saes) else None


def _batch_tokens(lm: LanguageModel, saes: Sequence[SaeEntry]) -> int:
    """As many as take about a second, so that runs wait no longer; memory is bounded by it, too."""
    kind = lm.device.type if lm.device.type in _PIECE_FLOPS else "cpu"
    encoders = sum(sae.info.d_in * sae.info.d_sae for sae in saes)
    affordable = _PIECE_FLOPS[kind] / (2 * max((lm.info.n_params or 0) + encoders, 1))
    return int(min(max(affordable, 256), _BATCH_TOKENS[kind]))


def _columns(options: ExtractionOptions, columns: Mapping[str, str]) -> dict[str, str]:
    names = list(columns) if options.metadata is None else list(options.metadata)
    for name in names:
        if name not in columns:
            raise InvalidArgument(
                f"the corpus has no column {name!r}; there are: {', '.join(columns) or 'none'}",
                field="metadata",
            )
    return {name: columns[name] for name in names}
