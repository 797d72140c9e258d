"""Optical flow by OpenCV, on the CPU, with its defaults: the methods of the time before networks.

Needs the extra `flow`. Settings have OpenCV's names and defaults.

- Farnebäck 2003, "Two-Frame Motion Estimation Based on Polynomial Expansion",
  https://doi.org/10.1007/3-540-45103-X_50
- Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search", https://arxiv.org/abs/1603.03590
- Sánchez, Meinhardt-Llopis, Facciolo 2013, "TV-L1 Optical Flow Estimation", https://doi.org/10.5201/ipol.2013.26
- Bouguet 2000, "Pyramidal Implementation of the Lucas Kanade Feature Tracker"; Shi and Tomasi 1994, "Good Features to
  Track", https://doi.org/10.1109/CVPR.1994.323794
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from muybridge.flow.methods import Estimate, grey

_LEAST = {"farneback": 1, "dis": 16, "opencv_tvl1": 16}
"""Sides below this are filled up by repeating the edge; found by trying."""

Picture = NDArray[Any]


def pairs_at_once(pixels: int, device: torch.device) -> int:
    """Pairs of pictures of so many pixels that are computed together; here one after the other anyway."""
    del pixels, device
    return 16


def open_farneback(
    *,
    device: torch.device | None = None,
    pyr_scale: float = 0.5,
    levels: int = 3,
    winsize: int = 15,
    iterations: int = 3,
    poly_n: int = 5,
    poly_sigma: float = 1.2,
    gaussian: bool = False,
) -> Estimate:
    """Farnebäck's flow; `gaussian` weights the window by a Gaussian instead of a box.

    OpenCV has no defaults for the plain function; these are the settings of its tutorial.
    """
    del device
    cv2 = import_cv2()
    flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN if gaussian else 0

    def estimate(first: Picture, second: Picture) -> Picture:
        found: Picture = cv2.calcOpticalFlowFarneback(
            first, second, None, pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, flags
        )
        return found

    return _each(estimate, _LEAST["farneback"])


def open_dis(
    *, device: torch.device | None = None, preset: Literal["ultrafast", "fast", "medium"] = "medium"
) -> Estimate:
    """Dense inverse search at one of OpenCV's presets."""
    del device
    cv2 = import_cv2()
    presets = {
        "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
        "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
        "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
    }
    if preset not in presets:
        raise ValueError(f"dis has no preset {preset!r}; there are {', '.join(presets)}")
    method = cv2.DISOpticalFlow_create(presets[preset])
    return _each(lambda first, second: method.calc(first, second, None), _LEAST["dis"])


def open_opencv_tvl1(
    *,
    device: torch.device | None = None,
    tau: float = 0.25,
    lambda_: float = 0.15,
    theta: float = 0.3,
    scales: int = 5,
    warps: int = 5,
    epsilon: float = 0.01,
    inner: int = 30,
    outer: int = 10,
    scale_step: float = 0.8,
    median: int = 5,
) -> Estimate:
    """OpenCV's TV-L1 (`cv2.optflow.DualTVL1OpticalFlow`); settings as those of `muybridge.flow.tvl1.open_tvl1`."""
    del device
    cv2 = import_cv2()
    make = partial(
        cv2.optflow.DualTVL1OpticalFlow_create,
        tau=tau,
        lambda_=lambda_,
        theta=theta,
        nscales=scales,
        warps=warps,
        epsilon=epsilon,
        innnerIterations=inner,
        outerIterations=outer,
        scaleStep=scale_step,
        gamma=0.0,
        medianFiltering=median,
        useInitialFlow=False,
    )
    # A new one for every pair: it keeps the fewer scales of a small picture for all pictures that follow.
    return _each(lambda first, second: make().calc(first, second, None), _LEAST["opencv_tvl1"])


