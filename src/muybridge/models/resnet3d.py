"""3D residual networks: ResNet with every 3x3 convolution grown to 3x3x3.

Two lines that share the idea and differ in the stem:

- resnet3d, wide_resnet3d, resnext3d: Hara et al. 2018, "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and
  ImageNet?", https://arxiv.org/abs/1711.09577: stem 7x7x7 and a 3x3x3 max pool. Their pre-activation networks are
  in `preact3d`, their factorised ones in `r2plus1d`.
- r3d_18, mc3_18: Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
  https://arxiv.org/abs/1711.11248, as torchvision publishes them: stem 3x7x7, no pooling. MC3 looks along time in
  the stem and in stage 1 only.

    clip (3, 16, 112, 112)     r3d_18      mc3_18               resnet3d_50
      stem                      64  16 56 56                     64   16 56 56, pooled to 8 28 28
      stage 1                   64  16 56 56  2 basic blocks    256    8 28 28   3 bottlenecks
      stage 2, stride 2        128   8 28 28  2   (16 frames)   512    4 14 14   4
      stage 3, stride 2        256   4 14 14  2   (16)         1024    2  7  7   6
      stage 4, stride 2        512   2  7  7  2   (16)         2048    1  4  4   3
      mean, linear

In Hara's repository the files of ResNeXt and of the pre-activation networks don't run as they stand (argument names
that don't match, the number of classes taken for a widening factor); what is built here is what they mean, and what
the weights of the paper need.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, Residual, Triple, init_residual
from muybridge.models._table import model
from muybridge.types import ClipSpec

Block = Callable[[int, int, Triple], nn.Module]

# Blocks of each stage by the number of layers; from 50 on they are bottlenecks.
DEPTHS = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
_HALVING: tuple[Triple, ...] = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))


class ResNet3d(ClipModel):
    """A stem and stages of residual blocks, each with twice the channels of the one before.

    Args:
        num_classes: Number of classes.
        dropout: Before the classifier.
        stem: Makes maps of half the clip's height and width, and as many frames.
        stem_width: Channels after the stem.
        pool: Kernel of a max pool after the stem, which halves the axes that it looks along; none if None.
        depths: Blocks of each stage.
        blocks: For each stage, what makes a block of its channels in, its channels out and its stride.
        width: Channels after the first stage.
        strides: Of the first block of each stage.
        eps: Of every batch norm; weight files don't hold it, and not all of them were made with the same.
        window: Side of the windows of last maps that are classified each and averaged, see
            `muybridge.models._blocks.slide`; 0 for the whole maps.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        dropout: float,
        stem: nn.Module,
        stem_width: int,
        pool: Triple | None,
        depths: tuple[int, ...],
        blocks: tuple[Block, ...],
        width: int,
        strides: tuple[Triple, ...] = _HALVING,
        eps: float = 1e-5,
        window: int = 0,
    ) -> None:
        super().__init__()
        self.window = window
        self.stem = stem
        self.pool: nn.Module = nn.Identity()
        self.time_stride, self.space_stride = 1, 2
        if pool is not None:
            halving = tuple(2 if size > 1 else 1 for size in pool)
            self.pool = nn.MaxPool3d(pool, stride=halving, padding=tuple(size // 2 for size in pool))
            self.time_stride, self.space_stride = halving[0], 2 * halving[1]
        self.stages = nn.Sequential()
        width_in = stem_width
        for stage, (depth, block, stride) in enumerate(zip(depths, blocks, strides, strict=True)):
            width_out = width * 2**stage
            first = block(width_in, width_out, stride)
            others = [block(width_out, width_out, (1, 1, 1)) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(first, *others))
            self.time_stride *= stride[0]
            self.space_stride *= stride[1]
            width_in = width_out
        self.dim = width_in
        init_residual(self)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps = eps
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last stage."""
        self.check(clip)
        maps: Tensor = self.stages(self.pool(self.stem(clip)))
        return maps


class Subsampling(nn.Module):
    """A shortcut without parameters (type A): every `stride`-th value, and zeros in the channels that are new."""

    def __init__(self, width_out: int, stride: Triple) -> None:
        super().__init__()
        self.width_out = width_out
        self.stride = stride

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t2 h2 w2"]:
        """Maps with `width_out` channels, their size halved, rounded up, where the stride is 2."""
        t, h, w = self.stride
        x = x[:, :, ::t, ::h, ::w]
        return F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.width_out - x.shape[1]))


def with_shortcut(block: Residual, kind: str) -> Residual:
    """The block with a shortcut of type B where shapes differ, as it comes, or of type A instead.

    Raises:
        ValueError: `kind` is neither A nor B.
    """
    if kind not in ("A", "B"):
        raise ValueError(f"shortcut is {kind!r}; it must be 'A' (no parameters) or 'B' (1x1x1 convolutions)")
    if kind == "A" and isinstance(block.shortcut, ConvNorm):
        t, h, w = block.shortcut.conv.stride
        block.shortcut = Subsampling(block.shortcut.conv.out_channels, (t, h, w))
    return block


def _basic(
    width_in: int, width_out: int, stride: Triple, *, frames: int = 3, shortcut: str = "B"
) -> Residual:
    """Two convolutions that see `frames` frames and 3x3 pixels; the first one strides."""
    branch = nn.Sequential(
        ConvNorm(width_in, width_out, (frames, 3, 3), stride=stride),
        ConvNorm(width_out, width_out, (frames, 3, 3), relu=False),
    )
    return with_shortcut(Residual(branch, width_in, width_out, stride), shortcut)


def _bottleneck(
    width_in: int,
    width_out: int,
    stride: Triple,
    *,
    expansion: int = 4,
    groups: int = 1,
    shortcut: str = "B",
) -> Residual:
    """Reduce to `width_out / expansion` channels, convolve 3x3x3 in `groups`, expand; the middle one strides."""
    inside = width_out // expansion
    branch = nn.Sequential(
        ConvNorm(width_in, inside, (1, 1, 1)),
        ConvNorm(inside, inside, (3, 3, 3), stride=stride, groups=groups),
        ConvNorm(inside, width_out, (1, 1, 1), relu=False),
    )
    return with_shortcut(Residual(branch, width_in, width_out, stride), shortcut)


def hara(
    num_classes: int, dropout: float, *, depth: int, block: Block, width: int, stem_width: int = 64
) -> ResNet3d:
    """A network of Hara's line: 7x7x7 stem, 3x3x3 max pool, four stages of one kind of block."""
    return ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=ConvNorm(ResNet3d.channels, stem_width, (7, 7, 7), stride=(1, 2, 2)),
        stem_width=stem_width,
        pool=(3, 3, 3),
        depths=DEPTHS[depth],
        blocks=(block,) * 4,
        width=width,
    )


_TORCHVISION = ClipSpec(
    frames=16,
    stride=1,
    fps=Fraction(15),
    size=112,
    short_side=128,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
    test_clips=5,
    test_crops=1,
)
_HARA = ClipSpec(
    stride=1,
    size=112,
    short_side=112,
    mean=(0.4345, 0.4051, 0.3775),
    std=(0.2768, 0.2713, 0.2737),
    test_crops=1,
)


@model(
    clip=_TORCHVISION,
    paper="Tran et al. 2018, https://arxiv.org/abs/1711.11248",
    summary="3D ResNet-18, as torchvision publishes it",
)
def r3d_18(*, num_classes: int = 400, dropout: float = 0.0) -> ResNet3d:
    """33.4 M parameters, 40.7 GMACs per view."""
    return ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=ConvNorm(ResNet3d.channels, 64, (3, 7, 7), stride=(1, 2, 2)),
        stem_width=64,
        pool=None,
        depths=DEPTHS[18],
        blocks=(_basic,) * 4,
        width=64,
    )


