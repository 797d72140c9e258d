from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torchvision
from torch import nn

from muybridge.models import create_model, list_models
from muybridge.models._blocks import ConvNorm, Residual
from muybridge.models.preact3d import PreActivation
from muybridge.models.resnet3d import Subsampling, with_shortcut
from muybridge.published import resnet3d as published
from muybridge.weights.remap import remap


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18"])
def test_torchvisions_networks_give_their_output(name, assert_same):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models.video, name)(weights=None, num_classes=7).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    ours = create_model(name, num_classes=7).eval()
    (reading,) = published.readings({key: tuple(t.shape) for key, t in theirs.state_dict().items()})
    assert (reading.origin, reading.model, reading.num_classes) == ("torchvision", name, 7)
    state, report = remap(theirs.state_dict(), ours.state_dict(), reading)
    assert report.is_complete
    ours.load_state_dict(state)
    clip = torch.randn(2, 3, 7, 45, 38)
    with torch.no_grad():
        assert_same(ours(clip), theirs(clip))


@pytest.mark.parametrize(
    ("name", "millions", "gflops"),
    # num_params and _ops of torchvision's weights
    [("r3d_18", 33.371472, 40.697), ("mc3_18", 11.69544, 43.343)],
)
def test_torchvisions_networks_cost_what_it_says(name, millions, gflops, assert_cost):
    assert_cost(name, millions=millions, gflops=gflops)


@pytest.mark.parametrize(
    ("name", "num_classes", "options", "parameters"),
    # counted in Hara's own networks
    [
        ("resnet3d_10", 700, {}, 14_758_524),
        ("resnet3d_18", 700, {}, 33_563_004),
        ("resnet3d_18", 400, {"shortcut": "A"}, 33_235_280),
        ("resnet3d_34", 700, {}, 63_872_636),
        ("resnet3d_50", 700, {}, 47_633_276),
        ("resnet3d_101", 700, {}, 86_679_420),
        ("resnet3d_152", 700, {}, 118_838_140),
        ("resnet3d_200", 700, {}, 128_037_756),
        ("wide_resnet3d_50", 400, {"stem_width": 128}, 158_338_832),
        ("resnext3d_50", 400, {"stem_width": 128}, 26_775_824),
        ("preact_resnet3d_18", 400, {}, 33_408_208),
        ("preact_resnet3d_50", 400, {}, 47_014_608),
    ],
)
def test_haras_networks_have_as_many_parameters_as_his(name, num_classes, options, parameters):
    with torch.device("meta"):
        model = create_model(name, num_classes=num_classes, **options)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_a_shortcut_of_type_a_takes_every_second_value_and_adds_empty_channels():
    x = torch.arange(2 * 3 * 5 * 4.0).reshape(1, 2, 3, 5, 4)
    short = Subsampling(3, (2, 2, 2))(x)
    assert short.shape == (1, 3, 2, 3, 2)
    assert short[0, 1].tolist() == [
        [[60, 62], [68, 70], [76, 78]],
        [[100, 102], [108, 110], [116, 118]],
    ]
    assert not short[:, 2].any()


def test_type_a_has_no_parameters_and_type_b_a_convolution_per_change_of_shape():
    with torch.device("meta"):
        a, b = (create_model("resnet3d_50", num_classes=2, shortcut=kind) for kind in "AB")
    shortcuts = [key for key, _ in b.named_parameters() if ".shortcut." in key]
    assert sum(key.endswith("conv.weight") for key in shortcuts) == 4
    assert {key for key, _ in b.named_parameters()} - set(shortcuts) == {
        key for key, _ in a.named_parameters()
    }
    with pytest.raises(ValueError, match="shortcut is 'C'; it must be 'A'"):
        create_model("resnet3d_50", shortcut="C")


def test_gradients_flow_through_a_shortcut_of_type_a():
    block = with_shortcut(Residual(ConvNorm(2, 4, (3, 3, 3), stride=(2, 2, 2)), 2, 4, (2, 2, 2)), "A")
    nn.init.zeros_(block.branch.norm.weight)
    x = torch.ones(1, 2, 4, 4, 4, requires_grad=True)
    block(x).sum().backward()
    assert x.grad.sum() == 2 * 2 * 2 * 2  # one for each value that is kept


def test_a_pre_activated_block_lets_everything_through():
    branch = nn.Sequential(nn.Conv3d(3, 3, 1))
    block = PreActivation(branch, 3, 3, (1, 1, 1))
    nn.init.zeros_(branch[0].weight)
    nn.init.zeros_(branch[0].bias)
    x = torch.randn(1, 3, 2, 4, 4)
    assert torch.equal(block(x), x)


def test_mc3_looks_along_time_in_stem_and_first_stage_only():
    with torch.device("meta"):
        model = create_model("mc3_18")
    frames = {
        key.split(".")[0] + key.split(".")[1] * key.startswith("stages"): p.shape[2]
        for key, p in model.named_parameters()
        if p.ndim == 5 and "shortcut" not in key
    }
    assert frames == {"stem": 3, "stages0": 3, "stages1": 1, "stages2": 1, "stages3": 1}
    assert (model.time_stride, model.space_stride) == (1, 16)