def track_points(
    frames: Tensor,
    points: Tensor | None = None,
    *,
    count: int = 500,
    quality: float = 0.01,
    distance: float = 7,
    window: int = 15,
    levels: int = 2,
) -> tuple[Tensor, Tensor]:
    """Single points followed from frame to frame: Lucas and Kanade on a pyramid.

    Args:
        frames: uint8 or float 0..255 `(t, c, h, w)`, c 1 or 3 (RGB).
        points: Where they are in the first frame, (x, y) in pixels, `(n, 2)`. None takes its good features: corners
            after Shi and Tomasi.
        count: The most features to take.
        quality: Features have at least this part of the strongest one's strength.
        distance: Features lie at least this far apart, in pixels.
        window: Side of the window that is matched, in pixels.
        levels: Levels of the pyramid above the full size.

    Returns:
        Tracks float32 `(t, n, 2)`, (x, y) in pixels; and bool `(t, n)`, whether the point was still found. A point that
        is lost stays lost, and where it was last seen.

    Raises:
        ValueError: The frames or points have not the shape that is wanted, or OpenCV is missing.
    """
    cv2 = import_cv2()
    if frames.ndim != 4 or frames.shape[1] not in (1, 3) or len(frames) == 0:
        raise ValueError(f"frames must be (t, c, h, w) with 1 or 3 channels; they are {tuple(frames.shape)}")
    if points is not None and (points.ndim != 2 or points.shape[1] != 2):
        raise ValueError(f"points must be (n, 2), x and y in pixels; they are {tuple(points.shape)}")
    before = _bytes(frames[:1])[0]
    if points is None:
        found = cv2.goodFeaturesToTrack(before, count, quality, distance)
        points = torch.zeros(0, 2) if found is None else torch.from_numpy(found.reshape(-1, 2))
    where = points.detach().cpu().float().numpy().copy()
    tracks = np.repeat(where[None], len(frames), axis=0)
    alive = np.ones(tracks.shape[:2], dtype=bool)
    height, width = before.shape
    for number in range(1, len(frames)):
        after = _bytes(frames[number : number + 1])[0]
        still = alive[number - 1].copy()
        tracks[number] = tracks[number - 1]
        if still.any():
            start = tracks[number - 1, still][:, None]
            moved, status, _ = cv2.calcOpticalFlowPyrLK(
                before, after, start, None, winSize=(window, window), maxLevel=levels
            )
            moved, seen = moved[:, 0], status[:, 0].astype(bool)
            seen &= ((moved >= 0) & (moved <= (width - 1, height - 1))).all(1)
            kept = np.flatnonzero(still)[seen]
            tracks[number, kept] = moved[seen]
            still[:] = False
            still[kept] = True
        alive[number] = still
        before = after
    return torch.from_numpy(tracks), torch.from_numpy(alive)


def import_cv2() -> Any:
    """OpenCV, single-threaded calls of which are ours to spread.

    Raises:
        ValueError: It is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise ValueError("this needs OpenCV; type: pip install 'muybridge[flow]'") from None
    return cv2


def _each(estimate: Callable[[Picture, Picture], Picture], least: int) -> Estimate:
    """OpenCV knows single pairs of 8-bit numpy pictures."""

    def batch(first: Tensor, second: Tensor) -> Tensor:
        height, width = first.shape[2:]
        pairs = zip(_bytes(first, least), _bytes(second, least), strict=True)
        fields = [np.ascontiguousarray(estimate(*pair)[:height, :width].transpose(2, 0, 1)) for pair in pairs]
        return torch.from_numpy(np.stack(fields)).to(first.device)

    return batch


def _bytes(pictures: Tensor, least: int = 1) -> Picture:
    """uint8 `(n, h, w)`, with sides of `least` pixels or more."""
    values = grey(pictures)
    height, width = values.shape[1:]
    missing = (0, max(least - width, 0), 0, max(least - height, 0))
    if any(missing):
        values = F.pad(values[:, None], missing, mode="replicate")[:, 0]
    rounded: Picture = values.round().clamp(0, 255).byte().cpu().numpy()
    return rounded
