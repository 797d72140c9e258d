"""Boxes with actions at keyframes, as AVA (Gu et al. 2018, https://arxiv.org/abs/1705.08421) writes them.

A row of its CSV is one action of one person at one moment: `video,0902,x1,y1,x2,y2,action,person`. A person who does
three things has three rows with the same box. No video is opened.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from muybridge.data.annotations import LONGEST_LINE, read_table, read_text, real, split_word, whole
from muybridge.data.footage import footage_of, is_for_lists

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the frame's width and height."""

KEYFRAME_SPAN_S = (902, 1798)
"""First and last keyframe of a film in AVA, in seconds; one each second."""


@dataclass(frozen=True, slots=True)
class ActionBox:
    """One person at one moment.

    Attributes:
        box_xyxy: Left, top, right and bottom, as shares of the frame's width and height.
        actions: Numbers of all that the person does; AVA counts from 1.
        scores: One per action: how sure a detector is; 1.0 in ground truth.
        person: Number that stays with a person through the film; None where the file has none (AVA 2.0, predictions).
    """

    box_xyxy: Box
    actions: tuple[int, ...]
    scores: tuple[float, ...]
    person: int | None = None


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A moment that was looked at.

    Attributes:
        video: Name of the film.
        time_s: When, in seconds.
        boxes: Everybody in it; none: nobody, or nobody who does anything that counts.
    """

    video: str
    time_s: float
    boxes: tuple[ActionBox, ...] = ()

    @property
    def key(self) -> str:
        """`video,0902`, as exclusion lists and predictions name it."""
        return keyframe_key(self.video, self.time_s)


@dataclass(frozen=True, slots=True)
class AvaSet:
    """One split of a data set of boxes.

    Attributes:
        keyframes: By video and time.
        actions: Number -> name of the classes that count.
        videos: Name -> file, of those whose films are there.
        notes: Lines that a person should read.
    """

    keyframes: tuple[Keyframe, ...]
    actions: Mapping[int, str]
    videos: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def keyframe_key(video: str, time_s: float) -> str:
    """The name of a moment, `video,0902`: whole seconds in four digits, a fraction only where there is one."""
    return f"{video},{time_s:04.0f}" if time_s == int(time_s) else f"{video},{time_s:08.3f}"


def read_label_map(path: str | Path) -> dict[int, str]:
    """Read a label map: `item { name: "bend/bow (at the waist)" id: 1 }`, or `label { name: ... label_id: ... }`.

    AVA's full list has 80 classes (`ava_action_list_v2.2.pbtxt`); the 60 that are evaluated are those of
    `ava_action_list_v2.2_for_activitynet_2019.pbtxt`, so their numbers have gaps.

    Returns:
        Number -> name, in the order of the file.

    Raises:
        ValueError: No label map, or a number given twice, with the line.
    """
    path = Path(path)
    text = read_text(path)
    names: dict[int, str] = {}
    items = list(re.finditer(r"\b(?:item|label)\s*:?\s*\{([^{}]*)\}", _without_comments(text)))
    if not items:
        raise ValueError(f'{path}: no label map; `item {{ name: "walk" id: 12 }}` was wanted')
    for item in items:
        where = f"{path}, line {text.count(chr(10), 0, item.start()) + 1}"
        name = re.search(r"""\bname:\s*(?:"([^"\n]*)"|'([^'\n]*)')""", item[1])
        number = re.search(r"\b(?:id|label_id):\s*(\d{1,9})\b", item[1])
        if name is None or number is None:
            raise ValueError(f"{where}: an item without {'id' if name else 'name'}")
        if int(number[1]) < 1:
            raise ValueError(f"{where}: class number 0; AVA's numbers begin at 1 (0 is the background)")
        if int(number[1]) in names:
            raise ValueError(f"{where}: number {number[1]} is given twice")
        names[int(number[1])] = name[1] or name[2] or ""
    return names


def _without_comments(text: str) -> str:
    # A `#` in a name is no comment; blanks keep every place where it was.
    return re.sub(r"(?m)^\s*#.*$", lambda found: " " * len(found[0]), text)


def read_exclusions(path: str | Path) -> frozenset[str]:
    """Read a list of moments that are not to be used, `video,0903` per line.

    Returns:
        Their keys, see `Keyframe.key`. An empty file excludes nothing.

    Raises:
        ValueError: A row that is none, with its line.
    """
    path = Path(path)
    if not read_text(path).strip():
        return frozenset()
    keys = set()
    for where, row in read_table(path):
        if len(row) != 2:
            raise ValueError(f"{where}: {len(row)} columns; `video,time` was wanted")
        keys.add(keyframe_key(row[0], _moment(row[1], where)))
    return frozenset(keys)


def read_boxes(
    path: str | Path, *, actions: Collection[int] = (), excluded: Collection[str] = (), scored: bool = False
) -> tuple[Keyframe, ...]:
    """Read a CSV file of AVA: ground truth, or a detector's predictions.

    Rows of one box are put together. A row of two columns (`video,0902`) is a moment with nobody in it. The eighth
    column is the person's number, or with `scored` the score.

    Args:
        path: The file; no header.
        actions: Numbers that count (the 60 that are evaluated, or all 80); rows of others are left out, but their
            moments stay. None given: all count.
        excluded: Moments to leave out, from `read_exclusions`.
        scored: Whether the eighth column is a score.

    Returns:
        Moments, sorted by video and time.

    Raises:
        ValueError: A mistake, named by file and line.
    """
    path = Path(path)
    found: dict[tuple[str, float], dict[tuple[Box, int | None], list[tuple[int, float]]]] = defaultdict(dict)
    for where, row in read_table(path):
        if len(row) not in (2, 7, 8):
            raise ValueError(
                f"{where}: {len(row)} columns; `video,time,x1,y1,x2,y2,action,{'score' if scored else 'person'}` was "
                "wanted"
            )
        moment = row[0], _moment(row[1], where)
        if keyframe_key(*moment) in excluded:
            continue
        boxes = found[moment]
        if len(row) > 2:
            action = whole(row[6], where, "the action")
            if action < 1:
                raise ValueError(f"{where}: action 0; AVA's numbers begin at 1 (0 is the background)")
            last = row[7] if len(row) == 8 else ""
            score = real(last, where, "the score") if scored and last else 1.0
            person = None if scored or not last or last == "-1" else whole(last, where, "the person")
            if not actions or action in actions:
                boxes.setdefault((_box(row[2:6], where), person), []).append((action, score))
    return tuple(
        Keyframe(
            video,
            time_s,
            tuple(ActionBox(box, *_columns(does), person) for (box, person), does in boxes.items()),
        )
        for (video, time_s), boxes in sorted(found.items())
    )


def read_ava(data: str | Path, split: str = "train", videos: str | Path | None = None) -> AvaSet:
    """Read one split of a folder of AVA's files, by the names they are published under.

    The boxes are in the CSV whose name says the split (`ava_train_v2.2.csv`, `train.csv`), the moments to leave out in
    the one that says `excluded` too. Of several label maps the one for the evaluation (`for_activitynet`, 60 classes)
    counts; rows of other classes are left out, and counted in the notes.

    Args:
        data: The folder; the files may lie in a folder `annotations` in it.
        split: `train`, `val` or `test`.
        videos: Folder that the films lie in; by default found near the files.

    Raises:
        ValueError: No such file, or a mistake in one, named by file and line.
    """
    data = Path(data)
    if not data.is_dir():
        raise ValueError(f"{data}: no such folder; give the one with AVA's CSV and pbtxt files")
    folders = [data, *sorted(p for p in data.iterdir() if p.is_dir() and is_for_lists(p))]
    files = sorted(p for folder in folders for p in folder.iterdir() if p.is_file())
    tables = [p for p in files if p.suffix == ".csv" and split_word(p.name) == split]
    boxes = [p for p in tables if "excluded" not in p.name and is_ava(p)]
    maps = [p for p in files if ".pbtxt" in p.suffixes]
    if len(boxes) != 1 or not maps:
        wanted = f"one CSV of boxes with {split!r} in its name" if len(boxes) != 1 else "a label map (.pbtxt)"
        there = ", ".join(p.name for p in boxes or files[:8]) or "nothing"
        raise ValueError(f"{data}: wanted {wanted}; there is {there}")
    names = read_label_map(min(maps, key=lambda p: "for_activitynet" not in p.name))
    excluded: frozenset[str] = frozenset().union(
        *(read_exclusions(p) for p in tables if "excluded" in p.name)
    )
    everything = read_boxes(boxes[0], excluded=excluded)
    keyframes = only_actions(everything, names)
    footage = footage_of(data, None if videos is None else Path(videos))
    films = {k.video: film for k in keyframes if (film := footage.find(k.video, split))}
    all_names = {k.video for k in keyframes}
    if not films:
        raise ValueError(
            f"{boxes[0]}: none of its {len(all_names)} films is below {footage}, first {min(all_names)!r}; say where "
            "they lie: --videos FOLDER"
        )
    rest = _rows(everything) - _rows(keyframes)
    notes = [
        f"{count} {what}"
        for count, what in (
            (len(all_names) - len(films), f"of {len(all_names)} films are not there; left out"),
            (rest, f"rows are of classes that don't count (not among {len(names)}); left out"),
            (len(excluded), "moments are excluded by a list"),
        )
        if count
    ]
    return AvaSet(tuple(k for k in keyframes if k.video in films), names, films, tuple(notes))


def only_actions(keyframes: Iterable[Keyframe], actions: Collection[int]) -> tuple[Keyframe, ...]:
    """The same moments with none but these actions; a box that has none of them goes."""

    def kept(box: ActionBox) -> ActionBox:
        does = [(a, s) for a, s in zip(box.actions, box.scores, strict=True) if a in actions]
        return ActionBox(box.box_xyxy, *_columns(does), box.person)

    return tuple(
        Keyframe(k.video, k.time_s, tuple(box for box in map(kept, k.boxes) if box.actions))
        for k in keyframes
    )


def is_ava(path: Path) -> bool:
    """Whether a CSV file begins as AVA's do: video, time, four shares, a number."""
    with path.open("rb") as stream:
        line = stream.readline(LONGEST_LINE).decode("utf-8-sig", "replace")
    cells = line.split(",")
    try:
        moment, *box = (float(cell) for cell in cells[1:6])
    except ValueError:
        return False
    shares = len(box) == 4 and all(-1 <= share <= 2 for share in box)
    return len(cells) in (7, 8) and shares and moment >= 0 and cells[6].strip().isdecimal()


def _columns(does: Iterable[tuple[int, float]]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    does = list(does)
    return tuple(action for action, _ in does), tuple(score for _, score in does)


def _rows(keyframes: Iterable[Keyframe]) -> int:
    return sum(len(box.actions) for k in keyframes for box in k.boxes)


def _moment(text: str, where: str) -> float:
    time_s = real(text, where, "the time")
    if time_s < 0:
        raise ValueError(f"{where}: the time is {text}; it counts from the start of the film, 0")
    return time_s


def _box(cells: list[str], where: str) -> Box:
    x1, y1, x2, y2 = (real(cell, where, "a side of the box") for cell in cells)
    if max(abs(x1), abs(y1), abs(x2), abs(y2)) > 2:
        raise ValueError(
            f"{where}: the box {','.join(cells)} is in pixels; shares of width and height (0 to 1) were wanted"
        )
    if x2 < x1 or y2 < y1:
        raise ValueError(
            f"{where}: the box {','.join(cells)} is turned round; left,top,right,bottom was wanted"
        )
    return x1, y1, x2, y2
