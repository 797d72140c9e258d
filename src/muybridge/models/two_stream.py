"""Two streams: what is there, seen in RGB, and how it moves, seen in optical flow.

One clip holds both: three channels of RGB and two of flow (horizontal, vertical). Frame and flow field of one index
belong together.

two_stream_*: Simonyan and Zisserman 2014, "Two-Stream Convolutional Networks for Action Recognition in Videos",
https://arxiv.org/abs/1406.2199, on the networks of Carreira and Zisserman 2017, "Quo Vadis, Action Recognition?",
https://arxiv.org/abs/1705.07750 (model (c)). A clip is cut into snippets of ten; of each, the RGB stream sees the
middle frame (the sixth), the flow stream all fields at once, stacked to channels x1, y1, ..., x10, y10. The logits of
both streams, and of all snippets, are averaged.

    clip (5, 10, 224, 224)
      RGB    one frame   (3, 224, 224)    Inception-v1   1024 7 7   mean, dropout, linear   k
      flow   ten fields  (20, 224, 224)   Inception-v1   1024 7 7   mean, dropout, linear   k
      average                                                                                k

fused_two_stream_inception: model (d), after Feichtenhofer et al. 2016, https://arxiv.org/abs/1604.06573: five
snippets, whose last maps meet in a 3D convolution. Where the paper is silent: the convolution keeps the maps' size, the
pool halves it, and what is left is averaged before the fully connected layer; this gives the paper's 39 M parameters.

    clip (5, 50, 224, 224)
      RGB    5 frames, 10 apart   Inception-v1   1024 5 7 7
      flow   5 stacks of 10       Inception-v1   1024 5 7 7
      joined 2048, 3x3x3 convolution              512 5 7 7
      3x3x3 max pool, stride 2                    512 3 4 4   mean, dropout, linear   k

two_stream_i3d: I3D on RGB and on flow (model (e)), whose logits are added up, as its authors' code does.
"""

from __future__ import annotations

from fractions import Fraction

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm
from muybridge.models._images import STRIDE, frame_by_frame, inception, resnet
from muybridge.models._table import create_model, model
from muybridge.models.tsn import Tsn
from muybridge.types import ClipSpec

_SNIPPET = 10
_RGB = 3


