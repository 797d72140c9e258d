"""Narrow networks that only the tables need: Inception-v1 on frames, at a quarter of its width."""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models import ClipModel
from muybridge.models._blocks import ConvNorm, Triple
from muybridge.models._inception import EPS, Inception3d
from muybridge.models._table import model
from muybridge.models.recurrent import Recurrent
from muybridge.types import ClipSpec

CLIP = ClipSpec(frames=8, stride=1, fps=Fraction("3.75"), size=80, short_side=80)


def _conv(width_in: int, width_out: int, side: int, stride: int) -> nn.Module:
    return ConvNorm(width_in, width_out, (1, side, side), stride=(1, stride, stride), eps=EPS)


def _pool(window: Triple, stride: Triple) -> nn.Module:
    (_, h, w), (_, down, across) = window, stride
    return nn.MaxPool3d((1, h, w), (1, down, across), padding=(0, (h - 1) // 2, (w - 1) // 2))


class FrameInception(Inception3d):
    """I3D's wiring with kernels and pools of one frame: an image network on every frame."""

    time_stride = 1

    def __init__(self, *, num_classes: int, dropout: float, width: float) -> None:
        super().__init__(
            _conv, _pool, channels=3, num_classes=num_classes, momentum=0.01, dropout=dropout, width=width
        )
        for mixed in self.trunk:
            for branch in getattr(mixed, "branches", ()):
                if isinstance(branch[0], nn.MaxPool3d):
                    branch[0] = nn.MaxPool3d((1, 3, 3), stride=1, padding=(0, 1, 1))


class _Frames(nn.Module):
    """Frames (n, c, h, w) to maps (n, d, h2, w2)."""

    def __init__(self, network: FrameInception) -> None:
        super().__init__()
        self.trunk = network.trunk

    def forward(self, frames: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h2 w2"]:
        maps: Tensor = self.trunk(frames[:, :, None])
        return maps[:, :, 0]


@model(clip=CLIP, paper="Szegedy et al. 2015", summary="Inception-v1 on frames, averaged")
def mean_inception(*, num_classes: int = 400, dropout: float = 0.5, width: float = 0.25) -> ClipModel:
    """0.6 M parameters."""
    return FrameInception(num_classes=num_classes, dropout=dropout, width=width)


@model(clip=CLIP, paper="Carreira and Zisserman 2017", summary="Inception-v1 on frames, read by an LSTM")
def lstm_inception(*, num_classes: int = 400, dropout: float = 0.5, width: float = 0.25) -> Recurrent:
    """0.9 M parameters."""
    backbone = FrameInception(num_classes=1, dropout=0.0, width=width)
    return Recurrent(
        _Frames(backbone),
        dim=backbone.dim,
        cell="lstm",
        hidden=128,
        num_classes=num_classes,
        dropout=dropout,
    )


__all__ = ["lstm_inception", "mean_inception"]
