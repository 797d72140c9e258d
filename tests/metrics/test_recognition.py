"""Figures against torchmetrics, and against counts done by hand."""

from __future__ import annotations

import json

import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_precision,
)

from muybridge.metrics.recognition import (
    Evaluation,
    Meter,
    confusion_matrix,
    mean_class_accuracy,
    ranking,
    top_k_accuracy,
)


@pytest.fixture
def scored() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(200, 7, generator=generator).softmax(dim=1)
    return scores, torch.randint(0, 7, (200,), generator=generator)


@pytest.mark.parametrize("best", [1, 2, 5])
def test_top_k_is_torchmetrics(scored: tuple[torch.Tensor, torch.Tensor], best: int) -> None:
    scores, targets = scored
    expected = multiclass_accuracy(scores, targets, num_classes=7, top_k=best, average="micro")
    assert top_k_accuracy(scores, targets, best) == pytest.approx(float(expected))


def test_confusion_and_mean_class_accuracy_are_torchmetrics(
    scored: tuple[torch.Tensor, torch.Tensor],
) -> None:
    scores, targets = scored
    confusion = confusion_matrix(scores, targets)
    assert torch.equal(confusion, multiclass_confusion_matrix(scores, targets, num_classes=7))
    expected = multiclass_accuracy(scores, targets, num_classes=7, average="macro")
    assert mean_class_accuracy(confusion) == pytest.approx(float(expected))


def test_per_class_rows_are_torchmetrics(scored: tuple[torch.Tensor, torch.Tensor]) -> None:
    scores, targets = scored
    rows = Evaluation(labels=tuple("abcdefg"), probabilities=scores, targets=targets, views=1).per_class
    recall = multiclass_accuracy(scores, targets, num_classes=7, average="none")
    precision = multiclass_precision(scores, targets, num_classes=7, average="none")
    assert [row.accuracy for row in rows] == pytest.approx(recall.tolist())
    assert [row.precision for row in rows] == pytest.approx(precision.tolist())
    assert sum(row.videos for row in rows) == 200


def test_an_absent_class_neither_helps_nor_hurts() -> None:
    # Two videos of a (one right), one of b (right), none of c, though one was called c.
    scores = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
    result = Evaluation(
        labels=("a", "b", "c"), probabilities=scores, targets=torch.tensor([0, 0, 1]), views=3
    )
    assert result.mean_class == pytest.approx((0.5 + 1.0) / 2)
    assert result.top1 == pytest.approx(2 / 3)
    assert result.top5 == 1.0
    a, b, c = result.per_class
    assert (a.videos, a.correct, a.accuracy, a.mistaken_for) == (2, 1, 0.5, "c")
    assert (b.accuracy, b.precision, b.mistaken_for) == (1.0, 1.0, None)
    assert (c.videos, c.accuracy, c.precision) == (0, None, 0.0)
    assert result.confusion.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_of_equal_scores_the_first_class_wins() -> None:
    assert ranking(torch.full((2, 4), 0.25), 4).tolist() == [[0, 1, 2, 3]] * 2
    assert top_k_accuracy(torch.full((4, 4), 0.25), torch.arange(4), 1) == 0.25


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        top_k_accuracy(torch.tensor([[torch.nan, 0.5]]), torch.tensor([0]), 1)


def test_no_videos_is_an_error_not_a_nan() -> None:
    none, no_targets = torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="no videos"):
        top_k_accuracy(none, no_targets, 1)
    with pytest.raises(ValueError, match="no videos"):
        mean_class_accuracy(confusion_matrix(none, no_targets))
    assert Meter(3).compute() == {}


def test_a_meter_adds_batches_and_processes(scored: tuple[torch.Tensor, torch.Tensor]) -> None:
    scores, targets = scored
    whole, first, second = Meter(7), Meter(7), Meter(7)
    whole.update(scores, targets)
    for start in range(0, 100, 30):
        first.update(scores[start : min(start + 30, 100)], targets[start : min(start + 30, 100)])
    second.update(scores[100:], targets[100:])
    first.sums += second.sums
    assert first.compute() == pytest.approx(whole.compute())
    loss = torch.nn.functional.nll_loss(scores.log(), targets)
    assert whole.compute()["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert whole.compute()["top5"] == pytest.approx(top_k_accuracy(scores, targets, 5))


def test_an_evaluation_is_json() -> None:
    result = Evaluation(
        labels=("a", "b"),
        probabilities=torch.tensor([[0.9, 0.1], [0.8, 0.2]]),
        targets=torch.tensor([0, 1]),
        views=30,
        names=("x.mp4", "y.mp4"),
        broken={"z.mp4": "torn"},
    )
    values = json.loads(json.dumps(result.to_dict()))
    assert values["top1"] == 0.5
    assert values["views"] == 30
    assert values["confusion"] == [[1, 0], [1, 0]]
    assert values["answers"][1] == {"video": "y.mp4", "truth": "b", "answer": "a"}
    assert values["per_class"][1]["mistaken_for"] == "a"
    assert values["broken"] == {"z.mp4": "torn"}
