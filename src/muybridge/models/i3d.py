"""I3D: the image network Inception-v1 with all its filters and pools inflated along time.

Carreira and Zisserman 2017, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset",
https://arxiv.org/abs/1705.07750. The layers and their names are in `_inception`; the first two pools leave time alone,
so that early layers see every other frame. One network looks at RGB, another at optical flow.

The published weights come from TensorFlow, whose SAME padding depends on the size: a kernel that strides over an even
number of pixels is padded more at the end than at the front.

    size 224, kernel 7, stride 2:  2 in front, 3 behind     size 223:  3 in front, 3 behind
    size 112, kernel 3, stride 2:  0 in front, 1 behind     size 111:  1 in front, 1 behind
"""

from __future__ import annotations

from fractions import Fraction

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import ConvNorm, Triple
from muybridge.models._inception import EPS, Inception3d
from muybridge.models._table import model
from muybridge.types import ClipSpec


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros in front and behind with which a kernel gives `size / stride` values, rounded up (TensorFlow's SAME).

    Args:
        size: Values along the axis.
        kernel: Length of the kernel.
        stride: Of the kernel.
    """
    steps = -(-size // stride)
    total = max((steps - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class I3d(Inception3d):
    """Inflated Inception-v1, for clips of any length and size.

    Args:
        channels: 3 for RGB, 2 for flow.
        num_classes: Number of classes.
        dropout: Before the classifier.
        width: Channels of every layer, as a share of the paper's.
    """

    def __init__(self, *, channels: int, num_classes: int, dropout: float, width: float) -> None:
        super().__init__(
            _cube,
            SamePool,
            channels=channels,
            num_classes=num_classes,
            momentum=0.01,
            dropout=dropout,
            width=width,
        )


class SameConv(nn.Module):
    """Strided convolution with SAME padding, batch norm, ReLU."""

    def __init__(self, width_in: int, width_out: int, side: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(width_in, width_out, side, stride=stride, bias=False)
        self.norm = nn.BatchNorm3d(width_out, eps=EPS)

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t2 h2 w2"]:
        """As many steps as the input has strides, rounded up, along each axis."""
        padding: list[int] = []
        for size, kernel, stride in zip(x.shape[2:], self.conv.kernel_size, self.conv.stride, strict=True):
            padding = [*same_padding(size, kernel, stride), *padding]  # F.pad begins with the last axis
        return F.relu(self.norm(self.conv(F.pad(x, padding))), inplace=True)


class SamePool(nn.Module):
    """Strided max pool with SAME padding."""

    def __init__(self, window: Triple, stride: Triple) -> None:
        super().__init__()
        self.window = window
        self.stride = stride

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """As many steps as the input has strides, rounded up, along each axis."""
        sizes = zip(x.shape[2:], self.window, self.stride, strict=True)
        front = [same_padding(size, window, stride)[0] for size, window, stride in sizes]
        # Rounding up lets the last window hang over the end, as padding there would.
        return F.max_pool3d(x, self.window, self.stride, front, ceil_mode=True)


def _cube(width_in: int, width_out: int, side: int, stride: int) -> nn.Module:
    if stride > 1:
        return SameConv(width_in, width_out, side, stride)
    return ConvNorm(width_in, width_out, (side, side, side), eps=EPS)


@model(
    clip=ClipSpec(
        frames=64,
        stride=1,
        fps=Fraction(25),
        size=224,
        short_side=256,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        test_clips=4,
        test_crops=1,
    ),
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="Inception-v1 inflated to 3D, on RGB",
)
def i3d_rgb(*, num_classes: int = 400, dropout: float = 0.5, width: float = 1.0) -> I3d:
    """12.7 M parameters, 111 GMACs per view."""
    return I3d(channels=3, num_classes=num_classes, dropout=dropout, width=width)


@model(
    clip=ClipSpec(
        frames=64,
        stride=1,
        fps=Fraction(25),
        size=224,
        short_side=256,
        modality="flow",
        mean=(0.5, 0.5),
        std=(0.5, 0.5),
        test_clips=4,
        test_crops=1,
    ),
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="Inception-v1 inflated to 3D, on optical flow",
)
def i3d_flow(*, num_classes: int = 400, dropout: float = 0.5, width: float = 1.0) -> I3d:
    """12.7 M parameters, 102 GMACs per view."""
    return I3d(channels=2, num_classes=num_classes, dropout=dropout, width=width)
