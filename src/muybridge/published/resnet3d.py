"""3D ResNets, as Hara and torchvision publish them, and image networks that grow into them.

Hara's files come in two ages. Those of 2020 were made with batch norms that count batches. Those of 2018 (the paper's,
on Kinetics-400) have no such count, may have shortcuts without parameters (type A), start wide and grouped networks
with 64 channels, and want pixels from 0 to 255 less a mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from muybridge.published._reading import Reading, Rule, Shapes, depths
from muybridge.types import ClipSpec, Weights

# Blocks of each stage, and whether they are bottlenecks -> layers.
LAYERS: dict[tuple[tuple[int, ...], bool], int] = {
    ((1, 1, 1, 1), False): 10,
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
    ((3, 24, 36, 3), True): 200,
}
_BUILT = {
    "resnet3d": (10, 18, 34, 50, 101, 152, 200),
    "preact_resnet3d": (18, 34, 50, 101, 152, 200),
    "wide_resnet3d": (50,),
    "resnext3d": (50, 101, 152, 200),
}

HARA = ClipSpec(
    stride=1,
    size=112,
    short_side=112,
    mean=(0.4345, 0.4051, 0.3775),
    std=(0.2768, 0.2713, 0.2737),
    test_crops=1,
)
_HARA_2018 = replace(
    HARA, mean=(114.7748 / 255, 107.7354 / 255, 99.4750 / 255), std=(1 / 255, 1 / 255, 1 / 255)
)
TORCHVISION = ClipSpec(
    stride=1,
    fps=Fraction(15),
    size=112,
    short_side=128,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
    test_clips=5,
    test_crops=1,
)
ORDER = (
    "classes stand in the order in which Hara's training list names them, not in the alphabet's; "
    "https://github.com/kenshohara/3D-ResNets-PyTorch/issues/211 lists them: give labels= in that order"
)

_RESNET: tuple[Rule, ...] = (
    (r"^conv1\.", "stem.conv."),
    (r"^bn1\.", "stem.norm."),
    (r"^layer(\d)", lambda m: f"stages.{int(m[1]) - 1}"),
    (r"\.conv([123])\.", lambda m: f".branch.{int(m[1]) - 1}.conv."),
    (r"\.bn([123])\.", lambda m: f".branch.{int(m[1]) - 1}.norm."),
    (r"\.downsample\.0", ".shortcut.conv"),
    (r"\.downsample\.1", ".shortcut.norm"),
    (r"^fc\.", "head.linear."),
)
_VIDEO_RESNET: tuple[Rule, ...] = (
    (r"^stem\.0", "stem.conv"),
    (r"^stem\.1", "stem.norm"),
    (r"^layer(\d)", lambda m: f"stages.{int(m[1]) - 1}"),
    (r"\.conv([12])\.0", lambda m: f".branch.{int(m[1]) - 1}.conv"),
    (r"\.conv([12])\.1", lambda m: f".branch.{int(m[1]) - 1}.norm"),
    (r"\.downsample\.0", ".shortcut.conv"),
    (r"\.downsample\.1", ".shortcut.norm"),
    (r"^fc\.", "head.linear."),
)


def readings(shapes: Shapes) -> Iterator[Reading]:
    """Files of Hara and of torchvision, and torchvision's image networks."""
    if not {"layer2.0.conv1.weight", "layer2.0.bn1.weight", "conv1.weight", "fc.weight"} - set(shapes):
        yield from _hara_or_images(shapes)
    blocks = depths(shapes, r"layer(\d)\.(\d+)\.conv1\.0\.weight")
    if blocks == (2, 2, 2, 2) and shapes.get("stem.0.weight") == (64, 3, 3, 7, 7):
        num_classes = shapes["fc.weight"][0]
        yield Reading(
            origin="torchvision",
            model="r3d_18" if shapes["layer2.0.conv1.0.weight"][2] == 3 else "mc3_18",
            num_classes=num_classes,
            labels="kinetics400" if num_classes == 400 else "",
            rules=_VIDEO_RESNET,
        )


def _hara_or_images(shapes: Shapes) -> Iterator[Reading]:
    """Both name their layers alike; kernels tell video from images."""
    bottlenecks = "layer1.0.conv3.weight" in shapes
    layers = LAYERS.get((depths(shapes, r"layer(\d)\.(\d+)\."), bottlenecks), 0)
    kind = _kind(shapes, bottlenecks)
    if layers not in _BUILT.get(kind, ()):
        return
    stem, num_classes = shapes["conv1.weight"], shapes["fc.weight"][0]
    widths = {"stem_width": stem[0]} if kind in ("wide_resnet3d", "resnext3d") else {}
    if len(stem) == 4 and kind != "preact_resnet3d":
        models = [f"{kind}_{layers}"] + (["r3d_18", "mc3_18"] if layers == 18 else [])
        for model in models:
            yield Reading(
                origin="torchvision images",
                model=model,
                options=widths,
                num_classes=num_classes,
                rules=_RESNET,
                inflates=True,
            )
    elif len(stem) == 5:
        shortcut = "B" if any(".downsample." in key for key in shapes) else "A"
        counts = any(key.endswith("num_batches_tracked") for key in shapes)
        is_old = not counts or shortcut == "A" or widths == {"stem_width": 64}
        yield Reading(
            origin="Hara",
            model=f"{kind}_{layers}",
            options={"shortcut": shortcut, **widths},
            num_classes=num_classes,
            clip=_HARA_2018 if is_old else HARA,
            labels="kinetics400" if is_old and num_classes == 400 else "",
            rules=_RESNET,
            note="" if is_old else ORDER,
        )


