"""C3D: eight 3x3x3 convolutions, five pools, three fully connected layers.

Tran et al. 2015, "Learning Spatiotemporal Features with 3D Convolutional Networks", https://arxiv.org/abs/1412.0767.
The first pool leaves time alone, so that early layers see every frame.

    clip (3, 16, 112, 112)
      conv1a           64  16 112 112    pool1 (1, 2, 2)
      conv2a          128  16  56  56    pool2 (2, 2, 2)
      conv3a conv3b   256   8  28  28    pool3
      conv4a conv4b   512   4  14  14    pool4
      conv5a conv5b   512   2   7   7    pool5, padded by one pixel   512  1 4 4
      fc6 4096, fc7 4096, linear

c3d_bn is the variant that Carreira and Zisserman 2017 compare with, "Quo Vadis, Action Recognition?",
https://arxiv.org/abs/1705.07750: batch norm after every convolution and after fc6 and fc7, and the first pool halves
time, which leaves one step to pool5: that one pools over space alone. The classifier has no batch norm; there the
paper is silent.
"""

from __future__ import annotations

from fractions import Fraction

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, scaled
from muybridge.models._table import model
from muybridge.types import ClipSpec

_STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
_FRAMES, _SIDE, _WIDE = 16, 112, 4096


class C3d(ClipModel):
    """The network of the papers; fc6 fixes its input: 16 frames of one size.

    Args:
        num_classes: Number of classes.
        dropout: After fc6 and after fc7.
        pool5_padding: Pad the last pool to 4x4 maps (8192 numbers into fc6), as Caffe's rounding did and the
            published weights expect; else 3x3 maps (4608).
        norm: Batch norm after every convolution and after fc6 and fc7.
        halve_early: The first pool halves time and the last one does not, instead of the other way round.
        size: Side of the pictures that fc6 takes, in pixels.
        width: Channels of every layer, as a share of the paper's.
    """

    time_stride = 16
    space_stride = 32

    def __init__(
        self,
        *,
        num_classes: int,
        dropout: float,
        pool5_padding: bool,
        norm: bool = False,
        halve_early: bool = False,
        size: int = _SIDE,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if size < 32:
            raise ValueError(f"size is {size}; C3D's five pools need at least 32 pixels")
        self.size = size
        self.convs = nn.Sequential()
        width_in = self.channels
        for stage, paper_widths in enumerate(_STAGES, start=1):
            for letter, width_out in zip("ab", scaled(paper_widths, width), strict=False):
                conv = nn.Conv3d(width_in, width_out, 3, padding=1, bias=not norm)
                self.convs.add_module(f"conv{stage}{letter}", conv)
                if norm:
                    self.convs.add_module(f"norm{stage}{letter}", nn.BatchNorm3d(width_out))
                self.convs.add_module(f"relu{stage}{letter}", nn.ReLU(inplace=True))
                width_in = width_out
            window = (1, 2, 2) if stage == (5 if halve_early else 1) else (2, 2, 2)
            padding = (0, 1, 1) if stage == 5 and pool5_padding else 0
            self.convs.add_module(f"pool{stage}", nn.MaxPool3d(window, padding=padding))
        side = size // 16 // 2 + pool5_padding
        self.dim, (wide,) = width_in, scaled([_WIDE], width)
        self.fc6 = nn.Linear(self.dim * side * side, wide, bias=not norm)
        self.fc7 = nn.Linear(wide, wide, bias=not norm)
        self.norm6 = _ClipNorm(wide) if norm else nn.Identity()
        self.norm7 = _ClipNorm(wide) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv3d, nn.Linear)):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        self.head = Classifier(wide, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps after pool5, of clips of any size from 16 frames and 32x32 pixels."""
        self.check(clip)
        if clip.shape[2] < 16 or min(clip.shape[3:]) < 32:
            raise ValueError(f"C3d got {_size(clip)}; its five pools need at least 16 frames of 32x32 pixels")
        maps: Tensor = self.convs(clip)
        return maps

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits.

        Raises:
            ValueError: The clip is not 16 frames of `size` x `size`.
        """
        self.check(clip)
        if clip.shape[2:] != (_FRAMES, self.size, self.size):
            raise ValueError(
                f"C3d got {_size(clip)}; its fully connected layers take {_FRAMES} frames of {self.size}x{self.size} "
                f"pixels (frames={_FRAMES} size={self.size} in the clip's settings)"
            )
        x = self.features(clip).flatten(1)
        x = self.dropout(F.relu(self.norm6(self.fc6(x)), inplace=True))
        x = F.relu(self.norm7(self.fc7(x)), inplace=True)
        logits: Tensor = self.head(x)
        return logits


class _ClipNorm(nn.BatchNorm1d):
    """Batch norm over clips; a batch of one has no spread, so the running statistics stand in."""

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        if self.training and x.shape[0] == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        normalised: Tensor = super().forward(x)
        return normalised


def _size(clip: Tensor) -> str:
    return f"{clip.shape[2]} frames of {clip.shape[4]}x{clip.shape[3]} pixels"


@model(
    clip=ClipSpec(
        frames=16,
        stride=1,
        size=112,
        short_side=128,
        mean=(104 / 255, 117 / 255, 128 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        test_clips=10,
        test_crops=1,
    ),
    paper="Tran et al. 2015, https://arxiv.org/abs/1412.0767",
    summary="eight 3x3x3 convolutions and three fully connected layers",
)
def c3d(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    pool5_padding: bool = True,
    size: int = _SIDE,
    width: float = 1.0,
) -> C3d:
    """79.6 M parameters, 38.5 GMACs per view."""
    return C3d(num_classes=num_classes, dropout=dropout, pool5_padding=pool5_padding, size=size, width=width)


@model(
    clip=ClipSpec(
        frames=16,
        stride=1,
        fps=Fraction(25),
        size=112,
        short_side=128,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        test_clips=15,
        test_crops=1,
    ),
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="C3D with batch norm, time halved by the first pool",
)
def c3d_bn(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    pool5_padding: bool = True,
    size: int = _SIDE,
    width: float = 1.0,
) -> C3d:
    """79.6 M parameters, 19.9 GMACs per view."""
    return C3d(
        num_classes=num_classes,
        dropout=dropout,
        pool5_padding=pool5_padding,
        norm=True,
        halve_early=True,
        size=size,
        width=width,
    )
