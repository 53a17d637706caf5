"""Time bombs: small files that take a decoder minutes, or gigabytes. Each is made in a moment."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from tests import hostile

SIDE = 7000  # pixels: 49 megapixels, just within the limit


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_of_scans(scans: int = 10_000, side: int = SIDE) -> bytes:
    """A progressive JPEG, each of whose scans says of all blocks that nothing is new."""
    huffman = bytes([0x10, 1, *bytes(15), 0xE0])  # one code, 0: an end of up to 32767 blocks
    blocks = (-(-side // 8)) ** 2
    runs = -(-blocks // 32767)
    bits = ("0" + "1" * 14) * runs  # the code, and how long the run is
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    scan = _segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + packed
    head = _segment(0xDB, bytes([0, *[1] * 64]))
    head += _segment(0xC2, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0))
    return b"\xff\xd8" + head + _segment(0xC4, huffman) + scan * scans + b"\xff\xd9"


def _gif(extensions: bytes) -> bytes:
    """One pixel of grey behind extensions."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\x77" * 6
    return head + extensions + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0;"


def gif_of_comments(count: int = 800_000) -> bytes:
    """Comments, each of which may be added to all that were before."""
    return _gif(b"\x21\xfe\x01x\0" * count)


def gif_of_one_comment(blocks: int = 60_000) -> bytes:
    """The same in the blocks of one comment."""
    return _gif(b"\x21\xfe" + (b"\xff" + b"x" * 255) * blocks + b"\0")


def gif_of_extensions(count: int = 3_900_000) -> bytes:
    """Extensions of which nobody knows, a byte in each."""
    return _gif(b"\x21\x01\x01x\0" * count)


def _tiff(width: int, height: int, fields: list[tuple[int, int, list[int]]]) -> bytes:
    """A grey TIFF. A field is its tag, its type (3: 16 bits, 4: 32) and values, in order."""
    wide, entries, values = {3: "H", 4: "I"}, b"", b""
    fields = sorted([*fields, (256, 4, [width]), (257, 4, [height]), (258, 3, [8]), (262, 3, [1])])
    start = 8 + 2 + 12 * len(fields) + 4
    for tag, kind, numbers in fields:
        packed = struct.pack(f"<{len(numbers)}{wide[kind]}", *numbers)
        if len(packed) > 4:
            place, values = struct.pack("<I", start + len(values)), values + packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(numbers)) + place
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 8) + directory + values


def tiff_of_strips(height: int = 2_300_000) -> bytes:
    """A strip for each row, and one pixel in it: all of them the same byte of the file."""
    fields = [(259, 3, [1]), (273, 4, [8] * height), (278, 4, [1]), (279, 4, [1] * height)]
    return _tiff(1, height, fields)


def tiff_of_tiles(side: int = 1500, compression: int = 1) -> bytes:
    """Tiles of one pixel; 32773: in packed bits, for which Pillow asks libtiff."""
    count = side * side
    fields = [(259, 3, [compression]), (322, 4, [1]), (323, 4, [1])]
    return _tiff(side, side, [*fields, (324, 4, [8] * count), (325, 4, [2] * count)])


def png_of_chunks(count: int = 1_500_000) -> bytes:
    """Chunks of which nobody knows, without anything in them."""
    empty = struct.pack(">I4sI", 0, b"aaAa", zlib.crc32(b"aaAa"))
    small = hostile.png(1, 1)
    return small[:33] + empty * count + small[33:]


def png_of_a_line() -> bytes:
    """One pixel wide, transparent, and as tall as may be."""
    return hostile.png(1, 49_999_999, colours=6)


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
    "a JPEG of 10,000 scans": jpeg_of_scans,
    "a GIF of 800,000 comments": gif_of_comments,
    "a GIF of one comment of 15 MB": gif_of_one_comment,
    "a GIF of 3.9 million extensions": gif_of_extensions,
    "a TIFF of 2.3 million strips": tiff_of_strips,
    "a TIFF of tiles of one pixel": tiff_of_tiles,
    "a TIFF of packed tiles of one pixel": lambda: tiff_of_tiles(compression=32773),
    "a PNG of 1.5 million chunks": png_of_chunks,
    "a PNG of 1 x 49,999,999": png_of_a_line,
    "a BMP of runs": bmp_of_runs,
    "a BMP of a far step": bmp_of_a_far_step,
}


def bombs() -> Iterator[tuple[str, bytes]]:
    """All of them by name."""
    for name, make in BOMBS.items():
        yield name, make()
