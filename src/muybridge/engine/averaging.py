"""What is averaged over many steps so that validation sees less noise: the weights, and batch norm's statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def make_average(model: nn.Module) -> nn.Module:
    """A copy of a model to hold the running mean of its weights; never trained itself."""
    average = deepcopy(model).eval()
    return average.requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, steps: int) -> None:
    """Take a step's weights into the running mean (Polyak and Juditsky 1992).

    The mean of few steps forgets faster, `(1 + steps) / (10 + steps)`, or a short run would end near its fresh weights.
    Statistics of batch norm are averaged like weights; whole numbers are taken over.

    Args:
        average: From `make_average`; changed in place.
        model: The model that is trained.
        decay: Share that the mean keeps in each step.
        steps: Steps taken so far, this one included.
    """
    decay = min(decay, (1 + steps) / (10 + steps))
    theirs = model.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(theirs[name].to(mean.dtype), 1 - decay)
        else:
            mean.copy_(theirs[name])


@torch.no_grad()
def measure_norms(
    model: nn.Module, clips: Iterable[Tensor], add: Callable[[Tensor], Tensor] = lambda sums: sums
) -> None:
    """Measure the mean and variance that batch norm normalises by at test time, with the weights as they are now.

    In training they are running means over steps whose weights were other ones. "Precise" statistics (Wu and Johnson
    2021, https://arxiv.org/abs/2105.07576) are those of many batches together: each batch is normalised by its own, as
    in training, and means and squares are summed up. Dropout is off; layers that are frozen by `requires_grad` are
    measured like others. Nothing is drawn at random.

    Args:
        model: Changed in place: the statistics of its norms alone.
        clips: Batches `(b, c, t, h, w)` on the model's device.
        add: Adds a vector up over processes.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        return
    sums = [torch.zeros(2 * norm.num_features + 1, dtype=torch.float64) for norm in norms]
    with _watched(model, norms, sums):
        for batch in clips:
            model(batch)
    for norm, summed in zip(norms, torch.split(add(torch.cat(sums)), [len(s) for s in sums]), strict=True):
        count = summed[-1]
        mean, square = summed[:-1].view(2, -1) / count
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_((square - mean**2) * count / (count - 1).clamp_min(1))


@contextmanager
def _watched(model: nn.Module, norms: list[_BatchNorm], sums: list[Tensor]) -> Iterator[None]:
    """While it lasts, norms normalise by their batch and leave their statistics alone; what they see is summed up."""
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    handles = []
    model.eval()
    for norm, summed in zip(norms, sums, strict=True):
        norm.train()
        norm.momentum = 0.0
        handles.append(norm.register_forward_pre_hook(_adding_to(summed)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode


def _adding_to(summed: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def add(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        maps = inputs[0].detach().transpose(0, 1).flatten(1).float()
        summed[:-1] += torch.cat([maps.sum(dim=1), maps.square().sum(dim=1)]).double().cpu()
        summed[-1] += maps.shape[1]

    return add
