from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model, model_info
from muybridge.models.cost import count_gflops, count_parameters


def test_cost_is_the_published_one(assert_cost):
    assert_cost("c3d", millions=78.4, gflops=38.5, num_classes=101)  # MMAction2's table, UCF-101


def test_the_variant_with_batch_norm_halves_time_before_its_second_convolution():
    with torch.device("meta"):
        model = create_model("c3d_bn", num_classes=400)
    # Carreira and Zisserman 2017, table 1, in whole millions.
    assert count_parameters(model) // 1_000_000 == 79
    # MMAction2's 38.5 G at 16 frames: conv1a still sees them all, the other convolutions half of them.
    conv1a = 64 * 3 * 27 * 16 * 112 * 112 / 1e9
    linear = (8192 * 4096 + 4096 * 4096) / 1e9
    expected = conv1a + (38.5 - conv1a - linear) / 2 + linear
    assert count_gflops(model, model_info("c3d_bn").clip) == pytest.approx(expected, rel=0.01)


def test_the_variant_with_batch_norm_has_one_norm_per_layer_but_the_classifier():
    with torch.device("meta"):
        state = create_model("c3d_bn", num_classes=400).state_dict()
    assert sum(key.endswith("running_mean") for key in state) == 8 + 2
    assert [key for key in state if key.endswith("bias") and "norm" not in key] == ["head.linear.bias"]


def test_one_clip_alone_can_be_trained_on():
    torch.manual_seed(0)
    model = create_model("c3d_bn", num_classes=2, dropout=0.0)
    clip = torch.randn(1, 3, 16, 112, 112)
    with torch.no_grad():
        assert model(clip).isfinite().all()


@pytest.mark.parametrize("name", ["c3d", "c3d_bn"])
@pytest.mark.parametrize(("padding", "numbers"), [(True, 8192), (False, 4608)])
def test_pool5_padding_sets_what_fc6_sees(name, padding, numbers):
    with torch.device("meta"):
        model = create_model(name, num_classes=3, pool5_padding=padding)
        assert model.fc6.in_features == numbers
        assert model(torch.empty(1, 3, 16, 112, 112)).shape == (1, 3)


@pytest.mark.parametrize("shape", [(8, 112, 112), (16, 128, 128), (16, 112, 96)])
def test_other_sizes_are_refused_with_the_right_one(shape):
    with torch.device("meta"):
        model = create_model("c3d", num_classes=3)
        with pytest.raises(ValueError, match="16 frames of 112x112"):
            model(torch.empty(1, 3, *shape))
