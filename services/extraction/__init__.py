"""Extraction: every activation of SAEs over a corpus, from one shared forward pass, into stores."""
