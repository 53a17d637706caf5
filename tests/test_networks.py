"""Weights files become networks that answer as torchvision's and timm's own do.

The real files of torchvision are downloads; files of random numbers under their names, with
the entries and the spellings of the real ones, take their place.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from camdemo.errors import WeightsError
from camdemo.models import catalogue, networks, sources, weights

from .tiny_models import Small, randomise

TORCHVISION = [spec.name for spec in catalogue.CATALOGUE if spec.source == "torchvision"]
BUNDLED = [spec.name for spec in catalogue.CATALOGUE if spec.source == "bundled"]
TIMM = [spec.name for spec in catalogue.CATALOGUE if spec.source == "timm"]
# Published before 2020: pickled as one stream, without counts of the batches.
OLD_FILES = {"vgg16", "squeezenet1_1", "densenet121"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty torch hub folder, emptied again: the files are large."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    yield checkpoints
    for file in checkpoints.iterdir():
        file.unlink()


def source_of(name: str) -> sources.Source:
    return catalogue.CATALOGUE.source_of(catalogue.find(name))


def reference(name: str) -> nn.Module:
    """torchvision's own network, as its builder makes it for these weights, with random numbers."""
    heads = {"transform_input": True, "init_weights": False, "aux_logits": True}
    options = heads if name in ("googlenet", "inception_v3") else {}
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model = torchvision.models.get_model(name, **options)
    model = model.to_empty(device="cpu").eval()
    pool = torch.rand(1 << 18, generator=torch.Generator().manual_seed(0)).mul_(2).sub_(1)
    for key, value in model.state_dict().items():
        if key.endswith("relative_position_index"):
            continue  # Swin's table of neighbours, no numbers that were learned
        if not value.is_floating_point():
            value.zero_()
        else:
            # Drawing 138 million numbers for VGG-16 would take longer than all the rest.
            numbers = pool.roll(len(key)).repeat(value.numel() // len(pool) + 1)
            numbers = numbers[: value.numel()].view_as(value)
            if value.dim() > 1:  # keeps the signal's size from layer to layer
                numbers = numbers * (6 / value[0].numel()) ** 0.5
            elif key.endswith("bias") or "mean" in key:
                numbers = numbers * 0.1
            else:  # scales and variances
                numbers = 1 + numbers / 2
            value.copy_(numbers)
    for module in model.modules():  # what was lost on the meta device
        if hasattr(module, "define_relative_position_index"):
            module.define_relative_position_index()
    return model.requires_grad_(False)


def as_published(name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries as the published file spells them."""
    if name == "densenet121":
        numbered = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])")
        state = {numbered.sub(r"\1.\2", key): value for key, value in state.items()}
    if name == "vit_b_16":
        state = {
            key.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): value
            for key, value in state.items()
        }
    if name in OLD_FILES:
        state = {key: value for key, value in state.items() if "num_batches" not in key}
    return state


def write(name: str, state: object) -> Path:
    path = weights.path_of(catalogue.find(name))
    torch.save(state, path, _use_new_zipfile_serialization=name not in OLD_FILES)
    return path


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_networks(name):
    spec, theirs = catalogue.find(name), reference(name)
    write(name, as_published(name, theirs.state_dict()))
    ours = networks.load(spec)

    check_ready(ours, spec.channels_last)
    if spec.channels_last:
        theirs = theirs.to(memory_format=torch.channels_last)
    side = 224 if name == "vit_b_16" else 96  # only this one insists; the others are faster so
    inputs = torch.randn(1, 3, side, side)
    with torch.inference_mode():
        expected, logits = theirs(inputs), ours(inputs)
    assert logits.shape == (1, 1000)
    assert 1e-3 < expected.std() < 1e6  # neither dead nor exploding: a wrong number would show
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_networks(name):
    """Against the same entries put in place by their names, where ours go by their order."""
    spec = catalogue.find(name)
    ours = networks.load(spec)
    check_ready(ours, spec.channels_last)
    theirs = timm.create_model(f"tf_{name}", pretrained=False).eval()
    state = torch.load(weights.path_of(spec), weights_only=True)
    theirs.load_state_dict(to_timm(state, theirs))
    entries = ours.state_dict()
    assert all(torch.equal(value, entries[key]) for key, value in theirs.state_dict().items())
    inputs = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        # Not to the bit: the file keeps the classifier's matrix transposed in memory.
        torch.testing.assert_close(ours(inputs), theirs(inputs), rtol=1e-4, atol=1e-4)


def to_timm(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The Lites' entries under timm's names.

    The file counts its blocks through and calls what a block holds by its role; timm counts
    by stage, and in the first stage, which does not expand, from one lower.
    """
    blocks = [f"blocks.{i}.{j}" for i, stage in enumerate(model.blocks) for j in range(len(stage))]
    outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head"}
    outside |= {"_bn1": "bn2", "_fc": "classifier"}
    roles = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
    expanding = dict(
        zip(roles, ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"], strict=True)
    )
    plain = dict(zip(roles[2:], ["conv_dw", "bn1", "conv_pw", "bn2"], strict=True))
    renamed = {}
    for key, value in state.items():
        *path, role, kind = key.split(".")
        if path:
            block = blocks[int(path[1])]
            inside = plain if block.startswith("blocks.0.") else expanding
            renamed[f"{block}.{inside[role]}.{kind}"] = value
        else:
            renamed[f"{outside[role]}.{kind}"] = value
    return renamed


@pytest.mark.parametrize("name", TIMM)
def test_timm_networks(name):
    spec = catalogue.find(name)
    theirs = randomise(timm.create_model(name, pretrained=False)).eval()
    write(name, theirs.state_dict())
    ours = networks.load(spec)
    check_ready(ours, spec.channels_last)
    if spec.channels_last:
        theirs = theirs.to(memory_format=torch.channels_last)
    inputs = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        expected, logits = theirs(inputs), ours(inputs)
    assert logits.shape == (1, 1000)
    assert 1e-3 < expected.std() < 1e6
    assert torch.equal(logits, expected)


def check_ready(network: nn.Module, channels_last: bool) -> None:
    assert not any(module.training for module in network.modules())
    tensors = [*network.parameters(), *network.buffers()]
    assert not any(tensor.is_meta for tensor in tensors)
    assert not any(tensor.requires_grad for tensor in tensors)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert all(each.is_contiguous(memory_format=layout) for each in tensors if each.dim() == 4)


# ---------------------------------------------------------------- files that will not do


def check_refused(name: str) -> None:
    """Names the file, says what to do, and keeps torch's own advice out of it."""
    spec = catalogue.find(name)
    path = weights.path_of(spec)
    with pytest.raises(WeightsError) as refused:
        networks.load(spec)
    message = str(refused.value)
    assert message.startswith(f"{path} is not the weights file of {spec.title}, or it is damaged.")
    assert f"Delete it. It is looked for as {path.name}" in message
    assert f"fetch {name}" in message
    assert "weights_only" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "content", [b"", b"no weights", b"<html>Sign in to the hotel's network</html>", bytes(10_000)]
)
def test_damaged_files(content):
    weights.path_of(catalogue.find("squeezenet1_1")).write_bytes(content)
    check_refused("squeezenet1_1")


@pytest.mark.parametrize("name", ["squeezenet1_1", "regnet_y_400mf"])  # both kinds of file
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_truncated_files(name, share):
    path = write(name, reference(name).state_dict())
    os.truncate(path, int(path.stat().st_size * share))
    check_refused(name)


def test_a_missing_file():
    check_refused("resnet18")


def test_the_file_of_another_network():
    write("mobilenet_v2", reference("squeezenet1_1").state_dict())
    check_refused("mobilenet_v2")


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_a_file_with_other_entries(change):
    state = reference("squeezenet1_1").state_dict()
    if change == "missing":
        del state["features.0.weight"]
    elif change == "extra":
        state["features.99.weight"] = torch.zeros(1)
    else:
        state["features.0.weight"] = torch.zeros(64, 3, 5, 5)
    write("squeezenet1_1", state)
    check_refused("squeezenet1_1")


@pytest.mark.parametrize("state", [None, 7, [torch.zeros(1)], {"state_dict": {}}, {1: 2}])
def test_a_file_that_holds_something_else(state):
    write("squeezenet1_1", state)
    check_refused("squeezenet1_1")


class Intruder:
    """Unpickled in good faith, this makes a folder; it could do anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])  # both kinds of file
def test_code_in_a_file_does_not_run(name, tmp_path):
    path = write(name, {"features.0.weight": Intruder(tmp_path / "been here")})
    check_refused(name)
    assert not (tmp_path / "been here").exists()
    torch.load(path, weights_only=False)  # it would have
    assert (tmp_path / "been here").exists()


def test_the_bundled_file_of_another_lite(monkeypatch):
    lite0, lite1 = (catalogue.find(f"efficientnet_lite{number}") for number in (0, 1))
    other = weights.path_of(lite1)
    monkeypatch.setattr(sources.Bundled, "path", lambda *_: other)
    with pytest.raises(WeightsError, match=r"not the weights file of EfficientNet-Lite0.*install"):
        networks.load(lite0)


# ---------------------------------------------------------------- the rest


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_a_skeleton_has_no_numbers(name):
    skeleton = networks.skeleton(catalogue.find(name))
    assert all(tensor.is_meta for tensor in [*skeleton.parameters(), *skeleton.buffers()])
    assert not any(module.training for module in skeleton.modules())
    numbers = sum(parameter.numel() for parameter in skeleton.parameters())
    # torchvision's count of Inception includes the auxiliary head, which is left out here.
    auxiliary = 3_326_696 if name == "inception_v3" else 0
    assert numbers + auxiliary == catalogue.find(name).parameters


@pytest.mark.parametrize("name", TORCHVISION)
def test_addresses(name):
    url = source_of(name).url(catalogue.find(name))
    assert url.startswith("https://")
    assert url.endswith(f"/models/{catalogue.find(name).weights}")


def test_fetch_leaves_what_is_there():
    path = write("resnet18", {})
    assert weights.fetch(catalogue.find("resnet18")) == path
    lite = catalogue.find("efficientnet_lite0")
    assert weights.fetch(lite) == weights.path_of(lite)


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_labels(name):
    labels = source_of(name).labels(catalogue.find(name))
    assert len(labels) == 1000
    # As the numbers are known everywhere.
    assert [labels[i] for i in (0, 281, 291, 293, 967)] == [
        *("tench", "tabby", "lion", "cheetah", "espresso")
    ]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 17])
def test_a_batch_gets_an_answer_each_in_its_order(count):
    batch = np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32)
    found = networks.logits(Small(), batch)
    assert found.shape == (count, 1000)
    assert found.dtype == np.float32
    for given, answer in zip(batch, found, strict=True):
        expected = Small()(torch.from_numpy(given[np.newaxis]))[0]
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-5)


def test_a_twin_shares_the_numbers_and_not_the_hooks():
    network = networks.load(catalogue.find("efficientnet_lite0"))
    twin = networks.twin(network)
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        assert one is other
    for one, other in zip(network.buffers(), twin.buffers(), strict=True):
        assert one is other
    twin.bn2.register_forward_hook(lambda *_: pytest.fail("the hook of the other one ran"))
    batch = np.zeros((1, 3, 224, 224), np.float32)
    networks.logits(network, batch)
    assert not twin.training
    with pytest.raises(pytest.fail.Exception):
        networks.logits(twin, batch)
