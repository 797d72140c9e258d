"""3D residual networks: ResNet with every 3x3 convolution grown to 3x3x3.

Two lines that share the idea and differ in the stem:

- r3d_18: Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
  https://arxiv.org/abs/1711.11248, as torchvision publishes it: stem 3x7x7, no pooling.
- r3d_50: Hara et al. 2018, "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?",
  https://arxiv.org/abs/1711.09577: stem 7x7x7 and a 3x3x3 max pool, shortcuts of type B.

    clip (3, 16, 112, 112)     r3d_18                          r3d_50
      stem                      64  16 56 56                     64   16 56 56, pooled to 8 28 28
      stage 1                   64  16 56 56   2 basic blocks   256    8 28 28   3 bottlenecks
      stage 2, stride 2        128   8 28 28   2                512    4 14 14   4
      stage 3, stride 2        256   4 14 14   2               1024    2  7  7   6
      stage 4, stride 2        512   2  7  7   2               2048    1  4  4   3
      mean, linear
"""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, basic_block, bottleneck, init_residual
from muybridge.models._table import model
from muybridge.types import ClipSpec


class ResNet3d(ClipModel):
    """A stem and four stages of residual blocks, 64, 128, 256 and 512 channels wide.

    Args:
        num_classes: Number of classes.
        depths: Blocks of each stage.
        bottlenecks: Blocks of three convolutions, four times as many channels out; else of two.
        stem_frames: Frames that the stem's 7x7 convolution sees.
        stem_pool: Halve all three axes after the stem, by a 3x3x3 max pool.
        dropout: Before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        depths: tuple[int, int, int, int],
        bottlenecks: bool,
        stem_frames: int,
        stem_pool: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        block = bottleneck if bottlenecks else basic_block
        expansion = 4 if bottlenecks else 1
        self.dim = 512 * expansion
        self.time_stride = 16 if stem_pool else 8
        self.space_stride = 32 if stem_pool else 16
        self.stem = ConvNorm(self.channels, 64, (stem_frames, 7, 7), stride=(1, 2, 2))
        self.pool = nn.MaxPool3d(3, stride=2, padding=1) if stem_pool else nn.Identity()
        self.stages = nn.Sequential()
        width_in = 64
        for stage, depth in enumerate(depths):
            width, stride = 64 * 2**stage, (1, 1, 1) if stage == 0 else (2, 2, 2)
            blocks = [block(width_in, width, stride=stride)]
            width_in = width * expansion
            blocks += [block(width_in, width) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(*blocks))
        init_residual(self)
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last stage."""
        self.check(clip)
        maps: Tensor = self.stages(self.pool(self.stem(clip)))
        return maps


@model(
    clip=ClipSpec(
        frames=16,
        stride=1,
        fps=Fraction(15),
        size=112,
        short_side=128,
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
        test_clips=5,
        test_crops=1,
    ),
    paper="Tran et al. 2018, https://arxiv.org/abs/1711.11248",
    summary="3D ResNet-18, as torchvision publishes it",
)
def r3d_18(*, num_classes: int = 400, dropout: float = 0.0) -> ResNet3d:
    """33.4 M parameters, 40.7 GMACs per view."""
    return ResNet3d(
        num_classes=num_classes,
        depths=(2, 2, 2, 2),
        bottlenecks=False,
        stem_frames=3,
        stem_pool=False,
        dropout=dropout,
    )


@model(
    clip=ClipSpec(
        frames=16,
        stride=1,
        size=112,
        short_side=112,
        mean=(0.4345, 0.4051, 0.3775),
        std=(0.2768, 0.2713, 0.2737),
        test_clips=10,
        test_crops=1,
    ),
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-50 with 3x3x3 bottlenecks",
)
def r3d_50(*, num_classes: int = 400, dropout: float = 0.0) -> ResNet3d:
    """47.0 M parameters, 10.1 GMACs per view."""
    return ResNet3d(
        num_classes=num_classes,
        depths=(3, 4, 6, 3),
        bottlenecks=True,
        stem_frames=7,
        stem_pool=True,
        dropout=dropout,
    )
