"""Video classifiers of Hugging Face's transformers, behind our contract: nothing of them is written again.

Tong et al. 2022, "VideoMAE", https://arxiv.org/abs/2203.12602; Bertasius et al. 2021, "Is Space-Time Attention All You
Need for Video Understanding?" (TimeSformer), https://arxiv.org/abs/2102.05095; Arnab et al. 2021, "ViViT",
https://arxiv.org/abs/2103.15691; Assran et al. 2025, "V-JEPA 2", https://arxiv.org/abs/2506.09985.

    clip (3, 16, 224, 224)
      patches 2x16x16 (TimeSformer 1x16x16)   768   8 14 14
      12 blocks: attention over all patches   768   8 14 14
        (TimeSformer: along time, then over the frame)
      VideoMAE: mean and norm; TimeSformer, ViViT: class token; V-JEPA 2: three blocks and one that asks them all
      dropout, linear

transformers is an extra (`pip install muybridge[hf]`) and is imported when one of these models is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel
from muybridge.models._table import model, model_info
from muybridge.types import ClipSpec, WeightsError

# model_type of a config -> names of transformers' classes begin with, our model of that kind.
_KINDS = {
    "videomae": ("VideoMAE", "videomae_b"),
    "timesformer": ("Timesformer", "timesformer_b"),
    "vivit": ("Vivit", "vivit_b"),
    "vjepa2": ("VJEPA2", "vjepa2_l"),
}


class HfVideo(ClipModel):
    """A video classifier of transformers; its classifier's place is taken by ours.

    Args:
        network: `VideoMAEForVideoClassification` or the like.
        dropout: Before the classifier.

    Raises:
        ValueError: TimeSformer without attention along time, whose maps have no time.
    """

    def __init__(self, network: Any, *, dropout: float) -> None:
        super().__init__()
        config = network.config
        kind = config.model_type
        if getattr(config, "attention_type", "") == "space_only":
            raise ValueError("attention_type is 'space_only'; TimeSformer is taken with attention along time")
        self.channels = config.in_chans if kind == "vjepa2" else config.num_channels
        self.frames, self.size = _extent(config)
        patch: Any = getattr(config, "tubelet_size", 1)
        self.time_stride, self.space_stride = patch[:2] if kind == "vivit" else (patch, config.patch_size)
        self.dim = config.hidden_size
        self.head = Classifier(self.dim, config.num_labels, dropout=dropout, std=config.initializer_range)
        network.classifier = nn.Identity()
        if kind == "vjepa2":
            del network.vjepa2.predictor  # of the pretraining; classification leaves it out
        self.network = network
        self.is_time_last = kind == "timesformer"
        self.has_class_token = kind in ("timesformer", "vivit")

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Maps of the last block's patches; the class token is left out.

        Raises:
            ValueError: The clip is not of the model's frames and size.
        """
        pixels = self._pixels(clip)
        skip = {"skip_predictor": True} if self.network.config.model_type == "vjepa2" else {}
        tokens: Tensor = self.network.base_model(pixels, **skip).last_hidden_state
        if self.has_class_token:
            tokens = tokens[:, 1:]
        t, side = self.frames // self.time_stride, self.size // self.space_stride
        if self.is_time_last:
            return tokens.reshape(len(clip), side, side, t, self.dim).permute(0, 4, 3, 1, 2)
        return tokens.transpose(1, 2).reshape(len(clip), self.dim, t, side, side)

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits.

        Raises:
            ValueError: The clip is not of the model's frames and size.
        """
        logits: Tensor = self.head(self.network(self._pixels(clip)).logits)
        return logits

    def _pixels(self, clip: Tensor) -> Float[Tensor, "b t c h w"]:
        self.check(clip)
        t, h, w = clip.shape[2:]
        if (t, h, w) != (self.frames, self.size, self.size):
            raise ValueError(
                f"{type(self.network).__name__} got {t} frames of {w}x{h} pixels; its positions are for "
                f"{self.frames} frames of {self.size}x{self.size}"
            )
        return clip.transpose(1, 2)


def open_folder(path: str | Path) -> tuple[HfVideo, dict[str, Any], tuple[str, ...], ClipSpec]:
    """Read a video classifier in the Hugging Face format: config.json and model.safetensors in one folder.

    Nothing is fetched, and nothing is unpickled.

    Args:
        path: The folder. A preprocessor_config.json in it tells how the model is fed.

    Returns:
        The network in eval mode on the CPU, in float32; the options with which `create_model("hf_video")` builds its
        like; its labels; and its clip.

    Raises:
        WeightsError: No such folder, not a video classifier that is known here, or weights that don't fill it.
        ValueError: transformers is not installed.
    """
    path = Path(path)
    try:
        values = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: no Hugging Face model folder, its config.json can't be read ({error})"
        ) from None
    kind = values.get("model_type")
    if kind not in _KINDS:
        raise WeightsError(f"{path}: config.json says model_type {kind!r}; known are {', '.join(_KINDS)}")
    if not any(path.glob("model*.safetensors")):
        raise WeightsError(f"{path}: holds no model.safetensors; pickled weights are not read")
    transformers = _transformers()
    network_class = getattr(transformers, f"{_KINDS[kind][0]}ForVideoClassification")
    bars = transformers.utils.logging
    was_shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        network, report = network_class.from_pretrained(
            path, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path}: its weights can't be read as {kind} ({first})") from None
    finally:
        if was_shown:
            bars.enable_progress_bar()
    if lacking := sorted(report["missing_keys"]):
        raise WeightsError(
            f"{path}: its weights lack {len(lacking)} tensors of the model, such as {lacking[0]}"
        )
    labels = tuple(network.config.id2label[number] for number in range(network.config.num_labels))
    options = {"config": _told(network.config)}
    classifier = network.classifier
    built = HfVideo(network, dropout=0.0)
    built.head.linear.load_state_dict(classifier.state_dict())
    return built.eval(), options, labels, _clip(path, kind, network.config)


def _transformers() -> Any:
    try:
        return import_module("transformers")
    except ImportError:
        raise ValueError("this model is transformers'; pip install muybridge[hf]") from None


def _extent(config: Any) -> tuple[int, int]:
    """Frames and size of a clip."""
    if config.model_type == "vjepa2":
        return config.frames_per_clip, config.crop_size
    return config.num_frames, config.image_size


def _told(config: Any) -> dict[str, Any]:
    """What of a config makes the network: JSON values that differ from its class's own."""
    told: dict[str, Any] = json.loads(json.dumps(config.to_diff_dict()))
    not_of_the_network = (
        "_name_or_path",
        "architectures",
        "dtype",
        "id2label",
        "label2id",
        "transformers_version",
    )
    return {"model_type": config.model_type} | {k: v for k, v in told.items() if k not in not_of_the_network}


