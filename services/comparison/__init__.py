"""Features side by side."""
