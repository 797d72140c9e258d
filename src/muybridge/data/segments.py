"""Untrimmed videos: what happens in them, from when to when.

Readers of ActivityNet's JSON (Caba Heilbron et al. 2015, http://activity-net.org), of the text files of THUMOS14
(Idrees et al. 2016, https://arxiv.org/abs/1604.06182) and of UCF-Crime's times (Sultani et al. 2018,
https://arxiv.org/abs/1801.04264). No video is opened.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.data.annotations import (
    SPLITS,
    read_json,
    read_lines,
    real,
    refuse_times,
    whole,
)
from muybridge.data.footage import Footage, footage_of
from muybridge.data.samples import natural

UCF_CRIME_FPS = 30
"""Frames per second that UCF-Crime's times are counted in."""

_THUMOS_FILE = re.compile(r"(.+)_(val|test)\.txt", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Segment:
    """One action: `label` from `start_s` to `end_s`, in seconds from the first frame."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class UntrimmedVideo:
    """A long video and all that happens in it.

    Attributes:
        path: The video.
        duration_s: Its length in seconds, where the annotations tell it.
        segments: By start; none: only background.
        split: `train`, `val` or `test`.
    """

    path: Path
    duration_s: float | None
    segments: tuple[Segment, ...]
    split: str = "train"


@dataclass(frozen=True, slots=True)
class Untrimmed:
    """A data set for temporal action detection.

    Attributes:
        videos: Those whose files are there.
        labels: Class names, a class's number being its place.
        layout: What was recognized, in words.
        notes: Lines that a person should read.
    """

    videos: tuple[UntrimmedVideo, ...]
    labels: tuple[str, ...]
    layout: str
    notes: tuple[str, ...] = ()


def read_activitynet(path: str | Path, videos: str | Path | None = None) -> Untrimmed:
    """Read a JSON file as ActivityNet (v1.3), HACS and the ActivityNet form of THUMOS14 have it.

    `{"database": {ID: {"duration": s, "subset": "training", "annotations": [{"segment": [s, s], "label": name}]}}}`,
    or what is in `database` alone, as MMAction2 keeps it (`duration_second`). A video's file is called by its id, with
    or without `v_` in front. Videos of a test set without annotations are left out; so are videos that aren't there
    (such sets are never complete), and segments without length, all counted in the notes. A segment that runs past the
    video's end is cut there.

    Args:
        path: The JSON file.
        videos: Folder that the videos lie in; by default found near the file.

    Raises:
        ValueError: A mistake in the file, named by video and annotation; or none of the videos is there.
    """
    path = Path(path)
    given = read_json(path)
    database = given.get("database", given) if isinstance(given, dict) else None
    if not isinstance(database, dict) or not database:
        raise ValueError(f'{path}: no {{"database": {{...}}}} with videos in it, as ActivityNet\'s JSON has')
    search = _Search(path, footage_of(path, None if videos is None else Path(videos)))
    found = []
    for name, entry in database.items():
        where = f"{path}, video {name!r}"
        if not isinstance(entry, dict):
            raise ValueError(f"{where}: {str(entry)[:40]!r} where an object with `annotations` was wanted")
        subset = str(entry.get("subset", "training")).lower()
        if subset not in SPLITS:
            raise ValueError(f"{where}: no subset {subset!r}; training, validation or testing was wanted")
        if not entry.get("annotations") and SPLITS[subset] == "test":
            search.unlabelled += 1
            continue
        duration = entry.get("duration", entry.get("duration_second"))
        duration_s = None if duration is None else real(duration, where, "duration")
        segments = search.clean(_activitynet_segments(entry.get("annotations", []), where), duration_s)
        if file := search.file(name, SPLITS[subset]):
            found.append(UntrimmedVideo(file, duration_s, segments, SPLITS[subset]))
    labels = sorted({str(a["label"]) for e in database.values() for a in e.get("annotations") or []})
    return search.done(found, tuple(labels), "ActivityNet JSON")


def _activitynet_segments(annotations: Any, where: str) -> Iterator[tuple[str, Segment]]:
    if not isinstance(annotations, list):
        raise ValueError(f"{where}: annotations is no list")
    for number, annotation in enumerate(annotations, 1):
        place = f"{where}, annotation {number}"
        times = annotation.get("segment") if isinstance(annotation, dict) else None
        if not isinstance(times, list) or len(times) != 2:
            raise ValueError(f'{place}: no "segment": [start, end] in seconds')
        if not isinstance(annotation.get("label"), str) or not annotation["label"]:
            raise ValueError(f'{place}: no "label"')
        start_s, end_s = (real(time, place, "a time") for time in times)
        yield place, Segment(start_s, end_s, annotation["label"])


def thumos_file(path: Path) -> bool:
    """Whether a file is by its name one of THUMOS14's: `Diving_val.txt`, `Ambiguous_test.txt`."""
    return _THUMOS_FILE.fullmatch(path.name) is not None


def read_thumos(data: str | Path, videos: str | Path | None = None) -> Untrimmed:
    """Read the annotations of THUMOS14: a text file per class, with a line `video start end` per action.

    `*_val.txt` becomes train and `*_test.txt` test, as everybody uses them: THUMOS14's own training set is trimmed
    clips (UCF101). What is filed as ambiguous is left out, and what is written twice is taken once. The order of the
    classes is that of `detclasslist.txt`, where it is there.

    Args:
        data: A folder with these files in it, or in folders below it; or one of the files, for all beside it.
        videos: Folder that the videos lie in; by default found near the files.

    Raises:
        ValueError: A mistake, named by file and line; or none of the videos is there.
    """
    data = Path(data)
    folder = data if data.is_dir() else data.parent
    files = sorted(path for path in folder.rglob("*.txt") if thumos_file(path))
    if not files:
        raise ValueError(f"{folder}: no files such as Diving_val.txt in it")
    search = _Search(folder, footage_of(folder, None if videos is None else Path(videos)))
    rows: dict[tuple[str, str], list[tuple[str, Segment]]] = defaultdict(list)
    seen: set[str] = set()
    for path in files:
        match = _THUMOS_FILE.fullmatch(path.name)
        assert match is not None
        label, split = match[1], "train" if match[2].lower() == "val" else "test"
        for where, line in read_lines(path):
            cells = line.split()
            if len(cells) != 3:
                raise ValueError(f"{where}: {line[:60]!r}; `video start end` was wanted")
            start_s, end_s = (real(cell, where, "a time") for cell in cells[1:])
            refuse_times(start_s, end_s, where, empty=True)
            if label == "Ambiguous":
                search.ambiguous += 1
            else:
                seen.add(label)
                rows[cells[0], split].append((where, Segment(start_s, end_s, label)))
    found = [
        UntrimmedVideo(file, None, search.clean(segments, None), split)
        for (name, split), segments in sorted(rows.items())
        if (file := search.file(name, split))
    ]
    return search.done(found, _thumos_classes(files, seen), "THUMOS14")


def _thumos_classes(files: Sequence[Path], seen: set[str]) -> tuple[str, ...]:
    lists = [path for folder in {f.parent for f in files} if (path := folder / "detclasslist.txt").is_file()]
    if not lists:
        return tuple(sorted(seen))
    # `7 BaseballPitch`: the number is that of THUMOS's 101 classes, so only the order is ours.
    rows = [(where, line.split()) for where, line in read_lines(lists[0])]
    for where, cells in rows:
        if len(cells) != 2:
            raise ValueError(f"{where}: {' '.join(cells)!r}; `number class` was wanted")
    labels = tuple(
        name for _, (_, name) in sorted(rows, key=lambda row: whole(row[1][0], row[0], "the class"))
    )
    if unknown := sorted(seen - set(labels)):
        raise ValueError(f"{lists[0]}: class {unknown[0]!r} has a file of actions, but is not in the list")
    return labels


def read_ucf_crime_times(path: str | Path, videos: str | Path | None = None) -> Untrimmed:
    """Read UCF-Crime's `Temporal_Anomaly_Annotation_for_Testing_Videos.txt`.

    A line is `Abuse028_x264.mp4  Abuse  165  240  -1  -1`: video, class, first and last frame of one or two events,
    -1 for none; frames count from 1 at 30 per second. All is the test set.

    Args:
        path: The file.
        videos: Folder that the videos lie in; by default found near the file.

    Raises:
        ValueError: A mistake, named by file and line; or none of the videos is there.
    """
    path = Path(path)
    search = _Search(path, footage_of(path, None if videos is None else Path(videos)))
    found, labels = [], set()
    for where, line in read_lines(path):
        cells = line.split()
        if len(cells) != 6:
            raise ValueError(f"{where}: {line[:60]!r}; `video class start end start end` was wanted")
        name, label = cells[:2]
        frames = [real(cell, where, "a frame") for cell in cells[2:]]
        events = [(first, last) for first, last in (frames[:2], frames[2:]) if first >= 0 and last >= 0]
        labels |= {label} if events else set()
        segments = (
            (where, Segment(max(first - 1, 0) / UCF_CRIME_FPS, last / UCF_CRIME_FPS, label))
            for first, last in events
        )
        if file := search.file(name, label):
            found.append(UntrimmedVideo(file, None, search.clean(segments, None), "test"))
    return search.done(found, tuple(sorted(labels)), "UCF-Crime's times of events")


class _Search:
    """Finds the files of videos, and counts what had to be left out on the way."""

    def __init__(self, source: Path, footage: Footage) -> None:
        self.source = source
        self.footage = footage
        self.missing: list[str] = []
        self.unlabelled = self.ambiguous = self.empty = self.twice = self.outside = 0

    def file(self, name: str, *hints: str) -> Path | None:
        path = self.footage.find(name, *hints)
        if path is None:
            other = name.removeprefix("v_") if name.startswith("v_") else f"v_{name}"
            path = self.footage.find(other, *hints)
        if path is None:
            self.missing.append(name)
        return path

    def clean(
        self,
        segments: Iterator[tuple[str, Segment]] | Sequence[tuple[str, Segment]],
        duration_s: float | None,
    ) -> tuple[Segment, ...]:
        kept: dict[Segment, None] = {}
        for where, segment in segments:
            refuse_times(segment.start_s, segment.end_s, where, empty=True)
            end_s = segment.end_s if duration_s is None else min(segment.end_s, duration_s)
            if segment.end_s == segment.start_s:
                self.empty += 1
            elif end_s <= segment.start_s:
                self.outside += 1
            elif (cut := Segment(segment.start_s, end_s, segment.label)) in kept:
                self.twice += 1
            else:
                kept[cut] = None
        return tuple(sorted(kept, key=lambda s: (s.start_s, s.end_s, natural(s.label))))

    def done(self, found: Sequence[UntrimmedVideo], labels: tuple[str, ...], layout: str) -> Untrimmed:
        total = len(found) + len(self.missing)
        if not found:
            first = f", first {self.missing[0]!r}" if self.missing else ""
            raise ValueError(
                f"{self.source}: none of its {total} videos is below {self.footage}{first}; say where they lie: "
                "--videos FOLDER"
            )
        notes = [
            f"{count} {what}"
            for count, what in (
                (len(self.missing), f"of {total} videos are not there; left out"),
                (self.unlabelled, "videos of the test set have no annotations; left out"),
                (self.ambiguous, "stretches are filed as ambiguous; left out"),
                (self.empty, "segments have no length; left out"),
                (self.outside, "segments begin after their video's end; left out"),
                (self.twice, "segments are written twice; taken once"),
            )
            if count
        ]
        return Untrimmed(tuple(found), labels, layout, tuple(notes))
