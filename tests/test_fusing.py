"""All layers at once: by hand, and as the maps of the stages say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gradio.media import get_image

from camdemo import Explainer, methods
from camdemo.cli import main
from camdemo.errors import CamdemoError, ChoiceError
from camdemo.methods import fusing
from camdemo.records import LayerInfo, Rivals
from camdemo.viewer import scene

from .test_sweep import photo
from .tiny_models import Small, install

LION = get_image("lion.jpg")
STAGES = tuple(LayerInfo(f"s{i}", 2**i, 64 >> i, 32 >> i) for i in range(5))


@pytest.fixture
def explainer(monkeypatch: pytest.MonkeyPatch) -> Explainer:
    install(monkeypatch, lambda _spec: Small())
    return Explainer()


def test_by_hand() -> None:
    coarse, fine = np.array([[-4, 2]], np.float32), np.array([[0, 1, 2, 0]], np.float32)
    # [-1 1/2] on four cells: three quarters of the way lie between the middles.
    across = [-1, -1 + 0.25 * 1.5, -1 + 0.75 * 1.5, 0.5]
    expected = [(a + b / 2) / 3 for a, b in zip(across, [0, 1, 2, 0], strict=True)]
    nothing = np.zeros((1, 4), np.float32)  # counts, too
    found = methods.fuse([coarse, fine, nothing], 1, 4)
    np.testing.assert_allclose(found, [expected], rtol=1e-6)
    assert found.dtype == np.float32


def test_what_is_too_large_is_averaged_before_it_is_divided() -> None:
    cam = np.zeros((112, 112), np.float32)
    cam[:2, :2] = [[8, 0], [0, 0]]
    cam[2, 2] = -4
    found = methods.fuse([cam], 56, 56)
    assert (found[0, 0], found[1, 1], np.count_nonzero(found)) == (1, -0.5, 2)
    np.testing.assert_array_equal(scene.packets({("a", 1): cam}, "m")[0]["height"], 56)


def test_the_last_four_stages_on_the_finest_of_their_grids() -> None:
    finer = LayerInfo("s4.1", 8, 64, 64, stage=False)
    layer = methods.fused((*STAGES, finer))
    assert [part.name for part in layer.parts] == ["s1", "s2", "s3", "s4"]
    assert (layer.name, layer.height, layer.width, layer.stage) == ("all", 32, 16, False)
    assert layer.text == "all · 32 x 16 of s1, s2, s3, s4"
    # Of a row of one shape the last counts, unless there are too few others.
    again = (*STAGES[:3], replace(STAGES[3], name="conv"), *STAGES[3:])
    assert methods.fused(again) == layer
    alike = tuple(replace(STAGES[0], name=f"block {i}") for i in range(6))
    assert [part.name for part in methods.fused(alike).parts] == [
        f"block {i}" for i in (2, 3, 4, 5)
    ]
    few = (*alike[:3], *STAGES[3:])
    assert [part.name for part in methods.fused(few).parts] == ["block 1", "block 2", "s3", "s4"]
    assert methods.fused(STAGES[:1]).height == fusing.LARGEST_GRID == 56
    assert methods.find_layer(STAGES, "all") == methods.fused(STAGES)
    with pytest.raises(ChoiceError, match="all"):
        methods.find_layer(STAGES, "al")


@pytest.mark.parametrize("versus", [None, Rivals((292,)), Rivals((292, 3), 0.5)])
@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam", "gradcampp", "eigencam"])
def test_it_is_the_mean_of_the_maps_of_the_stages(method: str, versus: Rivals | None) -> None:
    if method == "eigencam":
        versus = None
    model, inputs = Small(), photo(64)
    found = methods.discover(model, 64)
    stages = [layer for layer in found if layer.stage]
    layer = methods.fused(found)
    cam, _ = methods.explain(model, layer, inputs, method, 291, versus)
    parts = [methods.explain(model, one, inputs, method, 291, versus)[0] for one in stages]
    size = (layer.height, layer.width)
    expected = sum(
        torch.nn.functional.interpolate(
            torch.from_numpy(part / np.abs(part).max())[None, None], size, mode="bilinear"
        )[0, 0].numpy()
        for part in parts
    ) / len(parts)
    assert cam.shape == size
    np.testing.assert_allclose(cam, expected, atol=1e-5)
    ((_, maps),) = methods.sweep(model, [layer, stages[0]], inputs, [291], [method], versus=versus)
    np.testing.assert_allclose(maps[method, "all"], cam, atol=1e-5)
    assert set(maps) == {(method, "all"), (method, stages[0].name)}


def test_explain_and_what_can_be_asked_further(explainer: Explainer) -> None:
    found = explainer.explain(LION, layer="all", target=3)
    assert found.layer.parts
    assert found.summary()["layer"] == "all"
    assert found.overlay().size == found.image.size
    every = found.maps(targets=[3, 4])
    stages = [layer.name for layer in explainer.layers(found.model.name) if layer.stage]
    assert set(every) == {(name, target) for name in (*stages, "all") for target in (3, 4)}
    np.testing.assert_allclose(every["all", 3], found.cam, atol=1e-6)
    (alone,) = found.maps(["all"], [4]).values()
    np.testing.assert_allclose(every["all", 4], alone, atol=1e-6)
    with pytest.raises(CamdemoError, match="CAM can't explain the layer 'all'"):
        explainer.explain(LION, layer="all", method="cam")


def test_a_duel_is_no_difference_of_two_means(explainer: Explainer) -> None:
    duel = explainer.explain(LION, layer="all", target=3, versus=4)
    sent = {(one["layer"], one["target"], *one["versus"]) for one in duel.packets(complete=False)}
    assert sent == {("all", 3, 4)}
    singles = duel.maps(["all"], [3, 4])
    assert np.abs(duel.cam - (singles["all", 3] - singles["all", 4])).max() > 0.05
    stages = duel.maps(targets=[3, 4])
    parts = [stages[part.name, 3] - stages[part.name, 4] for part in duel.layer.parts]
    expected = methods.fuse(parts, duel.layer.height, duel.layer.width)
    np.testing.assert_allclose(duel.cam, expected, atol=1e-5)


def test_the_command_line(
    explainer: Explainer, capsys: pytest.CaptureFixture, tmp_path: object
) -> None:
    assert main(["explain", LION, "--layer", "all", "--model", "resnet18"]) == 0
    assert ", all · 56 x 56 of first, second, Grad-CAM" in capsys.readouterr().out
    assert main(["layers", "resnet18"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all · 56 x 56 of first, second"


def test_the_viewer_knows_its_parts_and_where_a_method_is_not(explainer: Explainer) -> None:
    *layers, last = explainer.explain(LION, target=3).scene().as_json()["layers"]
    stages = [layer["name"] for layer in layers if layer["stage"]]
    assert (last["name"], last["parts"], last["stage"]) == ("all", stages, False)
    assert all(layer["parts"] == [] for layer in layers)
    lacks_cam = [layer["name"] for layer in (*layers, last) if "cam" in layer["without"]]
    assert stages[-1] not in lacks_cam
    assert {"all", stages[0]} < set(lacks_cam)
