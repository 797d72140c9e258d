"""MViT and Video Swin against torchvision's own, and what the wrapping adds."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import swin_t
from torchvision.models import video as theirs

from muybridge.models import create_model, model_info
from muybridge.published import find_weights, readings
from muybridge.weights.remap import remap


@pytest.mark.parametrize(
    ("name", "wanted", "clip", "options"),
    [
        # torchvision's meta; for Swin it counts clips of 16 frames.
        ("mvit_v1_b", (36.610672, 70.599), {}, {}),
        ("mvit_v2_s", (34.537744, 64.224), {}, {}),
        ("swin3d_t", (28.158070, 43.882), {"frames": 16}, {}),
        ("swin3d_s", (49.816678, 82.841), {"frames": 16}, {}),
        ("swin3d_b", (88.048984, 140.667), {"frames": 16}, {}),
        # MMAction2's tables.
        ("swin3d_l", (197, 604), {}, {}),
        ("mvit_v2_s", (36.4, 71), {}, {"widen_in_attention": False}),
        # PyTorchVideo's model zoo.
        ("mvit_v1_b_32x3", (36.61, 170.37), {}, {}),
        # What PySlowFast builds from its configuration.
        ("mvit_v1_b24_32x3", (53.11528, None), {}, {}),
        # PySlowFast's projects/mvitv2; the large one's parameters are those with 174 classes.
        ("mvit_v2_b_32x3", (51.2, 225), {}, {}),
        ("mvit_v2_l_40x3", (213.1, 2828), {"num_classes": 174}, {}),
    ],
)
def test_cost_is_the_published_one(name, wanted, clip, options, assert_cost):
    assert_cost(name, millions=wanted[0], gflops=wanted[1], **clip, **options)


@pytest.mark.parametrize(
    ("name", "shape", "has_class_token"),
    [
        ("mvit_v1_b", (16, 224, 224), True),
        ("mvit_v2_s", (16, 224, 224), True),
        ("swin3d_t", (16, 96, 96), False),
        ("swin3d_t", (7, 65, 50), False),
        ("swin3d_t", (5, 33, 130), False),
    ],
)
def test_same_weights_give_torchvisions_logits_and_maps(name, shape, has_class_token, assert_same):
    torch.manual_seed(0)
    peer = getattr(theirs, name)(num_classes=5).eval()
    with torch.device("meta"):
        ours = create_model(name, num_classes=5).eval()
    (reading,) = readings({key: tuple(value.shape) for key, value in peer.state_dict().items()})
    assert (reading.model, dict(reading.options)) == (name, {})
    state, report = remap(dict(peer.state_dict()), ours.state_dict(), reading)
    assert report.is_complete
    ours.load_state_dict(state, assign=True)

    seen = []
    peer.norm.register_forward_hook(lambda module, given, tokens: seen.append(tokens))
    clip = torch.randn(1, 3, *shape)
    with torch.no_grad():
        assert_same(ours(clip), peer(clip))
        maps = ours.features(clip)
    places = seen[0][:, 1:] if has_class_token else seen[0].flatten(1, 3)
    assert torch.equal(maps.flatten(2).transpose(1, 2), places)


def test_a_wrong_index_of_positions_in_a_file_does_no_harm(assert_same):
    peer = theirs.swin3d_t(num_classes=3).eval()
    clip = torch.randn(1, 3, 4, 64, 64)
    with torch.no_grad():
        wanted = peer(clip)
    state = {k: torch.zeros_like(v) if k.endswith("_index") else v for k, v in peer.state_dict().items()}
    (reading,) = readings({key: tuple(value.shape) for key, value in state.items()})
    ours = create_model("swin3d_t", num_classes=3).eval()
    state, report = remap(state, ours.state_dict(), reading)
    assert len(report.ignored) == 12
    ours.load_state_dict(state)
    with torch.no_grad():
        assert_same(ours(clip), wanted)


def test_an_image_network_grows_into_one_that_sees_the_same_in_a_still_video():
    torch.manual_seed(0)
    image_network = swin_t(num_classes=7).eval()
    for key, value in image_network.named_parameters():
        if key.endswith("bias_table"):
            nn.init.normal_(value, std=0.5)
    (reading,) = readings({key: tuple(value.shape) for key, value in image_network.state_dict().items()})
    assert (reading.model, reading.inflates, reading.num_classes) == ("swin3d_t", True, 7)
    ours = create_model("swin3d_t", num_classes=7).eval()
    state, _ = remap(dict(image_network.state_dict()), ours.state_dict(), reading)
    ours.load_state_dict(state, strict=False)
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        maps = ours.features(image.unsqueeze(2).expand(-1, -1, 4, -1, -1))
        wanted = image_network.norm(image_network.features(image)).permute(0, 3, 1, 2)
    assert maps.shape[2] == 2
    for moment in maps.unbind(2):
        torch.testing.assert_close(moment, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(8, 64, 64), (4, 96, 96), (4, 64, 96), (4, 65, 64)])
@pytest.mark.parametrize("name", ["mvit_v1_b", "mvit_v2_s"])
def test_mvit_refuses_other_sizes_and_says_its_own(name, shape):
    with torch.device("meta"):
        network = create_model(name, num_classes=3, frames=4, size=64)
        with pytest.raises(ValueError, match="are for 4 frames of 64x64") as caught:
            network(torch.empty(1, 3, *shape))
    assert f"got {shape[0]} frames of {shape[2]}x{shape[1]}" in str(caught.value)


@pytest.mark.parametrize(("frames", "size"), [(3, 64), (0, 64), (4, 66), (4, 28)])
def test_mvit_of_impossible_sizes_is_not_built(frames, size):
    with pytest.raises(ValueError, match=f"frames is {frames} and size {size}; MViT takes an even number"):
        create_model("mvit_v2_s", num_classes=3, frames=frames, size=size)


def test_features_reach_what_the_class_token_does_not():
    network = create_model("mvit_v2_s", num_classes=3, frames=4, size=64, stochastic_depth=0.0)
    clip = torch.randn(1, 3, 4, 64, 64)
    maps, logits = network.features(clip), network(clip)
    loss = (maps * torch.randn_like(maps)).sum() + logits.square().sum()
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize(
    ("name", "enum"),
    [
        ("mvit_v1_b.k400", theirs.MViT_V1_B_Weights.KINETICS400_V1),
        ("mvit_v2_s.k400", theirs.MViT_V2_S_Weights.KINETICS400_V1),
        ("swin3d_t.k400", theirs.Swin3D_T_Weights.KINETICS400_V1),
        ("swin3d_s.k400", theirs.Swin3D_S_Weights.KINETICS400_V1),
        ("swin3d_b.k400", theirs.Swin3D_B_Weights.KINETICS400_V1),
        ("swin3d_b.in22k_k400", theirs.Swin3D_B_Weights.KINETICS400_IMAGENET22K_V1),
    ],
)
def test_torchvisions_weights_are_listed_as_torchvision_says(name, enum):
    weights = find_weights(name)
    shown = enum.transforms.keywords
    assert weights.origin == "torchvision"
    assert weights.url == enum.url
    assert weights.sha256 == enum.url.rpartition("-")[2].removesuffix(".pth")
    figures = enum.meta["_metrics"]["Kinetics-400"]
    assert dict(weights.scores) == {"top1": figures["acc@1"], "top5": figures["acc@5"]}
    assert (weights.clip.mean, weights.clip.std) == (shown["mean"], shown["std"])
    assert (weights.clip.size, weights.clip.short_side) == (shown["crop_size"][0], shown["resize_size"][0])
    told = dict(
        part.strip("`").split("=")
        for part in enum.meta["_docs"].split()
        if "=" in part
        for part in [part.rstrip(",")]
    )
    assert weights.clip.frames == int(told["clip_len"])
    assert float(weights.clip.fps) / weights.clip.stride == float(told["frame_rate"])
    assert weights.clip.views == int(told["clips_per_video"])
    assert weights.clip == model_info(weights.model).clip
