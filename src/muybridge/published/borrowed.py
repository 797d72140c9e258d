"""Published MViT and Video Swin: torchvision, PySlowFast, PyTorchVideo and MMAction2.

Not read: reversible MViT (another network), image MViT, and the pretraining files of MaskFeat and MAE, which hold no
classifier.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from muybridge.published._reading import Reading, Rule, Shapes, depths
from muybridge.types import ClipSpec, Weights

_IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_LABELS = {174: "ssv2", 400: "kinetics400", 600: "kinetics600", 700: "kinetics700"}

# Name, frames and size by (relative positions, channels of the patches, blocks). The 16 blocks of version 1 are
# published for 16 and for 32 frames.
_MVITS = {
    (False, 96, 16): ("mvit_v1_b", 16, 224),
    (False, 96, 24): ("mvit_v1_b24_32x3", 32, 224),
    (True, 96, 16): ("mvit_v2_s", 16, 224),
    (True, 96, 24): ("mvit_v2_b_32x3", 32, 224),
    (True, 144, 48): ("mvit_v2_l_40x3", 40, 312),
}
_16X4 = ClipSpec(frames=16, stride=4, fps=Fraction(30), size=224, short_side=256, test_clips=5, test_crops=1)
_32X3 = replace(_16X4, frames=32, stride=3)
_40X3 = replace(_32X3, frames=40, size=312, short_side=312, test_crops=3, **_IMAGENET)
_MVIT_CLIPS = {
    "mvit_v1_b": _16X4,
    "mvit_v1_b_32x3": _32X3,
    "mvit_v1_b24_32x3": _32X3,
    "mvit_v2_s": _16X4,
    "mvit_v2_b_32x3": _32X3,
    "mvit_v2_l_40x3": _40X3,
}
_SWIN_CLIP = ClipSpec(
    frames=32, stride=2, fps=Fraction(30), size=224, short_side=256, test_clips=12, test_crops=1, **_IMAGENET
)
_MM_SWIN_CLIP = replace(_SWIN_CLIP, fps=None, short_side=224, test_clips=4, test_crops=3)
_SWINS: dict[tuple[int, tuple[int, ...]], str] = {
    (96, (2, 2, 6, 2)): "swin3d_t",
    (96, (2, 2, 18, 2)): "swin3d_s",
    (128, (2, 2, 18, 2)): "swin3d_b",
    (192, (2, 2, 18, 2)): "swin3d_l",
}
_PATCHES_AND_SIDES = 13 * 13
"""Rows of Swin's table of positions for one distance in time: windows are 7x7 patches."""

# MViT: each origin's names become torchvision's.
_FAIR: tuple[Rule, ...] = (
    (r"\.attn\.pool_([qkv])\.", r".attn.pool_\1.pool."),
    (r"\.attn\.norm_([qkv])\.", r".attn.pool_\1.norm_act.0."),
    (r"\.attn\.proj\.", ".attn.project.0."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"^(blocks\.\d+)\.proj\.", r"\1.project."),
    (r"^cls_token$", "pos_encoding.class_token"),
    (r"^pos_embed_(\w+)$", r"pos_encoding.\1_pos"),
)
_OURS: tuple[Rule, ...] = (
    (r"^(?!head\.)", "network."),
    (r"^head\.(projection|proj|1)\.", "head.linear."),
)
_MVIT_RULES: dict[str, tuple[Rule, ...]] = {
    "torchvision": _OURS,
    "PySlowFast": ((r"^patch_embed\.proj\.", "conv_proj."), *_FAIR, *_OURS),
    "PyTorchVideo": (
        (r"^patch_embed\.patch_model\.", "conv_proj."),
        (r"^cls_positional_encoding\.", ""),
        (r"^norm_embed\.", "norm."),
        (r"\.attn\.q\.(\w+)$", r".attn.qkv.\1#0"),
        (r"\.attn\.k\.(\w+)$", r".attn.qkv.\1#1"),
        (r"\.attn\.v\.(\w+)$", r".attn.qkv.\1#2"),
        *_FAIR,
        *_OURS,
    ),
    "MMAction2": (
        (r"^backbone\.", ""),
        (r"^patch_embed\.projection\.", "conv_proj."),
        (r"^norm3\.", "norm."),
        (r"^cls_head\.fc_cls\.", "head.1."),
        *_FAIR,
        *_OURS,
    ),
}
# Keys that only this origin has; all of them.
_MVIT_SIGNS = {
    "torchvision": ("conv_proj.weight", "pos_encoding.class_token"),
    "PySlowFast": ("patch_embed.proj.weight", "cls_token", "blocks.0.attn.pool_k.weight"),
    "PyTorchVideo": ("patch_embed.patch_model.weight", "blocks.0.attn.pool_k.weight"),
    "MMAction2": ("backbone.patch_embed.projection.weight", "backbone.blocks.0.attn.pool_k.weight"),
}

