"""An image network on every frame, and a recurrent layer that reads the frames in order.

Model (a) of Carreira and Zisserman 2017, "Quo Vadis, Action Recognition?", https://arxiv.org/abs/1705.07750, after
Donahue et al. 2015, "Long-term Recurrent Convolutional Networks", https://arxiv.org/abs/1411.4389: a clip of five
seconds, one frame of five.

    clip (3, 25, 224, 224)
      each frame    Inception-v1 (or ResNet-50)     1024 7 7    mean   1024
      batch norm over clips and frames              1024
      LSTM (or GRU) from the first frame to the last 512
      its last state, dropout, linear                  k

The paper normalises inside the LSTM (Cooijmans et al. 2016, https://arxiv.org/abs/1603.09025); here the batch norm
stands in front of it. The paper trains with a loss at every frame and tests with the last frame's logits; here those
of the last frame are trained, too.
"""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel
from muybridge.models._images import STRIDE, frame_by_frame, inception, resnet
from muybridge.models._table import model
from muybridge.types import ClipSpec


class Recurrent(ClipModel):
    """An image network, a recurrent cell over its frames' averages, and a classifier on the last state.

    Args:
        backbone: Frames (n, c, h, w) to maps (n, dim, h / space_stride, w / space_stride).
        dim: Channels of those maps.
        space_stride: Pixels per step of those maps.
        cell: `lstm` or `gru`.
        hidden: Width of the recurrent state.
        num_classes: Number of classes.
        dropout: Before the classifier.
    """

    time_stride = 1

    def __init__(
        self,
        backbone: nn.Module,
        *,
        dim: int,
        space_stride: int = STRIDE,
        cell: str,
        hidden: int = 512,
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if cell not in ("lstm", "gru"):
            raise ValueError(f"cell is {cell!r}; it must be 'lstm' or 'gru'")
        self.backbone = backbone
        self.dim = dim
        self.space_stride = space_stride
        self.norm = nn.BatchNorm1d(dim)
        # Cells rather than nn.LSTM, which hides its weights from `torch.func.functional_call`.
        self.cell = (nn.LSTMCell if cell == "lstm" else nn.GRUCell)(dim, hidden)
        self.head = Classifier(hidden, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        """Maps of every frame; the recurrent layer comes after them."""
        self.check(clip)
        return frame_by_frame(self.backbone, clip)

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits after the last frame."""
        frames = self.norm(self.features(clip).mean((3, 4)))  # b d t
        state = None
        for frame in frames.unbind(2):
            state = self.cell(frame, state)
        seen = state[0] if isinstance(state, tuple) else state
        logits: Tensor = self.head(seen)
        return logits


_INCEPTION = ClipSpec(
    frames=25,
    stride=5,
    fps=Fraction(25),
    size=224,
    short_side=256,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    test_clips=2,
    test_crops=1,
)
_RESNET = ClipSpec(
    frames=25,
    stride=5,
    fps=Fraction(25),
    size=224,
    short_side=256,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    test_clips=2,
    test_crops=1,
)


@model(
    clip=_INCEPTION,
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="Inception-v1 on every fifth frame, read by an LSTM",
)
def lstm_inception(*, num_classes: int = 400, dropout: float = 0.5) -> Recurrent:
    """9.0 M parameters, 37.5 GMACs per view."""
    backbone, dim = inception()
    return Recurrent(backbone, dim=dim, cell="lstm", num_classes=num_classes, dropout=dropout)


@model(
    clip=_RESNET,
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="ResNet-50 on every fifth frame, read by an LSTM",
)
def lstm_r50(*, num_classes: int = 400, dropout: float = 0.5) -> Recurrent:
    """29.0 M parameters, 102.3 GMACs per view."""
    backbone, dim = resnet(50)
    return Recurrent(backbone, dim=dim, cell="lstm", num_classes=num_classes, dropout=dropout)


@model(
    clip=_INCEPTION,
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="Inception-v1 on every fifth frame, read by a GRU",
)
def gru_inception(*, num_classes: int = 400, dropout: float = 0.5) -> Recurrent:
    """8.2 M parameters, 37.5 GMACs per view."""
    backbone, dim = inception()
    return Recurrent(backbone, dim=dim, cell="gru", num_classes=num_classes, dropout=dropout)


@model(
    clip=_RESNET,
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="ResNet-50 on every fifth frame, read by a GRU",
)
def gru_r50(*, num_classes: int = 400, dropout: float = 0.5) -> Recurrent:
    """27.7 M parameters, 102.3 GMACs per view."""
    backbone, dim = resnet(50)
    return Recurrent(backbone, dim=dim, cell="gru", num_classes=num_classes, dropout=dropout)
