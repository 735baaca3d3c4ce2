"""A model of the hub: its files chosen, judged, downloaded, and moved into place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from services.errors import Unsupported
from services.lm.catalogue import ModelCatalogue, check_configs
from services.registry.downloading import download, turn
from services.registry.jobs import Job
from services.registry.parts import Parts
from services.registry.places import download_folder, put, staging
from services.sae.registration import Registration, SourceFile, write_registration
from services.types import Source

if TYPE_CHECKING:
    from services.hub import RepoListing

_PLAIN = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "chat_template.jinja",
        "chat_template.json",
    }
)
_INDEX, _SINGLE = "model.safetensors.index.json", "model.safetensors"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")


def bring(parts: Parts, listing: RepoListing, model_id: str, job: Job) -> None:
    """The repository's model, downloaded and put in place, complete; what is refused leaves
    nothing behind.

    Raises:
        Unsupported: it cannot be used.
        Stopped: the task was cancelled; what has arrived stays for the next time.
    """
    wanted = _model_files([file.path for file in listing.files], listing.repo_id)
    with turn(parts, listing, job) as folder:
        try:
            _judge_early(parts, listing, wanted, model_id, job)
            hashes = download(parts, listing, wanted, job)
            job.begin("verifying")
            _move(parts, folder, wanted, _registration(listing, hashes, model_id))
        except Unsupported:
            shutil.rmtree(folder, ignore_errors=True)  # it would be refused again
            raise
        shutil.rmtree(folder, ignore_errors=True)


def refuse_unknown_family(model_id: str, model_type: str) -> None:
    """Raise `Unsupported` for a family that cannot be loaded; imports what loading needs."""
    from services.lm.loader import refuse_unknown

    refuse_unknown(model_id, model_type)


def _judge_early(
    parts: Parts, listing: RepoListing, wanted: Sequence[str], model_id: str, job: Job
) -> None:
    """Refuse what cannot be used before gigabytes are downloaded.

    Raises:
        Unsupported: by its configurations, or by the files that it lacks.
    """
    small = [name for name in wanted if name in ("config.json", "tokenizer_config.json")]
    download(parts, listing, small, job)
    folder = download_folder(parts.settings.home, listing.repo_id, listing.revision)
    with staging(parts.settings.home, "models") as stage:
        config, _ = check_configs(_linked(folder, small, stage, model_id), wanted)
    refuse_unknown_family(model_id, str(config.get("model_type", "")))


def _move(parts: Parts, folder: Path, wanted: Sequence[str], registration: Registration) -> None:
    """From downloads to its place, once it is found to be complete."""
    model_id = registration.model_id
    with staging(parts.settings.home, "models") as stage:
        _linked(folder, wanted, stage, model_id)
        ModelCatalogue((stage / "trial",)).get(model_id)
        target = stage / "models" / model_id
        target.mkdir(parents=True)
        for name in wanted:
            os.replace(folder / name, target / name)
        write_registration(target, registration)
        put(target, parts.settings.home / "models" / model_id)


def _linked(folder: Path, names: Sequence[str], stage: Path, model_id: str) -> Path:
    """A folder named as the model, so that errors name it, with links to what was downloaded."""
    trial = stage / "trial" / "models" / model_id
    trial.mkdir(parents=True)
    for name in names:
        (trial / name).symlink_to(folder / name)
    return trial


def _model_files(paths: Sequence[str], repo_id: str) -> list[str]:
    """Of a repository's files, those of a plain checkpoint; config.json first."""
    there = {path for path in paths if "/" not in path}
    if "config.json" not in there:
        raise Unsupported(
            f"{repo_id} has no config.json at its top: it holds no transformers model. SAEs are "
            "added on the page Add SAE, or with `actiscope sae add`",
            repo_id=repo_id,
        )
    shards = sorted(p for p in there if p.startswith("model") and p.endswith(".safetensors"))
    weights = [_SINGLE] if _SINGLE in there else [_INDEX, *shards] if _INDEX in there else []
    if not weights:
        other = [path for path in sorted(paths) if path.endswith((*_PICKLES, ".gguf"))]
        found = f"it has {', '.join(other[:5])}" if other else "it has no weights that are known"
        raise Unsupported(
            f"{repo_id} has no safetensors weights ({found}), and nothing else is loaded: take a "
            "repository that has them, or load the model once with transformers, save it with "
            "`save_pretrained(folder)` and add the folder",
            repo_id=repo_id,
        )
    plain = sorted(there & _PLAIN, key=lambda name: (name != "config.json", name))
    return [*plain, *weights]


def _registration(listing: RepoListing, hashes: Mapping[str, str], model_id: str) -> Registration:
    files = {file.path: file for file in listing.files}
    return Registration(
        source=Source.HUGGINGFACE.value,
        added_at=datetime.now(UTC).isoformat(),
        model_id=model_id,
        format="transformers",
        repo_id=listing.repo_id,
        repo_revision=listing.revision,
        files=tuple(SourceFile(p, files[p].size, digest) for p, digest in hashes.items()),
    )
