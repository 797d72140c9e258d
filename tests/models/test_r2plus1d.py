from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from muybridge.models import create_model, list_models, model_info
from muybridge.models.cost import count_gflops
from muybridge.published import r2plus1d as published
from muybridge.types import ClipSpec
from muybridge.weights.remap import remap


def on_meta(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def test_r2plus1d_18_is_torchvisions(assert_same):
    torch.manual_seed(0)
    theirs = torchvision.models.video.r2plus1d_18(weights=None, num_classes=7).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    ours = create_model("r2plus1d_18", num_classes=7).eval()
    (reading,) = published.readings({key: tuple(t.shape) for key, t in theirs.state_dict().items()})
    assert (reading.origin, reading.model, reading.num_classes) == ("torchvision", "r2plus1d_18", 7)
    state, report = remap(theirs.state_dict(), ours.state_dict(), reading)
    assert report.is_complete
    ours.load_state_dict(state)
    clip = torch.randn(2, 3, 7, 45, 38)
    with torch.no_grad():
        assert_same(ours(clip), theirs(clip))


@pytest.mark.parametrize(
    ("name", "millions", "gflops", "size"),
    [
        pytest.param("r2plus1d_18", 31.505325, 40.519, 112, id="torchvision"),
        # VMZ's model zoo says 112 pixels, but its figures are those of 128.
        pytest.param("r2plus1d_34_32", 63.6, 199.0, 128, id="IG-65M, 32 frames, by VMZ"),
        pytest.param("r2plus1d_34_8", 63.6, 49.8, 128, id="IG-65M, 8 frames, by VMZ"),
        # MMAction2 counts at the size that it tests with.
        pytest.param("r2plus1d_r34_8x8", 63.8, 53.1, 256, id="MMAction2, 8 frames"),
        pytest.param("r2plus1d_r34_32x2", 63.8, 213, 256, id="MMAction2, 32 frames"),
    ],
)
def test_costs_are_the_published_ones(name, millions, gflops, size, assert_cost):
    assert_cost(name, millions=millions, gflops=gflops, size=size)


def test_r2plus1d_r50_costs_what_pytorchvideo_says_with_the_norms_that_it_counts():
    model = on_meta("r2plus1d_r50").eval()
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(28.11, rel=0.005)
    spec = ClipSpec(frames=16, size=256, short_side=256)
    normed = 0

    def count(_module, _inputs, output):
        nonlocal normed
        normed += output.numel()

    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.register_forward_hook(count)
    gflops = count_gflops(model, spec)
    # fvcore, which counted the published 76.45, adds five operations for each value that a batch norm sees.
    assert gflops + 5 * normed / 1e9 == pytest.approx(76.45, rel=0.001)


@pytest.mark.parametrize(
    ("name", "parameters"),
    # counted in Hara's own networks, 700 classes
    [
        ("resnet2p1d_18", 33_575_064),
        ("resnet2p1d_34", 63_901_400),
        ("resnet2p1d_50", 47_650_082),
        ("resnet2p1d_101", 86_715_810),
        ("resnet2p1d_152", 118_891_810),
        ("resnet2p1d_200", 128_100_642),
    ],
)
def test_haras_networks_have_as_many_parameters_as_his(name, parameters):
    assert sum(p.numel() for p in on_meta(name, num_classes=700).parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "expected"),
    # of the stem, and of the two convolutions of the first block of stages 2, 3 and 4
    [
        ("r2plus1d_18", [45, 230, 230, 460, 460, 921, 921]),
        ("r2plus1d_34_8", [45, 230, 288, 460, 576, 921, 1152]),
        ("r2plus1d_r34_8x8", [83, 230, 288, 460, 576, 921, 1152]),
        ("resnet2p1d_34", [110, 230, 288, 460, 576, 921, 1152]),
    ],
)
def test_middle_channels_are_those_of_each_origin(name, expected):
    stem, *others = (f"stages.{stage}.0.branch.{conv}" for stage in (0, 1, 2, 3) for conv in (0, 1))
    state = on_meta(name).state_dict()
    keys = ["stem", *others[1:]]
    assert [state[f"{key}.space.conv.weight"].shape[0] for key in keys] == expected
    assert state[f"{stem}.space.conv.weight"].shape[0] == 144


