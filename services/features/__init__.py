"""The table of all features of an SAE: sort, filter, search."""
