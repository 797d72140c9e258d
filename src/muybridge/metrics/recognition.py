"""How well videos are recognized: top-k, mean class accuracy, a row per class, the confusion matrix.

Classes that no test video shows are left out of averages and marked in tables, never counted as zero;
torchmetrics' macro average counts such a class as zero once it has been predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from muybridge.metrics.significance import Interval, wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassRow:
    """One class in the per-class table.

    Attributes:
        label: Its name.
        videos: Test videos of it.
        correct: Those recognized.
        accuracy: Their share (the class's recall); None without videos.
        precision: Share of videos called so that are so; None if none was called so.
        mistaken_for: The class that its videos are most often taken for; None without mistakes.
    """

    label: str
    videos: int
    correct: int
    accuracy: float | None
    precision: float | None
    mistaken_for: str | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a model reached on a set of videos.

    Attributes:
        labels: Class names (`k`).
        probabilities: Scores per video, float32 `(n, k)`, averaged over views.
        targets: True classes, int64 `(n,)`.
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
    def top1(self) -> float:
        """Share of videos whose best class is right (0..1)."""
        return top_k_accuracy(self.probabilities, self.targets, 1)

    @property
    def top1_interval(self) -> Interval:
        """Where the true top-1 lies in 95 of 100 such measurements (Wilson); videos taken for independent."""
        return wilson(int(self.confusion.diagonal().sum()), len(self.targets))

    @property
    def top5(self) -> float:
        """Share of videos whose class is among the best five (all, with fewer than five classes)."""
        return top_k_accuracy(self.probabilities, self.targets, 5)

    @property
    def confusion(self) -> Tensor:
        """Counts, int64 `(k, k)`: true class by row, answer by column."""
        return confusion_matrix(self.probabilities, self.targets)

    @property
    def mean_class(self) -> float:
        """Mean class accuracy, over classes that occur."""
        return mean_class_accuracy(self.confusion)

    @property
    def per_class(self) -> list[ClassRow]:
        """One row per class, in the order of `labels`."""
        return class_rows(self.confusion, self.labels)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        answers = ranking(self.probabilities, 1)[:, 0].tolist()
        return {
            "top1": self.top1,
            "top1_interval": list(self.top1_interval),
            "top5": self.top5,
            "mean_class": self.mean_class,
            "videos": len(self.targets),
            "views": self.views,
            "labels": list(self.labels),
            "per_class": [{name: getattr(row, name) for name in row.__slots__} for row in self.per_class],
            "confusion": self.confusion.tolist(),
            "answers": [
                {"video": name, "truth": self.labels[truth], "answer": self.labels[answer]}
                for name, truth, answer in zip(self.names, self.targets.tolist(), answers, strict=False)
            ],
            "broken": self.broken,
        }


class Meter:
    """Running figures of an epoch; they can be summed over processes.

    Args:
        num_classes: Classes (`k`).
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.sums = torch.zeros(num_classes * num_classes + 2, dtype=torch.float64)

    def update(self, probabilities: Float[Tensor, "b k"], targets: Int[Tensor, " b"]) -> None:
        """Count a batch."""
        probabilities, targets = probabilities.detach().float().cpu(), targets.cpu()
        hits = (ranking(probabilities, 5) == targets[:, None]).any(dim=1).sum()
        # A probability that has underflowed costs 69 rather than infinity.
        chosen = probabilities.gather(1, targets[:, None]).clamp_min(1e-30)
        self.sums[:-2] += confusion_matrix(probabilities, targets).flatten()
        self.sums[-2] += hits
        self.sums[-1] -= chosen.double().log().sum()

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.sums += other.sums

    def compute(self) -> dict[str, float]:
        """`loss` (mean negative log-likelihood), `top1`, `top5`, `mean_class`; empty if nothing was counted."""
        confusion = self.sums[:-2].view(self.num_classes, self.num_classes)
        count = float(confusion.sum())
        if count == 0:
            return {}
        return {
            "loss": float(self.sums[-1]) / count,
            "top1": float(confusion.diagonal().sum()) / count,
            "top5": float(self.sums[-2]) / count,
            "mean_class": mean_class_accuracy(confusion),
        }


def ranking(scores: Float[Tensor, "n k"], best: int) -> Int[Tensor, "n best"]:
    """Numbers of the best classes, best first; of equal scores the first class wins.

    Raises:
        ValueError: Scores that are not numbers.
    """
    if scores.isnan().any():
        raise ValueError(
            "the model's scores are not numbers (NaN); its weights are broken or the loss has diverged"
        )
    return scores.argsort(dim=1, descending=True, stable=True)[:, :best]


def top_k_accuracy(scores: Float[Tensor, "n k"], targets: Int[Tensor, " n"], best: int) -> float:
    """Share of rows whose target is among the `best` highest scores (all, with fewer classes).

    Raises:
        ValueError: No rows.
    """
    if len(targets) == 0:
        raise ValueError("no videos to measure on")
    return float((ranking(scores, best) == targets[:, None]).any(dim=1).double().mean())


def confusion_matrix(scores: Float[Tensor, "n k"], targets: Int[Tensor, " n"]) -> Int[Tensor, "k k"]:
    """Counts of true class (row) against answer (column)."""
    classes = scores.shape[1]
    return torch.bincount(targets * classes + ranking(scores, 1)[:, 0], minlength=classes * classes).view(
        classes, classes
    )


def mean_class_accuracy(confusion: Tensor) -> float:
    """Mean over classes of the share recognized; classes without videos are left out.

    Raises:
        ValueError: No videos at all.
    """
    videos = confusion.sum(dim=1)
    present = videos > 0
    if not present.any():
        raise ValueError("no videos to measure on")
    return float((confusion.diagonal()[present].double() / videos[present].double()).mean())


def class_rows(confusion: Int[Tensor, "k k"], labels: Sequence[str]) -> list[ClassRow]:
    """The per-class table."""
    rows = []
    for number, label in enumerate(labels):
        correct, videos = int(confusion[number, number]), int(confusion[number].sum())
        called = int(confusion[:, number].sum())
        mistakes = confusion[number].clone()
        mistakes[number] = 0
        rows.append(
            ClassRow(
                label=label,
                videos=videos,
                correct=correct,
                accuracy=correct / videos if videos else None,
                precision=correct / called if called else None,
                mistaken_for=labels[int(mistakes.argmax())] if int(mistakes.sum()) else None,
            )
        )
    return rows
