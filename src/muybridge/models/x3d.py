"""X3D: a tiny image network, expanded one axis at a time into an efficient video network.

Feichtenhofer 2020, "X3D: Expanding Architectures for Efficient Video Recognition",
https://arxiv.org/abs/2004.04730. XS, S and M are one network, fed with more and larger frames; L is deeper.

    clip (3, 16, 224, 224)      X3D-M
      stem      24  16 112 112   1x3x3, then 5x1x1 of each channel
      stage 1   24  16  56  56    3 blocks (L:  5),  54 channels inside
      stage 2   48  16  28  28    5        (L: 10), 108
      stage 3   96  16  14  14   11        (L: 25), 216
      stage 4  192  16   7   7    7        (L: 15), 432
      conv5    432  16   7   7   1x1x1
      mean, linear 2048, ReLU, dropout, linear

    block   1x1x1, ReLU    3x3x3 of each channel, squeeze-excitation in every second block, Swish    1x1x1
            + shortcut, ReLU
"""

from __future__ import annotations

import math
from fractions import Fraction

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import (
    Classifier,
    ClipModel,
    ConvNorm,
    Residual,
    Triple,
    init_residual,
    slide,
)
from muybridge.models._table import model
from muybridge.types import ClipSpec

# What the expansion starts from: channels after the stem, and blocks of each stage.
_WIDTH, _DEPTHS = 12, (1, 2, 5, 3)


