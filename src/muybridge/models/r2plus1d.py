"""R(2+1)D: every 3D convolution becomes one over space and one over time, with a ReLU between them.

Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
https://arxiv.org/abs/1711.11248. Between the two lie as many channels as keep the number of parameters that the
t x s x s convolution would have: m = t s s in out / (s s in + t out), rounded down.

Those who published weights agree on the idea, not on the details:

                   r2plus1d_18     r2plus1d_34_*   r2plus1d_r34_*     r2plus1d_r50     resnet2p1d_*
                   torchvision     IG-65M          MMAction2          PyTorchVideo     Hara
      stem         3x7x7, m = 45   3x7x7, m = 45   3x7x7, m = 83      1x7x7            7x7x7, m = 110
      max pool     -               -               1x3x3              -                3x3x3
      blocks       basic           basic           basic              bottleneck       basic, bottleneck
      m of         1st of block    each            each               - (m = out)      each
      first is     space           space           space              time             space
      shortcut     1x1x1           1x1x1           1x1x1 in two       1x1x1            1x1x1
      strides      (1, 2, 2, 2)    (1, 2, 2, 2)    (1, 2, 2, 2)       t (1, 1, 2, 2)   (1, 2, 2, 2)
                                                                      s (2, 2, 2, 2)
      norms' eps   1e-5            1e-3            1e-3, inside 1e-5  1e-5             1e-5

    clip (3, 16, 112, 112)     r2plus1d_18
      stem                      64  16 56 56                   45 channels inside
      stage 1                   64  16 56 56   2 basic blocks  144
      stage 2, stride 2        128   8 28 28   2               230 in the first, 288 in the second
      stage 3, stride 2        256   4 14 14   2               460               576
      stage 4, stride 2        512   2  7  7   2               921               1152
      mean, linear
"""

from __future__ import annotations

from collections import OrderedDict
from fractions import Fraction
from functools import partial

from torch import nn

from muybridge.models._blocks import ConvNorm, Residual, Triple
from muybridge.models._table import model
from muybridge.models.resnet3d import DEPTHS, Block, ResNet3d, with_shortcut
from muybridge.types import ClipSpec


def _middle(width_in: int, width_out: int, frames: int = 3, side: int = 3) -> int:
    """Channels between the two convolutions that keep the parameters of `frames` x `side` x `side`."""
    area = side * side
    return frames * area * width_in * width_out // (area * width_in + frames * width_out)


def _factorised(
    width_in: int,
    width_out: int,
    kernel: Triple,
    *,
    stride: Triple = (1, 1, 1),
    middle: int,
    time_first: bool = False,
    relu: bool = True,
) -> nn.Sequential:
    """Convolution, norm and ReLU over space, then over time, or the other way round."""
    space = (1, *kernel[1:]), (1, *stride[1:])
    time = (kernel[0], 1, 1), (stride[0], 1, 1)
    names = ("time", "space") if time_first else ("space", "time")
    (kernel_1, stride_1), (kernel_2, stride_2) = (time, space) if time_first else (space, time)
    first = ConvNorm(width_in, middle, kernel_1, stride=stride_1)
    second = ConvNorm(middle, width_out, kernel_2, stride=stride_2, relu=relu)
    return nn.Sequential(OrderedDict(zip(names, (first, second), strict=True)))


def _basic(
    width_in: int,
    width_out: int,
    stride: Triple,
    *,
    same_middle: bool = False,
    shortcut: str = "B",
) -> Residual:
    """Two factorised convolutions; the first one strides.

    Args:
        width_in: Channels in.
        width_out: Channels out.
        stride: Of the block.
        same_middle: The second convolution has the first one's channels in its middle.
        shortcut: `A`, `B`, or `factorised` like the convolutions.
    """
    kernel = (3, 3, 3)
    middle = _middle(width_in, width_out)
    second = middle if same_middle else _middle(width_out, width_out)
    branch = nn.Sequential(
        _factorised(width_in, width_out, kernel, stride=stride, middle=middle),
        _factorised(width_out, width_out, kernel, middle=second, relu=False),
    )
    block = Residual(branch, width_in, width_out, stride)
    if shortcut != "factorised":
        return with_shortcut(block, shortcut)
    if block.shortcut is not None:
        # MMAction2 counts three frames into the formula, though the convolution sees one.
        middle = _middle(width_in, width_out, frames=3, side=1)
        block.shortcut = _factorised(width_in, width_out, (1, 1, 1), stride=stride, middle=middle, relu=False)
    return block


