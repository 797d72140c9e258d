from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model
from muybridge.models.cost import count_parameters
from muybridge.models.two_stream import TwoStream


@pytest.fixture(scope="module")
def averaged():
    torch.manual_seed(0)
    return create_model("two_stream_inception", num_classes=3).eval()


def answer(model, clip):
    with torch.no_grad():
        return model(clip)


# Carreira and Zisserman 2017, table 1, in whole millions.
@pytest.mark.parametrize(
    ("name", "millions"),
    [("two_stream_inception", 12), ("fused_two_stream_inception", 39), ("two_stream_i3d", 25)],
)
def test_parameters_are_the_papers(name, millions):
    with torch.device("meta"):
        assert count_parameters(create_model(name)) // 1_000_000 == millions


def test_cost_is_that_of_two_image_networks(assert_cost):
    more = 64 * 17 * 7 * 7  # first convolution of the flow stream: 20 channels for 3
    images = 2 * (25.557 - 2.049) + 2 * 2048.0 * 400 / 1e6  # torchvision's, with other classifiers
    assert_cost("two_stream_r50", millions=images + more / 1e6, gflops=2 * 4.089 + more * 112 * 112 / 1e9)


def test_rgb_is_seen_at_the_sixth_frame_and_flow_at_every_one(averaged):
    torch.manual_seed(1)
    clip = torch.randn(1, 5, 10, 64, 64)
    before = answer(averaged, clip)
    for t in range(10):
        other = clip.clone()
        other[:, :3, t] += 1
        assert torch.equal(answer(averaged, other), before) == (t != 5)
        other = clip.clone()
        other[:, 3:, t] += 1
        assert not torch.equal(answer(averaged, other), before)


def test_flow_is_stacked_in_pairs(averaged):
    clip = torch.arange(20.0).reshape(10, 2).T.reshape(1, 2, 10, 1, 1).expand(-1, -1, -1, 64, 64)
    seen = []
    hook = averaged.flow.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    answer(averaged.flow, clip)
    hook.remove()
    assert seen[0][0, :, 0, 0].tolist() == list(range(20))  # x1, y1, ..., x10, y10


def test_logits_are_averaged_over_streams_and_snippets(averaged, assert_same):
    torch.manual_seed(2)
    clip = torch.randn(1, 5, 23, 64, 64)
    streams = [
        answer(stream, clip[:, channels, first : first + 10])
        for stream, channels in ((averaged.rgb, slice(0, 3)), (averaged.flow, slice(3, 5)))
        for first in (0, 10)
    ]
    assert_same(answer(averaged, clip), torch.stack(streams).mean(0))


def test_fewer_than_ten_frames_are_refused(averaged):
    with pytest.raises(ValueError, match="9 frames of 48x64 pixels.*at least 10"):
        averaged(torch.zeros(1, 5, 9, 64, 48))


def test_maps_are_joined_rgb_first(averaged):
    clip = torch.randn(1, 5, 10, 64, 64)
    with torch.no_grad():
        maps = averaged.features(clip)
        assert torch.equal(maps[:, :1024], averaged.rgb.features(clip[:, :3]))
        assert torch.equal(maps[:, 1024:], averaged.flow.features(clip[:, 3:]))


def test_a_new_head_is_one_for_both_streams():
    model = create_model("two_stream_inception", num_classes=3).eval()
    model.reset_head(4)
    assert model.num_classes == model.rgb.num_classes == model.flow.num_classes == 4
    assert {tuple(p.shape) for p in model.head_parameters()} == {(4, 1024), (4,)}


def test_i3d_adds_its_streams_up(assert_same):
    torch.manual_seed(0)
    model = create_model("two_stream_i3d", num_classes=3).eval()
    clip = torch.randn(1, 5, 16, 64, 64)
    both = answer(model.rgb, clip[:, :3]) + answer(model.flow, clip[:, 3:])
    assert_same(answer(model, clip), both)


def test_any_pair_makes_two_streams(assert_same):
    rgb = create_model("tiny3d", num_classes=3)
    flow = create_model("lstm_inception", num_classes=3)
    model = TwoStream(rgb, flow).eval()
    clip = torch.randn(1, 6, 8, 64, 64)
    expected = (answer(rgb, clip[:, :3]) + answer(flow, clip[:, 3:])) / 2
    assert_same(answer(model, clip), expected)
    with pytest.raises(ValueError, match="ask each stream for its own"):
        model.features(clip)


def test_pairs_that_do_not_fit_are_refused():
    three, four = (create_model("tiny3d", num_classes=n) for n in (3, 4))
    with pytest.raises(ValueError, match="3 classes and the flow stream 4"):
        TwoStream(three, four)
    with pytest.raises(ValueError, match="'average' or 'sum'"):
        TwoStream(three, three, fusion="max")


def test_fusion_lets_snippets_see_each_other():
    torch.manual_seed(0)
    model = create_model("fused_two_stream_inception", num_classes=3).eval()
    clip = torch.randn(1, 5, 20, 64, 64)
    with torch.no_grad():
        assert model.features(clip).shape == (1, 512, 2, 2, 2)
        alone = model.features(clip[:, :, :10])
        together = model.features(clip)[:, :, :1]
    assert not torch.allclose(alone, together)
