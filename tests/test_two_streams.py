"""Two models that answer together, each of whose answers alone is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.data.samples import Sample
from muybridge.flow import source as flow_source
from muybridge.model_file import LoadedModel
from muybridge.models._blocks import Classifier, ClipModel
from muybridge.predict import Recognizer, TwoStreams
from muybridge.types import ClipSpec, VideoError
from muybridge.video import Video
from muybridge.video.writer import VideoWriter

RGB = ClipSpec(
    frames=3, stride=1, size=8, short_side=8, mean=(0.5,) * 3, std=(0.5,) * 3, test_clips=4, test_crops=1
)
FLOW = replace(RGB, frames=5, modality="flow", mean=(0.5, 0.5), std=(0.5, 0.5), test_clips=2)


class Meter(ClipModel):
    """Logits (-g x, g x) of the first channel's mean x in -1..1."""

    def __init__(self, channels: int, gain: float) -> None:
        super().__init__()
        self.channels = channels
        self.gain = gain
        self.head = Classifier(1, 2, dropout=0.0)

    def forward(self, clip: Tensor) -> Tensor:
        x = self.gain * clip[:, 0].mean((1, 2, 3))
        return torch.stack([-x, x], dim=1)


def stream(
    spec: ClipSpec, gain: float = 1.0, labels: tuple[str, ...] = ("no", "yes"), **facts: Any
) -> Recognizer:
    model = Meter(spec.channels, gain)
    loaded = LoadedModel(model=model, name=spec.modality, options={}, labels=labels, clip=spec, **facts)
    return Recognizer(loaded, device="cpu")


