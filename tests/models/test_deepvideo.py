from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model

# The paper gives no figures; these are counted by hand from its description at 170x170: per convolution channels out,
# channels in, side of the kernel, side of the map, and per fully connected layer its size.
CONVS = ((96, 3, 11, 54), (256, 96, 5, 27), (384, 256, 3, 13), (384, 384, 3, 13), (256, 384, 3, 13))


def by_hand(extents, steps, into_fc6):
    kernels = [o * i * side**2 * t for (o, i, side, _), t in zip(CONVS, extents, strict=True)]
    linear = into_fc6 * 4096 + 4096 * 4096 + 4096 * 400
    biases = sum(o for o, *_ in CONVS) + 4096 + 4096 + 400
    macs = linear + sum(k * t * side**2 for k, t, (*_, side) in zip(kernels, steps, CONVS, strict=True))
    return (sum(kernels) + linear + biases) / 1e6, macs / 1e9


@pytest.mark.parametrize(
    ("name", "extents", "steps", "into_fc6"),
    [
        ("deepvideo_single", (1, 1, 1, 1, 1), (1, 1, 1, 1, 1), 9216),
        ("deepvideo_early", (10, 1, 1, 1, 1), (1, 1, 1, 1, 1), 9216),
        ("deepvideo_late", (1, 1, 1, 1, 1), (2, 2, 2, 2, 2), 2 * 9216),
        ("deepvideo_slow", (4, 2, 2, 1, 1), (4, 2, 1, 1, 1), 9216),
    ],
)
def test_cost_is_that_of_the_papers_layers(name, extents, steps, into_fc6, assert_cost):
    millions, gflops = by_hand(extents, steps, into_fc6)
    assert_cost(name, millions=millions, gflops=gflops)


def test_late_fusion_is_two_single_frame_towers_that_share_weights(assert_same):
    torch.manual_seed(0)
    late = create_model("deepvideo_late", num_classes=3).eval()
    single = create_model("deepvideo_single", num_classes=3).eval()
    single.convs.load_state_dict(late.convs.state_dict())
    clip = torch.randn(1, 3, 2, 170, 170)
    with torch.no_grad():
        maps = late.features(clip)
        for i in range(2):
            assert_same(maps[:, :, i : i + 1], single.features(clip[:, :, i : i + 1]))


def test_normalisation_has_krizhevskys_constants():
    model = create_model("deepvideo_single", num_classes=3)
    active = torch.full((1, 96, 1, 1, 1), 100.0)
    normalised = model.convs.norm1(active)[0, :, 0, 0, 0]
    # a / (k + alpha * sum of squares over n neighbours) ** beta; at the edge only three neighbours exist.
    assert normalised[50].item() == pytest.approx(100 / (2 + 1e-4 * 5 * 100**2) ** 0.5)
    assert normalised[0].item() == pytest.approx(100 / (2 + 1e-4 * 3 * 100**2) ** 0.5)


@pytest.mark.parametrize(
    ("name", "right", "shape"),
    [
        ("deepvideo_single", "1 frames of 170x170", (2, 170, 170)),
        ("deepvideo_early", "10 frames of 170x170", (10, 224, 224)),
        ("deepvideo_late", "2 frames of 170x170", (16, 170, 170)),
        ("deepvideo_slow", "10 frames of 170x170", (8, 170, 170)),
    ],
)
def test_other_sizes_are_refused_with_the_right_one(name, right, shape):
    with torch.device("meta"):
        model = create_model(name, num_classes=3)
        with pytest.raises(ValueError, match=right):
            model(torch.empty(1, 3, *shape))
