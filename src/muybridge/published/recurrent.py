"""ConvNet+LSTM and +GRU start from torchvision's image networks; none was published whole."""

from __future__ import annotations

from collections.abc import Iterator

from muybridge.published._reading import Reading, Shapes, depths
from muybridge.types import Weights

WEIGHTS: tuple[Weights, ...] = ()


def readings(shapes: Shapes) -> Iterator[Reading]:
    """An image network's file, as the backbone of a recurrent model."""
    for model in _models(shapes):
        yield Reading(
            origin="torchvision images",
            model=model,
            num_classes=shapes["fc.weight"][0],
            rules=((r"^(?=conv|bn1|layer|inception)", "backbone."),),
            ignored={
                r"fc\..*": "the classifier of images",
                r"aux\d\..*": "a second classifier that only training needs",
            },
            inflates=True,
            fresh=r"(norm|cell|head)\..*",
        )


def _models(shapes: Shapes) -> tuple[str, ...]:
    if len(shapes.get("inception3a.branch1.conv.weight", ())) == 4 and "fc.weight" in shapes:
        return "lstm_inception", "gru_inception"
    is_resnet50 = depths(shapes, r"layer([1-4])\.(\d+)\.conv3\.") == (3, 4, 6, 3) and "fc.weight" in shapes
    if is_resnet50 and len(shapes.get("conv1.weight", ())) == 4:
        return "lstm_r50", "gru_r50"
    return ()
