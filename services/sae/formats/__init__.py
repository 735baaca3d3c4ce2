"""SAEs in the layouts of their publishers: found by their content, converted for run time.

`look` finds what is in a file or folder without reading any weights; `convert` writes one of
them as cfg.json and sae_weights.safetensors, the only format that is read at run time. Nothing is
ever unpickled. A layout is a module of this package and a line of `looking.LAYOUTS`.
"""

from services.sae.formats.found import FoundSae, Hints, Looked
from services.sae.formats.listing import grouped, wanted_files
from services.sae.formats.looking import ACCEPTED, look
from services.sae.formats.writing import convert

__all__ = ["ACCEPTED", "FoundSae", "Hints", "Looked", "convert", "grouped", "look", "wanted_files"]
