"""What of a data set is shown: examples of its classes, and one video with all that is annotated in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from muybridge.data.ava import ActionBox, AvaSet, read_ava
from muybridge.data.figures.formats import Shares, read_tubes
from muybridge.data.layouts import read_samples
from muybridge.data.samples import Sample

CLIPS = 2  # of each class on a contact sheet


@dataclass(frozen=True, slots=True)
class Example:
    """A stretch of a video that shows a class; for persons among others, where they are in the middle of it.

    Attributes:
        path: The video.
        start_s: Its start; None: that of the video.
        end_s: Its end; None: that of the video.
        box: Left, top, right and bottom as shares of width and height; None: the whole picture.
    """

    path: Path
    start_s: float | None = None
    end_s: float | None = None
    box: Shares | None = None


class Track(NamedTuple):
    """What somebody, or anybody, does from when to when; with boxes, where they are.

    Attributes:
        start_s: Start in seconds.
        end_s: End in seconds.
        label: The class.
        person: Number of the person; None where nobody is meant in particular.
        boxes: Evenly spread over the time, as shares of width and height; empty: the whole picture.
    """

    start_s: float
    end_s: float
    label: str
    person: int | None = None
    boxes: Sequence[Shares] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A data set, as far as it is shown.

    Attributes:
        layout: What was recognized, in words.
        labels: All classes.
        examples: Class -> examples, of those that have any.
        sample: The video whose annotations are played.
        tracks: Its annotations.
    """

    layout: str
    labels: tuple[str, ...]
    examples: Mapping[str, Sequence[Example]]
    sample: Path
    tracks: tuple[Track, ...]


def look_at(data: Path) -> Shown:
    """Read any data set that can be trained on, or one of boxes in AVA's files.

    Raises:
        ValueError: As for `read_samples` and `read_ava`.
    """
    if (data.is_dir() and any(data.glob("*.pbtxt"))) or any(data.glob("annotations/*.pbtxt")):
        return _boxes(data)
    samples = read_samples(data)
    _, held_out = samples.held_out()
    everything = (*held_out, *(s for part in samples.splits.values() for s in part if part is not held_out))
    examples: dict[str, list[Example]] = {label: [] for label in samples.labels}
    for one in everything:
        for label in one.labels:
            examples[label].append(Example(one.path, one.start_s, one.end_s))
    chosen = _easiest(held_out)
    tracks = [
        Track(one.start_s or 0.0, float("inf") if one.end_s is None else one.end_s, label)
        for one in everything
        if one.path == chosen
        for label in one.labels
    ]
    return Shown(samples.layout, samples.labels, _kept(examples), chosen, tuple(sorted(tracks)))


def _easiest(samples: Sequence[Sample]) -> Path:
    """The video with most happening in least time."""
    ends: dict[Path, float] = {}
    for one in samples:
        ends[one.path] = max(ends.get(one.path, 0.0), one.end_s or 0.0)
    return min(ends, key=lambda path: ends[path])


def _boxes(data: Path) -> Shown:
    given = next((found for split in ("test", "val", "train") if (found := _ava(data, split))), None)
    if given is None:
        read_ava(data)  # says what is wrong
        raise ValueError(f"{data}: no boxes in it")
    examples: dict[str, list[Example]] = {name: [] for name in given.actions.values()}
    counts: dict[str, int] = {}
    for frame in given.keyframes:
        counts[frame.video] = counts.get(frame.video, 0) + 1
        for box in frame.boxes:
            for action in box.actions:
                path = given.videos[frame.video]
                examples[given.actions[action]].append(
                    Example(path, max(0.0, frame.time_s - 0.9), frame.time_s + 0.9, box.box_xyxy)
                )
    name = min(counts, key=lambda video: counts[video])
    labels = tuple(given.actions.values())
    spread = {label: found[:: max(1, len(found) // CLIPS)] for label, found in examples.items()}
    return Shown("AVA boxes", labels, _kept(spread), given.videos[name], _tracks(data, given, name))


def _ava(data: Path, split: str) -> AvaSet | None:
    try:
        return read_ava(data, split)
    except ValueError:
        return None


def _tracks(data: Path, given: AvaSet, video: str) -> tuple[Track, ...]:
    """With a box in every frame where there are tubes, else with those of keyframes, each for a second."""
    tubes = data / "tubes" / f"{video}.json"
    if tubes.is_file():
        fps, found = read_tubes(tubes)
        return tuple(
            Track(
                float(tube.start_frame / fps),
                float((tube.start_frame + len(tube.boxes)) / fps),
                tube.label,
                tube.track,
                tube.boxes,
            )
            for tube in found
        )

    def around(box: ActionBox, time_s: float) -> list[Track]:
        return [
            Track(time_s - 0.5, time_s + 0.5, given.actions[action], box.person, [box.box_xyxy])
            for action in box.actions
        ]

    return tuple(
        track
        for frame in given.keyframes
        if frame.video == video
        for box in frame.boxes
        for track in around(box, frame.time_s)
    )


def _kept(examples: Mapping[str, Sequence[Example]]) -> dict[str, Sequence[Example]]:
    return {label: found for label, found in examples.items() if found}


def scaled(shares: Shares, width: int, height: int) -> Shares:
    """In pixels."""
    left, top, right, bottom = shares
    return left * width, top * height, right * width, bottom * height
