"""Weight files of other projects: recognized from keys and shapes, proven key by key, refused where they don't fit.

The files are made here. Their outputs come from torchvision, or from the network written down once more below in plain
functions; the project's own models are never their own witness.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from muybridge.checkpoints import open_checkpoint
from muybridge.matching import identify
from muybridge.types import WeightsError

State = dict[str, Tensor]


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights under which no part of a network can hide."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert ((ours - theirs).abs().max() / theirs.abs().max()).item() <= 1e-5


@pytest.fixture(scope="module")
def r3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torchvision R3D-18 with seven classes, as one would save it."""
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save(lively(torchvision.models.video.r3d_18(weights=None, num_classes=7)).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("builder", "ours", "frames"),
    [("r3d_18", "r3d_18", 8), ("mc3_18", "mc3_18", 8), ("r2plus1d_18", "r2plus1d_18", 8), ("s3d", "s3d", 14)],
)
def test_torchvisions_files_give_torchvisions_outputs(builder, ours, frames, tmp_path):
    theirs = lively(getattr(torchvision.models.video, builder)(weights=None, num_classes=11))
    torch.save(theirs.state_dict(), tmp_path / "file.pth")
    size = 224 if builder == "s3d" else 64
    clip = torch.randn(1, 3, frames, size, size)
    loaded = open_checkpoint(tmp_path / "file.pth")
    assert (loaded.name, loaded.origin) == (ours, "torchvision")
    assert loaded.labels == tuple(f"class {number}" for number in range(11))
    with torch.no_grad():
        assert_same(loaded.model(clip), theirs(clip))


# SlowOnly R50, once as data and once as functions: its kernels per stage and widths are the paper's.
DEPTHS, WIDTHS, TIME = (3, 4, 6, 3), (64, 128, 256, 512), (1, 1, 3, 3)


@pytest.fixture(scope="module")
def slow_state() -> State:
    """PySlowFast's names."""
    generator = torch.Generator().manual_seed(0)
    state: State = {}

    def conv(name: str, out: int, width: int, *kernel: int) -> None:
        fan = width * kernel[0] * kernel[1] * kernel[2]
        state[f"{name}.weight"] = torch.randn(out, width, *kernel, generator=generator) * (2 / fan) ** 0.5

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = torch.rand(width, generator=generator) + 0.5
        state[f"{name}.bias"] = torch.randn(width, generator=generator) * 0.1
        state[f"{name}.running_mean"] = torch.randn(width, generator=generator) * 0.1
        state[f"{name}.running_var"] = torch.rand(width, generator=generator) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(9)

    conv("s1.pathway0_stem.conv", 64, 3, 1, 7, 7)
    norm("s1.pathway0_stem.bn", 64)
    width_in = 64
    for stage, (depth, width, time) in enumerate(zip(DEPTHS, WIDTHS, TIME, strict=True), start=2):
        for block in range(depth):
            name = f"s{stage}.pathway0_res{block}"
            if block == 0:
                conv(f"{name}.branch1", 4 * width, width_in, 1, 1, 1)
                norm(f"{name}.branch1_bn", 4 * width)
            conv(f"{name}.branch2.a", width, width_in, time, 1, 1)
            norm(f"{name}.branch2.a_bn", width)
            conv(f"{name}.branch2.b", width, width, 1, 3, 3)
            norm(f"{name}.branch2.b_bn", width)
            conv(f"{name}.branch2.c", 4 * width, width, 1, 1, 1)
            norm(f"{name}.branch2.c_bn", 4 * width)
            width_in = 4 * width
    state["head.projection.weight"] = torch.randn(400, 2048, generator=generator) * 0.02
    state["head.projection.bias"] = torch.randn(400, generator=generator)
    return state


