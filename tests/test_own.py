"""A network of one's own: taken as it is, left as it was, explained like the others."""

from __future__ import annotations

import copy
import json
import threading
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from gradio.media import get_image
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

import camdemo
from camdemo import CamdemoError, ChoiceError, Explainer, Settings
from camdemo.engine import LocalEngine, SharedEngine
from camdemo.models import Transform
from camdemo.models.outputs import logits_of
from camdemo.records import Interpolation

from . import oracles
from .pickling_engine import PicklingEngine
from .tiny_models import Small

LION = get_image("lion.jpg")
SMALL = Transform(36, 32, "bilinear", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
NAMES = ["cat", "dog", "lion"]


def added(model: object, **given: Any) -> Explainer:
    return Explainer().add(model, **({"transform": SMALL} | given))


class Ending(nn.Module):
    """A small network whose answer goes through something more."""

    def __init__(self, end: Callable[[Tensor], Any], labels: int = 3) -> None:
        super().__init__()
        self.body = Small(labels=labels)
        self.end = end

    def forward(self, x: Tensor) -> Any:
        return self.end(self.body(x))


# -- the plain case


def test_it_is_explained_like_the_others() -> None:
    model = Small(labels=3)
    explainer = added(model, labels=NAMES)
    assert explainer.default_model() == "small"
    found = explainer.explain(LION)
    assert found.model.name == "small"
    assert found.layer.name == "second"
    assert {each.label for each in found.predictions} == set(NAMES)
    inputs = torch.from_numpy(found.inputs)
    expected = oracles.captum(model, found.layer, inputs, found.target.index)
    np.testing.assert_allclose(found.cam, expected, rtol=1e-4, atol=1e-6)
    shares = model(inputs).softmax(1)[0]
    np.testing.assert_allclose(found.probabilities, shares, rtol=1e-4)
    assert (
        "lion" in explainer.explain(LION, target="lion", versus="cat").summary()["target"].values()
    )


def test_the_others_are_there_beside_it() -> None:
    explainer = added(Small(), name="mine")
    assert explainer.models()[-1].name == "mine"
    assert explainer.models()[-1].ready
    assert explainer.explain(LION, model="efficientnet_lite0").target.label == "lion"


def test_the_first_one_answers_by_default_unless_a_default_was_chosen() -> None:
    both = added(Small(), name="a").add(Small(1), name="b", transform=SMALL)
    assert both.default_model() == "a"
    assert not both.opening_note()
    chosen = Explainer(Settings(model="efficientnet_lite0")).add(Small(), transform=SMALL)
    assert chosen.default_model() == "efficientnet_lite0"


def test_every_test_of_a_map_is_there_for_it() -> None:
    found = added(Small(labels=3)).explain(LION)
    assert found.hide(found.box).before == found.target
    assert found.scores().values
    assert found.deletion(steps=2, orders=1).area >= 0
    assert found.randomised(steps=2, draws=1).text
    assert found.completeness() is not None
    assert "class 2" in found.to_html()


@pytest.mark.parametrize("framing", ["crop", "whole", "fit"])
def test_its_input_need_not_be_a_square(framing: str) -> None:
    wide = replace(SMALL, resize=40, crop=(24, 48))
    explainer = added(Small(labels=3), transform=wide, labels=NAMES)
    found = explainer.explain(LION, framing=framing)
    assert found.inputs.shape == (1, 3, 24, 48)
    assert found.cam.shape == (5, 11)  # two convolutions of 3 x 3, each with a stride of 2
    assert found.scores().values
    assert found.deletion(steps=2, orders=1).area >= 0
    occluded = explainer.explain(LION, method="occlusion", window=8, stride=4, framing=framing)
    assert occluded.cam.shape == (24, 48)
    assert found.scene().as_json()["input_size"] == (48, 24)
    assert "lion" in found.to_html()
    # what lies on the right half of what the model saw is on the right half of its input
    box = found.box.within(*found.image.size)
    right = replace(box, left=(box.left + box.right) // 2)
    (rows, columns) = np.nonzero(np.asarray(found.hidden(right)) != np.asarray(found.hidden(box)))[
        :2
    ]
    assert columns.max() <= 24
    assert {rows.min(), rows.max()} == {0, 23} or framing == "fit"


def test_its_name() -> None:
    explainer = added(Small()).add(Small(), transform=SMALL)
    assert [spec.name for spec in explainer.models()[-2:]] == ["small", "small_2"]
    for taken in ("small", "mobilenet_v2"):
        with pytest.raises(CamdemoError, match=f"'{taken}'"):
            explainer.add(Small(), name=taken, transform=SMALL)
    for wrong in ("", "a b", "../x", "x" * 81, "é", 7, "-a"):
        with pytest.raises(CamdemoError, match="name"):
            explainer.add(Small(), name=wrong, transform=SMALL)


def test_a_shared_engine_knows_it_and_one_that_is_elsewhere_does_not() -> None:
    shared = Explainer(engine=SharedEngine(LocalEngine()))
    assert shared.add(Small(), transform=SMALL).explain(LION).model.name == "small"
    with pytest.raises(CamdemoError, match="engine"):
        Explainer(engine=PicklingEngine(LocalEngine())).add(Small(), transform=SMALL)


# -- it is left as it was found


def test_the_model_is_left_as_it_was_found() -> None:
    model = Small(labels=3)
    model.train().requires_grad_(True)
    model.second.eval()  # a mode for each module
    model.head.weight.grad = torch.ones(3, 8)
    seen: list[Tensor] = []
    model.second.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    dtype = {name: value.dtype for name, value in model.state_dict().items()}
    parameters = [id(each) for each in model.parameters()]
    hooks = copy.copy(model.second._forward_hooks)

    found = added(model).explain(LION, layer="first")
    found.scores()
    found.randomised(steps=2, draws=1)

    assert [each.training for each in (model, model.first, model.second)] == [True, True, False]
    assert all(each.requires_grad for each in model.parameters())
    assert parameters == [id(each) for each in model.parameters()]
    assert torch.equal(model.head.weight.grad, torch.ones(3, 8))
    assert model.first[0].weight.grad is None
    assert model.second._forward_hooks == hooks
    assert not any(each._forward_hooks for each in (model, model.first, model.head))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == dtype[name]


def test_what_is_explained_does_not_change_while_the_model_is_trained_on() -> None:
    model = Small(labels=3)
    explainer = added(model)
    first = explainer.explain(LION)
    with torch.no_grad():
        for each in model.parameters():
            each.zero_()
    np.testing.assert_array_equal(explainer.explain(LION).cam, first.cam)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_becomes_float32_in_the_copy(dtype: torch.dtype) -> None:
    model = Small(labels=3).to(dtype)
    found = added(model).explain(LION)
    assert found.cam.dtype == np.float32
    assert next(model.parameters()).dtype == dtype


class Locked(Small):
    """Holds what can't be copied."""

    def __init__(self) -> None:
        super().__init__(labels=3)
        self.lock = threading.Lock()


def test_what_can_not_be_copied_is_explained_by_one_at_a_time() -> None:
    model = Locked()
    explainer = Explainer(Settings(lanes=2)).add(model, transform=SMALL)
    expected = added(Small(labels=3)).explain(LION)
    found: list[np.ndarray] = []

    def ask() -> None:
        for _ in range(2):
            found.append(explainer.explain(LION).cam)
            explainer.explain(LION).maps()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 6
    for cam in found:
        np.testing.assert_allclose(cam, expected.cam, rtol=1e-4, atol=1e-6)
    assert not any(each._forward_hooks for each in model.modules())
    with pytest.raises(CamdemoError, match="can't be copied"):
        explainer.explain(LION).randomised(steps=1, draws=1)


def test_what_wraps_it_is_left_aside() -> None:
    model = Small(labels=3)
    expected = added(model).explain(LION).cam
    compiled = nn.Module()
    compiled._orig_mod = model  # as torch.compile keeps it
    for wrapped in (nn.DataParallel(model), compiled):
        explainer = added(wrapped)
        assert explainer.default_model() == "small"
        np.testing.assert_array_equal(explainer.explain(LION).cam, expected)


# -- its answers


Pair = namedtuple("Pair", ("logits", "features"))
OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "a tuple": lambda x: (x, x.sum()),
    "a list": lambda x: [x],
    "a dict": lambda x: {"features": x.sum(), "logits": x},
    "a dict of one": lambda x: {"classes": x},
    "a dict in a tuple": lambda x: ({"logits": x}, None),
    "a named tuple": lambda x: Pair(x, x.sum()),
    "an object with logits": lambda x: SimpleNamespace(loss=None, logits=x),
    "a map of one cell": lambda x: x[:, :, None, None],
}


@pytest.mark.parametrize("end", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_outputs_that_are_understood(end: Callable[[Tensor], Any]) -> None:
    found = added(Ending(end)).explain(LION)
    expected = added(Small(labels=3)).explain(LION)
    np.testing.assert_array_equal(found.cam, expected.cam)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert found.without(np.eye(32, dtype=bool)).shape == (3,)  # in a batch, too


STRANGE: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "a grid": (lambda x: x[:, :, None, None].expand(1, 3, 4, 4), "a tensor 1 x 3 x 4 x 4"),
    "nothing": (lambda x: None, "NoneType"),
    "two by unknown names": (lambda x: {"a": x, "b": x}, "a dict of 2 .*'a': a tensor 1 x 3"),
    "an empty tuple": (lambda x: (), "a tuple"),
    "whole numbers": (lambda x: x.argmax(1), "a tensor 1 "),
    "nothing to differentiate": (lambda x: x.detach(), "differentiated"),
    "not a number": (lambda x: x * float("nan"), "not a number"),
}


@pytest.mark.parametrize(("end", "words"), STRANGE.values(), ids=STRANGE.keys())
def test_others_are_refused_with_what_came(end: Callable[[Tensor], Any], words: str) -> None:
    explainer = Explainer()
    with pytest.raises(CamdemoError, match=words):
        explainer.add(Ending(end), transform=SMALL)
    assert "ending" not in [spec.name for spec in explainer.models()]


def test_logits_of_a_batch() -> None:
    for squeezed in (torch.zeros(4), torch.zeros(4, 1), torch.zeros(4, 1, 1, 1)):
        assert logits_of(squeezed, 4).shape == (4, 1)
    assert logits_of(torch.tensor(0.5), 1).shape == (1, 1)
    with pytest.raises(CamdemoError, match="4 photos"):
        logits_of(torch.zeros(3, 5), 4)


# -- softmax, sigmoid


class Finished(nn.Module):
    """A small network whose last module makes probabilities."""

    def __init__(self, last: nn.Module, labels: int = 3) -> None:
        super().__init__()
        self.body, self.last = Small(labels=labels), last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x))


