"""The demo's tokenizer: byte-level BPE in which an indentation is one token and so is a digit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from services.demo.text import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
SYSTEM, USER, ASSISTANT, END = "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL_TOKENS: Final = (PAD, BOS, EOS, SYSTEM, USER, ASSISTANT, END)
"""Their order gives their ids, 0 to 6. A document ends with `<eos>`, a turn with `<|end|>`."""

MAX_POSITIONS: Final = 1024
PIECES: Final = r"\n[ ]*|[ _]?[A-Za-z]+|[0-9]|[ ]?[^\sA-Za-z0-9_]+|_+|[ ]+|\s"
CHAT_TEMPLATE: Final = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def render(messages: Sequence[Message]) -> str:
    """What the chat template writes for the messages, without the leading `<bos>`."""
    return "".join(f"<|{role}|>\n{content}{END}\n" for role, content in messages)


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of a token."""
    return tokenizer.get_vocab()[token]


def text_of(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int], **options: bool) -> str:
    """The text of token ids."""
    return str(tokenizer.decode(list(ids), **options))


def train_tokenizer(texts: Iterable[str], n_vocab: int) -> PreTrainedTokenizerFast:
    """A BPE tokenizer of `n_vocab` tokens with the special tokens and the chat template."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, bpe.token_to_id(BOS))]
    )
    return _as_transformers(bpe)


def _as_transformers(bpe: object) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[EOS, SYSTEM, USER, ASSISTANT],
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_POSITIONS,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
