"""What every model must do, whatever its family: one list of promises, run over every name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from muybridge.models import ClipModel, create_model, list_models, model_info

CLASSES = 5
# As small as five halvings allow, and larger only where a network's own layers ask for it.
SMALL = (8, 64, 64)
SIZES = {
    "c3d*": (16, 112, 112),
    "deepvideo_single": (1, 170, 170),
    "deepvideo_late": (2, 170, 170),
    "deepvideo_*": (10, 170, 170),
    "two_stream_i3d": (16, 96, 96),
    "*two_stream_*": (20, 64, 64),
    "timesformer_b": (8, 32, 32),
    "v*_[bl]": (8, 32, 32),
    "hf_video": (8, 32, 32),
}
# Transformers know the size of their clips, so these are built for a small one; and without dropping whole blocks.
SHRUNK = {
    "mvit_*": {"frames": 8, "size": 64, "stochastic_depth": 0.0},
    "swin3d_*": {"stochastic_depth": 0.0},
    "timesformer_b": {"frames": 8, "size": 32, "depth": 2, "width": 48},
    "v*_[bl]": {"frames": 8, "size": 32, "depth": 2, "width": 48},
    "hf_video": {
        "config": {
            "model_type": "videomae",
            "num_frames": 8,
            "image_size": 32,
            "num_hidden_layers": 2,
            "hidden_size": 48,
            "num_attention_heads": 1,
            "intermediate_size": 96,
        }
    },
}
# These average over frames, or see one at a time: the order of frames is nothing to them.
BLIND_TO_ORDER = ("c2d_*", "tsn_*", "deepvideo_single")


def first(table: dict[str, Any], name: str, default: Any) -> Any:
    return next((value for pattern, value in table.items() if fnmatchcase(name, pattern)), default)


def build(name: str, **options: Any) -> ClipModel:
    return create_model(name, num_classes=CLASSES, **first(SHRUNK, name, {}), **options)


@pytest.fixture(scope="module", params=list_models())
def name(request: pytest.FixtureRequest) -> str:
    if model_info(request.param).family == "hf":
        pytest.importorskip("transformers", reason="needs the extra hf")
    return request.param


@pytest.fixture(scope="module")
def built(name: str) -> ClipModel:
    """One model for all tests, left in eval mode: with lively batch norms and dropout 0.5."""
    torch.manual_seed(0)
    return enliven(build(name, dropout=0.5)).eval()


def small_clip(name: str, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    channels = model_info(name).clip.channels
    return torch.randn(batch, channels, *first(SIZES, name, SMALL), generator=generator)


def enliven(model: ClipModel) -> ClipModel:
    """What starts at zero, a branch's last norm or a table of positions, would hide what is behind it."""
    for norm in norms(model):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.1)
    for key, parameter in model.named_parameters():
        if "bias" not in key and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return model


