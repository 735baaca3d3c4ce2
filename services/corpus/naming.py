"""What corpora are called."""

from __future__ import annotations

import re
import unicodedata

_HASH_CHARS = 8


def corpus_id_of(name: str, content_hash: str) -> str:
    """An id that says what it is of: `reviews-3f9a41c2`."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    return f"{slug or 'corpus'}-{content_hash[:_HASH_CHARS]}"


def name_of_file(file_name: str) -> str:
    """The name of a file without what says its format."""
    return re.sub(r"(\.(jsonl|ndjson|json|csv|tsv|parquet|pq|txt|text|md|gz))+$", "", file_name,
                  flags=re.IGNORECASE)[:100] or file_name[:100]  # fmt: skip
