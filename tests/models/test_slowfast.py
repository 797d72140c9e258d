from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model
from muybridge.models.slowfast import FAST_R101_50, SLOW_R101_50, TimeStridedSampling, TimeToChannel

SLOW = 2048  # channels of the slow pathway, before the fast ones in the features
NON_LOCAL = {"blocks": ((), (), (6, 13, 20), ()), "kind": "dot_product", "pool": (2, 2, 2)}


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        # The paper's tables 2 and 4, at crops of 256; parameters of PyTorchVideo's model zoo.
        ("slowfast_r50_4x16", {"millions": 34.48, "gflops": 36.1}),
        ("slowfast_r50_8x8", {"millions": 34.57, "gflops": 65.7}),
        ("slowfast_r101_8x8", {"millions": 62.83}),
        (
            "slowfast_r101_8x8",
            {"gflops": 106.0, "slow_block_frames": SLOW_R101_50, "fast_block_frames": FAST_R101_50},
        ),
        ("slowfast_r101_16x8", {"millions": 53.77, "gflops": 213.0}),
        ("slowfast_r101_16x8", {"gflops": 234.0, "non_local": NON_LOCAL}),
        # The paper's table 5: lateral connections, and weaker inputs of the fast pathway.
        ("slowfast_r50_4x16", {"gflops": 39.8, "lateral": "time_to_channel"}),
        ("slowfast_r50_4x16", {"gflops": 34.9, "lateral": "time_strided_sampling"}),
        ("slowfast_r50_4x16", {"gflops": 34.1, "fast_input": "grey"}),
        ("slowfast_r50_4x16", {"gflops": 34.2, "fast_input": "time_difference"}),
        # MMAction2's model zoo.
        ("slowfast_r101_8x8", {"millions": 62.9, "gflops": 126.0, "fusion_kernel": 7}),
        ("slowfast_r101_r50_4x16", {"millions": 62.4, "gflops": 64.9}),
    ],
)
def test_cost_is_the_published_one(name, figures, assert_cost):
    assert_cost(name, size=256, **figures)


@pytest.mark.parametrize("frames", [4, 8, 16, 32, 64, 128])
def test_linspace_slow_frames_are_torchs(frames):
    with torch.device("meta"):
        model = create_model("slowfast_r50_8x8", num_classes=2)
    clip = torch.arange(frames).float().reshape(1, 1, frames, 1, 1)
    expected = torch.linspace(0, frames - 1, frames // 4, dtype=torch.float64).long()
    assert model._slow_clip(clip).flatten().long().tolist() == expected.tolist()


def test_logits_are_the_classifier_on_each_pathways_own_average():
    torch.manual_seed(0)
    model = create_model("slowfast_r50_8x8", num_classes=3).eval()
    clip = torch.randn(1, 3, 8, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(clip), model.head(model.features(clip).mean((2, 3, 4))))


def test_the_fast_pathway_alone_is_slowfasts():
    torch.manual_seed(0)
    both, alone = create_model("slowfast_r50_8x8").eval(), create_model("fast_r50").eval()
    state = both.fast.state_dict()
    alone.load_state_dict(state | {f"head.{name}": value for name, value in alone.head.state_dict().items()})
    clip = torch.randn(1, 3, 8, 64, 64)
    with torch.no_grad():
        expected = both.features(clip)[:, SLOW:].mean((2, 3, 4))
        torch.testing.assert_close(alone.features(clip).mean((2, 3, 4)), expected)


def test_laterals_sample_time_or_turn_it_into_channels():
    fast = torch.arange(6.0).reshape(1, 2, 3, 1, 1)  # two channels: frames 0 1 2 and 3 4 5
    assert TimeStridedSampling(2)(fast).flatten(2).tolist() == [[[0, 2], [3, 5]]]
    # Slow frame 0 gets 0 and 1 of each channel, slow frame 1 gets 2 and, for the missing one, 2 again.
    assert TimeToChannel(2)(fast).flatten(2).tolist() == [[[0, 2], [1, 2], [3, 5], [4, 5]]]


def repaint(clip: torch.Tensor) -> torch.Tensor:
    """Other colours of the same brightness."""
    return clip + torch.tensor([0.587, -0.299, 0.0]).reshape(3, 1, 1, 1)


def swap_pixels(clip: torch.Tensor) -> torch.Tensor:
    """Neighbouring columns change places."""
    return clip.unflatten(4, (-1, 2)).flip(5).flatten(4)


@pytest.mark.parametrize(
    ("fast_input", "unseen"),
    [
        ("grey", repaint),
        ("time_difference", lambda clip: clip + torch.linspace(-1, 1, 64)),
        ("half_resolution", swap_pixels),
    ],
)
def test_a_weaker_fast_pathway_does_not_see_everything(fast_input, unseen):
    torch.manual_seed(0)
    clip = torch.randn(1, 3, 8, 64, 64)
    for kind, is_seen in ((fast_input, False), ("rgb", True)):
        model = create_model("slowfast_r50_4x16", num_classes=2, fast_input=kind).eval()
        with torch.no_grad():
            before, after = model.features(clip), model.features(unseen(clip))
        for part, differs in ((slice(0, SLOW), True), (slice(SLOW, None), is_seen)):
            difference = (after[:, part] - before[:, part]).abs().max() / before[:, part].abs().max()
            assert (difference.item() > 1e-3) == differs


@pytest.mark.parametrize("lateral", ["time_to_channel", "time_strided_sampling"])
@pytest.mark.parametrize("fast_input", ["grey", "time_difference", "half_resolution"])
@pytest.mark.parametrize("size", [(7, 65, 50), (1, 33, 47), (32, 64, 64)])
def test_every_variant_takes_every_size(lateral, fast_input, size):
    with torch.device("meta"):
        model = create_model(
            "slowfast_r50_4x16", num_classes=2, lateral=lateral, fast_input=fast_input, beta=0.25
        )
        maps = model.eval().features(torch.empty(1, 3, *size))
    assert model.dim == SLOW + 512
    assert maps.shape == (1, model.dim, *(-(-n // s) for n, s in zip(size, (8, 32, 32), strict=True)))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"slow_frames": "every other"}, "'linspace' or 'strided'"),
        ({"lateral": "sum"}, "'time_strided_conv' or 'time_strided_sampling' or 'time_to_channel'"),
        ({"fast_input": "flow"}, "'rgb' or 'grey'"),
        ({"fusion_kernel": 4}, "odd number"),
        ({"alpha": 0}, "at least 1"),
        ({"beta": 0.001}, "0 of 64 channels"),
    ],
)
def test_bad_options_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        create_model("slowfast_r50_8x8", **option)