ENDS = {
    "softmax": (nn.Softmax(1), "softmax"),
    "log softmax": (nn.LogSoftmax(1), "softmax"),
    "sigmoid": (nn.Sigmoid(), "sigmoid"),
}


@pytest.mark.parametrize(("last", "activation"), ENDS.values(), ids=ENDS.keys())
def test_a_last_module_that_makes_probabilities_is_none(last: nn.Module, activation: str) -> None:
    model = Finished(last)
    found = added(model).explain(LION)
    expected = added(Small(labels=3), activation=activation).explain(LION)
    assert found.model.activation == activation
    np.testing.assert_array_equal(found.cam, expected.cam)  # of the logit
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert not last._forward_hooks


def test_probabilities_within_forward_are_undone_and_it_is_said() -> None:
    expected = added(Small(labels=3), activation="sigmoid").explain(LION)
    found = added(Ending(torch.sigmoid)).explain(LION)
    np.testing.assert_allclose(found.cam, expected.cam, rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=1e-4)
    assert "sigmoid" in found.model.note
    found = added(Ending(lambda x: functional.softmax(x, 1))).explain(LION)
    shares = Small(labels=3)(torch.from_numpy(found.inputs)).softmax(1)[0]
    np.testing.assert_allclose(found.probabilities, shares, rtol=1e-4)
    assert "logarithm" in found.model.note


