"""Numbers about features, exact and from the whole store. Definitions: docs/statistics.md."""
