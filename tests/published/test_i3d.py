from __future__ import annotations

import re

import pytest
import torch
from torchvision.models import googlenet

from muybridge.models import create_model
from muybridge.published.i3d import readings
from muybridge.weights.remap import remap

PIERGIAJ = {"Conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7), "logits.conv3d.weight": (400, 1024, 1, 1, 1)}


def deepmind(scope: str, channels: int, classes: int):
    (reading,) = readings(
        {
            f"{scope}Conv3d_1a_7x7/conv_3d/w": (7, 7, 7, channels, 64),
            f"{scope}Logits/Conv3d_0c_1x1/conv_3d/w": (1, 1, 1, 1024, classes),
        }
    )
    return reading


def edit(reading, key, tensor):
    """What becomes of a tensor under our key."""
    change = next(change for pattern, change in reading.edits.items() if re.fullmatch(pattern, key))
    return change(tensor)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Conv3d_2c_3x3/conv_3d/w", "trunk.Conv3d_2c_3x3.conv.weight"),
        ("Conv3d_2c_3x3/batch_norm/moving_variance", "trunk.Conv3d_2c_3x3.norm.running_var"),
        ("Mixed_3b/Branch_0/Conv3d_0a_1x1/batch_norm/beta", "trunk.Mixed_3b.branches.0.0.norm.bias"),
        ("Mixed_4e/Branch_1/Conv3d_0a_1x1/conv_3d/w", "trunk.Mixed_4e.branches.1.0.conv.weight"),
        ("Mixed_4e/Branch_1/Conv3d_0b_3x3/conv_3d/w", "trunk.Mixed_4e.branches.1.1.conv.weight"),
        ("Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w", "trunk.Mixed_5b.branches.2.1.conv.weight"),
        ("Mixed_5b/Branch_2/Conv3d_0a_1x1/conv_3d/w", "trunk.Mixed_5b.branches.2.0.conv.weight"),
        (
            "Mixed_5c/Branch_3/Conv3d_0b_1x1/batch_norm/moving_mean",
            "trunk.Mixed_5c.branches.3.1.norm.running_mean",
        ),
        ("Logits/Conv3d_0c_1x1/conv_3d/b", "head.linear.bias"),
    ],
)
@pytest.mark.parametrize("scope", ["RGB/inception_i3d/", "Flow/inception_i3d/", ""])
def test_variables_of_tensorflow_find_their_place(scope, theirs, ours):
    assert deepmind(scope, 3, 400).targets(f"{scope}{theirs}") == [ours]


def test_files_say_modality_and_classes():
    assert (deepmind("RGB/inception_i3d/", 3, 400).model, deepmind("", 3, 600).num_classes) == (
        "i3d_rgb",
        600,
    )
    assert deepmind("Flow/inception_i3d/", 2, 400).model == "i3d_flow"
    (charades,) = readings({**PIERGIAJ, "logits.conv3d.weight": (157, 1024, 1, 1, 1)})
    assert (charades.model, charades.num_classes, charades.labels) == ("i3d_rgb", 157, "charades")
    (flow,) = readings({**PIERGIAJ, "Conv3d_1a_7x7.conv3d.weight": (64, 2, 7, 7, 7)})
    assert flow.model == "i3d_flow"
    assert not list(readings({"stem.conv.weight": (64, 3, 7, 7, 7)}))


def test_kernels_of_tensorflow_are_turned_round():
    reading = deepmind("", 3, 400)
    kernel = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)  # time, height, width, in, out
    turned = edit(reading, "trunk.Conv3d_2c_3x3.conv.weight", kernel)
    assert turned.shape == (6, 5, 2, 3, 4)
    assert turned[5, 4, 1, 2, 3] == kernel[1, 2, 3, 4, 5]
    assert turned[3, 0, 1, 0, 2] == kernel[1, 0, 2, 0, 3]
    classifier = torch.arange(12).reshape(1, 1, 1, 4, 3)
    assert torch.equal(edit(reading, "head.linear.weight", classifier), classifier[0, 0, 0].T)
    assert edit(reading, "trunk.Mixed_3b.branches.0.0.norm.bias", torch.zeros(1, 1, 1, 1, 64)).shape == (64,)


