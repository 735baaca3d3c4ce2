"""Writes the model card: figures as YAML in front, then the same for a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.demo.measure import FeatureReading, SaeReport

MIN_F1: Final = 0.5
"""Concepts that no feature detects this well are left out of the card."""


@dataclass(frozen=True, slots=True)
class Card:
    """What the model card says."""

    facts: dict[str, Any]
    """Environment, corpus, training and the model's figures: the front matter."""
    saes: Mapping[str, SaeReport]
    answers: Sequence[tuple[str, str]]
    readings: str
    """Findings of a person who read contexts, in Markdown; may be empty."""


def front_matter(text: str) -> dict[str, Any]:
    """The figures at the head of a card."""
    import yaml

    return yaml.safe_load(text.split("---\n")[1])


def write_card(card: Card, path: Path) -> None:
    """Writes the card to `path`."""
    import yaml

    facts = card.facts | {"saes": {name: report.measured for name, report in card.saes.items()}}
    head = yaml.safe_dump(facts, sort_keys=False)
    body = "\n\n".join(
        [
            INTRODUCTION,
            _model_section(card.facts),
            *([_answers_section(card.answers)] if card.answers else []),
            _sae_section(card.saes),
            *(_detector_section(name, report) for name, report in card.saes.items()),
            *([card.readings.strip()] if card.readings else []),
            *(_drawn_section(name, report) for name, report in card.saes.items()),
            LIMITS,
        ]
    )
    path.write_text(f"---\n{head}---\n\n{body}\n", encoding="utf-8")


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _code(text: str) -> str:
    """Text as inline code that survives a table cell."""
    ticks = "``" if "`" in text else "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}".replace("|", "\\|")


def _model_section(facts: dict[str, Any]) -> str:
    model, training, corpus = facts["model"], facts["training"], facts["corpus"]
    loss = model["validation_loss"]
    rows = [
        ("parameters", f"{model['parameters']:,}"),
        ("validation loss, held-out library sources", f"{loss['code']:.3f} nats/token"),
        ("validation loss, held-out generated text", f"{loss['own']:.3f} nats/token"),
        ("characters per token, library sources", model["chars_per_token"]),
        ("training", f"{training['steps']:,} steps, {training['tokens']:,} tokens, "
                     f"{training['seconds'] / 60:.0f} minutes on two CPU cores at most"),
        ("corpus", f"{corpus['documents']} library documents, SHA-256 `{corpus['sha256']}`"),
        *((f"right greedy answers, {name}", f"{share:.0%}")
          for name, share in model.get("share_right", {}).items()),
    ]  # fmt: skip
    return "## The model\n\n" + _table(("", ""), rows)


def _answers_section(answers: Sequence[tuple[str, str]]) -> str:
    blocks = [f"> **{question}**\n>\n> " + text.replace("\n", "\n> ") for question, text in answers]
    return "\n\n".join(["## Greedy answers, through the chat template, as they came", *blocks])


def _sae_section(saes: Mapping[str, SaeReport]) -> str:
    header = ("SAE", "text", "L0 (p5–p95)", "explained variance",
              "loss clean / spliced / zero-ablated", "loss recovered")  # fmt: skip
    rows = [
        (
            f"`{name}`",
            kind,
            f"{row['l0']:.1f} ({row['l0_p5']:.0f}–{row['l0_p95']:.0f})",
            f"{row['explained_variance']:.3f}",
            f"{row['loss_clean']:.3f} / {row['loss_spliced']:.3f} / {row['loss_zero_ablated']:.3f}",
            f"{row['loss_recovered']:.3f}",
        )
        for name, report in saes.items()
        for kind, row in report.measured["held_out"].items()
    ]
    densities = [
        f"`{name}`: {m['dead_share']:.1%} of the features are dead and {m['dense_share']:.1%} are "
        f"active on more than 10 % of the tokens, counted over {m['density_tokens']:,} tokens; the "
        f"densest one is active on {m['highest_density']:.0%}."
        for name, m in ((name, report.measured) for name, report in saes.items())
    ]
    return "\n\n".join(["## The SAEs", SAE_METHOD, _table(header, rows), *densities])


