"""Pre-activation 3D ResNets: batch norm and ReLU come before each convolution, and nothing after the sum.

He et al. 2016, "Identity Mappings in Deep Residual Networks", https://arxiv.org/abs/1603.05027, grown to 3D by Hara et
al. 2018, https://arxiv.org/abs/1711.09577. Stem, pool and stages are those of `resnet3d`. Unlike He's, Hara's networks
have no batch norm after the last stage, and their first block, too, starts with a norm of its own.

    clip (3, 16, 112, 112)     preact_resnet3d_50
      stem                       64   16 56 56   convolution 7x7x7, norm, ReLU; pooled to 8 28 28
      stage 1                   256    8 28 28   3 times x + conv(relu(norm(...))) of 1x1x1, 3x3x3, 1x1x1
      stage 2, stride 2         512    4 14 14   4
      stage 3, stride 2        1024    2  7  7   6
      stage 4, stride 2        2048    1  4  4   3
      mean, linear
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Residual, Triple
from muybridge.models._table import model
from muybridge.models.resnet3d import ResNet3d, hara, with_shortcut
from muybridge.types import ClipSpec


class NormConv(nn.Module):
    """Batch norm, ReLU, convolution."""

    def __init__(self, width_in: int, width_out: int, size: int, *, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(width_in)
        self.conv = nn.Conv3d(width_in, width_out, size, stride=stride, padding=size // 2, bias=False)

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t2 h2 w2"]:
        """Maps; their size is halved, rounded up, where the convolution strides."""
        maps: Tensor = self.conv(F.relu(self.norm(x), inplace=True))
        return maps


class PreActivation(Residual):
    """`branch(x) + shortcut(x)`: nothing stands in the way from the first block to the last."""

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t2 h2 w2"]:
        """The sum, without a ReLU."""
        kept = x if self.shortcut is None else self.shortcut(x)
        maps: Tensor = self.branch(x) + kept
        return maps


def _basic(width_in: int, width_out: int, stride: Triple, *, shortcut: str) -> Residual:
    branch = nn.Sequential(NormConv(width_in, width_out, 3, stride=stride), NormConv(width_out, width_out, 3))
    return with_shortcut(PreActivation(branch, width_in, width_out, stride), shortcut)


def _bottleneck(width_in: int, width_out: int, stride: Triple, *, shortcut: str) -> Residual:
    inside = width_out // 4
    branch = nn.Sequential(
        NormConv(width_in, inside, 1),
        NormConv(inside, inside, 3, stride=stride),
        NormConv(inside, width_out, 1),
    )
    return with_shortcut(PreActivation(branch, width_in, width_out, stride), shortcut)


_HARA = ClipSpec(
    stride=1,
    size=112,
    short_side=112,
    mean=(0.4345, 0.4051, 0.3775),
    std=(0.2768, 0.2713, 0.2737),
    test_crops=1,
)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-18 with norms before convolutions",
)
def preact_resnet3d_18(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """33.4 M parameters, 8.3 GMACs per view."""
    return hara(num_classes, dropout, depth=18, block=partial(_basic, shortcut=shortcut), width=64)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-34 with norms before convolutions",
)
def preact_resnet3d_34(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """63.7 M parameters, 12.7 GMACs per view."""
    return hara(num_classes, dropout, depth=34, block=partial(_basic, shortcut=shortcut), width=64)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-50 with norms before convolutions",
)
def preact_resnet3d_50(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """47.0 M parameters, 10.1 GMACs per view."""
    return hara(num_classes, dropout, depth=50, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-101 with norms before convolutions",
)
def preact_resnet3d_101(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """86.1 M parameters, 13.9 GMACs per view."""
    return hara(num_classes, dropout, depth=101, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-152 with norms before convolutions",
)
def preact_resnet3d_152(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """118.2 M parameters, 18.6 GMACs per view."""
    return hara(num_classes, dropout, depth=152, block=partial(_bottleneck, shortcut=shortcut), width=256)


@model(
    clip=_HARA,
    paper="Hara et al. 2018, https://arxiv.org/abs/1711.09577",
    summary="3D ResNet-200 with norms before convolutions",
)
def preact_resnet3d_200(*, num_classes: int = 400, dropout: float = 0.0, shortcut: str = "B") -> ResNet3d:
    """127.4 M parameters, 25.8 GMACs per view."""
    return hara(num_classes, dropout, depth=200, block=partial(_bottleneck, shortcut=shortcut), width=256)
