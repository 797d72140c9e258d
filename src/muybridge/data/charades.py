"""Charades (Sigurdsson et al. 2016, https://arxiv.org/abs/1604.01753): people at home, several actions in each video.

A row of `Charades_v1_train.csv` is a video; its column `actions` holds `c092 11.90 21.20;c147 0.00 12.60`: class, start
and end in seconds. `Charades_v1_classes.txt` names the 157 classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from muybridge.data.annotations import numbered_classes, read_lines, read_records, real, refuse_times, whole
from muybridge.data.segments import Segment
from muybridge.labels import load_labels

CLASSES_FILE = "Charades_v1_classes.txt"


@dataclass(frozen=True, slots=True)
class CharadesRow:
    """One video of the list.

    Attributes:
        where: File and line.
        name: Its id, which is its file's name.
        subject: The person who filmed it.
        length_s: Its length in seconds, where the list tells it.
        segments: What happens in it, in the order of the list.
    """

    where: str
    name: str
    subject: str
    length_s: float | None
    segments: tuple[Segment, ...]


def read_charades(path: Path) -> tuple[list[CharadesRow], tuple[str, ...]]:
    """Read one of its two lists, with the class names in the order of their codes.

    The names are in `Charades_v1_classes.txt` beside the list; where that is missing, they are known anyway.

    Raises:
        ValueError: A mistake, named by file and line.
    """
    beside = path.parent / CLASSES_FILE
    labels = _classes(beside) if beside.is_file() else load_labels("charades")
    rows = []
    for where, row in read_records(path, ("id", "actions")):
        if not row["id"]:
            raise ValueError(f"{where}: no id")
        length = row.get("length", "")
        segments = tuple(_segments(row["actions"], labels, where))
        length_s = real(length, where, "length") if length else None
        rows.append(CharadesRow(where, row["id"], row.get("subject", ""), length_s, segments))
    return rows, labels


def _classes(path: Path) -> tuple[str, ...]:
    rows = []
    for where, line in read_lines(path):
        code, _, name = line.partition(" ")
        if not name.strip():
            raise ValueError(f"{where}: {line!r}; `c000 Holding some clothes` was wanted")
        rows.append((where, name.strip(), _code(code, where)))
    return numbered_classes(rows, first=0)


def _segments(text: str, labels: tuple[str, ...], where: str) -> Iterator[Segment]:
    for action in text.split(";"):
        cells = action.split()
        if not cells:
            continue
        if len(cells) != 3:
            raise ValueError(
                f"{where}: action {action!r}; `c092 11.90 21.20` was wanted, with `;` between actions"
            )
        number = _code(cells[0], where)
        if number >= len(labels):
            raise ValueError(
                f"{where}: no class {cells[0]}; there are {len(labels)}, c000 to c{len(labels) - 1:03}"
            )
        start_s, end_s = (real(cell, where, "a time") for cell in cells[1:])
        refuse_times(start_s, end_s, where, empty=True)
        yield Segment(start_s, end_s, labels[number])


def _code(text: str, where: str) -> int:
    if not text.startswith("c"):
        raise ValueError(f"{where}: class {text!r}; a code such as c092 was wanted")
    return whole(text[1:], where, "the class's code")
