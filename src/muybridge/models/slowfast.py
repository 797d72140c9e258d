"""SlowFast: a slow pathway sees what is there, a thin fast one how it moves.

Feichtenhofer et al. 2019, "SlowFast Networks for Video Recognition", https://arxiv.org/abs/1812.03982. One
clip goes in; the slow pathway takes one frame of `alpha`. After the stem and after each of the first three
stages a convolution along time, strided by `alpha`, brings the fast maps to the slow pathway.

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

from fractions import Fraction

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, bottleneck, init_residual
from muybridge.models._table import model
from muybridge.types import ClipSpec


class Pathway(nn.Module):
    """A stem with its pool, and stages of bottlenecks; its owner runs them one by one and joins in between.

    Args:
        channels: Channels of the clip.
        width: Channels after the stem.
        depths: Blocks of each stage.
        stem_frames: Frames that the stem's convolution sees.
        block_frames: Frames that the blocks of each stage see.
        joined: Channels that a lateral connection adds before each stage.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        depths: tuple[int, ...],
        stem_frames: int,
        block_frames: tuple[int, ...],
        joined: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvNorm(channels, width, (stem_frames, 7, 7), stride=(1, 2, 2)),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
        )
        self.widths = [width, *(4 * width * 2**stage for stage in range(len(depths)))]
        self.stages = nn.ModuleList()
        for stage, depth in enumerate(depths):
            inside = width * 2**stage
            kernels = ((block_frames[stage], 1, 1), (1, 3, 3))
            stride = (1, 1, 1) if stage == 0 else (1, 2, 2)
            blocks = [bottleneck(self.widths[stage] + joined[stage], inside, stride=stride, kernels=kernels)]
            blocks += [bottleneck(4 * inside, inside, kernels=kernels) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(*blocks))


class SlowFast(ClipModel):
    """Both pathways, their lateral connections, and the classifier on their joined averages.

    Args:
        num_classes: Number of classes.
        depths: Blocks of each stage.
        alpha: Frames of the fast pathway per frame of the slow one.
        fast_width: Channels of the fast stem; the slow one has 64.
        fusion_kernel: Frames that a lateral convolution sees.
        fusion_norm: Batch norm and ReLU after the lateral convolutions (not in most of MMAction2's).
        slow_frames: `linspace` spreads them from the first to the last frame (PySlowFast, PyTorchVideo);
            `strided` takes every `alpha`-th (MMAction2).
        dropout: Before the classifier.
    """

    space_stride = 32

    def __init__(
        self,
        *,
        num_classes: int,
        depths: tuple[int, int, int, int],
        alpha: int,
        fast_width: int,
        fusion_kernel: int,
        fusion_norm: bool,
        slow_frames: str,
        dropout: float,
    ) -> None:
        super().__init__()
        if alpha < 1:
            raise ValueError(f"alpha is {alpha}; the slow pathway takes one frame of alpha, at least 1")
        if fusion_kernel % 2 == 0:
            raise ValueError(
                f"fusion_kernel is {fusion_kernel}; an odd number of frames has a middle, e.g. 5 or 7"
            )
        if slow_frames not in ("linspace", "strided"):
            raise ValueError(f"slow_frames is {slow_frames!r}; it must be 'linspace' or 'strided'")
        self.alpha = self.time_stride = alpha
        self.slow_frames = slow_frames
        self.fast = Pathway(
            self.channels,
            fast_width,
            depths=depths,
            stem_frames=5,
            block_frames=(3, 3, 3, 3),
            joined=(0, 0, 0, 0),
        )
        widths = self.fast.widths[:-1]
        self.laterals = nn.ModuleList(
            ConvNorm(
                width,
                2 * width,
                (fusion_kernel, 1, 1),
                stride=(alpha, 1, 1),
                norm=fusion_norm,
                relu=fusion_norm,
            )
            for width in widths
        )
        self.slow = Pathway(
            self.channels,
            64,
            depths=depths,
            stem_frames=1,
            block_frames=(1, 1, 3, 3),
            joined=tuple(2 * width for width in widths),
        )
        self.dim = self.slow.widths[-1] + self.fast.widths[-1]
        init_residual(self, zero_last_norm=True)
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last stage, slow before fast; the fast ones are averaged to the slow pathway's time."""
        self.check(clip)
        slow = self.slow.stem(self._slow_clip(clip))
        fast = self.fast.stem(clip)
        for lateral, slow_stage, fast_stage in zip(
            self.laterals, self.slow.stages, self.fast.stages, strict=True
        ):
            slow = slow_stage(torch.cat([slow, lateral(fast)], dim=1))
            fast = fast_stage(fast)
        window = (min(self.alpha, fast.shape[2]), 1, 1)
        fast = F.avg_pool3d(fast, window, stride=(self.alpha, 1, 1), ceil_mode=True)
        return torch.cat([slow, fast], dim=1)

    def _slow_clip(self, clip: Tensor) -> Tensor:
        if self.slow_frames == "strided":
            return clip[:, :, :: self.alpha]
        frames = clip.shape[2]
        kept = -(-frames // self.alpha)
        # Whole numbers throughout: a rounded 30.999... would pick another frame than the paper's code does.
        indices = torch.arange(kept, device=clip.device) * (frames - 1) // max(kept - 1, 1)
        return clip.index_select(2, indices)


@model(
    clip=ClipSpec(
        frames=32, stride=2, fps=Fraction(30), size=224, short_side=256, test_clips=10, test_crops=3
    ),
    paper="Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982",
    summary="SlowFast R50, 8 slow frames of 32",
)
def slowfast_r50_8x8(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    alpha: int = 4,
    fusion_kernel: int = 7,
    fusion_norm: bool = True,
    slow_frames: str = "linspace",
) -> SlowFast:
    """34.6 M parameters, 50.3 GMACs per view of 224x224 (65.7 at the 256x256 that the paper tests with)."""
    return SlowFast(
        num_classes=num_classes,
        depths=(3, 4, 6, 3),
        alpha=alpha,
        fast_width=8,
        fusion_kernel=fusion_kernel,
        fusion_norm=fusion_norm,
        slow_frames=slow_frames,
        dropout=dropout,
    )
