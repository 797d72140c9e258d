"""tiny3d: a small 3D residual network that learns from scratch on two CPU cores.

Our own. Every convolution looks along time (3 frames), because a data set made on a desk tells its classes
apart by how things move; the rest is what He et al. 2016 and Tran et al. 2018 do, at an eighth of the width.

    clip (3, t, h, w)
      stem    3x5x5, stride (1, 2, 2)     16   t     h/2
      stage 1 basic block, (1, 2, 2)      32   t     h/4
      stage 2 basic block, (2, 2, 2)      64   t/2   h/8
      stage 3 basic block, (2, 2, 2)     128   t/4   h/16
      mean, dropout, linear
"""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, basic_block, init_residual
from muybridge.models._table import model
from muybridge.types import ClipSpec


class Tiny3d(ClipModel):
    """A stem and three residual stages.

    Args:
        num_classes: Number of classes.
        dropout: Before the classifier.
        width: Channels after the stem; every stage doubles them.
    """

    time_stride = 4
    space_stride = 16

    def __init__(self, *, num_classes: int, dropout: float, width: int) -> None:
        super().__init__()
        self.dim = 8 * width
        self.stem = ConvNorm(self.channels, width, (3, 5, 5), stride=(1, 2, 2))
        self.stages = nn.Sequential(
            basic_block(width, 2 * width, stride=(1, 2, 2)),
            basic_block(2 * width, 4 * width, stride=(2, 2, 2)),
            basic_block(4 * width, 8 * width, stride=(2, 2, 2)),
        )
        init_residual(self)
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps (b, 8 width, t/4, h/16, w/16)."""
        self.check(clip)
        maps: Tensor = self.stages(self.stem(clip))
        return maps


@model(
    clip=ClipSpec(frames=12, stride=2, fps=Fraction(15), size=96, short_side=112, test_clips=3, test_crops=1),
    paper="muybridge's own",
    summary="small 3D ResNet that learns from scratch on two CPU cores",
)
def tiny3d(*, num_classes: int = 400, dropout: float = 0.2, width: int = 16) -> Tiny3d:
    """0.9 M parameters."""
    return Tiny3d(num_classes=num_classes, dropout=dropout, width=width)
