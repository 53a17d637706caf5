"""make bench-timm: whether every family of timm's networks can be explained.

    python -m benchmarks.families [NAME ...]      # all families, or these networks

Of each family one of the smallest members, with random weights, is handed to `Explainer.add` as
anybody's network is. Its map at the default layer and at every stage must be finite and not the
same everywhere, and equal to Captum's LayerGradCam on the bare network where the layer's output is
N x C x H x W, and where it is tokens or channels last to a fold written by hand. Each runs in a
process of its own, for a bounded time. A network that is refused counts as not explained, with the
reason; one whose map is not the oracle's is wrong.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

SECONDS = 300  # for one family
LIKE = 1e-4  # of the map's range: as near as two ways of adding up float32 come
MEMBERS = """
beit_base_patch16_224 halonet_h1 test_byobnet cait_xxs24_224 coat_lite_tiny convit_tiny
convmixer_768_32 test_convnext cpubone_nano crossvit_tiny_240 csatv2 darknet17 cspnext_tiny
davit_tiny deepseek_vit_412m deit_tiny_patch16_224 densenet121 dla46x_c dpn48b
edgenext_xx_small efficientformer_l1 efficientformerv2_s0 efficientnet_lite0 efficientvim_m1
efficientvit_b0 efficientvit_m0 eva02_tiny_patch14_224 fasternet_t0 fastvit_t8
focalnet_tiny_srf gcvit_xxtiny gemma4_vit_167m ghostnet_050 hardcorenas_a hgnetv2_b0
hiera_tiny_224 hieradet_small hrnet_w18_small iformer_t inception_next_atto inception_resnet_v2
inception_v3 inception_v4 lcnetv2_small levit_128s lowformer_b0 test_mambaout
coatnet_pico_rw_224 poolformer_s12 gmlp_ti16_224 lcnet_035 mobilenetv5_300m mobilevit_xxs
mvitv2_tiny naflexvit_base_patch16_gap nasnetalarge nest_tiny nextvit_small test_nfnet
pit_ti_224 pnasnet5large pvt_v2_b0 qwen3_vit_88m rdnet_tiny regnetx_002 repghostnet_050
repvit_m0_9 res2net50_14w_8s resnest14d resnet10t resnetv2_18 rexnet_100 selecsls42
legacy_seresnet18 sequencer2d_s shvit_s1 skresnet18 starnet_s050 swiftformer_xs
swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 swinv2_cr_tiny_224 tiny_vit_5m_224
tnt_s_patch16_224 tresnet_m twins_svt_small vgg11 visformer_tiny test_vit vit_tiny_r_s16_p8_224
test_vit_relpos samvit_base_patch16_224 vitamin_small_224 volo_d1_224 ese_vovnet19b_slim_dw
legacy_xception xception41 xcit_nano_12_p16_224
""".split()  # noqa: SIM905 (a list of one name a line would be a page)


@dataclass(frozen=True)
class Row:
    """What became of one network: `state` is "equal", "refused", "wrong" or "failed"."""

    name: str
    state: str
    default: str = ""
    stages: int = 0
    by_captum: int = 0
    reason: str = ""
    seconds: float = 0.0


def check(name: str) -> Row:
    """One network by its name in timm."""
    import timm
    import torch

    from camdemo import CamdemoError, Explainer
    from camdemo.methods import find_layer
    from tests.tiny_models import randomise

    started = time.perf_counter()
    network = randomise(timm.create_model(name, pretrained=False)).eval()
    photo = (torch.rand(320, 320, 3, generator=torch.Generator().manual_seed(1)) * 255).byte()
    try:
        explainer = Explainer().add(network, name="it")
        found = explainer.explain(photo.numpy())
    except CamdemoError as error:
        return Row(name, "refused", reason=str(error), seconds=time.perf_counter() - started)
    maps = found.maps(targets=[found.target.index])
    straighten(network)  # for the oracle: what explains is a copy
    inputs, wrong, by_captum = torch.from_numpy(found.inputs), [], 0
    for (layer, target), cam in maps.items():
        expected, is_captum = oracle(network, find_layer(found.layers, layer), inputs, target)
        by_captum += is_captum
        span = float(expected.max() - expected.min())
        off = float(abs(torch.from_numpy(cam) - expected).max())
        if not (span > 0 and off <= LIKE * max(span, float(expected.abs().max()))):
            wrong.append(f"{layer} is off by {off / span if span else 0:.1e}")
    state = "wrong" if wrong else "equal"
    seconds = time.perf_counter() - started
    return Row(name, state, found.layer.text, len(maps), by_captum, "; ".join(wrong[:3]), seconds)


def oracle(network: Any, layer: Any, inputs: Any, target: int) -> tuple[Any, bool]:
    """The map of a layer (h, w) on the bare network, and whether it is Captum's."""
    import torch
    from captum.attr import LayerGradCam

    kept: list[Any] = []
    module = network.get_submodule(layer.name)
    handle = module.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    with torch.no_grad():
        network(inputs)
    handle.remove()
    shape = getattr(kept[0], "shape", ())
    if shape[1:] == (layer.channels, layer.height, layer.width):
        identity = torch.nn.Identity()
        handle = module.register_forward_hook(
            lambda _module, _inputs, output: identity(output.detach().requires_grad_()).clone()
        )
        with torch.enable_grad():
            cam = LayerGradCam(network, identity).attribute(inputs, target)[0, 0].detach()
        handle.remove()
        return cam, True
    leaves: list[Any] = []

    def leaf(_module: Any, _inputs: Any, output: Any) -> Any:
        parts = list(output) if isinstance(output, tuple | list) else [output]
        place = next(i for i, part in enumerate(parts) if _is_it(part, layer))
        leaves.append(parts[place].detach().requires_grad_())
        parts[place] = leaves[0].clone()
        return type(output)(parts) if isinstance(output, tuple | list) else parts[0]

    handle = module.register_forward_hook(leaf)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(network(inputs)[0, target], leaves[0])
    handle.remove()
    a, g = (_folded(each[0].detach().double(), layer) for each in (leaves[0], gradient))
    return torch.einsum("c,chw->hw", g.mean(dim=(1, 2)), a), False


