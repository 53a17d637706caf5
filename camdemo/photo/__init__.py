"""Photos: from what a stranger sends to what a network is given.

`read` decodes, `seen_region` says which part the model sees, `prepare` makes the network's
input of it, `photo_part` says which pixels of that show the photo, and `picture` shows it. All is
Pillow and NumPy.
"""

from .decoding import MAX_PIXELS, Photo, read
from .framing import find_framing, photo_part, seen_region, to_box
from .preparing import picture, prepare

__all__ = [
    "MAX_PIXELS",
    "Photo",
    "find_framing",
    "photo_part",
    "picture",
    "prepare",
    "read",
    "seen_region",
    "to_box",
]
