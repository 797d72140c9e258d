"""How well videos with several labels at once are recognized: average precision per class, and its mean (mAP).

A class that no test video shows has no average precision; it is left out of the mean and named, never counted as
zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelRow:
    """One class in the per-class table.

    Attributes:
        label: Its name.
        videos: Test videos that show it.
        average_precision: Area under its precision-recall steps (0..1); None without videos.
    """

    label: str
    videos: int
    average_precision: float | None


@dataclass(frozen=True, kw_only=True)
class MultiLabelEvaluation:
    """What a model reached on videos that show any number of classes.

    Attributes:
        labels: Class names (`k`).
        probabilities: Scores per video, float32 `(n, k)`, averaged over views.
        targets: What each shows, 0 or 1, `(n, k)`.
        views: Views per video (clips times crops).
        names: Path of each video, `n` strings.
        broken: Videos that could not be read, with the reason; they are in none of the figures.
    """

    labels: tuple[str, ...]
    probabilities: Tensor
    targets: Tensor
    views: int
    names: tuple[str, ...] = ()
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def mean_average_precision(self) -> float:
        """Mean over the classes that occur (0..1), of all videos."""
        return mean_average_precision(self.probabilities, self.targets)

    @property
    def map_of_labelled(self) -> float:
        """The same of the videos that show something, which is how the Charades evaluation counts.

        It puts a video without any label at the end of every list, where it lowers no precision.
        """
        shown = self.targets.sum(dim=1) > 0
        return mean_average_precision(self.probabilities[shown], self.targets[shown])

    @property
    def unlabelled(self) -> int:
        """Videos that show none of the classes."""
        return int((self.targets.sum(dim=1) == 0).sum())

    @property
    def left_out(self) -> tuple[str, ...]:
        """Classes that no video shows."""
        return tuple(row.label for row in self.per_class if row.average_precision is None)

    @property
    def per_class(self) -> list[LabelRow]:
        """One row per class, in the order of `labels`."""
        precisions = average_precisions(self.probabilities, self.targets).tolist()
        videos = self.targets.sum(dim=0).int().tolist()
        return [
            LabelRow(label=label, videos=count, average_precision=value if count else None)
            for label, count, value in zip(self.labels, videos, precisions, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the scores with six digits, so that two runs can be compared later."""
        return {
            "multi_label": True,
            "map": self.mean_average_precision,
            "map_of_labelled": self.map_of_labelled,
            "videos": len(self.targets),
            "unlabelled": self.unlabelled,
            "left_out": list(self.left_out),
            "views": self.views,
            "labels": list(self.labels),
            "per_class": [{name: getattr(row, name) for name in row.__slots__} for row in self.per_class],
            "answers": [
                {
                    "video": name,
                    "truth": [label for label, shown in zip(self.labels, row, strict=True) if shown],
                    "scores": [float(f"{score:.6g}") for score in scores],
                }
                for name, row, scores in zip(
                    self.names, self.targets.tolist(), self.probabilities.tolist(), strict=False
                )
            ],
            "broken": self.broken,
        }


