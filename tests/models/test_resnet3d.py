from __future__ import annotations

import pytest
import torch
import torchvision

from muybridge.models import create_model

TORCHVISION = [
    (r"^stem\.0", "stem.conv"),
    (r"^stem\.1", "stem.norm"),
    (r"^layer(\d)", lambda m: f"stages.{int(m[1]) - 1}"),
    (r"\.conv([12])\.0", lambda m: f".branch.{int(m[1]) - 1}.conv"),
    (r"\.conv([12])\.1", lambda m: f".branch.{int(m[1]) - 1}.norm"),
    (r"\.downsample\.0", ".shortcut.conv"),
    (r"\.downsample\.1", ".shortcut.norm"),
    (r"^fc", "head.linear"),
]
HARA = [
    (r"^conv1", "stem.conv"),
    (r"^bn1", "stem.norm"),
    (r"^layer(\d)", lambda m: f"stages.{int(m[1]) - 1}"),
    (r"\.conv([123])", lambda m: f".branch.{int(m[1]) - 1}.conv"),
    (r"\.bn([123])", lambda m: f".branch.{int(m[1]) - 1}.norm"),
    (r"\.downsample\.0", ".shortcut.conv"),
    (r"\.downsample\.1", ".shortcut.norm"),
    (r"^fc", "head.linear"),
]


def test_r3d_18_is_torchvisions(rename, assert_same):
    torch.manual_seed(0)
    theirs = torchvision.models.video.r3d_18(weights=None, num_classes=7).eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    ours = create_model("r3d_18", num_classes=7).eval()
    ours.load_state_dict(rename(theirs.state_dict(), TORCHVISION))
    clip = torch.randn(2, 3, 7, 45, 38)
    with torch.no_grad():
        assert_same(ours(clip), theirs(clip))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "ours", "classes", "rules"),
    [("torchvision_r3d_18", "r3d_18", 400, TORCHVISION), ("kenshohara3d_resnet50", "r3d_50", 700, HARA)],
)
def test_published_networks_give_their_published_output(
    name, ours, classes, rules, reference, rename, assert_same
):
    ref = reference(name)
    model = create_model(ours, num_classes=classes).eval()
    model.load_state_dict(rename(ref.checkpoint, rules))
    with torch.no_grad():
        assert_same(model(ref.clip), ref.output)


def test_r3d_50_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = create_model("r3d_50", num_classes=700)
    assert sum(p.numel() for p in model.parameters()) == 47_633_276
