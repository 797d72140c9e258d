"""Image networks on segments of a video: TSN, where each votes for itself, and TSM, where they look at each other.

Wang et al. 2016, "Temporal Segment Networks: Towards Good Practices for Deep Action Recognition",
https://arxiv.org/abs/1608.00859. The clip's time axis holds segments; any number of them goes in. A segment is one
frame, or for the flow network a stack of five flow fields: ten channels x1, y1, ..., x5, y5.

    clip (3, 8, 224, 224)
      each segment   ResNet (He et al. 2016, https://arxiv.org/abs/1512.03385)   2048 7 7
                     mean, dropout, linear                                       k
      consensus      mean (or maximum) of the segments' logits                   k

Lin et al. 2019, "TSM: Temporal Shift Module for Efficient Video Understanding", https://arxiv.org/abs/1811.08383.
The same network, but in front of a block's first convolution an eighth of the channels comes from the next segment
and an eighth from the one before; it costs no arithmetic. The block's shortcut is left alone.

    segment     1   2   3   ...   8
    channels
      0 - 1/8   2   3   4   ...   0     the next one's
    1/8 - 2/8   0   1   2   ...   7     the one's before
    2/8 - end   1   2   3   ...   8     its own
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel
from muybridge.models._images import STRIDE, frame_by_frame, resnet
from muybridge.models._table import model
from muybridge.types import ClipSpec


class Tsn(ClipModel):
    """An image network on every segment, and their consensus.

    Args:
        backbone: Frames (n, c, h, w) to maps (n, dim, h / space_stride, w / space_stride).
        dim: Channels of those maps.
        space_stride: Pixels per step of those maps.
        num_classes: Number of classes.
        consensus: `average` or `max` over the segments' logits.
        dropout: Before the classifier.
        channels: Channels of a segment.
        std: Standard deviation of the classifier's fresh weights.
    """

    time_stride = 1

    def __init__(
        self,
        backbone: nn.Module,
        *,
        dim: int,
        space_stride: int = STRIDE,
        num_classes: int,
        consensus: str = "average",
        dropout: float,
        channels: int = 3,
        std: float = 0.01,
    ) -> None:
        super().__init__()
        if consensus not in ("average", "max"):
            raise ValueError(f"consensus is {consensus!r}; it must be 'average' or 'max'")
        self.backbone = backbone
        self.dim = dim
        self.space_stride = space_stride
        self.consensus = consensus
        self.channels = channels
        self.head = Classifier(dim, num_classes, dropout=dropout, std=std)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        """Maps of every segment."""
        self.check(clip)
        return frame_by_frame(self.backbone, clip)

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits on which the segments agree."""
        segments: Tensor = self.head(self.features(clip).mean((3, 4)).transpose(1, 2))  # b t k
        return segments.mean(1) if self.consensus == "average" else segments.amax(1)


class Tsm(Tsn):
    """A ResNet on every segment whose blocks see the neighbouring segments; takes what `Tsn` takes.

    Args:
        backbone: A trunk of `_images.resnet`.
        shifted_every: Shift in the first block of each stage and every so many after it.
        shift_div: One part in so many of the channels moves, in each direction.
        **options: Those of `Tsn`.
    """

    def __init__(
        self, backbone: nn.Sequential, *, shifted_every: int = 1, shift_div: int = 8, **options: Any
    ) -> None:
        super().__init__(backbone, **options)
        self.shifted_every = shifted_every
        self.shift_div = shift_div

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        """Maps of every segment, each having seen its neighbours."""
        self.check(clip)
        segments = clip.shape[2]
        x = clip.transpose(1, 2).flatten(0, 1)
        for name, stage in self.backbone.named_children():
            if not name.startswith("layer"):
                x = stage(x)
                continue
            for i, block in enumerate(stage.children()):
                shifts = i % self.shifted_every == 0
                x = _block(block, x, shift(x, segments, self.shift_div) if shifts else x)
        return x.reshape(clip.shape[0], segments, *x.shape[1:]).transpose(1, 2)


