"""Optimisers and their learning rate, as a function of how far the run has come.

The rate is computed afresh before each step from the epoch (a fraction), so that a resumed run needs to
remember nothing but the plateaus it has met.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from muybridge.models import ClipModel
from muybridge.recipe import TrainRecipe


def make_optimizer(model: nn.Module, train: TrainRecipe, rate: float) -> torch.optim.Optimizer:
    """An optimiser over the parameters that are to be trained.

    Each of its groups has a `scale`: its rate as a multiple of the run's. Groups differ in it (the backbone's
    `backbone_lr`) and in whether they are decayed (`decay_norms`: norms and biases are the vectors among the
    parameters).

    Raises:
        ValueError: A `backbone_lr` for a model that doesn't say what its backbone is.
    """
    backbone: set[int] = set()
    if train.backbone_lr != 1.0:
        if not isinstance(model, ClipModel):
            raise ValueError(f"train.backbone_lr: {type(model).__name__} doesn't say what its backbone is")
        backbone = {id(p) for p in model.backbone_parameters()}
    members: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for parameter in model.parameters():
        if parameter.requires_grad:
            scale = train.backbone_lr if id(parameter) in backbone else 1.0
            is_decayed = train.decay_norms or parameter.ndim > 1
            members[scale, train.weight_decay if is_decayed else 0.0].append(parameter)
    groups = [
        {"params": found, "lr": rate * scale, "scale": scale, "weight_decay": decay}
        for (scale, decay), found in members.items()
    ]
    match train.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=train.momentum, nesterov=train.nesterov)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=train.momentum)
        case "adam":
            return torch.optim.Adam(groups, lr=rate, betas=train.betas)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, betas=train.betas)


def base_rate(train: TrainRecipe, total_batch: int) -> float:
    """Learning rate for a batch size: linear in it where the recipe asks so.

    The linear scaling rule (Goyal et al. 2017, https://arxiv.org/abs/1706.02677).

    Args:
        train: `lr` is meant for a batch of `lr_batch` clips.
        total_batch: Clips per optimiser step, over all devices and accumulated batches.
    """
    return train.lr if train.lr_batch is None else train.lr * total_batch / train.lr_batch


def rate_factor(train: TrainRecipe, epoch: float) -> float:
    """What the base rate is multiplied by at a point of the run; plateaus come on top.

    Warm-up rises linearly over `warmup_epochs` (Goyal et al. 2017), from `warmup_lr` to what the schedule says at its
    end. The half cosine falls from 1 to 0 (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, without
    restarts) over the rest of the run, or over all of it (SlowFast, Feichtenhofer et al. 2019). Steps count from the
    start of the run, warm-up included.

    Args:
        train: The schedule.
        epoch: Epochs done, from 0.0 to `epochs`.
    """
    if epoch < train.warmup_epochs:
        start = train.warmup_lr / train.lr
        end = _scheduled(train, train.warmup_epochs)
        # Never zero: the first step should teach something.
        return max(start + (end - start) * epoch / train.warmup_epochs, 0.01 * end)
    return _scheduled(train, epoch)


def _scheduled(train: TrainRecipe, epoch: float) -> float:
    if train.schedule == "cosine":
        start = train.warmup_epochs if train.cosine_after_warmup else 0.0
        length = max(train.epochs - start, 1e-9)
        return 0.5 * (1 + math.cos(math.pi * min((epoch - start) / length, 1.0)))
    if train.schedule == "step":
        return float(train.step_factor ** sum(epoch >= end for end in train.step_epochs))
    return 1.0


@dataclass
class Plateau:
    """Lowers the rate when the loss has not fallen for a while.

    Attributes:
        patience: Epochs to wait.
        shrink: What the factor is multiplied by then.
        factor: What the rate is multiplied by now.
        best: Lowest loss so far.
        waited: Epochs since the lowest loss, or since the last step.
    """

    patience: int
    shrink: float
    factor: float = 1.0
    best: float = math.inf
    waited: int = 0

    def update(self, loss: float) -> None:
        """Count an epoch."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.factor *= self.shrink
            self.waited = 0

    def state(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"factor": self.factor, "best": self.best, "waited": self.waited}
