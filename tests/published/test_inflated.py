from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet50

from muybridge.models import create_model
from muybridge.published import Reading, inflated, slowfast
from muybridge.weights.remap import remap


def lively_image_network() -> torch.nn.Module:
    torch.manual_seed(0)
    network = resnet50(weights=None).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


def image_maps(network: torch.nn.Module, image: Tensor) -> Tensor:
    for name, module in network.named_children():
        if name == "avgpool":
            return image
        image = module(image)
    raise AssertionError


@pytest.mark.parametrize(
    ("name", "frames"),
    # So many that the padding at both ends is out of the middle frame's sight.
    [("c2d_r50", 4), ("c2d_r50_nopool", 3), ("slow_r50_8x8", 21), ("i3d_r50_8x8", 40), ("i3d_r50_32x2", 136)],
)
def test_a_film_that_stands_still_gives_the_image_networks_maps(name, frames):
    network = lively_image_network()
    state = network.state_dict()
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    (reading,) = [reading for reading in inflated.readings(shapes) if reading.model == name]
    assert reading.inflates
    model = create_model(name, num_classes=2).eval()
    grown, report = remap(state, model.state_dict(), reading)
    assert report.is_complete
    model.load_state_dict(grown, strict=False)
    image = torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        expected = image_maps(network, image)
        maps = model.features(image.unsqueeze(2).expand(-1, -1, frames, -1, -1))
    middle = maps[:, :, maps.shape[2] // 2]
    assert expected.abs().max() > 0.1
    assert ((middle - expected).abs().max() / expected.abs().max()).item() < 1e-5


def test_mmactions_c2d_is_an_image_network_with_two_other_pools():
    network = lively_image_network()
    state = network.state_dict()
    readings = inflated.readings({key: tuple(tensor.shape) for key, tensor in state.items()})
    (reading,) = [reading for reading in readings if reading.model == "c2d_r50"]
    model = create_model("c2d_r50", num_classes=2, stem_pool_padding=False).eval()
    model.load_state_dict(remap(state, model.state_dict(), reading)[0], strict=False)
    network.maxpool.padding = 0
    clip = torch.randn(1, 3, 4, 70, 70)
    with torch.no_grad():
        early = network.maxpool(network.relu(network.bn1(network.conv1(clip[0].transpose(0, 1)))))
        pairs = network.layer1(early).unflatten(0, (2, 2)).amax(1)
        expected = network.layer4(network.layer3(network.layer2(pairs)))
        maps = model.features(clip)[0].transpose(0, 1)
    assert maps.shape == expected.shape
    assert ((maps - expected).abs().max() / expected.abs().max()).item() < 1e-5


def key_list(shared: Path, name: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a published file, without wrappers."""
    shapes = {}
    for line in (shared / "keys" / f"{name}.txt").read_text().splitlines():
        if fields := re.match(r"([^#\t]\S*)\t.*?\(([\d, ]*)\)", line):
            shapes[fields[1].removeprefix("model.")] = tuple(int(n) for n in re.findall(r"\d+", fields[2]))
    return shapes


def found(shared: Path, name: str) -> list[Reading]:
    shapes = key_list(shared, name)
    return [*inflated.readings(shapes), *slowfast.readings(shapes)]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "models", "options"),
    [
        ("mm_c2d_r50", ["c2d_r50"], {"stem_pool_padding": False, "sliding": None}),
        ("mm_i3d_r50_nl", ["i3d_r50_32x2"], {"pool_first": False, "scaled": False, "kind": "softmax"}),
        ("mm_slowonly_r50_nl", ["slow_r50_8x8"], {"scaled": True, "blocks": ((), (0, 2), (0, 2, 4), ())}),
        ("pytorchvideo_c2d_r50", ["c2d_r50"], {"sliding": True}),
        ("slowfast_c2d_nopool_8x8_r50", ["c2d_r50", "c2d_r50_nopool"], {}),
        (
            "slowfast_i3d_nln_8x8_r50",
            ["i3d_r50_8x8"],
            {"pool_first": True, "scaled": True, "kind": "softmax"},
        ),
        ("slowfast_ptv_slow_8x8_r50", ["slow_r50_8x8"], {"sliding": True}),
        ("mm_slowfast_r50_4x16", ["slowfast_r50_4x16"], {"alpha": 8, "fusion_norm": False, "sliding": False}),
        ("mm_slowfast_r50_steplr_lateralnorm", ["slowfast_r50_8x8"], {"alpha": 4, "fusion_norm": True}),
        ("pytorchvideo_slowfast_r101", ["slowfast_r101_8x8"], {"alpha": 4, "fusion_kernel": 5}),
        ("slowfast_slowfast_nln_16x8_r101_50_50", ["slowfast_r101_16x8"], {"kind": "dot_product"}),
        ("slowfast_ava_slow_8x8_r50", [], {}),
        ("mm_posec3d", [], {}),
    ],
)
def test_keys_and_shapes_tell_the_network(name, models, options, shared):
    readings = found(shared, name)
    assert [reading.model for reading in readings] == models
    for reading in readings:
        told = {**reading.options, **reading.options.get("non_local", {})}
        assert {option: told.get(option) for option in options} == options


@pytest.mark.shared
def test_gaussian_blocks_have_no_projections(shared):
    shapes = key_list(shared, "mm_i3d_r50_nl")
    shapes = {key: shape for key, shape in shapes.items() if not re.search(r"\.(theta|phi)\.", key)}
    (reading,) = inflated.readings(shapes)
    assert reading.options["non_local"]["kind"] == "gaussian"


@pytest.mark.shared
def test_a_network_trained_without_labels_opens_without_a_classifier(shared):
    shapes = key_list(shared, "slowfast_moco_slow_r50")
    (reading,) = inflated.readings(shapes)
    with torch.device("meta"):
        model = create_model(reading.model, num_classes=2)
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    _, report = remap(state, model.state_dict(), reading)
    assert report.is_complete
    assert len(report.used) == len(model.state_dict()) - 2
    assert {"backbone_hist.s1.pathway0_stem.conv.weight", "queue_x"} <= set(report.ignored)


@pytest.mark.shared
def test_fed_as_the_origin_does(shared):
    (mmaction,) = found(shared, "mm_slowonly_r50")
    assert mmaction.clip is not None
    assert mmaction.clip.mean == (0.485, 0.456, 0.406)
    (something,) = found(shared, "slowfast_ssv2_slowfast_16x8_r50")
    assert something.clip is not None
    assert (something.clip.sampling, something.clip.frames) == ("segments", 64)
