"""SlowFast: a slow pathway sees what is there, a thin fast one how it moves.

Feichtenhofer et al. 2019, "SlowFast Networks for Video Recognition", https://arxiv.org/abs/1812.03982. One
clip goes in; the slow pathway takes one frame of `alpha`. After the stem and after each of the first three
stages a lateral connection brings the fast maps to the slow pathway: by default a convolution along time,
strided by `alpha`.

    clip (3, 32, 224, 224)
              slow: 8 frames                     fast: 32 frames
      stem      64  8 56 56  1x7x7, max pool       8  32 56 56  5x7x7, max pool
               +16 <------------ lateral ---------'
      stage 1  256  8 56 56  1x1x1, 1x3x3         32  32 56 56  3x1x1, 1x3x3    3 bottlenecks
               +64 <------------------------------'
      stage 2  512  8 28 28                       64  32 28 28                  4
              +128 <------------------------------'
      stage 3 1024  8 14 14  3x1x1, 1x3x3        128  32 14 14                  6
              +256 <------------------------------'
      stage 4 2048  8  7  7                      256  32  7  7                  3
      mean of each, joined to 2304, dropout, linear
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, init_residual
from muybridge.models._table import model
from muybridge.models.inflated import (
    R50,
    R101,
    SLOW_R50,
    SLOW_R101,
    WINDOW,
    Frames,
    InflatedResNet,
    frames_of,
    inflated_stages,
)
from muybridge.types import ClipSpec

FAST_R50, FAST_R101 = frames_of(R50, ((3,),) * 4), frames_of(R101, ((3,),) * 4)
# "R101_50_50": the third stage looks along time no deeper than a ResNet-50's.
_SIX_OF_23 = (3,) * 6 + (1,) * 17
SLOW_R101_50 = (*SLOW_R101[:2], _SIX_OF_23, SLOW_R101[3])
FAST_R101_50 = (*FAST_R101[:2], _SIX_OF_23, FAST_R101[3])

_SLOW_WIDTH = 64
_LATERALS = ("time_strided_conv", "time_strided_sampling", "time_to_channel")
_FAST_INPUTS = ("rgb", "grey", "time_difference", "half_resolution")
_SLOW_FRAMES = ("linspace", "strided")


class Pathway(nn.Module):
    """A stem with its pool, and stages of bottlenecks; its owner runs them one by one and joins in between.

    Args:
        channels: Channels of what goes in.
        width: Channels after the stem.
        stem_frames: Frames that the stem's convolution sees.
        block_frames: Frames that the first convolution of each block sees, stage by stage.
        joined: Channels that a lateral connection adds before each stage.
        non_local: Where non-local blocks are and of which kind, see `inflated_stages`.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        stem_frames: int,
        block_frames: Frames,
        joined: Sequence[int] = (0, 0, 0, 0),
        non_local: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(channels, width, (stem_frames, 7, 7), stride=(1, 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.stages = inflated_stages(width, block_frames, joined=joined, non_local=non_local)
        self.widths = [width, *(4 * width * 2**stage for stage in range(len(block_frames)))]


class TimeStridedSampling(nn.Module):
    """One fast frame of `alpha`."""

    def __init__(self, alpha: int) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, fast: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d t2 h w"]:
        """The slow pathway's frames of the fast maps."""
        return fast[:, :, :: self.alpha]


class TimeToChannel(nn.Module):
    """All `alpha` fast frames of a slow one, side by side in the channels."""

    def __init__(self, alpha: int) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, fast: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t2 h w"]:
        """Fast maps with `alpha` times the channels and one frame of `alpha`."""
        batch, width, frames, *size = fast.shape
        kept = -(-frames // self.alpha)
        # The last frame stands in for those that an odd clip lacks.
        indices = torch.arange(kept * self.alpha, device=fast.device).clamp(max=frames - 1)
        grouped = fast.index_select(2, indices).reshape(batch, width, kept, self.alpha, *size)
        return grouped.transpose(2, 3).flatten(1, 2)


class SlowFast(ClipModel):
    """Both pathways, their lateral connections, and the classifier on their joined averages.

    Args:
        num_classes: Number of classes.
        slow_block_frames: Frames that the first convolution of each block of the slow pathway sees, stage by stage.
        fast_block_frames: Of the fast one; as many stages, whose depths may differ.
        alpha: Frames of the fast pathway per frame of the slow one.
        beta: Channels of the fast pathway per channel of the slow one.
        lateral: How fast maps come to the slow pathway's rhythm: `time_strided_conv`, a strided convolution to twice
            the channels; `time_strided_sampling`, one frame of `alpha`; `time_to_channel`, all of them side by side.
        fusion_kernel: Frames that a lateral convolution sees.
        fusion_norm: Batch norm and ReLU after the lateral convolutions (not in most of MMAction2's).
        fast_input: What the fast pathway sees of the clip: `rgb` all, `grey` its brightness, `time_difference` the
            change of brightness since the frame before, `half_resolution` every 2x2 pixels averaged. With the last,
            its maps have half the slow ones' size, and the laterals enlarge them.
        slow_frames: `linspace` spreads them from the first to the last frame (PySlowFast, PyTorchVideo);
            `strided` takes every `alpha`-th (MMAction2).
        non_local: Non-local blocks of the slow pathway, see `muybridge.models.inflated.inflated_stages`.
        sliding: Classify every 7x7 window of the last maps and average, see `muybridge.models._blocks.slide`.
        dropout: Before the classifier.
        width: Channels of the slow pathway after its stem.
    """

    space_stride = 32

    def __init__(
        self,
        *,
        num_classes: int,
        slow_block_frames: Frames,
        fast_block_frames: Frames,
        alpha: int,
        beta: float = 0.125,
        lateral: str = "time_strided_conv",
        fusion_kernel: int,
        fusion_norm: bool,
        fast_input: str = "rgb",
        slow_frames: str,
        non_local: Mapping[str, Any] | None,
        sliding: bool = False,
        dropout: float,
        width: int = _SLOW_WIDTH,
    ) -> None:
        super().__init__()
        _check_choice("lateral", lateral, _LATERALS)
        _check_choice("fast_input", fast_input, _FAST_INPUTS)
        _check_choice("slow_frames", slow_frames, _SLOW_FRAMES)
        if alpha < 1:
            raise ValueError(f"alpha is {alpha}; the slow pathway takes one frame of alpha, at least 1")
        fast_width = round(width * beta)
        if fast_width < 1:
            raise ValueError(f"beta is {beta}; it leaves the fast pathway {fast_width} of {width} channels")
        if fusion_kernel % 2 == 0:
            raise ValueError(
                f"fusion_kernel is {fusion_kernel}; an odd number of frames has a middle, e.g. 5 or 7"
            )
        self.alpha = self.time_stride = alpha
        self.window = WINDOW if sliding else 0
        self.fast_input = fast_input
        self.slow_frames = slow_frames
        channels = 1 if fast_input in ("grey", "time_difference") else self.channels
        self.fast = Pathway(channels, fast_width, stem_frames=5, block_frames=fast_block_frames)
        widths = self.fast.widths[:-1]
        if lateral == "time_strided_conv":
            joined, kernel, stride = [2 * width for width in widths], (fusion_kernel, 1, 1), (alpha, 1, 1)
            self.laterals = nn.ModuleList(
                ConvNorm(width, 2 * width, kernel, stride=stride, norm=fusion_norm, relu=fusion_norm)
                for width in widths
            )
        elif lateral == "time_strided_sampling":
            joined = widths
            self.laterals = nn.ModuleList(TimeStridedSampling(alpha) for _ in widths)
        else:
            joined = [alpha * width for width in widths]
            self.laterals = nn.ModuleList(TimeToChannel(alpha) for _ in widths)
        self.slow = Pathway(
            self.channels,
            width,
            stem_frames=1,
            block_frames=slow_block_frames,
            joined=joined,
            non_local=non_local,
        )
        self.dim = self.slow.widths[-1] + self.fast.widths[-1]
        init_residual(self, zero_last_norm=True)
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last stage, slow before fast; the fast ones are averaged to the slow pathway's time."""
        self.check(clip)
        slow = self.slow.pool(self.slow.stem(self._slow_clip(clip)))
        fast = self.fast.pool(self.fast.stem(self._fast_clip(clip)))
        for lateral, slow_stage, fast_stage in zip(
            self.laterals, self.slow.stages, self.fast.stages, strict=True
        ):
            slow = slow_stage(_join(slow, lateral(fast)))
            fast = fast_stage(fast)
        window = (min(self.alpha, fast.shape[2]), 1, 1)
        fast = F.avg_pool3d(fast, window, stride=(self.alpha, 1, 1), ceil_mode=True)
        return _join(slow, fast)

    def _slow_clip(self, clip: Tensor) -> Tensor:
        if self.slow_frames == "strided":
            return clip[:, :, :: self.alpha]
        frames = clip.shape[2]
        kept = -(-frames // self.alpha)
        # Whole numbers throughout: a rounded 30.999... would pick another frame than the paper's code does.
        indices = torch.arange(kept, device=clip.device) * (frames - 1) // max(kept - 1, 1)
        return clip.index_select(2, indices)

    def _fast_clip(self, clip: Tensor) -> Tensor:
        if self.fast_input == "rgb":
            return clip
        if self.fast_input == "half_resolution":
            return F.avg_pool3d(clip, (1, 2, 2), ceil_mode=True)
        red, green, blue = clip[:, :1], clip[:, 1:2], clip[:, 2:]
        # Brightness of ITU-R BT.601; of normalised frames, too, as long as the channels are normalised alike.
        grey = 0.299 * red + 0.587 * green + 0.114 * blue
        if self.fast_input == "grey":
            return grey
        return torch.cat([torch.zeros_like(grey[:, :, :1]), grey[:, :, 1:] - grey[:, :, :-1]], dim=2)


def _join(slow: Tensor, fast: Tensor) -> Tensor:
    if fast.shape[3:] != slow.shape[3:]:
        fast = F.interpolate(fast, size=slow.shape[2:])
    return torch.cat([slow, fast], dim=1)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be {' or '.join(map(repr, choices))}")


_32X2 = ClipSpec(frames=32, stride=2, fps=Fraction(30), size=224, short_side=256, test_clips=10, test_crops=3)


@model(
    clip=_32X2,
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="SlowFast R50, 4 slow frames of 32",
)
def slowfast_r50_4x16(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    alpha: int = 8,
    beta: float = 0.125,
    lateral: str = "time_strided_conv",
    fusion_kernel: int = 5,
    fusion_norm: bool = True,
    fast_input: str = "rgb",
    slow_frames: str = "linspace",
    slow_block_frames: Frames = SLOW_R50,
    fast_block_frames: Frames = FAST_R50,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
    width: int = _SLOW_WIDTH,
) -> SlowFast:
    """34.5 M parameters, 27.6 GMACs per view of 224x224 (36.1 at the 256x256 that the paper tests with)."""
    return SlowFast(
        num_classes=num_classes,
        slow_block_frames=slow_block_frames,
        fast_block_frames=fast_block_frames,
        alpha=alpha,
        beta=beta,
        lateral=lateral,
        fusion_kernel=fusion_kernel,
        fusion_norm=fusion_norm,
        fast_input=fast_input,
        slow_frames=slow_frames,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
        width=width,
    )


@model(
    clip=_32X2,
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="SlowFast R50, 8 slow frames of 32",
)
def slowfast_r50_8x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    alpha: int = 4,
    beta: float = 0.125,
    lateral: str = "time_strided_conv",
    fusion_kernel: int = 7,
    fusion_norm: bool = True,
    fast_input: str = "rgb",
    slow_frames: str = "linspace",
    slow_block_frames: Frames = SLOW_R50,
    fast_block_frames: Frames = FAST_R50,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
    width: int = _SLOW_WIDTH,
) -> SlowFast:
    """34.6 M parameters, 50.3 GMACs per view of 224x224 (65.7 at the 256x256 that the paper tests with)."""
    return SlowFast(
        num_classes=num_classes,
        slow_block_frames=slow_block_frames,
        fast_block_frames=fast_block_frames,
        alpha=alpha,
        beta=beta,
        lateral=lateral,
        fusion_kernel=fusion_kernel,
        fusion_norm=fusion_norm,
        fast_input=fast_input,
        slow_frames=slow_frames,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
        width=width,
    )


@model(
    clip=_32X2,
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="SlowFast R101, 8 slow frames of 32",
)
def slowfast_r101_8x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    alpha: int = 4,
    fusion_kernel: int = 5,
    fusion_norm: bool = True,
    slow_frames: str = "linspace",
    slow_block_frames: Frames = SLOW_R101,
    fast_block_frames: Frames = FAST_R101,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> SlowFast:
    """62.8 M parameters, 96.4 GMACs per view of 224x224."""
    return SlowFast(
        num_classes=num_classes,
        slow_block_frames=slow_block_frames,
        fast_block_frames=fast_block_frames,
        alpha=alpha,
        fusion_kernel=fusion_kernel,
        fusion_norm=fusion_norm,
        slow_frames=slow_frames,
        non_local=non_local,
        sliding=sliding,
        dropout=dropout,
    )


@model(
    clip=ClipSpec(
        frames=64, stride=2, fps=Fraction(30), size=224, short_side=256, test_clips=10, test_crops=3
    ),
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="SlowFast R101, 16 slow frames of 64; six of stage 3's blocks look along time",
)
def slowfast_r101_16x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    alpha: int = 4,
    fusion_kernel: int = 5,
    fusion_norm: bool = True,
    slow_frames: str = "linspace",
    slow_block_frames: Frames = SLOW_R101_50,
    fast_block_frames: Frames = FAST_R101_50,
    non_local: Mapping[str, Any] | None = None,
    sliding: bool = False,
) -> SlowFast:
    """53.8 M parameters, 163.1 GMACs per view of 224x224."""
    return SlowFast(
        num_classes=num_classes,
        slow_block_frames=slow_block_frames,
        fast_block_frames=fast_block_frames,
        alpha=alpha,
        fusion_kernel=fusion_kernel,
        fusion_norm=fusion_norm,
        slow_frames=slow_frames,
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
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="SlowFast with a ResNet-101 on 4 slow frames and a ResNet-50 on 32 fast ones (MMAction2)",
)
def slowfast_r101_r50_4x16(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    alpha: int = 8,
    fusion_kernel: int = 5,
    fusion_norm: bool = False,
    slow_frames: str = "strided",
    slow_block_frames: Frames = SLOW_R101,
    fast_block_frames: Frames = FAST_R50,
    non_local: Mapping[str, Any] | None = None,
) -> SlowFast:
    """62.4 M parameters, 49.5 GMACs per view of 224x224."""
    return SlowFast(
        num_classes=num_classes,
        slow_block_frames=slow_block_frames,
        fast_block_frames=fast_block_frames,
        alpha=alpha,
        fusion_kernel=fusion_kernel,
        fusion_norm=fusion_norm,
        slow_frames=slow_frames,
        non_local=non_local,
        dropout=dropout,
    )


@model(
    clip=_32X2,
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="SlowFast's fast pathway alone: how things move, and little of what they are",
)
def fast_r50(
    *, num_classes: int = 400, dropout: float = 0.5, channels: int = 3, width: int = 8
) -> InflatedResNet:
    """0.6 M parameters, 5.3 GMACs per view of 224x224."""
    return InflatedResNet(
        num_classes=num_classes,
        stem_frames=5,
        block_frames=FAST_R50,
        time_strides=(1, 1, 1),
        channels=channels,
        width=width,
        non_local=None,
        dropout=dropout,
    )
