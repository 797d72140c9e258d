"""S3D: Inception-v1 along time, every kxkxk convolution split into one over space and one over time.

Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video Classification",
https://arxiv.org/abs/1712.04851. The layers and their names are in `_inception`. Padding is symmetric, as in the
PyTorch networks whose weights are published.

    S3D                                      S3D-G
      1xkxk   over space, norm, ReLU           the same
      kx1x1   over time,  norm, ReLU           the same, then each channel times sigmoid(W mean(x) + b)

Gates stand where the paper puts them, after every convolution over time; the TensorFlow code that its authors gave out
later has them after the 1x1x1 branches, too, and none in the first layer.
"""

from __future__ import annotations

from collections import OrderedDict
from fractions import Fraction
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import ConvNorm, Triple
from muybridge.models._inception import EPS, Inception3d
from muybridge.models._table import model
from muybridge.types import ClipSpec

_FRAMES, _SIDE = 5, 17


class S3d(Inception3d):
    """Separable Inception-v1, for clips from 5 frames of 17x17 pixels.

    Args:
        num_classes: Number of classes.
        gating: Weigh channels by what the whole clip shows, after each convolution over time (S3D-G).
        sliding: Classify every 7x7 window of larger maps, as torchvision does; else, as kylemin, all of it at once.
        dropout: Before the classifier.
    """

    def __init__(self, *, num_classes: int, gating: bool, sliding: bool = True, dropout: float) -> None:
        super().__init__(
            partial(_separable, gating=gating),
            _pool,
            channels=3,
            num_classes=num_classes,
            momentum=0.001,
            dropout=dropout,
        )
        self.window = 7 if sliding else 0

    def check(self, clip: Tensor) -> None:
        """Refuse what is no clip, and clips of which the last pool would leave nothing.

        Raises:
            ValueError: Wrong rank, number of channels, type of number or size.
        """
        super().check(clip)
        t, h, w = clip.shape[2:]
        if t < _FRAMES or min(h, w) < _SIDE:
            raise ValueError(
                f"{type(self).__name__} got {t} frames of {w}x{h} pixels; "
                f"its pools need at least {_FRAMES} frames of {_SIDE}x{_SIDE}"
            )


class _Gate(nn.Module):
    """Self-gating: each channel times a weight of 0..1 that all channels' means decide.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d t h w"]:
        weights = self.linear(x.mean((2, 3, 4))).sigmoid()
        gated: Tensor = x * weights[:, :, None, None, None]
        return gated


def _separable(width_in: int, width_out: int, side: int, stride: int, *, gating: bool) -> nn.Module:
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["space"] = ConvNorm(width_in, width_out, (1, side, side), stride=(1, stride, stride), eps=EPS)
    parts["time"] = ConvNorm(width_out, width_out, (side, 1, 1), stride=(stride, 1, 1), eps=EPS)
    if gating:
        parts["gate"] = _Gate(width_out)
    return nn.Sequential(parts)


def _pool(window: Triple, stride: Triple) -> nn.Module:
    t, h, w = window
    return nn.MaxPool3d(window, stride, padding=((t - 1) // 2, (h - 1) // 2, (w - 1) // 2))


_CLIP = ClipSpec(
    frames=64,
    stride=1,
    fps=Fraction(25),
    size=224,
    short_side=256,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    test_clips=4,
    test_crops=1,
)


@model(
    clip=_CLIP,
    paper="Xie et al. 2018, https://arxiv.org/abs/1712.04851",
    summary="Inception-v1 with separable 3D convolutions",
)
def s3d(*, num_classes: int = 400, dropout: float = 0.2, sliding: bool = True) -> S3d:
    """8.3 M parameters, 71.9 GMACs per view."""
    return S3d(num_classes=num_classes, gating=False, sliding=sliding, dropout=dropout)


@model(
    clip=_CLIP,
    paper="Xie et al. 2018, https://arxiv.org/abs/1712.04851",
    summary="S3D that gates its channels by what the whole clip shows",
)
def s3d_g(*, num_classes: int = 400, dropout: float = 0.2) -> S3d:
    """9.1 M parameters, 71.9 GMACs per view."""
    return S3d(num_classes=num_classes, gating=True, dropout=dropout)