_SWIN_RULES: dict[str, tuple[Rule, ...]] = {
    "torchvision": ((r"^(?!head\.)", "network."), (r"^head\.", "head.linear.")),
    "MMAction2": (
        (r"^backbone\.layers\.(\d)\.blocks\.", lambda m: f"network.features.{2 * int(m[1])}."),
        (r"^backbone\.layers\.(\d)\.downsample\.", lambda m: f"network.features.{2 * int(m[1]) + 1}."),
        (r"^backbone\.norm3?\.", "network.norm."),
        (r"^backbone\.", "network."),
        (r"\.mlp\.fc1\.", ".mlp.0."),
        (r"\.mlp\.fc2\.", ".mlp.3."),
        (r"^cls_head\.fc_cls\.", "head.linear."),
    ),
    "torchvision images": (
        (r"^features\.0\.0\.", "patch_embed.proj."),
        (r"^features\.0\.2\.", "patch_embed.norm."),
        (r"^features\.(\d)\.", lambda m: f"features.{int(m[1]) - 1}."),
        (r"^(?!head\.)", "network."),
        (r"^head\.", "head.linear."),
    ),
}
_SWIN_SIGNS = {
    "torchvision": "features.0.0.attn.relative_position_bias_table",
    "MMAction2": "backbone.layers.0.blocks.0.attn.relative_position_bias_table",
    "torchvision images": "features.1.0.attn.relative_position_bias_table",
}


def readings(shapes: Shapes) -> Iterator[Reading]:
    """MViT or Video Swin in a state dict with these shapes."""
    for origin, signs in _MVIT_SIGNS.items():
        if all(sign in shapes for sign in signs):
            yield from _mvit(origin, shapes)
    for origin, sign in _SWIN_SIGNS.items():
        if sign in shapes:
            yield from _swin(origin, shapes)


def _mvit(origin: str, shapes: Shapes) -> Iterator[Reading]:
    rules = _MVIT_RULES[origin]
    ours = _renamed(shapes, rules)
    patches = ours["network.conv_proj.weight"]
    head = ours.get("head.linear.weight")
    relative = "network.blocks.0.attn.rel_pos_t" in ours
    if len(patches) != 5 or head is None or not (relative or "network.pos_encoding.spatial_pos" in ours):
        return
    depth = max(int(key.split(".")[2]) for key in ours if key.startswith("network.blocks.")) + 1
    if (relative, patches[0], depth) not in _MVITS:
        return
    name, own_frames, own_size = _MVITS[relative, patches[0], depth]
    if relative:
        # One row for each distance between two patches, in both directions.
        frames = ours["network.blocks.0.attn.rel_pos_t"][0] + 1
        size = (ours["network.blocks.0.attn.rel_pos_h"][0] + 1) * 2
    else:
        frames = ours["network.pos_encoding.temporal_pos"][-2] * 2
        size = math.isqrt(ours["network.pos_encoding.spatial_pos"][-2]) * 4
    if name == "mvit_v1_b" and frames == 32:
        name, own_frames = "mvit_v1_b_32x3", 32
    options: dict[str, Any] = (
        {} if (frames, size) == (own_frames, own_size) else {"frames": frames, "size": size}
    )
    if name == "mvit_v2_s" and "network.blocks.0.project.weight" in ours:
        if origin == "PySlowFast":
            return  # it averages tokens then, instead of reading the class token
        options["widen_in_attention"] = False
    yield Reading(
        origin=origin,
        model=name,
        options=options,
        num_classes=head[0],
        clip=_resized(_mvit_clip(origin, name, head[0]), frames, size),
        labels=_LABELS.get(head[0], ""),
        rules=rules,
        # A batch of one is theirs; ours has none.
        edits={
            r"network\.pos_encoding\.class_.*": lambda w: w.flatten(),
            r"network\.pos_encoding\..*": lambda w: w.flatten(0, -2),
        },
        ignored={r".*\._attention_pool_[qkv]\..*": "a second name of tensors that the file holds already"},
    )


def _mvit_clip(origin: str, name: str, num_classes: int) -> ClipSpec:
    """How an origin feeds a model; files of 174 classes are for Something-Something, whose videos are cut evenly."""
    clip = _MVIT_CLIPS[name]
    grey: dict[str, Any] = {"mean": _16X4.mean, "std": _16X4.std}
    if origin == "MMAction2":
        clip = replace(clip, fps=None, short_side=clip.size, **grey)
    if num_classes != 174:
        return clip
    clip = replace(
        clip, sampling="segments", stride=1, fps=None, short_side=clip.size, test_clips=1, test_crops=3
    )
    if origin == "MMAction2":
        return replace(clip, **_IMAGENET) if name == "mvit_v2_s" else clip
    # PySlowFast normalises the blue, green, red of its frame files as if they were red, green, blue, then turns them.
    return replace(clip, mean=clip.mean[::-1], std=clip.std[::-1])


