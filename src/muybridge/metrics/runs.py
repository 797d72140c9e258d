"""What a run of `muybridge test` left in its `result.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class _Values(BaseModel):
    """What is read; what else a file holds is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Clip(_Values):
    """How a run's clips were cut: frames, their distance, the side of the crop in pixels."""

    frames: int
    stride: int
    size: int
    sampling: str = "dense"

    def describe(self) -> str:
        """`frames x stride`, as the field writes it."""
        return f"{self.frames}" if self.sampling == "segments" else f"{self.frames}x{self.stride}"


class Answer(_Values):
    """One video: what it shows, and what the run said.

    `truth` and `answer` are labels of a single-label run; a multi-label run has a list of labels and all `scores`.
    """

    video: str
    truth: str | tuple[str, ...]
    answer: str = ""
    scores: tuple[float, ...] = ()


class Run(_Values):
    """One run of `muybridge test`, as its `result.json` tells it.

    Attributes:
        model: Name of the network.
        start: What its training started from; `scratch`, or empty if the file of weights doesn't say.
        data: Where the data set lay.
        split: Which part of it was measured.
        clip: How clips were cut.
        clips: Clips per video.
        crops: Crops per clip.
        gflops_per_view: Multiply-accumulates of one view, in billions.
        parameters: Learnable values.
        labels: Class names (`k`).
        videos: Videos measured.
        multi_label: Whether a video may show several classes.
        top1: Single label: share of videos right (0..1).
        top5: Single label: share with the class among the best five.
        map: Multi-label: mean average precision (0..1).
        answers: One per video.
    """

    model: str
    start: str = ""
    data: str
    split: str
    clip: Clip
    clips: int = Field(ge=1)
    crops: int = Field(ge=1)
    gflops_per_view: float = Field(ge=0)
    parameters: int = Field(ge=0)
    labels: tuple[str, ...] = Field(min_length=1)
    videos: int = Field(ge=1)
    multi_label: bool = False
    top1: float | None = Field(None, ge=0, le=1)
    top5: float | None = Field(None, ge=0, le=1)
    map: float | None = Field(None, ge=0, le=1)
    answers: tuple[Answer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.map if self.multi_label else self.top1) is None:
            raise ValueError("map is missing" if self.multi_label else "top1 is missing")
        known = set(self.labels)
        for answer in self.answers:
            if self.multi_label and len(answer.scores) != len(self.labels):
                raise ValueError(
                    f"{answer.video} has {len(answer.scores)} scores for {len(self.labels)} labels"
                )
            names = {answer.truth} if isinstance(answer.truth, str) else set(answer.truth)
            if odd := names - known:
                raise ValueError(
                    f"{answer.video} is said to show {min(odd)!r}, which is not among the labels"
                )
        return self

    @property
    def views(self) -> int:
        """Views per video."""
        return self.clips * self.crops

    @property
    def gflops(self) -> float:
        """Multiply-accumulates of all views of a video, in billions."""
        return self.gflops_per_view * self.views

    @property
    def score(self) -> float:
        """The figure it is judged by (0..1): mean average precision, or top-1."""
        return float((self.map if self.multi_label else self.top1) or 0.0)

    @property
    def score_name(self) -> str:
        """What that figure is called."""
        return "mAP" if self.multi_label else "top-1"


def read_run(path: Path) -> Run:
    """Read a `result.json`, or the one in a folder.

    Raises:
        ValueError: It can't be read, or is not what `muybridge test --out` writes.
    """
    path = path / "result.json" if path.is_dir() else path
    how = "give the result.json that `muybridge test --out FOLDER` writes"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: can't be read ({error.strerror or error}); {how}") from None
    except ValueError:
        raise ValueError(f"{path}: not JSON, or cut short; {how}") from None
    try:
        return Run.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{path}: {f'{place}: ' if place else ''}{what}; {how}") from None
