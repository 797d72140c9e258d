"""Histograms of fields whose directions are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from muybridge.trajectories.settings import Settings

pytest.importorskip("cv2", reason="needs the extra classic")
from muybridge.trajectories.pictures import describe, patch_sums

SETTINGS = Settings()
FLAT = np.full((64, 64), 100, np.uint8)
REST = np.zeros((64, 64, 2), np.float32)
MIDDLE = np.array([[32.0, 32.0]], np.float32)
CELL = 16 * 16


def histograms(
    grey: NDArray[Any] = FLAT, flow: NDArray[Any] = REST, points: NDArray[Any] = MIDDLE
) -> dict[str, NDArray[Any]]:
    """Each descriptor of one frame as `(n, column, row, direction)`."""
    told = describe(patch_sums(grey, flow.astype(np.float32), SETTINGS), points, SETTINGS)
    parts = np.split(told, [32, 68, 100], axis=1)
    return {
        name: part.reshape(len(points), 2, 2, -1)
        for name, part in zip(("hog", "hof", "mbh_x", "mbh_y"), parts, strict=True)
    }


def check(told: NDArray[Any], sums: NDArray[Any]) -> None:
    """Sums of cells `(2, 2, bins)`: 0.05 added to each, over their total, square root.

    OpenCV's angles are right within 0.3 degrees, which moves 0.7 % of a bin to its neighbour.
    """
    filled = sums + 0.05
    np.testing.assert_allclose(told**2, filled / filled.sum(), atol=0.002)
    assert (told**2).sum() == pytest.approx(1, abs=1e-5)


def constant(x: float, y: float) -> NDArray[np.float32]:
    return np.broadcast_to(np.array([x, y], np.float32), (64, 64, 2)).copy()


@pytest.mark.parametrize(
    ("x", "y", "bins"),
    [
        (3.0, 0.0, {0: 3.0}),
        (0.0, 3.0, {2: 3.0}),
        (-3.0, 0.0, {4: 3.0}),
        (0.0, -3.0, {6: 3.0}),
        (2.0, 2.0, {1: np.sqrt(8)}),
        # Half way between two directions, each gets half of it.
        (2 * np.cos(np.pi / 8), 2 * np.sin(np.pi / 8), {0: 1.0, 1: 1.0}),
        (2 * np.cos(-np.pi / 8), 2 * np.sin(-np.pi / 8), {0: 1.0, 7: 1.0}),
        (0.1, -0.3, {8: 1.0}),  # 0.32 px is rest
    ],
)
def test_hof_of_one_motion(x: float, y: float, bins: dict[int, float]) -> None:
    sums = np.zeros((2, 2, 9))
    for number, size in bins.items():
        sums[..., number] = size * CELL
    told = histograms(flow=constant(x, y))
    check(told["hof"][0], sums)
    # Nothing changes from place to place: no motion boundary, a flat histogram.
    np.testing.assert_allclose(told["mbh_x"], np.sqrt(1 / 32), atol=1e-6)
    np.testing.assert_allclose(told["mbh_y"], np.sqrt(1 / 32), atol=1e-6)


def test_hog_of_a_ramp() -> None:
    rows, columns = np.mgrid[:64, :64]
    sums = np.zeros((2, 2, 8))
    sums[..., 0] = 2 * 3 * CELL  # 3 grey levels per pixel, differences two pixels apart
    check(histograms((3 * columns).astype(np.uint8))["hog"][0], sums)
    sums = np.zeros((2, 2, 8))
    sums[..., 6] = 2 * 2 * CELL  # darker downwards
    check(histograms((200 - 2 * rows).astype(np.uint8))["hog"][0], sums)


def test_mbh_of_a_zoom_and_of_a_shear() -> None:
    rows, columns = np.mgrid[:64, :64].astype(np.float32)
    sums_x, sums_y = np.zeros((2, 2, 8)), np.zeros((2, 2, 8))
    sums_x[..., 0] = sums_y[..., 2] = 2 * 0.1 * CELL
    told = histograms(flow=np.stack([0.1 * (columns - 32), 0.1 * (rows - 32)], axis=-1))
    check(told["mbh_x"][0], sums_x)
    check(told["mbh_y"][0], sums_y)
    told = histograms(flow=np.stack([0.1 * (rows - 32), 0 * rows], axis=-1))
    sums_x = np.zeros((2, 2, 8))
    sums_x[..., 2] = 2 * 0.1 * CELL
    check(told["mbh_x"][0], sums_x)
    np.testing.assert_allclose(told["mbh_y"][0], np.sqrt(1 / 32), atol=1e-6)


def test_cells_are_told_column_by_column() -> None:
    flow = REST.copy()
    flow[:32, 32:, 0] = 5.0  # the upper right quarter moves to the right
    sums = np.zeros((2, 2, 9))
    sums[..., 8] = CELL
    sums[1, 0] = 0
    sums[1, 0, 0] = 5 * CELL
    check(histograms(flow=flow)["hof"][0], sums)


def test_a_patch_at_the_border_is_moved_inside() -> None:
    flow = np.random.default_rng(0).normal(size=(64, 64, 2), scale=3)
    corners = np.array([[0, 0], [63, 63], [0, 63]], np.float32)
    inside = np.array([[16, 16], [48, 48], [16, 48]], np.float32)
    np.testing.assert_allclose(
        histograms(flow=flow, points=corners)["hof"], histograms(flow=flow, points=inside)["hof"]
    )


def test_any_field_equals_the_sum_pixel_by_pixel() -> None:
    rng = np.random.default_rng(3)
    flow = rng.normal(size=(64, 64, 2), scale=1).astype(np.float32)
    x, y = 29, 35
    sums = np.zeros((2, 2, 9))
    for column in range(x - 16, x + 16):
        for row in range(y - 16, y + 16):
            size = np.hypot(*flow[row, column])
            cell = sums[(column - x + 16) // 16, (row - y + 16) // 16]
            if size <= 0.4:
                cell[8] += 1
                continue
            place = (np.degrees(np.arctan2(flow[row, column, 1], flow[row, column, 0])) % 360) / 45
            low = int(place)
            cell[low % 8] += size * (1 - place + low)
            cell[(low + 1) % 8] += size * (place - low)
    told = histograms(flow=flow, points=np.array([[x + 0.3, y - 0.4]], np.float32))["hof"][0]
    check(told, sums)