def _resized(clip: ClipSpec, frames: int, size: int) -> ClipSpec:
    return replace(clip, frames=frames, size=size, short_side=round(clip.short_side * size / clip.size))


def _swin(origin: str, shapes: Shapes) -> Iterator[Reading]:
    rules = _SWIN_RULES[origin]
    images = origin == "torchvision images"
    ours = _renamed(shapes, rules)
    patches = ours.get("network.patch_embed.proj.weight")
    head = ours.get("head.linear.weight")
    if patches is None or head is None or len(patches) != (4 if images else 5):
        return
    blocks = depths(ours, r"network\.features\.([0246])\.(\d+)\.")
    name = _SWINS.get((patches[0], blocks))
    rows = ours["network.features.0.0.attn.relative_position_bias_table"][0]
    if name is None or rows % _PATCHES_AND_SIDES:
        return
    window = (rows // _PATCHES_AND_SIDES + 1) // 2
    yield Reading(
        origin=origin,
        model=name,
        options={} if images or window == 8 else {"window_frames": window},
        num_classes=head[0],
        clip=_MM_SWIN_CLIP if origin == "MMAction2" else None,
        labels="" if images else _LABELS.get(head[0], ""),
        rules=rules,
        # The same for every distance in time: section 3.3 of the paper.
        edits={r".*\.relative_position_bias_table": lambda w: w.repeat(15, 1)} if images else {},
        ignored={r".*\.relative_position_index": "follows from the window's size"}
        | ({r"head\..*": "the classifier of images"} if images else {}),
        inflates=images,
    )


def _renamed(shapes: Shapes, rules: tuple[Rule, ...]) -> Mapping[str, tuple[int, ...]]:
    ours = {}
    for key, shape in shapes.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        ours[key] = shape
    return ours


def _torchvision(model: str, file: str, top1: float, top5: float, *, data: str = "k400") -> Weights:
    swin = model.startswith("swin")
    return Weights(
        name=f"{model}.{data}",
        model=model,
        origin="torchvision",
        url=f"https://download.pytorch.org/models/{file}.pth",
        sha256=file[-8:],
        clip=_SWIN_CLIP if swin else _MVIT_CLIPS[model],
        labels="kinetics400",
        licence="BSD-3-Clause",
        scores={"top1": top1, "top5": top5},
        views="12x1" if swin else "5x1",
        note=f"ported from {'Video Swin' if swin else 'PyTorchVideo' if model == 'mvit_v1_b' else 'PySlowFast'}",
    )


def _fair(origin: str, name: str, file: str, top1: float, top5: float) -> Weights:
    """From Meta's store: PySlowFast's or PyTorchVideo's."""
    model, data = name.split(".")[:2]
    clip = _mvit_clip(origin, model, 174 if data == "ssv2" else 400)
    return Weights(
        name=name,
        model=model,
        origin=origin,
        url=f"https://dl.fbaipublicfiles.com/{file}.pyth",
        clip=clip,
        labels={"k400": "kinetics400", "k600": "kinetics600", "ssv2": "ssv2"}[data],
        licence="Apache-2.0",
        scores={"top1": top1, "top5": top5},
        views=f"{clip.test_clips}x{clip.test_crops}",
    )


def _mmaction(
    name: str,
    file: str,
    top1: float,
    top5: float,
    *,
    note: str = "",
    options: Mapping[str, Any] | None = None,
) -> Weights:
    model, data = name.split(".")[:2]
    swin = model.startswith("swin")
    clip = _MM_SWIN_CLIP if swin else _mvit_clip("MMAction2", model, 174 if data == "ssv2" else 400)
    if "maskfeat" in data:
        clip = replace(clip, test_clips=10)
    return Weights(
        name=name,
        model=model,
        options=options or {},
        origin="MMAction2",
        url=f"https://download.openmmlab.com/mmaction/v1.0/recognition/{'swin' if swin else 'mvit'}/{file}.pth",
        sha256=file[-8:],
        clip=clip,
        labels={"k700": "kinetics700", "ssv2": "ssv2"}.get(data, "kinetics400"),
        licence="Apache-2.0",
        scores={"top1": top1, "top5": top5},
        views=f"{clip.test_clips}x{clip.test_crops}",
        note=note,
    )


def _twice(file: str, stamp: str) -> str:
    """MMAction2 keeps what it trained in a folder of the file's name."""
    return f"{file}/{file}_{stamp}"


_PTV = "pytorchvideo/model_zoo/kinetics"
_V2 = "pyslowfast/model_zoo/mvitv2/pysf_video_models/MViTv2"
_SAME = "converted from PySlowFast's"
WEIGHTS: tuple[Weights, ...] = (
    _torchvision("mvit_v1_b", "mvit_v1_b-dbeb1030", 78.477, 93.582),
    _torchvision("mvit_v2_s", "mvit_v2_s-ae3be167", 80.757, 94.665),
    _torchvision("swin3d_t", "swin3d_t-7615ae03", 77.715, 93.519),
    _torchvision("swin3d_s", "swin3d_s-da41c237", 79.521, 94.158),
    _torchvision("swin3d_b", "swin3d_b_1k-24f7c7c6", 79.427, 94.386),
    _torchvision("swin3d_b", "swin3d_b_22k-7c6ae6fa", 81.643, 95.574, data="in22k_k400"),
    _fair("PyTorchVideo", "mvit_v1_b.k400.pytorchvideo", f"{_PTV}/MVIT_B_16x4", 78.85, 93.85),
    _fair("PyTorchVideo", "mvit_v1_b_32x3.k400", f"{_PTV}/MVIT_B_32x3_f294077834", 80.30, 94.69),
    _fair("PySlowFast", "mvit_v1_b24_32x3.k400", "pyslowfast/model_zoo/mvit/k400", 80.4, 94.8),
    _fair("PySlowFast", "mvit_v1_b24_32x3.k600", "pyslowfast/model_zoo/mvit/k600", 83.9, 96.5),
    _fair("PySlowFast", "mvit_v2_s.k400.pyslowfast", f"{_V2}_S_16x4_k400_f302660347", 81.0, 94.6),
    _fair("PySlowFast", "mvit_v2_b_32x3.k400", f"{_V2}_B_32x3_k400_f304025456", 82.9, 95.7),
    _fair("PySlowFast", "mvit_v2_l_40x3.k400", f"{_V2}_L_40x3_k400_f306903192", 86.1, 97.0),
    _fair("PySlowFast", "mvit_v2_s.ssv2", f"{_V2}_S_16x4_ssv2_f308341823", 68.2, 91.4),
    _fair("PySlowFast", "mvit_v2_b_32x3.ssv2", f"{_V2}_B_32x3_ssv2_f305803282", 70.5, 92.7),
    _fair("PySlowFast", "mvit_v2_l_40x3.ssv2", f"{_V2}_L_40x3_ssv2_f309603968", 73.3, 94.1),
    _mmaction(
        "mvit_v2_s.k400.mmaction2",
        _twice("mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb", "20230201-23284ff3"),
        80.6,
        94.7,
    ),
    _mmaction(
        "mvit_v2_s.maskfeat_k400",
        _twice("mvit-small-p244_k400-maskfeat-pre_8xb32-16x4x1-100e_kinetics400-rgb", "20230201-5bced1d0"),
        81.8,
        95.2,
        options={"widen_in_attention": False},
    ),
    _mmaction(
        "mvit_v2_b_32x3.k400.mmaction2",
        "converted/mvit-base-p244_32x3x1_kinetics400-rgb_20221021-f392cd2d",
        82.6,
        95.8,
        note=_SAME,
    ),
    _mmaction(
        "mvit_v2_l_40x3.k400.mmaction2",
        "converted/mvit-large-p244_40x3x1_kinetics400-rgb_20221021-11fe1f97",
        85.4,
        96.2,
        note=f"{_SAME}, which normalises with ImageNet's mean and std and reaches 86.1",
    ),
    _mmaction(
        "mvit_v2_s.ssv2.mmaction2",
        _twice("mvit-small-p244_k400-pre_16xb16-u16-100e_sthv2-rgb", "20230201-4065c1b9"),
        68.2,
        91.3,
    ),
    _mmaction(
        "mvit_v2_b_32x3.ssv2.mmaction2",
        "converted/mvit-base-p244_u32_sthv2-rgb_20221021-d5de5da6",
        70.8,
        92.7,
        note=_SAME,
    ),
    _mmaction(
        "swin3d_t.k400.mmaction2",
        _twice("swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb", "20220930-241016b2"),
        78.90,
        93.77,
    ),
    _mmaction(
        "swin3d_s.k400.mmaction2",
        _twice("swin-small-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb", "20220930-e91ab986"),
        80.54,
        94.46,
    ),
    _mmaction(
        "swin3d_b.k400.mmaction2",
        _twice("swin-base-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb", "20220930-182ec6cc"),
        80.57,
        94.49,
    ),
    _mmaction(
        "swin3d_l.k400",
        _twice("swin-large-p244-w877_in22k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb", "20220930-78ad8b11"),
        83.46,
        95.91,
    ),
    _mmaction(
        "swin3d_l.k700",
        _twice("swin-large-p244-w877_in22k-pre_16xb8-amp-32x2x1-30e_kinetics700-rgb", "20220930-f8d74db7"),
        75.92,
        92.72,
    ),
)