def _bottleneck(
    width_in: int, width_out: int, stride: Triple, *, time_first: bool = False, shortcut: str = "B"
) -> Residual:
    """Reduce to a quarter, convolve factorised, expand; the middle one strides.

    Args:
        width_in: Channels in.
        width_out: Channels out.
        stride: Of the block.
        time_first: Time before space, and no more channels between them than around.
        shortcut: `A` or `B`.
    """
    inside = width_out // 4
    branch = nn.Sequential(
        ConvNorm(width_in, inside, (1, 1, 1)),
        _factorised(
            inside,
            inside,
            (3, 3, 3),
            stride=stride,
            middle=inside if time_first else _middle(inside, inside),
            time_first=time_first,
        ),
        ConvNorm(inside, width_out, (1, 1, 1), relu=False),
    )
    return with_shortcut(Residual(branch, width_in, width_out, stride), shortcut)


def _stem(frames: int, middle: int) -> nn.Sequential:
    """`frames` x7x7 in two steps, 64 channels out."""
    return _factorised(ResNet3d.channels, 64, (frames, 7, 7), stride=(1, 2, 2), middle=middle)


def _ig65m(num_classes: int, dropout: float) -> ResNet3d:
    return ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=_stem(3, 45),
        stem_width=64,
        pool=None,
        depths=DEPTHS[34],
        blocks=(_basic,) * 4,
        width=64,
        eps=1e-3,
    )


def _mmaction2(num_classes: int, dropout: float) -> ResNet3d:
    network = ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=_stem(3, _middle(3, 64, frames=3, side=7)),
        stem_width=64,
        pool=(1, 3, 3),
        depths=DEPTHS[34],
        blocks=(partial(_basic, shortcut="factorised"),) * 4,
        width=64,
        eps=1e-3,
    )
    # MMAction2's setting reaches the norms after a pair of convolutions, not those between the two.
    for name, module in network.named_modules():
        if name.endswith(".space.norm") and isinstance(module, nn.BatchNorm3d):
            module.eps = 1e-5
    return network


def _hara(num_classes: int, dropout: float, *, depth: int, block: Block, width: int) -> ResNet3d:
    return ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=_stem(7, _middle(3, 64, frames=7, side=7)),
        stem_width=64,
        pool=(3, 3, 3),
        depths=DEPTHS[depth],
        blocks=(block,) * 4,
        width=width,
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
    summary="R(2+1)D-18, as torchvision publishes it",
)
def r2plus1d_18(*, num_classes: int = 400, dropout: float = 0.0) -> ResNet3d:
    """31.5 M parameters, 40.5 GMACs per view."""
    return ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=_stem(3, 45),
        stem_width=64,
        pool=None,
        depths=DEPTHS[18],
        blocks=(partial(_basic, same_middle=True),) * 4,
        width=64,
    )


@model(
    clip=ClipSpec(
        frames=32,
        stride=1,
        size=112,
        short_side=128,
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
        test_crops=1,
    ),
    paper="Ghadiyaram et al. 2019, https://arxiv.org/abs/1905.00561",
    summary="R(2+1)D-34 on 32 frames, pre-trained on IG-65M",
)
def r2plus1d_34_32(*, num_classes: int = 400, dropout: float = 0.0) -> ResNet3d:
    """63.7 M parameters, 152.4 GMACs per view."""
    return _ig65m(num_classes, dropout)


@model(
    clip=ClipSpec(
        frames=8,
        stride=1,
        size=112,
        short_side=128,
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
        test_crops=1,
    ),
    paper="Ghadiyaram et al. 2019, https://arxiv.org/abs/1905.00561",
    summary="R(2+1)D-34 on 8 frames, pre-trained on IG-65M",
)
def r2plus1d_34_8(*, num_classes: int = 400, dropout: float = 0.0) -> ResNet3d:
    """63.7 M parameters, 38.1 GMACs per view."""
    return _ig65m(num_classes, dropout)


