"""Stochastic gradient descent and its learning rate, as a function of how far the run has come.

The rate is computed afresh before each step from the epoch (a fraction), so that a resumed run needs to
remember nothing but the plateaus it has met.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from muybridge.recipe import TrainRecipe


def make_optimizer(parameters: Iterable[nn.Parameter], train: TrainRecipe, rate: float) -> torch.optim.SGD:
    """SGD with momentum over the parameters that are to be trained."""
    return torch.optim.SGD(
        [p for p in parameters if p.requires_grad],
        lr=rate,
        momentum=train.momentum,
        nesterov=train.nesterov,
        weight_decay=train.weight_decay,
    )


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

    Warm-up rises linearly to 1 over `warmup_epochs` (Goyal et al. 2017). The half cosine falls from 1 to 0
    over the rest of the run (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, without restarts).
    Steps count from the start of the run, warm-up included.

    Args:
        train: The schedule.
        epoch: Epochs done, from 0.0 to `epochs`.
    """
    if epoch < train.warmup_epochs:
        # Never zero: the first step should teach something.
        return max(epoch / train.warmup_epochs, 0.01)
    if train.schedule == "cosine":
        length = max(train.epochs - train.warmup_epochs, 1e-9)
        return 0.5 * (1 + math.cos(math.pi * min((epoch - train.warmup_epochs) / length, 1.0)))
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
