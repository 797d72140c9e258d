"""TV-L1 optical flow, many pairs at once, in PyTorch: the flow that two-stream networks were trained on.

Zach, Pock, Bischof 2007, "A Duality Based Approach for Realtime TV-L1 Optical Flow",
https://doi.org/10.1007/978-3-540-74936-3_22, in the scheme of Sánchez, Meinhardt-Llopis, Facciolo 2013, "TV-L1 Optical
Flow Estimation", https://doi.org/10.5201/ipol.2013.26, with the median filter that OpenCV adds. The flow u minimizes

    sum |grad u1| + |grad u2| + lambda * |second(x + u) - first(x)|

    pyramid, coarse to fine      5 scales, each 0.8 of the one before
      warps                      5: the second picture is warped by u, and made linear in what is still missing
        outer iterations         10: u is median filtered
          inner iterations       30: v = u brought closer to the pictures, pixel by pixel (a threshold)
                                     u = v + theta * div p
                                     p = (p + tau / theta * grad u) / (1 + tau / theta * |grad u|)

Parameters, defaults and the rule to stop (the mean square change of u below epsilon squared) are OpenCV's
(`cv2.optflow.DualTVL1OpticalFlow`), and so is the answer. What differs:

* Where u leads out of the second picture nothing is known, so nothing pulls there; OpenCV sees black.
* Pictures are smoothed as they are made smaller, as in the paper; OpenCV picks points, and loses far motion.
* The picture is warped to the exact place; OpenCV rounds to 1/32 of a pixel.
* Between scales flow grows by the ratio of the sizes; OpenCV takes 1 / scale_step, also where sizes were rounded.
* The rule to stop is asked every few inner iterations, so a few more are done, never less.
* There is no `gamma` (OpenCV's term for changing light, off by default).

Every pair stops by itself: its flow doesn't depend on the pairs that it is computed with.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from muybridge.flow.compiling import Compiled
from muybridge.flow.iterations import Settings, fusible_iterations, plain_iterations
from muybridge.flow.median import in_bands, median_of_padded
from muybridge.flow.methods import Estimate, grey

_LEAST_SIDE = 16
"""No scale is smaller, as in OpenCV; a picture that is has one scale."""
_TOGETHER = 100_000
"""Pixels that are worked on together on the CPU: fewer cost more calls than work. Half of it where it is compiled."""
_SMALL, _WORTH_LESS = 25_000, 4
"""Smaller pictures gain less by compiling, and it takes twice as long: for several pairs, and for the last one left."""
_FLAT = 1e-6
"""Square of a slope, in grey levels per pixel, below which there is nothing to follow."""


def pairs_at_once(pixels: int, device: torch.device) -> int:
    """Pairs of pictures of so many pixels that are computed together.

    The CPU gains nothing from many; a GPU is only full with millions of pixels, each of which takes some 200 bytes.
    """
    if device.type == "cpu":
        return min(max(350_000 // pixels, 1), 64)
    return min(max(16_000_000 // pixels, 1), 512)


def open_tvl1(
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
    compiled: bool | None = None,
) -> Estimate:
    """TV-L1 with these parameters.

    Args:
        device: Not asked: it computes where the pictures are.
        tau: Step of the dual iteration, at most 0.25.
        lambda_: Weight of the pictures against smoothness; smaller is smoother.
        theta: How tightly u and v are coupled.
        scales: Scales of the pyramid.
        warps: Warps per scale.
        epsilon: The iterations of a warp end when u changes by less than this (root mean square, in pixels).
        inner: Iterations between two median filters.
        outer: Median filters per warp.
        scale_step: Size of a scale, as part of the next finer one's.
        median: Side of the median filter, 3 or 5; 1 for none.
        compiled: Whether to compile the iterations (`torch.compile`; on the CPU that needs a C++ compiler): some times
            faster, after some 25 seconds. None does so when there has been enough work to be worth it, and goes on
            without where it fails. Both ways agree to rounding.

    Raises:
        ValueError: A parameter is out of its range.
    """
    del device
    settings = Settings(
        tau=tau, lambda_=lambda_, theta=theta, scales=scales, warps=warps, epsilon=epsilon, inner=inner, outer=outer,
        scale_step=scale_step, median=median,
    )  # fmt: skip
    return _TVL1(settings, compiled)


class _TVL1:
    def __init__(self, settings: Settings, compiled: bool | None) -> None:
        self.settings = settings
        median = median_of_padded(max(settings.median, 1))
        self.iterate = Compiled(plain_iterations(settings), fusible_iterations(settings), compiled)
        self.median = Compiled(in_bands(median, settings.median), median, compiled)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow of all pairs: float32 `(n, c, h, w)` twice -> `(n, 2, h, w)`."""
        first, second = grey(first), grey(second)
        pixels = first[0].numel()
        for function in (self.iterate, self.median):
            function.count(first.numel() // (_WORTH_LESS if pixels < _SMALL else 1))
        together = len(first)
        if first.device.type == "cpu":
            together = max(1, (_TOGETHER // 2 if self.iterate.ready else _TOGETHER) // pixels)
        pairs = zip(torch.split(first, together), torch.split(second, together), strict=True)
        return torch.cat([self._flow(*pair) for pair in pairs])

    def _flow(self, first: Tensor, second: Tensor) -> Tensor:
        scales = _pyramid(first, second, self.settings)
        u = first.new_zeros(len(first), 2, *scales[-1][0].shape[1:])
        for one, two in reversed(scales):
            u = self._one_scale(one, two, _enlarged(u, one.shape[1:]))
        return u

    def _one_scale(self, first: Tensor, second: Tensor, u: Tensor) -> Tensor:
        """Flow `(n, 2, h, w)` made better by the pictures `(n, h, w)` of this scale."""
        state = torch.cat([u.transpose(0, 1), u.new_zeros(4, *first.shape)])  # (6, n, h, w)
        slopes = torch.stack([second, *_slopes(second)], 1)
        for _ in range(self.settings.warps):
            state = self._solve(state, _linearize(first, slopes, state[:2]))
        return state[:2].transpose(0, 1)

    def _solve(self, state: Tensor, data: Tensor) -> Tensor:
        """The iterations of one warp; pairs leave when they have come to rest.

        Args:
            state: u and its duals, `(6, n, h, w)`.
            data: The pictures made linear, `(4, n, h, w)`.
        """
        its = self.settings
        limit = its.epsilon**2 * state[0, 0].numel()
        done, places = None, torch.arange(state.shape[1], device=state.device)
        for _ in range(its.outer):
            if its.median > 1:
                state[:2] = self.median(F.pad(state[:2], (its.median // 2,) * 4, mode="replicate"))
            for _ in range(its.inner // its.steps):
                state, change = self.iterate(state, data)
                moving = change > limit
                left = int(moving.sum())
                if left == len(places):
                    continue
                if done is None:
                    if not left:
                        return state
                    done = torch.empty_like(state)
                done[:, places[~moving]] = state[:, ~moving]
                if not left:
                    return done
                state, data, places = state[:, moving], data[:, moving], places[moving]
        if done is None:
            return state
        done[:, places] = state
        return done


def _linearize(first: Tensor, slopes: Tensor, u: Tensor) -> Tensor:
    """The difference of the pictures round u as a linear function: rest + x * u1 + y * u2.

    Args:
        first: `(n, h, w)`.
        slopes: The second picture and its slopes to x and y, `(n, 3, h, w)`.
        u: Flow `(2, n, h, w)`.

    Returns:
        x, y, rest, and 1 / (x² + y²): `(4, n, h, w)`, zero where u leads out of the picture.
    """
    height, width = first.shape[1:]
    column = torch.arange(width, device=u.device) + u[0]
    row = torch.arange(height, device=u.device)[:, None] + u[1]
    place = torch.stack([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1], -1)
    warped = F.grid_sample(slopes, place, mode="bicubic", padding_mode="border", align_corners=False)
    inside = (column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)
    there, x, y = (warped * inside[:, None]).unbind(1)
    rest = there - inside * first - x * u[0] - y * u[1]
    square = x * x + y * y
    return torch.stack([x, y, rest, torch.where(square > _FLAT, 1 / square.clamp_min(_FLAT), 0)])


def _slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences to x and y of `(n, h, w)`; at the edge, half of the one-sided ones."""
    padded = F.pad(pictures[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    x = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    return x, (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2


def _pyramid(first: Tensor, second: Tensor, settings: Settings) -> list[tuple[Tensor, Tensor]]:
    """Both pictures `(n, h, w)` at all scales, finest first."""
    scales = [(first, second)]
    for _ in range(1, settings.scales):
        size = [round(side * settings.scale_step) for side in scales[-1][0].shape[1:]]
        if min(size) < _LEAST_SIDE:
            break
        scales.append((_resized(scales[-1][0], size), _resized(scales[-1][1], size)))
    return scales


def _resized(pictures: Tensor, size: list[int]) -> Tensor:
    return F.interpolate(pictures[:, None], size=size, mode="bilinear", antialias=True)[:, 0]


def _enlarged(u: Tensor, size: torch.Size) -> Tensor:
    """Flow `(n, 2, h, w)` of the coarser scale at a finer one's size, in its pixels."""
    if u.shape[2:] == size:
        return u
    ratio = u.new_tensor([size[1] / u.shape[3], size[0] / u.shape[2]])
    return F.interpolate(u, size=tuple(size), mode="bilinear") * ratio[:, None, None]
