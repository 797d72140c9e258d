"""Two clips made one, with the targets of both: mixup and CutMix, for batches in training.

Partners are the batch and itself in reverse order, with one draw per batch (as in PySlowFast): no second batch has to
be read. A mixed clip is to remain a film, so share and box are the same in all frames.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from torch import Tensor


def mix(
    clips: Float[Tensor, "b c t h w"],
    targets: Float[Tensor, "b k"],
    *,
    mixup: float,
    cutmix: float,
    probability: float = 1.0,
    cutmix_share: float = 0.5,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "b c t h w"], Float[Tensor, "b k"]]:
    """Mix a batch by mixup, by CutMix, or not at all, as drawn.

    Args:
        clips: A batch.
        targets: Shares of the classes, each row summing to 1; or of a multi-label set 0 or 1 per class.
        mixup: Alpha of mixup's Beta(alpha, alpha), from which the first clip's share is drawn; 0: never.
        cutmix: Alpha of CutMix's; 0: never.
        probability: Of being mixed at all.
        cutmix_share: Share of CutMix where both are on.
        rng: Source of all draws; they don't depend on the batch.
    """
    mixed, which, where = rng.random(), rng.random(), rng.random(2)
    use_cutmix = cutmix > 0 and (mixup == 0 or which < cutmix_share)
    alpha = cutmix if use_cutmix else mixup
    if alpha == 0 or mixed >= probability:
        return clips, targets
    share = float(rng.beta(alpha, alpha))
    if use_cutmix:
        return cut(clips, targets, share, (float(where[0]), float(where[1])))
    return blend(clips, targets, share)


def blend(clips: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018, https://arxiv.org/abs/1710.09412): `share` of each clip, the rest of its partner."""
    return share * clips + (1 - share) * clips.flip(0), share * targets + (1 - share) * targets.flip(0)


def cut(clips: Tensor, targets: Tensor, share: float, centre: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899): a box of the partner set into each clip.

    The box has the clip's proportions and `1 - share` of its area; what lies outside the clip is lost, and the targets
    follow what is really covered.

    Args:
        clips: `(b, c, t, h, w)`.
        targets: `(b, k)`.
        share: Area that stays, before the box is clipped.
        centre: The box's centre, down and right, 0..1 of height and width.
    """
    height, width = clips.shape[-2:]
    side = (1 - share) ** 0.5
    (top, bottom), (left, right) = (
        _span(at * length, side * length, length) for at, length in zip(centre, (height, width), strict=True)
    )
    pasted = clips.clone()
    pasted[..., top:bottom, left:right] = clips.flip(0)[..., top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return pasted, kept * targets + (1 - kept) * targets.flip(0)


def _span(centre: float, length: float, whole: int) -> tuple[int, int]:
    start, end = round(centre - length / 2), round(centre + length / 2)
    return min(max(start, 0), whole), min(max(end, 0), whole)
