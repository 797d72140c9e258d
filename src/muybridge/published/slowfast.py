"""SlowFast: files of PySlowFast, PyTorchVideo and MMAction2.

`alpha`, the fast frames per slow one, leaves no trace in the keys. The projects pair it with the kernel of the lateral
convolutions, so it is read off that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from muybridge.published import _grammar
from muybridge.published._grammar import (
    TWO_PATHWAYS,
    Trunk,
    facebook_clip,
    facebook_weights,
    mmaction_clip,
    mmaction_weights,
    segments_clip,
)
from muybridge.published._reading import Reading, Rule, Shapes
from muybridge.types import ClipSpec, Weights

if TYPE_CHECKING:
    from torch import Tensor

_R50, _R101 = (3, 4, 6, 3), (3, 4, 23, 3)
_SLOW, _FAST = ((1,), (1,), (3,), (3,)), ((3,),) * 4
_SIX_OF_23 = (3,) * 6 + (1,) * 17


def readings(shapes: Shapes) -> Iterator[Reading]:
    """SlowFast networks."""
    if "s1.pathway1_stem.conv.weight" in shapes:
        yield from _read(shapes, "PySlowFast", _grammar.pyslowfast(TWO_PATHWAYS))
    elif "blocks.0.multipathway_blocks.1.conv.weight" in shapes:
        yield from _read(shapes, "PyTorchVideo", _grammar.pytorchvideo(TWO_PATHWAYS))
    elif "backbone.fast_path.conv1.conv.weight" in shapes:
        for reading in _read(shapes, "MMAction2", _grammar.mmaction()):
            yield replace(
                reading,
                options={**reading.options, "slow_frames": "strided", "sliding": False},
                clip=mmaction_clip(32, 2),
                edits={r"head\.linear\.weight": _slow_first},
            )


def _slow_first(weight: Tensor) -> Tensor:
    """MMAction2 joins the fast pathway's 256 averages before the slow one's 2048; we join slow before fast."""
    return weight.roll(2048, 1)


def _read(shapes: Shapes, origin: str, rules: tuple[Rule, ...]) -> Iterator[Reading]:
    ours = _grammar.renamed(shapes, rules)
    slow, fast = (_grammar.trunk(ours, prefix) for prefix in TWO_PATHWAYS)
    lateral, head = ours.get("laterals.0.conv.weight", ()), ours.get("head.linear.weight", ())
    if slow is None or fast is None or (slow.width, fast.width) != (64, 8):
        return
    if len(lateral) != 5 or head[1:] != (2304,) or (origin, head[0]) == ("PySlowFast", _grammar.AVA_CLASSES):
        return
    options: dict[str, Any] = {
        "fusion_kernel": lateral[2],
        "fusion_norm": "laterals.0.norm.weight" in ours,
        "slow_frames": "linspace",
        "sliding": True,
    }
    note = ""
    if any(slow.non_local):
        options["non_local"] = {"blocks": slow.non_local, "kind": "dot_product"}
        note = "the keys do not tell softmax from dot_product in non-local blocks; read as dot_product"
    for names, alpha in _candidates(slow, fast, lateral[2]):
        yield Reading(
            origin=origin,
            model=names[0],
            options={"alpha": alpha, **options, **_block_frames(names[0], slow, fast)},
            num_classes=head[0],
            clip=_facebook_clip(origin, head[0]),
            twins=names[1:],
            rules=rules,
            note=note,
        )


def _candidates(slow: Trunk, fast: Trunk, kernel: int) -> Iterator[tuple[tuple[str, ...], int]]:
    """Models with such pathways (twins together), and alpha: 8 for 4 slow frames of 32, else 4."""
    depths = (slow.depths, fast.depths)
    if depths == (_R50, _R50):
        if kernel == 5:
            yield ("slowfast_r50_4x16",), 8
        # PySlowFast's 8x8 with non-local blocks has a kernel of 5, too.
        if kernel != 5 or any(slow.non_local):
            yield ("slowfast_r50_8x8",), 4
    elif depths == (_R101, _R50):
        yield ("slowfast_r101_r50_4x16",), 8
    elif depths == (_R101, _R101):
        names = ("slowfast_r101_8x8", "slowfast_r101_16x8")
        yield names[::-1] if slow.block_frames[2] == _SIX_OF_23 else names, 4


def _block_frames(name: str, slow: Trunk, fast: Trunk) -> dict[str, Any]:
    """What the builder must be told; always for models with twins, whose defaults differ."""
    is_usual = all(
        pathway.block_frames == _grammar.repeated(pathway.depths, pattern)
        for pathway, pattern in ((slow, _SLOW), (fast, _FAST))
    )
    if is_usual and name not in ("slowfast_r101_8x8", "slowfast_r101_16x8"):
        return {}
    return {"slow_block_frames": slow.block_frames, "fast_block_frames": fast.block_frames}


def _facebook_clip(origin: str, classes: int) -> ClipSpec | None:
    """Where the number of classes gives a data set away that is fed otherwise than Kinetics."""
    frames = 64 if origin == "PySlowFast" else 32
    return {157: facebook_clip(frames, 2), 174: segments_clip(frames)}.get(classes)


_FB_32, _FB_64 = facebook_clip(32, 2), facebook_clip(64, 2)
_MM_32 = mmaction_clip(32, 2, size=256, short_side=256)
_SSV2 = segments_clip(64)
_MULTIGRID = "trained by the multigrid method (Wu et al. 2020, https://arxiv.org/abs/1912.00998)"
_STEPS = "trained with a learning rate that falls in steps"


def _pyslowfast_weights(
    name: str, file: str, clip: ClipSpec, scores: tuple[float, ...], note: str = ""
) -> Weights:
    # In training by the multigrid method clips have many sizes, so that its maps are averaged whole.
    options = {"sliding": False} if note == _MULTIGRID else None
    path = f"pyslowfast/{file}.pkl"
    return facebook_weights(name, "PySlowFast", path, clip, scores, options=options, note=note)


def _pytorchvideo_weights(name: str, file: str, clip: ClipSpec, scores: tuple[float, ...]) -> Weights:
    return facebook_weights(name, "PyTorchVideo", f"pytorchvideo/model_zoo/{file}.pyth", clip, scores)


_KINETICS, _OTHERS = "model_zoo/kinetics400/", "pyslowfast/model_zoo/multigrid/model_zoo/"

WEIGHTS: tuple[Weights, ...] = (
    _pytorchvideo_weights("slowfast_r50_4x16.k400", "kinetics/SLOWFAST_4x16_R50", _FB_32, (75.34, 91.89)),
    _pytorchvideo_weights("slowfast_r50_8x8.k400", "kinetics/SLOWFAST_8x8_R50", _FB_32, (76.94, 92.69)),
    _pytorchvideo_weights("slowfast_r101_8x8.k400", "kinetics/SLOWFAST_8x8_R101", _FB_32, (77.9, 93.27)),
    _pytorchvideo_weights(
        "slowfast_r101_16x8.k400", "kinetics/SLOWFAST_16x8_R101_50_50", _FB_64, (78.7, 93.61)
    ),
    _pytorchvideo_weights(
        "slowfast_r50_8x8.ssv2", "ssv2/SLOWFAST_8x8_R50", segments_clip(32, crops=3), (61.68, 86.92)
    ),
    _pytorchvideo_weights("slowfast_r50_8x8.charades", "charades/SLOWFAST_8x8_R50", _FB_32, (37.24,)),
    _pyslowfast_weights(
        "slowfast_r50_4x16.k400.pyslowfast", f"{_KINETICS}SLOWFAST_4x16_R50", _FB_32, (75.6, 92.0)
    ),
    _pyslowfast_weights(
        "slowfast_r50_8x8.k400.pyslowfast", f"{_KINETICS}SLOWFAST_8x8_R50", _FB_32, (77.0, 92.6)
    ),
    _pyslowfast_weights(
        "slowfast_r50_8x8.k400.stepwise",
        f"{_OTHERS}Kinetics/SLOWFAST_8x8_R50_stepwise",
        _FB_32,
        (76.8, 92.7),
        _STEPS,
    ),
    _pyslowfast_weights(
        "slowfast_r50_8x8.k400.multigrid",
        f"{_OTHERS}Kinetics/SLOWFAST_8x8_R50_stepwise_multigrid",
        replace(_FB_32, size=224, short_side=224),
        (76.6, 92.7),
        _MULTIGRID,
    ),
    _pyslowfast_weights(
        "slowfast_r50_8x8.ssv2.pyslowfast", f"{_OTHERS}SSv2/SLOWFAST_16x8_R50", _SSV2, (63.0, 88.5)
    ),
    _pyslowfast_weights(
        "slowfast_r50_8x8.ssv2.multigrid",
        f"{_OTHERS}SSv2/SLOWFAST_16x8_R50_multigrid",
        replace(_SSV2, size=224),
        (63.5, 88.7),
        _MULTIGRID,
    ),
    _pyslowfast_weights(
        "slowfast_r50_8x8.charades.pyslowfast", f"{_OTHERS}Charades/SLOWFAST_16x8_R50", _FB_64, (38.9,)
    ),
    _pyslowfast_weights(
        "slowfast_r50_8x8.charades.multigrid",
        f"{_OTHERS}Charades/SLOWFAST_16x8_R50_multigrid",
        _FB_64,
        (38.6,),
        _MULTIGRID,
    ),
    mmaction_weights(
        "slowfast_r50_4x16.k400.mmaction2",
        "slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb/*_20220901-701b0f6f",
        _MM_32,
        (75.55, 92.35),
    ),
    mmaction_weights(
        "slowfast_r50_8x8.k400.mmaction2",
        "slowfast/slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb/*_20220818-1cb6dfc8",
        _MM_32,
        (76.8, 92.99),
    ),
    mmaction_weights(
        "slowfast_r50_8x8.k400.mmaction2_stepwise",
        "slowfast/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb/*_20220818-b62a501f",
        _MM_32,
        (76.65, 92.86),
        note=_STEPS,
    ),
    mmaction_weights(
        "slowfast_r101_8x8.k400.mmaction2",
        "slowfast/slowfast_r101_8xb8-8x8x1-256e_kinetics400-rgb/*_20220818-9c0e09bd",
        _MM_32,
        (78.65, 93.88),
    ),
    mmaction_weights(
        "slowfast_r101_r50_4x16.k400",
        "slowfast/slowfast_r101-r50_32xb8-4x16x1-256e_kinetics400-rgb/*_20220901-a77ac3ee",
        _MM_32,
        (77.03, 92.99),
    ),
)
