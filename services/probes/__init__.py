"""A feature on somebody's own text, and the texts that are kept as probes."""
