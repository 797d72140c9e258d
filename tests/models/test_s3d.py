from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.video import s3d as torchvision_s3d

from muybridge.models import create_model
from muybridge.published.s3d import readings
from muybridge.weights.remap import remap

# Channels of the convolutions over time: the first two, then two of each Mixed block.
OVER_TIME = (64, 192, 128, 32, 192, 96, 208, 48, 224, 64, 256, 64, 288, 64, 320, 128, 320, 128, 384, 128)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_cost_is_that_of_torchvision(assert_cost):
    assert_cost("s3d", millions=8.320048, gflops=17.979, frames=16)


def test_gates_cost_one_linear_layer_per_convolution_over_time(assert_cost):
    assert_cost(
        "s3d_g", millions=8.320048 + sum(w * w + w for w in OVER_TIME) / 1e6, gflops=17.979, frames=16
    )


def test_output_is_that_of_torchvision(assert_same):
    theirs = torchvision_s3d(weights=None, num_classes=7)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    theirs.eval()
    state = theirs.state_dict()
    (reading,) = readings({key: tuple(tensor.shape) for key, tensor in state.items()})
    ours = create_model("s3d", num_classes=7)
    renamed, report = remap(dict(state), ours.state_dict(), reading)
    assert report.is_complete
    ours.load_state_dict(renamed)
    clip = torch.randn(1, 3, 14, 209, 256)  # maps of 2x7x8: one window and its neighbour
    with torch.no_grad():
        assert_same(ours.eval()(clip), theirs(clip))


def test_open_gates_change_nothing(assert_same):
    plain, gated = create_model("s3d", num_classes=5).eval(), create_model("s3d_g", num_classes=5).eval()
    left_out = gated.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert len(left_out) == 2 * len(OVER_TIME)
    assert all(".gate.linear." in key for key in left_out)
    clip = torch.randn(1, 3, 9, 40, 33)
    gates = {name: module for name, module in gated.named_modules() if name.endswith("gate.linear")}
    for gate in gates.values():
        nn.init.zeros_(gate.weight)
        nn.init.constant_(gate.bias, 40)
    with torch.no_grad():
        assert_same(gated(clip), plain(clip))
        # sigmoid(0) is a half, and nothing between a gate and the pool after it hides it.
        nn.init.zeros_(gates["trunk.Conv3d_2c_3x3.gate.linear"].bias)
        torch.testing.assert_close(
            gated.features(clip, "MaxPool3d_3a_3x3"), plain.features(clip, "MaxPool3d_3a_3x3") / 2
        )


def test_a_gate_weighs_channels_by_the_means_of_all():
    gate = create_model("s3d_g", num_classes=5).trunk.Conv3d_1a_7x7.gate
    x = torch.zeros(1, 64, 2, 2, 2)
    x[0, 0, 0, 0, 0] = 8  # mean 1
    x[0, 1] = 2
    nn.init.zeros_(gate.linear.weight)
    nn.init.zeros_(gate.linear.bias)
    with torch.no_grad():
        gate.linear.weight[1, 0] = 3
        gate.linear.weight[1, 1] = -1
        gated = gate(x)
    assert gated[0, 0, 0, 0, 0].item() == pytest.approx(4)
    torch.testing.assert_close(gated[0, 1], torch.full((2, 2, 2), 2 / (1 + 2.718281828**-1)))


def test_endpoints_are_named_as_those_of_i3d():
    with torch.device("meta"):
        model = create_model("s3d")
        found = model.endpoints(torch.empty(1, 3, 32, 224, 224))
    assert found["Conv3d_2c_3x3"].shape == (1, 192, 16, 56, 56)
    assert found["Mixed_4f"].shape == (1, 832, 8, 14, 14)
    assert found["Mixed_5c"].shape == (1, 1024, 4, 7, 7)


@pytest.mark.parametrize("size", [(4, 32, 32), (8, 16, 32), (8, 32, 16)])
def test_clips_that_the_pools_would_swallow_are_refused(size):
    with torch.device("meta"):
        model = create_model("s3d", num_classes=5).eval()
        with pytest.raises(
            ValueError, match=f"{size[0]} frames of {size[2]}x{size[1]} pixels.*at least 5 frames of 17x17"
        ):
            model(torch.empty(1, 3, *size))
        assert model(torch.empty(1, 3, 5, 17, 17)).shape == (1, 5)
