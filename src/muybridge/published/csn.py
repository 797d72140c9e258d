"""Channel-separated networks, as MMAction2 and PyTorchVideo publish them.

Keys tell which layers there are, not the epsilon of the batch norms: 1e-3 for MMAction2, whose files come from the
paper's authors or grew from theirs, and 1e-5 for PyTorchVideo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from muybridge.published._reading import Reading, Rule, Shapes, depths
from muybridge.types import ClipSpec, Weights

_LAYERS: dict[tuple[int, ...], int] = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}

_PYTORCHVIDEO = ClipSpec(frames=32, stride=2, fps=Fraction(30))
_IMAGENET = ClipSpec(frames=32, stride=2, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_AUTHORS = ClipSpec(frames=32, stride=2, mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989))


def readings(shapes: Shapes) -> Iterator[Reading]:
    """Files of MMAction2 and of PyTorchVideo."""
    if _is_depthwise(shapes, "blocks.1.res_blocks.0.branch2.conv_b.weight"):
        yield from _pytorchvideo(shapes)
    if any(_is_depthwise(shapes, f"backbone.layer1.0.conv2.{last}.conv.weight") for last in (0, 1)):
        yield from _mmaction2(shapes)


def _is_depthwise(shapes: Shapes, key: str) -> bool:
    return shapes.get(key, ())[1:] == (1, 3, 3, 3)


def _pytorchvideo(shapes: Shapes) -> Iterator[Reading]:
    layers = _LAYERS.get(depths(shapes, r"blocks\.([1-4])\.res_blocks\.(\d+)\."))
    if layers is None or "blocks.5.proj.weight" not in shapes:
        return
    num_classes = shapes["blocks.5.proj.weight"][0]
    yield Reading(
        origin="PyTorchVideo",
        model=f"ircsn_r{layers}",
        options={"eps": 1e-5, "sliding": True},
        num_classes=num_classes,
        clip=_PYTORCHVIDEO,
        labels="kinetics400" if num_classes == 400 else "",
        rules=(
            (r"^blocks\.0\.", "stem."),
            (r"^blocks\.([1-4])\.res_blocks", lambda m: f"stages.{int(m[1]) - 1}"),
            (r"^blocks\.5\.proj", "head.linear"),
            (r"\.branch1_(conv|norm)", r".shortcut.\1"),
            (r"\.branch2\.(conv|norm)_([abc])", lambda m: f".branch.{'abc'.index(m[2])}.{m[1]}"),
        ),
    )


def _mmaction2(shapes: Shapes) -> Iterator[Reading]:
    layers = _LAYERS.get(depths(shapes, r"backbone\.layer([1-4])\.(\d+)\."))
    if layers is None or "cls_head.fc_cls.weight" not in shapes:
        return
    num_classes = shapes["cls_head.fc_cls.weight"][0]
    preserved = "backbone.layer1.0.conv2.1.conv.weight" in shapes
    rules: tuple[Rule, ...] = (
        (r"^backbone\.conv1\.", "stem."),
        (r"^backbone\.layer([1-4])", lambda m: f"stages.{int(m[1]) - 1}"),
        (r"^cls_head\.fc_cls", "head.linear"),
        (r"\.downsample\.", ".shortcut."),
        (r"\.conv1\.(?=conv|bn)", ".branch.0."),
        (r"\.conv2\.([01])\.", lambda m: f".branch.{int(m[1]) + 1}."),
        (r"\.conv3\.", f".branch.{3 if preserved else 2}."),
        (r"\.bn\.", ".norm."),
    )
    yield Reading(
        origin="MMAction2",
        model=f"{'ip' if preserved else 'ir'}csn_r{layers}",
        options={"eps": 1e-3},
        num_classes=num_classes,
        clip=_AUTHORS if preserved else _IMAGENET,
        labels="kinetics400" if num_classes == 400 else "",
        rules=rules,
        note="the file does not tell its normalisation: weights that grew from IG-65M's want ImageNet's mean and std, "
        "those from scratch or from Sports-1M "
        f"{', '.join(str(m) for m in _AUTHORS.mean)} and {', '.join(str(s) for s in _AUTHORS.std)}",
    )


def _mmaction2_weights(
    model: str, data: str, file: str, sha256: str, clip: ClipSpec, scores: tuple[float, float], note: str
) -> Weights:
    return Weights(
        name=f"{model}.{data}",
        model=model,
        options={"eps": 1e-3},
        origin="MMAction2",
        url=f"https://download.openmmlab.com/mmaction/{file}-{sha256}.pth",
        sha256=sha256,
        clip=replace(clip, size=256),
        labels="kinetics400",
        licence="Apache-2.0",
        scores={"top1": scores[0], "top5": scores[1]},
        views="10x3",
        note=note,
    )


WEIGHTS: tuple[Weights, ...] = (
    Weights(
        name="ircsn_r101.k400",
        model="ircsn_r101",
        options={"eps": 1e-5},
        origin="PyTorchVideo",
        url="https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/CSN_32x2_R101.pyth",
        clip=replace(_PYTORCHVIDEO, size=256),
        labels="kinetics400",
        licence="Apache-2.0",
        scores={"top1": 77.00, "top5": 92.90},
        views="10x3",
    ),
    _mmaction2_weights(
        "ircsn_r152",
        "ig65m_k400",
        "v1.0/recognition/csn/ircsn_ig65m-pretrained-r152_8xb12-32x2x1-58e_kinetics400-rgb/"
        "ircsn_ig65m-pretrained-r152_8xb12-32x2x1-58e_kinetics400-rgb_20220811",
        "c7a3cc5b",
        _IMAGENET,
        (82.87, 95.90),
        "pretrained on IG-65M",
    ),
    _mmaction2_weights(
        "ircsn_r152",
        "ig65m_k400.bnfrozen",
        "v1.0/recognition/csn/ircsn_ig65m-pretrained-r152-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb/"
        "ircsn_ig65m-pretrained-r152-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb_20220811",
        "7d1dacde",
        _IMAGENET,
        (82.84, 95.92),
        "pretrained on IG-65M, batch norms frozen afterwards",
    ),
    _mmaction2_weights(
        "ircsn_r50",
        "ig65m_k400",
        "v1.0/recognition/csn/ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb/"
        "ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb_20220811",
        "44395bae",
        _IMAGENET,
        (79.44, 94.26),
        "pretrained on IG-65M, batch norms frozen afterwards",
    ),
    _mmaction2_weights(
        "ipcsn_r152",
        "k400",
        "recognition/csn/vmz/vmz_ipcsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617",
        "d565828d",
        _AUTHORS,
        (77.80, 93.10),
        "the authors' weights, converted by MMAction2",
    ),
    _mmaction2_weights(
        "ircsn_r152",
        "k400",
        "recognition/csn/vmz/vmz_ircsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617",
        "5c933ae1",
        _AUTHORS,
        (76.53, 92.28),
        "the authors' weights, converted by MMAction2",
    ),
    _mmaction2_weights(
        "ipcsn_r152",
        "ig65m_k400",
        "recognition/csn/vmz/vmz_ipcsn_ig65m_pretrained_r152_32x2x1_58e_kinetics400_rgb_20210617",
        "c3be9793",
        _IMAGENET,
        (82.68, 95.69),
        "the authors' weights, pretrained on IG-65M, converted by MMAction2",
    ),
    _mmaction2_weights(
        "ipcsn_r152",
        "sports1m_k400",
        "recognition/csn/vmz/vmz_ipcsn_sports1m_pretrained_r152_32x2x1_58e_kinetics400_rgb_20210617",
        "3367437a",
        _AUTHORS,
        (79.07, 93.82),
        "the authors' weights, pretrained on Sports-1M, converted by MMAction2",
    ),
    _mmaction2_weights(
        "ircsn_r152",
        "sports1m_k400",
        "recognition/csn/vmz/vmz_ircsn_sports1m_pretrained_r152_32x2x1_58e_kinetics400_rgb_20210617",
        "b9b10241",
        _AUTHORS,
        (78.57, 93.44),
        "the authors' weights, pretrained on Sports-1M, converted by MMAction2",
    ),
)