def shapes_of(name, counts=True, **options):
    """A file of Hara's, from our own network: names go the other way for the few keys that tell."""
    with torch.device("meta"):
        model = create_model(name, num_classes=400, **options)
    shapes = {}
    for key, tensor in model.state_dict().items():
        if not counts and key.endswith("num_batches_tracked"):
            continue
        parts = key.split(".")
        if parts[0] == "stages":
            what = (
                f"{parts[-2][:4].replace('norm', 'bn')}{int(parts[4]) + 1}"
                if parts[3] == "branch"
                else f"downsample.{('conv', 'norm').index(parts[-2])}"
            )
            theirs = f"layer{int(parts[1]) + 1}.{parts[2]}.{what}.{parts[-1]}"
        else:
            theirs = {"stem.conv": "conv1", "stem.norm": "bn1", "head.linear": "fc"}[".".join(parts[:2])]
            theirs += f".{parts[-1]}"
        shapes[theirs] = tuple(tensor.shape)
    return shapes


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet3d_10", {"shortcut": "B"}),
        ("resnet3d_34", {"shortcut": "A"}),
        ("resnet3d_200", {"shortcut": "B"}),
        ("wide_resnet3d_50", {"shortcut": "B", "stem_width": 64}),
        ("wide_resnet3d_50", {"shortcut": "A", "stem_width": 128}),
        ("resnext3d_101", {"shortcut": "B", "stem_width": 64}),
        ("preact_resnet3d_18", {"shortcut": "A"}),
        ("preact_resnet3d_50", {"shortcut": "B"}),
    ],
)
def test_haras_files_tell_kind_depth_shortcut_and_stem(name, options):
    (reading,) = published.readings(shapes_of(name, **options))
    assert (reading.origin, reading.model, reading.options) == ("Hara", name, options)


def test_haras_files_of_2018_are_fed_as_they_were_then():
    (new,) = published.readings(shapes_of("resnet3d_50"))
    (old,) = published.readings(shapes_of("resnet3d_50", counts=False))
    assert (old.model, old.options) == (new.model, new.options)
    # His code of 2018 takes the mean from pixels of 0 to 255 and leaves it at that.
    pixel = 128 / 255
    fed = [(pixel - mean) / std for mean, std in zip(old.clip.mean, old.clip.std, strict=True)]
    assert fed == pytest.approx([128 - 114.7748, 128 - 107.7354, 128 - 99.4750])
    assert new.clip.mean == (0.4345, 0.4051, 0.3775)
    assert (old.labels, new.labels) == ("kinetics400", "")
    assert "issues/211" in new.note


@pytest.mark.parametrize(
    ("image", "models"),
    [
        ("resnet18", ["resnet3d_18", "r3d_18", "mc3_18"]),
        ("resnet50", ["resnet3d_50"]),
        ("wide_resnet50_2", ["wide_resnet3d_50"]),
        ("resnext50_32x4d", ["resnext3d_50"]),
        ("resnext101_32x8d", []),
        ("wide_resnet101_2", []),
    ],
)
def test_image_networks_grow_into_video_networks(image, models):
    with torch.device("meta"):
        state = getattr(torchvision.models, image)().state_dict()
    found = list(published.readings({key: tuple(t.shape) for key, t in state.items()}))
    assert [reading.model for reading in found] == models
    for reading in found:
        assert reading.inflates
        with torch.device("meta"):
            model = create_model(reading.model, num_classes=1000, **reading.options)
        assert remap(dict(state), model.state_dict(), reading)[1].is_complete


def test_a_grown_convolution_gives_on_a_still_clip_what_the_image_network_gives(assert_same):
    torch.manual_seed(0)
    image = torchvision.models.resnet18(weights=None).eval()
    reading = next(r for r in published.readings({k: tuple(t.shape) for k, t in image.state_dict().items()}))
    video = create_model("resnet3d_18", num_classes=1000).eval()
    state, _ = remap(image.state_dict(), video.state_dict(), reading)
    video.load_state_dict(state)
    picture = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        maps = video.stem(picture.unsqueeze(2).expand(-1, -1, 9, -1, -1))
        # The frames in the middle, where the stem does not see beyond the ends.
        for frame in (3, 4, 5):
            assert_same(maps[:, :, frame], image.relu(image.bn1(image.conv1(picture))))


@pytest.mark.parametrize("weights", published.WEIGHTS, ids=lambda weights: weights.name)
def test_published_weights_name_a_model_that_can_be_built(weights):
    assert weights.model in list_models()
    with torch.device("meta"):
        create_model(weights.model, num_classes=3, **weights.options)
    assert weights.name.startswith(f"{weights.model}.")


def test_published_weights_have_different_names_and_places():
    for values in ([w.name for w in published.WEIGHTS], [w.url for w in published.WEIGHTS]):
        assert len(set(values)) == len(values)


def test_torchvisions_weights_are_those_of_its_own_list():
    listed = {w.name: w for w in published.WEIGHTS}
    for name, enum in (("r3d_18", "R3D_18_Weights"), ("mc3_18", "MC3_18_Weights")):
        theirs = getattr(torchvision.models.video, enum).KINETICS400_V1
        ours = listed[f"{name}.k400"]
        assert ours.url == theirs.url
        assert ours.scores == {
            "top1": theirs.meta["_metrics"]["Kinetics-400"]["acc@1"],
            "top5": theirs.meta["_metrics"]["Kinetics-400"]["acc@5"],
        }
        made = theirs.transforms()
        assert (list(ours.clip.mean), list(ours.clip.std)) == (made.mean, made.std)
        assert [ours.clip.size] * 2 == made.crop_size
        assert ours.clip.fps == Fraction(15)
