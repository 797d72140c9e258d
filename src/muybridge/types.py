"""The small values that every room shares: how a clip is cut, what a model answered, what went wrong.

Nothing here imports torch, so the command line can speak about clips and scores without waking it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from typing import Any, Literal, NamedTuple, Self


class VideoError(Exception):
    """A video that can't be read or written. The text names the file, the cause and what to do."""


class WeightsError(Exception):
    """A weight file that can't be loaded. The text names the file, the cause and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSpec:
    """How a model wants to be fed; it travels with every weight, so preprocessing can't be wrong.

    Attributes:
        frames: Frames per clip (`t`).
        stride: Distance between neighbouring frames of a clip, in frames (of the source, or of `fps` if set).
        sampling: `dense` takes one run of `frames` frames, `stride` apart; `segments` cuts the video into
            `frames` equal parts and takes one frame of each (TSN, Wang et al. 2016,
            https://arxiv.org/abs/1608.00859); `stride` is then unused.
        fps: Frame rate that `stride` counts in. None counts source frames. With a rate, a 60 fps phone video
            and a 24 fps film are seen at the same speed.
        size: Side of the square crop, in pixels.
        short_side: Length of the frame's shorter side before cropping, in pixels.
        modality: What the channels are. `rgb`; `flow`: pairs of horizontal and vertical displacement, truncated
            at 20 pixels and scaled to 0..1, several pairs if a step of the clip holds a stack of them;
            `rgb+flow`: three of one and two of the other.
        mean: Per-channel mean subtracted after scaling values to 0..1; as many as the clip has channels.
        std: Per-channel standard deviation divided by afterwards.
        test_clips: Clips per video at test time.
        test_crops: Crops per clip at test time: 1 (centre) or 3 (both ends of the long side and the centre).
    """

    frames: int = 16
    stride: int = 4
    sampling: Literal["dense", "segments"] = "dense"
    fps: Fraction | None = None
    size: int = 224
    short_side: int = 256
    modality: Literal["rgb", "flow", "rgb+flow"] = "rgb"
    mean: tuple[float, ...] = (0.45, 0.45, 0.45)
    std: tuple[float, ...] = (0.225, 0.225, 0.225)
    test_clips: int = 10
    test_crops: int = 3

    def __post_init__(self) -> None:
        for name in ("frames", "stride", "size", "short_side", "test_clips"):
            if getattr(self, name) < 1:
                raise ValueError(f"ClipSpec.{name} is {getattr(self, name)}; it must be at least 1")
        if self.short_side < self.size:
            raise ValueError(
                f"ClipSpec.short_side ({self.short_side}) is smaller than the crop, size ({self.size}); "
                "make short_side at least size"
            )
        if self.test_crops not in (1, 3):
            raise ValueError(f"ClipSpec.test_crops is {self.test_crops}; it must be 1 or 3")
        if self.sampling not in ("dense", "segments"):
            raise ValueError(f"ClipSpec.sampling is {self.sampling!r}; it must be 'dense' or 'segments'")
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"ClipSpec.fps is {self.fps}; it must be positive")
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"ClipSpec has {len(self.mean)} means and {len(self.std)} stds; give one of each per channel"
            )
        fits = {"rgb": self.channels == 3, "flow": self.channels % 2 == 0, "rgb+flow": self.channels == 5}
        if not fits.get(self.modality):
            raise ValueError(
                f"ClipSpec.modality is {self.modality!r} with {self.channels} channels (means); it must be rgb with 3, "
                "flow with an even number, or rgb+flow with 5"
            )

    @property
    def channels(self) -> int:
        """Channels of a clip (`c`)."""
        return len(self.mean)

    @property
    def views(self) -> int:
        """Clips times crops: how often a video goes through the network at test time."""
        return self.test_clips * self.test_crops

    def describe(self) -> str:
        """A few words for people, such as `16 frames, stride 2 at 15 fps, 112 px`."""
        if self.sampling == "segments":
            spacing = "one of each segment"
        else:
            spacing = f"stride {self.stride}" + (f" at {float(self.fps):g} fps" if self.fps else "")
        return f"{self.frames} frames, {spacing}, {self.size} px"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `fps` becomes a string such as `30000/1001`."""
        return asdict(self) | {"fps": None if self.fps is None else str(self.fps)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`. Unknown names are refused."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"ClipSpec has no {', '.join(sorted(unknown))}")
        values = dict(values)
        if values.get("fps") is not None:
            values["fps"] = Fraction(values["fps"])
        for name in ("mean", "std"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values)


class Score(NamedTuple):
    """One label and how much the model believes in it (0..1)."""

    label: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What a model said about one stretch of a video.

    Attributes:
        start_s: Start, in seconds from the first frame.
        end_s: End, in seconds.
        scores: One score per label, in the order of the result's labels (`k`).
    """

    start_s: float
    end_s: float
    scores: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """One published weight file: where it lies, which model it fills, how to feed that, what it scored.

    Attributes:
        name: What a person types: model, data set, and the origin where several publish the same, for example
            `slowfast_r50_8x8.k400` or `slowfast_r50_8x8.k400.mmaction2`.
        model: Name in `create_model`.
        options: The builder's options beside `num_classes`.
        origin: Who published it, for example `PyTorchVideo`.
        url: Where it lies.
        sha256: Of the file: all 64 digits, the leading ones that its publisher gives, or empty where nothing was
            published (the first download is then trusted, and said to be).
        clip: How its scores were reached.
        labels: Name of a class list of `muybridge/labels`, for example `kinetics400`.
        licence: Of the weights, as their publisher states it.
        scores: Published figures, for example `{"top1": 76.94, "top5": 92.69}`, in percent.
        views: Clips times crops of those figures, for example `10x3`; empty if not stated.
        note: What a user should know; empty if nothing.
    """

    name: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    origin: str
    url: str
    sha256: str = ""
    clip: ClipSpec
    labels: str
    licence: str
    scores: Mapping[str, float] = field(default_factory=dict)
    views: str = ""
    note: str = ""
