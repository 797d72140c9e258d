from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from muybridge.engine.optim import Plateau, base_rate, make_optimizer, rate_factor
from muybridge.recipe import TrainRecipe


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


def test_the_optimiser_is_told_everything_and_leaves_frozen_weights_alone() -> None:
    frozen, free = nn.Parameter(torch.zeros(2), requires_grad=False), nn.Parameter(torch.zeros(3))
    train = TrainRecipe(momentum=0.8, nesterov=True, weight_decay=0.01)
    (group,) = make_optimizer([frozen, free], train, 0.3).param_groups
    assert (group["momentum"], group["nesterov"], group["weight_decay"], group["lr"]) == (
        0.8,
        True,
        0.01,
        0.3,
    )
    assert [p.shape for p in group["params"]] == [free.shape]
