"""The camera's motion from one frame to the next, and the flow without it.

Wang and Schmid (ICCV 2013) match SURF features and strong corners moved by the flow, and fit a homography to both by
RANSAC: features tell blobs apart, corners fill what they leave open. SURF is not free everywhere it could be used, and
few OpenCV packages hold it; ORB (Rublee et al. 2011) stands in its place.

The authors then warp the second frame by the homography and compute flow anew. Here the homography is taken out of
the flow there is, w(p) = H^-1(p + flow(p)) - p, which is 0 wherever the scene stands still, and saves the second
flow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.trajectories.pictures import Grey, opencv
from muybridge.trajectories.settings import Floats

Matrix = NDArray[np.float64]

CORNERS, QUALITY, APART_PX = 1000, 0.001, 3
FEATURES = 500
REACH_PX = 1.0
"""A match agrees with the homography if it ends at most so far from where it says."""
MATCHES, AGREEING = 50, 25
"""With no more matches, or fewer that agree, the camera is taken to stand still."""


class Camera:
    """Remembers the last frame's features, so that each frame's are found once."""

    def __init__(self) -> None:
        cv2 = opencv()
        self._detector: Any = cv2.ORB_create(nfeatures=FEATURES)
        self._matcher: Any = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
        self._before: tuple[Floats, Any] | None = None

    def motion(self, first: Grey, second: Grey, flow: Floats) -> Matrix | None:
        """Where the scene's points go from `first` to `second`, as a homography `(3, 3)`.

        Frames are given in order: `first` is the `second` of the call before.

        Args:
            first: `(h, w)`.
            second: `(h, w)`.
            flow: `(h, w, 2)` pixels from first to second.

        Returns:
            The matrix; None if too few points agree on one, as in a picture without texture.
        """
        before = self._before or self._features(first)
        self._before = after = self._features(second)
        start, end = follow_corners(first, flow)
        if before[1] is not None and after[1] is not None:
            matches = self._matcher.match(before[1], after[1])
            start = np.concatenate([start, before[0][[match.queryIdx for match in matches]]])
            end = np.concatenate([end, after[0][[match.trainIdx for match in matches]]])
        return fit_homography(start, end, first.shape)

    def _features(self, grey: Grey) -> tuple[Floats, Any]:
        points, codes = self._detector.detectAndCompute(grey, None)
        return np.array([point.pt for point in points], np.float32).reshape(-1, 2), codes


def follow_corners(first: Grey, flow: Floats) -> tuple[Floats, Floats]:
    """The strongest corners of a picture, `(n, 2)`, and where the flow takes them."""
    corners = opencv().goodFeaturesToTrack(first, CORNERS, QUALITY, APART_PX)
    if corners is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    start = np.rint(corners.reshape(-1, 2)).astype(np.int64)
    moved = start + flow[start[:, 1], start[:, 0]]
    return start.astype(np.float32), moved.astype(np.float32)


def fit_homography(start: Floats, end: Floats, size: tuple[int, ...]) -> Matrix | None:
    """The homography on which most matches agree, found by RANSAC; None if too few do.

    Args:
        start: `(n, 2)` points.
        end: `(n, 2)` where they go.
        size: Height and width of the picture.
    """
    if len(start) <= MATCHES:
        return None
    cv2 = opencv()
    matrix, agreeing = cv2.findHomography(start, end, cv2.RANSAC, REACH_PX)
    if matrix is None or int(agreeing.sum()) <= AGREEING:
        return None
    height, width = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64).T
    # A horizon inside the picture is no camera's motion between two frames.
    if abs(np.linalg.det(matrix)) < 1e-6 or (np.linalg.inv(matrix)[2] @ corners).min() <= 0:
        return None
    return np.asarray(matrix, np.float64)


def steady(flow: Floats, motion: Matrix | None) -> Floats:
    """Flow `(h, w, 2)` without the camera's motion: 0 where the scene stands still."""
    if motion is None:
        return flow
    height, width = flow.shape[:2]
    back = np.linalg.inv(motion)
    back = (back / back[2, 2]).astype(np.float32)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    to_x, to_y = x + flow[..., 0], y + flow[..., 1]
    depth = back[2, 0] * to_x + back[2, 1] * to_y + back[2, 2]
    out = np.empty_like(flow)
    out[..., 0] = (back[0, 0] * to_x + back[0, 1] * to_y + back[0, 2]) / depth - x
    out[..., 1] = (back[1, 0] * to_x + back[1, 1] * to_y + back[1, 2]) / depth - y
    return out