@pytest.mark.parametrize(
    ("name", "between", "after"),
    [
        ("r2plus1d_18", 1e-5, 1e-5),
        ("r2plus1d_34_32", 1e-3, 1e-3),
        # MMAction2's setting doesn't reach the norms between space and time.
        ("r2plus1d_r34_8x8", 1e-5, 1e-3),
        ("resnet2p1d_18", 1e-5, 1e-5),
        ("r2plus1d_r50", 1e-5, 1e-5),
    ],
)
def test_epsilons_are_those_of_each_origin(name, between, after):
    norms = {key: m.eps for key, m in on_meta(name).named_modules() if isinstance(m, nn.BatchNorm3d)}
    assert {eps for key, eps in norms.items() if key.endswith("space.norm")} == {between}
    assert {eps for key, eps in norms.items() if not key.endswith("space.norm")} == {after}


def test_pytorchvideos_network_looks_along_time_before_space():
    block = on_meta("r2plus1d_r50").stages[2][0].branch[1]
    assert list(dict(block.named_children())) == ["time", "space"]
    assert block.time.conv.stride == (2, 1, 1)
    assert block.space.conv.stride == (1, 2, 2)


def shapes_of_ig65m(num_classes):
    state = on_meta("r2plus1d_34_8", num_classes=num_classes).state_dict()
    shapes = {}
    for key, tensor in state.items():
        for ours, theirs in (
            ("stem.space.conv", "stem.0"),
            ("stem.space.norm", "stem.1"),
            ("stem.time.conv", "stem.3"),
            ("stem.time.norm", "stem.4"),
            ("head.linear", "fc"),
            ("shortcut.conv", "downsample.0"),
            ("shortcut.norm", "downsample.1"),
            ("space.conv", "0.0"),
            ("space.norm", "0.1"),
            ("time.conv", "0.3"),
            ("time.norm", "1"),
            ("branch.1", "conv2"),
            ("branch.0", "conv1"),
            *((f"stages.{stage}", f"layer{stage + 1}") for stage in range(4)),
        ):
            key = key.replace(ours, theirs)
        shapes[key] = tuple(tensor.shape)
    return shapes


@pytest.mark.parametrize(
    ("num_classes", "model", "twins", "labels"),
    [
        (359, "r2plus1d_34_32", (), ""),
        (487, "r2plus1d_34_8", (), ""),
        (400, "r2plus1d_34_32", ("r2plus1d_34_8",), "kinetics400"),
        (12, "r2plus1d_34_32", ("r2plus1d_34_8",), ""),
    ],
)
def test_the_number_of_hashtags_tells_how_many_frames_ig65ms_network_takes(num_classes, model, twins, labels):
    (reading,) = published.readings(shapes_of_ig65m(num_classes))
    assert (reading.origin, reading.model, reading.twins) == ("IG-65M", model, twins)
    assert reading.labels == labels


@pytest.mark.parametrize("weights", published.WEIGHTS, ids=lambda weights: weights.name)
def test_published_weights_name_a_model_and_its_clip(weights):
    assert weights.model in list_models()
    assert weights.name.startswith(f"{weights.model}.")
    own = model_info(weights.model).clip
    assert (weights.clip.frames, weights.clip.stride) == (own.frames, own.stride)
    assert (weights.clip.mean, weights.clip.std) == (own.mean, own.std)
    if weights.origin != "PyTorchVideo":  # it publishes no digest
        assert weights.sha256
        assert weights.url.endswith((f"-{weights.sha256}.pth",))


def test_torchvisions_weights_are_those_of_its_own_list():
    theirs = torchvision.models.video.R2Plus1D_18_Weights.KINETICS400_V1
    (ours,) = (weights for weights in published.WEIGHTS if weights.origin == "torchvision")
    assert ours.url == theirs.url
    assert ours.scores == {
        "top1": theirs.meta["_metrics"]["Kinetics-400"]["acc@1"],
        "top5": theirs.meta["_metrics"]["Kinetics-400"]["acc@5"],
    }
