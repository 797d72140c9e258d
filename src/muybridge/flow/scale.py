"""Flow as 8-bit levels and as values of -1..1, the field's way: truncated at 20 pixels.

Two-stream networks (Simonyan and Zisserman 2014, https://arxiv.org/abs/1406.2199) were trained on flow kept as JPEG:
truncated at 20 pixels to either side and scaled linearly to 0..255, as TSN, I3D and MMAction2 still do. Half a step is
lost at most, 0.078 pixels at a bound of 20. Rest, 0 pixels, lies between levels 127 and 128; it becomes 128 and
comes back as +0.078 pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from muybridge.video.transforms import FLOW_BOUND_PX

BOUND_PX = FLOW_BOUND_PX
"""Where the field truncates, in pixels."""


def check_bound(bound: float) -> float:
    """A bound that flow can be truncated at, in pixels.

    Raises:
        ValueError: It is not positive, or not finite.
    """
    if not 0 < bound < float("inf"):
        raise ValueError(
            f"bound is {bound}; give the pixels that flow is truncated at, for example {BOUND_PX:g}"
        )
    return float(bound)


def to_levels(flow: Tensor, *, bound: float = BOUND_PX) -> Tensor:
    """Pixels to 8 bit: `round((clamp(v, -bound, bound) + bound) * 255 / (2 * bound))`.

    Args:
        flow: Displacements in pixels, of any shape.
        bound: Where they are truncated, in pixels.

    Returns:
        uint8 of the same shape.
    """
    check_bound(bound)
    return ((flow.float().clamp(-bound, bound) + bound) * (255 / (2 * bound))).round().to(torch.uint8)


def from_levels(levels: Tensor, *, bound: float = BOUND_PX) -> Tensor:
    """8 bit to pixels: `q * 2 * bound / 255 - bound`, float32."""
    return levels.float() * (2 * check_bound(bound) / 255) - bound


def to_unit(flow: Tensor, *, bound: float = BOUND_PX) -> Tensor:
    """Pixels to -1..1: truncated at `bound` and divided by it, float32."""
    return flow.float().clamp(-check_bound(bound), bound) / bound


def from_unit(values: Tensor, *, bound: float = BOUND_PX) -> Tensor:
    """-1..1 to pixels, float32."""
    return values.float() * check_bound(bound)


def rounding_error_px(bound: float = BOUND_PX) -> float:
    """The most that `to_levels` changes a value within the bound, in pixels: half a step."""
    return check_bound(bound) / 255


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Flow as it would be between larger or smaller pictures: the field resized, its values scaled with it.

    Args:
        flow: Float `(n, 2, h, w)` in pixels of pictures of `h` rows and `w` columns.
        size: Rows and columns wanted.

    Returns:
        float32 `(n, 2, *size)` in pixels of pictures of that size (bilinear, smoothed before it is made smaller).
    """
    height, width = flow.shape[2:]
    if (height, width) == tuple(size):
        return flow.float()
    resized = F.interpolate(flow.float(), size=size, mode="bilinear", antialias=True)
    return resized * resized.new_tensor([size[1] / width, size[0] / height]).view(1, 2, 1, 1)
