"""One feature: its statistics, examples and tokens, from a store."""
