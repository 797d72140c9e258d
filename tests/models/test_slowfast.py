from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model

PATHWAYS = ("slow", "fast")
BRANCH = {"a": 0, "b": 1, "c": 2}

PYTORCHVIDEO = [
    (
        r"^blocks\.0\.multipathway_blocks\.(\d)\.(conv|norm)",
        lambda m: f"{PATHWAYS[int(m[1])]}.stem.0.{m[2]}",
    ),
    (r"^blocks\.(\d)\.multipathway_fusion\.conv_fast_to_slow", r"laterals.\1.conv"),
    (r"^blocks\.(\d)\.multipathway_fusion\.norm", r"laterals.\1.norm"),
    (
        r"^blocks\.(\d)\.multipathway_blocks\.(\d)\.res_blocks",
        lambda m: f"{PATHWAYS[int(m[2])]}.stages.{int(m[1]) - 1}",
    ),
    (r"\.branch1_(conv|norm)", r".shortcut.\1"),
    (r"\.branch2\.(conv|norm)_([abc])", lambda m: f".branch.{BRANCH[m[2]]}.{m[1]}"),
    (r"^blocks\.6\.proj", "head.linear"),
]
PYSLOWFAST = [
    (r"^s1\.pathway(\d)_stem\.conv", lambda m: f"{PATHWAYS[int(m[1])]}.stem.0.conv"),
    (r"^s1\.pathway(\d)_stem\.bn", lambda m: f"{PATHWAYS[int(m[1])]}.stem.0.norm"),
    (r"^s(\d)_fuse\.conv_f2s", lambda m: f"laterals.{int(m[1]) - 1}.conv"),
    (r"^s(\d)_fuse\.bn", lambda m: f"laterals.{int(m[1]) - 1}.norm"),
    (r"^s(\d)\.pathway(\d)_res(\d)", lambda m: f"{PATHWAYS[int(m[2])]}.stages.{int(m[1]) - 2}.{m[3]}"),
    (r"\.branch1_bn", ".shortcut.norm"),
    (r"\.branch1\.", ".shortcut.conv."),
    (r"\.branch2\.([abc])_bn", lambda m: f".branch.{BRANCH[m[1]]}.norm"),
    (r"\.branch2\.([abc])\.", lambda m: f".branch.{BRANCH[m[1]]}.conv."),
    (r"^head\.projection", "head.linear"),
]
MMACTION = [
    (r"^backbone\.slow_path\.conv1_lateral", "laterals.0"),
    (r"^backbone\.slow_path\.layer(\d)_lateral", r"laterals.\1"),
    (r"^backbone\.(slow|fast)_path\.conv1\.", r"\1.stem.0."),
    (r"^backbone\.(slow|fast)_path\.layer(\d)", lambda m: f"{m[1]}.stages.{int(m[2]) - 1}"),
    (r"\.conv([123])\.", lambda m: f".branch.{int(m[1]) - 1}."),
    (r"\.downsample\.", ".shortcut."),
    (r"\.bn\.", ".norm."),
    (r"^cls_head\.fc_cls", "head.linear"),
]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rules"),
    [("pytorchvideo_slowfast_r50", PYTORCHVIDEO), ("slowfast_slowfast_8x8_r50", PYSLOWFAST)],
)
def test_published_networks_give_their_published_output(name, rules, reference, rename, assert_same):
    ref = reference(name)
    model = create_model("slowfast_r50_8x8").eval()
    model.load_state_dict(rename(ref.checkpoint, rules))
    with torch.no_grad():
        assert_same(model(ref.clip), ref.output)


@pytest.mark.shared
def test_mmactions_has_strided_slow_frames_and_bare_laterals(reference, rename, assert_same):
    ref = reference("mm_slowfast_r50_8x8")
    state = rename(ref.checkpoint, MMACTION)
    fast, slow = state["head.linear.weight"].split([256, 2048], dim=1)  # theirs joins fast before slow
    state["head.linear.weight"] = torch.cat([slow, fast], dim=1)
    model = create_model("slowfast_r50_8x8", slow_frames="strided", fusion_norm=False).eval()
    model.load_state_dict(state)
    with torch.no_grad():
        assert_same(model(ref.clip), ref.output)


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


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"slow_frames": "every other"}, "'linspace' or 'strided'"),
        ({"fusion_kernel": 4}, "odd number"),
        ({"alpha": 0}, "at least 1"),
    ],
)
def test_bad_options_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        create_model("slowfast_r50_8x8", **option)
