"""C3D, as DavideA publishes it (Sports-1M, converted from Caffe) and as MMAction2 does (fine-tuned on UCF-101)."""

from __future__ import annotations

from collections.abc import Iterator

from muybridge.published._reading import Reading, Rule, Shapes
from muybridge.types import ClipSpec, Weights

_NUMBERS_INTO_FC6 = {8192: True, 4608: False}

_MMACTION2 = ClipSpec(
    frames=16,
    stride=1,
    size=112,
    short_side=128,
    mean=(104 / 255, 117 / 255, 128 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    test_clips=10,
    test_crops=1,
)
_DAVIDEA = ClipSpec(
    frames=16,
    stride=1,
    size=112,
    short_side=112,
    mean=(0.0, 0.0, 0.0),
    std=(1 / 255, 1 / 255, 1 / 255),
    test_clips=10,
    test_crops=1,
)
_DAVIDEA_NOTE = (
    "fed as the script beside the weights feeds them: RGB from 0 to 255, no mean removed; the network itself gives "
    "logits, where theirs ends in a softmax"
)


def readings(shapes: Shapes) -> Iterator[Reading]:
    """Files of DavideA (and of ports that took over its names) and of MMAction2."""
    if "conv1.weight" in shapes and "conv5b.weight" in shapes and "fc8.weight" in shapes:
        num_classes = shapes["fc8.weight"][0]
        yield from _reading(
            shapes,
            fc6="fc6.weight",
            origin="DavideA",
            num_classes=num_classes,
            clip=_DAVIDEA,
            labels="sports1m" if num_classes == 487 else "",
            rules=(
                (r"^conv(\d)\.", r"convs.conv\1a."),
                (r"^conv(\d[ab])\.", r"convs.conv\1."),
                (r"^fc8\.", "head.linear."),
            ),
            note=_DAVIDEA_NOTE,
        )
    if "backbone.conv5b.conv.weight" in shapes and "cls_head.fc_cls.weight" in shapes:
        num_classes = shapes["cls_head.fc_cls.weight"][0]
        yield from _reading(
            shapes,
            fc6="backbone.fc6.weight",
            origin="MMAction2",
            num_classes=num_classes,
            clip=_MMACTION2,
            labels="ucf101" if num_classes == 101 else "",
            rules=(
                (r"^backbone\.conv(\d[ab])\.conv\.", r"convs.conv\1."),
                (r"^backbone\.", ""),
                (r"^cls_head\.fc_cls\.", "head.linear."),
            ),
            note="",
        )


def _reading(
    shapes: Shapes,
    *,
    fc6: str,
    origin: str,
    num_classes: int,
    clip: ClipSpec,
    labels: str,
    rules: tuple[Rule, ...],
    note: str,
) -> Iterator[Reading]:
    padding = _NUMBERS_INTO_FC6.get(shapes.get(fc6, (0, 0))[1])
    if padding is None:
        return
    yield Reading(
        origin=origin,
        model="c3d",
        options={"pool5_padding": padding},
        num_classes=num_classes,
        clip=clip,
        labels=labels,
        rules=rules,
        note=note,
    )


WEIGHTS: tuple[Weights, ...] = (
    Weights(
        name="c3d.sports1m",
        model="c3d",
        options={"pool5_padding": True},
        origin="DavideA",
        url="http://imagelab.ing.unimore.it/files/c3d_pytorch/c3d.pickle",
        clip=_DAVIDEA,
        labels="sports1m",
        licence="MIT",
        note=f"{_DAVIDEA_NOTE}; its author looked at answers, and gives no score",
    ),
    Weights(
        name="c3d.ucf101",
        model="c3d",
        options={"pool5_padding": True},
        origin="MMAction2",
        url="https://download.openmmlab.com/mmaction/v1.0/recognition/c3d/"
        "c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb/"
        "c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb_20220811-31723200.pth",
        sha256="31723200",
        clip=_MMACTION2,
        labels="ucf101",
        licence="Apache-2.0",
        scores={"top1": 83.08, "top5": 95.93},
        views="10x1",
        note="pretrained on Sports-1M; split 1 of UCF-101",
    ),
)
