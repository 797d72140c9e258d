from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from muybridge.models import create_model, tsn
from muybridge.models.tsn import Tsn, shift


@pytest.mark.parametrize(
    ("name", "frames", "millions", "gflops"),
    [
        ("tsn_r50", 25, 24.33, 102.7),
        ("tsn_r101", 25, 43.32, 195.8),
        ("tsm_r50", 8, 24.33, 32.88),
        ("tsm_r50", 16, 24.33, 65.75),
        ("tsm_r101", 8, None, 62.66),
    ],
)
def test_cost_is_the_published_one(name, frames, millions, gflops, assert_cost):
    assert_cost(name, frames=frames, millions=millions, gflops=gflops)  # MMAction2's tables


def test_flow_costs_what_seven_more_channels_cost(assert_cost):
    more = 64 * 7 * 7 * 7  # the first convolution's
    assert_cost(
        "tsn_r50_flow", millions=24.33 + more / 1e6, gflops=102.7 / 25 * 8 + 8 * more * 112 * 112 / 1e9
    )


@pytest.mark.parametrize(("consensus", "expected"), [("average", 2.0), ("max", 5.0)])
def test_consensus_is_over_the_segments_logits(consensus, expected):
    model = Tsn(nn.Identity(), dim=3, space_stride=1, num_classes=1, consensus=consensus, dropout=0.0).eval()
    nn.init.ones_(model.head.linear.weight)
    clip = torch.tensor([0.0, 5.0, 1.0]).reshape(1, 1, 3, 1, 1).repeat(1, 3, 1, 4, 4) / 3
    assert model(clip).item() == pytest.approx(expected)


def test_unknown_consensus_is_refused():
    with pytest.raises(ValueError, match="'average' or 'max'"):
        create_model("tsn_r50", consensus="vote")


def test_the_flow_network_takes_five_pairs_and_nothing_else():
    with torch.device("meta"):
        model = create_model("tsn_r50_flow", num_classes=3)
        assert model(torch.empty(1, 10, 2, 64, 64)).shape == (1, 3)
        with pytest.raises(ValueError, match="batch, 10, frames"):
            model(torch.empty(1, 3, 2, 64, 64))


def test_image_weights_fit_by_name_and_give_the_image_networks_answer(assert_same):
    torch.manual_seed(0)
    image = resnet50(weights=None, num_classes=7).eval()
    model = create_model("tsn_r50", num_classes=7).eval()
    weights = {f"backbone.{key}": value for key, value in image.state_dict().items()}
    weights = {key.replace("backbone.fc", "head.linear"): value for key, value in weights.items()}
    model.load_state_dict(weights)
    frame = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert_same(model(frame[:, :, None].expand(-1, -1, 3, -1, -1)), image(frame))


def test_shift_brings_an_eighth_from_after_and_an_eighth_from_before():
    # Two clips of three segments with one channel per part; each number is clip and segment.
    segments = torch.tensor([1.0, 2.0, 3.0, 11.0, 12.0, 13.0]).reshape(6, 1, 1, 1).expand(6, 8, 2, 2)
    shifted = shift(segments, segments=3, parts=8)[:, :, 0, 0]
    assert shifted[:, 0].tolist() == [2, 3, 0, 12, 13, 0]
    assert shifted[:, 1].tolist() == [0, 1, 2, 0, 11, 12]
    assert torch.equal(shifted[:, 2:], segments[:, 2:, 0, 0])


def test_without_channels_to_shift_tsm_is_tsn(assert_same):
    torch.manual_seed(0)
    plain = create_model("tsn_r50", num_classes=3).eval()
    shifting = create_model("tsm_r50", num_classes=3).eval()
    shifting.load_state_dict(plain.state_dict())
    clip = torch.randn(1, 3, 4, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(shifting.features(clip), plain.features(clip))
        shifting.shift_div = 4096
        assert_same(shifting(clip), plain(clip))


@pytest.mark.parametrize(("name", "shifts"), [("tsm_r50", 3 + 4 + 6 + 3), ("tsm_r101", 2 + 2 + 12 + 2)])
def test_resnet_101_shifts_in_every_second_block(name, shifts, monkeypatch):
    # As the authors' code and MMAction2's do, where the third stage has 23 blocks.
    seen = []
    monkeypatch.setattr(
        tsn, "shift", lambda x, segments, parts: seen.append(segments) or shift(x, segments, parts)
    )
    with torch.device("meta"):
        create_model(name, num_classes=3)(torch.empty(1, 3, 4, 64, 64))
    assert seen == [4] * shifts
