"""How the projects name the layers of ResNets, and what a file's names and shapes say about its network.

The rules bring a file's keys to ours, `stem.conv`, `stages.0.2.branch.1.norm`, `head.linear`; what the network is like
is then read off our names, whoever wrote the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from muybridge.published._reading import Rule, Shapes, depths
from muybridge.types import ClipSpec, Weights

SINGLE, TWO_PATHWAYS = ("",), ("slow.", "fast.")
"""What our keys start with, for each pathway of a file."""

AVA_CLASSES = 80
"""PySlowFast's detectors have the keys of its classifiers, but another stride in their last stage."""

_LETTERS = {"a": 0, "b": 1, "c": 2}


def pyslowfast(pathways: Sequence[str] = SINGLE) -> tuple[Rule, ...]:
    """Rules for files of PySlowFast's ResNets."""
    return (
        (r"^s1\.pathway(\d)_stem\.conv\.", lambda m: f"{pathways[int(m[1])]}stem.conv."),
        (r"^s1\.pathway(\d)_stem\.bn\.", lambda m: f"{pathways[int(m[1])]}stem.norm."),
        (
            r"^s(\d)\.pathway(\d)_res(\d+)\.",
            lambda m: f"{pathways[int(m[2])]}stages.{int(m[1]) - 2}.{m[3]}.",
        ),
        (
            r"^s(\d)\.pathway(\d)_nonlocal(\d+)\.(?:conv_)?",
            lambda m: f"{pathways[int(m[2])]}stages.{int(m[1]) - 2}.non_local{m[3]}.",
        ),
        (r"(non_local\d+)\.bn\.", r"\1.norm."),
        (r"\.branch1\.", ".shortcut.conv."),
        (r"\.branch1_bn\.", ".shortcut.norm."),
        (r"\.branch2\.([abc])\.", lambda m: f".branch.{_LETTERS[m[1]]}.conv."),
        (r"\.branch2\.([abc])_bn\.", lambda m: f".branch.{_LETTERS[m[1]]}.norm."),
        (r"^s(\d)_fuse\.conv_f2s\.", lambda m: f"laterals.{int(m[1]) - 1}.conv."),
        (r"^s(\d)_fuse\.bn\.", lambda m: f"laterals.{int(m[1]) - 1}.norm."),
        (r"^head\.projection\.", "head.linear."),
    )


def pytorchvideo(pathways: Sequence[str] = SINGLE, *, stage_pool: bool = False) -> tuple[Rule, ...]:
    """Rules for files of PyTorchVideo's ResNets.

    Args:
        pathways: What our keys start with, for each pathway.
        stage_pool: A pool after the first stage counts as a block of the network.
    """

    def stage(number: str) -> int:
        return int(number) - (2 if stage_pool and int(number) > 1 else 1)

    return (
        (r"^blocks\.0\.(conv|norm)\.", rf"{pathways[0]}stem.\1."),
        (
            r"^blocks\.0\.multipathway_blocks\.(\d)\.(conv|norm)\.",
            lambda m: f"{pathways[int(m[1])]}stem.{m[2]}.",
        ),
        (r"^blocks\.(\d)\.res_blocks\.", lambda m: f"{pathways[0]}stages.{stage(m[1])}."),
        (
            r"^blocks\.(\d)\.multipathway_blocks\.(\d)\.res_blocks\.",
            lambda m: f"{pathways[int(m[2])]}stages.{stage(m[1])}.",
        ),
        (r"\.branch1_(conv|norm)\.", r".shortcut.\1."),
        (r"\.branch2\.(conv|norm)_([abc])\.", lambda m: f".branch.{_LETTERS[m[2]]}.{m[1]}."),
        (r"^blocks\.(\d)\.multipathway_fusion\.conv_fast_to_slow\.", r"laterals.\1.conv."),
        (r"^blocks\.(\d)\.multipathway_fusion\.norm\.", r"laterals.\1.norm."),
        (r"^blocks\.\d\.proj\.", "head.linear."),
    )