def test_a_sigmoid_inside_the_network_is_none_at_its_end() -> None:
    class Gated(Small):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * torch.sigmoid(x.mean())

    assert added(Gated(labels=3)).explain(LION).model.activation == "softmax"


def test_several_labels_may_be_true() -> None:
    model = Small(labels=3)
    found = added(model, activation="sigmoid").explain(LION)
    expected = torch.sigmoid(model(torch.from_numpy(found.inputs)))[0]
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-4)
    hidden = found.without(np.ones((32, 32), bool), "mean")
    grey = np.zeros((1, 3, 32, 32), np.float32)
    expected = torch.sigmoid(model(torch.from_numpy(grey)))[0]
    np.testing.assert_allclose(hidden, expected, rtol=1e-4)


def test_one_logit_is_one_label_or_that_it_is_not_and_that_it_is() -> None:
    model = Small(labels=1)
    one = added(model).explain(LION)
    assert [each.label for each in one.predictions] == ["class 0"]
    share = float(torch.sigmoid(model(torch.from_numpy(one.inputs))))
    assert one.predictions[0].probability == pytest.approx(share, rel=1e-4)
    two = added(model, labels=["no cat", "cat"]).explain(LION, target="cat")
    assert two.probabilities == pytest.approx([1 - share, share], rel=1e-4)
    np.testing.assert_allclose(two.cam, one.cam, rtol=1e-5, atol=1e-7)
    other = two.maps(["second"], ["no cat"])["second", 0]
    np.testing.assert_allclose(other, -one.cam, rtol=1e-5, atol=1e-7)


def test_an_activation_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CamdemoError, match="ends with a sigmoid"):
        added(Finished(nn.Sigmoid()), activation="softmax")
    with pytest.raises(ChoiceError, match="softmax, sigmoid"):
        added(Small(), activation="tanh")


