"""Files that are not what they claim: the corpus, and a process with little memory to read it in.

`python -m tests.hostile MEGABYTES FILE ...` reads each file in a process that may take so many
megabytes more than it has at its start, and prints for each: "photo", "refused", or what else
became of it.
"""

from __future__ import annotations

import io
import random
import resource
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

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


def corpus() -> dict[str, bytes]:
    """All of them by name, but the huge ones."""
    return dict(damaged()) | dict(strange())


def main() -> None:
    from camdemo.errors import ImageError
    from camdemo.photo import read

    megabytes, *files = sys.argv[1:]
    read(encode(noise(), "PNG"))
    status = Path("/proc/self/status").read_text()
    there = 1024 * int(status.partition("VmSize:")[2].split()[0])
    most = there + int(megabytes) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for file in files:
        try:
            image = read(file)
            print("photo" if image.mode == "RGB" else image.mode)
        except ImageError as error:
            print("too much memory" if isinstance(error.__cause__, MemoryError) else "refused")


if __name__ == "__main__":
    main()
