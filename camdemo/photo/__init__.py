"""Photos: from what a stranger sends to what a network is given.

`read` decodes, `seen_region` says which part the model sees, `prepare` makes the network's
input of it. Everything here is Pillow and NumPy.
"""

from .decoding import MAX_PIXELS, Photo, read
from .framing import find_framing, seen_region, to_box
from .preparing import prepare

__all__ = ["MAX_PIXELS", "Photo", "find_framing", "prepare", "read", "seen_region", "to_box"]