def mmaction() -> tuple[Rule, ...]:
    """Rules for files of MMAction2's ResNets, of one pathway or of two."""
    return (
        (r"^backbone\.slow_path\.conv1_lateral\.", "laterals.0."),
        (r"^backbone\.slow_path\.layer(\d)_lateral\.", r"laterals.\1."),
        (r"^backbone\.(?:(slow|fast)_path\.)?", lambda m: f"{m[1]}." if m[1] else ""),
        (r"^((?:slow\.|fast\.)?)conv1\.", r"\1stem."),
        (r"^((?:slow\.|fast\.)?)layer(\d)\.", lambda m: f"{m[1]}stages.{int(m[2]) - 1}."),
        (r"\.(\d+)\.non_local_block\.(?:conv_)?(\w+)\.(?:0\.)?", r".non_local\1.\2."),
        (r"(non_local\d+\.\w+)\.conv\.", r"\1."),
        (r"(non_local\d+)\.out\.bn\.", r"\1.norm."),
        (r"\.conv([123])\.", lambda m: f".branch.{int(m[1]) - 1}."),
        (r"\.downsample\.", ".shortcut."),
        (r"\.bn\.", ".norm."),
        (r"^cls_head\.fc_cls\.", "head.linear."),
    )


def torchvision() -> tuple[Rule, ...]:
    """Rules for files of torchvision's image ResNets."""
    return (
        (r"^conv1\.", "stem.conv."),
        (r"^bn1\.", "stem.norm."),
        (r"^layer(\d)\.", lambda m: f"stages.{int(m[1]) - 1}."),
        (r"\.conv([123])\.", lambda m: f".branch.{int(m[1]) - 1}.conv."),
        (r"\.bn([123])\.", lambda m: f".branch.{int(m[1]) - 1}.norm."),
        (r"\.downsample\.0\.", ".shortcut.conv."),
        (r"\.downsample\.1\.", ".shortcut.norm."),
    )


@dataclass(frozen=True)
class Trunk:
    """A ResNet whose first convolutions of a block may look along time, as its shapes tell.

    Attributes:
        channels: Channels of a clip.
        width: Channels of the stem.
        stem_frames: Frames that the stem sees; 1 for an image network.
        block_frames: Frames that the first convolution of each block sees, stage by stage.
        non_local: After which blocks of each stage a non-local block follows.
    """

    channels: int
    width: int
    stem_frames: int
    block_frames: tuple[tuple[int, ...], ...]
    non_local: tuple[tuple[int, ...], ...]

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        return tuple(map(len, self.block_frames))


def renamed(shapes: Shapes, rules: Sequence[Rule]) -> Shapes:
    """The file's shapes under our names."""
    ours = {}
    for key, shape in shapes.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        ours[key] = shape
    return ours


def trunk(ours: Shapes, prefix: str = "") -> Trunk | None:
    """What the network of a pathway is like, from shapes under our names.

    Args:
        ours: Shapes as `renamed` gives them.
        prefix: What the pathway's keys start with.

    Returns:
        None if it is no network of bottlenecks that look along time, if at all, in their first convolution.
    """
    stem = ours.get(f"{prefix}stem.conv.weight", ())
    blocks = depths(ours, rf"{re.escape(prefix)}stages\.(\d)\.(\d+)\.branch\.2\.conv\.weight")
    if len(stem) not in (4, 5) or stem[-2:] != (7, 7) or len(blocks) != 4:
        return None
    block_frames = []
    for stage, depth in enumerate(blocks):
        first, middle = (
            [
                ours.get(f"{prefix}stages.{stage}.{block}.branch.{layer}.conv.weight", ())
                for block in range(depth)
            ]
            for layer in (0, 1)
        )
        width = stem[0] * 2**stage
        if any(kernel not in ((width, width, 1, 3, 3), (width, width, 3, 3)) for kernel in middle):
            return None
        if any(len(kernel) not in (4, 5) or kernel[-2:] != (1, 1) for kernel in first):
            return None
        block_frames.append(tuple(_along_time(kernel) for kernel in first))
    places = re.compile(rf"{re.escape(prefix)}stages\.(\d)\.non_local(\d+)\.g\.weight")
    found = [(int(place[1]), int(place[2])) for place in map(places.match, ours) if place]
    return Trunk(
        channels=stem[1],
        width=stem[0],
        stem_frames=_along_time(stem),
        block_frames=tuple(block_frames),
        non_local=tuple(tuple(sorted(block for at, block in found if at == stage)) for stage in range(4)),
    )