class TwoStream(ClipModel):
    """Any two clip models, one for the first three channels (RGB), one for the rest (flow).

    Args:
        rgb: Sees RGB.
        flow: Sees flow; with as many classes.
        fusion: `average` or `sum` of both models' logits. The order of the classes is the same; the sum is the surer.
    """

    def __init__(self, rgb: ClipModel, flow: ClipModel, *, fusion: str = "average") -> None:
        super().__init__()
        if fusion not in ("average", "sum"):
            raise ValueError(f"fusion is {fusion!r}; it must be 'average' or 'sum'")
        if rgb.num_classes != flow.num_classes:
            raise ValueError(
                f"the RGB stream has {rgb.num_classes} classes and the flow stream {flow.num_classes}; "
                "their logits must be of the same classes"
            )
        self.rgb = rgb
        self.flow = flow
        self.fusion = fusion
        self.channels = rgb.channels + flow.channels
        self.dim = rgb.dim + flow.dim
        self.time_stride = rgb.time_stride
        self.space_stride = rgb.space_stride

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """Those of both streams."""
        return (*self.rgb.classifiers, *self.flow.classifiers)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of both streams, RGB before flow.

        Raises:
            ValueError: The clip has a wrong shape or type, or the streams' maps differ in size.
        """
        rgb, flow = self._split(clip)
        maps = self.rgb.features(rgb), self.flow.features(flow)
        if maps[0].shape[2:] != maps[1].shape[2:]:
            raise ValueError(
                f"the streams' maps are {tuple(maps[0].shape[2:])} and {tuple(maps[1].shape[2:])} (t, h, w) and can't "
                "be joined; ask each stream for its own (model.rgb, model.flow)"
            )
        return torch.cat(maps, dim=1)

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits of both streams together."""
        rgb, flow = self._split(clip)
        total: Tensor = self.rgb(rgb) + self.flow(flow)
        return total if self.fusion == "sum" else total / 2

    def _split(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        self.check(clip)
        return clip[:, : self.rgb.channels], clip[:, self.rgb.channels :]


class RgbSnippets(Tsn):
    """An image network on the middle frame of every ten, and the average of its logits."""

    time_stride = _SNIPPET

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of every snippet's frame."""
        self.check(clip)
        return frame_by_frame(self.backbone, _middles(clip))


class FlowSnippets(Tsn):
    """An image network (of 20 channels) on every ten flow fields, and the average of its logits."""

    time_stride = _SNIPPET

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of every snippet's stack."""
        self.check(clip)
        return frame_by_frame(self.backbone, _stacks(clip))


class FusedTwoStream(ClipModel):
    """Image networks on frames and on stacks of flow, whose maps meet in a 3D convolution.

    Args:
        rgb: Frames (n, 3, h, w) to maps (n, dim, h / 32, w / 32).
        flow: Stacks of ten flow fields (n, 20, h, w) to such maps.
        dim: Channels of the maps of each.
        num_classes: Number of classes.
        dropout: Before the classifier.
    """

    channels = 5
    dim = 512
    time_stride = _SNIPPET
    space_stride = STRIDE

    def __init__(
        self, rgb: nn.Module, flow: nn.Module, *, dim: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.rgb = rgb
        self.flow = flow
        self.fusion = ConvNorm(2 * dim, self.dim, (3, 3, 3))
        nn.init.kaiming_normal_(self.fusion.conv.weight, mode="fan_out", nonlinearity="relu")
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps after the 3D convolution, one step per snippet."""
        self.check(clip)
        rgb = frame_by_frame(self.rgb, _middles(clip[:, :_RGB]))
        flow = frame_by_frame(self.flow, _stacks(clip[:, _RGB:]))
        fused: Tensor = self.fusion(torch.cat([rgb, flow], dim=1))
        return fused

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits."""
        maps = F.max_pool3d(self.features(clip), 3, stride=2, padding=1)
        logits: Tensor = self.head(maps.mean((2, 3, 4)))
        return logits


def _snippets(clip: Tensor) -> Tensor:
    """Runs of ten frames, (b, c, n, 10, h, w); what is left over at the end is not looked at."""
    count = clip.shape[2] // _SNIPPET
    if count < 1:
        raise ValueError(
            f"a stream got {clip.shape[2]} frames of {clip.shape[4]}x{clip.shape[3]} pixels; it looks at ten "
            f"at a time, so it takes at least {_SNIPPET} (frames={_SNIPPET} in the clip's settings)"
        )
    b, c, _, h, w = clip.shape
    return clip[:, :, : count * _SNIPPET].reshape(b, c, count, _SNIPPET, h, w)


def _middles(clip: Tensor) -> Tensor:
    """The sixth frame of every ten: (b, c, n, h, w)."""
    return _snippets(clip)[:, :, :, _SNIPPET // 2]


def _stacks(clip: Tensor) -> Tensor:
    """Every ten flow fields as channels x1, y1, ..., x10, y10: (b, 20, n, h, w)."""
    return _snippets(clip).permute(0, 3, 1, 2, 4, 5).flatten(1, 2)


@model(
    clip=ClipSpec(
        frames=10,
        stride=1,
        fps=Fraction(25),
        size=224,
        short_side=256,
        modality="rgb+flow",
        mean=(0.5, 0.5, 0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5, 0.5, 0.5),
        test_clips=25,
        test_crops=1,
    ),
    paper="Simonyan and Zisserman 2014, https://arxiv.org/abs/1406.2199",
    summary="Inception-v1 on one frame and on ten flow fields, averaged",
)
def two_stream_inception(*, num_classes: int = 400, dropout: float = 0.5) -> TwoStream:
    """12.1 M parameters, 3.7 GMACs per view."""
    rgb, dim = inception()
    flow, _ = inception(channels=2 * _SNIPPET)
    return _pair(rgb, flow, dim, num_classes, dropout)


@model(
    clip=ClipSpec(
        frames=10,
        stride=1,
        fps=Fraction(25),
        size=224,
        short_side=256,
        modality="rgb+flow",
        mean=(0.485, 0.456, 0.406, 0.5, 0.5),
        std=(0.229, 0.224, 0.225, 0.5, 0.5),
        test_clips=25,
        test_crops=1,
    ),
    paper="Simonyan and Zisserman 2014, https://arxiv.org/abs/1406.2199",
    summary="ResNet-50 on one frame and on ten flow fields, averaged",
)
def two_stream_r50(*, num_classes: int = 400, dropout: float = 0.5) -> TwoStream:
    """48.7 M parameters, 8.8 GMACs per view."""
    rgb, dim = resnet(50)
    flow, _ = resnet(50, channels=2 * _SNIPPET)
    return _pair(rgb, flow, dim, num_classes, dropout)


@model(
    clip=ClipSpec(
        frames=50,
        stride=1,
        fps=Fraction(25),
        size=224,
        short_side=256,
        modality="rgb+flow",
        mean=(0.5, 0.5, 0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5, 0.5, 0.5),
        test_clips=5,
        test_crops=1,
    ),
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="Inception-v1 on five frames and five stacks of flow, fused in 3D",
)
def fused_two_stream_inception(*, num_classes: int = 400, dropout: float = 0.5) -> FusedTwoStream:
    """39.8 M parameters, 25.3 GMACs per view."""
    rgb, dim = inception()
    flow, _ = inception(channels=2 * _SNIPPET)
    return FusedTwoStream(rgb, flow, dim=dim, num_classes=num_classes, dropout=dropout)


@model(
    clip=ClipSpec(
        frames=64,
        stride=1,
        fps=Fraction(25),
        size=224,
        short_side=256,
        modality="rgb+flow",
        mean=(0.5, 0.5, 0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5, 0.5, 0.5),
        test_clips=1,
        test_crops=1,
    ),
    paper="Carreira and Zisserman 2017, https://arxiv.org/abs/1705.07750",
    summary="I3D on RGB and on flow, logits added up",
)
def two_stream_i3d(*, num_classes: int = 400, dropout: float = 0.5) -> TwoStream:
    """25.4 M parameters, 213.5 GMACs per view."""
    rgb = create_model("i3d_rgb", num_classes=num_classes, dropout=dropout)
    flow = create_model("i3d_flow", num_classes=num_classes, dropout=dropout)
    return TwoStream(rgb, flow, fusion="sum")


def _pair(rgb: nn.Module, flow: nn.Module, dim: int, num_classes: int, dropout: float) -> TwoStream:
    return TwoStream(
        RgbSnippets(rgb, dim=dim, num_classes=num_classes, dropout=dropout),
        FlowSnippets(flow, dim=dim, num_classes=num_classes, dropout=dropout, channels=2),
    )