def straighten(network: Any) -> None:
    """See `camdemo.methods.backward`: of a transposed gradient PyTorch's norms make a wrong one."""
    import torch

    def hook(_module: Any, _inputs: Any, output: Any) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient.contiguous())

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.register_forward_hook(hook)


def _is_it(part: Any, layer: Any) -> bool:
    cells = layer.height * layer.width
    numbers = getattr(part, "numel", lambda: 0)()
    return numbers % layer.channels == 0 and cells <= numbers // layer.channels <= cells + 5


def _folded(values: Any, layer: Any) -> Any:
    """By hand: channels last (H, W, C), or tokens (tokens, C) whose last ones are the patches."""
    shape = (layer.channels, layer.height, layer.width)
    if tuple(values.shape) == shape:
        return values
    return values.reshape(-1, layer.channels)[-layer.height * layer.width :].T.reshape(shape)


# -- each in a process of its own


def _work(name: str, answer: Connection) -> None:
    warnings.filterwarnings("ignore")
    try:
        row = check(name)
    except BaseException as error:  # what a network does is told, and the next one goes on
        text = str(error).strip().partition("\n")[0]
        row = Row(name, "failed", reason=f"{type(error).__name__}: {text}")
    answer.send(row)


def bounded(name: str) -> Row:
    """The same, within `SECONDS`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(name, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if ours.poll(SECONDS):
            return ours.recv()
        return Row(name, "failed", reason=f"no answer within {SECONDS} s")
    except EOFError:
        return Row(name, "failed", reason="its process ended")
    finally:
        process.kill()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="Whether timm's families can be explained.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="default: one of each family")
    names = parser.parse_args().names or MEMBERS
    print("| Network | Maps | Default layer | Stages | By Captum | Seconds |")
    print("|---|---|---|--:|--:|--:|")
    rows = []
    for name in names:
        row = bounded(name)
        rows.append(row)
        facts = f"{row.default or row.reason} | {row.stages} | {row.by_captum} | {row.seconds:.0f}"
        print(f"| `{row.name}` | {row.state} | {facts} |", flush=True)
        if row.state == "wrong":
            print(f"  {row.reason}", file=sys.stderr)
    equal = sum(row.state == "equal" for row in rows)
    print(f"\n{equal} of {len(rows)} families are explained ({100 * equal / len(rows):.0f} %).")


if __name__ == "__main__":
    main()
