"""The notebook's code behind a plain Gradio page: `python -m benchmarks.plain_page`.

Written as people write such a page: the photo and the settings go to one function, which runs
the notebook's cells and returns a picture and the labels; whatever is changed runs it again.
As in notebook.py, where such pages differ the faster habit is taken: the picture is sent as a
JPEG. Gradio's default, WebP, takes 25 times as long to encode, most of a second for 12 megapixels.
"""

from __future__ import annotations

import cv2
import gradio as gr
import numpy as np
from gradio.media import get_image
from PIL import Image

from camdemo.models import catalogue, sources

from . import notebook

MODEL = "efficientnet_lite0"
LAYERS = [*(f"blocks.{number}" for number in range(7)), "bn2"]
RANKS = ["most probable", "second", "third", "fourth", "fifth"]
COLORMAPS = {
    "jet": cv2.COLORMAP_JET,
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
    "cividis": cv2.COLORMAP_CIVIDIS,
}
EXAMPLES = ("cheetah.jpg", "lion.jpg", "tower.jpg")


def draw(photo: np.ndarray, cam: np.ndarray, opacity: float, colormap: str) -> np.ndarray:
    """The map stretched over the whole photo, min-max scaled. uint8 (H, W, 3), RGB."""
    values = (cam - cam.min()) / (cam.max() - cam.min() + 1e-8)
    large = cv2.resize(values, (photo.shape[1], photo.shape[0]))
    heat = cv2.applyColorMap(np.uint8(255 * large), COLORMAPS[colormap])
    heat = cv2.cvtColor(heat, cv2.COLOR_BGR2RGB)
    return cv2.addWeighted(photo, 1 - opacity, heat, opacity, 0)


def build() -> gr.Blocks:
    """The page, with the model loaded."""
    model, transform = notebook.load(catalogue.find(MODEL))
    labels = sources.imagenet_labels()

    def explain(
        image: Image.Image | None, layer: str, rank: str, opacity: float, colormap: str
    ) -> tuple[np.ndarray, dict[str, float]] | tuple[None, None]:
        if image is None:
            return None, None
        inputs = transform(image).unsqueeze(0)
        values, indices = notebook.predict(model, inputs)
        target = int(indices[RANKS.index(rank)])
        cam = notebook.grad_cam(model, model.get_submodule(layer), inputs, target)
        picture = draw(np.array(image), cam, opacity, colormap)
        probabilities = zip(indices.tolist(), values.tolist(), strict=True)
        return picture, {labels[index]: value for index, value in probabilities}

    with gr.Blocks(title="Grad-CAM") as demo:
        gr.Markdown("# Grad-CAM")
        with gr.Row():
            with gr.Column():
                image = gr.Image(type="pil", label="Photo", elem_id="photo")
                layer = gr.Dropdown(LAYERS, value=LAYERS[-1], label="Layer", elem_id="layer")
                label = gr.Dropdown(RANKS, value=RANKS[0], label="Label", elem_id="label")
                opacity = gr.Slider(0, 1, value=0.5, step=0.05, label="Opacity", elem_id="opacity")
                colormap = gr.Dropdown(
                    list(COLORMAPS), value="jet", label="Colour map", elem_id="colormap"
                )
                gr.Examples([[get_image(name)] for name in EXAMPLES], [image], elem_id="examples")
            with gr.Column():
                picture = gr.Image(label="Heat map", format="jpeg", elem_id="picture")
                scores = gr.Label(num_top_classes=5, label="Labels")
        inputs = [image, layer, label, opacity, colormap]
        gr.on([one.change for one in inputs], explain, inputs, [picture, scores])
    return demo


if __name__ == "__main__":
    build().launch()
