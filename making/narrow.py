"""Narrow networks that only the tables need: Inception-v1 on frames or on stacks of flow, at a quarter of its width."""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models import ClipModel
from muybridge.models._blocks import ConvNorm, Triple
from muybridge.models._inception import EPS, Inception3d
from muybridge.models._table import model
from muybridge.models.recurrent import Recurrent
from muybridge.models.two_stream import FlowSnippets, FusedTwoStream, RgbSnippets, TwoStream
from muybridge.types import ClipSpec

CLIP = ClipSpec(frames=8, stride=1, fps=Fraction("3.75"), size=80, short_side=80)
BOTH = ClipSpec(
    frames=10,
    stride=1,
    fps=Fraction("4.7"),
    size=64,
    short_side=64,
    modality="rgb+flow",
    mean=(0.5,) * 5,
    std=(0.5,) * 5,
)


def _conv(width_in: int, width_out: int, side: int, stride: int) -> nn.Module:
    return ConvNorm(width_in, width_out, (1, side, side), stride=(1, stride, stride), eps=EPS)


def _pool(window: Triple, stride: Triple) -> nn.Module:
    (_, h, w), (_, down, across) = window, stride
    return nn.MaxPool3d((1, h, w), (1, down, across), padding=(0, (h - 1) // 2, (w - 1) // 2))


class FrameInception(Inception3d):
    """I3D's wiring with kernels and pools of one frame: an image network on every frame."""

    time_stride = 1

    def __init__(self, *, channels: int = 3, num_classes: int, dropout: float, width: float) -> None:
        super().__init__(
            _conv,
            _pool,
            channels=channels,
            num_classes=num_classes,
            momentum=0.01,
            dropout=dropout,
            width=width,
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


class _NarrowFused(FusedTwoStream):
    """With a fusion as narrow as the rest."""

    dim = 128


def _streams(width: float) -> tuple[_Frames, _Frames, int]:
    rgb, flow = (FrameInception(channels=c, num_classes=1, dropout=0.0, width=width) for c in (3, 20))
    return _Frames(rgb), _Frames(flow), rgb.dim


@model(
    clip=BOTH,
    paper="Simonyan and Zisserman 2014",
    summary="Inception-v1 on a frame and on ten fields, averaged",
)
def two_stream(*, num_classes: int = 400, dropout: float = 0.5, width: float = 0.25) -> TwoStream:
    """0.9 M parameters."""
    rgb, flow, dim = _streams(width)
    return TwoStream(
        RgbSnippets(rgb, dim=dim, num_classes=num_classes, dropout=dropout),
        FlowSnippets(flow, dim=dim, num_classes=num_classes, dropout=dropout, channels=2),
    )


@model(clip=BOTH, paper="Feichtenhofer et al. 2016", summary="the same, joined by a 3D convolution")
def fused_two_stream(*, num_classes: int = 400, dropout: float = 0.5, width: float = 0.25) -> FusedTwoStream:
    """2.5 M parameters."""
    rgb, flow, dim = _streams(width)
    return _NarrowFused(rgb, flow, dim=dim, num_classes=num_classes, dropout=dropout)


__all__ = ["fused_two_stream", "lstm_inception", "mean_inception", "two_stream"]