def _kind(shapes: Shapes, bottlenecks: bool) -> str:
    if shapes["layer2.0.bn1.weight"][0] != shapes["layer2.0.conv1.weight"][0]:
        return "preact_resnet3d"  # the norm is as wide as what comes before the convolution
    if not bottlenecks:
        return "resnet3d"
    # Channels inside a bottleneck of the first stage, and how many of them each filter sees.
    kinds: dict[tuple[int, ...], str] = {
        (64, 64): "resnet3d",
        (128, 128): "wide_resnet3d",
        (128, 4): "resnext3d",
    }
    return kinds.get(shapes["layer1.0.conv2.weight"][:2], "")


def _torchvision(model: str, file: str, top1: float, top5: float) -> Weights:
    return Weights(
        name=f"{model}.k400",
        model=model,
        origin="torchvision",
        url=f"https://download.pytorch.org/models/{file}.pth",
        sha256=file.rpartition("-")[2],
        clip=TORCHVISION,
        labels="kinetics400",
        licence="BSD-3-Clause",
        scores={"top1": top1, "top5": top5},
        views="5x1",
        note="its score was reached on frames squeezed to 128x171 before the crop",
    )


def _hara(layers: int, data: str, letters: str) -> Weights:
    """Trained on Kinetics-700 (K), Moments in Time (M), STAIR Actions (S), or several of them."""
    return Weights(
        name=f"resnet3d_{layers}.{data}",
        model=f"resnet3d_{layers}",
        options={"shortcut": "B"},
        origin="Hara",
        url=f"https://drive.google.com/open?id=1xbYbZ7rpyjftI_KCk6YuL-XrfQDz7Yd4#r3d{layers}_{letters}_200ep.pth",
        clip=HARA,
        labels="",
        licence="MIT",
        note=f"on Google Drive, to be downloaded by hand; {ORDER}",
    )


def _hara_2018(
    name: str, file: str, average: float | None = None, *, frames: int = 16, **options: str | int
) -> Weights:
    model, _, data = name.partition(".")
    note = "on Google Drive, to be downloaded by hand"
    return Weights(
        name=name,
        model=model,
        options={"shortcut": "B", **options},
        origin="Hara",
        url=f"https://drive.google.com/drive/folders/1zvl89AgFAApbH0At-gMuZSeQB_LpNP-M?usp=sharing#{file}.pth",
        clip=replace(_HARA_2018, frames=frames),
        labels={"k400": "kinetics400"}.get(data, data.partition("_")[0]),
        licence="MIT",
        note=f"{note}; the mean of top-1 and top-5 is {average} %" if average else note,
    )


WEIGHTS: tuple[Weights, ...] = (
    _torchvision("r3d_18", "r3d_18-b3b3357e", 63.2, 83.479),
    _torchvision("mc3_18", "mc3_18-a90a0ba3", 63.96, 84.13),
    *(_hara(layers, "k700", "K") for layers in (18, 34, 50, 101, 152, 200)),
    *(_hara(layers, "km", "KM") for layers in (18, 34, 50, 101, 152, 200)),
    _hara(50, "kms", "KMS"),
    _hara(50, "ks", "KS"),
    _hara(50, "moments", "M"),
    _hara(50, "ms", "MS"),
    _hara(50, "stair", "S"),
    _hara_2018("resnet3d_18.k400", "resnet-18-kinetics", 66.1, shortcut="A"),
    _hara_2018("resnet3d_34.k400", "resnet-34-kinetics", 71.0, shortcut="A"),
    _hara_2018("resnet3d_50.k400", "resnet-50-kinetics", 72.2),
    _hara_2018("resnet3d_101.k400", "resnet-101-kinetics", 73.3),
    _hara_2018("resnet3d_152.k400", "resnet-152-kinetics", 73.7),
    _hara_2018("resnet3d_200.k400", "resnet-200-kinetics", 73.7),
    _hara_2018("preact_resnet3d_200.k400", "preresnet-200-kinetics", 73.4),
    _hara_2018("wide_resnet3d_50.k400", "wideresnet-50-kinetics", 74.7, stem_width=64),
    _hara_2018("resnext3d_101.k400", "resnext-101-kinetics", 75.4, stem_width=64),
    _hara_2018("resnext3d_101.ucf101", "resnext-101-kinetics-ucf101_split1", stem_width=64),
    _hara_2018("resnext3d_101.hmdb51", "resnext-101-kinetics-hmdb51_split1", stem_width=64),
    _hara_2018(
        "resnext3d_101.ucf101_64f", "resnext-101-64f-kinetics-ucf101_split1", frames=64, stem_width=64
    ),
    _hara_2018(
        "resnext3d_101.hmdb51_64f", "resnext-101-64f-kinetics-hmdb51_split1", frames=64, stem_width=64
    ),
)