@pytest.mark.shared
def test_the_map_from_tensorflow_is_that_of_the_conversion(shared):
    """Both of DeepMind's and piergiaj's names for a tensor lead to the same place."""
    lines = (shared / "keys" / "deepmind_i3d_tf_to_piergiaj.txt").read_text().splitlines()
    pairs = [line.split("\t") for line in lines if not line.startswith("#")]
    assert len(pairs) == 230
    from_tensorflow = deepmind("RGB/inception_i3d/", 3, 400)
    (from_pytorch,) = readings(PIERGIAJ)
    for variable, key, _ in pairs:
        assert from_tensorflow.targets(variable) == from_pytorch.targets(key)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "model", "classes", "ignored"),
    [
        ("rgb_imagenet", "i3d_rgb", 400, 0),
        ("rgb_scratch", "i3d_rgb", 400, 0),
        ("flow_imagenet", "i3d_flow", 400, 0),
        ("flow_scratch", "i3d_flow", 400, 0),
        ("rgb_scratch_kin600", "i3d_rgb", 600, 116),
    ],
)
def test_every_published_tensorflow_variable_is_used_once(name, model, classes, ignored, shared):
    state = {}
    for line in (shared / "keys" / f"deepmind_i3d_tf_{name}.txt").read_text().splitlines():
        if not line.startswith("#"):
            key, _, shape, *_ = line.split("\t")
            sizes = [int(size) for size in shape.strip("()").split(",") if size.strip()]
            state[key] = torch.empty(sizes, device="meta")
    (reading,) = readings({key: tuple(tensor.shape) for key, tensor in state.items()})
    assert (reading.model, reading.num_classes) == (model, classes)
    with torch.device("meta"):
        wanted = create_model(model, num_classes=classes).state_dict()
    _, report = remap(state, wanted, reading)
    assert report.is_complete
    assert len(report.used) == 230
    assert len(report.filled) == 57  # batch norms without a scale
    assert len(report.ignored) == ignored
    assert all(key.endswith("/Momentum") for key in report.ignored)


@pytest.fixture(scope="module")
def images():
    torch.manual_seed(0)
    network = googlenet(weights=None, init_weights=False, aux_logits=True).eval()
    for key, tensor in network.state_dict().items():
        if key.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif key.endswith(("running_mean", "bn.bias")):
            tensor.normal_(0, 0.1)
    return network


def inflated(images, name):
    state = dict(images.state_dict())
    (reading,) = [r for r in readings({k: tuple(v.shape) for k, v in state.items()}) if r.model == name]
    assert reading.inflates
    model = create_model(name, num_classes=reading.num_classes).eval()
    renamed, report = remap(state, model.state_dict(), reading)
    assert report.is_complete
    assert all(key.startswith(("aux", "fc.")) for key in report.ignored)
    model.load_state_dict(renamed, strict=False)
    return model


@pytest.mark.parametrize(
    ("layer", "endpoint"),
    [
        ("conv1", "Conv3d_1a_7x7"),
        ("conv3", "Conv3d_2c_3x3"),
        ("inception3b", "Mixed_3c"),
        ("inception4e", "Mixed_4f"),
        ("inception5b", "Mixed_5c"),
    ],
)
def test_a_boring_video_gives_the_activations_of_its_image(layer, endpoint, images):
    """Far enough from both ends (99 frames see each other), and on sides where both networks pad alike."""
    seen = []
    hook = getattr(images, layer).register_forward_hook(lambda module, inputs, output: seen.append(output))
    image = torch.randn(1, 3, 31, 63, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        images(image)
        maps = inflated(images, "i3d_rgb").features(image[:, :, None].expand(-1, -1, 112, -1, -1), endpoint)
    hook.remove()
    largest = seen[0].abs().max().item()
    torch.testing.assert_close(maps[:, :, maps.shape[2] // 2], seen[0], rtol=0, atol=1e-5 * largest)


def test_flow_gets_the_mean_of_the_image_channels(images):
    kernel = inflated(images, "i3d_flow").trunk.Conv3d_1a_7x7.conv.weight
    mean = images.conv1.conv.weight.mean(1)
    assert kernel.shape == (64, 2, 7, 7, 7)
    for channel in range(2):
        for frame in range(7):
            torch.testing.assert_close(kernel[:, channel, frame], mean / 7)