class X3d(ClipModel):
    """The network of the paper, with its factors of expansion.

    Args:
        num_classes: Number of classes.
        width: Channels, as a multiple of 12 after the stem; rounded to multiples of 8.
        bottleneck: Channels inside a block per channel out.
        depth: Blocks, as a multiple of 1, 2, 5 and 3 in the stages; rounded up.
        shortcut_norm: Batch norm also after the shortcut of the first stage, which strides but keeps the number of
            channels. PySlowFast, MMAction2 and PyTorchVideo's mobile models have it, PyTorchVideo's others do not.
        window: Side of the windows of last maps that are classified each and averaged, see
            `muybridge.models._blocks.slide`; 0 averages all positions before the last two layers.
        dropout: Before the classifier.
    """

    time_stride = 1
    space_stride = 32

    def __init__(
        self,
        *,
        num_classes: int,
        width: float,
        bottleneck: float,
        depth: float,
        shortcut_norm: bool,
        window: int = 0,
        dropout: float,
    ) -> None:
        super().__init__()
        self.window = window
        width_in = _round_width(_WIDTH * width)
        self.stem = nn.Sequential(
            ConvNorm(self.channels, width_in, (1, 3, 3), stride=(1, 2, 2), norm=False, relu=False),
            ConvNorm(width_in, width_in, (5, 1, 1), groups=width_in),
        )
        self.stages = nn.Sequential()
        base = _WIDTH
        for blocks in _DEPTHS:
            width_out = _round_width(base * width)
            inside = int(bottleneck * width_out)
            stage = nn.Sequential()
            for block in range(math.ceil(depth * blocks)):
                stride = (1, 2, 2) if block == 0 else (1, 1, 1)
                stage.append(
                    _block(
                        width_in,
                        inside,
                        width_out,
                        stride=stride,
                        squeeze=block % 2 == 0,
                        shortcut_norm=shortcut_norm,
                    )
                )
                width_in = width_out
            self.stages.append(stage)
            base = _round_width(2 * base)
        self.dim = inside
        self.conv5 = ConvNorm(width_in, inside, (1, 1, 1))
        init_residual(self, zero_last_norm=True)
        self.lin5 = nn.Linear(inside, 2048, bias=False)
        nn.init.kaiming_normal_(self.lin5.weight, mode="fan_out", nonlinearity="relu")
        self.head = Classifier(2048, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        """Maps of the last convolution, conv5."""
        self.check(clip)
        maps: Tensor = self.conv5(self.stages(self.stem(clip)))
        return maps

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits."""
        windows = slide(self.features(clip), self.window).movedim(1, -1)
        logits: Tensor = self.head(F.relu(self.lin5(windows), inplace=True).mean((1, 2)))
        return logits


class Depthwise(nn.Module):
    """3x3x3 convolution of each channel alone, batch norm, squeeze-excitation where wanted, Swish."""

    def __init__(self, width: int, *, stride: Triple, squeeze: bool) -> None:
        super().__init__()
        self.conv = nn.Conv3d(width, width, 3, stride=stride, padding=1, groups=width, bias=False)
        self.norm = nn.BatchNorm3d(width)
        self.squeeze = SqueezeExcitation(width) if squeeze else nn.Identity()

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        """Maps, smaller where it strides."""
        return F.silu(self.squeeze(self.norm(self.conv(x))))


class SqueezeExcitation(nn.Module):
    """Scale each channel by what the average of all channels says: Hu et al. 2018, https://arxiv.org/abs/1709.01507."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inside = _round_width(width / 16)
        self.reduce = nn.Conv3d(width, inside, 1)
        self.expand = nn.Conv3d(inside, width, 1)

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d t h w"]:
        """Maps, each channel times a number between 0 and 1."""
        scale: Tensor = self.expand(F.relu(self.reduce(x.mean((2, 3, 4), keepdim=True))))
        return x * scale.sigmoid()


def _block(
    width_in: int, inside: int, width_out: int, *, stride: Triple, squeeze: bool, shortcut_norm: bool
) -> Residual:
    branch = nn.Sequential(
        ConvNorm(width_in, inside, (1, 1, 1)),
        Depthwise(inside, stride=stride, squeeze=squeeze),
        ConvNorm(inside, width_out, (1, 1, 1), relu=False),
    )
    block = Residual(branch, width_in, width_out, stride)
    if block.shortcut is not None and width_in == width_out and not shortcut_norm:
        block.shortcut = ConvNorm(width_in, width_out, (1, 1, 1), stride=stride, norm=False, relu=False)
    return block


def _round_width(width: float) -> int:
    """To the nearest multiple of 8, but not below 8 and not by more than a tenth down."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8


@model(
    clip=ClipSpec(frames=4, stride=12, fps=Fraction(30), size=160, short_side=182, test_crops=1),
    paper="Feichtenhofer 2020, https://arxiv.org/abs/2004.04730",
    summary="X3D-XS: 4 frames of 160x160",
)
def x3d_xs(
    *, num_classes: int = 400, dropout: float = 0.5, shortcut_norm: bool = True, sliding: bool = False
) -> X3d:
    """3.8 M parameters, 0.60 GMACs per view of 160x160."""
    return _x3d(num_classes, dropout, depth=2.2, shortcut_norm=shortcut_norm, window=5 if sliding else 0)


@model(
    clip=ClipSpec(frames=13, stride=6, fps=Fraction(30), size=160, short_side=182, test_crops=1),
    paper="Feichtenhofer 2020, https://arxiv.org/abs/2004.04730",
    summary="X3D-S: 13 frames of 160x160",
)
def x3d_s(
    *, num_classes: int = 400, dropout: float = 0.5, shortcut_norm: bool = True, sliding: bool = False
) -> X3d:
    """3.8 M parameters, 1.96 GMACs per view of 160x160."""
    return _x3d(num_classes, dropout, depth=2.2, shortcut_norm=shortcut_norm, window=5 if sliding else 0)


@model(
    clip=ClipSpec(frames=16, stride=5, fps=Fraction(30), size=224, short_side=256, test_crops=1),
    paper="Feichtenhofer 2020, https://arxiv.org/abs/2004.04730",
    summary="X3D-M: 16 frames of 224x224",
)
def x3d_m(
    *, num_classes: int = 400, dropout: float = 0.5, shortcut_norm: bool = True, sliding: bool = False
) -> X3d:
    """3.8 M parameters, 4.73 GMACs per view of 224x224."""
    return _x3d(num_classes, dropout, depth=2.2, shortcut_norm=shortcut_norm, window=7 if sliding else 0)


@model(
    clip=ClipSpec(frames=16, stride=5, fps=Fraction(30), size=312, short_side=356, test_crops=1),
    paper="Feichtenhofer 2020, https://arxiv.org/abs/2004.04730",
    summary="X3D-L: 16 frames of 312x312, and twice as deep",
)
def x3d_l(
    *, num_classes: int = 400, dropout: float = 0.5, shortcut_norm: bool = True, sliding: bool = False
) -> X3d:
    """6.2 M parameters, 18.37 GMACs per view of 312x312."""
    return _x3d(num_classes, dropout, depth=5.0, shortcut_norm=shortcut_norm, window=10 if sliding else 0)


def _x3d(num_classes: int, dropout: float, *, depth: float, shortcut_norm: bool, window: int) -> X3d:
    return X3d(
        num_classes=num_classes,
        width=2.0,
        bottleneck=2.25,
        depth=depth,
        shortcut_norm=shortcut_norm,
        window=window,
        dropout=dropout,
    )