def _contexts(reading: FeatureReading, limit: int) -> str:
    shown = reading.contexts[:limit]
    return "<br>".join(f"{c.activation:.1f} {_code(c.text)}" for c in shown)


def _detector_section(name: str, report: SaeReport) -> str:
    header = ("concept", "feature", "F1", "precision", "recall", "threshold", "base rate",
              "top contexts")  # fmt: skip
    rows = [
        (
            reading.detector.concept,
            reading.feature_index,
            f"{reading.detector.f1:.2f}",
            f"{reading.detector.precision:.2f}",
            f"{reading.detector.recall:.2f}",
            reading.detector.threshold,
            f"{reading.detector.base_rate:.2%}",
            _contexts(reading, 2),
        )
        for reading in report.detectors
        if reading.detector and reading.detector.f1 >= MIN_F1
    ]
    return f"## Concepts found in `{name}`\n\n{DETECTOR_METHOD}\n\n{_table(header, rows)}"


def _drawn_section(name: str, report: SaeReport) -> str:
    rows = [
        (reading.feature_index, f"{reading.density:.3%}", _contexts(reading, 3))
        for reading in report.drawn
    ]
    title = f"## Features of `{name}` drawn at random, not chosen"
    return f"{title}\n\n{_table(('feature', 'density', 'top contexts'), rows)}"


INTRODUCTION: Final = """# The embedded demo of Actiscope

A small language model of the Llama architecture, `models/actiscope-demo`, and sparse autoencoders
on its residual stream, `saes/`. They exist so that every screen of Actiscope shows something real
on a laptop without a download. The model was trained from scratch, on a CPU, by the recipe beside
this folder (`python -m services.demo.build --out FOLDER`).

**What it has read.** The sources of the Python standard library and the topics of Python's help
system (without packages for tests, tables, and files that carry a licence of their own), and text
that the project's own generator writes: small stories, letters, facts, sums, chats. Nothing else.

**What it can do.** Continue Python that looks like the standard library; through its chat template
tell small stories, answer the kinds of questions shown below, add and subtract single digits.
**What it cannot do.** Know anything, reason, or be used for anything but looking inside it.

**Licences.** Recipe and generated text: Apache-2.0, the project's licence. The model has read the
standard library and may repeat fragments of it: the licence of CPython lies beside this card as
`LICENSE-PSF.txt`, see `NOTICE`.

**Reproducing.** The figures are those of the files shipped here. A rebuild gives a model alike, not
the same bytes: the standard library differs between versions of Python and float sums between
machines. The versions and the digest of the corpus are recorded above and below."""

SAE_METHOD: Final = """Trained with sae-lens (BatchTopK, saved as JumpReLU in its disk format,
float16) on the model's own training mixture. Measured on held-out text, `<bos>` left out and kept
intact in the loss test. Explained variance is 1 − (summed squared residual ÷ summed squared
distance from the mean) over all tokens. Loss recovered compares with zero ablation. L0 counts
features above zero. `code` is held-out library text, `own` generated text from a seed of its own,
`all` both."""

DETECTOR_METHOD: Final = f"""For each of the predicates of `services/demo/concepts.py` (a pattern; a
token belongs to the concept if its first visible character lies in a match) the one feature with
the best F1, chosen on half of the windows and scored on the other half; concepts below F1 {MIN_F1}
are left out. A feature counts as firing above `threshold` × its maximum. Contexts are the strongest
ones of different windows, the token between «»."""

LIMITS: Final = """## Limits

* Plain predicates call a keyword inside a comment a miss, so F1 understates some features.
* Features describe the token at hand and its near surroundings more than anything abstract.
* Greedy lists repeat their first item and stories confuse their figures: the model is small. Sample
  with a temperature of 0.6 to 0.8 for variety.
* Greedy library code loops. A code prompt should not end in a line break: line break and
  indentation are one token, which the model has to write itself.
* Features differ in scale by a factor of ten: a ranking by raw activation favours the large ones,
  one by activation relative to the feature's maximum does not."""