def norms(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def test_one_view_of_the_models_own_clip_gives_logits(name):
    spec = model_info(name).clip
    with torch.device("meta"):
        model = create_model(name, num_classes=CLASSES)
        assert isinstance(model, ClipModel)
        assert model.num_classes == CLASSES
        assert model.channels == spec.channels
        assert model(torch.empty(1, spec.channels, spec.frames, spec.size, spec.size)).shape == (1, CLASSES)


def test_features_agree_with_dim_and_strides(name):
    sizes = dict.fromkeys(("mvit_*",), SMALL) | SIZES
    size = first(sizes, name, (32, 96, 64))
    clip = torch.empty(2, model_info(name).clip.channels, *size, device="meta")
    with torch.device("meta"):
        model = build(name)
        maps = model.features(clip)
    assert maps.shape[:2] == (2, model.dim)
    t, h, w = clip.shape[2:]
    for ours, size, stride in zip(
        maps.shape[2:], (t, h, w), (model.time_stride, model.space_stride, model.space_stride), strict=True
    ):
        # A step less where the first convolution is unpadded.
        assert max(1, size // stride - 1) <= ours <= -(-size // stride)


def test_eval_is_deterministic_and_clips_do_not_see_each_other(name, built):
    clips = small_clip(name, batch=2)
    with torch.no_grad():
        together = built(clips)
        assert torch.equal(built(clips), together)
        alone = built(clips[1:])
    assert together.isfinite().all()
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-4 * together.abs().max().item())


def test_the_order_of_frames_matters_but_that_of_segments_does_not(name, built):
    clip = small_clip(name)
    with torch.no_grad():
        forwards, backwards = built(clip), built(clip.flip(2))
    difference = ((forwards - backwards).abs().max() / forwards.abs().max()).item()
    if any(fnmatchcase(name, pattern) for pattern in BLIND_TO_ORDER):
        assert difference < 1e-4
    else:
        assert difference > 1e-4


def test_parameters_are_backbone_or_head(name, built):
    head = {id(p) for p in built.head_parameters()}
    backbone = {id(p) for p in built.backbone_parameters()}
    assert head
    assert backbone
    assert not head & backbone
    assert head | backbone == {id(p) for p in built.parameters()}


@pytest.mark.parametrize("method", ["forward", "features"])
def test_what_is_no_clip_is_refused(name, method, built):
    c = built.channels
    for shape in ((c, 8, 64, 64), (1, c + 1, 8, 64, 64), (1, 8, c, 64, 64)):
        with pytest.raises(ValueError, match=f"batch, {c}, frames, height, width"):
            getattr(built, method)(torch.zeros(shape))
    with pytest.raises(ValueError, match="floats"):
        getattr(built, method)(torch.zeros(1, c, 8, 64, 64, dtype=torch.uint8))


@pytest.mark.parametrize("size", [(7, 65, 50), (1, 33, 47), (13, 96, 33)])
def test_odd_sizes_work_or_say_why_not(name, size, built):
    clip = torch.zeros(1, built.channels, *size)
    try:
        with torch.no_grad():
            logits = built(clip)
    except ValueError as error:
        assert f"{size[0]} frames of {size[2]}x{size[1]}" in str(error)  # noqa: PT017
    else:
        assert logits.shape == (1, CLASSES)
        assert logits.isfinite().all()


def test_dropout_works_in_training(name, built):
    built.train()
    for norm in norms(built):
        norm.eval()
    clip = small_clip(name)
    with torch.no_grad():
        first, second = built(clip), built(clip)
    built.eval()
    assert not torch.equal(first, second)


def test_state_round_trip_and_head_swap(name, built):
    clip = small_clip(name)
    with torch.device("meta"):
        other = build(name).eval()
    other.load_state_dict(built.state_dict(), assign=True)  # all that a model knows is in its state
    backbone = [p.clone() for p in other.backbone_parameters()]
    with torch.no_grad():
        expected = built(clip)
        assert torch.equal(other(clip), expected)

        other.reset_head(CLASSES + 2)
        assert other.num_classes == CLASSES + 2
        assert other(clip).shape == (1, CLASSES + 2)
    for before, after in zip(backbone, other.backbone_parameters(), strict=True):
        assert torch.equal(before, after)
    with pytest.raises(ValueError, match="at least 1 class"):
        other.reset_head(0)


def test_the_loss_reaches_every_parameter(name, built):
    built.train()
    # Two clips: at two by two positions a batch norm after a pool would see one value, and pass nothing back.
    clips = small_clip(name, batch=2)
    loss = nn.functional.cross_entropy(built(clips), torch.tensor([1, 3]))
    if name.startswith("mvit_v2"):
        # Its class token asks, in the last block, without positions; the other tokens' share only shows in features.
        loss = loss + built.features(clips).square().mean()
    gradients = torch.autograd.grad(loss, list(built.parameters()))
    built.eval()
    for (key, _), gradient in zip(built.named_parameters(), gradients, strict=True):
        assert gradient.isfinite().all(), key
        assert gradient.abs().sum() > 0, key


def test_torch_exports_it(name, built):
    clip = small_clip(name)
    exported = torch.export.export(built, (clip,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(clip), built(clip), rtol=1e-4, atol=1e-5)