def _clip(path: Path, kind: str, config: Any) -> ClipSpec:
    """How a folder's model is fed: frames and size from its config, the rest from its preprocessor if that is there."""
    own = model_info(_KINDS[kind][1]).clip.to_dict()
    frames, size = _extent(config)
    own |= {"frames": frames, "size": size, "short_side": size}
    told: dict[str, Any] = {}
    for name in ("video_preprocessor_config.json", "preprocessor_config.json"):
        if (path / name).exists():
            told = json.loads((path / name).read_text(encoding="utf-8"))
            break
    if "image_mean" in told:
        # Pixels p in 0..255 become (p * rescale_factor - offset - mean) / std there; ours are scaled to 0..1 first.
        scale = 255 * told.get("rescale_factor", 1 / 255)
        offset = 1 if told.get("offset", False) else 0
        normalize = told.get("do_normalize", True)
        mean, std = (told["image_mean"], told["image_std"]) if normalize else ((0, 0, 0), (1, 1, 1))
        own |= {"mean": [(m + offset) / scale for m in mean], "std": [s / scale for s in std]}
    shown = told.get("size")
    if isinstance(shown, dict) and "shortest_edge" in shown:
        own["short_side"] = max(size, shown["shortest_edge"])
    return ClipSpec.from_dict(own)


_16X4 = ClipSpec(
    frames=16,
    stride=4,
    size=224,
    short_side=224,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    test_clips=5,
    test_crops=3,
)