@model(
    clip=_TORCHVISION,
    paper="Tran et al. 2018, https://arxiv.org/abs/1711.11248",
    summary="ResNet-18 that looks along time in its first layers only",
)
def mc3_18(*, num_classes: int = 400, dropout: float = 0.0) -> ResNet3d:
    """11.7 M parameters, 43.3 GMACs per view."""
    return ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=ConvNorm(ResNet3d.channels, 64, (3, 7, 7), stride=(1, 2, 2)),
        stem_width=64,
        pool=None,
        depths=DEPTHS[18],
        blocks=(_basic, *(partial(_basic, frames=1),) * 3),
        width=64,
        strides=((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2)),
    )


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-10 with 3x3x3 convolutions",
)
def resnet3d_10(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """14.6 M parameters, 5.7 GMACs per view."""
    return hara(num_classes, dropout, depth=10, block=partial(_basic, shortcut=shortcut), width=64)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-18 with 3x3x3 convolutions",
)
def resnet3d_18(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """33.4 M parameters, 8.3 GMACs per view."""
    return hara(num_classes, dropout, depth=18, block=partial(_basic, shortcut=shortcut), width=64)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-34 with 3x3x3 convolutions",
)
def resnet3d_34(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """63.7 M parameters, 12.7 GMACs per view."""
    return hara(num_classes, dropout, depth=34, block=partial(_basic, shortcut=shortcut), width=64)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-50 with 3x3x3 bottlenecks",
)
def resnet3d_50(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """47.0 M parameters, 10.1 GMACs per view."""
    return hara(num_classes, dropout, depth=50, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-101 with 3x3x3 bottlenecks",
)
def resnet3d_101(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """86.1 M parameters, 13.9 GMACs per view."""
    return hara(num_classes, dropout, depth=101, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-152 with 3x3x3 bottlenecks",
)
def resnet3d_152(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """118.2 M parameters, 18.6 GMACs per view."""
    return hara(num_classes, dropout, depth=152, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-200 with 3x3x3 bottlenecks",
)
def resnet3d_200(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """127.4 M parameters, 25.8 GMACs per view."""
    return hara(num_classes, dropout, depth=200, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-50 with bottlenecks twice as wide inside",
)
def wide_resnet3d_50(
    *, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B", stem_width: int = 64
) -> ResNet3d:
    """158.2 M parameters, 26.2 GMACs per view."""
    return hara(
        num_classes,
        dropout,
        depth=50,
        block=partial(_bottleneck, expansion=2, shortcut=shortcut),
        width=256,
        stem_width=stem_width,
    )


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNeXt-50, 32 groups",
)
def resnext3d_50(
    *, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B", stem_width: int = 64
) -> ResNet3d:
    """26.7 M parameters, 7.5 GMACs per view."""
    return hara(
        num_classes,
        dropout,
        depth=50,
        block=partial(_bottleneck, expansion=2, groups=32, shortcut=shortcut),
        width=256,
        stem_width=stem_width,
    )


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNeXt-101, 32 groups",
)
def resnext3d_101(
    *, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B", stem_width: int = 64
) -> ResNet3d:
    """48.3 M parameters, 9.6 GMACs per view."""
    return hara(
        num_classes,
        dropout,
        depth=101,
        block=partial(_bottleneck, expansion=2, groups=32, shortcut=shortcut),
        width=256,
        stem_width=stem_width,
    )


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNeXt-152, 32 groups",
)
def resnext3d_152(
    *, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B", stem_width: int = 64
) -> ResNet3d:
    """66.2 M parameters, 12.2 GMACs per view."""
    return hara(
        num_classes,
        dropout,
        depth=152,
        block=partial(_bottleneck, expansion=2, groups=32, shortcut=shortcut),
        width=256,
        stem_width=stem_width,
    )


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNeXt-200, 32 groups",
)
def resnext3d_200(
    *, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B", stem_width: int = 64
) -> ResNet3d:
    """71.3 M parameters, 16.2 GMACs per view."""
    return hara(
        num_classes,
        dropout,
        depth=200,
        block=partial(_bottleneck, expansion=2, groups=32, shortcut=shortcut),
        width=256,
        stem_width=stem_width,
    )
