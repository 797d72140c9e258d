"""The picture at several scales, the points that are worth following in it, and its gradients in 16x16 cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.trajectories.settings import BINS, Floats, Settings

Grey = NDArray[np.uint8]

EPSILON = 0.05
"""Added to each bin, so that a patch without gradients gives a flat histogram."""


def opencv() -> Any:
    """The module `cv2`.

    Raises:
        ValueError: It isn't installed.
    """
    try:
        import cv2
    except ImportError:
        raise ValueError("trajectories need OpenCV; type: pip install 'muybridge[classic]'") from None
    return cv2


def level_sizes(height: int, width: int, settings: Settings) -> list[tuple[int, int]]:
    """Height and width of the picture at each scale, the largest first.

    Raises:
        ValueError: The picture is smaller than a patch.
    """
    if min(height, width) < settings.patch:
        raise ValueError(
            f"a picture of {width}x{height} pixels; trajectories describe squares of {settings.patch}, "
            "so give a larger one"
        )
    factors = [2 ** (-number / 2) for number in range(settings.scales)]
    sizes = [(round(height * factor), round(width * factor)) for factor in factors]
    return [size for size in sizes if min(size) >= settings.patch]


def shrink(grey: Grey, sizes: list[tuple[int, int]]) -> list[Grey]:
    """The picture at each scale, each made from the one before."""
    cv2 = opencv()
    pictures = [grey]
    for height, width in sizes[1:]:
        pictures.append(cv2.resize(pictures[-1], (width, height), interpolation=cv2.INTER_LINEAR))
    return pictures


def shrink_flow(flow: Floats, size: tuple[int, int], median: int) -> Floats:
    """A flow field `(h, w, 2)` at another scale, in pixels of that scale, median-filtered."""
    cv2 = opencv()
    height, width = size
    if flow.shape[:2] != size:
        ratio = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * ratio
    if median == 1:
        return flow
    planes = [cv2.medianBlur(np.ascontiguousarray(flow[..., axis]), median) for axis in (0, 1)]
    return np.stack(planes, axis=-1)


def new_points(grey: Grey, taken: Floats, settings: Settings) -> Floats:
    """The grid's points that are worth following and in whose cell nothing is followed yet.

    A point lies in the middle of its cell of `step` pixels. Where the picture is flat, the aperture problem makes
    flow arbitrary, and no point is set.

    Args:
        grey: `(h, w)` the picture.
        taken: `(n, 2)` where points are already.
        settings: Grid and threshold.

    Returns:
        `(m, 2)` x and y.
    """
    step = settings.step
    rows, columns = grey.shape[0] // step, grey.shape[1] // step
    strength = opencv().cornerMinEigenVal(grey, 3, ksize=3)
    half = step // 2
    free = (
        strength[half : rows * step : step, half : columns * step : step] > settings.quality * strength.max()
    )
    cells = (taken // step).astype(np.int64)
    inside = (cells[:, 0] < columns) & (cells[:, 1] < rows) & (cells >= 0).all(axis=1)
    free[cells[inside, 1], cells[inside, 0]] = False
    row, column = np.nonzero(free)
    return np.stack([column, row], axis=1).astype(np.float32) * step + half


def patch_sums(grey: Grey, flow: Floats, settings: Settings) -> Floats:
    """Histograms of every cell-sized square of the picture: HOG, HOF, MBH of x and MBH of y.

    Args:
        grey: `(h, w)`.
        flow: `(h, w, 2)` pixels.
        settings: Patch, cells and threshold of rest.

    Returns:
        `(h - side + 1, w - side + 1, 33)`: entry (y, x) sums the square whose upper left pixel that is.
    """
    cv2 = opencv()
    height, width = grey.shape
    planes = np.zeros((4 * BINS + 1, height, width), np.float32)
    flow_x, flow_y = (np.ascontiguousarray(flow[..., axis]) for axis in (0, 1))
    _spread(planes[:BINS], *_gradient(grey))
    _spread(planes[BINS : 2 * BINS], flow_x, flow_y)
    rest = np.hypot(flow_x, flow_y) <= settings.min_flow
    planes[BINS : 2 * BINS, rest] = 0
    planes[2 * BINS] = rest
    _spread(planes[2 * BINS + 1 : 3 * BINS + 1], *_gradient(flow_x))
    _spread(planes[3 * BINS + 1 :], *_gradient(flow_y))
    side = settings.patch // settings.cells
    # The filter's middle is pixel side // 2 of its square; squares that reach beyond the picture are cut off.
    summed = cv2.boxFilter(
        cv2.merge(list(planes)), -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    top = side // 2
    return np.asarray(summed[top : top + height - side + 1, top : top + width - side + 1], np.float32)


def _gradient(plane: NDArray[Any]) -> tuple[Floats, Floats]:
    """Differences of neighbours two apart, [-1 0 1]."""
    cv2 = opencv()
    return cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=1)


def _spread(planes: Floats, x: Floats, y: Floats) -> None:
    """Add the length of each vector to the two planes whose directions are next to its own, 0 to the right, 2 down."""
    size, angle = opencv().cartToPolar(x, y, angleInDegrees=True)
    place = angle * (BINS / 360)
    for number, plane in enumerate(planes):
        apart = np.abs(place - number)
        if number == 0:
            np.minimum(apart, BINS - apart, out=apart)
        plane += np.maximum(1 - apart, 0) * size


def describe(sums: Floats, points: Floats, settings: Settings) -> Floats:
    """The four histograms round each point in one frame.

    Each is L1-normalised and its square root taken, which makes the Euclidean distance of two a Hellinger
    distance ("RootSIFT", Arandjelović and Zisserman 2012). A patch at the border is moved inside.

    Args:
        sums: What `patch_sums` gave.
        points: `(n, 2)`.
        settings: Patch and cells.

    Returns:
        `(n, cells * cells * 33)`: HOG, HOF, MBH x, MBH y; each by column, row and direction.
    """
    side = settings.patch // settings.cells
    most = np.array([sums.shape[1], sums.shape[0]]) - 1 - (settings.patch - side)
    corner = np.clip(np.rint(points).astype(np.int64) - settings.patch // 2, 0, most)
    offset = np.arange(settings.cells) * side
    columns = corner[:, 0, None, None] + offset[None, :, None]
    rows = corner[:, 1, None, None] + offset[None, None, :]
    cells = np.maximum(sums[rows, columns], 0) + np.float32(EPSILON)  # (n, column, row, 33)
    parts = np.split(cells, [BINS, 2 * BINS + 1, 3 * BINS + 1], axis=-1)
    return np.concatenate([_root(part.reshape(len(points), -1)) for part in parts], axis=1)


def _root(histogram: Floats) -> Floats:
    return np.asarray(np.sqrt(histogram / histogram.sum(axis=1, keepdims=True)), np.float32)
