"""The adapter to transformers: the same numbers as theirs, in our axes, from their folders."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from muybridge.models import create_model
from muybridge.models.hf import open_folder
from muybridge.types import WeightsError

TINY = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 1}
CONFIGS = {
    "VideoMAE": {"num_frames": 4, "image_size": 32, "intermediate_size": 128, **TINY},
    "Timesformer": {"num_frames": 4, "image_size": 32, "intermediate_size": 128, **TINY},
    "Vivit": {"num_frames": 4, "image_size": 32, "intermediate_size": 128, **TINY},
    "VJEPA2": {"frames_per_clip": 4, "crop_size": 32, **TINY},
}
BUILDERS = ("videomae_b", "timesformer_b", "vivit_b", "vjepa2_l")


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


@pytest.fixture(params=CONFIGS)
def peer(request, transformers):
    """A fresh classifier of transformers with labels, every parameter lively."""
    torch.manual_seed(0)
    names = {0: "walk", 1: "run", 2: "jump"}
    config = getattr(transformers, f"{request.param}Config")(
        id2label=names, label2id={name: number for number, name in names.items()}, **CONFIGS[request.param]
    )
    network = getattr(transformers, f"{request.param}ForVideoClassification")(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def test_a_folder_gives_transformers_logits_and_its_labels(peer, tmp_path, assert_same):
    peer.save_pretrained(tmp_path)
    model, options, labels, clip = open_folder(tmp_path)
    assert labels == ("walk", "run", "jump")
    assert (clip.frames, clip.size) == (4, 32)
    video = torch.randn(2, 4, 3, 32, 32)
    with torch.no_grad():
        wanted = peer(video).logits
        ours = model(video.transpose(1, 2))
        assert_same(ours, wanted)

        with torch.device("meta"):
            again = create_model("hf_video", num_classes=3, **json.loads(json.dumps(options)))
        again.load_state_dict(model.state_dict(), assign=True)
        assert torch.equal(again.eval()(video.transpose(1, 2)), ours)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_patch_of_the_clip_is_found_at_its_place_in_the_maps(name, transformers):
    network = create_model(name, num_classes=3, frames=6, size=64, depth=0, width=64).eval()
    clip = torch.zeros(1, 3, 6, 64, 64)
    t, y, x = 4, 1, 2
    with torch.no_grad():
        before = network.features(clip)
        clip[:, :, t, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16] = 1
        changed = (network.features(clip) - before).abs().sum((0, 1)).nonzero().tolist()
    assert before.shape == (1, 64, 6 // network.time_stride, 4, 4)
    assert changed == [[t // network.time_stride, y, x]]


@pytest.mark.parametrize(
    ("name", "millions", "gflops"),
    [
        ("videomae_b", None, 180),  # the paper's table, whose parameters are rounded
        ("timesformer_b", 121.4, 590 / 3),  # the paper's, for three crops
    ],
)
def test_cost_is_the_published_one(name, millions, gflops, transformers, assert_cost):
    assert_cost(name, millions=millions, gflops=gflops)


@pytest.mark.parametrize("name", BUILDERS)
def test_other_sizes_are_refused(name, transformers):
    with torch.device("meta"):
        network = create_model(name, num_classes=3, frames=4, size=32, depth=1, width=64)
        with pytest.raises(
            ValueError, match="got 8 frames of 48x32 pixels; its positions are for 4 frames of 32x32"
        ):
            network(torch.empty(1, 3, 8, 32, 48))


@pytest.mark.parametrize("name", BUILDERS)
def test_every_parameter_is_used(name, transformers):
    network = create_model(name, num_classes=3, frames=4, size=32, depth=1, width=64)
    network(torch.randn(1, 3, 4, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("preprocessor", "mean", "std", "short_side"),
    [
        (
            {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "size": {"shortest_edge": 40}},
            (0.4, 0.5, 0.6),
            (0.2, 0.3, 0.4),
            40,
        ),
        # ViViT scales by 1/127.5 and subtracts 1: values in -1..1, as mean 0.5 and std 0.5 of 0..1 give.
        (
            {
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
                "rescale_factor": 1 / 127.5,
                "offset": True,
                "do_normalize": False,
            },
            (0.5, 0.5, 0.5),
            (0.5, 0.5, 0.5),
            32,
        ),
    ],
    ids=["plain", "offset"],
)
def test_the_preprocessor_tells_how_the_model_is_fed(
    preprocessor, mean, std, short_side, transformers, tmp_path
):
    config = transformers.VivitConfig(**CONFIGS["Vivit"])
    transformers.VivitForVideoClassification(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    clip = open_folder(tmp_path)[3]
    assert clip.mean == pytest.approx(mean)
    assert clip.std == pytest.approx(std)
    assert clip.short_side == short_side


def test_what_is_no_video_classifier_of_theirs_is_refused(transformers, tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json can't be read"):
        open_folder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(
        WeightsError, match="model_type 'bert'; known are videomae, timesformer, vivit, vjepa2"
    ):
        open_folder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vivit"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(WeightsError, match="pickled weights are not read"):
        open_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match="its weights can't be read as vivit"):
        open_folder(tmp_path)


def test_a_file_of_the_pretraining_lacks_a_classifier(transformers, tmp_path):
    config = transformers.VideoMAEConfig(**CONFIGS["VideoMAE"])
    transformers.VideoMAEModel(config).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"its weights lack \d tensors of the model, such as classifier"):
        open_folder(tmp_path)


def test_without_transformers_it_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"pip install muybridge\[hf\]"):
        create_model("videomae_b")


def test_a_config_of_another_kind_is_refused():
    with pytest.raises(
        ValueError, match="model_type 'bert'; it must be one of videomae, timesformer, vivit, vjepa2"
    ):
        create_model("hf_video", config={"model_type": "bert"})
