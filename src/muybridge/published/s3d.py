"""Files of S3D (`muybridge.models.s3d`): torchvision's and kylemin's, the same network under two sets of names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from muybridge.published._reading import Reading, Rule, Shapes
from muybridge.types import ClipSpec, Weights

# Both number the layers in the order of our names; pools have no weights.
_LAYERS = {
    0: "Conv3d_1a_7x7",
    2: "Conv3d_2b_1x1",
    3: "Conv3d_2c_3x3",
    5: "Mixed_3b",
    6: "Mixed_3c",
    8: "Mixed_4b",
    9: "Mixed_4c",
    10: "Mixed_4d",
    11: "Mixed_4e",
    12: "Mixed_4f",
    14: "Mixed_5b",
    15: "Mixed_5c",
}
_PART = r"(weight|bias|running_mean|running_var|num_batches_tracked)$"


def _layer(match: re.Match[str]) -> str:
    return f"trunk.{_LAYERS.get(int(match[1]), match[1])}."


def _unit(match: re.Match[str]) -> str:
    return f".{('conv', 'norm')[int(match[1])]}.{match[2]}"


def _half(match: re.Match[str]) -> str:
    return f"{match[1]}.{('space', 'time')[int(match[2])]}."


_TORCHVISION: tuple[Rule, ...] = (
    (r"^classifier\.1\.", "head.linear."),
    (r"^features\.(\d+)\.", _layer),
    (r"\.branch0\.", ".branches.0.0."),
    (r"\.branch(\d)\.", r".branches.\1."),
    (rf"(?<!linear)\.([01])\.{_PART}", _unit),
    (r"(Conv3d_1a_7x7|Conv3d_2c_3x3|branches\.[12]\.1)\.([01])\.", _half),
)
_KYLEMIN: tuple[Rule, ...] = (
    (r"^fc\.0\.", "head.linear."),
    (r"^base\.(\d+)\.", _layer),
    (r"\.branch(\d)\.", r".branches.\1."),
    (r"\.(conv|bn)_s\.", r".space.\1."),
    (r"\.(conv|bn)_t\.", r".time.\1."),
    (r"\.bn\.", ".norm."),
)

_PAPER = ClipSpec(
    frames=64,
    stride=1,
    fps=Fraction(25),
    size=224,
    short_side=256,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    test_clips=4,
    test_crops=1,
)
_PUBLISHED = replace(
    _PAPER,
    frames=128,
    fps=Fraction(15),
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
    test_clips=1,
)


def readings(shapes: Shapes) -> Iterator[Reading]:
    """S3D of torchvision and of kylemin."""
    if "features.5.branch1.1.0.0.weight" in shapes and "classifier.1.weight" in shapes:
        classes = shapes["classifier.1.weight"][0]
        yield _reading("torchvision", classes, _TORCHVISION, _PUBLISHED)
    if "base.5.branch1.1.conv_s.weight" in shapes and "fc.0.weight" in shapes:
        yield _reading("kylemin", shapes["fc.0.weight"][0], _KYLEMIN, _PAPER)


def _reading(origin: str, classes: int, rules: tuple[Rule, ...], clip: ClipSpec) -> Reading:
    return Reading(
        origin=origin,
        model="s3d",
        options={} if origin == "torchvision" else {"sliding": False},
        num_classes=classes,
        clip=clip,
        labels="kinetics400" if classes == 400 else "",
        rules=rules,
        edits={r"head\.linear\.weight": lambda w: w.flatten(1)},
    )


WEIGHTS = (
    Weights(
        name="s3d.k400",
        model="s3d",
        origin="torchvision",
        url="https://download.pytorch.org/models/s3d-d76dad2f.pth",
        sha256="d76dad2f",
        clip=_PUBLISHED,
        labels="kinetics400",
        licence="BSD-3-Clause",
        scores={"top1": 68.368, "top5": 88.05},
        views="1x1",
        note="Its score was reached on frames squeezed to 256x256 before the crop.",
    ),
    Weights(
        name="s3d.k400.kylemin",
        model="s3d",
        origin="kylemin",
        url="https://drive.google.com/file/d/1IysdsJI7UuWazoxFyYvrbO97Lz_EP5H-/view?usp=sharing",
        clip=_PAPER,
        labels="kinetics400",
        licence="MIT",
        scores={"top1": 72.08, "top5": 90.35},
        note="S3D_kinetics400.pt on Google Drive: open the link in a browser. Which clips and crops gave the score is "
        "not stated, nor the frame rate.",
    ),
)
