"""Average precision against MMAction2's, torchmetrics' and Charades' way, and lists done by hand."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import pytest
import torch
from torchmetrics.functional.classification import multilabel_average_precision

from muybridge.metrics.multi_label import (
    MultiLabelEvaluation,
    MultiLabelMeter,
    Ranked,
    average_precision,
    average_precisions,
    mean_average_precision,
)
from muybridge.metrics.recognition import confusion_matrix, mean_class_accuracy, top_k_accuracy


@pytest.fixture
def scored() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(120, 6, generator=generator) < 0.2).float()
    # Tenths, so that many scores are equal.
    return ((torch.rand(120, 6, generator=generator) + 0.2 * targets) * 10).round() / 12, targets


def test_figures_are_mmaction2s(shared: Path) -> None:
    told = json.loads((shared / "fixtures" / "mm_evaluation.json").read_text())["classification"]
    scores, labels = torch.tensor(told["scores"]), torch.tensor(told["labels"])
    assert mean_average_precision(scores, torch.tensor(told["multilabels"])) == pytest.approx(told["mAP"])
    assert [top_k_accuracy(scores, labels, k) for k in (1, 5)] == pytest.approx(told["top1_top5"])
    confusion = confusion_matrix(scores, labels)
    assert confusion.tolist() == told["confusion"]
    assert mean_class_accuracy(confusion) == pytest.approx(told["mean_class_acc"])


@pytest.mark.parametrize(
    ("scores", "shown", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], (1 / 1 + 2 / 3) / 2),
        ([0.1, 0.2, 0.3], [1, 0, 0], 1 / 3),
        ([0.1, 0.9], [0, 1], 1.0),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 1 / 4),  # equal scores are one step, in whatever order they come
        ([0.5, 0.5, 0.5, 0.5], [0, 0, 0, 1], 1 / 4),
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 1], (1 / 1 + 2 / 3 + 3 / 4) / 3),
        ([0.3, 0.2], [0, 0], None),
    ],
)
def test_average_precision_by_hand(scores: list[float], shown: list[int], expected: float | None) -> None:
    assert average_precision(torch.tensor(scores), torch.tensor(shown)) == (
        None if expected is None else pytest.approx(expected)
    )


def test_average_precision_is_torchmetrics(scored: tuple[torch.Tensor, torch.Tensor]) -> None:
    scores, targets = scored
    expected = multilabel_average_precision(scores, targets.int(), num_labels=6, average="none")
    assert average_precisions(scores, targets).tolist() == pytest.approx(expected.tolist())


def test_weights_count_a_video_as_often_as_it_stood_in_the_list(
    scored: tuple[torch.Tensor, torch.Tensor],
) -> None:
    scores, targets = scored
    times = torch.arange(120) % 4
    repeated = average_precisions(scores.repeat_interleave(times, 0), targets.repeat_interleave(times, 0))
    weighted = Ranked.of(scores, targets).average_precisions(times)
    assert weighted.tolist() == pytest.approx(repeated.tolist())


def test_a_class_that_no_video_shows_is_left_out_and_named() -> None:
    result = MultiLabelEvaluation(
        labels=("run", "sit", "fly"),
        probabilities=torch.tensor([[0.9, 0.2, 0.8], [0.4, 0.7, 0.1], [0.6, 0.1, 0.2]]),
        targets=torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 0]]),
        views=3,
        names=("a.mp4", "b.mp4", "c.mp4"),
    )
    run = (1 + 2 / 3) / 2  # the third video, which shows nothing, stands between the two
    assert result.mean_average_precision == pytest.approx((run + 1) / 2)
    assert result.left_out == ("fly",)
    assert [row.videos for row in result.per_class] == [2, 1, 0]
    assert result.per_class[2].average_precision is None
    # Charades puts videos without a label last, so both places of run are pure.
    assert result.unlabelled == 1
    assert result.map_of_labelled == pytest.approx(1.0)
    told = json.loads(json.dumps(result.to_dict()))
    assert told["map"] == pytest.approx((run + 1) / 2)
    assert told["answers"][1] == {"video": "b.mp4", "truth": ["run", "sit"], "scores": [0.4, 0.7, 0.1]}
    assert told["left_out"] == ["fly"]


def test_a_meter_adds_batches_and_processes(scored: tuple[torch.Tensor, torch.Tensor]) -> None:
    scores, targets = scored
    first, second = MultiLabelMeter(6), MultiLabelMeter(6)
    assert first.compute() == {}
    for start in range(0, 60, 25):
        first.update(scores[start : min(start + 25, 60)], targets[start : min(start + 25, 60)])
    second.update(scores[60:], targets[60:])
    first.merge(pickle.loads(pickle.dumps(second)))  # as it comes from another process
    figures = first.compute()
    assert figures["map"] == pytest.approx(mean_average_precision(scores, targets))
    loss = torch.nn.functional.binary_cross_entropy(scores.clamp(0, 1 - 1e-7), targets)
    assert math.isfinite(figures["loss"])
    inside = MultiLabelMeter(6)
    inside.update(scores.clamp(0, 1 - 1e-7), targets)
    assert inside.compute()["loss"] == pytest.approx(float(loss), rel=1e-3)


def test_nothing_shown_is_an_error_not_a_nan() -> None:
    with pytest.raises(ValueError, match="no video shows"):
        mean_average_precision(torch.rand(3, 2), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="not numbers"):
        mean_average_precision(torch.full((3, 2), math.nan), torch.ones(3, 2))
    with pytest.raises(ValueError, match="one per score"):
        mean_average_precision(torch.rand(3, 2), torch.ones(3, 1))
