"""The models: a catalogue of facts, the sources that they come from, and their labels.

Importing this loads no torch; `networks`, where a model becomes a network, does.
"""

from .catalogue import BUNDLED_DEFAULT, CATALOGUE, NOTEBOOK_DEFAULT, Catalogue
from .sources import Source
from .transforms import Transform

__all__ = ["BUNDLED_DEFAULT", "CATALOGUE", "NOTEBOOK_DEFAULT", "Catalogue", "Source", "Transform"]
