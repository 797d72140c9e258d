"""How wrong a flow is: against the truth, and against the pictures where no truth is known.

Baker et al. 2011, "A Database and Evaluation Methodology for Optical Flow", https://doi.org/10.1007/s11263-010-0390-2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def warp(pictures: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Second pictures as seen from the first ones: what lies at (x + flow x, y + flow y) is moved to (x, y).

    Args:
        pictures: The second ones, uint8 or float `(n, c, h, w)`.
        flow: From the first to the second, `(n, 2, h, w)` in pixels.

    Returns:
        float32 `(n, c, h, w)`, bilinear; and bool `(n, h, w)`, where the flow leads to inside the picture. Elsewhere
        the picture's edge is repeated.

    Raises:
        ValueError: The two don't fit together.
    """
    if pictures.ndim != 4 or flow.shape != (len(pictures), 2, *pictures.shape[2:]):
        raise ValueError(
            f"pictures (n, c, h, w) need flow (n, 2, h, w); these are {tuple(pictures.shape)} and {tuple(flow.shape)}"
        )
    height, width = flow.shape[2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    place = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    moved = F.grid_sample(pictures.float(), place, padding_mode="border", align_corners=False)
    return moved, (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def end_point_error(found: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean distance between where the flow leads to and where it should.

    Args:
        found: `(n, 2, h, w)` in pixels.
        truth: The same.
        mask: Which pixels count, bool `(n, h, w)`; None: all.

    Returns:
        Pixels, one figure per pair `(n,)`; NaN where no pixel counts.
    """
    _must_be_fields(found, truth)
    return _mean(torch.linalg.vector_norm(found - truth, dim=1), mask)


def angular_error(found: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean angle in space and time between (x, y, 1) of the flow and of the truth, after Barron et al. 1994.

    Arguments as those of `end_point_error`.

    Returns:
        Degrees, one figure per pair `(n,)`; NaN where no pixel counts.
    """
    _must_be_fields(found, truth)
    one, two = (F.pad(field.double(), (0, 0, 0, 0, 0, 1), value=1.0) for field in (found, truth))
    # The arc tangent of cross and dot product: an arc cosine is blind to small angles.
    angle = torch.atan2(
        torch.linalg.vector_norm(torch.linalg.cross(one, two, dim=1), dim=1), (one * two).sum(1)
    )
    return _mean(torch.rad2deg(angle), mask).float()


def photometric_error(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """Mean absolute difference between the first pictures and the second ones warped back by the flow.

    Pixels that the flow leads out of the picture don't count.

    Args:
        first: uint8 or float `(n, c, h, w)`.
        second: The same.
        flow: `(n, 2, h, w)` in pixels.

    Returns:
        Grey levels, one figure per pair `(n,)`; NaN where everything leaves the picture.
    """
    moved, inside = warp(second, flow)
    return _mean((moved - first.float()).abs().mean(1), inside)


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return values.mean((1, 2))
    if mask.shape != values.shape:
        raise ValueError(f"the mask must be {tuple(values.shape)}; it is {tuple(mask.shape)}")
    return (values * mask).sum((1, 2)) / mask.sum((1, 2))


def _must_be_fields(found: Tensor, truth: Tensor) -> None:
    if found.ndim != 4 or found.shape[1] != 2 or found.shape != truth.shape:
        raise ValueError(
            f"flow and truth must both be (n, 2, h, w); they are {tuple(found.shape)} and {tuple(truth.shape)}"
        )
