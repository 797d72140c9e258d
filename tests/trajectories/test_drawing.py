"""Tracks on the video: where they are, in the colour of their direction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import muybridge as mb
from muybridge.trajectories.settings import Settings

pytest.importorskip("cv2", reason="needs the extra classic")
from muybridge.trajectories.drawing import draw_trajectories, drawn
from muybridge.trajectories.extract import Moment, watch
from muybridge.trajectories.store import save_trajectories
from muybridge.trajectories.tracking import Found

NONE = np.zeros((0, 2, 2), np.float32)


def rightwards(row: float = 20.0) -> Any:
    """One track `(1, 16, 2)`, 2 pixels per frame."""
    return np.stack([10 + 2 * np.arange(16), np.full(16, row)], axis=1)[None].astype(np.float32)


def test_a_tail_reaches_from_the_first_point_to_this_frames(films: Any) -> None:
    ground = torch.full((3, 40, 60), 100, dtype=torch.uint8)
    image = draw_trajectories(ground, rightwards(), np.array([10]), scenery=NONE)
    assert image.shape == ground.shape
    assert image[:, 5, 5].tolist() == [50, 50, 50]  # the ground, darker
    assert image[:, 20, 30].tolist() == [255, 255, 255]  # where the point is now
    changed = (image != 50).any(dim=0).nonzero()
    assert changed[:, 1].min() in (9, 10)
    assert changed[:, 1].max() in (30, 31)
    assert set(changed[:, 0].tolist()) <= {19, 20, 21}


def test_the_colour_is_that_of_the_flow_in_that_direction(films: Any) -> None:
    from muybridge.flow.colour import colour_flow

    ground = torch.zeros(3, 40, 60, dtype=torch.uint8)
    for tails, way in ((rightwards(), [1.0, 0.0]), (rightwards()[:, ::-1], [-1.0, 0.0])):
        image = draw_trajectories(ground, np.ascontiguousarray(tails), np.array([15]), scenery=NONE)
        wheel = colour_flow(torch.tensor(way).reshape(1, 2, 1, 1), largest=1.0)[0, :, 0, 0]
        shown = image[:, 20, 24] / image[:, 20, 24].max()  # a smooth line is not quite as bright
        assert (shown - wheel / wheel.max()).abs().max() < 0.03


def moments(points: Any, count: int = 20) -> Any:
    """A film in whose frame 17 one track ends."""
    settings = Settings()
    for frame in range(count):
        found = Found.nothing(settings)
        if frame == 17:
            kept = type(found.kept)(
                points, np.array([17], np.int32), np.ones(1, np.float32),
                *(np.zeros((1, dim), np.float32) for dim in settings.dims.values()),
            )  # fmt: skip
            found = Found(kept, found.scenery)
        yield Moment(frame, torch.zeros(3, 40, 60, dtype=torch.uint8), found)


def test_a_track_is_drawn_from_its_second_frame_to_its_last() -> None:
    frames = list(drawn(moments(rightwards()), 15))
    assert len(frames) == 20
    assert [number for number, frame in enumerate(frames) if frame.any()] == list(range(3, 18))
    for number in (3, 10, 17):
        assert frames[number][:, 20, 10 + 2 * (number - 2)].tolist() == [255, 255, 255]


def test_the_film_has_all_frames_of_the_video(films: Any, tmp_path: Path) -> None:
    video = films.write(films.square(size=72, side=30, frames=19))
    save_trajectories(video, tmp_path / "out.npz", settings=Settings(scales=1), draw=tmp_path / "tracks.mp4")
    with mb.Video(tmp_path / "tracks.mp4") as drawn_on:
        assert len(drawn_on) == 19
        assert (drawn_on.meta.width, drawn_on.meta.height, drawn_on.fps) == (72, 72, 25)
        middle = drawn_on.frames([10])[0].float()
    assert (middle.amax(dim=0) - middle.amin(dim=0)).max() > 60  # grey films have no colour of their own


def test_scenery_is_grey(films: Any) -> None:
    found = list(
        watch(mb.Video(films.tensor(films.square(size=96, side=30, frames=18, pan=3.0))), settings=Settings())
    )
    assert sum(len(moment.found.scenery) for moment in found)
    step = np.array([[[10, 20], [16, 20]]], np.float32)
    image = draw_trajectories(
        torch.zeros(3, 40, 60, dtype=torch.uint8),
        np.zeros((0, 16, 2), np.float32),
        np.zeros(0, int),
        scenery=step,
    )
    assert image[0, 20, 13] > 100
    assert (image == image[:1]).all()
