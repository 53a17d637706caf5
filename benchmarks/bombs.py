"""Time bombs: small files that take a decoder minutes, or gigabytes. Each is made in a moment."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from tests import hostile

SIDE = 7000  # pixels: 49 megapixels, just within the limit


def _gif(extensions: bytes) -> bytes:
    """One pixel of grey behind extensions."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\x77" * 6
    return head + extensions + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0;"


def gif_of_one_comment(blocks: int = 60_000) -> bytes:
    """Blocks of a comment, each of which may be added to all that were before."""
    return _gif(b"\x21\xfe" + (b"\xff" + b"x" * 255) * blocks + b"\0")


def gif_of_extensions(count: int = 3_900_000) -> bytes:
    """Extensions of which nobody knows, a byte in each."""
    return _gif(b"\x21\x01\x01x\0" * count)


def png_of_chunks(count: int = 1_500_000) -> bytes:
    """Chunks of which nobody knows, without anything in them."""
    empty = struct.pack(">I4sI", 0, b"aaAa", zlib.crc32(b"aaAa"))
    small = hostile.png(1, 1)
    return small[:33] + empty * count + small[33:]


def _bmp(width: int, height: int, bits: int, compression: int, data: bytes) -> bytes:
    colours = bytes(4 << bits)
    start = 14 + 40 + len(colours)
    head = struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start)
    head += struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return head + colours + data


def bmp_of_runs(side: int = SIDE) -> bytes:
    """Runs of half bytes, each of which Pillow unpacks in Python."""
    line = b"\xff\x12" * (side // 255) + bytes([side % 255, 0x12]) + b"\0\0"
    return _bmp(side, side, 4, 2, line * side)


def bmp_of_a_far_step(width: int = 2_400_000) -> bytes:
    """Four bytes that go 255 rows on, in a picture that has one."""
    return _bmp(width, 1, 8, 1, b"\0\x02\0\xff")


BOMBS: dict[str, Callable[[], bytes]] = {
    "GIF of one comment of 15 MB": gif_of_one_comment,
    "GIF of 3.9 million extensions": gif_of_extensions,
    "PNG of 1.5 million chunks": png_of_chunks,
    "BMP of runs": bmp_of_runs,
    "BMP of a far step": bmp_of_a_far_step,
}


def bombs() -> Iterator[tuple[str, bytes]]:
    """All of them by name, with those of the tests."""
    yield from hostile.bombs()
    for name, make in BOMBS.items():
        yield name, make()