@model(
    clip=_16X4,
    paper="Wolf et al. 2020, https://arxiv.org/abs/1910.03771",
    summary="any video classifier of transformers, from its configuration; VideoMAE-B if none is given",
)
def hf_video(
    *, num_classes: int = 400, dropout: float = 0.0, config: Mapping[str, Any] | None = None
) -> HfVideo:
    """86.5 M parameters, 180 GMACs per view if no configuration is given.

    Args:
        num_classes: Number of classes.
        dropout: Before the classifier.
        config: The entries of a config.json; `model_type` must be there.

    Raises:
        ValueError: transformers is not installed, or has no video classifier of that type.
    """
    values = dict(config or {"model_type": "videomae"})
    kind = values.pop("model_type", None)
    if kind not in _KINDS:
        raise ValueError(f"config has model_type {kind!r}; it must be one of {', '.join(_KINDS)}")
    transformers = _transformers()
    stem = _KINDS[kind][0]
    network = getattr(transformers, f"{stem}ForVideoClassification")(
        getattr(transformers, f"{stem}Config")(num_labels=num_classes, **values)
    )
    return HfVideo(network, dropout=dropout)


@model(
    clip=_16X4,
    paper="Tong et al. 2022, https://arxiv.org/abs/2203.12602",
    summary="VideoMAE-B: a plain transformer on patches of space and time (transformers)",
)
def videomae_b(
    *,
    num_classes: int = 400,
    dropout: float = 0.0,
    frames: int = 16,
    size: int = 224,
    depth: int = 12,
    width: int = 768,
) -> HfVideo:
    """86.5 M parameters, 180 GMACs per view."""
    return _plain("videomae", num_classes, dropout, depth, width, num_frames=frames, image_size=size)


@model(
    clip=ClipSpec(frames=8, stride=32, size=224, short_side=224, test_clips=1, test_crops=3),
    paper="Bertasius et al. 2021, https://arxiv.org/abs/2102.05095",
    summary="TimeSformer-B: attention along time, then over the frame (transformers)",
)
def timesformer_b(
    *,
    num_classes: int = 400,
    dropout: float = 0.0,
    frames: int = 8,
    size: int = 224,
    depth: int = 12,
    width: int = 768,
) -> HfVideo:
    """121.6 M parameters, 196 GMACs per view."""
    return _plain("timesformer", num_classes, dropout, depth, width, num_frames=frames, image_size=size)


@model(
    clip=ClipSpec(
        frames=32,
        stride=2,
        size=224,
        short_side=256,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        test_clips=4,
        test_crops=3,
    ),
    paper="Arnab et al. 2021, https://arxiv.org/abs/2103.15691",
    summary="ViViT-B/16x2: a plain transformer on patches of space and time (transformers)",
)
def vivit_b(
    *,
    num_classes: int = 400,
    dropout: float = 0.0,
    frames: int = 32,
    size: int = 224,
    depth: int = 12,
    width: int = 768,
) -> HfVideo:
    """89.0 M parameters, 452 GMACs per view."""
    return _plain("vivit", num_classes, dropout, depth, width, num_frames=frames, image_size=size)


@model(
    clip=ClipSpec(
        frames=16,
        stride=4,
        size=256,
        short_side=292,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        test_clips=2,
        test_crops=3,
    ),
    paper="Assran et al. 2025, https://arxiv.org/abs/2506.09985",
    summary="V-JEPA 2-L: a transformer that learnt to predict hidden parts (transformers)",
)
def vjepa2_l(
    *,
    num_classes: int = 400,
    dropout: float = 0.0,
    frames: int = 16,
    size: int = 256,
    depth: int = 24,
    width: int = 1024,
) -> HfVideo:
    """353.6 M parameters, 935 GMACs per view."""
    config = {
        "model_type": "vjepa2",
        "frames_per_clip": frames,
        "crop_size": size,
        "num_hidden_layers": depth,
        "hidden_size": width,
        "num_attention_heads": max(1, width // 64),
    }
    return hf_video(num_classes=num_classes, dropout=dropout, config=config)


def _plain(kind: str, num_classes: int, dropout: float, depth: int, width: int, **clip: int) -> HfVideo:
    config = {
        "model_type": kind,
        "num_hidden_layers": depth,
        "hidden_size": width,
        "num_attention_heads": max(1, width // 64),
        "intermediate_size": 4 * width,
    }
    return hf_video(num_classes=num_classes, dropout=dropout, config=config | clip)
