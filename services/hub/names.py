"""What may name a repository, a revision and a file in it. A URL never does."""

from __future__ import annotations

import re

from services.errors import InvalidArgument

_REPO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,95}(?:/[A-Za-z0-9][A-Za-z0-9._\-]{0,95})?")
_REVISION = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._\-]{0,199}(?:/[A-Za-z0-9][A-Za-z0-9._\-]{0,199}){0,4}"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def check_repo_id(repo_id: str) -> str:
    """`repo_id` itself, when it is `name` or `owner/name`."""
    if "://" in repo_id or repo_id.startswith(("/", "\\")):
        raise InvalidArgument(
            f"{repo_id[:100]!r} is an address or a path: give the repository as owner/name",
            repo_id=repo_id[:200],
        )
    is_odd = "--" in repo_id or ".." in repo_id or repo_id.endswith((".git", ".", "-"))
    if is_odd or not _REPO_ID.fullmatch(repo_id):
        raise InvalidArgument(
            f"{repo_id[:100]!r} names no repository: give it as owner/name, "
            "with letters, digits and . _ - only",
            repo_id=repo_id[:200],
        )
    return repo_id


def check_revision(revision: str | None) -> str:
    """`revision` itself, or `main` for None."""
    if revision is None:
        return "main"
    if ".." in revision or not _REVISION.fullmatch(revision):
        raise InvalidArgument(
            f"{revision[:100]!r} is no revision: give a branch, a tag or a commit",
            revision=revision[:200],
        )
    return revision


def is_commit(text: object) -> bool:
    """Whether it is a git commit's full id."""
    return isinstance(text, str) and _COMMIT.fullmatch(text) is not None


def is_safe_path(path: str) -> bool:
    """Whether a file of that name stays within the folder it is written to, on every system."""
    parts = path.split("/")
    is_plain = path.isprintable() and not any(c in path for c in '\\:*?"<>|') and len(path) <= 1000
    return (
        is_plain and all(part not in ("", ".", "..") for part in parts) and parts[0] != ".partial"
    )
