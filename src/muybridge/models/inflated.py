"""Image networks grown along time: ResNets whose 1x1 and 7x7 convolutions may see several frames.

- C2D and non-local blocks: Wang et al. 2018, "Non-local Neural Networks", https://arxiv.org/abs/1711.07971.
- I3D: Carreira and Zisserman 2017, "Quo Vadis, Action Recognition?", https://arxiv.org/abs/1705.07750, with a ResNet
  as in the former paper.
- Slow, which MMAction2 calls SlowOnly: the slow pathway of Feichtenhofer et al. 2019, "SlowFast Networks for Video
  Recognition", https://arxiv.org/abs/1812.03982.

    clip (3, 8, 224, 224)             frames that a block's first convolution sees
                                      C2D          I3D             Slow
      stem     64  8 112 112          1x7x7        5x7x7           1x7x7
      pool     64  8  56  56
      stage 1 256  8  56  56          1 1 1        3 3 3           1 1 1
      pool    256  4  56  56          (not in Slow, which keeps all 8 frames)
      stage 2 512  4  28  28          1 1 1 1      3 1 3 1         1 1 1 1
      stage 3 1024 4  14  14          1 1 1 ...    3 1 3 1 3 1     3 3 3 ...
      stage 4 2048 4   7   7          1 1 1        1 3 1           3 3 3
      mean, dropout, linear
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, Triple, bottleneck, init_residual
from muybridge.models._table import model
from muybridge.types import ClipSpec

Frames = Sequence[Sequence[int]]
"""Frames that the first convolution of each block sees, stage by stage; how many there are is the depth."""

R50, R101 = (3, 4, 6, 3), (3, 4, 23, 3)

WINDOW = 7
"""Side of the last maps of a clip of 224x224, which is what they all were trained on."""


def frames_of(depths: Sequence[int], patterns: Frames) -> tuple[tuple[int, ...], ...]:
    """The pattern of each stage, repeated over its blocks.

    >>> frames_of((3, 4, 6, 3), ((3,), (3, 1), (3, 1), (1, 3)))
    ((3, 3, 3), (3, 1, 3, 1), (3, 1, 3, 1, 3, 1), (1, 3, 1))
    """
    return tuple(
        tuple(pattern[block % len(pattern)] for block in range(depth))
        for depth, pattern in zip(depths, patterns, strict=True)
    )


_C2D, _I3D, _SLOW = ((1,),) * 4, ((3,), (3, 1), (3, 1), (1, 3)), ((1,), (1,), (3,), (3,))
C2D_R50 = frames_of(R50, _C2D)
I3D_R50, I3D_R101 = frames_of(R50, _I3D), frames_of(R101, _I3D)
SLOW_R50, SLOW_R101 = frames_of(R50, _SLOW), frames_of(R101, _SLOW)


class NonLocal(nn.Module):
    """Every position of every frame looks at all others: `x + norm(out(weights @ g(x)))`.

    It starts as the identity, so that a trained network is not disturbed by it.

    Args:
        width: Channels in and out; half of them inside.
        kind: How much a position counts for another. `softmax` over products of two projections (the paper's
            embedded Gaussian); `dot_product`: the products over their number; `gaussian`: softmax without projections.
        scaled: Divide the products by the root of the channels inside, as attention does; `softmax` only.
        pool: Window of the max pool that thins the positions that are looked at: frames, height, width.
        pool_first: Pool the maps (PySlowFast), else their projections (MMAction2).
    """

    def __init__(
        self,
        width: int,
        *,
        kind: str = "softmax",
        scaled: bool = True,
        pool: Sequence[int] = (1, 2, 2),
        pool_first: bool = True,
    ) -> None:
        super().__init__()
        if kind not in ("softmax", "dot_product", "gaussian"):
            raise ValueError(f"non_local kind is {kind!r}; it must be 'softmax', 'dot_product' or 'gaussian'")
        inside = width // 2
        self.kind = kind
        self.scale = inside**-0.5 if scaled and kind == "softmax" else 1.0
        self.pool = (pool[0], pool[1], pool[2])
        self.pool_first = pool_first
        self.theta = None if kind == "gaussian" else nn.Conv3d(width, inside, 1)
        self.phi = None if kind == "gaussian" else nn.Conv3d(width, inside, 1)
        self.g = nn.Conv3d(width, inside, 1)
        self.out = nn.Conv3d(inside, width, 1)
        self.norm = nn.BatchNorm3d(width)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d t h w"]:
        """Maps to which every position has added what it gathered from the others."""
        seen = max_pool(x, self.pool) if self.pool_first else x
        values = self.g(seen)
        keys = seen if self.phi is None else self.phi(seen)
        if not self.pool_first:
            values, keys = max_pool(values, self.pool), max_pool(keys, self.pool)
        queries = x if self.theta is None else self.theta(x)
        products = queries.flatten(2).transpose(1, 2) @ keys.flatten(2)  # b, positions, positions seen
        is_product = self.kind == "dot_product"
        weights = products / products.shape[2] if is_product else (products * self.scale).softmax(2)
        gathered = (values.flatten(2) @ weights.transpose(1, 2)).reshape(*values.shape[:2], *x.shape[2:])
        kept: Tensor = x + self.norm(self.out(gathered))
        return kept


def max_pool(x: Tensor, window: Triple) -> Tensor:
    """Max pool without overlap; a window larger than the maps sees all of them."""
    t, h, w = (min(size, length) for size, length in zip(window, x.shape[2:], strict=True))
    return F.max_pool3d(x, (t, h, w))


def inflated_stages(
    width: int,
    block_frames: Frames,
    *,
    joined: Sequence[int] = (0, 0, 0, 0),
    non_local: Mapping[str, Any] | None = None,
) -> nn.ModuleList:
    """Stages of bottlenecks, each twice as wide as the one before and, from the second on, of half the size.

    Args:
        width: Channels in, and inside the blocks of the first stage.
        block_frames: Frames that the first convolution of each block sees.
        joined: Channels that come in beside the previous stage's.
        non_local: `{"blocks": ((), (1, 3), (1, 3, 5), ()), ...}`: after which blocks of each stage a `NonLocal`
            follows, and its options. None for none.
    """
    settings = dict(non_local or {})
    places = settings.pop("blocks", ((),) * len(block_frames))
    if unknown := set(settings) - {"kind", "scaled", "pool", "pool_first"}:
        raise ValueError(
            f"non_local has no {min(unknown)!r}; it takes blocks, kind, scaled, pool and pool_first"
        )
    if len(places) != len(block_frames):
        raise ValueError(f"non_local: {len(places)} stages in blocks; the network has {len(block_frames)}")
    stages = nn.ModuleList()
    width_in = width
    for stage, (frames, beside, looking) in enumerate(zip(block_frames, joined, places, strict=True)):
        if beyond := set(looking) - set(range(len(frames))):
            raise ValueError(
                f"non_local: stage {stage + 1} has blocks 0 to {len(frames) - 1}, so no {min(beyond)}"
            )
        inside = width * 2**stage
        blocks = nn.Sequential()
        for block, seen in enumerate(frames):
            stride = (1, 2, 2) if stage and not block else (1, 1, 1)
            entering = width_in if block else width_in + beside
            kernels = ((seen, 1, 1), (1, 3, 3))
            blocks.add_module(str(block), bottleneck(entering, inside, stride=stride, kernels=kernels))
            width_in = 4 * inside
            if block in looking:
                blocks.add_module(f"non_local{block}", NonLocal(width_in, **settings))
        stages.append(blocks)
    return stages


class InflatedResNet(ClipModel):
    """An image ResNet whose convolutions see as many frames as they are told.

    Args:
        num_classes: Number of classes.
        stem_frames: Frames that the stem's 7x7 convolution sees.
        block_frames: Frames that the first convolution of each block sees, stage by stage.
        time_strides: Of the stem, of the pool after it, and of the pool after the first stage.
        channels: Channels of a clip: 3 for RGB, 2 for flow.
        width: Channels of the stem; every other layer follows.
        stem_pool_padding: Pad the pool after the stem, as image networks do; MMAction2's C2D does not.
        non_local: Where non-local blocks are and of which kind, see `inflated_stages`.
        sliding: Classify every 7x7 window of the last maps and average, see `muybridge.models._blocks.slide`.
        dropout: Before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        stem_frames: int,
        block_frames: Frames,
        time_strides: Sequence[int],
        channels: int,
        width: int,
        stem_pool_padding: bool = True,
        non_local: Mapping[str, Any] | None,
        sliding: bool = False,
        dropout: float,
    ) -> None:
        super().__init__()
        stem, pool, self.stage_pool = time_strides
        self.channels = channels
        self.window = WINDOW if sliding else 0
        self.dim = 4 * width * 2 ** (len(block_frames) - 1)
        self.time_stride = stem * pool * self.stage_pool
        self.space_stride = 2 ** (len(block_frames) + 1)
        self.stem = ConvNorm(channels, width, (stem_frames, 7, 7), stride=(stem, 2, 2))
        padding = (0, 1, 1) if stem_pool_padding else 0
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(pool, 2, 2), padding=padding)
        self.stages = inflated_stages(width, block_frames, non_local=non_local)
        init_residual(self, zero_last_norm=True)
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last stage."""
        self.check(clip)
        maps: Tensor = self.pool(self.stem(clip))
        for number, stage in enumerate(self.stages, start=1):
            maps = stage(maps)
            if number == 1:
                maps = max_pool(maps, (self.stage_pool, 1, 1))
        return maps


_8X8 = ClipSpec(frames=8, stride=8, fps=Fraction(30), size=224, short_side=256, test_clips=10, test_crops=3)


@model(
    clip=_8X8,
    paper="Wang et al. 2018, https://arxiv.org/abs/1711.07971",
    summary="ResNet-50 on every frame, halving their number by a max pool",
)
def c2d_r50(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    stem_pool_padding: bool = True,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> InflatedResNet:
    """24.3 M parameters, 19.5 GMACs per view."""
    return InflatedResNet(
        num_classes=num_classes,
        stem_frames=1,
        block_frames=C2D_R50,
        time_strides=(1, 1, 2),
        channels=channels,
        width=width,
        stem_pool_padding=stem_pool_padding,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
    )


@model(
    clip=_8X8,
    paper="Wang et al. 2018, https://arxiv.org/abs/1711.07971",
    summary="ResNet-50 on every frame, averaged",
)
def c2d_r50_nopool(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> InflatedResNet:
    """24.3 M parameters, 32.7 GMACs per view."""
    return InflatedResNet(
        num_classes=num_classes,
        stem_frames=1,
        block_frames=C2D_R50,
        time_strides=(1, 1, 1),
        channels=channels,
        width=width,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
    )


@model(
    clip=_8X8,
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="I3D with a ResNet-50: every other block sees three frames",
)
def i3d_r50_8x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    block_frames: Frames = I3D_R50,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> InflatedResNet:
    """28.0 M parameters, 28.4 GMACs per view."""
    return InflatedResNet(
        num_classes=num_classes,
        stem_frames=5,
        block_frames=block_frames,
        time_strides=(1, 1, 2),
        channels=channels,
        width=width,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
    )


@model(
    clip=_8X8,
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="I3D with a ResNet-101",
)
def i3d_r101_8x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    block_frames: Frames = I3D_R101,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> InflatedResNet:
    """51.8 M parameters, 47.0 GMACs per view."""
    return InflatedResNet(
        num_classes=num_classes,
        stem_frames=5,
        block_frames=block_frames,
        time_strides=(1, 1, 2),
        channels=channels,
        width=width,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
    )


@model(
    clip=ClipSpec(
        frames=32,
        stride=2,
        size=224,
        short_side=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        test_clips=10,
        test_crops=3,
    ),
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="I3D with a ResNet-50 on 32 frames, of which the stem leaves 8",
)
def i3d_r50_32x2(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    block_frames: Frames = I3D_R50,
    time_strides: Sequence[int] = (2, 2, 2),
    non_local: Mapping[str, Any] | None = None,
) -> InflatedResNet:
    """28.0 M parameters, 33.1 GMACs per view.

    MMAction2's "heavy" variant (33.0 M, 126.8 GMACs) has three frames in every block and `time_strides=(1, 1, 2)`.
    """
    return InflatedResNet(
        num_classes=num_classes,
        stem_frames=5,
        block_frames=block_frames,
        time_strides=time_strides,
        channels=channels,
        width=width,
        non_local=non_local,
        dropout=dropout,
    )


@model(
    clip=ClipSpec(
        frames=4, stride=16, fps=Fraction(30), size=224, short_side=256, test_clips=10, test_crops=3
    ),
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="Slow pathway alone, ResNet-50 on 4 frames",
)
def slow_r50_4x16(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    block_frames: Frames = SLOW_R50,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> InflatedResNet:
    """32.5 M parameters, 20.9 GMACs per view."""
    return slow_r50_8x8(
        num_classes=num_classes,
        dropout=dropout,
        channels=channels,
        width=width,
        block_frames=block_frames,
        non_local=non_local,
        sliding=sliding,
    )


@model(
    clip=_8X8,
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="Slow pathway alone, ResNet-50 on 8 frames",
)
def slow_r50_8x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    block_frames: Frames = SLOW_R50,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> InflatedResNet:
    """32.5 M parameters, 41.7 GMACs per view."""
    return InflatedResNet(
        num_classes=num_classes,
        stem_frames=1,
        block_frames=block_frames,
        time_strides=(1, 1, 1),
        channels=channels,
        width=width,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
    )


@model(
    clip=_8X8,
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="Slow pathway alone, ResNet-101 on 8 frames",
)
def slow_r101_8x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    channels: int = 3,
    width: int = 64,
    block_frames: Frames = SLOW_R101,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> InflatedResNet:
    """60.4 M parameters, 85.4 GMACs per view."""
    return slow_r50_8x8(
        num_classes=num_classes,
        dropout=dropout,
        channels=channels,
        width=width,
        block_frames=block_frames,
        non_local=non_local,
        sliding=sliding,
    )
