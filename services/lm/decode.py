"""The decode loop: one token after the other over the model's forward pass and its KV cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from transformers import DynamicCache

from services.errors import InvalidArgument, Unsupported
from services.lm.device import memory_guard, use_threads
from services.lm.language_model import LanguageModel
from services.lm.sampling import Sampling, sample

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FinishReason = Literal["stop", "length", "context", "cancelled"]


@dataclass(frozen=True, slots=True)
class Generation:
    """What the model wrote. An end token that stopped it is the last of `token_ids`."""

    token_ids: list[int]
    logprobs: list[float]  # natural log, the model's own distribution: no temperature, no top_p
    finish_reason: FinishReason


def generate(
    lm: LanguageModel,
    prompt_ids: Sequence[int],
    sampling: Sampling,
    max_new_tokens: int,
    seed: int,
    on_token: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Generation:
    """Write up to `max_new_tokens` after `prompt_ids`; the same seed gives the same tokens.

    `on_token` gets each id as it is chosen; `should_stop` is asked before each further token.
    Raises `InvalidArgument` for a prompt that leaves no room in the context, and
    `ResourceExhausted` when memory does not suffice.
    """
    check_prompt(lm, prompt_ids)
    room = lm.n_ctx - len(prompt_ids)
    use_threads(lm.threads)
    with memory_guard("to write"):
        return _decode(
            lm,
            torch.tensor([list(prompt_ids)], device=lm.device),
            sampling,
            (min(max_new_tokens, room), "length" if max_new_tokens <= room else "context"),
            torch.Generator(lm.device).manual_seed(seed),
            on_token or (lambda _: None),
            should_stop or (lambda: False),
        )


def check_prompt(lm: LanguageModel, prompt_ids: Sequence[int]) -> None:
    """Raise `InvalidArgument` unless the prompt can be read and leaves room for a token."""
    if not prompt_ids:
        raise InvalidArgument("the prompt has no tokens")
    if len(prompt_ids) >= lm.n_ctx:
        raise InvalidArgument(
            f"the prompt has {len(prompt_ids)} tokens; {lm.info.model_id} reads and writes at most "
            f"{lm.n_ctx} together: shorten the prompt",
            prompt_tokens=len(prompt_ids),
            n_ctx=lm.n_ctx,
        )
    if not 0 <= min(prompt_ids) <= max(prompt_ids) < lm.info.n_vocab:
        raise InvalidArgument(f"the prompt holds token ids that {lm.info.model_id} does not have")


@torch.inference_mode()
def _decode(
    lm: LanguageModel,
    ids: torch.Tensor,
    sampling: Sampling,
    limit: tuple[int, FinishReason],
    generator: torch.Generator,
    on_token: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> Generation:
    model = lm.model
    cache = DynamicCache(config=model.config) if lm.has_cache else None
    token_ids: list[int] = []
    logprobs: list[torch.Tensor] = []  # stay on the device: one transfer at the end
    finish_reason = limit[1]
    for _ in range(limit[0]):
        if should_stop():
            finish_reason = "cancelled"
            break
        output = model(**_inputs(ids, cache))
        logits = output.logits[0, -1].float()
        chosen = sample(logits, sampling, generator)
        logprobs.append(logits[chosen] - logits.logsumexp(-1))
        token_ids.append(int(chosen))
        if len(token_ids) == 1:
            _refuse_nan(lm, logprobs[0].item())
        on_token(token_ids[-1])
        if token_ids[-1] in lm.eos_ids:
            finish_reason = "stop"
            break
        ids = chosen.view(1, 1) if lm.has_cache else torch.cat([ids, chosen.view(1, 1)], 1)
    values = torch.cat(logprobs).tolist() if logprobs else []
    _refuse_nan(lm, sum(values))
    return Generation(token_ids, values, finish_reason)


def _inputs(ids: torch.Tensor, cache: DynamicCache | None) -> dict[str, Any]:
    if cache is None:
        return {"input_ids": ids, "use_cache": False}
    return {
        "input_ids": ids,
        "past_key_values": cache,
        "use_cache": True,
        "logits_to_keep": 1,
    }


@torch.inference_mode()
def cache_works(model: PreTrainedModel) -> bool:
    """Whether a token read after others in a KV cache gets the logits of reading all at once.

    Models that keep another state (Mamba), or none, ignore the cache without a word.
    """
    embedding: Any = model.get_input_embeddings()
    ids = torch.arange(3, 9, device=model.device)[None] % embedding.weight.shape[0]
    whole = model(input_ids=ids, use_cache=False).logits[0, -1].float()
    try:
        cache = DynamicCache(config=model.config)
        model(**_inputs(ids[:, :-1], cache))
        last = model(**_inputs(ids[:, -1:], cache)).logits[0, -1].float()
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, NotImplementedError):
        return False
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
    return bool((last - whole).norm() <= tolerance * whole.norm())


def _refuse_nan(lm: LanguageModel, value: float) -> None:
    if math.isnan(value):
        raise Unsupported(
            f"{lm.info.model_id} gives numbers that are none (NaN) in {lm.dtype}: "
            "use bfloat16 or float32, or copy the weights again"
        )
