"""The long cycle of multigrid training: clips start small, in batches as much larger, and grow.

Wu et al. 2020 (https://arxiv.org/abs/1912.00998). A step costs the same whatever the shape, because batch x frames x
height x width stays what it is; but small clips go by faster, so a run of the same number of epochs has fewer steps.
Each stretch between two steps of the learning rate walks through all shapes, in about as many steps each; after the
last step clips have their full shape, as at test time. The short cycle, which changes the crop from step to step, and
batch norm over parts of a batch are not done here: use `train.precise_bn`, as the paper does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from muybridge.types import ClipSpec

SHAPES = ((8, 0.25, 0.5**0.5), (4, 0.5, 0.5**0.5), (2, 0.5, 1.0), (1, 1.0, 1.0))
"""Multiples of batch, frames and crop."""


@dataclass(frozen=True)
class Grid:
    """The shape of an epoch's batches.

    Attributes:
        batch: Multiple of the batch size, and so of the learning rate.
        spec: How its clips are cut.
    """

    batch: int
    spec: ClipSpec


def long_cycle(spec: ClipSpec, epochs: int, step_epochs: Sequence[int]) -> tuple[Grid, ...]:
    """The shape of each epoch.

    A clip of fewer frames spans the same time: its stride grows. A stretch that is too short for all shapes leaves out
    the smallest.

    Args:
        spec: The model's own clip.
        epochs: Epochs of the run.
        step_epochs: Epochs after which the learning rate falls.
    """
    grids: list[Grid] = []
    starts = [0, *(end for end in sorted(step_epochs) if end < epochs)]
    for start, end in pairwise(starts):
        # As many steps of a batch eight times as large are eight times as many epochs.
        total, done = sum(batch for batch, _, _ in SHAPES), 0
        for batch, frames, size in SHAPES:
            first, done = done, done + batch
            count = round((end - start) * done / total) - round((end - start) * first / total)
            grids += [Grid(batch, _shrunk(spec, frames, size))] * count
    return (*grids, *[Grid(1, spec)] * (epochs - len(grids)))


def _shrunk(spec: ClipSpec, frames: float, size: float) -> ClipSpec:
    count = max(round(spec.frames * frames), 1)
    crop = round(spec.size * size)
    return replace(
        spec,
        frames=count,
        stride=max(round(spec.stride * spec.frames / count), 1),
        size=crop,
        short_side=max(round(spec.short_side * size), crop),
    )
