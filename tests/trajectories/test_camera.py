"""The camera's motion is found, and taken out of flow and trajectories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from muybridge.trajectories.extract import find_trajectories, watch
from muybridge.trajectories.settings import Settings, joined
from muybridge.video import Video

pytest.importorskip("cv2", reason="needs the extra classic")
from muybridge.trajectories.camera import Camera, fit_homography, steady

TILTED = np.array([[1.01, 0.02, 3.0], [-0.01, 0.99, -2.0], [1e-4, -5e-5, 1.0]])


def carried(matrix: Any, points: Any) -> Any:
    """Points `(n, 2)` under a homography."""
    ends = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix.T
    return ends[:, :2] / ends[:, 2:]


def test_the_flow_of_a_scene_at_rest_becomes_zero() -> None:
    rows, columns = np.mgrid[:48, :64]
    grid = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float)
    flow = (carried(TILTED, grid) - grid).reshape(48, 64, 2).astype(np.float32)
    assert np.abs(flow).max() > 2
    assert np.abs(steady(flow, TILTED)).max() < 1e-4
    # What moves by itself keeps its own motion, as seen from the first frame.
    flow[10, 20] += 5
    own = steady(flow, TILTED)[10, 20]
    assert own == pytest.approx([5, 5], abs=0.3)
    assert steady(flow, None) is flow


def test_a_homography_is_found_among_wrong_matches() -> None:
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 200, size=(300, 2)).astype(np.float32)
    end = carried(TILTED, start).astype(np.float32)
    end[:100] += rng.normal(size=(100, 2), scale=15)
    found = fit_homography(start, end, (200, 200))
    assert found is not None
    np.testing.assert_allclose(carried(found, start), carried(TILTED, start), atol=0.05)


def test_too_few_matches_or_none_that_agree_are_no_motion() -> None:
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 200, size=(300, 2)).astype(np.float32)
    assert fit_homography(start[:50], start[:50] + 3, (200, 200)) is None
    assert fit_homography(start, rng.permutation(start), (200, 200)) is None
    flat = np.full((64, 64), 80, np.uint8)
    assert Camera().motion(flat, flat, np.zeros((64, 64, 2), np.float32)) is None


def test_features_find_a_pan_that_the_flow_has_missed(films: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muybridge.trajectories.camera.CORNERS", 60)
    ground = films.texture(120, 200)
    first, second = (films.moved(ground, x)[:, :160] for x in (0, -11))
    wrong = np.random.default_rng(0).normal(scale=10, size=(120, 160, 2)).astype(np.float32)
    found = Camera().motion(first, second, wrong)
    assert found is not None
    np.testing.assert_allclose(carried(found, np.array([[80.0, 60.0]])), [[69.0, 60.0]], atol=0.3)


@pytest.fixture
def pan(films: Any) -> Any:
    """The camera pans by 3 pixels per frame; a square moves by 2 more."""
    return Video(films.tensor(films.square(size=128, side=40, frames=22, own=2.0, pan=3.0)))


def test_what_moves_with_the_scene_is_left_out(pan: Any) -> None:
    plain = joined(list(find_trajectories(pan, settings=Settings(camera=False))), Settings())
    moments = list(watch(pan, settings=Settings()))
    kept = joined([moment.found.kept for moment in moments], Settings())
    scenery = np.concatenate([moment.found.scenery for moment in moments])
    assert len(kept) + len(scenery) == len(plain)
    assert len(scenery) > len(plain) / 2

    def on_square(points: Any) -> Any:
        """Whether a track starts on the rows of the square and goes 5 px per frame."""
        return np.abs(np.ptp(points[..., 0], axis=1) - 75) < 6

    assert np.mean(np.abs(np.ptp(scenery[..., 0], axis=1) - 45) < 6) > 0.95
    assert on_square(kept.points).sum() >= 0.95 * on_square(plain.points).sum() > 20


def test_the_shape_of_a_trajectory_is_that_of_its_own_motion(pan: Any) -> None:
    settings = Settings(scales=1)
    kept = joined(list(find_trajectories(pan, settings=settings)), settings)
    inside = kept[np.abs(np.ptp(kept.points[..., 0], axis=1) - 75) < 4]
    assert len(inside) > 10
    # 2 of 2 pixels to the right at each of 15 steps, and not 5 of 5: rest is in HOF what moves with the camera.
    np.testing.assert_allclose(
        np.median(inside.shape.reshape(-1, 15, 2), axis=(0, 1)), [1 / 15, 0], atol=0.01
    )
    ground = Settings(scales=1, camera_px=0.0)
    loose = joined(list(find_trajectories(pan, settings=ground)), ground)
    far = loose[(loose.points[..., 1] < 20).all(axis=1)]
    rest = (far.hof**2).reshape(-1, 12, 9)[..., 8].sum(axis=1) / 3
    assert np.median(rest) > 0.95
