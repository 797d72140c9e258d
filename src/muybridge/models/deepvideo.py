"""DeepVideo: how far apart in a network should frames meet? Four answers on one image network.

Karpathy et al. 2014, "Large-scale Video Classification with Convolutional Neural Networks", CVPR,
https://cs.stanford.edu/people/karpathy/deepvideo/. The four differ in what their first three convolutions see of time:

               frames   conv1                    conv2                  conv3
      single        1   one frame                one                    one
      early        10   all ten                  one                    one
      late          2   one of frames 15 apart   one                    one      and fc6 sees both
      slow         10   four, every second: 4    two, every second: 2   two: 1

    clip (3, 10, 170, 170)    slow fusion
      conv1 11x11, stride 3    96  4 54 54   normalised over 5 channels, max pool 2x2   96  4 27 27
      conv2 5x5               256  2 27 27   normalised over 5 channels, max pool 2x2  256  2 13 13
      conv3 3x3               384  1 13 13
      conv4 3x3               384  1 13 13
      conv5 3x3               256  1 13 13   max pool 2x2                              256  1  6  6
      fc6 4096, fc7 4096, linear

Where the paper is silent: conv1 is not padded (54x54 come out of 170x170 without a rest) and the others keep their
maps' size, as in AlexNet; dropout follows fc6 and fc7, as there; no convolution is grouped. Local response
normalisation has Krizhevsky's constants (k 2, n 5, alpha 1e-4, beta 0.5), whose alpha is per channel: five times that
for PyTorch, which divides by n. The multiresolution streams are left out.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, scaled
from muybridge.models._table import model
from muybridge.types import ClipSpec

_SIDE, _WIDE = 170, 4096
# Channels, and the side of the kernel.
_CONVS = ((96, 11), (256, 5), (384, 3), (384, 3), (256, 3))
_ALONE = (1, 1)


class DeepVideo(ClipModel):
    """Five convolutions and three fully connected layers; fc6 fixes the size of its input.

    Args:
        frames: Frames of a clip.
        extents: Of the first three convolutions: frames that they see, and how far they step in time.
        num_classes: Number of classes.
        dropout: After fc6 and after fc7.
        size: Side of the pictures that fc6 takes, in pixels.
        width: Channels of every layer, as a share of the paper's.
    """

    space_stride = 24

    def __init__(
        self,
        *,
        frames: int,
        extents: tuple[tuple[int, int], ...],
        num_classes: int,
        dropout: float,
        size: int,
        width: float,
    ) -> None:
        super().__init__()
        if size < 32:
            raise ValueError(f"size is {size}; DeepVideo's convolutions and pools need at least 32 pixels")
        self.frames = frames
        self.size = size
        self.time_stride = 1
        self.least = 1
        self.convs = nn.Sequential()
        width_in = self.channels
        widths = scaled([channels for channels, _ in _CONVS], width)
        for i, (width_out, (_, side)) in enumerate(zip(widths, _CONVS, strict=True), start=1):
            extent, step = extents[i - 1] if i <= len(extents) else _ALONE
            first = i == 1
            conv = nn.Conv3d(
                width_in,
                width_out,
                (extent, side, side),
                stride=(step, 3, 3) if first else (step, 1, 1),
                padding=0 if first else (0, side // 2, side // 2),
            )
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            self.convs.add_module(f"conv{i}", conv)
            self.convs.add_module(f"relu{i}", nn.ReLU(inplace=True))
            if i <= 2:
                self.convs.add_module(f"norm{i}", nn.LocalResponseNorm(5, alpha=5e-4, beta=0.5, k=2.0))
            if i != 3 and i != 4:
                self.convs.add_module(f"pool{i}", nn.MaxPool3d((1, 2, 2)))
            self.least += (extent - 1) * self.time_stride
            self.time_stride *= step
            width_in = width_out
        steps = (frames - self.least) // self.time_stride + 1
        side = ((size - 11) // 3 + 1) // 2 // 2 // 2  # conv1 and three pools
        self.dim, (wide,) = widths[-1], scaled([_WIDE], width)
        self.fc6 = nn.Linear(self.dim * steps * side * side, wide)
        self.fc7 = nn.Linear(wide, wide)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.fc6, self.fc7):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self.head = Classifier(wide, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps after the last pool, of clips of any size from 32x32 pixels (their borders are not padded)."""
        self.check(clip)
        if clip.shape[2] < self.least or min(clip.shape[3:]) < 32:
            raise ValueError(
                f"DeepVideo got {_size(clip)}; its convolutions and pools need at least {self.least} frames of 32x32"
            )
        maps: Tensor = self.convs(clip)
        return maps

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits.

        Raises:
            ValueError: The clip is not `frames` frames of `size` x `size`.
        """
        self.check(clip)
        if clip.shape[2:] != (self.frames, self.size, self.size):
            raise ValueError(
                f"DeepVideo got {_size(clip)}; its fully connected layers take {self.frames} frames of "
                f"{self.size}x{self.size} pixels (frames={self.frames} size={self.size} in the clip's settings)"
            )
        x = self.features(clip).flatten(1)
        x = self.dropout(F.relu(self.fc6(x), inplace=True))
        x = F.relu(self.fc7(x), inplace=True)
        logits: Tensor = self.head(x)
        return logits


def _size(clip: Tensor) -> str:
    return f"{clip.shape[2]} frames of {clip.shape[4]}x{clip.shape[3]} pixels"


_TEN_FRAMES = ClipSpec(
    frames=10,
    stride=1,
    size=170,
    short_side=200,
    mean=(117 / 255, 117 / 255, 117 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    test_clips=20,
    test_crops=1,
)


@model(
    clip=ClipSpec(
        frames=1,
        stride=1,
        size=170,
        short_side=200,
        mean=(117 / 255, 117 / 255, 117 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        test_clips=20,
        test_crops=1,
    ),
    paper="Karpathy et al. 2014, https://cs.stanford.edu/people/karpathy/deepvideo/",
    summary="DeepVideo: an AlexNet on one frame",
)
def deepvideo_single(
    *, num_classes: int = 400, dropout: float = 0.5, size: int = _SIDE, width: float = 1.0
) -> DeepVideo:
    """59.9 M parameters, 1.1 GMACs per view."""
    return DeepVideo(frames=1, extents=(), num_classes=num_classes, dropout=dropout, size=size, width=width)


@model(
    clip=_TEN_FRAMES,
    paper="Karpathy et al. 2014, https://cs.stanford.edu/people/karpathy/deepvideo/",
    summary="DeepVideo early fusion: the first convolution sees ten frames",
)
def deepvideo_early(
    *, num_classes: int = 400, dropout: float = 0.5, size: int = _SIDE, width: float = 1.0
) -> DeepVideo:
    """60.2 M parameters, 2.0 GMACs per view."""
    # At ten frames the step does not matter; in longer clips it makes `features` look at each frame once.
    return DeepVideo(
        frames=10, extents=((10, 10),), num_classes=num_classes, dropout=dropout, size=size, width=width
    )


@model(
    clip=ClipSpec(
        frames=2,
        stride=15,
        size=170,
        short_side=200,
        mean=(117 / 255, 117 / 255, 117 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        test_clips=20,
        test_crops=1,
    ),
    paper="Karpathy et al. 2014, https://cs.stanford.edu/people/karpathy/deepvideo/",
    summary="DeepVideo late fusion: two frames, 15 apart, meet in fc6",
)
def deepvideo_late(
    *, num_classes: int = 400, dropout: float = 0.5, size: int = _SIDE, width: float = 1.0
) -> DeepVideo:
    """97.7 M parameters, 2.2 GMACs per view; both frames go through the same convolutions."""
    return DeepVideo(frames=2, extents=(), num_classes=num_classes, dropout=dropout, size=size, width=width)


@model(
    clip=_TEN_FRAMES,
    paper="Karpathy et al. 2014, https://cs.stanford.edu/people/karpathy/deepvideo/",
    summary="DeepVideo slow fusion: three convolutions gather ten frames",
)
def deepvideo_slow(
    *, num_classes: int = 400, dropout: float = 0.5, size: int = _SIDE, width: float = 1.0
) -> DeepVideo:
    """61.5 M parameters, 4.1 GMACs per view."""
    return DeepVideo(
        frames=10,
        extents=((4, 2), (2, 2), (2, 2)),
        num_classes=num_classes,
        dropout=dropout,
        size=size,
        width=width,
    )
