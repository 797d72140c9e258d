"""tiny3d: a small 3D residual network that learns from scratch on two CPU cores in a minute or two.

Our own. What costs the little data of a beginner most is finding out that the background doesn't matter and motion
does; so half of the stem looks at frames and the other half at what changes from each frame to the next. The rest is
the basic block of 3D ResNets (Tran et al. 2018, https://arxiv.org/abs/1711.11248) at an eighth of their width: plain
3x3x3 convolutions, which a CPU runs faster than their cheaper factorised forms.

    clip (3, 12, 96, 96)
      stem     1x5x5 on frames, 1x5x5 on changes   8 + 8  12 48 48
      stage 1  basic block, stride (1, 2, 2)          32  12 24 24
      stage 2  basic block, stride 2                  64   6 12 12
      stage 3  basic block, stride 2                 128   3  6  6
      mean, dropout, linear
"""

from __future__ import annotations

from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, basic_block, init_residual
from muybridge.models._table import model
from muybridge.types import ClipSpec


class Stem(nn.Module):
    """Halves height and width; half of the channels see frames, the others the change to the next frame."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.frames = ConvNorm(channels, width - width // 2, (1, 5, 5), stride=(1, 2, 2))
        self.changes = ConvNorm(channels, width // 2, (1, 5, 5), stride=(1, 2, 2))

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        """Maps of frames before maps of changes; the last frame changes into itself."""
        following = torch.cat([clip[:, :, 1:], clip[:, :, -1:]], dim=2)
        return torch.cat([self.frames(clip), self.changes(following - clip)], dim=1)


class Tiny3d(ClipModel):
    """The stem and three residual stages.

    Args:
        channels: 3 for RGB, 2 for flow.
        num_classes: Number of classes.
        dropout: Before the classifier.
        width: Channels after the stem, at least 2; every stage doubles them.
    """

    time_stride = 4
    space_stride = 16

    def __init__(self, *, channels: int = 3, num_classes: int, dropout: float, width: int) -> None:
        super().__init__()
        self.channels = channels
        if width < 2:
            raise ValueError(f"width is {width}; frames and changes need at least 1 channel each, so 2")
        self.dim = 8 * width
        self.stem = Stem(self.channels, width)
        self.stages = nn.Sequential(
            basic_block(width, 2 * width, stride=(1, 2, 2)),
            basic_block(2 * width, 4 * width, stride=(2, 2, 2)),
            basic_block(4 * width, 8 * width, stride=(2, 2, 2)),
        )
        init_residual(self)
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last stage, with `dim` = 8 width."""
        self.check(clip)
        maps: Tensor = self.stages(self.stem(clip))
        return maps


@model(
    clip=ClipSpec(frames=12, stride=2, fps=Fraction(15), size=96, short_side=112, test_clips=3, test_crops=1),
    paper="muybridge's own",
    summary="small 3D ResNet that learns from scratch on two CPU cores",
)
def tiny3d(*, num_classes: int = 400, dropout: float = 0.2, width: int = 16) -> Tiny3d:
    """0.9 M parameters, 0.5 GMACs per view."""
    return Tiny3d(num_classes=num_classes, dropout=dropout, width=width)


@model(
    clip=ClipSpec(
        frames=12,
        stride=2,
        fps=Fraction(15),
        size=96,
        short_side=112,
        modality="flow",
        mean=(0.5, 0.5),
        std=(0.5, 0.5),
        test_clips=3,
        test_crops=1,
    ),
    paper="muybridge's own",
    summary="small 3D ResNet on optical flow, from scratch on two CPU cores",
)
def tiny3d_flow(*, num_classes: int = 400, dropout: float = 0.2, width: int = 16) -> Tiny3d:
    """0.9 M parameters, 0.5 GMACs per view."""
    return Tiny3d(channels=2, num_classes=num_classes, dropout=dropout, width=width)