def slow_output(state: Mapping[str, Tensor], clip: Tensor) -> Tensor:
    """The network in functions, on PySlowFast's names."""

    def conv(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        padding = tuple(size // 2 for size in weight.shape[2:])
        x = F.conv3d(x, weight, stride=(1, stride, stride), padding=padding)
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return F.batch_norm(x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-5)

    x = conv(clip, "s1.pathway0_stem.conv", "s1.pathway0_stem.bn", 2).relu()
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for stage, depth in enumerate(DEPTHS, start=2):
        for block in range(depth):
            name = f"s{stage}.pathway0_res{block}"
            stride = 2 if block == 0 and stage > 2 else 1
            kept = conv(x, f"{name}.branch1", f"{name}.branch1_bn", stride) if block == 0 else x
            x = conv(x, f"{name}.branch2.a", f"{name}.branch2.a_bn").relu()
            x = conv(x, f"{name}.branch2.b", f"{name}.branch2.b_bn", stride).relu()
            x = (conv(x, f"{name}.branch2.c", f"{name}.branch2.c_bn") + kept).relu()
    return F.linear(x.mean((2, 3, 4)), state["head.projection.weight"], state["head.projection.bias"])


def as_pytorchvideo(key: str) -> str:
    key = key.replace("s1.pathway0_stem.conv", "blocks.0.conv").replace(
        "s1.pathway0_stem.bn", "blocks.0.norm"
    )
    key = re.sub(r"^s(\d)\.pathway0_res(\d)", lambda m: f"blocks.{int(m[1]) - 1}.res_blocks.{m[2]}", key)
    key = re.sub(
        r"branch2\.([abc])_bn", r"branch2.norm_\1", re.sub(r"branch2\.([abc])\.", r"branch2.conv_\1.", key)
    )
    key = key.replace("branch1_bn", "branch1_norm").replace("branch1.weight", "branch1_conv.weight")
    return key.replace("head.projection", "blocks.5.proj")


def as_mmaction2(key: str) -> str:
    key = key.replace("s1.pathway0_stem", "conv1")
    key = re.sub(r"^s(\d)\.pathway0_res(\d)", lambda m: f"layer{int(m[1]) - 1}.{m[2]}", key)
    number = {"a": 1, "b": 2, "c": 3}
    key = re.sub(r"branch2\.([abc])_bn", lambda m: f"conv{number[m[1]]}.bn", key)
    key = re.sub(r"branch2\.([abc])\.", lambda m: f"conv{number[m[1]]}.conv.", key)
    key = key.replace("branch1_bn", "downsample.bn").replace("branch1.", "downsample.conv.")
    return key.replace("head.projection", "cls_head.fc_cls") if key.startswith("head") else f"backbone.{key}"


@pytest.mark.parametrize(
    ("origin", "rename", "wrap"),
    [
        (
            "PySlowFast",
            str,
            lambda state: {"epoch": 195, "model_state": state, "cfg": "DATA:\n  NUM_FRAMES: 4\n"},
        ),
        ("PyTorchVideo", as_pytorchvideo, lambda state: {"model_state": state}),
        ("MMAction2", as_mmaction2, lambda state: {"meta": {"epoch": 3}, "state_dict": state}),
    ],
)
def test_one_network_under_three_projects_names(origin, rename, wrap, slow_state, tmp_path):
    path = tmp_path / "anything.bin"
    torch.save(wrap({rename(key): value for key, value in slow_state.items()}), path)
    loaded = open_checkpoint(path)
    assert loaded.origin == origin
    assert loaded.name.startswith("slow")
    assert loaded.labels[0] == "abseiling"
    assert loaded.clip.frames == 4 or origin != "PySlowFast"
    clip = torch.randn(1, 3, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert_same(loaded.model(clip), slow_output(slow_state, clip))


def test_the_report_accounts_for_every_key(r3d):
    (match,) = identify(r3d)
    keys = set(torch.load(r3d, weights_only=True))
    assert set(match.remapped.used) | set(match.remapped.ignored) == keys
    assert len(set(match.remapped.used.values())) == len(match.remapped.used)
    assert match.reading.num_classes == 7
    report = open_checkpoint(r3d).report
    assert "torchvision" in report
    assert "r3d_18" in report
    assert str(len(match.remapped.used)) in report


def test_another_number_of_classes_leaves_the_classifier_out_and_says_so(r3d):
    whole, other = open_checkpoint(r3d), open_checkpoint(r3d, num_classes=3)
    assert other.model.num_classes == 3
    assert "left out: the file's has 7 classes" in other.report
    assert "left out" not in whole.report
    for key, value in other.model.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(value, whole.model.state_dict()[key])
    assert other.model(torch.zeros(1, 3, 4, 32, 32)).shape == (1, 3)
    other.model(torch.zeros(1, 3, 4, 32, 32)).sum().backward()


def test_labels_are_the_callers_where_the_file_has_none(r3d):
    names = tuple("abcdefg")
    assert open_checkpoint(r3d, labels=names).labels == names
    with pytest.raises(ValueError, match="2 labels for 7 outputs"):
        open_checkpoint(r3d, labels=("a", "b"))


def without(state: State) -> None:
    del state["layer3.1.conv2.0.weight"]


def with_more(state: State) -> None:
    state["layer5.weight"] = torch.zeros(3)


def with_other_shape(state: State) -> None:
    state["layer2.0.conv1.0.weight"] = torch.zeros(5, 64, 3, 3, 3)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (without, "1 of the model's keys missing"),
        (with_more, r"1 keys without a place \(layer5.weight\)"),
        (with_other_shape, "1 tensors of another shape"),
    ],
)
def test_a_file_that_almost_fits_is_refused_with_the_keys_that_do_not(harm, says, r3d, tmp_path):
    state = torch.load(r3d, weights_only=True)
    harm(state)
    torch.save(state, tmp_path / "harmed.pth")
    for attempt in (identify, open_checkpoint):
        with pytest.raises(WeightsError, match=says) as error:
            attempt(tmp_path / "harmed.pth")
        assert "r3d_18" in str(error.value)
        assert "\n" not in str(error.value)


def test_a_file_of_no_family_is_refused(tmp_path):
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(WeightsError, match="of no family that muybridge knows"):
        open_checkpoint(tmp_path / "linear.pth")


def test_an_image_network_grows_into_the_model_that_is_asked_for(tmp_path):
    images = lively(torchvision.models.resnet50(weights=None))
    torch.save(images.state_dict(), tmp_path / "resnet50.pth")
    with pytest.raises(WeightsError, match=r"say which with --model .*tsn_r50"):
        open_checkpoint(tmp_path / "resnet50.pth")
    loaded = open_checkpoint(tmp_path / "resnet50.pth", model="c2d_r50", num_classes=4)
    assert loaded.model.num_classes == 4
    assert "left out: the file has no classifier" in loaded.report
    with pytest.raises(WeightsError, match="has no classifier for c2d_r50.*train one"):
        open_checkpoint(tmp_path / "resnet50.pth", model="c2d_r50")
    frame = torch.randn(1, 3, 64, 64)
    trunk = nn.Sequential(*list(images.children())[:-2])
    with torch.no_grad():
        still = loaded.model.features(frame.unsqueeze(2).expand(-1, -1, 4, -1, -1))
        assert_same(still[:, :, 0], trunk(frame))  # a video that stands still is its picture
        assert loaded.model(frame.unsqueeze(2).expand(-1, -1, 4, -1, -1)).isfinite().all()


@pytest.mark.parametrize(
    "model", ["lstm_inception", "fused_two_stream_inception", "two_stream_inception", "i3d_flow"]
)
def test_an_image_network_fills_all_that_grows_from_it(model, tmp_path):
    images = lively(torchvision.models.googlenet(weights=None, init_weights=False))
    torch.save(images.state_dict(), tmp_path / "googlenet.pth")
    loaded = open_checkpoint(tmp_path / "googlenet.pth", model=model, num_classes=6)
    state = loaded.model.state_dict()
    kernels = images.state_dict()["inception3a.branch2.1.conv.weight"]
    same = [
        key
        for key, value in state.items()
        if value.shape[-2:] == (3, 3) and value.shape[:2] == kernels.shape[:2]
    ]
    assert sum(
        torch.allclose(state[key] if state[key].ndim == 4 else state[key].sum(2), kernels) for key in same
    ) >= (2 if "two_stream" in model else 1)
    first = images.state_dict()["conv1.conv.weight"].mean(1)
    flow = [
        value
        for value in state.values()
        if value.ndim > 3 and value.shape[-1] == 7 and value.shape[1] in (2, 20)
    ]
    for kernel in flow:  # each of two or twenty channels sees the mean of the colours
        whole = kernel if kernel.ndim == 4 else kernel.sum(2)
        torch.testing.assert_close(whole, first.unsqueeze(1).expand_as(whole))
    assert bool(flow) == (model != "lstm_inception")
    places = [value.data_ptr() for value in state.values()]
    assert len(set(places)) == len(places)
    assert all(value.isfinite().all() for value in state.values() if value.is_floating_point())


def test_opened_weights_can_be_trained_and_their_file_stays_as_it_was(r3d):
    before = r3d.read_bytes()
    network = open_checkpoint(r3d, num_classes=2).model.train()
    rate = torch.optim.SGD(network.parameters(), lr=0.1)
    start = {key: value.clone() for key, value in network.named_parameters()}
    network(torch.randn(2, 3, 4, 32, 32)).square().sum().backward()
    rate.step()
    assert any(not torch.equal(start[key], value) for key, value in network.named_parameters())
    assert r3d.read_bytes() == before


def test_identify_and_convert_on_the_command_line(muybridge: Callable[..., Any], r3d, tmp_path):
    told = muybridge("checkpoints", "identify", r3d)
    assert told.code == 0
    assert "torchvision" in told.out
    facts = json.loads(muybridge("checkpoints", "identify", r3d, "--json").out)
    assert (facts["model"], facts["origin"], facts["classes"]) == ("r3d_18", "torchvision", 7)

    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\nc\nd\ne\nf\ng\n")
    out = tmp_path / "out.safetensors"
    assert muybridge("checkpoints", "convert", r3d, out, "--labels", labels).code == 0
    ours, theirs = open_checkpoint(out), open_checkpoint(r3d)
    assert ours.origin == "muybridge"
    assert ours.labels == tuple("abcdefg")
    assert ours.clip == theirs.clip
    clip = torch.randn(1, 3, 4, 32, 32)
    with torch.no_grad():
        assert_same(ours.model(clip), theirs.model(clip))


@pytest.mark.parametrize("command", [["identify"], ["convert"]])
def test_what_is_no_weight_file_is_one_line(command, muybridge: Callable[..., Any], tmp_path):
    text = tmp_path / "page.pth"
    text.write_text("<!DOCTYPE html><html>404</html>")
    pipe = tmp_path / "pipe.pth"
    os.mkfifo(pipe)
    for path in (tmp_path / "missing.pth", text, tmp_path, pipe, Path("/dev/zero")):
        rest = [tmp_path / "out.safetensors"] if command == ["convert"] else []
        ran = muybridge("checkpoints", *command, path, *rest)
        assert ran.code == 2
        assert ran.err.count("\n") == 1
        assert str(path) in ran.err
    assert not (tmp_path / "out.safetensors").exists()


def test_a_hugging_face_folder_opens_like_any_file(tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs the extra hf")
    torch.manual_seed(0)
    config = transformers.VideoMAEConfig(
        num_frames=4,
        image_size=32,
        num_hidden_layers=1,
        hidden_size=24,
        num_attention_heads=2,
        intermediate_size=48,
        id2label={0: "sit", 1: "stand", 2: "walk"},
        label2id={"sit": 0, "stand": 1, "walk": 2},
    )
    theirs = transformers.VideoMAEForVideoClassification(config).eval()
    theirs.save_pretrained(tmp_path / "model")
    loaded = open_checkpoint(tmp_path / "model")
    assert loaded.labels == ("sit", "stand", "walk")
    assert loaded.origin == "Hugging Face"
    clip = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        assert_same(loaded.model(clip), theirs(clip.transpose(1, 2)).logits)
    assert open_checkpoint(tmp_path / "model", num_classes=5).model.num_classes == 5


def test_our_own_file_is_recognized_as_ours(muybridge: Callable[..., Any], r3d, tmp_path):
    out = tmp_path / "out.safetensors"
    assert muybridge("checkpoints", "convert", r3d, out).code == 0
    told = muybridge("checkpoints", "identify", out)
    assert told.code == 0
    assert re.search(r"origin +muybridge\nmodel +r3d_18\nclasses +7: class 0", told.out)
    facts = json.loads(muybridge("checkpoints", "identify", out, "--json").out)
    assert (facts["model"], facts["origin"], facts["classes"]) == ("r3d_18", "muybridge", 7)
    with pytest.raises(WeightsError, match="muybridge's own"):
        identify(out)


def test_convert_looks_where_it_shall_write_before_it_works(muybridge: Callable[..., Any], r3d, tmp_path):
    ours = tmp_path / "ours.safetensors"
    assert muybridge("checkpoints", "convert", r3d, ours).code == 0
    folder = tmp_path / "folder.safetensors"
    folder.mkdir()
    for file, out, says in (
        (r3d, tmp_path / "absent" / "out.safetensors", "does not exist"),
        (r3d, folder, "is a folder"),
        (r3d, tmp_path / "out.pth", "ends in .safetensors"),
        (ours, ours, "is the file to convert"),
    ):
        ran = muybridge("checkpoints", "convert", file, out)
        assert (ran.code, ran.out) == (2, "")
        assert len(ran.err.splitlines()) == 1
        assert says in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.safetensors", "ours.safetensors"]


def test_labels_that_are_none_are_one_line(muybridge: Callable[..., Any], r3d, tmp_path):
    for name, content in (("short", b"a\nb\n"), ("empty", b"\n"), ("binary", bytes(range(256)))):
        (tmp_path / name).write_bytes(content)
    for name in ("short", "empty", "binary", "absent", "."):
        path, out = tmp_path / name, tmp_path / "out.safetensors"
        ran = muybridge("checkpoints", "convert", r3d, out, "--labels", path)
        assert (ran.code, ran.out) == (2, "")
        assert len(ran.err.splitlines()) == 1
        assert "label" in ran.err
        assert "Errno" not in ran.err
        assert not out.exists()


def test_what_a_file_leaves_open_is_noted(r3d, slow_state, tmp_path):
    assert "7 classes have no names" in " ".join(open_checkpoint(r3d).notes)
    assert open_checkpoint(r3d, labels=tuple("abcdefg")).notes == ()
    torch.save({as_pytorchvideo(key): value for key, value in slow_state.items()}, tmp_path / "slow.pyth")
    (note,) = open_checkpoint(tmp_path / "slow.pyth").notes
    (match,) = identify(tmp_path / "slow.pyth")
    assert note.startswith(f"taken for {match.reading.model}; {', '.join(match.reading.twins)}: ")
    assert open_checkpoint(tmp_path / "slow.pyth", model=match.reading.twins[0]).notes == ()


def test_a_model_that_does_not_exist_is_told_as_such(r3d):
    with pytest.raises(ValueError, match="no model 'r3d_81'; did you mean r3d_18"):
        open_checkpoint(r3d, model="r3d_81")
    with pytest.raises(WeightsError, match="is no tsn_r50; from its keys it can be r3d_18"):
        open_checkpoint(r3d, model="tsn_r50")


def test_an_image_networks_models_are_named_once_with_the_next_step(muybridge: Callable[..., Any], tmp_path):
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    ran = muybridge("checkpoints", "identify", tmp_path / "resnet18.pth")
    names = [line.strip() for line in ran.out.splitlines()[1:]]
    assert "r3d_18" in names
    assert len(set(names)) == len(names)
    assert f"muybridge train DATA --start {tmp_path / 'resnet18.pth'} --model {names[0]}" in ran.err


def test_a_name_alone_makes_no_file_the_published_one(r3d, tmp_path):
    impostor = tmp_path / "r3d_18-b3b3357e.pth"  # torchvision's name, with the beginning of its SHA-256
    impostor.write_bytes(r3d.read_bytes())
    assert identify(impostor)[0].weights is None
    assert "weights" not in open_checkpoint(impostor).facts


def test_a_file_can_be_said_to_be_published_weights(r3d):
    loaded = open_checkpoint(r3d, model="r3d_18.k400")
    assert loaded.facts["weights"] == "r3d_18.k400"
    assert loaded.clip.short_side == 128
    with pytest.raises(WeightsError, match="is no x3d_l; from its keys it can be r3d_18"):
        open_checkpoint(r3d, model="x3d_l.k400.pyslowfast")