def shift(x: Float[Tensor, "bt d h w"], segments: int, parts: int) -> Float[Tensor, "bt d h w"]:
    """Bring one part of the channels from the next segment and one from the segment before; zeros at the ends.

    Args:
        x: Maps of all segments, those of one clip in a row.
        segments: Segments of a clip.
        parts: How many parts the channels are divided into.
    """
    width = x.shape[1] // parts
    x = x.reshape(-1, segments, *x.shape[1:])  # b t d h w
    after = F.pad(x[:, 1:, :width], (0, 0, 0, 0, 0, 0, 0, 1))
    before = F.pad(x[:, :-1, width : 2 * width], (0, 0, 0, 0, 0, 0, 1, 0))
    return torch.cat([after, before, x[:, :, 2 * width :]], dim=2).flatten(0, 1)


def _block(block: Any, x: Tensor, shifted: Tensor) -> Tensor:
    """A bottleneck of torchvision whose branch starts from something else than its shortcut does."""
    kept = x if block.downsample is None else block.downsample(x)
    y = block.relu(block.bn1(block.conv1(shifted)))
    y = block.relu(block.bn2(block.conv2(y)))
    y = block.bn3(block.conv3(y))
    return F.relu(y + kept, inplace=True)


_SEGMENTS = ClipSpec(
    frames=8,
    sampling="segments",
    size=224,
    short_side=256,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    test_clips=1,
    test_crops=3,
)


@model(
    # MMAction2 trains on 8 segments and tests on 25 (`frames=25`), whose scores are the published ones.
    clip=_SEGMENTS,
    paper="Wang et al. 2016, https://arxiv.org/abs/1608.00859",
    summary="TSN: ResNet-50 on one frame of each segment, and a vote",
)
def tsn_r50(*, num_classes: int = 400, dropout: float = 0.4, consensus: str = "average") -> Tsn:
    """24.3 M parameters, 32.7 GMACs per view of 8 segments (4.1 each)."""
    backbone, dim = resnet(50)
    return Tsn(backbone, dim=dim, num_classes=num_classes, consensus=consensus, dropout=dropout)


@model(
    clip=_SEGMENTS,
    paper="Wang et al. 2016, https://arxiv.org/abs/1608.00859",
    summary="TSN: ResNet-101 on one frame of each segment, and a vote",
)
def tsn_r101(*, num_classes: int = 400, dropout: float = 0.4, consensus: str = "average") -> Tsn:
    """43.3 M parameters, 62.4 GMACs per view of 8 segments (7.8 each)."""
    backbone, dim = resnet(101)
    return Tsn(backbone, dim=dim, num_classes=num_classes, consensus=consensus, dropout=dropout)


@model(
    clip=ClipSpec(
        frames=8,
        sampling="segments",
        size=224,
        short_side=256,
        modality="flow",
        mean=(0.5,) * 10,
        std=(0.5,) * 10,
        test_clips=1,
        test_crops=3,
    ),
    paper="Wang et al. 2016, https://arxiv.org/abs/1608.00859",
    summary="TSN: ResNet-50 on five flow fields of each segment, and a vote",
)
def tsn_r50_flow(*, num_classes: int = 400, dropout: float = 0.4, consensus: str = "average") -> Tsn:
    """24.4 M parameters, 34.9 GMACs per view of 8 segments (4.4 each)."""
    backbone, dim = resnet(50, channels=10)
    return Tsn(backbone, dim=dim, num_classes=num_classes, consensus=consensus, dropout=dropout, channels=10)


@model(
    clip=_SEGMENTS,
    paper="Lin et al. 2019, https://arxiv.org/abs/1811.08383",
    summary="TSM: ResNet-50 on segments, channels shifted between neighbours",
)
def tsm_r50(*, num_classes: int = 400, dropout: float = 0.5) -> Tsm:
    """24.3 M parameters, 32.7 GMACs per view of 8 segments; weights for 16 segments fit as well (`frames=16`)."""
    backbone, dim = resnet(50)
    return Tsm(backbone, dim=dim, num_classes=num_classes, dropout=dropout, std=0.001)


@model(
    clip=_SEGMENTS,
    paper="Lin et al. 2019, https://arxiv.org/abs/1811.08383",
    summary="TSM: ResNet-101 on segments, channels shifted in every second block",
)
def tsm_r101(*, num_classes: int = 400, dropout: float = 0.5) -> Tsm:
    """43.3 M parameters, 62.4 GMACs per view of 8 segments; every second block of a stage shifts."""
    backbone, dim = resnet(101)
    return Tsm(backbone, dim=dim, num_classes=num_classes, dropout=dropout, shifted_every=2, std=0.001)