@model(
    clip=ClipSpec(
        frames=8,
        stride=8,
        size=224,
        short_side=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    ),
    paper="Tran et al. 2018, https://arxiv.org/abs/1711.11248",
    summary="R(2+1)D-34 of MMAction2 on 8 frames",
)
def r2plus1d_r34_8x8(*, num_classes: int = 400, dropout: float = 0.5) -> ResNet3d:
    """63.8 M parameters, 40.6 GMACs per view."""
    return _mmaction2(num_classes, dropout)


@model(
    clip=ClipSpec(
        frames=32,
        stride=2,
        size=224,
        short_side=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    ),
    paper="Tran et al. 2018, https://arxiv.org/abs/1711.11248",
    summary="R(2+1)D-34 of MMAction2 on 32 frames",
)
def r2plus1d_r34_32x2(*, num_classes: int = 400, dropout: float = 0.5) -> ResNet3d:
    """63.8 M parameters, 162.2 GMACs per view."""
    return _mmaction2(num_classes, dropout)


@model(
    clip=ClipSpec(frames=16, stride=4, fps=Fraction(30), size=224, short_side=256),
    paper="Tran et al. 2018, https://arxiv.org/abs/1711.11248",
    summary="R(2+1)D-50 of PyTorchVideo, time before space",
)
def r2plus1d_r50(*, num_classes: int = 400, dropout: float = 0.5, sliding: bool = False) -> ResNet3d:
    """28.1 M parameters, 57.5 GMACs per view."""
    return ResNet3d(
        num_classes=num_classes,
        dropout=dropout,
        stem=ConvNorm(ResNet3d.channels, 64, (1, 7, 7), stride=(1, 2, 2)),
        stem_width=64,
        pool=None,
        depths=DEPTHS[50],
        blocks=(partial(_bottleneck, time_first=True),) * 4,
        width=256,
        strides=((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)),
        window=7 if sliding else 0,
    )


@model(
    clip=_HARA,
    paper="Kataoka et al. 2020, https://arxiv.org/abs/2004.04968",
    summary="R(2+1)D-18 of Hara, with a pooled 7x7x7 stem",
)
def resnet2p1d_18(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """33.4 M parameters, 8.5 GMACs per view."""
    return _hara(num_classes, dropout, depth=18, block=partial(_basic, shortcut=shortcut), width=64)


@model(
    clip=_HARA,
    paper="Kataoka et al. 2020, https://arxiv.org/abs/2004.04968",
    summary="R(2+1)D-34 of Hara, with a pooled 7x7x7 stem",
)
def resnet2p1d_34(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """63.7 M parameters, 12.9 GMACs per view."""
    return _hara(num_classes, dropout, depth=34, block=partial(_basic, shortcut=shortcut), width=64)


@model(
    clip=_HARA,
    paper="Kataoka et al. 2020, https://arxiv.org/abs/2004.04968",
    summary="R(2+1)D-50 of Hara, with a pooled 7x7x7 stem",
)
def resnet2p1d_50(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """47.0 M parameters, 10.5 GMACs per view."""
    return _hara(num_classes, dropout, depth=50, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Kataoka et al. 2020, https://arxiv.org/abs/2004.04968",
    summary="R(2+1)D-101 of Hara, with a pooled 7x7x7 stem",
)
def resnet2p1d_101(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """86.1 M parameters, 14.3 GMACs per view."""
    return _hara(num_classes, dropout, depth=101, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Kataoka et al. 2020, https://arxiv.org/abs/2004.04968",
    summary="R(2+1)D-152 of Hara, with a pooled 7x7x7 stem",
)
def resnet2p1d_152(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """118.3 M parameters, 19.1 GMACs per view."""
    return _hara(num_classes, dropout, depth=152, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Kataoka et al. 2020, https://arxiv.org/abs/2004.04968",
    summary="R(2+1)D-200 of Hara, with a pooled 7x7x7 stem",
)
def resnet2p1d_200(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """127.5 M parameters, 26.3 GMACs per view."""
    return _hara(num_classes, dropout, depth=200, block=partial(_bottleneck, shortcut=shortcut), width=256)
