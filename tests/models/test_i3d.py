from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from muybridge.models import create_model, model_info
from muybridge.models.i3d import SameConv, SamePool, same_padding
from muybridge.video.transforms import TestTransform

# Quo Vadis, figure 3, for a batch of 8 clips of 32 frames of 224x224.
ENDPOINTS = {
    "Conv3d_1a_7x7": (8, 64, 16, 112, 112),
    "MaxPool3d_2a_3x3": (8, 64, 16, 56, 56),
    "Conv3d_2b_1x1": (8, 64, 16, 56, 56),
    "Conv3d_2c_3x3": (8, 192, 16, 56, 56),
    "MaxPool3d_3a_3x3": (8, 192, 16, 28, 28),
    "Mixed_3b": (8, 256, 16, 28, 28),
    "Mixed_3c": (8, 480, 16, 28, 28),
    "MaxPool3d_4a_3x3": (8, 480, 8, 14, 14),
    "Mixed_4b": (8, 512, 8, 14, 14),
    "Mixed_4c": (8, 512, 8, 14, 14),
    "Mixed_4d": (8, 512, 8, 14, 14),
    "Mixed_4e": (8, 528, 8, 14, 14),
    "Mixed_4f": (8, 832, 8, 14, 14),
    "MaxPool3d_5a_2x2": (8, 832, 4, 7, 7),
    "Mixed_5b": (8, 832, 4, 7, 7),
    "Mixed_5c": (8, 1024, 4, 7, 7),
    "Logits": (8, 400),
    "Predictions": (8, 400),
}


@pytest.fixture(scope="module")
def i3d() -> nn.Module:
    torch.manual_seed(0)
    return create_model("i3d_rgb", num_classes=5).eval()


@pytest.mark.parametrize(
    ("name", "millions", "gflops"),
    # Parameters of the published files' tensors; multiply-accumulates measured on piergiaj's network.
    [("i3d_rgb", 12.697264, 27.8), ("i3d_flow", 12.675312, None)],
)
def test_cost_is_that_of_the_published_network(name, millions, gflops, assert_cost):
    assert_cost(name, millions=millions, gflops=gflops, frames=16)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "front", "behind"),
    [
        (224, 7, 2, 2, 3),
        (223, 7, 2, 3, 3),
        (112, 3, 2, 0, 1),
        (111, 3, 2, 1, 1),
        (14, 2, 2, 0, 0),
        (13, 2, 2, 0, 1),
        (9, 3, 1, 1, 1),
        (1, 7, 2, 3, 3),
        (3, 1, 2, 0, 0),
    ],
)
def test_same_padding_by_hand(size, kernel, stride, front, behind):
    assert same_padding(size, kernel, stride) == (front, behind)


