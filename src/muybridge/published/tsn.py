"""TSN and TSM, as MMAction2 publishes them, and the image networks that both grow from.

The shift of TSM has no weights, but MMAction2 wraps the shifted convolutions, so that keys tell which they are. The
number of segments is not told; any number fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from muybridge.published._reading import Reading, Shapes, depths
from muybridge.types import ClipSpec, Weights

_LAYERS: dict[tuple[int, ...], int] = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101}

_RGB = ClipSpec(
    frames=8,
    sampling="segments",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    test_clips=1,
    test_crops=3,
)
# Bytes less 128, divided by 128.
_FLOW = replace(_RGB, modality="flow", mean=(128 / 255,) * 10, std=(128 / 255,) * 10)


def readings(shapes: Shapes) -> Iterator[Reading]:
    """Files of MMAction2, and torchvision's ResNet-50 and ResNet-101 for images."""
    if len(shapes.get("backbone.conv1.conv.weight", ())) == 4 and "cls_head.fc_cls.weight" in shapes:
        yield from _mmaction2(shapes)
    if (
        len(shapes.get("conv1.weight", ())) == 4
        and "layer1.0.conv3.weight" in shapes
        and "fc.weight" in shapes
    ):
        yield from _images(shapes)


def _mmaction2(shapes: Shapes) -> Iterator[Reading]:
    layers = _LAYERS.get(depths(shapes, r"backbone\.layer([1-4])\.(\d+)\."))
    channels = shapes["backbone.conv1.conv.weight"][1]
    shifted = {key.split(".conv1.")[0] for key in shapes if key.endswith(".conv1.conv.net.weight")}
    if layers is None or channels not in (3, 10) or shifted not in (set(), _shifted(layers, shapes)):
        return
    if channels == 10 and (shifted or layers != 50):
        return
    num_classes = shapes["cls_head.fc_cls.weight"][0]
    yield Reading(
        origin="MMAction2",
        model=f"{'tsm' if shifted else 'tsn'}_r{layers}" + ("_flow" if channels == 10 else ""),
        num_classes=num_classes,
        clip=_FLOW if channels == 10 else _RGB,
        labels="kinetics400" if num_classes == 400 else "",
        rules=(
            (r"\.conv\.net\.", ".conv."),
            (r"^backbone\.conv1\.conv\.", "backbone.conv1."),
            (r"^backbone\.conv1\.bn\.", "backbone.bn1."),
            (r"\.conv([123])\.conv\.", r".conv\1."),
            (r"\.conv([123])\.bn\.", r".bn\1."),
            (r"\.downsample\.conv\.", ".downsample.0."),
            (r"\.downsample\.bn\.", ".downsample.1."),
            (r"^cls_head\.fc_cls\.", "head.linear."),
        ),
        note="the file does not tell for how many segments its shifts were trained: 8 or 16"
        if shifted
        else "",
    )


def _shifted(layers: int, shapes: Shapes) -> set[str]:
    """Blocks with a shift: all of ResNet-50, every second one of ResNet-101."""
    every = 1 if layers == 50 else 2
    counts = depths(shapes, r"backbone\.layer([1-4])\.(\d+)\.")
    return {f"backbone.layer{stage}.{i}" for stage, n in enumerate(counts, 1) for i in range(0, n, every)}


def _images(shapes: Shapes) -> Iterator[Reading]:
    layers = _LAYERS.get(depths(shapes, r"layer([1-4])\.(\d+)\."))
    models = {50: ("tsn_r50", "tsn_r50_flow", "tsm_r50"), 101: ("tsn_r101", "tsm_r101")}
    for model in models.get(layers or 0, ()):
        yield Reading(
            origin="torchvision images",
            model=model,
            num_classes=shapes["fc.weight"][0],
            rules=((r"^(?=conv1|bn1|layer)", "backbone."),),
            ignored={r"fc\..*": "the classifier of images"},
            inflates=True,
        )


_TEN_CROPS = "scored with ten crops: four corners and the centre, and their mirror images"


def _weights(
    name: str,
    folder: str,
    file: str,
    clip: ClipSpec,
    scores: tuple[float, float],
    *,
    views: str = "1x10",
    note: str = _TEN_CROPS,
) -> Weights:
    model, data = name.split(".")
    return Weights(
        name=name,
        model=model,
        origin="MMAction2",
        url=f"https://download.openmmlab.com/mmaction/{folder}/{file}.pth",
        sha256=file.rpartition("-")[2],
        clip=clip,
        labels="ssv2" if data.startswith("ssv2") else "kinetics400",
        licence="Apache-2.0",
        scores={"top1": scores[0], "top5": scores[1]},
        views=views,
        note=note,
    )