class MultiLabelMeter:
    """Running figures of an epoch. The order of all scores matters, so all of them are kept.

    Args:
        num_classes: Classes (`k`).
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.scores: list[Tensor] = []
        self.targets: list[Tensor] = []

    def update(self, probabilities: Float[Tensor, "b k"], targets: Tensor) -> None:
        """Count a batch; `targets` are 0 or 1, `(b, k)`."""
        self.scores.append(probabilities.detach().float().cpu())
        self.targets.append(targets.detach().float().cpu())

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.scores += other.scores
        self.targets += other.targets

    def compute(self) -> dict[str, float]:
        """`loss` (mean binary cross entropy) and `map` (0..1); empty if nothing was counted.

        Without a video that shows any class there is no `map` to speak of; it is then 0.
        """
        if not self.scores:
            return {}
        scores, targets = torch.cat(self.scores), torch.cat(self.targets)
        # A probability that has underflowed costs 69 rather than infinity.
        right = torch.where(targets > 0, scores.double(), 1 - scores.double()).clamp_min(1e-30)
        shown = bool((targets > 0).any())
        return {
            "loss": float(-right.log().mean()),
            "map": mean_average_precision(scores, targets) if shown else 0.0,
        }


@dataclass(frozen=True, slots=True)
class Ranked:
    """Scores put in order once, so that many resamples of the same videos can be judged.

    Attributes:
        order: Videos by falling score, one column per class, int64 `(n, k)`.
        truth: What they show, in that order, float64 `(n, k)`.
        last: Row of the last video with the same score: equal scores are one step, in no order of their own.
    """

    order: Int[Tensor, "n k"]
    truth: Float[Tensor, "n k"]
    last: Int[Tensor, "n k"]

    @classmethod
    def of(cls, scores: Float[Tensor, "n k"], targets: Tensor) -> Self:
        """Put scores in order.

        Raises:
            ValueError: Scores that are not numbers, or not one target per score.
        """
        if scores.shape != targets.shape:
            raise ValueError(
                f"{tuple(scores.shape)} scores for {tuple(targets.shape)} targets; give one per score"
            )
        if scores.isnan().any():
            raise ValueError(
                "the model's scores are not numbers (NaN); its weights are broken or the loss has diverged"
            )
        values, order = scores.sort(dim=0, descending=True, stable=True)
        count = len(values)
        ends = torch.ones_like(values, dtype=torch.bool)
        ends[:-1] = values[1:] != values[:-1]
        places = torch.arange(count)[:, None].expand_as(order).masked_fill(~ends, count)
        last = places.flip(0).cummin(dim=0).values.flip(0) if count else places
        return cls(order, (targets.gather(0, order) > 0).double(), last)

    def average_precisions(self, weights: Float[Tensor, " n"] | None = None) -> Float[Tensor, " k"]:
        """One per class, float64; NaN without positives.

        Args:
            weights: How often each video counts; default once.
        """
        each = torch.ones_like(self.truth) if weights is None else weights.double()[self.order]
        hits, seen = (self.truth * each).cumsum(dim=0), each.cumsum(dim=0)
        precision = (hits / seen.clamp_min(1e-12)).gather(0, self.last)
        positives = (self.truth * each).sum(dim=0)
        summed = (precision * self.truth * each).sum(dim=0)
        return torch.where(positives > 0, summed / positives, torch.nan)


def average_precision(scores: Float[Tensor, " n"], targets: Tensor) -> float | None:
    """Mean, over the positives, of the precision down to their place in the list.

    This is the area under the steps of the precision-recall curve, not interpolated: what scikit-learn, MMAction2
    and the Charades evaluation compute. Equal scores are one step (scikit-learn), so that their order, which means
    nothing, changes nothing.

    Args:
        scores: One per video, `(n,)`.
        targets: Whether it shows the class, 0 or 1, `(n,)`.

    Returns:
        0..1; None without positives.

    Raises:
        ValueError: Scores that are not numbers, or not one target per score.
    """
    value = float(Ranked.of(scores.reshape(-1, 1), targets.reshape(-1, 1)).average_precisions()[0])
    return None if value != value else value


def average_precisions(scores: Float[Tensor, "n k"], targets: Tensor) -> Float[Tensor, " k"]:
    """`average_precision` of every class, float64; NaN for classes without positives.

    Raises:
        ValueError: Scores that are not numbers, or not one target per score.
    """
    return Ranked.of(scores, targets).average_precisions()


def mean_average_precision(scores: Float[Tensor, "n k"], targets: Tensor) -> float:
    """Mean of the average precisions; classes without positives are left out.

    Args:
        scores: `(n, k)`.
        targets: 0 or 1, `(n, k)`.

    Raises:
        ValueError: No class has a positive, scores that are not numbers, or not one target per score.
    """
    if not bool((targets > 0).any()):
        raise ValueError("no video shows any of the classes; there is nothing to measure")
    return float(average_precisions(scores, targets).nanmean())


def multi_hot(shown: Sequence[Sequence[str]], labels: Sequence[str]) -> Float[Tensor, "n k"]:
    """Names of classes per video as zeros and ones."""
    numbers = {label: number for number, label in enumerate(labels)}
    targets = torch.zeros(len(shown), len(labels))
    for row, names in enumerate(shown):
        for name in names:
            targets[row, numbers[name]] = 1.0
    return targets