@pytest.fixture(autouse=True)
def _brightness_is_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that sees every pixel move right by a pixel where it is dark, by ten where it is bright."""

    def estimate(first: Tensor, second: Tensor) -> Tensor:
        return (first[:, :2] > 128).float() * 9 + 1

    monkeypatch.setattr(flow_source, "open_method", lambda name, **options: estimate)


@pytest.fixture
def dusk() -> Video:
    """Bright for two seconds, then dark for one, ten frames per second."""
    levels = torch.tensor([230] * 20 + [20] * 10, dtype=torch.uint8)
    return Video(levels[:, None, None, None].expand(-1, 3, 8, 8).contiguous(), fps=10)


def of(result: Any) -> Tensor:
    return torch.tensor(result.scores, dtype=torch.float64)


def test_probabilities_are_averaged_by_weight(dusk: Video) -> None:
    rgb, flow = stream(RGB, 2.0), stream(FLOW, 3.0)
    alone = of(rgb.recognize(dusk)), of(flow.recognize(dusk))
    assert not torch.allclose(*alone, atol=0.01)
    for weights in ((1.0, 1.0), (1.0, 1.5), (0.0, 2.0)):
        both = TwoStreams(rgb, flow, weights=weights).recognize(dusk)
        expected = (weights[0] * alone[0] + weights[1] * alone[1]) / sum(weights)
        torch.testing.assert_close(of(both), expected, atol=1e-6, rtol=0)
    assert both.views == 4 + 2
    assert both.model == "rgb + flow"
    assert both.facts["average"] == "probabilities, 0:2"


def test_logits_are_added_up(dusk: Video) -> None:
    """Brightness 230 and 20 are +0.804 and -0.843; ten pixels and one are 0.5 and 0.05."""
    bright, dark = 2 * 230 / 255 - 1, 2 * 20 / 255 - 1
    rgb, flow = (
        stream(replace(RGB, frames=1, test_clips=30), 2.0),
        stream(replace(FLOW, frames=1, test_clips=30), 3.0),
    )
    x = 2 * (2 * bright + dark) / 3 + 1.5 * 3 * (2 * 0.5 + 0.05) / 3
    both = TwoStreams(rgb, flow, weights=(1.0, 1.5), average="logits").recognize(dusk)
    expected = torch.tensor([-x, x], dtype=torch.float64).softmax(0)
    torch.testing.assert_close(of(both), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_with_windows_they_vote_on_each(average: Any, dusk: Video) -> None:
    rgb, flow = stream(RGB, 2.0), stream(FLOW, 3.0)
    both = TwoStreams(rgb, flow, average=average).recognize(dusk, window_s=1.0, every_s=0.5)
    assert [(w.start_s, w.end_s) for w in both.windows] == [(i / 2, i / 2 + 1) for i in range(5)]
    alone = [model.recognize(dusk, window_s=1.0, every_s=0.5).windows for model in (rgb, flow)]
    for window, one, other in zip(both.windows, *alone, strict=True):
        expected = (torch.tensor(one.scores) + torch.tensor(other.scores)) / 2
        if average == "logits":  # one clip and crop per window, so the logits are known but for a constant
            expected = (torch.tensor(one.scores).log() + torch.tensor(other.scores).log()).softmax(0)
        torch.testing.assert_close(torch.tensor(window.scores), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(of(both), torch.tensor([w.scores for w in both.windows]).double().mean(0))


def test_the_order_of_labels_may_differ(dusk: Video) -> None:
    both = TwoStreams(stream(RGB), stream(FLOW, 5.0, labels=("yes", "no")), weights=(0, 1)).recognize(dusk)
    assert both.labels == ("no", "yes")
    assert both.top(1)[0].label == "no"  # the second output of the flow stream wins


def test_several_labels_keep_a_probability_each(dusk: Video) -> None:
    rgb, flow = (stream(spec, 2.0, multi_label=True) for spec in (RGB, FLOW))
    both = TwoStreams(rgb, flow, average="logits").recognize(dusk, clips=1)
    alone = [of(model.recognize(dusk, clips=1)) for model in (rgb, flow)]
    expected = (alone[0].logit() + alone[1].logit()).sigmoid()
    torch.testing.assert_close(of(both), expected, atol=1e-5, rtol=0)


def test_every_frame_is_decoded_once_for_both(dusk: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    pictures = dusk._film.pictures

    def noted(wanted: Any, **how: Any) -> Any:
        decoded.extend(wanted.tolist())
        return pictures(wanted, **how)

    dusk.meta  # noqa: B018 - looks at a frame to know its size
    monkeypatch.setattr(dusk._film, "pictures", noted)
    TwoStreams(stream(RGB), stream(FLOW)).recognize(dusk, window_s=0.5, every_s=0.1)
    assert decoded == list(range(30))


def test_progress_counts_the_clips_of_both(dusk: Video) -> None:
    seen: list[tuple[int, int]] = []
    TwoStreams(stream(RGB), stream(FLOW)).recognize(dusk, progress=lambda *step: seen.append(step))
    assert seen == [(i, 6) for i in range(1, 7)]


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_a_data_set_is_measured_alone_and_together(average: Any, tmp_path: Path) -> None:
    """Flow is sure and wrong about the dark film; what neither can read is in none of the figures."""
    samples = []
    for name, level in (("bright", 230), ("dark", 20)):
        with VideoWriter(tmp_path / f"{name}.mp4", fps=10) as writer:
            for _ in range(12):
                writer.write(torch.full((3, 16, 16), level, dtype=torch.uint8))
        samples.append(Sample(tmp_path / f"{name}.mp4", ("yes" if name == "bright" else "no",), name))
    (tmp_path / "torn.mp4").write_bytes(b"no film" * 99)
    samples.insert(1, Sample(tmp_path / "torn.mp4", ("no",), "torn"))
    rgb, flow = stream(RGB, 2.0), stream(FLOW, 30.0, labels=("yes", "no"))
    seen = TwoStreams(rgb, stream(FLOW, -30.0, labels=("yes", "no")), weights=(3, 1), average=average)
    alone_rgb, alone_flow, both = seen.measure(samples)
    assert (alone_rgb.top1, alone_flow.top1) == (1.0, 0.5)  # type: ignore[union-attr]
    assert alone_flow.labels == ("yes", "no")
    assert both.targets.tolist() == [1, 0]
    assert (alone_rgb.views, alone_flow.views, both.views) == (4, 2, 6)
    assert list(both.broken) == [str(tmp_path / "torn.mp4")]
    for row, sample in zip(both.probabilities, (samples[0], samples[2]), strict=True):
        answer = of(seen.recognize(sample.path))
        torch.testing.assert_close(row.double(), answer, atol=1e-5, rtol=0)
    with pytest.raises(VideoError, match="none of 1 videos can be read; the first one: .*torn.mp4"):
        TwoStreams(rgb, flow).measure(samples[1:2])


def test_pairs_that_can_not_vote_are_refused() -> None:
    rgb, flow = stream(RGB), stream(FLOW)
    for other, words in (
        (stream(FLOW, labels=("no", "perhaps")), "'perhaps' is known to one alone"),
        (stream(FLOW, multi_label=True), "of one they exclude each other"),
    ):
        with pytest.raises(ValueError, match=words):
            TwoStreams(rgb, other)
    for weights in ((-1.0, 2.0), (0.0, 0.0), (1.0, float("nan")), (1.0, float("inf"))):
        with pytest.raises(ValueError, match="they must be positive numbers, such as 1:1.5"):
            TwoStreams(rgb, flow, weights=weights)
    with pytest.raises(ValueError, match="'probabilities' or 'logits'"):
        TwoStreams(rgb, flow, average="max")  # type: ignore[arg-type]
