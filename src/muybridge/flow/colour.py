"""Flow as colour: direction is hue, length is saturation or brightness.

The wheel of Baker et al. 2007, "A Database and Evaluation Methodology for Optical Flow",
https://doi.org/10.1007/s11263-010-0390-2 (journal version), which nearly every picture of flow uses: 55 colours, more
of them where the eye tells hues apart. To the right is red, downwards yellow, to the left cyan, upwards violet.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import torch
from torch import Tensor

Magnitude = Literal["saturation", "brightness"]
MAGNITUDES = ("saturation", "brightness")
LEAST_PX = 1.0
"""The largest motion is taken as at least this, so that the noise of a still scene doesn't look like motion."""
_MOVES_PX = 0.5

_CORNERS = (  # red, yellow, green, cyan, blue, magenta, and how many steps to the next
    ((255, 0, 0), 15), ((255, 255, 0), 6), ((0, 255, 0), 4), ((0, 255, 255), 11), ((0, 0, 255), 13), ((255, 0, 255), 6),
)  # fmt: skip


def colour_flow(flow: Tensor, *, largest: float | None = None, magnitude: Magnitude = "saturation") -> Tensor:
    """Draw flow by the colour wheel.

    Args:
        flow: Float `(n, 2, h, w)`, x to the right and y downwards, in pixels.
        largest: Length that has the full colour, in pixels; longer ones look the same. None: `largest_motion` of
            these fields. A film needs one for all of it.
        magnitude: What length is: `saturation` (rest is white) or `brightness` (rest is black).

    Returns:
        uint8 `(n, 3, h, w)`, RGB. Values that aren't finite become grey.

    Raises:
        ValueError: The tensor has another shape, `largest` isn't positive, or there is no such magnitude.
    """
    if flow.ndim != 4 or flow.shape[1] != 2:
        raise ValueError(f"flow must be (n, 2, h, w), x and y in pixels; it is {tuple(flow.shape)}")
    if magnitude not in MAGNITUDES:
        raise ValueError(f"there is no magnitude {magnitude!r}; it is one of {', '.join(MAGNITUDES)}")
    if largest is None:
        largest = largest_motion(flow)
    if not largest > 0:
        raise ValueError(f"largest is {largest}; give the pixels that have the full colour, for example 10")
    x, y = flow.float().unbind(1)
    known = torch.isfinite(x) & torch.isfinite(y)
    x, y = (torch.where(known, part, 0.0) / largest for part in (x, y))
    length = torch.hypot(x, y).clamp(max=1.0)[:, None]
    wheel = _wheel().to(flow.device)
    place = (torch.atan2(-y, -x) / math.pi + 1) / 2 * (len(wheel) - 1)
    before = place.floor().long()
    share = (place - before)[..., None]
    hue = wheel[before] * (1 - share) + wheel[(before + 1) % len(wheel)] * share
    hue = hue.movedim(-1, 1)
    colours = 1 - length * (1 - hue) if magnitude == "saturation" else length * hue
    return torch.where(known[:, None], (255 * colours).floor(), 128.0).to(torch.uint8)


def largest_motion(flow: Tensor, *, quantile: float = 0.95) -> float:
    """The length that few of the moving pixels exceed, in pixels, at least 1: a maximum that wild values can't raise.

    Args:
        flow: Float `(n, 2, h, w)` in pixels.
        quantile: Share of what moves (by half a pixel or more) that is no longer than it.
    """
    length = torch.linalg.vector_norm(flow.float(), dim=1).flatten()
    moving = length[torch.isfinite(length) & (length >= _MOVES_PX)]
    if not len(moving):
        return LEAST_PX
    rank = max(math.ceil(quantile * len(moving)), 1)  # torch.quantile refuses more than 16 million values
    return max(float(moving.kthvalue(rank).values), LEAST_PX)


def colour_wheel(size: int, *, magnitude: Magnitude = "saturation") -> Tensor:
    """The legend: a disc that shows at each place the colour of the motion from the centre to there.

    Args:
        size: Its diameter in pixels.
        magnitude: As for `colour_flow`.

    Returns:
        uint8 `(3, size, size)`; outside of the disc is the colour of rest.
    """
    radius = size / 2
    steps = (torch.arange(size) + 0.5 - radius) / radius
    field = torch.stack([steps[None].expand(size, size), steps[:, None].expand(size, size)])
    outside = torch.linalg.vector_norm(field, dim=0) > 1
    return colour_flow(field.masked_fill(outside, 0.0)[None], largest=1.0, magnitude=magnitude)[0]


@cache
def _wheel() -> Tensor:
    """`(55, 3)` colours of 0..1, anticlockwise from red as the angle of (-x, -y) grows."""
    colours: list[tuple[float, ...]] = []
    for place, (start, count) in enumerate(_CORNERS):
        end, _ = _CORNERS[(place + 1) % len(_CORNERS)]
        for step in range(count):
            share = math.floor(255 * step / count) / 255
            colours.append(tuple((a + (b - a) * share) / 255 for a, b in zip(start, end, strict=True)))
    return torch.tensor(colours)
