from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from muybridge.engine.optim import Plateau, base_rate, make_optimizer, rate_factor
from muybridge.models import ClipModel, create_model
from muybridge.recipe import TrainRecipe, load_recipe


def test_the_rate_grows_with_the_batch_where_asked() -> None:
    # Goyal et al. 2017: 0.1 at 256 images becomes 3.2 at 8192.
    assert base_rate(TrainRecipe(lr=0.1, lr_batch=256), 8192) == pytest.approx(3.2)
    assert base_rate(TrainRecipe(lr=0.1), 8192) == 0.1


def test_cosine_falls_from_one_to_zero() -> None:
    train = TrainRecipe(epochs=10, schedule="cosine")
    assert [rate_factor(train, e) for e in (0, 2.5, 5, 10)] == pytest.approx(
        [1, (1 + math.sqrt(0.5)) / 2, 0.5, 0], abs=1e-12
    )


def test_steps_fall_at_their_epochs() -> None:
    train = TrainRecipe(epochs=50, schedule="step", step_epochs=(20, 40), step_factor=0.1)
    assert [rate_factor(train, e) for e in (0, 19.99, 20, 39.9, 40, 49)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_warmup_rises_to_the_schedule() -> None:
    train = TrainRecipe(epochs=12, schedule="cosine", warmup_epochs=2)
    assert [rate_factor(train, e) for e in (0, 0.5, 1, 2, 7, 12)] == pytest.approx(
        [0.01, 0.25, 0.5, 1, 0.5, 0], abs=1e-12
    )
    assert rate_factor(TrainRecipe(epochs=1, warmup_epochs=1.0), 1.0) == 1.0


def test_constant_stays() -> None:
    assert {rate_factor(TrainRecipe(schedule=s), 17.3) for s in ("constant", "plateau")} == {1.0}


def test_a_plateau_is_what_torch_calls_one() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    # torch steps once patience is exceeded, so that its patience is one less than the epochs waited.
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1, threshold=0.0)
    ours = Plateau(patience=2, shrink=0.1)
    for loss in (3.0, 2.0, 2.0, 2.5, 1.0, 1.1, 1.2, 1.3, 1.0, 0.5):
        theirs.step(loss)
        ours.update(loss)
        assert ours.factor == pytest.approx(optimizer.param_groups[0]["lr"])
    assert Plateau(2, 0.1, **ours.state()) == ours


def net() -> ClipModel:
    return create_model("tiny3d", num_classes=2, width=2)


def test_the_optimiser_is_told_everything_and_leaves_frozen_weights_alone() -> None:
    model = nn.Linear(2, 3)
    model.bias.requires_grad_(False)
    train = TrainRecipe(momentum=0.8, nesterov=True, weight_decay=0.01)
    optimizer = make_optimizer(model, train, 0.3)
    assert isinstance(optimizer, torch.optim.SGD)
    (group,) = optimizer.param_groups
    told = (group["momentum"], group["nesterov"], group["weight_decay"], group["lr"], group["scale"])
    assert told == (0.8, True, 0.01, 0.3, 1.0)
    assert [p.shape for p in group["params"]] == [model.weight.shape]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_each_optimiser_learns_a_line(name: str, kind: type) -> None:
    model = nn.Linear(1, 1)
    nn.init.zeros_(model.weight)
    train = load_recipe(
        None, [f"train.optimizer={name}", "train.weight_decay=0", "train.betas=[0.8, 0.9]"]
    ).train
    optimizer = make_optimizer(model, train, 0.02)
    assert type(optimizer) is kind
    x = torch.linspace(-1, 1, 8)[:, None]
    for _ in range(300):
        loss = (model(x) - 2 * x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_adamw_takes_its_betas() -> None:
    train = TrainRecipe(optimizer="adamw", betas=(0.8, 0.95), weight_decay=0.05)
    (group,) = make_optimizer(nn.Linear(1, 1), train, 1e-3).param_groups
    assert (group["betas"], group["weight_decay"]) == ((0.8, 0.95), 0.05)


def test_vectors_are_not_decayed_where_asked() -> None:
    model = net()
    groups = make_optimizer(model, TrainRecipe(weight_decay=0.01, decay_norms=False), 0.1).param_groups
    decayed = {group["weight_decay"]: group["params"] for group in groups}
    assert set(decayed) == {0.01, 0.0}
    assert {p.ndim for p in decayed[0.0]} == {1}
    assert 1 not in {p.ndim for p in decayed[0.01]}
    assert sum(map(len, decayed.values())) == len(list(model.parameters()))


def test_the_backbone_may_have_a_slower_rate() -> None:
    model = net()
    groups = make_optimizer(model, TrainRecipe(backbone_lr=0.1), 0.5).param_groups
    rates = {id(p): (group["lr"], group["scale"]) for group in groups for p in group["params"]}
    backbone = {id(p) for p in model.backbone_parameters()}
    assert backbone
    for parameter in model.parameters():
        slow = id(parameter) in backbone
        assert rates[id(parameter)] == pytest.approx((0.05, 0.1) if slow else (0.5, 1.0))
    with pytest.raises(ValueError, match="doesn't say what its backbone is"):
        make_optimizer(nn.Linear(1, 1), TrainRecipe(backbone_lr=0.1), 0.5)


def test_warmup_may_start_above_zero_and_the_cosine_with_the_run() -> None:
    train = TrainRecipe(epochs=10, lr=0.1, schedule="cosine", warmup_epochs=2, warmup_lr=0.01)
    assert [rate_factor(train, e) for e in (0, 1, 2)] == pytest.approx([0.1, 0.55, 1.0])
    # SlowFast: warm-up ends where the cosine, which began with the run, then is.
    train = train.model_copy(update={"cosine_after_warmup": False})
    at_two = (1 + math.cos(math.pi / 5)) / 2
    assert [rate_factor(train, e) for e in (0, 1, 2, 5, 10)] == pytest.approx(
        [0.1, (0.1 + at_two) / 2, at_two, 0.5, 0], abs=1e-12
    )
