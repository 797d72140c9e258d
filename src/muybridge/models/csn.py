"""CSN: 3D residual networks whose 3x3x3 convolutions look at each channel alone.

Tran et al. 2019, "Video Classification with Channel-Separated Convolutional Networks",
https://arxiv.org/abs/1904.02811. Channels meet in the 1x1x1 convolutions only. The interaction-preserved form (ip)
puts one more of those before the 3x3x3, which keeps the meetings that the separation took away; the
interaction-reduced form (ir) does without.

    clip (3, 32, 224, 224)
      stem       64  32 112 112   3x7x7, then a 1x3x3 max pool: 32 56 56
      stage 1   256  32  56  56    3 blocks of depth 50     3 of 101     3 of 152
      stage 2   512  16  28  28    4                        4            8
      stage 3  1024   8  14  14    6                       23           36
      stage 4  2048   4   7   7    3                        3            3
      mean, dropout, linear

    block, ir   1x1x1, ReLU              3x3x3 of each channel, ReLU   1x1x1   + shortcut, ReLU
    block, ip   1x1x1, ReLU     1x1x1    3x3x3 of each channel, ReLU   1x1x1   + shortcut, ReLU
"""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, Residual, Triple, init_residual
from muybridge.models._table import model
from muybridge.types import ClipSpec

_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class Csn(ClipModel):
    """A stem and four stages of channel-separated bottlenecks.

    Args:
        num_classes: Number of classes.
        depth: Layers: 50, 101 or 152.
        preserved: Interaction-preserved blocks, else interaction-reduced ones.
        eps: Of every batch norm. The paper's own weights, which MMAction2 hands on, want 1e-3; PyTorchVideo's 1e-5.
        sliding: Classify every 7x7 window of the last maps and average, see `muybridge.models._blocks.slide`.
        dropout: Before the classifier.
    """

    dim = 2048
    time_stride = 8
    space_stride = 32

    def __init__(
        self,
        *,
        num_classes: int,
        depth: int,
        preserved: bool,
        eps: float,
        sliding: bool = False,
        dropout: float,
    ) -> None:
        super().__init__()
        self.window = 7 if sliding else 0
        self.stem = ConvNorm(self.channels, 64, (3, 7, 7), stride=(1, 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.stages = nn.Sequential()
        width_in = 64
        for stage, blocks in enumerate(_DEPTHS[depth]):
            width, stride = 64 * 2**stage, (1, 1, 1) if stage == 0 else (2, 2, 2)
            layers = [_block(width_in, width, preserved=preserved, stride=stride)]
            width_in = 4 * width
            layers += [_block(width_in, width, preserved=preserved) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(*layers))
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps = eps
        init_residual(self)
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last stage."""
        self.check(clip)
        maps: Tensor = self.stages(self.pool(self.stem(clip)))
        return maps


def _block(width_in: int, width: int, *, preserved: bool, stride: Triple = (1, 1, 1)) -> Residual:
    branch = nn.Sequential(ConvNorm(width_in, width, (1, 1, 1)))
    if preserved:
        branch.append(ConvNorm(width, width, (1, 1, 1), relu=False))
    branch.append(ConvNorm(width, width, (3, 3, 3), stride=stride, groups=width))
    branch.append(ConvNorm(width, 4 * width, (1, 1, 1), relu=False))
    return Residual(branch, width_in, 4 * width, stride)


_FROM_IG65M = ClipSpec(frames=32, stride=2, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_FROM_SCRATCH = ClipSpec(
    frames=32, stride=2, mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989)
)


@model(
    clip=_FROM_IG65M,
    paper="Tran et al. 2019, https://arxiv.org/abs/1904.02811",
    summary="interaction-reduced CSN-50",
)
def ircsn_r50(
    *, num_classes: int = 400, dropout: float = 0.5, eps: float = 1e-3, sliding: bool = False
) -> Csn:
    """13.1 M parameters, 42.3 GMACs per view of 224x224 (55.3 at the 256x256 of the published scores)."""
    return Csn(num_classes=num_classes, depth=50, preserved=False, eps=eps, sliding=sliding, dropout=dropout)


@model(
    clip=ClipSpec(frames=32, stride=2, fps=Fraction(30), mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225)),
    paper="Tran et al. 2019, https://arxiv.org/abs/1904.02811",
    summary="interaction-reduced CSN-101",
)
def ircsn_r101(
    *, num_classes: int = 400, dropout: float = 0.5, eps: float = 1e-3, sliding: bool = False
) -> Csn:
    """22.2 M parameters, 56.5 GMACs per view of 224x224 (73.8 at the 256x256 of the published scores)."""
    return Csn(num_classes=num_classes, depth=101, preserved=False, eps=eps, sliding=sliding, dropout=dropout)


@model(
    clip=_FROM_IG65M,
    paper="Tran et al. 2019, https://arxiv.org/abs/1904.02811",
    summary="interaction-reduced CSN-152",
)
def ircsn_r152(
    *, num_classes: int = 400, dropout: float = 0.5, eps: float = 1e-3, sliding: bool = False
) -> Csn:
    """29.7 M parameters, 74.0 GMACs per view of 224x224 (96.7 at the 256x256 of the published scores)."""
    return Csn(num_classes=num_classes, depth=152, preserved=False, eps=eps, sliding=sliding, dropout=dropout)


@model(
    clip=_FROM_SCRATCH,
    paper="Tran et al. 2019, https://arxiv.org/abs/1904.02811",
    summary="interaction-preserved CSN-50",
)
def ipcsn_r50(*, num_classes: int = 400, dropout: float = 0.5, eps: float = 1e-3) -> Csn:
    """14.4 M parameters, 47.7 GMACs per view of 224x224 (62.2 at 256x256)."""
    return Csn(num_classes=num_classes, depth=50, preserved=True, eps=eps, dropout=dropout)


@model(
    clip=_FROM_SCRATCH,
    paper="Tran et al. 2019, https://arxiv.org/abs/1904.02811",
    summary="interaction-preserved CSN-101",
)
def ipcsn_r101(*, num_classes: int = 400, dropout: float = 0.5, eps: float = 1e-3) -> Csn:
    """24.6 M parameters, 63.6 GMACs per view of 224x224 (83.0 at the 256x256 of the paper)."""
    return Csn(num_classes=num_classes, depth=101, preserved=True, eps=eps, dropout=dropout)


@model(
    clip=_FROM_SCRATCH,
    paper="Tran et al. 2019, https://arxiv.org/abs/1904.02811",
    summary="interaction-preserved CSN-152",
)
def ipcsn_r152(*, num_classes: int = 400, dropout: float = 0.5, eps: float = 1e-3) -> Csn:
    """33.0 M parameters, 83.3 GMACs per view of 224x224 (108.8 at the 256x256 of the published scores)."""
    return Csn(num_classes=num_classes, depth=152, preserved=True, eps=eps, dropout=dropout)
