"""Files that are not what they claim: the corpus, huge ones, and bombs."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int = 120, height: int = 80) -> Image.Image:
    """Noise, so that every part of the file matters."""
    values = np.random.default_rng(7).integers(0, 256, (height, width, 3))
    return Image.fromarray(values.astype(np.uint8))


def damaged() -> Iterator[tuple[str, bytes]]:
    """Files of every format, cut off and with flipped bits; a seed, so that they stay the same."""
    dice = random.Random(5)
    for kind in FORMATS:
        whole = encode(noise(), kind)
        for share in (0.02, 0.2, 0.5, 0.9, 0.99):
            yield f"{kind} cut at {share:.0%}", whole[: int(share * len(whole))]
        for number in range(30):
            flipped = bytearray(whole)
            # the headers, where the sizes are, more often than the pixels
            reach = 64 if number % 2 else len(whole)
            for _ in range(1 + number % 4):
                flipped[dice.randrange(min(reach, len(whole)))] ^= 1 << dice.randrange(8)
            yield f"{kind} flipped {number}", bytes(flipped)


def png(width: int, height: int, bits: int = 8, colours: int = 2, data: bytes = b"") -> bytes:
    """A PNG that claims a size; its pixels are what is given, or zeros as far as it takes."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    rows = data or bytes(min(height * (1 + width * channels * bits // 8), 300_000_000))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    made = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        made += struct.pack(">I", len(body)) + name + body
        made += struct.pack(">I", zlib.crc32(name + body))
    return made


def strange() -> Iterator[tuple[str, bytes]]:
    """Odd photos, and other things that claim to be one."""
    small = noise()
    yield "zero bytes", b""
    yield "1 x 1", encode(small.resize((1, 1)), "PNG")
    yield "1 x 20000", encode(small.resize((1, 20_000)), "PNG")
    yield "20000 x 1", encode(small.resize((20_000, 1)), "JPEG")
    yield "an animation", encode(small, "GIF", save_all=True, append_images=[small.rotate(90)] * 9)
    yield "16 bit", encode(Image.fromarray(np.full((9, 9), 40_000, np.uint16)), "PNG")
    yield "16 bit colour", png(4, 4, bits=16, colours=2)
    for mode, kind in [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF")]:
        yield f"{mode} {kind}", encode(small.convert(mode), kind)
    for mode in ("1", "L", "LA", "P", "RGBA", "I", "F"):
        kind = "TIFF" if mode == "F" else "PNG"
        yield f"{mode} {kind}", encode(small.convert("L").convert(mode), kind)
    yield "LAB TIFF", encode(Image.new("LAB", (9, 9)), "TIFF")
    yield "broken ICC", encode(small, "JPEG", icc_profile=b"\xff" * 700)
    yield "broken EXIF", encode(small, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    words = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x03up\0\0\0\0\0\0"
    yield "EXIF with a word for the orientation", encode(small, "JPEG", exif=words)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 2_000_000, zip=True)
    yield "a text bomb", encode(small, "PNG", pnginfo=text)
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "HTML", b"<!doctype html><script>fetch('/')</script>"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    yield "zip", buffer.getvalue()
    yield "a photo with a zip behind it", encode(small, "JPEG") + buffer.getvalue()
    yield "PDF", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj"
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"
    yield "random bytes", random.Random(3).randbytes(50_000)


def huge() -> Iterator[tuple[str, bytes]]:
    """Few bytes that become many: the first three are within the limits, the others are not."""
    yield "50 megapixels", encode(Image.new("RGB", (10_000, 5_000), "teal"), "JPEG")
    yield "50 megapixels, transparent", png(10_000, 5_000, colours=6)
    yield "50 megapixels, 16 bit", png(10_000, 5_000, bits=16, colours=0)
    yield "200 megapixels", png(20_000, 10_000, data=bytes(1000))
    yield "a bomb of 3600 megapixels", png(60_000, 60_000, bits=1, colours=0)
    yield "the largest PNG there can be", png(2**31 - 1, 2**31 - 1, data=bytes(1000))
    webp = bytearray(encode(noise(), "WEBP"))
    webp[26:30] = b"\xff\x3f\xff\x3f"  # 16383 x 16383, the most that WebP can say
    yield "a large WebP that is none", bytes(webp)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that keep a decoder busy for many seconds, and one that fills the memory."""
    progressive = encode(Image.new("RGB", (6000, 5000), "teal"), "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    yield "JPEG of 10,000 scans", progressive[:-2] + 10_000 * scan + b"\xff\xd9"
    whole = encode(noise(), "GIF")
    start = 13 + 3 * 2 ** (1 + (whole[10] & 7))  # behind the palette
    comments = 800_000 * b"!\xfe\x01x\0"
    yield "GIF of comments", whole[:start] + comments + whole[start:]
    yield "TIFF of a million strips", tiff(1, 10**6, 10**6, {278: 1}, (273, 279))
    yield "TIFF of tiles of a pixel", tiff(1000, 1000, 10**6, {322: 1, 323: 1}, (324, 325))
    yield "PNG a pixel wide", png(1, 49_999_999, colours=6)


def tiff(
    width: int, height: int, count: int, facts: dict[int, int], where: tuple[int, int]
) -> bytes:
    """A TIFF of so many parts, all of them the same bytes of the file.

    Args:
        facts: tags and their values, which say what a part is.
        where: the tags of the parts' places and of their lengths.
    """
    facts = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1} | facts
    begin = 8 + 2 + 12 * (len(facts) + 2) + 4
    lists = {where[0]: begin, where[1]: begin + 4 * count}
    tags = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in facts.items()]
    tags += [struct.pack("<HHII", tag, 4, count, place) for tag, place in lists.items()]
    table = b"".join(sorted(tags, key=lambda tag: struct.unpack("<H", tag[:2])))
    places, lengths = count * struct.pack("<I", 8), count * struct.pack("<I", 1)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + table + bytes(4)
    return head + places + lengths + bytes(1000)


def corpus() -> dict[str, bytes]:
    """All of them by name, but the huge ones and the bombs."""
    return dict(damaged()) | dict(strange())
