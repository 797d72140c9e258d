from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from muybridge.data.clips import ClipDataset
from muybridge.data.loading import Batch
from muybridge.data.samples import Sample
from muybridge.metrics.multi_label import MultiLabelEvaluation
from muybridge.tasks.recognition import MultiLabelTask, RecognitionTask, balanced_weights, evaluate
from muybridge.types import ClipSpec, VideoError
from muybridge.video.writer import VideoWriter

SPEC = ClipSpec(
    frames=2, stride=1, size=16, short_side=16, mean=(0, 0, 0), std=(1, 1, 1), test_clips=2, test_crops=3
)


class Brightness(nn.Module):
    """Says class 1 the more surely, the brighter a clip is."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, clip: Tensor) -> Tensor:
        self.sizes.append(len(clip))
        light = clip.mean(dim=(1, 2, 3, 4)) * 20 - 10
        return torch.stack([torch.zeros_like(light), light], dim=1)


def batch(logit: float) -> Batch:
    return Batch(
        clip=torch.full((1, 3, 2, 4, 4), (logit + 10) / 20),
        label=torch.tensor([1]),
        index=torch.tensor([0]),
        broken=[],
    )


def test_the_loss_is_cross_entropy() -> None:
    loss, logits = RecognitionTask(("dark", "bright")).loss(Brightness(), batch(2.0))
    assert logits.tolist() == [pytest.approx([0.0, 2.0], abs=1e-5)]
    assert float(loss) == pytest.approx(0.126928, abs=1e-5)  # ln(1 + e^-2)


def test_label_smoothing_pulls_to_the_middle() -> None:
    loss, _ = RecognitionTask(("dark", "bright"), label_smoothing=0.2).loss(Brightness(), batch(2.0))
    # 0.9 ln(1 + e^-2) + 0.1 ln(1 + e^2)
    assert float(loss) == pytest.approx(0.9 * 0.126928 + 0.1 * 2.126928, abs=1e-5)


def test_balance_gives_every_class_the_same_say() -> None:
    targets = torch.tensor([0, 0, 0, 1])
    weights = balanced_weights(targets, 3)
    assert weights == pytest.approx([2 / 3, 2.0, 0.0])
    assert sum(weights[t] for t in targets) / len(targets) == pytest.approx(1.0)
    task = RecognitionTask(("a", "b", "c"), class_weights=weights)
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    mixed = Batch(clip=logits, label=torch.tensor([0, 0]), index=torch.tensor([0, 1]), broken=[])
    expected = nn.functional.cross_entropy(logits, mixed["label"], weight=torch.tensor(weights))
    assert float(task.loss(nn.Identity(), mixed)[0]) == pytest.approx(float(expected))


def test_the_loss_of_shares_is_the_mean_of_the_losses() -> None:
    task = RecognitionTask(("dark", "bright"))
    logits = torch.tensor([[0.0, 2.0]])
    shares = Batch(clip=logits, label=torch.tensor([[0.25, 0.75]]), index=torch.tensor([0]), broken=[])
    # 0.25 ln(1 + e^2) + 0.75 ln(1 + e^-2)
    assert float(task.loss(nn.Identity(), shares)[0]) == pytest.approx(
        0.25 * 2.126928 + 0.75 * 0.126928, abs=1e-5
    )


def test_several_labels_are_questions_of_their_own() -> None:
    task = MultiLabelTask(("a", "b", "c"))
    logits = torch.tensor([[0.0, 2.0, -1.0]])
    shown = Batch(clip=logits, label=torch.tensor([[1.0, 1.0, 0.0]]), index=torch.tensor([0]), broken=[])
    loss, _ = task.loss(nn.Identity(), shown)
    # (ln 2 + ln(1 + e^-2) + ln(1 + e^-1)) / 3
    assert float(loss) == pytest.approx((0.693147 + 0.126928 + 0.313262) / 3, abs=1e-5)
    # Smoothing by 0.2 makes the targets 0.9 and 0.1; -ln(1 - p) is ln(1 + e^x).
    softened, _ = MultiLabelTask(("a", "b", "c"), label_smoothing=0.2).loss(nn.Identity(), shown)
    right, wrong = (0.693147, 0.126928, 0.313262), (0.693147, 2.126928, 1.313262)
    expected = sum(0.9 * r + 0.1 * w for r, w in zip(right, wrong, strict=True)) / 3
    assert float(softened) == pytest.approx(expected, abs=1e-5)


def test_answers_to_several_labels_are_averaged_after_the_sigmoid() -> None:
    views = torch.tensor([[[9.0, -2.0], [-2.0, -2.0]]])
    scores = MultiLabelTask(("a", "b")).predict(nn.Identity(), views)
    assert scores[0].tolist() == pytest.approx([(0.999877 + 0.119203) / 2, 0.119203], abs=1e-5)


def test_balance_of_several_labels_weighs_positives_like_negatives() -> None:
    targets = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    assert balanced_weights(targets, 3) == [3.0, 1.0, 0.0]


def test_views_are_averaged_after_the_softmax() -> None:
    # One view shouts "bright" (logit 9), two say "dark" (logit -2): two votes against one.
    light = (torch.tensor([9.0, -2.0, -2.0]) + 10) / 20
    clips = light.view(1, 3, 1, 1, 1, 1).expand(1, 3, 3, 2, 4, 4)
    model = Brightness()
    scores = RecognitionTask(("dark", "bright"), batch_views=2).predict(model, clips)
    sure, unsure = 1 / (1 + 2.718281828**-9), 1 / (1 + 2.718281828**2)
    assert scores[0].tolist() == pytest.approx(
        [1 - (sure + 2 * unsure) / 3, (sure + 2 * unsure) / 3], abs=1e-5
    )
    assert scores.argmax() == 0
    assert model.sizes == [2, 1]


@pytest.fixture
def films(tmp_path: Path) -> list[Sample]:
    samples = []
    for name, label, light in (
        ("n1", "dark", 20),
        ("n2", "dark", 40),
        ("d1", "bright", 220),
        ("d2", "bright", 90),
    ):
        path = tmp_path / f"{name}.mp4"
        with VideoWriter(path, fps=10) as writer:
            for _ in range(5):
                writer.write(torch.full((3, 16, 24), light, dtype=torch.uint8))
        samples.append(Sample(path, (label,), name))
    return samples


def test_evaluate_measures_every_video(films: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "torn.mp4").write_bytes(b"torn")
    dataset = ClipDataset(
        [*films, Sample(tmp_path / "torn.mp4", ("dark",), "t")], ("dark", "bright"), SPEC, train=False
    )
    steps: list[tuple[int, int]] = []
    model = Brightness().train()
    result = evaluate(model, dataset, progress=lambda done, total: steps.append((done, total)))
    assert (result.top1, result.views) == (0.75, 6)
    assert result.confusion.tolist() == [[2, 0], [1, 1]]
    assert [Path(name).stem for name in result.names] == ["n1", "n2", "d1", "d2"]
    assert list(result.broken) == [str(tmp_path / "torn.mp4")]
    assert steps[-1] == (5, 5)
    assert set(model.sizes) == {6}
    assert not model.training


def test_evaluate_refuses_what_it_cannot_measure(films: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="train=False"):
        evaluate(Brightness(), ClipDataset(films, ("dark", "bright"), SPEC, train=True))
    (tmp_path / "torn.mp4").write_bytes(b"torn")
    dataset = ClipDataset(
        [Sample(tmp_path / "torn.mp4", ("dark",), "t")], ("dark", "bright"), SPEC, train=False
    )
    with pytest.raises(VideoError, match="none of 1 videos can be read"):
        evaluate(Brightness(), dataset)


def test_several_labels_are_measured_by_average_precision(films: list[Sample]) -> None:
    several = [
        replace(film, labels=labels)
        for film, labels in zip(films, ((), ("lit",), ("lit", "day"), ("day",)), strict=True)
    ]
    result = evaluate(Brightness(), ClipDataset(several, ("lit", "day"), SPEC, train=False, multi_label=True))
    assert isinstance(result, MultiLabelEvaluation)
    assert result.targets.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    # All get the same answer to "lit", of which half are; the brightest two are those of "day".
    assert [row.average_precision for row in result.per_class] == pytest.approx([0.5, 1.0])
    assert result.mean_average_precision == pytest.approx(0.75)
