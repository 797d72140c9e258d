"""C2D, I3D with a ResNet, and Slow: files of PySlowFast, PyTorchVideo and MMAction2, and image ResNets to grow from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from muybridge.published import _grammar
from muybridge.published._grammar import (
    Trunk,
    facebook_clip,
    facebook_weights,
    mmaction_clip,
    mmaction_weights,
    segments_clip,
)
from muybridge.published._reading import Reading, Rule, Shapes
from muybridge.types import ClipSpec, Weights

_DEPTHS: dict[tuple[int, ...], str] = {(3, 4, 6, 3): "r50", (3, 4, 23, 3): "r101"}
_I3D, _SLOW = ((3,), (3, 1), (3, 1), (1, 3)), ((1,), (1,), (3,), (3,))

_FLOW = ClipSpec(
    frames=16,
    stride=4,
    size=224,
    short_side=256,
    modality="flow",
    mean=(128 / 255, 128 / 255),
    std=(128 / 255, 128 / 255),
    test_clips=10,
    test_crops=3,
)
_SSV2_CLASSES = 174
_SELF_SUPERVISED = "of the task that the network was trained on without labels, not of the network"
_NOT_TOLD = "the keys do not tell softmax from dot_product in non-local blocks; read as {}"


def readings(shapes: Shapes) -> Iterator[Reading]:
    """C2D, I3D-R50 and Slow."""
    if "s1.pathway0_stem.conv.weight" in shapes and "s1.pathway1_stem.conv.weight" not in shapes:
        yield from _pyslowfast(shapes)
    elif "backbone.s1.pathway0_stem.conv.weight" in shapes:
        yield from _self_supervised(shapes)
    elif "blocks.0.conv.weight" in shapes:
        yield from _pytorchvideo(shapes)
    elif "backbone.conv1.conv.weight" in shapes and "cls_head.fc_cls.weight" in shapes:
        yield from _mmaction(shapes)
    elif "conv1.weight" in shapes and "layer1.0.conv3.weight" in shapes:
        yield from _images(shapes)


def _pyslowfast(shapes: Shapes) -> Iterator[Reading]:
    rules = _grammar.pyslowfast()
    trunk, classes = _look(shapes, rules)
    if trunk is None or classes in (0, _grammar.AVA_CLASSES):
        return
    kind = "dot_product" if _family(trunk) == "slow" else "softmax"
    for name, options in _candidates(trunk):
        note = ""
        if any(trunk.non_local):
            options["non_local"] = {
                "blocks": trunk.non_local,
                "kind": kind,
                "scaled": True,
                "pool": (1, 2, 2),
                "pool_first": True,
            }
            note = _NOT_TOLD.format(f"{kind}, as PySlowFast's configurations have it")
        yield _reading("PySlowFast", name, {**options, "sliding": True}, classes, rules, note=note)


def _pytorchvideo(shapes: Shapes) -> Iterator[Reading]:
    has_pool = "blocks.6.proj.weight" in shapes
    rules = _grammar.pytorchvideo(stage_pool=has_pool)
    trunk, classes = _look(shapes, rules)
    if trunk is None or not classes:
        return
    for name, options in _candidates(trunk):
        if name.startswith("c2d") and name.endswith("_nopool") == has_pool:
            continue
        yield _reading("PyTorchVideo", name, {**options, "sliding": True}, classes, rules)


def _mmaction(shapes: Shapes) -> Iterator[Reading]:
    rules = _grammar.mmaction()
    trunk, classes = _look(shapes, rules)
    others = [key for key in shapes if not key.startswith(("backbone.", "cls_head.fc_cls."))]
    if trunk is None or not classes or others:
        return
    is_2d = len(shapes["backbone.conv1.conv.weight"]) == 4
    for name, options in _candidates(trunk):
        if name == "c2d_r50_nopool":
            # Its keys are TSN's, and so is the network: see muybridge.published.tsn.
            continue
        clip = mmaction_clip(8, 8)
        if trunk.channels == 2:
            clip = _FLOW
        elif trunk.stem_frames == 5:
            clip = mmaction_clip(32, 2)
            if all(frames == 3 for stage in trunk.block_frames for frames in stage):
                options["time_strides"] = (1, 1, 2)
            name = name.replace("8x8", "32x2")
        elif name == "c2d_r50":
            options["stem_pool_padding"] = False
        note = ""
        if any(trunk.non_local):
            options["non_local"], note = _mmaction_non_local(shapes, trunk)
        reading = _reading("MMAction2", name, options, classes, rules, note=note)
        edits = {r"(stem|stages)\..*conv\.weight": lambda kernel: kernel.unsqueeze(2)} if is_2d else {}
        yield replace(reading, clip=clip, edits=edits)


def _mmaction_non_local(shapes: Shapes, trunk: Trunk) -> tuple[dict[str, Any], str]:
    has_projections = any(".non_local_block.theta." in key for key in shapes)
    is_thinned = any(".non_local_block.g.0." in key for key in shapes)
    # Its I3D leaves the products as they are, its SlowOnly divides them by the root of the channels.
    options = {
        "blocks": trunk.non_local,
        "kind": "softmax" if has_projections else "gaussian",
        "scaled": trunk.stem_frames == 1,
        "pool": (1, 2, 2) if is_thinned else (1, 1, 1),
        "pool_first": False,
    }
    return options, _NOT_TOLD.format("softmax (its embedded_gaussian)") if has_projections else ""


def _self_supervised(shapes: Shapes) -> Iterator[Reading]:
    rules = ((r"^backbone\.", ""), *_grammar.pyslowfast())
    trunk, _ = _look(shapes, rules)
    if trunk is None:
        return
    for name, options in _candidates(trunk):
        # There is no classifier in such a file: like an image network's, it is left out.
        reading = _reading("PySlowFast", name, options, 400, rules)
        ignored = {r"(?!backbone\.s\d).*": _SELF_SUPERVISED}
        note = "trained without labels: there is no classifier in the file"
        yield replace(reading, ignored=ignored, inflates=True, note=note)


def _images(shapes: Shapes) -> Iterator[Reading]:
    rules = _grammar.torchvision()
    trunk, _ = _look(shapes, rules)
    if trunk is None or len(shapes["conv1.weight"]) != 4:
        return
    depth = _DEPTHS.get(trunk.depths)
    names = {
        "r50": ("c2d_r50", "c2d_r50_nopool", "i3d_r50_8x8", "i3d_r50_32x2", "slow_r50_4x16", "slow_r50_8x8"),
        "r101": ("i3d_r101_8x8", "slow_r101_8x8"),
    }
    for name in names.get(depth or "", ()):
        reading = _reading("torchvision images", name, {}, 1000, rules)
        yield replace(reading, ignored={r"fc\..*": "the image network's classifier"}, inflates=True)


def _look(shapes: Shapes, rules: tuple[Rule, ...]) -> tuple[Trunk | None, int]:
    """What the network is like, and how many classes it tells apart (0: it has no classifier)."""
    ours = _grammar.renamed(shapes, rules)
    trunk = _grammar.trunk(ours)
    known = trunk is not None and trunk.width == 64 and trunk.channels in (2, 3) and trunk.depths in _DEPTHS
    classes, features = ours.get("head.linear.weight", (0, 0))
    return trunk if known else None, classes if features == 2048 else 0


def _family(trunk: Trunk) -> str:
    if trunk.stem_frames == 5:
        return "i3d"
    return "c2d" if all(frames == 1 for stage in trunk.block_frames for frames in stage) else "slow"


def _candidates(trunk: Trunk) -> Iterator[tuple[str, dict[str, Any]]]:
    """Models with such a trunk, the likeliest first, and their options."""
    family, depth = _family(trunk), _DEPTHS[trunk.depths]
    options: dict[str, Any] = {} if trunk.channels == 3 else {"channels": trunk.channels}
    if family == "c2d" and depth == "r50":
        yield from ((name, dict(options)) for name in ("c2d_r50", "c2d_r50_nopool"))
    elif (family, trunk.stem_frames) in (("i3d", 5), ("slow", 1)):
        usual = _grammar.repeated(trunk.depths, _I3D if family == "i3d" else _SLOW)
        if trunk.block_frames != usual:
            options["block_frames"] = trunk.block_frames
        yield f"{family}_{depth}_8x8", options


def _reading(
    origin: str,
    name: str,
    options: Mapping[str, Any],
    classes: int,
    rules: tuple[Rule, ...],
    *,
    note: str = "",
) -> Reading:
    return Reading(
        origin=origin,
        model=name,
        options=options,
        num_classes=classes,
        clip=segments_clip(8) if classes == _SSV2_CLASSES else None,
        twins=("slow_r50_4x16",) if name == "slow_r50_8x8" else (),
        rules=rules,
        # MMAction2's non-local blocks have no bias before their batch norm.
        filled={r".*\.non_local\d+\.out\.bias": 0.0} if origin == "MMAction2" else {},
        note=note,
    )


def _non_local(kind: str, *, scaled: bool = True, pool_first: bool = False, first: int = 1) -> dict[str, Any]:
    """Five non-local blocks, after every other block of the second and third stage."""
    blocks = ((), (first, first + 2), (first, first + 2, first + 4), ())
    settings = {"kind": kind, "scaled": scaled, "pool": (1, 2, 2), "pool_first": pool_first}
    return {"non_local": {"blocks": blocks, **settings}}


def _pyslowfast_weights(
    name: str, file: str, clip: ClipSpec, scores: tuple[float, float], **more: Any
) -> Weights:
    path = f"pyslowfast/model_zoo/kinetics400/{file}.pkl"
    return facebook_weights(name, "PySlowFast", path, clip, scores, **more)


def _pytorchvideo_weights(name: str, file: str, clip: ClipSpec, scores: tuple[float, ...]) -> Weights:
    return facebook_weights(name, "PyTorchVideo", f"pytorchvideo/model_zoo/{file}.pyth", clip, scores)


_FB_8X8, _FB_4X16 = facebook_clip(8, 8), facebook_clip(4, 16)
_MM_8X8, _MM_4X16, _MM_32X2 = (
    mmaction_clip(*shape, size=256, short_side=256) for shape in ((8, 8), (4, 16), (32, 2))
)
_MM_C2D, _MM_C2D_16X4 = (mmaction_clip(*shape, size=224, short_side=224) for shape in ((8, 8), (16, 4)))
_UNPADDED = {"stem_pool_padding": False}
_HEAVY = {"time_strides": (1, 1, 2), "block_frames": ((3,) * 3, (3,) * 4, (3,) * 6, (3,) * 3)}
_OF_ANOTHER = "the digits in the file's name are those of another file's hash, so it can't be checked"
_AS_TSN = "C2D without pools along time is TSN's network, fed with neighbouring frames"
_UNNAMED = "710 classes of three Kinetics, whose list was not found"

WEIGHTS: tuple[Weights, ...] = (
    _pyslowfast_weights("c2d_r50_nopool.k400", "C2D_NOPOOL_8x8_R50", _FB_8X8, (67.2, 87.8)),
    _pyslowfast_weights("i3d_r50_8x8.k400.pyslowfast", "I3D_8x8_R50", _FB_8X8, (73.5, 90.8)),
    _pyslowfast_weights(
        "i3d_r50_8x8.k400.non_local",
        "I3D_NLN_8x8_R50",
        _FB_8X8,
        (74.0, 91.1),
        options=_non_local("softmax", pool_first=True),
    ),
    _pyslowfast_weights("slow_r50_4x16.k400.pyslowfast", "SLOWONLY_4x16_R50", _FB_4X16, (72.7, 90.3)),
    _pyslowfast_weights("slow_r50_8x8.k400.pyslowfast", "SLOWONLY_8x8_R50", _FB_8X8, (74.8, 91.6)),
    _pytorchvideo_weights("c2d_r50.k400", "kinetics/C2D_8x8_R50", _FB_8X8, (71.46, 89.68)),
    _pytorchvideo_weights("i3d_r50_8x8.k400", "kinetics/I3D_8x8_R50", _FB_8X8, (73.27, 90.7)),
    _pytorchvideo_weights("slow_r50_4x16.k400", "kinetics/SLOW_4x16_R50", _FB_4X16, (72.4, 90.18)),
    _pytorchvideo_weights("slow_r50_8x8.k400", "kinetics/SLOW_8x8_R50", _FB_8X8, (74.58, 91.63)),
    _pytorchvideo_weights(
        "slow_r50_8x8.ssv2", "ssv2/SLOW_8x8_R50", segments_clip(8, crops=3), (60.04, 85.19)
    ),
    _pytorchvideo_weights("slow_r50_8x8.charades", "charades/SLOW_8x8_R50", _FB_8X8, (34.72,)),
    mmaction_weights(
        "tsn_r50.k400.c2d_nopool",
        "c2d/c2d_r50-in1k-pre-nopool_8xb32-8x8x1-100e_kinetics400-rgb/*_20221027-e0227b22",
        _MM_C2D,
        (73.44, 91.0),
        note=_AS_TSN,
    ),
    mmaction_weights(
        "tsn_r101.k400.c2d_nopool",
        "c2d/c2d_r101-in1k-pre-nopool_8xb32-8x8x1-100e_kinetics400-rgb/*_20221027-557bd8bc",
        _MM_C2D,
        (74.97, 91.77),
        note=_AS_TSN,
    ),
    mmaction_weights(
        "c2d_r50.k400.mmaction2",
        "c2d/c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb/*_20221027-3ca304fa",
        _MM_C2D,
        (73.89, 91.21),
        options=_UNPADDED,
    ),
    mmaction_weights(
        "c2d_r50.k400.mmaction2_16x4",
        "c2d/c2d_r50-in1k-pre_8xb32-16x4x1-100e_kinetics400-rgb/*_20221027-5f382a43",
        _MM_C2D_16X4,
        (74.97, 91.91),
        options=_UNPADDED,
    ),
    mmaction_weights(
        "i3d_r50_32x2.k400",
        "i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb/*_20220812-e213c223",
        _MM_32X2,
        (73.47, 91.27),
    ),
    mmaction_weights(
        "i3d_r50_32x2.k400.dense",
        "i3d/i3d_imagenet-pretrained-r50_8xb8-dense-32x2x1-100e_kinetics400-rgb/*_20220812-9f46003f",
        _MM_32X2,
        (73.77, 91.35),
    ),
    mmaction_weights(
        "i3d_r50_32x2.k400.heavy",
        "i3d/i3d_imagenet-pretrained-r50-heavy_8xb8-32x2x1-100e_kinetics400-rgb/*_20220812-ed501b31",
        _MM_32X2,
        (76.21, 92.48),
        options=_HEAVY,
    ),
    mmaction_weights(
        "i3d_r50_32x2.k400.non_local_dot_product",
        "i3d/i3d_imagenet-pretrained-r50-nl-dot-product_8xb8-32x2x1-100e_kinetics400-rgb/*_20220812-8e1f2148",
        _MM_32X2,
        (74.8, 92.07),
        options=_non_local("dot_product"),
    ),
    mmaction_weights(
        "i3d_r50_32x2.k400.non_local_softmax",
        "i3d/i3d_imagenet-pretrained-r50-nl-embedded-gaussian_8xb8-32x2x1-100e_kinetics400-rgb/*_20220812-afd8f562",
        _MM_32X2,
        (74.73, 91.8),
        options=_non_local("softmax", scaled=False),
    ),
    mmaction_weights(
        "i3d_r50_32x2.k400.non_local_gaussian",
        "i3d/i3d_imagenet-pretrained-r50-nl-gaussian_8xb8-32x2x1-100e_kinetics400-rgb/*_20220812-0c5cbf5a",
        _MM_32X2,
        (73.97, 91.33),
        options=_non_local("gaussian"),
    ),
    mmaction_weights(
        "slow_r50_4x16.k400.mmaction2",
        "slowonly/slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb/"
        "slowonly_r50_4x16x1_256e_8xb16_kinetics400-rgb_20220901-f6a40d08",
        _MM_4X16,
        (72.97, 90.88),
    ),
    mmaction_weights(
        "slow_r50_8x8.k400.mmaction2",
        "slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb/*_20220901-2132fc87",
        _MM_8X8,
        (75.15, 92.11),
    ),
    mmaction_weights(
        "slow_r101_8x8.k400",
        "slowonly/slowonly_r101_8xb16-8x8x1-196e_kinetics400-rgb/*_20220901-e6281431",
        _MM_8X8,
        (76.59, 92.8),
    ),
    mmaction_weights(
        "slow_r50_4x16.k400.mmaction2_imagenet",
        "slowonly/slowonly_imagenet-pretrained-r50_8xb16-4x16x1-steplr-150e_kinetics400-rgb/*_20220901-e7b65fad",
        _MM_4X16,
        (75.12, 91.72),
    ),
    mmaction_weights(
        "slow_r50_8x8.k400.mmaction2_imagenet",
        "slowonly/slowonly_imagenet-pretrained-r50_8xb16-8x8x1-steplr-150e_kinetics400-rgb/*_20220901-df42dc84",
        _MM_8X8,
        (76.45, 92.55),
    ),
    mmaction_weights(
        "slow_r50_4x16.k400.non_local",
        "slowonly/slowonly_r50-in1k-pre-nl-embedded-gaussian_8xb16-4x16x1-steplr-150e_kinetics400-rgb/"
        "*_20220901-cf739c75",
        _MM_4X16,
        (75.07, 91.69),
        options=_non_local("softmax", first=0),
    ),
    mmaction_weights(
        "slow_r50_8x8.k400.non_local",
        "slowonly/slowonly_r50-in1k-pre-nl-embedded-gaussian_8xb16-8x8x1-steplr-150e_kinetics400-rgb/"
        "*_20220901-df42dc84",
        _MM_8X8,
        (76.65, 92.47),
        options=_non_local("softmax", first=0),
        is_hash_sure=False,
        note=_OF_ANOTHER,
    ),
    mmaction_weights(
        "slow_r50_4x16.k700",
        "slowonly/slowonly_imagenet-pretrained-r50_16xb16-4x16x1-steplr-150e_kinetics700-rgb/*_20221013-98b1b0a7",
        _MM_4X16,
        (65.52, 86.39),
    ),
    mmaction_weights(
        "slow_r50_8x8.k700",
        "slowonly/slowonly_imagenet-pretrained-r50_16xb16-8x8x1-steplr-150e_kinetics700-rgb/*_20221013-15b93b10",
        _MM_8X8,
        (67.67, 87.8),
    ),
    mmaction_weights(
        "slow_r50_8x8.k710",
        "slowonly/slowonly_imagenet-pretrained-r50_32xb8-8x8x1-steplr-150e_kinetics710-rgb/*_20230612-12ce977c",
        _MM_8X8,
        (72.39, 90.6),
        note=_UNNAMED,
    ),
)
