"""Points are set where they can be followed, go where the flow goes, and are left out where they rest or jump."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from muybridge.trajectories.extract import find_trajectories
from muybridge.trajectories.settings import Settings, Trajectories, joined
from muybridge.types import VideoError
from muybridge.video import Video

pytest.importorskip("cv2", reason="needs the extra classic")
from muybridge.trajectories.pictures import level_sizes, new_points, shrink_flow
from muybridge.trajectories.tracking import Tracker, is_moving

PLAIN = Settings(camera=False)
CAMERA = Settings()


def follow(pictures: list[Any], flow: tuple[float, float], settings: Settings = PLAIN) -> Trajectories:
    """Tracks under a flow that is the same everywhere."""
    tracker = Tracker(pictures[0], settings)
    field = np.broadcast_to(np.array(flow, np.float32), (*pictures[0].shape, 2)).copy()
    return joined([tracker.advance(each, field).kept for each in pictures[1:]], settings)


def found(pictures: Any, settings: Settings = PLAIN, **options: Any) -> Trajectories:
    return joined(list(find_trajectories(Video(pictures), settings=settings, **options)), settings)


def test_points_go_where_a_known_flow_takes_them(films: Any) -> None:
    ground = films.texture(64, 96)
    tracks = follow([films.moved(ground, 1.5 * k, -0.5 * k) for k in range(16)], (1.5, -0.5))
    assert np.unique(tracks.scale).tolist() == pytest.approx([1, 2**0.5, 2])
    assert set(tracks.last_frame) == {15}
    steps = np.diff(tracks.points, axis=1)
    np.testing.assert_allclose(steps, np.broadcast_to([1.5, -0.5], steps.shape), atol=1e-4)
    fine = tracks[tracks.scale == 1]
    assert np.all(fine.points[:, 0] % 5 == 2)  # in the middle of a cell of five pixels
    length = 15 * np.hypot(1.5, 0.5)
    np.testing.assert_allclose(
        tracks.shape, np.broadcast_to(np.tile([1.5, -0.5], 15) / length, (len(tracks), 30)), atol=1e-5
    )


def test_a_tracked_point_at_a_coarse_scale_starts_where_its_pixel_lies(films: Any) -> None:
    tracks = follow([films.texture(64, 64)] * 16, (1.0, 0.0))
    coarse = tracks[tracks.scale == 2].points[:, 0]
    # Pixel 2 of a picture of half the size covers the pixels 4 and 5: its middle is 4.5.
    assert np.all((coarse - 4.5) % 10 == 0)


def test_the_default_flow_follows_a_moving_texture(films: Any) -> None:
    ground = films.texture(80, 200)
    tracks = found(films.tensor([films.moved(ground, 2 * k, k)[:, :96] for k in range(20)]))
    inner = tracks[((tracks.points > 12) & (tracks.points < [84, 68])).all(axis=(1, 2))]
    assert len(inner) > 100
    went = inner.points[:, -1] - inner.points[:, 0]
    # Coarse scales see less; nearly all are right within a tenth of the way.
    assert np.mean(np.abs(went - [30, 15]).max(axis=1) < 3) > 0.9
    assert np.median(went, axis=0) == pytest.approx([30, 15], abs=0.5)


@pytest.mark.parametrize("settings", [PLAIN, CAMERA], ids=["2011", "2013"])
def test_nothing_moves_nothing_is_found(films: Any, settings: Settings) -> None:
    assert len(found(films.tensor([films.texture(64, 64)] * 20), settings)) == 0
    assert len(found(films.tensor([np.full((64, 64), 90, np.uint8)] * 20), settings)) == 0


def test_only_what_moves_is_found(films: Any) -> None:
    tracks = found(films.tensor(films.square()))
    assert len(tracks) > 20
    fine = tracks[tracks.scale == 1]
    rows = fine.points[..., 1]
    assert np.mean((rows > 30 - 8) & (rows < 66 + 8)) > 0.95  # the square's rows, and what its window blurs
    in_square = fine.points[:, 0, 0] - (4 + 2 * (fine.last_frame - 15))
    inner = fine[(in_square > 8) & (in_square < 28) & (rows > 38).all(axis=1) & (rows < 58).all(axis=1)]
    assert len(inner) > 5
    assert np.median(inner.points[:, -1, 0] - inner.points[:, 0, 0]) == pytest.approx(30, abs=1)


def test_points_are_born_in_every_frame_and_live_as_long_as_asked(films: Any) -> None:
    settings = Settings(length=6, time_cells=3, scales=1, camera=False)
    # A step of the grid per frame empties its first column anew each time.
    tracks = follow([films.texture(64, 64)] * 12, (5.0, 0.0), settings)
    assert set(tracks.last_frame.tolist()) == set(range(6, 12))
    assert tracks.points.shape[1:] == (7, 2)
    assert tracks.shape.shape[1] == 12


def test_points_that_leave_the_picture_are_dropped(films: Any) -> None:
    tracks = follow([films.texture(64, 64)] * 16, (3.0, 0.0))
    assert len(tracks)
    assert tracks.points[:, 0, 0].max() <= 64 - 45
    assert tracks.points.max() < 64


def test_a_point_is_set_where_the_picture_has_corners_and_its_cell_is_free(films: Any) -> None:
    picture = np.full((60, 80), 100, np.uint8)
    picture[:, 40:] = films.texture(60, 40)
    none = np.zeros((0, 2), np.float32)
    points = new_points(picture, none, PLAIN)
    assert points[:, 0].min() >= 37  # the window of the corner measure reaches two pixels
    assert len(points) == pytest.approx(12 * 8, abs=10)
    taken = np.array([[44.9, 3.0], [90.0, -3.0]], np.float32)
    free = new_points(picture, taken, PLAIN)
    missing = {tuple(p) for p in points.tolist()} - {tuple(p) for p in free.tolist()}
    assert missing == {(42.0, 2.0)}
    assert len(new_points(np.full((60, 80), 7, np.uint8), none, PLAIN)) == 0


def test_there_are_as_many_scales_as_hold_a_patch() -> None:
    assert level_sizes(240, 320, PLAIN) == [
        (240, 320), (170, 226), (120, 160), (85, 113), (60, 80), (42, 57),
    ]  # fmt: skip
    assert len(level_sizes(2000, 3000, PLAIN)) == 8
    assert level_sizes(32, 400, PLAIN) == [(32, 400)]
    with pytest.raises(ValueError, match="16x16 pixels.*squares of 32"):
        level_sizes(16, 16, PLAIN)


def test_flow_at_a_smaller_scale_is_in_its_pixels_and_without_outliers() -> None:
    flow = np.broadcast_to(np.array([4.0, -2.0], np.float32), (40, 80, 2)).copy()
    flow[20, 40] = 100
    np.testing.assert_allclose(shrink_flow(flow, (40, 80), 5), np.broadcast_to([4.0, -2.0], (40, 80, 2)))
    small = shrink_flow(flow, (20, 40), 5)
    np.testing.assert_allclose(small, np.broadcast_to([2.0, -1.0], (20, 40, 2)), atol=1e-6)


def test_what_rests_strays_or_jumps_is_left_out() -> None:
    time = np.arange(16, dtype=np.float32)
    still = np.zeros((16, 2), np.float32)
    steady = np.stack([2 * time, 0 * time], axis=1)
    slow = np.stack([0.3 * time, 0 * time], axis=1)  # spreads 1.4 px, less than sqrt(3)
    far = np.stack([12 * time, 0 * time], axis=1)  # spreads 55 px, more than 50
    jump = still.copy()
    jump[8:, 1] = 25.0  # one step of 25 px is all its way
    long_steps = np.stack(
        [time % 2 * 21.0, 0 * time], axis=1
    )  # steps of 21 px, none more than 70 % of the way
    tracks = np.stack([still, steady, slow, far, jump, long_steps])
    assert is_moving(tracks, PLAIN).tolist() == [False, True, False, False, False, True]


def test_videos_of_which_nothing_can_be_made_are_refused(films: Any) -> None:
    ground = films.texture(64, 64)
    with pytest.raises(VideoError, match="15 frames; a trajectory takes 16"):
        found(films.tensor([ground] * 15))
    with pytest.raises(VideoError, match="1 frame; a trajectory takes 16"):
        found(films.tensor([ground]))
    with pytest.raises(VideoError, match="16x16 pixels; trajectories describe squares of 32"):
        found(films.tensor([ground[:16, :16]] * 20))
    with pytest.raises(ValueError, match="farneback"):
        found(films.tensor([ground] * 20), flow="farnebck")


def test_chunks_are_an_inner_matter(films: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = films.tensor(films.square(frames=24))
    whole = found(frames, CAMERA)
    monkeypatch.setattr("muybridge.trajectories.extract.CHUNK", 5)
    parts = found(frames, CAMERA)
    assert set(whole.last_frame) > {15, 23}
    np.testing.assert_array_equal(parts.points, whole.points)
    np.testing.assert_array_equal(parts.mbh_x, whole.mbh_x)


def test_settings_that_make_no_trajectory_are_refused() -> None:
    with pytest.raises(
        ValueError, match="length is 16; it must be a multiple of time_cells, 3, for example 15"
    ):
        Settings(length=16)
    with pytest.raises(ValueError, match="step is 0"):
        Settings(step=0)
    assert Settings().dims == {"shape": 30, "hog": 96, "hof": 108, "mbh_x": 96, "mbh_y": 96}
