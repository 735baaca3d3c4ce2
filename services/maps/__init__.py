"""Features by their decoder directions: maps and families."""