def _tsn(name: str, config: str, ending: str, scores: tuple[float, float]) -> Weights:
    config = f"tsn_imagenet-pretrained-{config}"
    folder, file = f"v1.0/recognition/tsn/{config}", f"{config}_{ending}"
    return _weights(name, folder, file, replace(_RGB, frames=25), scores)


def _tsm(
    name: str, config: str, ending: str, clip: ClipSpec, scores: tuple[float, float], views: str = "1x10"
) -> Weights:
    config = f"tsm_imagenet-pretrained-{config}"
    note = _TEN_CROPS if views.endswith("x10") else ""
    return _weights(
        name,
        f"v1.0/recognition/tsm/{config}",
        f"{config}_{ending}",
        clip,
        scores,
        views=views,
        note=note,
    )


def _tsn_flow(name: str, config: str, ending: str, scores: tuple[float, float]) -> Weights:
    return _weights(
        name, f"recognition/tsn/{config}", f"{config}_{ending}", replace(_FLOW, frames=25), scores
    )


_16 = replace(_RGB, frames=16)
# Eight frames of a run of 64, ten runs.
_DENSE = replace(_RGB, sampling="dense", stride=8, test_clips=10)
_SSV2 = replace(_RGB, size=256, test_clips=2)

WEIGHTS: tuple[Weights, ...] = (
    _tsn("tsn_r50.k400", "r50_8xb32-1x1x8-100e_kinetics400-rgb", "20220906-2692d16c", (74.12, 91.34)),
    _tsn("tsn_r50.k400-5seg", "r50_8xb32-1x1x5-100e_kinetics400-rgb", "20220906-65d68713", (73.80, 91.21)),
    _tsn("tsn_r50.k400-3seg", "r50_8xb32-1x1x3-100e_kinetics400-rgb", "20220906-cd10898e", (72.83, 90.65)),
    _weights(
        "tsn_r50.k400-dense",
        "v1.0/recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-dense-1x1x5-100e_kinetics400-rgb",
        "tsn_imagenet-pretrained-r50_8xb32-dense-1x1x5-100e_kinetics400-rgb_20220906-dcbc6e01",
        replace(_RGB, frames=25, sampling="dense", stride=2, test_clips=10, test_crops=1),
        (71.37, 89.67),
        views="10x1",
        note="trained and tested on frames of short runs; views as in its test configuration, its table says ten crops",
    ),
    _tsn("tsn_r101.k400", "r101_8xb32-1x1x8-100e_kinetics400-rgb", "20220906-23cff032", (75.89, 92.07)),
    _tsn("tsn_r50.ssv2", "r50_8xb32-1x1x8-50e_sthv2-rgb", "20230313-06ad7d03", (35.51, 67.09)),
    _tsn("tsn_r50.ssv2-16seg", "r50_8xb32-1x1x16-50e_sthv2-rgb", "20230221-85bcc1c3", (36.91, 68.77)),
    _tsn_flow(
        "tsn_r50_flow.k400", "tsn_r50_320p_1x1x8_110e_kinetics400_flow", "20200705-1f39486b", (57.76, 80.99)
    ),
    _tsn_flow(
        "tsn_r50_flow.k400-3seg",
        "tsn_r50_320p_1x1x3_110e_kinetics400_flow",
        "20200705-3036bab6",
        (55.70, 79.85),
    ),
    _tsm("tsm_r50.k400", "r50_8xb16-1x1x8-100e_kinetics400-rgb", "20220831-a6db1e5d", _RGB, (73.22, 90.22)),
    _tsm(
        "tsm_r50.k400-50e", "r50_8xb16-1x1x8-50e_kinetics400-rgb", "20220831-64d69186", _RGB, (73.18, 90.56)
    ),
    _tsm(
        "tsm_r50.k400-16seg", "r50_8xb16-1x1x16-50e_kinetics400-rgb", "20220831-042b1748", _16, (75.12, 91.55)
    ),
    _tsm(
        "tsm_r50.k400-dense",
        "r50_8xb16-dense-1x1x8-50e_kinetics400-rgb",
        "20220831-f55d3c2b",
        _DENSE,
        (73.38, 90.78),
        "10x10",
    ),
    _tsm("tsm_r50.ssv2", "r50_8xb16-1x1x8-50e_sthv2-rgb", "20230317-be0fc26e", _SSV2, (62.72, 87.70), "2x3"),
    _tsm(
        "tsm_r50.ssv2-16seg",
        "r50_8xb16-1x1x16-50e_sthv2-rgb",
        "20230317-ec6696ad",
        replace(_SSV2, frames=16),
        (64.16, 88.61),
        "2x3",
    ),
    _tsm(
        "tsm_r101.ssv2", "r101_8xb16-1x1x8-50e_sthv2-rgb", "20230320-efcc0d1b", _SSV2, (63.70, 88.28), "2x3"
    ),
)
