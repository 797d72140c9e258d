"""Sets of long videos, as a recognizer takes them: each action is a sample of its own, cut out by time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from muybridge.data.charades import read_charades
from muybridge.data.footage import Footage
from muybridge.data.layouts.gathering import Gathered, Row
from muybridge.data.samples import Sample, Samples
from muybridge.data.segments import Untrimmed


def trimmed(data: Untrimmed) -> Samples:
    """Each segment as a sample; all of a video are one group. Background is nobody's class."""
    found: dict[str, list[Sample]] = {"train": [], "val": [], "test": []}
    for video in data.videos:
        found[video.split] += [
            Sample(video.path, (s.label,), video.path.as_posix(), s.start_s, s.end_s) for s in video.segments
        ]
    if not any(found.values()):
        raise ValueError(f"{data.layout}: not one segment in {len(data.videos)} videos; nothing to recognize")
    train, val, test = map(tuple, found.values())
    layout = f"{data.layout}, every segment a sample"
    return Samples(train, val, test, labels=data.labels, layout=layout, notes=data.notes)


def read_charades_videos(files: Mapping[str, Path], footage: Footage) -> Samples:
    """Charades as its recognition is measured: whole videos with all that happens in them, by mAP over 157 classes.

    A video's group is the person who filmed it; a video may show none of the classes.

    Args:
        files: Split -> list.
        footage: Where the videos are.

    Raises:
        ValueError: A mistake, named by file and line.
    """
    gathered = Gathered(next(iter(files.values())), footage)
    labels: tuple[str, ...] = ()
    for split, path in files.items():
        rows, labels = read_charades(path)
        order = {label: number for number, label in enumerate(labels)}
        for row in rows:
            happening = sorted({segment.label for segment in row.segments}, key=order.__getitem__)
            gathered.add(split, [Row(row.where, row.name, tuple(happening), group=row.subject)])
    return gathered.samples(labels, "Charades, whole videos", multi_label=True)
