"""Recognizing, with a model whose answer is known: it tells dark from bright."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from muybridge.model_file import LoadedModel
from muybridge.models._blocks import Classifier, ClipModel
from muybridge.predict import Recognizer
from muybridge.types import ClipSpec
from muybridge.video import Video

CLIP = ClipSpec(
    frames=4,
    stride=1,
    size=8,
    short_side=8,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    test_clips=5,
    test_crops=1,
)


class Photometer(ClipModel):
    """Logits (-100 x, 100 x) of the mean brightness x in -1..1: all but certain away from mid-grey."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Classifier(1, 2, dropout=0.0)
        self.views = 0

    def forward(self, clip: Tensor) -> Tensor:
        self.views += len(clip)
        brightness = clip.mean((1, 2, 3, 4))
        return torch.stack([-100 * brightness, 100 * brightness], dim=1)


def recognizer(clip: ClipSpec = CLIP) -> Recognizer:
    loaded = LoadedModel(
        model=Photometer(), name="photometer", options={}, labels=("dark", "bright"), clip=clip
    )
    return Recognizer(loaded, device="cpu")


def dusk(bright: int, dark: int, height: int = 8, width: int = 8) -> Video:
    """So many bright frames, then so many dark ones, ten a second."""
    levels = torch.tensor([230] * bright + [20] * dark, dtype=torch.uint8)
    return Video(levels[:, None, None, None].expand(-1, 3, height, width).contiguous(), fps=10)


def test_the_whole_video_is_the_mean_over_its_clips() -> None:
    result = recognizer().recognize(dusk(20, 0))
    assert result.top(1)[0].label == "bright"
    assert result.views == 5
    assert result.windows == ()
    half = recognizer().recognize(dusk(40, 40), clips=20)
    assert dict(half.top(2))["bright"] == pytest.approx(0.5, abs=0.06)


def test_windows_follow_the_light() -> None:
    result = recognizer().recognize(dusk(40, 40), window_s=1.0, every_s=0.5)
    assert result.duration_s == pytest.approx(8.0)
    spans = [(w.start_s, w.end_s) for w in result.windows]
    assert spans == [(i / 2, i / 2 + 1) for i in range(15)]
    for start_s, end_s, best in result.timeline():
        if end_s <= 4 or start_s >= 4:
            assert best[0].label == ("bright" if end_s <= 4 else "dark")
            assert best[0].score > 0.99


def test_a_window_longer_than_the_video_is_the_video() -> None:
    (window,) = recognizer().recognize(dusk(10, 0), window_s=60.0).windows
    assert (window.start_s, window.end_s) == (0.0, pytest.approx(1.0))


@pytest.mark.parametrize("sampling", ["dense", "segments"])
@pytest.mark.parametrize("frames", [1, 3, 50])
def test_short_videos_and_both_samplings(sampling: str, frames: int) -> None:
    clip = ClipSpec.from_dict(CLIP.to_dict() | {"sampling": sampling})
    result = recognizer(clip).recognize(dusk(frames, 0), clips=3)
    assert result.top(1)[0].label == "bright"


def test_every_view_goes_through_the_network_once() -> None:
    model = recognizer()
    seen: list[tuple[int, int]] = []
    result = model.recognize(
        dusk(60, 0, width=24), clips=7, crops=3, progress=lambda *step: seen.append(step)
    )
    assert model.model.views == result.views == 21
    assert seen == [(i, 7) for i in range(1, 8)]


def test_three_crops_see_what_the_centre_misses() -> None:
    """Bright at both ends of a wide frame, dark in the middle."""
    frames = torch.full((10, 3, 8, 24), 20, dtype=torch.uint8)
    frames[..., :8] = frames[..., 16:] = 230
    centre = recognizer().recognize(frames, crops=1)
    assert centre.top(1)[0].label == "dark"
    both = recognizer().recognize(frames, crops=3)
    assert dict(both.top(2))["bright"] == pytest.approx(2 / 3, abs=0.01)


def test_a_step_needs_a_window_and_both_are_positive() -> None:
    model = recognizer()
    for window_s, every_s in [(None, 1.0), (0.0, 1.0), (1.0, -1.0), (1.0, 0.0), (-1.0, None)]:
        with pytest.raises(ValueError, match="window_s|every_s"):
            model.recognize(dusk(10, 0), window_s=window_s, every_s=every_s)


def test_the_answer_does_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for size in (1, 3, 100):
        monkeypatch.setattr("muybridge.predict.watching.BATCH_CLIPS", size)
        answers.append(recognizer().recognize(dusk(33, 27), window_s=0.7, every_s=0.3).windows)
    for one, other in itertools.pairwise(answers):
        torch.testing.assert_close([w.scores for w in one], [w.scores for w in other], atol=1e-6, rtol=0)
