from __future__ import annotations

import io
import wave
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from muybridge import ink, viz
from muybridge.types import Score, Window
from muybridge.video.reader import Video
from muybridge.video.writer import VideoWriter, write_video

LABELS = ["sit", "walk", "跑步"]


def grey(count: int, height: int = 60, width: int = 80, value: int = 128) -> Tensor:
    return torch.full((count, 3, height, width), value, dtype=torch.uint8)


def film(path: Path, frames: Tensor, times_s: Sequence[float] | None = None, fps: float = 10) -> Path:
    return write_video(path, frames, fps=fps, times_s=times_s)


def window(start_s: float, end_s: float, winner: int) -> Window:
    scores = [0.1, 0.1, 0.1]
    scores[winner] = 0.8
    return Window(start_s=start_s, end_s=end_s, scores=tuple(scores))


def pixels_of(frame: Tensor, colour: ink.Colour, tolerance: int = 0) -> Tensor:
    """Where a frame (3, h, w) has that colour: bool (h, w)."""
    wanted = torch.tensor(colour).view(3, 1, 1)
    return ((frame.int() - wanted).abs() <= tolerance).all(0)


def test_bars_are_as_long_as_scores_are_high() -> None:
    frame = grey(1, 480, 640)[0]
    drawn = viz.draw_panel(frame, [Score("walk", 0.8), Score("sit", 0.4)])
    first, second = (int(pixels_of(drawn, colour).sum()) for colour in ink.PALETTE[:2])
    assert first / second == pytest.approx(2.0, rel=0.02)


def test_the_panel_leaves_the_rest_of_the_frame_and_its_input_alone() -> None:
    frame = grey(1, 480, 640)[0]
    before = frame.clone()
    drawn = viz.draw_panel(frame, [Score("walk", 0.8)])
    assert torch.equal(frame, before)
    assert torch.equal(drawn[:, 240:], before[:, 240:])
    assert torch.equal(drawn[:, :, 420:], before[:, :, 420:])
    assert not torch.equal(drawn, before)


def test_a_longer_label_is_cut_not_spilled() -> None:
    frame = grey(1, 480, 640)[0]
    drawn = viz.draw_panel(frame, [Score("a very long name " * 20, 0.8)])
    assert torch.equal(drawn[:, :, 420:], frame[:, :, 420:])
    font = ink.load_font(None, 20)
    short = viz.ellipsis("a very long name " * 20, font, 150)
    assert short.endswith("…")
    assert font.getlength(short) <= 150


def test_rows_that_do_not_fit_are_left_out() -> None:
    frame = grey(1, 64, 200)[0]
    drawn = viz.draw_panel(frame, [Score(f"label {index}", 0.5) for index in range(50)])
    assert pixels_of(drawn, ink.PALETTE[0]).any()
    assert not pixels_of(drawn, ink.PALETTE[5]).any()
    tiny = grey(1, 8, 8)[0]
    assert torch.equal(viz.draw_panel(tiny, [Score("walk", 0.5)]), tiny)


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(1080, 1920, 1), (360, 640, 1), (256, 340, 2), (142, 80, 4), (48, 64, 8), (16, 4000, 1), (1, 1, 360)],
)
def test_small_videos_are_enlarged_by_a_whole_number(height: int, width: int, scale: int) -> None:
    assert ink.legible_scale(height, width) == scale


def test_annotated_copy_keeps_frames_times_and_shape(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.5, 0.6, 1.4, 1.5]  # variable frame rate
    source = film(tmp_path / "in.mp4", grey(6), times)
    steps: list[tuple[int, int]] = []
    with Video(source) as video:
        out = viz.annotate(
            video,
            tmp_path / "out.mp4",
            top=[Score("walk", 0.9), Score("跑步", 0.1)],
            labels=LABELS,
            progress=lambda *step: steps.append(step),
        )
    with Video(out) as copy:
        assert len(copy) == 6
        np.testing.assert_allclose(copy.times_s, times, atol=1e-3)
        assert (copy.meta.height, copy.meta.width) == (60 * 6, 80 * 6)
    assert steps == [(index, 6) for index in range(1, 7)]


