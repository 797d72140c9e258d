"""R(2+1)D, as torchvision, IG-65M's converters, MMAction2, PyTorchVideo and Hara publish it.

torchvision and IG-65M name their layers alike. The channels in the middle of a block's second convolution tell them
apart, and with them the epsilon of the batch norms: 1e-5 where they are the first convolution's, 1e-3 where not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from muybridge.published._reading import Reading, Rule, Shapes, depths
from muybridge.published.resnet3d import HARA, LAYERS, ORDER, TORCHVISION
from muybridge.types import ClipSpec, Weights

_IG65M = replace(TORCHVISION, frames=32, fps=None, test_clips=10)
_MMACTION2 = ClipSpec(frames=8, stride=8, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_PYTORCHVIDEO = ClipSpec(frames=16, stride=4, fps=Fraction(30))

_HASHTAGS = "the hashtags behind its classes were not published"

_STAGE: Rule = (r"^(?:backbone\.)?layer(\d)", lambda m: f"stages.{int(m[1]) - 1}")
_VIDEO_RESNET: tuple[Rule, ...] = (
    (r"^stem\.0", "stem.space.conv"),
    (r"^stem\.1", "stem.space.norm"),
    (r"^stem\.3", "stem.time.conv"),
    (r"^stem\.4", "stem.time.norm"),
    _STAGE,
    (r"\.conv([12])\.0\.0", lambda m: f".branch.{int(m[1]) - 1}.space.conv"),
    (r"\.conv([12])\.0\.1", lambda m: f".branch.{int(m[1]) - 1}.space.norm"),
    (r"\.conv([12])\.0\.3", lambda m: f".branch.{int(m[1]) - 1}.time.conv"),
    (r"\.conv([12])\.1", lambda m: f".branch.{int(m[1]) - 1}.time.norm"),
    (r"\.downsample\.0", ".shortcut.conv"),
    (r"\.downsample\.1", ".shortcut.norm"),
    (r"^fc\.", "head.linear."),
)
_MMACTION2_NAMES: tuple[Rule, ...] = (
    (r"^backbone\.conv1\.", "stem."),
    _STAGE,
    (r"\.conv([12])\.(?=conv|bn)", lambda m: f".branch.{int(m[1]) - 1}."),
    (r"\.downsample\.", ".shortcut."),
    (r"\.conv\.conv_s", ".space.conv"),
    (r"\.conv\.bn_s", ".space.norm"),
    (r"\.conv\.conv_t", ".time.conv"),
    (r"\.bn\.", ".time.norm."),
    (r"^cls_head\.fc_cls", "head.linear"),
)
_PYTORCHVIDEO_NAMES: tuple[Rule, ...] = (
    (r"^blocks\.0\.", "stem."),
    (r"^blocks\.5\.proj", "head.linear"),
    (r"^blocks\.([1-4])\.res_blocks", lambda m: f"stages.{int(m[1]) - 1}"),
    (r"\.branch1_(conv|norm)", r".shortcut.\1"),
    (r"\.branch2\.conv_b\.conv_t", ".branch.1.time.conv"),
    (r"\.branch2\.conv_b\.norm", ".branch.1.time.norm"),
    (r"\.branch2\.conv_b\.conv_xy", ".branch.1.space.conv"),
    (r"\.branch2\.norm_b", ".branch.1.space.norm"),
    (r"\.branch2\.(conv|norm)_([ac])", lambda m: f".branch.{'abc'.index(m[2])}.{m[1]}"),
)
_HALF = {"s": "space", "t": "time"}
_HARA_NAMES: tuple[Rule, ...] = (
    (r"^conv1_([st])", lambda m: f"stem.{_HALF[m[1]]}.conv"),
    (r"^bn1_([st])", lambda m: f"stem.{_HALF[m[1]]}.norm"),
    _STAGE,
    (r"\.conv([123])_([st])", lambda m: f".branch.{int(m[1]) - 1}.{_HALF[m[2]]}.conv"),
    (r"\.bn([123])_([st])", lambda m: f".branch.{int(m[1]) - 1}.{_HALF[m[2]]}.norm"),
    (r"\.conv([123])\.", lambda m: f".branch.{int(m[1]) - 1}.conv."),
    (r"\.bn([123])\.", lambda m: f".branch.{int(m[1]) - 1}.norm."),
    (r"\.downsample\.0", ".shortcut.conv"),
    (r"\.downsample\.1", ".shortcut.norm"),
    (r"^fc\.", "head.linear."),
)


def readings(shapes: Shapes) -> Iterator[Reading]:
    """Files of torchvision, IG-65M, MMAction2, PyTorchVideo and Hara."""
    if {"stem.3.weight", "layer2.0.conv2.0.0.weight", "fc.weight"} <= set(shapes):
        yield from _video_resnet(shapes)
    if {"backbone.conv1.conv.conv_s.weight", "cls_head.fc_cls.weight"} <= set(shapes):
        yield from _mmaction2(shapes)
    if {"blocks.1.res_blocks.0.branch2.conv_b.conv_t.weight", "blocks.5.proj.weight"} <= set(shapes):
        yield from _pytorchvideo(shapes)
    if {"conv1_s.weight", "fc.weight"} <= set(shapes):
        yield from _hara(shapes)


def _video_resnet(shapes: Shapes) -> Iterator[Reading]:
    num_classes = shapes["fc.weight"][0]
    blocks = depths(shapes, r"layer(\d)\.(\d+)\.")
    labels = "kinetics400" if num_classes == 400 else ""
    if blocks == (2, 2, 2, 2):
        yield Reading(
            origin="torchvision",
            model="r2plus1d_18",
            num_classes=num_classes,
            labels=labels,
            rules=_VIDEO_RESNET,
        )
    elif blocks == (3, 4, 6, 3) and shapes["layer2.0.conv2.0.0.weight"][0] == 288:
        # Of the two pre-trained networks, the one for 8 frames knows 487 hashtags, the one for 32 frames 359.
        frames = (8, 32) if num_classes == 487 else (32, 8)
        yield Reading(
            origin="IG-65M",
            model=f"r2plus1d_34_{frames[0]}",
            num_classes=num_classes,
            labels=labels,
            twins=() if num_classes in (359, 487) else (f"r2plus1d_34_{frames[1]}",),
            rules=_VIDEO_RESNET,
            note=_HASHTAGS if num_classes in (359, 487) else "",
        )


def _mmaction2(shapes: Shapes) -> Iterator[Reading]:
    if depths(shapes, r"backbone\.layer(\d)\.(\d+)\.") != (3, 4, 6, 3):
        return
    num_classes = shapes["cls_head.fc_cls.weight"][0]
    yield Reading(
        origin="MMAction2",
        model="r2plus1d_r34_8x8",
        num_classes=num_classes,
        labels="kinetics400" if num_classes == 400 else "",
        twins=("r2plus1d_r34_32x2",),
        rules=_MMACTION2_NAMES,
    )


def _pytorchvideo(shapes: Shapes) -> Iterator[Reading]:
    if depths(shapes, r"blocks\.([1-4])\.res_blocks\.(\d+)\.") != (3, 4, 6, 3):
        return
    num_classes = shapes["blocks.5.proj.weight"][0]
    yield Reading(
        origin="PyTorchVideo",
        model="r2plus1d_r50",
        options={"sliding": True},
        num_classes=num_classes,
        labels="kinetics400" if num_classes == 400 else "",
        rules=_PYTORCHVIDEO_NAMES,
        note="PyTorchVideo's own model answers with probabilities; this one, like all of ours, with logits",
    )


def _hara(shapes: Shapes) -> Iterator[Reading]:
    bottlenecks = "layer1.0.conv3.weight" in shapes
    layers = LAYERS.get((depths(shapes, r"layer(\d)\.(\d+)\."), bottlenecks), 0)
    if layers < 18:
        return
    yield Reading(
        origin="Hara",
        model=f"resnet2p1d_{layers}",
        options={"shortcut": "B" if any(".downsample." in key for key in shapes) else "A"},
        num_classes=shapes["fc.weight"][0],
        clip=HARA,
        rules=_HARA_NAMES,
        note=ORDER,
    )


def _torchvision_weights() -> Weights:
    return Weights(
        name="r2plus1d_18.k400",
        model="r2plus1d_18",
        origin="torchvision",
        url="https://download.pytorch.org/models/r2plus1d_18-91a641e6.pth",
        sha256="91a641e6",
        clip=TORCHVISION,
        labels="kinetics400",
        licence="BSD-3-Clause",
        scores={"top1": 67.463, "top5": 86.175},
        views="5x1",
        note="its score was reached on frames squeezed to 128x171 before the crop",
    )


def _ig65m_weights(frames: int, data: str, file: str, scores: tuple[float, float] | None = None) -> Weights:
    tuned = (
        "pre-trained on IG-65M; scores are those that VMZ states for the Caffe2 weights it was converted from"
    )
    return Weights(
        name=f"r2plus1d_34_{frames}.{data}",
        model=f"r2plus1d_34_{frames}",
        origin="IG-65M",
        url=f"https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0/r2plus1d_34_clip{frames}_{file}.pth",
        sha256=file.rpartition("-")[2],
        clip=replace(_IG65M, frames=frames),
        labels="kinetics400" if scores else "",
        licence="MIT",
        scores={"top1": scores[0], "top5": scores[1]} if scores else {},
        note=tuned if scores else _HASHTAGS,
    )


def _mmaction2_weights(frames: int, stride: int, sha256: str, top1: float, top5: float) -> Weights:
    config = f"r2plus1d_r34_8xb8-{frames}x{stride}x1-180e_kinetics400-rgb"
    return Weights(
        name=f"r2plus1d_r34_{frames}x{stride}.k400",
        model=f"r2plus1d_r34_{frames}x{stride}",
        origin="MMAction2",
        url=f"https://download.openmmlab.com/mmaction/v1.0/recognition/r2plus1d/{config}/{config}_20220812-{sha256}.pth",
        sha256=sha256,
        clip=replace(_MMACTION2, frames=frames, stride=stride, size=256),
        labels="kinetics400",
        licence="Apache-2.0",
        scores={"top1": top1, "top5": top5},
        views="10x3",
    )


WEIGHTS: tuple[Weights, ...] = (
    _torchvision_weights(),
    _ig65m_weights(32, "k400", "ft_kinetics_from_ig65m-ade133f1", (80.0, 94.2)),
    _ig65m_weights(32, "ig65m", "ig65m_from_scratch-449a7af9"),
    _ig65m_weights(8, "k400", "ft_kinetics_from_ig65m-0aa0550b", (74.9, 91.8)),
    _ig65m_weights(8, "ig65m", "ig65m_from_scratch-9bae36ae"),
    _mmaction2_weights(8, 8, "47cfe041", 69.76, 88.41),
    _mmaction2_weights(32, 2, "4270588c", 75.46, 92.28),
    Weights(
        name="r2plus1d_r50.k400",
        model="r2plus1d_r50",
        origin="PyTorchVideo",
        url="https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/R2PLUS1D_16x4_R50.pyth",
        clip=replace(_PYTORCHVIDEO, size=256),
        labels="kinetics400",
        licence="Apache-2.0",
        scores={"top1": 76.01, "top5": 92.23},
        views="10x3",
    ),
)
