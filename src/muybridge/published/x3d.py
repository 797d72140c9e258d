"""X3D, as PySlowFast, PyTorchVideo (twice: as it is, and as it prepares for phones) and MMAction2 publish it.

XS, S and M have the same layers and the same keys; only what they were fed in training differs. PySlowFast gives
scores of 10 central crops of the training size, and of 30 crops of a larger size. The latter stand here, as the
other projects test that way, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from muybridge.published._reading import Reading, Rule, Shapes, depths
from muybridge.types import ClipSpec, Weights

_FPS = Fraction(30)
_MMACTION2_STD = (57.38 / 255, 57.38 / 255, 57.38 / 255)

_PYTORCHVIDEO: tuple[Rule, ...] = (
    # Its names of the stem's convolutions are swapped: conv_t looks along space, conv_xy along time.
    (r"^blocks\.0\.conv\.conv_t", "stem.0.conv"),
    (r"^blocks\.0\.conv\.conv_xy", "stem.1.conv"),
    (r"^blocks\.0\.norm", "stem.1.norm"),
    (r"^blocks\.([1-4])\.res_blocks", lambda m: f"stages.{int(m[1]) - 1}"),
    (r"\.branch1_(conv|norm)", r".shortcut.\1"),
    (r"\.branch2\.norm_b\.0", ".branch.1.norm"),
    (r"\.branch2\.norm_b\.1\.block\.0", ".branch.1.squeeze.reduce"),
    (r"\.branch2\.norm_b\.1\.block\.2", ".branch.1.squeeze.expand"),
    (r"\.branch2\.(conv|norm)_([abc])", lambda m: f".branch.{'abc'.index(m[2])}.{m[1]}"),
    (r"^blocks\.5\.pool\.pre_(conv|norm)", r"conv5.\1"),
    (r"^blocks\.5\.pool\.post_conv", "lin5"),
    (r"^blocks\.5\.proj", "head.linear"),
)
_MOBILE: tuple[Rule, ...] = (
    (r"\.kernel\.bn", ".norm"),
    (r"\.kernel\.conv", ".conv"),
    (r"^s1\.pathway0_stem_conv_xy", "stem.0"),
    (r"^s1\.pathway0_stem_conv", "stem.1"),
    (r"^s([2-5])\.pathway0_res(\d+)", lambda m: f"stages.{int(m[1]) - 2}.{m[2]}"),
    (r"\._res_proj", ".shortcut"),
    (r"\.layers\.conv_([0-2])", r".branch.\1"),
    (r"\.layers\.se\.se\.block\.0", ".branch.1.squeeze.reduce"),
    (r"\.layers\.se\.se\.block\.2", ".branch.1.squeeze.expand"),
    (r"^head\.conv_5", "conv5"),
    (r"^head\.lin_5\.conv", "lin5"),
    (r"^projection\.model", "head.linear"),
)
_PYSLOWFAST: tuple[Rule, ...] = (
    (r"^s1\.pathway0_stem\.conv_xy", "stem.0.conv"),
    (r"^s1\.pathway0_stem\.conv", "stem.1.conv"),
    (r"^s1\.pathway0_stem\.bn", "stem.1.norm"),
    (r"^s([2-5])\.pathway0_res(\d+)", lambda m: f"stages.{int(m[1]) - 2}.{m[2]}"),
    (r"\.branch1_bn", ".shortcut.norm"),
    (r"\.branch1\.", ".shortcut.conv."),
    (r"\.branch2\.se\.fc1", ".branch.1.squeeze.reduce"),
    (r"\.branch2\.se\.fc2", ".branch.1.squeeze.expand"),
    (r"\.branch2\.([abc])_bn", lambda m: f".branch.{'abc'.index(m[1])}.norm"),
    (r"\.branch2\.([abc])\.", lambda m: f".branch.{'abc'.index(m[1])}.conv."),
    (r"^head\.conv_5_bn", "conv5.norm"),
    (r"^head\.conv_5", "conv5.conv"),
    (r"^head\.lin_5", "lin5"),
    (r"^head\.projection", "head.linear"),
)
_MMACTION2: tuple[Rule, ...] = (
    (r"^backbone\.conv1_s", "stem.0"),
    (r"^backbone\.conv1_t", "stem.1"),
    (r"^backbone\.layer([1-4])", lambda m: f"stages.{int(m[1]) - 1}"),
    (r"^backbone\.conv5", "conv5"),
    (r"\.downsample\.", ".shortcut."),
    (r"\.se_module\.fc1", ".branch.1.squeeze.reduce"),
    (r"\.se_module\.fc2", ".branch.1.squeeze.expand"),
    (r"\.conv([1-3])\.", lambda m: f".branch.{int(m[1]) - 1}."),
    (r"\.bn\.", ".norm."),
    (r"^cls_head\.fc1", "lin5"),
    (r"^cls_head\.fc2", "head.linear"),
)


@dataclass(frozen=True, kw_only=True)
class _Form:
    """One way of writing an X3D: keys that tell what is there, and how all keys become ours."""

    origin: str
    stem: str
    shortcut_norm: str
    blocks: str
    classifier: str
    rules: tuple[Rule, ...]
    sliding: bool
    clip: ClipSpec | None = None
    note: str = ""


_FORMS = (
    _Form(
        origin="PyTorchVideo",
        stem="blocks.0.conv.conv_t.weight",
        shortcut_norm="blocks.1.res_blocks.0.branch1_norm.weight",
        blocks=r"blocks\.([1-4])\.res_blocks\.(\d+)\.",
        classifier="blocks.5.proj.weight",
        rules=_PYTORCHVIDEO,
        sliding=True,
    ),
    _Form(
        origin="PyTorchVideo",
        stem="s1.pathway0_stem_conv_xy.kernel.conv.weight",
        shortcut_norm="s2.pathway0_res0._res_proj.kernel.bn.weight",
        blocks=r"s([2-5])\.pathway0_res(\d+)\.",
        classifier="projection.model.weight",
        rules=_MOBILE,
        sliding=False,
        note="the form that PyTorchVideo prepares for phones; it publishes XS and S",
    ),
    _Form(
        origin="PySlowFast",
        stem="s1.pathway0_stem.conv_xy.weight",
        shortcut_norm="s2.pathway0_res0.branch1_bn.weight",
        blocks=r"s([2-5])\.pathway0_res(\d+)\.",
        classifier="head.projection.weight",
        rules=_PYSLOWFAST,
        sliding=True,
    ),
    _Form(
        origin="MMAction2",
        stem="backbone.conv1_s.conv.weight",
        shortcut_norm="backbone.layer1.0.downsample.bn.weight",
        blocks=r"backbone\.layer([1-4])\.(\d+)\.",
        classifier="cls_head.fc2.weight",
        rules=_MMACTION2,
        sliding=False,
        clip=ClipSpec(frames=16, stride=5, fps=_FPS, std=_MMACTION2_STD, test_crops=1),
    ),
)


def readings(shapes: Shapes) -> Iterator[Reading]:
    """Files of PyTorchVideo, PySlowFast and MMAction2."""
    for form in _FORMS:
        if form.stem not in shapes or form.classifier not in shapes:
            continue
        num_classes = shapes[form.classifier][0]
        is_deep = depths(shapes, form.blocks) == (5, 10, 25, 15)
        yield Reading(
            origin=form.origin,
            model="x3d_l" if is_deep else "x3d_m",
            options={"shortcut_norm": form.shortcut_norm in shapes, "sliding": form.sliding},
            num_classes=num_classes,
            clip=None if is_deep else form.clip,
            labels="kinetics400" if num_classes == 400 else "",
            twins=() if is_deep else ("x3d_s", "x3d_xs"),
            rules=form.rules,
            edits={r"lin5\.weight": lambda weight: weight.flatten(1)},
            note=form.note,
        )


def _weights(
    model: str,
    origin: str,
    url: str,
    clip: ClipSpec,
    scores: dict[str, float],
    *,
    suffix: str = "",
    sha256: str = "",
    shortcut_norm: bool = True,
    note: str = "",
) -> Weights:
    # PyTorchVideo's, whose scores are the fullest, go without a suffix.
    suffix = suffix or ("" if origin == "PyTorchVideo" else origin.lower())
    return Weights(
        name=f"{model}.k400" + (f".{suffix}" if suffix else ""),
        model=model,
        options={"shortcut_norm": shortcut_norm},
        origin=origin,
        url=url,
        sha256=sha256,
        clip=clip,
        labels="kinetics400",
        licence="Apache-2.0",
        scores=scores,
        views=f"{clip.test_clips}x{clip.test_crops}",
        note=note,
    )


_XS = ClipSpec(frames=4, stride=12, fps=_FPS, size=182, short_side=182)
_S = ClipSpec(frames=13, stride=6, fps=_FPS, size=182, short_side=182)
_M = ClipSpec(frames=16, stride=5, fps=_FPS, size=256, short_side=256)
_L = ClipSpec(frames=16, stride=5, fps=_FPS, size=356, short_side=356)
_FACEBOOK = "https://dl.fbaipublicfiles.com"
_OPENMMLAB = "https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook"

WEIGHTS: tuple[Weights, ...] = (
    _weights(
        "x3d_xs",
        "PySlowFast",
        f"{_FACEBOOK}/pyslowfast/x3d_models/x3d_xs.pyth",
        _XS,
        {"top1": 69.5},
        note="68.7 of one 160x160 crop from the centre of each of 10 clips",
    ),
    _weights(
        "x3d_s",
        "PySlowFast",
        f"{_FACEBOOK}/pyslowfast/x3d_models/x3d_s.pyth",
        _S,
        {"top1": 73.5},
        note="73.1 of one 160x160 crop from the centre of each of 10 clips",
    ),
    _weights(
        "x3d_m",
        "PySlowFast",
        f"{_FACEBOOK}/pyslowfast/x3d_models/x3d_m.pyth",
        _M,
        {"top1": 76.2},
        note="75.1 of one 224x224 crop from the centre of each of 10 clips",
    ),
    _weights(
        "x3d_l",
        "PySlowFast",
        f"{_FACEBOOK}/pyslowfast/x3d_models/x3d_l.pyth",
        _L,
        {"top1": 77.5},
        note="76.9 of one 312x312 crop from the centre of each of 10 clips",
    ),
    _weights(
        "x3d_xs",
        "PyTorchVideo",
        f"{_FACEBOOK}/pytorchvideo/model_zoo/kinetics/X3D_XS.pyth",
        _XS,
        {"top1": 69.12, "top5": 88.63},
        shortcut_norm=False,
    ),
    _weights(
        "x3d_s",
        "PyTorchVideo",
        f"{_FACEBOOK}/pytorchvideo/model_zoo/kinetics/X3D_S.pyth",
        _S,
        {"top1": 73.33, "top5": 91.27},
        shortcut_norm=False,
    ),
    _weights(
        "x3d_m",
        "PyTorchVideo",
        f"{_FACEBOOK}/pytorchvideo/model_zoo/kinetics/X3D_M.pyth",
        _M,
        {"top1": 75.94, "top5": 92.72},
        shortcut_norm=False,
    ),
    _weights(
        "x3d_l",
        "PyTorchVideo",
        f"{_FACEBOOK}/pytorchvideo/model_zoo/kinetics/X3D_L.pyth",
        _L,
        {"top1": 77.44, "top5": 93.31},
        shortcut_norm=False,
    ),
    _weights(
        "x3d_xs",
        "PyTorchVideo",
        f"{_FACEBOOK}/pytorchvideo/model_zoo/kinetics/efficient_x3d_xs_original_form.pyth",
        replace(_XS, size=160, test_crops=1),
        {"top1": 68.5, "top5": 88.0},
        suffix="pytorchvideo_mobile",
        note="prepared for phones; scored on 10 clips, their size not stated",
    ),
    _weights(
        "x3d_s",
        "PyTorchVideo",
        f"{_FACEBOOK}/pytorchvideo/model_zoo/kinetics/efficient_x3d_s_original_form.pyth",
        replace(_S, size=160, test_crops=1),
        {"top1": 73.0, "top5": 90.6},
        suffix="pytorchvideo_mobile",
        note="prepared for phones; scored on 10 clips, their size not stated",
    ),
    _weights(
        "x3d_s",
        "MMAction2",
        f"{_OPENMMLAB}/x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth",
        replace(_S, std=_MMACTION2_STD),
        {"top1": 73.3},
        sha256="623825a0",
        note="PySlowFast's weights, scored again by MMAction2",
    ),
    _weights(
        "x3d_m",
        "MMAction2",
        f"{_OPENMMLAB}/x3d_m_16x5x1_facebook-kinetics400-rgb_20201027-3f42382a.pth",
        replace(_M, std=_MMACTION2_STD),
        {"top1": 76.4},
        sha256="3f42382a",
        note="PySlowFast's weights, scored again by MMAction2",
    ),
)