def test_what_hugging_faces_networks_say_of_themselves() -> None:
    model = Ending(lambda x: SimpleNamespace(logits=x))
    model.config = SimpleNamespace(
        id2label={0: "cat", 1: "dog", 2: "lion"}, problem_type="multi_label_classification"
    )
    explainer = added(model)
    assert explainer.labels() == tuple(NAMES)
    assert explainer.explain(LION).model.activation == "sigmoid"


# -- labels


def test_labels_are_a_list_a_mapping_or_a_file(tmp_path: Path) -> None:
    lines, listed, mapped = (tmp_path / name for name in ("a.txt", "b.json", "c.json"))
    lines.write_text("cat\r\ndog\n\n lion \n", encoding="utf-8")
    listed.write_text(json.dumps(NAMES), encoding="utf-8")
    mapped.write_text(json.dumps(dict(enumerate(NAMES))), encoding="utf-8")
    model = Small(labels=3)
    for labels in (NAMES, tuple(NAMES), dict(enumerate(NAMES)), lines, str(listed), mapped):
        assert added(model, labels=labels).labels() == tuple(NAMES)
    assert added(model).labels() == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["cat", "dog"], "2 labels.* 3 numbers"),
        (["cat", "", "dog"], "no name"),
        ({0: "cat", 2: "dog", 3: "lion"}, "0, 1, 2"),
        (7, "neither a list nor a file"),
        ("no/such/file.txt", r"no/such/file\.txt"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: object, words: str) -> None:
    with pytest.raises(CamdemoError, match=words):
        added(Small(labels=3), labels=labels)


# -- what is none


def test_what_can_not_be_explained_is_refused_in_words() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    wrong: list[tuple[object, str]] = [
        (Small, "instance"),
        (7, "torch.nn.Module"),
        (nn.Conv2d(1, 3, 3), "1 x 3 x 32 x 32"),
        (flat, "No layer"),
        (torch.jit.script(nn.Flatten()), "scripted"),
        (Small().to("meta"), "without numbers"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), "without numbers"),
    ]
    for model, words in wrong:
        explainer = Explainer()
        with pytest.raises(CamdemoError, match=words):
            explainer.add(model, transform=SMALL)
        assert explainer.models() == Explainer().models()


# -- the page


def test_serve_opens_the_page_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    monkeypatch.setattr("camdemo.ui.server.serving.serve", lambda *given: opened.append(given))
    camdemo.serve(Small(labels=3), labels=NAMES, transform=SMALL)
    ((explainer, deck),) = opened
    assert deck is None
    assert explainer.default_model() == "small"
    assert explainer.labels() == tuple(NAMES)


# -- channels


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_photos_and_those_with_opacity(channels: int) -> None:
    class Other(Small):
        def __init__(self) -> None:
            super().__init__(labels=3)
            self.first[0] = nn.Conv2d(channels, 4, 3, 2)

    model = Other().eval()
    transform = Transform(36, 32, "bilinear", (0.0,) * channels, (1.0,) * channels)
    found = added(model, transform=transform).explain(LION)
    assert found.inputs.shape == (1, channels, 32, 32)
    colours = added(Small(labels=3), transform=replace(transform, mean=(0.0,) * 3, std=(1.0,) * 3))
    red, green, blue = colours.explain(LION).inputs[0]
    if channels == 1:
        expected = 0.299 * red + 0.587 * green + 0.114 * blue
        np.testing.assert_allclose(found.inputs[0, 0], expected, atol=1e-5)
    else:
        np.testing.assert_array_equal(found.inputs[0], [red, green, blue, np.ones_like(red)])
    share = model(torch.from_numpy(found.inputs)).softmax(1)[0].detach()
    np.testing.assert_allclose(found.probabilities, share, rtol=1e-4)
    for fill in ("blur", "mean", "noise"):
        assert np.isfinite(found.without(np.eye(32, dtype=bool), fill)).all()
    shown = np.asarray(found.hidden(found.box, keep=True))  # nothing is hidden
    assert shown.shape == (32, 32, 3)
    seen = [found.inputs[0, 0]] * 3 if channels == 1 else [red, green, blue]
    np.testing.assert_allclose(shown, 255 * np.stack(seen, axis=-1), atol=0.51)


@pytest.mark.parametrize("how", get_args(Interpolation))
def test_a_photo_is_resized_as_its_transform_says(how: Interpolation) -> None:
    transform = replace(SMALL, interpolation=how)
    found = added(Small(labels=3), transform=transform).explain(LION, framing="whole")
    small = Image.open(LION).convert("RGB").resize((32, 32), Image.Resampling[how.upper()])
    mean, std = (np.array(each)[:, None, None] for each in (SMALL.mean, SMALL.std))
    expected = (np.asarray(small).transpose(2, 0, 1) / 255 - mean) / std
    np.testing.assert_allclose(found.inputs[0], expected, atol=1e-5)
