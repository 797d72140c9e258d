"""Two-stream networks start from torchvision's image networks, in both streams; none was published whole.

The flow stream's first layer gets the mean of the colours: Wang et al. 2016, https://arxiv.org/abs/1608.00859.
"""

from __future__ import annotations

from collections.abc import Iterator

from muybridge.published._reading import Reading, Shapes, depths
from muybridge.types import Weights

WEIGHTS: tuple[Weights, ...] = ()


def readings(shapes: Shapes) -> Iterator[Reading]:
    """An image network's file, as the backbone of both streams."""
    for model in _models(shapes):
        fused = model.startswith("fused")
        place = "" if fused else "backbone."
        yield Reading(
            origin="torchvision images",
            model=model,
            num_classes=shapes["fc.weight"][0],
            rules=((r"^((?:conv|bn1|layer|inception).*)$", rf"rgb.{place}\1|flow.{place}\1"),),
            ignored={
                r"fc\..*": "the classifier of images",
                r"aux\d\..*": "a second classifier that only training needs",
            },
            inflates=True,
            fresh=r"(fusion|head)\..*" if fused else r"(rgb|flow)\.head\..*",
        )


def _models(shapes: Shapes) -> tuple[str, ...]:
    if len(shapes.get("inception3a.branch1.conv.weight", ())) == 4 and "fc.weight" in shapes:
        return "two_stream_inception", "fused_two_stream_inception"
    is_resnet50 = depths(shapes, r"layer([1-4])\.(\d+)\.conv3\.") == (3, 4, 6, 3) and "fc.weight" in shapes
    if is_resnet50 and len(shapes.get("conv1.weight", ())) == 4:
        return ("two_stream_r50",)
    return ()