def test_each_frame_shows_the_window_with_the_nearest_centre(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", grey(40, 360, 480))
    windows = [window(0, 2, 0), window(2, 4, 1)]
    with Video(source) as video:
        out = viz.annotate(video, tmp_path / "out.mp4", top=[], labels=LABELS, windows=windows, max_labels=1)
    blue, orange = (ink.label_colours(LABELS)[label] for label in LABELS[:2])
    with Video(out) as copy:
        early, late = copy.frames_at([0.5, 3.5])
    panel = (slice(None), slice(0, 100), slice(0, 240))
    assert pixels_of(early[panel], blue, 40).sum() > 100
    assert pixels_of(early[panel], orange, 40).sum() == 0
    assert pixels_of(late[panel], orange, 40).sum() > 100
    assert pixels_of(late[panel], blue, 40).sum() == 0


def test_the_timeline_is_coloured_by_winner_and_the_play_head_moves(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", grey(40, 360, 480))
    with Video(source) as video:
        windows = [window(0, 2, 0), window(2, 4, 1)]
        out = viz.annotate(video, tmp_path / "out.mp4", top=[], labels=LABELS, windows=windows)
    blue, orange = (ink.label_colours(LABELS)[label] for label in LABELS[:2])
    with Video(out) as copy:
        frames = copy.frames_at([1.0, 3.0])
    for frame, place in zip(frames, (0.25, 0.75), strict=True):
        strip = frame[:, -4:]
        assert pixels_of(strip[:, :, :100], blue, 40).float().mean() > 0.9
        assert pixels_of(strip[:, :, -100:], orange, 40).float().mean() > 0.9
        head = int(strip.int().min(0).values.float().mean(0).argmax())  # the whitest column
        assert head == pytest.approx(place * 480, abs=3)


def test_sound_is_kept(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes((np.sin(np.arange(16_000) / 6) * 9000).astype("<i2").tobytes())
    with VideoWriter(tmp_path / "in.mp4", fps=10, audio_from=tmp_path / "tone.wav") as writer:
        for frame in grey(10):
            writer.write(frame)
    with Video(tmp_path / "in.mp4") as video:
        out = viz.annotate(video, tmp_path / "out.mp4", top=[Score("sit", 1.0)], labels=LABELS)
    with Video(out) as copy:
        assert copy.meta.has_audio


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        viz.annotate(
            Video(grey(5)), tmp_path / "out.mp4", top=[Score("sit", 1.0)], labels=LABELS, progress=stop
        )
    assert list(tmp_path.iterdir()) == []


def test_the_video_itself_is_not_overwritten(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", grey(3))
    before = source.read_bytes()
    with Video(source) as video, pytest.raises(ValueError, match="another name"):
        viz.annotate(video, source, top=[], labels=LABELS)
    assert source.read_bytes() == before


def test_frames_are_not_kept(tmp_path: Path) -> None:
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    class Watched(Video):
        def __iter__(self) -> Iterator[Tensor]:
            nonlocal most
            for frame in super().__iter__():
                copy = frame.clone()
                alive.append(weakref.ref(copy))
                most = max(most, sum(ref() is not None for ref in alive))
                yield copy

    windows = [window(index / 30, (index + 1) / 30, index % 3) for index in range(30)]
    viz.annotate(Watched(grey(30)), tmp_path / "out.mp4", top=[], labels=LABELS, windows=windows)
    assert len(alive) == 30
    assert most <= 3


def test_thumbnails_run_from_the_first_moment_to_the_last() -> None:
    ramp = torch.zeros(30, 3, 90, 120, dtype=torch.uint8)
    ramp[:, 0] = torch.linspace(255, 0, 30).byte().view(-1, 1, 1)
    ramp[:, 2] = torch.linspace(0, 255, 30).byte().view(-1, 1, 1)
    picture = Image.open(io.BytesIO(viz.thumbnail_strip(Video(ramp), height=48, count=6)))
    assert picture.format == "JPEG"
    assert picture.size == (6 * 64, 48)
    reds = [picture.getpixel((32 + 64 * index, 24))[0] for index in range(6)]
    assert reds == sorted(reds, reverse=True)
    assert reds[0] - reds[-1] > 150


def test_portrait_thumbnails_fill_the_same_strip() -> None:
    picture = Image.open(io.BytesIO(viz.thumbnail_strip(Video(grey(3, 160, 90)), height=64)))
    assert picture.height == 64
    assert picture.width / picture.height == pytest.approx(20, rel=0.05)
