"""What every model must do, whatever its family: one list of promises, run over every name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from muybridge.models import ClipModel, create_model, list_models, model_info

CLASSES = 5
# Sizes are the model's own where its layers fix them; elsewhere as small as five halvings allow.
FIXED = {"c3d": (16, 112, 112)}
SMALL = (8, 64, 64)


@pytest.fixture(scope="module", params=list_models())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def built(name: str) -> ClipModel:
    """One model for all tests, left in eval mode: with lively batch norms and dropout 0.5."""
    torch.manual_seed(0)
    return enliven(create_model(name, num_classes=CLASSES, dropout=0.5)).eval()


def small_clip(name: str, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, *FIXED.get(name, SMALL), generator=generator)


def enliven(model: ClipModel) -> ClipModel:
    """Batch norms that start a branch at zero would hide what is behind them."""
    for norm in norms(model):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.1)
    return model


def norms(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def test_one_view_of_the_models_own_clip_gives_logits(name):
    spec = model_info(name).clip
    with torch.device("meta"):
        model = create_model(name, num_classes=CLASSES)
        assert isinstance(model, ClipModel)
        assert model.num_classes == CLASSES
        assert model(torch.empty(1, 3, spec.frames, spec.size, spec.size)).shape == (1, CLASSES)


def test_features_agree_with_dim_and_strides(name):
    clip = torch.empty(2, 3, *FIXED.get(name, (32, 96, 64)), device="meta")
    with torch.device("meta"):
        model = create_model(name, num_classes=CLASSES)
        maps = model.features(clip)
    assert maps.shape[:2] == (2, model.dim)
    t, h, w = clip.shape[2:]
    for ours, size, stride in zip(
        maps.shape[2:], (t, h, w), (model.time_stride, model.space_stride, model.space_stride), strict=True
    ):
        assert size // stride <= ours <= -(-size // stride)


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
    if model_info(name).clip.sampling == "segments":
        assert difference < 1e-4
    else:
        assert difference > 1e-3


def test_parameters_are_backbone_or_head(name, built):
    head = {id(p) for p in built.head_parameters()}
    backbone = {id(p) for p in built.backbone_parameters()}
    assert head
    assert backbone
    assert not head & backbone
    assert head | backbone == {id(p) for p in built.parameters()}


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (torch.zeros(3, 8, 64, 64), "batch, 3, frames, height, width"),
        (torch.zeros(1, 2, 8, 64, 64), "batch, 3, frames, height, width"),
        (torch.zeros(1, 8, 3, 64, 64), "batch, 3, frames, height, width"),
        (torch.zeros(1, 3, 8, 64, 64, dtype=torch.uint8), "floats"),
    ],
    ids=["rank", "channels", "time first", "bytes"],
)
@pytest.mark.parametrize("method", ["forward", "features"])
def test_what_is_no_clip_is_refused(name, clip, message, method, built):
    with pytest.raises(ValueError, match=message):
        getattr(built, method)(clip)


@pytest.mark.parametrize("size", [(7, 65, 50), (1, 33, 47), (13, 96, 33)])
def test_odd_sizes_work_or_say_why_not(name, size, built):
    clip = torch.zeros(1, 3, *size)
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
    torch.manual_seed(1)
    other = create_model(name, num_classes=CLASSES).eval()
    other.load_state_dict(built.state_dict())
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
    loss = nn.functional.cross_entropy(built(small_clip(name)), torch.tensor([1]))
    gradients = torch.autograd.grad(loss, list(built.parameters()))
    built.eval()
    for (key, _), gradient in zip(built.named_parameters(), gradients, strict=True):
        assert gradient.isfinite().all(), key
        assert gradient.abs().sum() > 0, key
