"""What the measurements stand on: a photo, and weights files where torchvision's are missing."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from gradio.media import get_image
from PIL import Image
from torch import Tensor, nn

from camdemo import photo
from camdemo.models import catalogue, sources, weights
from camdemo.records import ModelSpec

PHOTO = "cheetah.jpg"  # it ships inside the gradio package


def photo_bytes(width: int, height: int) -> bytes:
    """The photo, cut to the proportions and resized, as the bytes of a JPEG file."""
    with Image.open(get_image(PHOTO)) as photo:
        whole = photo.convert("RGB")
    tall = min(whole.height, round(whole.width * height / width))
    wide = min(whole.width, round(tall * width / height))
    part = whole.crop((0, 0, wide, tall)).resize((width, height), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    part.save(file, "JPEG", quality=92)
    return file.getvalue()


def film(path: Path, name: str = "lion.jpg", frames: int = 10, rate: int = 10) -> Path:
    """A photo that moves to and fro, 320 x 240: what Chromium's pretended camera plays for ever."""
    with Image.open(get_image(name)) as photo:
        whole = photo.convert("RGB")
    side = min(whole.width // 4, whole.height // 3)
    part = whole.resize((344, 258), box=(0, 0, 4 * side, 3 * side))
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W320 H240 F%d:1 Ip A1:1\n" % rate)
        for number in range(frames):
            shift = 12 + round(12 * np.sin(2 * np.pi * number / frames))
            pixels = np.asarray(part.crop((shift, 9, shift + 320, 249)))
            file.write(b"FRAME\n" + cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def photo_tensor(spec: ModelSpec) -> Tensor:
    """The photo as this model wants it: float32 (1, 3, side, side)."""
    image = photo.read(get_image(PHOTO))
    return torch.from_numpy(photo.prepare(image, "crop", spec))


@contextmanager
def weights_at_hand(names: list[str]) -> Iterator[list[str]]:
    """Within this context, the weights files of these models can be loaded.

    Real ones are used where they are. For the others, files of random numbers are written
    into a temporary torch hub folder, so that the code that loads and runs is the real one:
    the time does not depend on the numbers.

    Yields:
        The names of the models that run on random numbers.
    """
    specs = [catalogue.find(name) for name in names]
    missing = [spec for spec in specs if not weights.is_ready(spec)]
    if not missing:
        yield []
        return
    hub = sources.hub_folder()
    real = [path for path in map(weights.path_of, specs) if path.parent == hub]
    before = os.environ.get("TORCH_HOME")
    with tempfile.TemporaryDirectory(prefix="camdemo-bench-") as folder:
        os.environ["TORCH_HOME"] = folder
        hub = sources.hub_folder()
        hub.mkdir(parents=True)
        try:
            for path in filter(Path.is_file, real):
                shutil.copy(path, hub)
            for spec in missing:
                torch.save(_random_network(spec).state_dict(), weights.path_of(spec))
            yield [spec.name for spec in missing]
        finally:
            del os.environ["TORCH_HOME"]
            if before is not None:
                os.environ["TORCH_HOME"] = before


def _random_network(spec: ModelSpec) -> nn.Module:
    """Its source's network with random numbers, its values in the range of a trained one.

    As it is initialised, MobileNetV2 answers with values of 1e-9, and one more block like
    its own would reach the numbers that processors handle slowly. One batch in training mode
    lets the normalisation layers learn the size of what they get.
    """
    import timm
    import torchvision

    torch.manual_seed(0)
    is_theirs = spec.name in torchvision.models.list_models()
    build = torchvision.models.get_model if is_theirs else timm.create_model
    network = build(spec.name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # take the batch's statistics instead of approaching them
    with torch.no_grad():
        photo = photo_tensor(spec)
        network.train()(torch.cat([photo, photo.flip(3), photo.flip(2), -photo]))
    return network.eval()
