"""The flow of a video as somebody sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from muybridge.flow.film import film_flow
from muybridge.flow.painters import Look, legible_size
from muybridge.flow.parts import store_flow
from muybridge.flow.store import open_flow
from muybridge.flow.storing import Storing
from muybridge.types import VideoError
from muybridge.video.reader import Video
from muybridge.video.writer import VideoWriter, write_video


class Right:
    """A method that sees the right half move to the right by 4 pixels, and the rest at rest."""

    method = "right"

    def __call__(
        self, first: Tensor, second: Tensor, *, progress: Callable[[int, int], None] | None = None
    ) -> Tensor:
        field = torch.zeros(len(first), 2, *first.shape[2:])
        field[:, 0, :, first.shape[3] // 2 :] = 4.0
        return field


RIGHT: Any = Right()


def frames(count: int = 8, height: int = 90, width: int = 120) -> Tensor:
    return torch.full((count, 3, height, width), 100, dtype=torch.uint8)


def last_picture(path: Path) -> Tensor:
    with Video(path) as video:
        return video.frames([len(video) - 1])[0].int()


def sheet_of(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).int()


def is_red(colour: Tensor) -> bool:
    red, green, blue = colour.tolist()
    return bool(red > 200 and green < 60 and blue < 60)


def test_the_film_keeps_frames_and_moments(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.5, 0.6, 1.4]
    with VideoWriter(tmp_path / "a.mp4", fps=10) as writer:
        for frame, time_s in zip(frames(5), times, strict=True):
            writer.write(frame, time_s)
    steps: list[tuple[int, int]] = []
    with Video(tmp_path / "a.mp4") as video:
        film_flow(video, tmp_path / "flow.mp4", RIGHT, progress=lambda *step: steps.append(step))
    with Video(tmp_path / "flow.mp4") as film:
        np.testing.assert_allclose(film.times_s, times, atol=1e-3)
        assert (film.meta.height, film.meta.width) == (360, 480)  # enlarged by 4, to be read
    assert steps == [(done, 5) for done in range(1, 6)]


def test_colours_of_motion_and_rest(tmp_path: Path) -> None:
    cases = {
        "saturation": (Look(largest=4, legend=False), (255, 255, 255)),
        "brightness": (Look(largest=4, legend=False, magnitude="brightness"), (0, 0, 0)),
        "frame": (Look(largest=4, legend=False, layout="frame"), (100, 100, 100)),
    }
    for name, (look, rest) in cases.items():
        out = film_flow(Video(frames()), tmp_path / f"{name}.mp4", RIGHT, look=look)
        picture = last_picture(out)
        assert (picture[:, 180, 100] - torch.tensor(rest)).abs().max() < 12, name
        assert is_red(picture[:, 180, 400]), name
    out = film_flow(Video(frames()), tmp_path / "beside.mp4", RIGHT, look=Look(layout="beside", largest=4))
    picture = last_picture(out)
    assert picture.shape == (3, 360, 960)
    assert (picture[:, 180, 440] - 100).abs().max() < 12  # the frame
    assert is_red(picture[:, 180, 480 + 400])
    legend = picture[:, 270:, 880:]
    assert (legend < 110).all(dim=0).float().mean() > 0.2  # its dark ground


def test_the_scale_is_that_of_the_video(tmp_path: Path) -> None:
    """One frame of slow motion among fast ones stays pale."""

    class Slower(Right):
        def __call__(self, first: Tensor, *rest: Any, **more: Any) -> Tensor:
            return super().__call__(first, *rest, **more) * (first[:, :1, :1, :1].float() / 100)

    film = frames(9)
    film[-2] = 10  # a tenth as fast
    slower: Any = Slower()
    out = film_flow(Video(film), tmp_path / "flow.mp4", slower)
    with Video(out) as video:
        fast, slow = video.frames([3, 7])
    assert is_red(fast[:, 100, 400].int())
    assert (slow[:, 100, 400] > 200).all()


def test_stored_flow_looks_like_computed_flow(tmp_path: Path) -> None:
    with Video(frames()) as video:
        store_flow(video, tmp_path / "a.flow.mp4", RIGHT, Storing(), work=tmp_path / "work")
        with open_flow(tmp_path / "a.flow.mp4") as stored:
            film_flow(video, tmp_path / "stored.mp4", stored)
            with pytest.raises(VideoError, match="flow of 8 frames, but the video has 9"):
                film_flow(Video(frames(9)), tmp_path / "other.mp4", stored)
        film_flow(video, tmp_path / "computed.mp4", RIGHT)
    difference = last_picture(tmp_path / "stored.mp4") - last_picture(tmp_path / "computed.mp4")
    assert difference.abs().float().mean() < 3
    assert not (tmp_path / "other.mp4").exists()


@pytest.mark.parametrize("layout", ["flow", "beside", "frame"])
@pytest.mark.parametrize("size", [(16, 16), (33, 201), (121, 77)])
def test_small_and_odd_videos(tmp_path: Path, layout: Any, size: tuple[int, int]) -> None:
    look = Look(layout=layout, arrows=True)
    out = film_flow(Video(frames(2, *size)), tmp_path / "flow.mp4", RIGHT, look=look)
    with Video(out) as film:
        assert len(film) == 2
        assert min(film.meta.height, film.meta.width) >= 320
    sheet = film_flow(Video(frames(2, *size)), tmp_path / "flow.png", RIGHT, look=look)
    assert sheet_of(sheet).shape[1] > legible_size(*size)[0]


def test_a_still_video_is_white(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra flow")
    from muybridge.flow.methods import open_method

    still = torch.randint(0, 256, (1, 3, 48, 64), generator=torch.Generator().manual_seed(0))
    film = still.byte().expand(4, -1, -1, -1)
    out = film_flow(Video(film), tmp_path / "flow.mp4", open_method("farneback"), look=Look(legend=False))
    assert last_picture(out).min() > 225


def test_a_picture_shows_moments_and_the_scale(tmp_path: Path) -> None:
    with Video(write_video(tmp_path / "a.mp4", frames(50), fps=25)) as video:
        film_flow(video, tmp_path / "flow.png", RIGHT, look=Look(largest=4))
        film_flow(video, tmp_path / "plain.png", RIGHT, look=Look(largest=4, legend=False))
    sheet = sheet_of(tmp_path / "flow.png")
    plain = sheet_of(tmp_path / "plain.png")
    assert plain.shape[1] == 2 * 360 + 4
    assert plain.shape[2] == 3 * 480 + 2 * 4
    for column in range(3):
        for row in range(2):
            assert is_red(plain[:, row * 364 + 180, column * 484 + 400])
    assert torch.equal(sheet[:, : plain.shape[1]], plain)
    foot = sheet[:, plain.shape[1] :]
    assert (foot < 100).all(dim=0).any()  # letters


def test_points_are_followed_with_tails(tmp_path: Path) -> None:
    """Light squares that move to the right by 3 pixels a frame have red tails to their left."""
    pytest.importorskip("cv2", reason="needs the extra flow")
    film = torch.full((12, 3, 90, 120), 60, dtype=torch.uint8)
    for number in range(12):
        for row in (20, 60):
            film[number, :, row : row + 10, 20 + 3 * number : 32 + 3 * number] = 220
    out = film_flow(Video(film), tmp_path / "flow.mp4", "lucas_kanade", look=Look(largest=3, legend=False))
    picture = last_picture(out)
    red = (picture[0] > 150) & (picture[1] < 110) & (picture[2] < 110)
    columns = torch.nonzero(red.any(dim=0)).flatten() / 4
    assert columns.min() == pytest.approx(20, abs=4)  # where they were at first
    assert columns.max() == pytest.approx(20 + 33 + 12, abs=4)
    rows = torch.nonzero(red.any(dim=1)).flatten() / 4
    assert rows.min() > 15
    assert rows.max() < 75
    sheet = film_flow(Video(film), tmp_path / "flow.png", "lucas_kanade")
    assert sheet_of(sheet).shape[2] == 3 * 480 + 8


def test_what_can_not_be_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", frames(3), fps=25)
    with pytest.raises(VideoError, match="has a single frame; flow is made of two or more"):
        film_flow(Video(frames(1)), tmp_path / "flow.mp4", RIGHT)
    with Video(source) as video:
        with pytest.raises(
            ValueError, match="is the video to be read; give the film of its flow another name"
        ):
            film_flow(video, source, RIGHT)
        with pytest.raises(ValueError, match=r"wanted a film \(.mp4\) or a picture \(.png\)"):
            film_flow(video, tmp_path / "flow.gif", RIGHT)
        for wrong, message in (
            ({"layout": "below"}, "no layout 'below'; it is one of flow, beside, frame"),
            ({"magnitude": "size"}, "no magnitude 'size'"),
            ({"largest": 0.0}, "largest is 0.0; give the pixels"),
        ):
            with pytest.raises(ValueError, match=message):
                Look(**wrong)  # type: ignore[arg-type]

        class Failing(Right):
            def __call__(self, first: Tensor, *rest: Any, **more: Any) -> Tensor:
                raise VideoError("a.mp4: frame 2 of 3 cannot be decoded")

        failing: Any = Failing()
        with pytest.raises(VideoError, match="frame 2"):
            film_flow(video, tmp_path / "flow.mp4", failing, look=Look(largest=4))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