def test_same_padding_follows_the_rule_of_tensorflow():
    for size in range(1, 40):
        for kernel in (1, 2, 3, 7):
            for stride in (1, 2):
                left_over = size % stride or stride
                total = max(kernel - left_over, 0)
                assert same_padding(size, kernel, stride) == (total // 2, total - total // 2)


@pytest.mark.parametrize(
    ("size", "seen"),
    # Pixels of the clip under each window of seven: even sizes begin two before the clip, odd ones three.
    [(4, [4, 4]), (5, [4, 5, 4]), (8, [5, 7, 6, 4]), (9, [4, 6, 7, 6, 4])],
)
def test_the_first_convolution_pads_even_sizes_more_at_the_end(size, seen):
    layer = SameConv(1, 1, 7, 2).eval()
    nn.init.ones_(layer.conv.weight)
    along = torch.tensor(seen, dtype=torch.float32)
    with torch.no_grad():
        for axis in (2, 3, 4):
            shape = [1, 1, 1, 1, 1]
            shape[axis] = size
            counts = layer(torch.ones(shape)).flatten()
            torch.testing.assert_close(counts, along / (1 + 1e-3) ** 0.5)


@pytest.mark.parametrize(
    ("size", "window", "largest"),
    [(4, 3, [2, 3]), (5, 3, [1, 3, 4]), (4, 2, [1, 3]), (5, 2, [1, 3, 4]), (1, 3, [0]), (1, 2, [0])],
)
def test_pools_pad_even_sizes_only_at_the_end(size, window, largest):
    ramp = torch.arange(size, dtype=torch.float32)
    for axis in range(3):
        windows, strides, shape = [1, 1, 1], [1, 1, 1], [1, 1, 1]
        windows[axis], strides[axis], shape[axis] = window, 2, size
        pool = SamePool(tuple(windows), tuple(strides))
        assert pool(ramp.reshape(1, 1, *shape)).flatten().tolist() == largest


@pytest.mark.parametrize("size", [(6, 9, 8), (7, 8, 11)])
@pytest.mark.parametrize("window", [(1, 3, 3), (3, 3, 3), (2, 2, 2)])
def test_pools_equal_explicit_padding(size, window):
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    strides = tuple(min(side, 2) for side in window)
    padding: list[int] = []
    for length, side, stride in zip(size, window, strides, strict=True):
        total = max(side - (length % stride or stride), 0)
        padding = [total // 2, total - total // 2, *padding]
    # Values are at least zero after ReLU, so zeros never win.
    assert torch.equal(SamePool(window, strides)(x), F.max_pool3d(F.pad(x, padding), window, strides))


@pytest.mark.parametrize(("name", "channels"), [("i3d_rgb", 3), ("i3d_flow", 2)])
def test_endpoints_have_the_shapes_of_the_paper(name, channels):
    with torch.device("meta"):
        model = create_model(name)
        clips = torch.empty(8, channels, 32, 224, 224)
        found = model.endpoints(clips)
    assert {endpoint: tuple(maps.shape) for endpoint, maps in found.items()} == ENDPOINTS
    assert list(found) == list(ENDPOINTS) == list(model.endpoint_names)


def test_one_endpoint_at_a_time_gives_the_same(i3d):
    clip = torch.randn(1, 3, 9, 40, 33)
    with torch.no_grad():
        every = i3d.endpoints(clip)
        for name in ("Conv3d_1a_7x7", "Mixed_4f", "Mixed_5c", "Logits", "Predictions"):
            assert torch.equal(i3d.features(clip, name), every[name])
        assert torch.equal(i3d.features(clip), every["Mixed_5c"])
        assert torch.equal(i3d(clip), every["Logits"])
        assert every["Predictions"].sum().item() == pytest.approx(1)
    with pytest.raises(ValueError, match="no endpoint 'Mixed_5d'; it has Conv3d_1a_7x7.*Mixed_5c, Logits"):
        i3d.features(clip, "Mixed_5d")


def test_logits_over_time_slide_over_pairs_of_steps(i3d, assert_same):
    clip = torch.randn(1, 3, 32, 64, 64)
    with torch.no_grad():
        steps = i3d.features(clip).mean((3, 4))[0].T  # four steps
        expected = torch.stack([i3d.head((steps[i] + steps[i + 1]) / 2) for i in range(3)], 1)[None]
        assert_same(i3d.logits_over_time(clip), expected)
        assert_same(i3d(clip), expected.mean(2))


def test_logits_of_larger_clips_keep_their_maps_unless_squeezed():
    with torch.device("meta"):
        model = create_model("i3d_rgb", num_classes=5)
        clip = torch.empty(1, 3, 32, 256, 320)  # maps of 4x8x10
        assert model.logits_over_time(clip, spatial_squeeze=False).shape == (1, 5, 3, 2, 4)
        assert model.logits_over_time(clip).shape == (1, 5, 3)
        kept = model.endpoints(clip, spatial_squeeze=False)
        assert kept["Logits"].shape == kept["Predictions"].shape == (1, 5, 2, 4)
        assert model(clip).shape == (1, 5)


def test_smaller_clips_are_averaged_whole(i3d, assert_same):
    clip = torch.randn(1, 3, 3, 50, 70)
    with torch.no_grad():
        maps = i3d.features(clip)
        assert maps.shape[2:] == (1, 2, 3)
        assert_same(i3d(clip), i3d.head(maps.mean((2, 3, 4))))


def test_pixels_go_in_as_kinetics_i3d_feeds_them():
    """25 frames per second, short side 256, centre crop 224, black is -1 and white is 1."""
    clip = model_info("i3d_rgb").clip
    assert (clip.fps, clip.short_side, clip.size) == (25, 256, 224)
    pixels = torch.zeros(2, 3, 256, 340, dtype=torch.uint8)
    pixels[1] = 255
    (view,) = TestTransform(clip, 1)(pixels)
    assert view.shape == (3, 2, 224, 224)
    assert view[:, 0].unique().tolist() == [-1]
    assert view[:, 1].unique().tolist() == [1]
    flow = model_info("i3d_flow").clip
    assert (flow.modality, flow.mean, flow.std) == ("flow", (0.5, 0.5), (0.5, 0.5))  # 0..1 to -1..1
