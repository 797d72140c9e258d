"""Transformers for video that torchvision has written: MViT and Video Swin, behind our contract.

Fan et al. 2021, "Multiscale Vision Transformers", https://arxiv.org/abs/2104.11227; Li et al. 2022, "MViTv2: Improved
Multiscale Vision Transformers for Classification and Detection", https://arxiv.org/abs/2112.01526; Liu et al. 2022,
"Video Swin Transformer", https://arxiv.org/abs/2106.13230.

    clip (3, 16, 224, 224)                               clip (3, 32, 224, 224)
      MViTv2-S                                             Swin3D-T
      patches 3x7x7, stride 2x4x4    96   8 56 56          patches 2x4x4            96  16 56 56
      1 block, heads 1               96   8 56 56          2 blocks, heads 3        96  16 56 56
      2 blocks          2           192   8 28 28          2           6           192  16 28 28
      11                4           384   8 14 14          6          12           384  16 14 14
      2                 8           768   8  7  7          2          24           768  16  7  7
      class token, dropout, linear                         mean, dropout, linear

Every attention of MViT pools its queries where a stage begins, and its keys and values to 7x7 everywhere; version 1
adds positions to the patches, version 2 adds relative ones to each attention. Swin attends within windows of 8x7x7
patches, shifted by half a window in every other block.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformerBlock
from torchvision.models.video.mvit import MSBlockConfig, MViT
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d, SwinTransformer3d

from muybridge.models._blocks import Classifier, ClipModel
from muybridge.models._table import model
from muybridge.types import ClipSpec


class Mvit(ClipModel):
    """torchvision's MViT: a class token and patches go through blocks that halve maps and double widths.

    The logits are read off the class token. In version 2 the last block's pooled queries and its relative positions are
    those of patches only: they shape the features, but no loss on the logits moves them.

    Args:
        blocks: Heads, widths, pools and strides of each block.
        frames: Frames of a clip, even; position tables are as long as it.
        size: Side of a clip, a multiple of 4 from 32.
        relative: Relative positions and pooled queries added to each attention (version 2), instead of positions
            added to the patches (version 1).
        widen_in_attention: Widths double in a block's attention (version 2), not in the block before (version 1).
        num_classes: Number of classes.
        dropout: Before the classifier.
        stochastic_depth: Probability that the last block is skipped for a clip in training; from 0 at the first block
            it grows evenly.
    """

    time_stride = 2
    space_stride = 32

    def __init__(
        self,
        blocks: list[MSBlockConfig],
        *,
        frames: int,
        size: int,
        relative: bool,
        widen_in_attention: bool,
        num_classes: int,
        dropout: float,
        stochastic_depth: float,
    ) -> None:
        super().__init__()
        if frames < 2 or frames % 2 or size < 32 or size % 4:
            raise ValueError(
                f"frames is {frames} and size {size}; MViT takes an even number of frames, and a multiple of 4 "
                "pixels from 32"
            )
        self.frames = frames
        self.size = size
        self.network = MViT(
            spatial_size=(size, size),
            temporal_size=frames,
            block_setting=blocks,
            residual_pool=relative,
            residual_with_cls_embed=False,
            rel_pos_embed=relative,
            proj_after_attn=widen_in_attention,
            stochastic_depth_prob=stochastic_depth,
            num_classes=1,
        )
        del self.network.head  # ours takes its place
        self.dim = blocks[-1].output_channels
        self.head = Classifier(self.dim, num_classes, dropout=dropout, std=0.02)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last block's patches; the class token is left out.

        Raises:
            ValueError: The clip is not of the model's `frames` and `size`.
        """
        tokens, thw = self._tokens(clip)
        return tokens[:, 1:].transpose(1, 2).reshape(len(clip), self.dim, *thw)

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits, from the class token.

        Raises:
            ValueError: The clip is not of the model's `frames` and `size`.
        """
        tokens, _ = self._tokens(clip)
        logits: Tensor = self.head(tokens[:, 0])
        return logits

    def _tokens(self, clip: Tensor) -> tuple[Float[Tensor, "b n d"], tuple[int, int, int]]:
        """The class token and one token per patch, with the patches' shape (t2, h2, w2)."""
        self.check(clip)
        t, h, w = clip.shape[2:]
        if (t, h, w) != (self.frames, self.size, self.size):
            raise ValueError(
                f"MViT got {t} frames of {w}x{h} pixels; its tables of positions are for {self.frames} frames of "
                f"{self.size}x{self.size} (build it with frames={t} and size={h} if both sides are alike)"
            )
        x = self.network.conv_proj(clip)
        thw: tuple[int, int, int] = tuple(x.shape[2:])
        x = self.network.pos_encoding(x.flatten(2).transpose(1, 2))
        for block in self.network.blocks:
            x, thw = block(x, thw)
        return self.network.norm(x), thw