def repeated(depths: Sequence[int], patterns: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Frames that each block sees where every stage repeats a pattern."""
    return tuple(
        tuple(pattern[block % len(pattern)] for block in range(depth))
        for depth, pattern in zip(depths, patterns, strict=True)
    )


def _along_time(kernel: tuple[int, ...]) -> int:
    return kernel[2] if len(kernel) == 5 else 1


def mmaction_clip(frames: int, stride: int, *, size: int = 224, short_side: int = 256) -> ClipSpec:
    """How MMAction2 feeds RGB frames: those of the file, whatever its rate."""
    return ClipSpec(
        frames=frames,
        stride=stride,
        size=size,
        short_side=max(size, short_side),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        test_clips=10,
        test_crops=3,
    )


def facebook_clip(frames: int, stride: int) -> ClipSpec:
    """How PySlowFast and PyTorchVideo test: full-height crops of 256 pixels, at 30 frames per second."""
    return ClipSpec(
        frames=frames, stride=stride, fps=Fraction(30), size=256, short_side=256, test_clips=10, test_crops=3
    )


def segments_clip(frames: int, *, crops: int = 1) -> ClipSpec:
    """How the two test on Something-Something: frames from all over the video, once."""
    return ClipSpec(
        frames=frames, sampling="segments", size=256, short_side=256, test_clips=1, test_crops=crops
    )


LABELS = {
    "k400": "kinetics400",
    "k600": "kinetics600",
    "k700": "kinetics700",
    "ssv2": "ssv2",
    "charades": "charades",
}
"""Class list of each data set, as the names of weights call it."""

_FACEBOOK = "https://dl.fbaipublicfiles.com/"
_OPENMMLAB = "https://download.openmmlab.com/mmaction/v1.0/recognition/"


def facebook_weights(
    name: str,
    origin: str,
    path: str,
    clip: ClipSpec,
    scores: tuple[float, ...],
    *,
    options: Mapping[str, Any] | None = None,
    note: str = "",
) -> Weights:
    """A file of PySlowFast or PyTorchVideo.

    Args:
        name: Of the weights: model, data set, and what else tells them from others.
        origin: `PySlowFast` or `PyTorchVideo`.
        path: On their server.
        clip: How its scores were reached.
        scores: Top 1 and top 5, or mean average precision alone.
        options: The builder's, beside what the keys tell.
        note: What a user should know.
    """
    model, data, *_ = name.split(".")
    several = (
        "several classes may hold at once: its outputs are for a sigmoid each" if data == "charades" else ""
    )
    return Weights(
        name=name,
        model=model,
        options=options or {},
        origin=origin,
        url=_FACEBOOK + path,
        clip=clip,
        labels=LABELS.get(data, ""),
        licence="Apache-2.0",
        scores=dict(zip(("top1", "top5"), scores, strict=True)) if len(scores) == 2 else {"map": scores[0]},
        views=f"{clip.test_clips}x{clip.test_crops}",
        note="; ".join(filter(None, (note, several))),
    )


def mmaction_weights(
    name: str,
    path: str,
    clip: ClipSpec,
    scores: tuple[float, float],
    *,
    options: Mapping[str, Any] | None = None,
    is_hash_sure: bool = True,
    note: str = "",
) -> Weights:
    """A file of MMAction2, whose name ends in the first digits of its hash.

    Args:
        name: Of the weights: model, data set, and what else tells them from others.
        path: On their server, `family/configuration/file`; a lone `*` for the file stands for the configuration, then
            what follows it.
        clip: How its scores were reached.
        scores: Top 1 and top 5.
        options: The builder's, beside what the keys tell.
        is_hash_sure: The digits in the file's name are its hash.
        note: What a user should know.
    """
    model, data, *_ = name.split(".")
    folder, _, file = path.rpartition("/")
    file = file.replace("*", folder.rpartition("/")[2])
    return Weights(
        name=name,
        model=model,
        options=options or {},
        origin="MMAction2",
        url=f"{_OPENMMLAB}{folder}/{file}.pth",
        sha256=file.rpartition("-")[2] if is_hash_sure else "",
        clip=clip,
        labels=LABELS.get(data, ""),
        licence="Apache-2.0",
        scores={"top1": scores[0], "top5": scores[1]},
        views=f"{clip.test_clips}x{clip.test_crops}",
        note=note,
    )
