"""Temporal segment network: one frame of each part of the video, an image network, a vote.

Wang et al. 2016, "Temporal Segment Networks: Towards Good Practices for Deep Action Recognition",
https://arxiv.org/abs/1608.00859. The clip's time axis holds segments; any number of them goes in.

    clip (3, 8, 224, 224)
      each segment   ResNet-50 (He et al. 2016, https://arxiv.org/abs/1512.03385)   2048 7 7
                     mean, dropout, linear                                         k
      consensus      mean (or maximum) of the segments' logits                     k
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import resnet50

from muybridge.models._blocks import Classifier, ClipModel
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
    """

    time_stride = 1

    def __init__(
        self,
        backbone: nn.Module,
        *,
        dim: int,
        space_stride: int,
        num_classes: int,
        consensus: str,
        dropout: float,
    ) -> None:
        super().__init__()
        if consensus not in ("average", "max"):
            raise ValueError(f"consensus is {consensus!r}; it must be 'average' or 'max'")
        self.backbone = backbone
        self.dim = dim
        self.space_stride = space_stride
        self.consensus = consensus
        self.head = Classifier(dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        """Maps of every segment."""
        self.check(clip)
        frames = clip.transpose(1, 2).flatten(0, 1)
        maps: Tensor = self.backbone(frames)
        return maps.reshape(clip.shape[0], clip.shape[2], *maps.shape[1:]).transpose(1, 2)

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits on which the segments agree."""
        segments: Tensor = self.head(self.features(clip).mean((3, 4)).transpose(1, 2))  # b t k
        return segments.mean(1) if self.consensus == "average" else segments.amax(1)


def _trunk(network: Any) -> nn.Module:
    """A ResNet of torchvision up to its last maps, under torchvision's own key names."""
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return nn.Sequential(OrderedDict((name, getattr(network, name)) for name in names))


@model(
    # MMAction2 trains on 8 segments and tests on 25 (`frames=25`), whose scores are the published ones.
    clip=ClipSpec(
        frames=8,
        sampling="segments",
        size=224,
        short_side=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        test_clips=1,
        test_crops=3,
    ),
    paper="Wang et al. 2016, https://arxiv.org/abs/1608.00859",
    summary="ResNet-50 on one frame of each segment, averaged",
)
def tsn_r50(*, num_classes: int = 400, dropout: float = 0.4, consensus: str = "average") -> Tsn:
    """24.3 M parameters, 32.9 GMACs per view of 8 segments (4.1 each)."""
    return Tsn(
        _trunk(resnet50(weights=None)),
        dim=2048,
        space_stride=32,
        num_classes=num_classes,
        consensus=consensus,
        dropout=dropout,
    )
