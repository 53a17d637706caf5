"""The randomisation check: networks that have forgotten, and what their maps have in common."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from camdemo import methods
from camdemo.engine import LocalEngine, Randomised, Rank, SharedEngine
from camdemo.methods import folding
from camdemo.methods.randomising import _groups, cascade
from camdemo.models import CATALOGUE, networks
from camdemo.records import LayerInfo
from camdemo.trust.randomisation import Randomisation

from .pickling_engine import PicklingEngine
from .tiny_models import Small, install

MODEL = CATALOGUE.names[0]
INPUTS = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)
CAM = np.arange(49, dtype=np.float32).reshape(7, 7) - 24


def cascaded(network: nn.Module, steps: int = 50, seed: int = 0, method: str = "gradcam") -> dict:
    layers = methods.discover(network, 64)
    stages = [layer.name for layer in layers if layer.stage]
    inputs = torch.from_numpy(INPUTS)
    explain = explaining(layers[-1], inputs, method)
    return dict(cascade(networks.twin(network), explain, stages, steps, seed))


def explaining(layer: LayerInfo, inputs: Tensor, method: str = "gradcam") -> Callable:
    return lambda network: methods.explain(network, layer, inputs, method, 5)[0]


# -- networks that have forgotten


def test_it_begins_behind_the_last_stage_and_ends_with_everything() -> None:
    assert list(cascaded(Small())) == ["second", "first", ""]
    assert list(cascaded(Small(), steps=2)) == ["second", ""]
    assert list(cascaded(Small(), steps=1)) == [""]


def test_what_is_forgotten_is_initialised_anew() -> None:
    network = Small()
    twin = networks.twin(network)
    layers = methods.discover(network, 64)
    explain = explaining(layers[-1], torch.from_numpy(INPUTS))
    steps = cascade(twin, explain, ["first", "second"], 3, 0)
    assert next(steps)[0] == "second"
    assert twin.head.weight.std() == pytest.approx((2 / 8) ** 0.5, rel=0.05)  # 8 inputs
    assert abs(twin.head.weight.mean()) < 0.05
    assert (twin.head.bias == 0).all()
    for name in ("first", "second"):  # not yet
        for mine, theirs in zip(
            twin.get_submodule(name).state_dict().values(),
            network.get_submodule(name).state_dict().values(),
            strict=True,
        ):
            assert mine is theirs or (mine == theirs).all()
    head = twin.head.weight.clone()
    assert next(steps)[0] == "first"
    norm = twin.second[1]
    assert all((each == 1).all() for each in (norm.weight, norm.running_var))
    assert all((each == 0).all() for each in (norm.bias, norm.running_mean))
    assert (twin.first[0].weight == network.first[0].weight).all()
    next(steps)
    assert (twin.first[0].weight != network.first[0].weight).all()
    assert (twin.head.weight == head).all()  # the same as in the step before


def test_the_network_itself_keeps_everything() -> None:
    network = Small()
    before = copy.deepcopy(network.state_dict())
    cascaded(network)
    after = network.state_dict()
    assert all((after[name] == value).all() for name, value in before.items())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_seed_is_what_changes_a_map() -> None:
    one, again, other = (cascaded(Small(), seed=seed) for seed in (0, 0, 1))
    for stage, cam in one.items():
        assert (cam == again[stage]).all()
        assert (cam != other[stage]).any()


def test_a_prepared_network_is_read_as_it_is() -> None:
    plain = Small()
    prepared = folding.Prepared(plain, copy.deepcopy(plain), "second")
    stages = ["first", "second"]
    layers = methods.discover(plain, 64)
    inputs = torch.from_numpy(INPUTS)
    steps = cascade(networks.twin(prepared), explaining(layers[-1], inputs), stages, 3, 0)
    for (_, found), expected in zip(steps, cascaded(plain).values(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_behind_a_stage_is_what_runs_after_it(name: str) -> None:
    """By the order of execution, and not by how the network registers its parts."""
    spec = CATALOGUE.find(name)
    network = networks.skeleton(spec)
    layers = methods.discover(network, spec.transform.crop)
    groups = _groups(network, [layer.name for layer in layers if layer.stage])
    slots = [full_name for _, group in groups for _, _, full_name in group]
    arrays = [*network.named_parameters(), *network.named_buffers()]
    assert sorted(slots) == sorted(each for each, value in arrays if value.is_floating_point())
    assert all(group for _, group in groups)

    order: list[str] = []
    for each, module in network.named_modules():
        if next(module.children(), None) is None:
            module.register_forward_hook(lambda _m, _i, _o, each=each: order.append(each))
    with torch.no_grad():
        network(torch.zeros(1, 3, spec.transform.crop, spec.transform.crop, device="meta"))
    names = {module: each for each, module in network.named_modules()}
    behind: set[str] = set()
    for stage, group in groups[:-1]:
        behind |= {names[module] for module, _, _ in group if names[module] in order}
        last = max(i for i, each in enumerate(order) if f"{each}.".startswith(stage + "."))
        assert all(order.index(each) > last for each in behind), stage


# -- through the engine


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda _: Small())


def job_of(**facts: object) -> Randomised:
    asked = {
        "model": MODEL,
        "layer": methods.discover(Small(), 64)[-1],
        "method": "gradcam",
        "inputs": INPUTS,
        "target": 5,
        "versus": None,
        "stages": ("first", "second"),
        "steps": 3,
        "seeds": (0, 1),
        "rank": Rank.YARDSTICK,
    }
    return Randomised(**asked | facts)


def test_an_engine_answers_for_every_seed_and_step(toys: None) -> None:
    local = LocalEngine()
    for engine in (local, SharedEngine(PicklingEngine(local))):
        found = engine.run(job_of())
        assert found.behind == ("second", "first", "")
        assert found.maps.shape == (2, 3, *found.maps.shape[2:])
        assert found.maps.dtype == np.float32
        for seed, maps in enumerate(found.maps):
            expected = list(cascaded(Small(), seed=seed).values())
            np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


def test_the_network_in_the_lane_stays_what_it_was(toys: None) -> None:
    engine = LocalEngine()
    spec = CATALOGUE.find(MODEL)
    with engine._networks.borrowed(spec) as network:
        before = {name: (value, value.clone()) for name, value in network.state_dict().items()}
        hooks = [len(module._forward_hooks) for module in network.modules()]
    engine.run(job_of())
    with engine._networks.borrowed(spec) as network:
        after = network.state_dict()
        assert [len(module._forward_hooks) for module in network.modules()] == hooks
    assert after.keys() == before.keys()
    for name, (same, value) in before.items():
        assert after[name].data_ptr() == same.data_ptr()  # nobody's twin got left behind
        assert (after[name] == value).all()


# -- what it says


def similar(first: np.ndarray, last: np.ndarray) -> Randomisation:
    return Randomisation(CAM, ("second", ""), np.stack([first, last])[np.newaxis])


NOISE = np.random.default_rng(3).permutation(49).reshape(7, 7).astype(np.float32) - 24


def test_likeness() -> None:
    found = Randomisation(
        CAM, ("a", "b", ""), np.stack([[CAM, -2 * CAM, NOISE], [CAM**3, 0 * CAM, CAM]])
    )
    assert found.signed[:, :2] == pytest.approx(np.array([[1, -1], [1, 0]]))
    assert found.absolute[:, :2] == pytest.approx(np.array([[1, 1], [1, 0]]))
    assert found.ssims[0, :2] == pytest.approx(1)  # whatever its sign and size
    assert abs(found.ssims[0, 2]) < 0.5
    assert found.signed.shape == found.ssims.shape == (2, 3)


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        (NOISE, NOISE, "another one: it depends on what was learned."),
        (CAM, NOISE, "another one, but it hardly heeds the last weights."),
        (CAM, CAM, "nearly the same: it does not depend on what was learned."),
        (NOISE, -CAM, "nearly the same"),
        (NOISE, CAM + 1.2 * NOISE, "in part the same"),
    ],
)
def test_words(first: np.ndarray, last: np.ndarray, says: str) -> None:
    found = similar(first, last)
    assert abs(found.signed[0, -1]) < 0.3 or last is not NOISE
    assert says in found.text
    assert found.text.startswith("With a random network this map ")
    assert found.text.endswith("with random weights behind second.")


def test_words_of_one_step() -> None:
    found = Randomisation(CAM, ("second",), CAM[np.newaxis, np.newaxis])
    assert found.text == (
        "With random weights behind second this map stays nearly the same: it does not depend on "
        "what was learned. Rank correlation with the map itself: 1.00 with random weights behind "
        "second."
    )