class Swin3d(ClipModel):
    """torchvision's Video Swin Transformer: attention within windows of space and time. Clips of any size go in.

    Args:
        width: Channels of the first stage; each further one has twice as many.
        depths: Blocks of each stage.
        window_frames: Patches along time in a window; 7x7 in space.
        num_classes: Number of classes.
        dropout: Before the classifier.
        stochastic_depth: Probability that the last block is skipped for a clip in training; from 0 at the first block
            it grows evenly.
    """

    time_stride = 2
    space_stride = 32

    def __init__(
        self,
        width: int,
        depths: tuple[int, ...],
        *,
        window_frames: int,
        num_classes: int,
        dropout: float,
        stochastic_depth: float,
    ) -> None:
        super().__init__()
        self.network = SwinTransformer3d(
            patch_size=[2, 4, 4],
            embed_dim=width,
            depths=list(depths),
            num_heads=[(width << stage) // 32 for stage in range(len(depths))],
            window_size=[window_frames, 7, 7],
            stochastic_depth_prob=stochastic_depth,
            num_classes=1,
            block=_swin_block,
        )
        del self.network.head  # ours takes its place
        self.dim = self.network.num_features
        self.head = Classifier(self.dim, num_classes, dropout=dropout, std=0.02)

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps after the last stage and its norm."""
        self.check(clip)
        x = self.network.features(self.network.patch_embed(clip))
        maps: Tensor = self.network.norm(x).permute(0, 4, 1, 2, 3)
        return maps


class _WindowAttention(ShiftedWindowAttention3d):  # type: ignore[misc]
    """torchvision's, with the table's index worked out where it is used instead of kept.

    It follows from the window's size. Kept, every file would have to bring it, and a file that brings a wrong one would
    be believed.
    """

    def define_relative_position_index(self) -> None:
        pass

    def get_relative_position_bias(self, window_size: list[int]) -> Float[Tensor, "1 heads n n"]:
        _, h, w = self.window_size
        # Where maps are smaller than the window, patches keep the numbers that they have in the whole window: this is
        # how the published networks were trained.
        place = torch.arange(math.prod(window_size), device=self.relative_position_bias_table.device)
        index = place.new_zeros(())
        for number, side in ((place // (h * w), self.window_size[0]), (place // w % h, h), (place % w, w)):
            index = index * (2 * side - 1) + (number[:, None] - number[None, :] + side - 1)
        bias: Tensor = self.relative_position_bias_table[index]
        return bias.permute(2, 0, 1).unsqueeze(0)


def _swin_block(*args: Any, **options: Any) -> nn.Module:
    block: nn.Module = SwinTransformerBlock(*args, **options | {"attn_layer": _WindowAttention})
    return block


def _mvit_blocks(
    version: int,
    *,
    width: int = 96,
    heads: int = 1,
    depth: int = 16,
    starts: tuple[int, ...] = (1, 3, 14),
    narrow: bool = False,
    widen_in_attention: bool = False,
) -> list[MSBlockConfig]:
    """What each block does.

    Args:
        version: In version 2 every block has a convolution that pools its queries, by 1 where no stage begins.
        width: Channels of the patches.
        heads: Of the first stage.
        depth: Blocks.
        starts: Blocks at which the second stage and further ones begin: maps halve, heads and widths double.
        narrow: Pools see one step more than their stride, instead of 3x3x3.
        widen_in_attention: See `Mvit`.
    """
    blocks = []
    pooled = 8
    for number in range(depth):
        stage = sum(start <= number for start in starts)
        begins = number in starts
        pooled = pooled // 2 if begins else pooled
        before, after = (number - 1, number) if widen_in_attention else (number, number + 1)
        side = 2 if begins else 1
        blocks.append(
            MSBlockConfig(
                num_heads=heads << stage,
                input_channels=width << sum(start <= before for start in starts),
                output_channels=width << sum(start <= after for start in starts),
                kernel_q=([1, 3, 3] if narrow else [3, 3, 3]) if begins or version == 2 else [],
                kernel_kv=[1, *(2 * [pooled + 1 if pooled > 1 else 1])] if narrow else [3, 3, 3],
                stride_q=[1, side, side] if begins or version == 2 else [],
                stride_kv=[1, pooled, pooled],
            )
        )
    return blocks


_16X4 = ClipSpec(frames=16, stride=4, fps=Fraction(30), size=224, short_side=256, test_clips=5, test_crops=1)
_32X3 = ClipSpec(frames=32, stride=3, fps=Fraction(30), size=224, short_side=256, test_clips=5, test_crops=1)
_SWIN = ClipSpec(
    frames=32,
    stride=2,
    fps=Fraction(30),
    size=224,
    short_side=256,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    test_clips=12,
    test_crops=1,
)


@model(
    clip=_16X4,
    paper="Fan et al. 2021, https://arxiv.org/abs/2104.11227",
    summary="MViT-B: attention on maps that shrink; 16 frames",
)
def mvit_v1_b(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.2,
    frames: int = 16,
    size: int = 224,
) -> Mvit:
    """36.6 M parameters, 70.6 GMACs per view."""
    return Mvit(
        _mvit_blocks(1),
        frames=frames,
        size=size,
        relative=False,
        widen_in_attention=False,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=_32X3,
    paper="Fan et al. 2021, https://arxiv.org/abs/2104.11227",
    summary="MViT-B: attention on maps that shrink; 32 frames",
)
def mvit_v1_b_32x3(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.3,
    frames: int = 32,
    size: int = 224,
) -> Mvit:
    """36.6 M parameters, 170 GMACs per view."""
    return mvit_v1_b(
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
        frames=frames,
        size=size,
    )


@model(
    clip=_32X3,
    paper="Fan et al. 2021, https://arxiv.org/abs/2104.11227",
    summary="MViT-B of 24 blocks, whose pools look at one frame; 32 frames",
)
def mvit_v1_b24_32x3(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.3,
    frames: int = 32,
    size: int = 224,
) -> Mvit:
    """53.1 M parameters, 236 GMACs per view. What PySlowFast's configuration MVIT_B_32x3_CONV builds."""
    return Mvit(
        _mvit_blocks(1, depth=24, starts=(2, 5, 21), narrow=True),
        frames=frames,
        size=size,
        relative=False,
        widen_in_attention=False,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=_16X4,
    paper="Li et al. 2022, https://arxiv.org/abs/2112.01526",
    summary="MViTv2-S: attention on maps that shrink, relative positions; 16 frames",
)
def mvit_v2_s(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.2,
    frames: int = 16,
    size: int = 224,
    widen_in_attention: bool = True,
) -> Mvit:
    """34.5 M parameters, 64.2 GMACs per view; without `widen_in_attention`, as MaskFeat trained it, 36.4 M and 71."""
    return Mvit(
        _mvit_blocks(2, widen_in_attention=widen_in_attention),
        frames=frames,
        size=size,
        relative=True,
        widen_in_attention=widen_in_attention,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=_32X3,
    paper="Li et al. 2022, https://arxiv.org/abs/2112.01526",
    summary="MViTv2-B: attention on maps that shrink, relative positions; 32 frames",
)
def mvit_v2_b_32x3(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.3,
    frames: int = 32,
    size: int = 224,
) -> Mvit:
    """51.2 M parameters, 224 GMACs per view."""
    return Mvit(
        _mvit_blocks(2, depth=24, starts=(2, 5, 21), widen_in_attention=True),
        frames=frames,
        size=size,
        relative=True,
        widen_in_attention=True,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=ClipSpec(
        frames=40,
        stride=3,
        fps=Fraction(30),
        size=312,
        short_side=312,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        test_clips=5,
        test_crops=3,
    ),
    paper="Li et al. 2022, https://arxiv.org/abs/2112.01526",
    summary="MViTv2-L: attention on maps that shrink, relative positions; 40 frames of 312 pixels",
)
def mvit_v2_l_40x3(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.75,
    frames: int = 40,
    size: int = 312,
) -> Mvit:
    """213.4 M parameters, 2823 GMACs per view."""
    return Mvit(
        _mvit_blocks(2, width=144, heads=2, depth=48, starts=(2, 8, 44), widen_in_attention=True),
        frames=frames,
        size=size,
        relative=True,
        widen_in_attention=True,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=_SWIN,
    paper="Liu et al. 2022, https://arxiv.org/abs/2106.13230",
    summary="Video Swin-T: attention within shifted windows of space and time",
)
def swin3d_t(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.1,
    window_frames: int = 8,
) -> Swin3d:
    """28.2 M parameters, 87.8 GMACs per view."""
    return Swin3d(
        96,
        (2, 2, 6, 2),
        window_frames=window_frames,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=_SWIN,
    paper="Liu et al. 2022, https://arxiv.org/abs/2106.13230",
    summary="Video Swin-S: attention within shifted windows of space and time",
)
def swin3d_s(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.2,
    window_frames: int = 8,
) -> Swin3d:
    """49.8 M parameters, 166 GMACs per view."""
    return Swin3d(
        96,
        (2, 2, 18, 2),
        window_frames=window_frames,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=_SWIN,
    paper="Liu et al. 2022, https://arxiv.org/abs/2106.13230",
    summary="Video Swin-B: attention within shifted windows of space and time",
)
def swin3d_b(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.3,
    window_frames: int = 8,
) -> Swin3d:
    """88.0 M parameters, 281 GMACs per view."""
    return Swin3d(
        128,
        (2, 2, 18, 2),
        window_frames=window_frames,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


@model(
    clip=_SWIN,
    paper="Liu et al. 2022, https://arxiv.org/abs/2106.13230",
    summary="Video Swin-L: attention within shifted windows of space and time",
)
def swin3d_l(
    *,
    num_classes: int = 400,
    dropout: float = 0.5,
    stochastic_depth: float = 0.4,
    window_frames: int = 8,
) -> Swin3d:
    """197 M parameters, 603 GMACs per view."""
    return Swin3d(
        192,
        (2, 2, 18, 2),
        window_frames=window_frames,
        num_classes=num_classes,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )
