"""The truth about films in the field's own formats: Kinetics' CSV, ActivityNet's JSON, AVA's CSV, and tubes.

Formats: Kay et al. 2017 (https://arxiv.org/abs/1705.06950), Caba Heilbron et al. 2015 (http://activity-net.org), Gu et
al. 2018 (https://arxiv.org/abs/1705.08421).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from muybridge.data.figures.action import Action
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.script import Span
from muybridge.files import write_text

Shares = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the frame's width and height."""

CLEAR = 0.25
"""Share of a person that must be seen at a keyframe; a keyframe with somebody less clear is excluded."""
SUBSETS = {"train": "training", "val": "validation", "test": "testing"}


@dataclass(frozen=True, slots=True)
class Take:
    """A film that has been shot.

    Attributes:
        path: In the data set's folder.
        split: `train`, `val` or `test`.
        label: Its class; "" if it has several.
        duration_s: Its length.
        spans: Who does what from when to when.
        tubes: File with its tubes, in the data set's folder; "" if there is none.
    """

    path: Path
    split: str
    label: str
    duration_s: float
    spans: tuple[Span, ...]
    tubes: str = ""


class Tube(NamedTuple):
    """One action of one person: a box in every frame from `start_frame` on.

    Attributes:
        track: The person.
        label: The action.
        start_frame: First frame.
        boxes: One per frame.
        visible: One per frame: about how much of the person is to be seen, 0..1.
    """

    track: int
    label: str
    start_frame: int
    boxes: Sequence[Shares]
    visible: Sequence[float]


def write_kinetics(folder: Path, takes: Sequence[Take]) -> None:
    """Write `train.csv`, `validate.csv` and `test.csv`: `label,youtube_id,time_start,time_end,split`."""
    for split, word in (("train", "train"), ("val", "validate"), ("test", "test")):
        rows = [
            (take.label, take.path.stem[:11], 0, int(take.path.stem[-6:]), word)
            for take in takes
            if take.split == split
        ]
        if rows:
            head = ("label", "youtube_id", "time_start", "time_end", "split")
            _write_table(folder / f"{word}.csv", [head, *rows])


def write_activitynet(
    folder: Path, takes: Sequence[Take], names: Sequence[str], size: tuple[int, int]
) -> None:
    """Write `activitynet.json`: database and taxonomy, times in seconds from the first frame."""
    database = {
        take.path.stem: {
            "duration": round(take.duration_s, 3),
            "subset": SUBSETS[take.split],
            "resolution": f"{size[1]}x{size[0]}",
            "url": "",
            "annotations": _segments(take),
        }
        for take in takes
    }
    root = {"nodeName": "Root", "nodeId": 0, "parentName": None, "parentId": None}
    taxonomy = [root] + [
        {"nodeName": name, "nodeId": number, "parentName": "Root", "parentId": 0}
        for number, name in enumerate(names, 1)
    ]
    given = {"version": "VERSION 1.3", "database": database, "taxonomy": taxonomy}
    write_text(folder / "activitynet.json", json.dumps(given, indent=1) + "\n")


def _segments(take: Take) -> list[dict[str, Any]]:
    """Each action once, also where two people do it together."""
    times = dict.fromkeys((span.start_s, span.end_s, span.label) for span in take.spans)
    return [
        {"label": label, "segment": [round(start_s, 3), round(min(end_s, take.duration_s), 3)]}
        for start_s, end_s, label in sorted(times)
    ]


def write_tubes(path: Path, video: str, fps: Fraction, num_frames: int, tubes: Iterable[Tube]) -> None:
    """Write one film's tubes: its name, `fps`, `num_frames`, and `tubes`, a line each.

    A tube has `track`, `label`, `start_frame`, `end_frame` (the frame after its last), `boxes` (one per frame: left,
    top, right, bottom as shares of width and height) and `visible` (one per frame, 0..1).
    """
    lines = [
        json.dumps(
            {
                "track": tube.track,
                "label": tube.label,
                "start_frame": tube.start_frame,
                "end_frame": tube.start_frame + len(tube.boxes),
                "boxes": [[round(share, 4) for share in box] for box in tube.boxes],
                "visible": [round(share, 2) for share in tube.visible],
            }
        )
        for tube in tubes
    ]
    head = json.dumps({"video": video, "fps": str(fps), "num_frames": num_frames})
    write_text(path, head[:-1] + ', "tubes": [\n' + ",\n".join(lines) + "\n]}\n")


def read_tubes(path: Path) -> tuple[Fraction, list[Tube]]:
    """Frames per second and tubes of one film, from what `write_tubes` wrote."""
    given = json.loads(path.read_text(encoding="utf-8"))
    tubes = [
        Tube(
            one["track"],
            one["label"],
            one["start_frame"],
            [tuple(box) for box in one["boxes"]],
            one["visible"],
        )
        for one in given["tubes"]
    ]
    return Fraction(given["fps"]), tubes


def write_ava(folder: Path, takes: Sequence[Take], names: Sequence[str]) -> None:
    """Write AVA's files from the tubes: `{split}.csv`, `{split}_excluded_timestamps.csv` and `action_list.pbtxt`."""
    numbers = {name: number for number, name in enumerate(names, 1)}
    rows: dict[str, list[Sequence[object]]] = {split: [] for split in SUBSETS}
    excluded: dict[str, list[Sequence[object]]] = {split: [] for split in SUBSETS}
    for take in takes:
        fps, tubes = read_tubes(folder / take.tubes)
        # As in AVA, a keyframe has a second before it and a second after it.
        for second in range(1, int(take.duration_s)):
            moment = (take.path.stem, f"{second:04d}")
            found = list(_at(tubes, ceil(second * fps)))
            if any(visible < CLEAR for _, _, visible in found):
                excluded[take.split].append(moment)
                continue
            for tube, box, _ in found:
                shares = (f"{share:.3f}" for share in box)
                rows[take.split].append((*moment, *shares, numbers[tube.label], tube.track))
    for split, there in rows.items():
        _write_table(folder / f"{split}.csv", there)
        _write_table(folder / f"{split}_excluded_timestamps.csv", excluded[split])
    labels = [
        f'label {{\n  name: "{name}"\n  label_id: {number}\n  label_type: {_kind(ACTIONS[name])}\n}}\n'
        for name, number in numbers.items()
    ]
    write_text(folder / "action_list.pbtxt", "".join(labels))


def _at(tubes: Iterable[Tube], frame: int) -> Iterable[tuple[Tube, Shares, float]]:
    for tube in tubes:
        place = frame - tube.start_frame
        if 0 <= place < len(tube.boxes):
            yield tube, tube.boxes[place], tube.visible[place]


def _kind(action: Action) -> str:
    if action.partner:
        return "PERSON_INTERACTION"
    return "OBJECT_MANIPULATION" if action.thing in ("door", "box") else "PERSON_MOVEMENT"


def _write_table(path: Path, rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())
