"""Parameters and arithmetic against what was published, within 1%."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torchvision

from muybridge.models import create_model, model_info
from muybridge.models.cost import count_gflops, count_parameters

TORCHVISION_R50 = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.meta
TORCHVISION_R3D = torchvision.models.video.R3D_18_Weights.KINETICS400_V1.meta


def build(name: str, num_classes: int = 400):
    with torch.device("meta"):
        return create_model(name, num_classes=num_classes)


@pytest.mark.parametrize(
    ("name", "num_classes", "millions"),
    [
        ("c3d", 101, 78.41),  # MMAction2, UCF101
        ("c3d", 487, 79.99),  # DavideA, Sports-1M
        ("r3d_18", 400, TORCHVISION_R3D["num_params"] / 1e6),
        ("resnet3d_50", 700, 47.63),  # Hara
        ("slowfast_r50_8x8", 400, 34.57),  # PyTorchVideo
        ("tsn_r50", 400, 24.33),  # MMAction2
    ],
)
def test_parameters_are_the_published_ones(name, num_classes, millions):
    assert count_parameters(build(name, num_classes)) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("name", "size", "gflops"),
    [
        ("c3d", 112, 38.5),  # MMAction2
        ("r3d_18", 112, TORCHVISION_R3D["_ops"]),
        ("slowfast_r50_8x8", 224, 50.31),  # PyTorchVideo's, at the training crop
        ("slowfast_r50_8x8", 256, 65.71),  # and at its test crop
        ("tsn_r50", 224, 8 * TORCHVISION_R50["_ops"]),  # eight images
    ],
)
def test_arithmetic_is_the_published_one(name, size, gflops):
    clip = replace(model_info(name).clip, size=size, short_side=256)
    assert count_gflops(build(name), clip) == pytest.approx(gflops, rel=0.01)


def test_counting_leaves_the_model_as_it_was():
    torch.manual_seed(0)
    model = create_model("tiny3d", num_classes=3).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert count_gflops(model, model_info("tiny3d").clip) > 0
    assert model.training
    for key, value in model.state_dict().items():
        assert torch.equal(before[key], value), key


def test_a_clip_that_the_model_does_not_take_is_refused():
    with pytest.raises(ValueError, match="16 frames of 112x112"):
        count_gflops(build("c3d"), replace(model_info("c3d").clip, frames=8))
