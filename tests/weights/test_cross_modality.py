"""A network that sees RGB becomes the start of one that sees flow."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from muybridge.build import build_model
from muybridge.model_file import save_model
from muybridge.models import create_model
from muybridge.recipe import load_recipe
from muybridge.types import ClipSpec, WeightsError
from muybridge.weights.remap import cross_modality, spread

RGB: dict[str, Tensor] = {
    "conv.weight": torch.arange(2 * 3 * 1 * 2 * 2.0).reshape(2, 3, 1, 2, 2),
    "norm.bias": torch.tensor([1.0, 2.0]),
}


def test_each_channel_gets_the_mean_of_the_colours():
    kernel = spread(RGB["conv.weight"], 20)
    assert kernel.shape == (2, 20, 1, 2, 2)
    assert kernel[0, :, 0, 0, 0].tolist() == [4.0] * 20  # 0, 4 and 8
    assert kernel[1, :, 0, 1, 1].tolist() == [19.0] * 20  # 15, 19 and 23


def test_grey_motion_is_answered_like_grey_colour():
    """Where all channels are alike, what is left of three times a colour is two times a motion."""
    rgb = create_model("tiny3d", num_classes=2, width=4).eval()
    flow = create_model("tiny3d_flow", num_classes=2, width=4).eval()
    flow.load_state_dict(cross_modality(rgb.state_dict(), flow.state_dict()))
    clip = torch.randn(1, 1, 8, 32, 32)
    with torch.no_grad():
        maps = flow.stem.frames.conv(clip.expand(-1, 2, -1, -1, -1))
        expected = rgb.stem.frames.conv(clip.expand(-1, 3, -1, -1, -1)) * 2 / 3
    torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-4)


def test_both_streams_start_from_it_and_share_no_memory():
    wanted = {f"rgb.{key}": value for key, value in RGB.items()}
    wanted |= {"flow.conv.weight": torch.empty(2, 2, 1, 2, 2), "flow.norm.bias": torch.empty(2)}
    found = cross_modality(RGB, wanted)
    assert torch.equal(found["rgb.conv.weight"], RGB["conv.weight"])
    assert found["flow.conv.weight"].shape == (2, 2, 1, 2, 2)
    found["rgb.norm.bias"].zero_()
    assert found["flow.norm.bias"].tolist() == RGB["norm.bias"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"more.weight": torch.empty(4)}, r"more.weight is \(4,\).* have nothing for it"),
        ({"norm.bias": torch.empty(3)}, r"norm.bias is \(3,\).* have \(2,\) for it"),
        ({"conv.weight": torch.empty(2, 2, 3, 2, 2)}, r"conv.weight is \(2, 2, 3, 2, 2\)"),
    ],
)
def test_another_network_is_refused(change, words):
    with pytest.raises(WeightsError, match=words):
        cross_modality(RGB, RGB | change)


def test_a_trained_model_keeps_its_clip_and_its_classes(tmp_path):
    clip = ClipSpec(frames=6, stride=3, size=48, short_side=64)
    model = create_model("tiny3d", num_classes=2, width=4)
    path = save_model(
        tmp_path / "rgb.safetensors",
        model,
        name="tiny3d",
        options={"width": 4},
        labels=["a", "b"],
        clip=clip,
        facts={},
    )
    built = build_model(load_recipe(), ["a", "b"], start=path, start_model="tiny3d_flow")
    assert (built.name, built.options) == ("tiny3d_flow", {"width": 4})
    assert (built.clip.frames, built.clip.stride, built.clip.size, built.clip.modality) == (6, 3, 48, "flow")
    assert torch.equal(built.model.head.linear.weight, model.head.linear.weight)
    assert "tiny3d sees in colours" in built.notes[-1]
    fresh = build_model(load_recipe(), ["c", "d", "e"], start=path, start_model="tiny3d_flow")
    assert fresh.model.num_classes == 3
    with pytest.raises(WeightsError, match="says that it is tiny3d, not slow_r50_8x8"):
        build_model(load_recipe(), ["a", "b"], start=path, start_model="slow_r50_8x8")
