"""What pydantic found wrong, as the product's own error."""

from __future__ import annotations

from pydantic import ValidationError

from services.errors import InvalidArgument


def invalid(error: ValidationError) -> InvalidArgument:
    """`error` as the product's own: one sentence per wrong field, without echoing long input."""
    problems = [
        {"field": ".".join(map(str, e["loc"])), "problem": e["msg"].removeprefix("Value error, ")}
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    sentences = [f"{p['field']}: {p['problem']}" if p["field"] else p["problem"] for p in problems]
    text = "; ".join(sentences[:5])
    return InvalidArgument(text, problems=problems[:20])
