"""Lists of videos: `path label` per line, CSV with a header, and MMAction2's lists of videos and of folders of frames.

The first two name classes by words, the last by numbers, whose names are in a label map beside the list.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from muybridge.data.annotations import SPLITS, read_lines, real, refuse_times, whole
from muybridge.data.footage import VIDEO_SUFFIXES, Footage, is_frame
from muybridge.data.groups import source_of
from muybridge.data.samples import Sample, Samples

FRAME_RATE = 30
"""Frames per second of a folder of frames, as `Video` takes it."""
MOST_CLASSES = 100_000

_COLUMNS = {
    "path": "path", "file": "path", "filename": "path", "video": "path",
    "label": "label", "class": "label", "action": "label", "labels": "labels",
    "group": "group", "source": "group", "subject": "group",
    "split": "split", "subset": "split",
    "start_s": "start_s", "end_s": "end_s",
}  # fmt: skip
_LABEL_MAP = re.compile(r"label_?map.*\.txt|labels?\.txt|class(es|_?names?)\.txt", re.IGNORECASE)

Cells = list[tuple[str, list[str]]]


def read_list(files: Mapping[str, Path], footage: Footage | None) -> Samples:
    """Read lists of videos.

    With a header line, columns are `path` and `label` (or `labels`, parted by `|`, none or several of them), and
    optionally `group`, `split`, `start_s` and `end_s`. Without one a line is `path label [group]`; a third column that
    holds only split names is the split.

    Where all labels are whole numbers, and there is no header, they are class numbers as MMAction2 writes them. Their
    names are taken from a label map beside the list (`label_map*.txt`, `labels.txt`, `classes.txt`: a class per line);
    without one, the names are the numbers. Several numbers behind a path are several classes of one video. Where paths
    have no suffix of a video, the numbers before the labels are the frames: `folder total label...`, or `folder offset
    total label...` if the folders hold more frames than the first number says.

    Columns are parted by tabs, commas, semicolons or spaces; quotes protect them. A line that begins with `#` is a
    remark. Paths count from the list's folder, or from `footage`.

    Args:
        files: Split -> list. A split column goes before the file's name.
        footage: Where the videos are, if not where the paths say.

    Raises:
        ValueError: A line that can't be understood, or files that are missing.
    """
    found: dict[str, list[Sample]] = {}
    numbered: set[str] = set()
    multi_label, header = False, False
    kinds = []
    tables = {split: _cells(path) for split, path in files.items()}
    numbers = all(_all_numbers(cells) for cells in tables.values())
    names = _label_map(next(iter(files.values()))) if numbers else None
    for split, path in files.items():
        cells = tables[split]
        if numbers:
            form = _form(path, cells, footage)
            rows = [_numbered(where, row, form, path, footage, names) for where, row in cells]
            numbered |= {label for sample in rows for label in sample.labels}
            multi_label |= any(len(sample.labels) != 1 for sample in rows)
            found.setdefault(split, []).extend(rows)
            kinds.append(f"{form} list of class numbers")
        else:
            head, rows_of = _named(path, cells, footage, split)
            header |= head is not None
            multi_label |= "labels" in (head or ())
            for part, sample in rows_of:
                found.setdefault(part, []).append(sample)
            kinds.append("list with columns named by a header" if head else "list of paths and labels")
    _refuse_missing(next(iter(files.values())), [s for samples in found.values() for s in samples])
    beside = [path.name for path in files.values()][1:]
    layout = " and ".join(dict.fromkeys(kinds)) + (
        f", with {' and '.join(beside)} beside it" if beside else ""
    )
    if numbers:
        labels = tuple(names[1]) if names else tuple(map(str, range(max(map(int, numbered)) + 1)))
        layout += f", named by {names[0].name}" if names else ", without a label map"
    else:
        labels = ()
    train, val, test = (tuple(found.get(name, ())) for name in ("train", "val", "test"))
    return Samples(train, val, test, labels=labels, multi_label=multi_label, layout=layout)


def _cells(path: Path) -> Cells:
    lines = [(where, line) for where, line in read_lines(path) if not line.startswith("#")]
    if not lines:
        raise ValueError(f"{path}: the list is empty; write one `path label` per line")
    mark = next((mark for mark in "\t,;" if mark in lines[0][1]), " ")
    return [(where, _row(line, mark, where)) for where, line in lines]


def _row(line: str, mark: str, where: str) -> list[str]:
    try:
        row = next(csv.reader([line], delimiter=mark, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise ValueError(f"{where}: quotes that don't close ({error})") from None
    return [cell.strip() for cell in row if cell.strip() or mark != " "]


# --- named by words ---


def _named(
    path: Path, cells: Cells, footage: Footage | None, split: str
) -> tuple[list[str] | None, list[tuple[str, Sample]]]:
    columns = [_COLUMNS.get(name.lower(), name.lower()) for name in cells[0][1]]
    head: list[str] | None = None
    if "path" in columns and ("label" in columns or "labels" in columns):
        head, cells = columns, cells[1:]
        if not cells:
            raise ValueError(f"{path}: the list is empty; there is only a header line")
    else:
        thirds = {row[2].lower() for _, row in cells if len(row) == 3}
        columns = ["path", "label", "split" if thirds and thirds <= set(SPLITS) else "group"]
    rows = []
    for where, row in cells:
        if not 2 <= len(row) <= len(columns):
            raise ValueError(
                f"{where}: {len(row)} columns in {' '.join(row)[:80]!r}; wanted {' '.join(columns)} (put quotes round "
                "what holds the separator)"
            )
        rows.append(_sample(dict(zip(columns, row, strict=False)), path.parent, footage, where, split))
    return head, rows


def _sample(
    values: dict[str, str], folder: Path, footage: Footage | None, where: str, split: str
) -> tuple[str, Sample]:
    several = "labels" in values
    if not values.get("path") or not (several or values.get("label")):
        raise ValueError(f"{where}: no {'label' if values.get('path') else 'path'}; write `path label`")
    labels = (
        tuple(dict.fromkeys(p.strip() for p in values["labels"].split("|") if p.strip())) if several else ()
    )
    labels = labels if several else (values["label"],)
    word = values.get("split", "").lower() or split
    if word not in SPLITS:
        raise ValueError(f"{where}: no split {word!r}; write train, val or test")
    times: dict[str, float | None] = {}
    for name in ("start_s", "end_s"):
        times[name] = real(values[name], where, name) if values.get(name) else None
    start_s, end_s = times["start_s"], times["end_s"]
    refuse_times(start_s or 0.0, (start_s or 0.0) + 1 if end_s is None else end_s, where)
    path = _locate(values["path"], folder, footage, labels)
    group = values.get("group") or source_of(path, labels[0] if labels else "")
    return SPLITS[word], Sample(path, labels, group, start_s, end_s)


# --- named by numbers ---


def _all_numbers(cells: Cells) -> bool:
    return all(len(row) >= 2 and all(c.isascii() and c.isdecimal() for c in row[1:]) for _, row in cells)


def _form(path: Path, cells: Cells, footage: Footage | None) -> str:
    """What the numbers behind the paths are: `video`, `frame folder`, or `frame folder (with offset)`."""
    if any(len(row) < 3 for _, row in cells) or any(
        row[0].lower().endswith(VIDEO_SUFFIXES) for _, row in cells
    ):
        return "video"
    if any(len(row) != 4 for _, row in cells):
        return "frame folder"
    # `folder total label label` and `folder offset total label` look alike; the frames on the disk tell them apart.
    for where, row in cells:
        folder = _locate(row[0], path.parent, footage, ())
        if not folder.is_dir():
            continue
        first, second, frames = int(row[1]), int(row[2]), _count_frames(folder)
        if first == frames:
            return "frame folder"
        if first + second <= frames:
            return "frame folder (with offset)"
        raise ValueError(
            f"{where}: {folder} has {frames} frames; neither `folder total label label` (total {first}) nor `folder "
            f"offset total label` (frames {first} to {first + second}) fits"
        )
    return "frame folder"


def _numbered(
    where: str,
    row: list[str],
    form: str,
    path: Path,
    footage: Footage | None,
    names: tuple[Path, Sequence[str]] | None,
) -> Sample:
    frames = {"video": 0, "frame folder": 1}.get(form, 2)
    numbers = [whole(cell, where, "a number") for cell in row[1:]]
    if len(numbers) <= frames:
        raise ValueError(
            f"{where}: {' '.join(row)!r}; `folder {'offset ' * (frames - 1)}total label` was wanted"
        )
    labels = []
    for number in dict.fromkeys(numbers[frames:]):
        if names is not None and number >= len(names[1]):
            raise ValueError(
                f"{where}: class {number}, but {names[0].name} has {len(names[1])} (0 to {len(names[1]) - 1})"
            )
        if number >= MOST_CLASSES:
            raise ValueError(
                f"{where}: {number} is no class number; if it is a name, begin the list with `path,label`"
            )
        labels.append(str(number) if names is None else names[1][number])
    found = _locate(row[0], path.parent, footage, tuple(labels))
    start_s = end_s = None
    if frames == 2:
        start_s, end_s = numbers[0] / FRAME_RATE, (numbers[0] + numbers[1]) / FRAME_RATE
    if frames and not numbers[frames - 1]:
        raise ValueError(f"{where}: a video of no frames")
    return Sample(found, tuple(labels), source_of(found, labels[0]), start_s, end_s)


def _label_map(path: Path) -> tuple[Path, Sequence[str]] | None:
    found = [p for p in sorted(path.parent.iterdir()) if _LABEL_MAP.fullmatch(p.name) and p != path]
    if len(found) > 1:
        listed = ", ".join(p.name for p in found)
        raise ValueError(f"{path}: several label maps beside it ({listed}); leave the one that belongs to it")
    if not found:
        return None
    lines = read_lines(found[0])
    seen: set[str] = set()
    for where, name in lines:
        if name in seen:
            raise ValueError(f"{where}: class {name!r} is in the label map twice")
        seen.add(name)
    return found[0], [name for _, name in lines]


def _count_frames(folder: Path) -> int:
    """Frames of a folder; optical flow (`flow_x_00001.jpg`, `x_00001.jpg`) may lie beside them."""
    with os.scandir(folder) as entries:
        names = [Path(entry.name).stem for entry in entries if is_frame(Path(entry.name))]
    series = Counter(name.rstrip("0123456789") for name in names)
    return max((n for prefix, n in series.items() if not re.fullmatch(r"(flow_)?[xy]_", prefix)), default=0)


# --- both ---


def _locate(name: str, folder: Path, footage: Footage | None, labels: tuple[str, ...]) -> Path:
    if footage is not None and (found := footage.find(name, *labels)):
        return found
    return folder / name


def _refuse_missing(path: Path, samples: Sequence[Sample]) -> None:
    missing = [sample.path for sample in samples if not os.path.exists(sample.path)]  # noqa: PTH110 - Path's raises where a name is too long
    if missing:
        raise ValueError(
            f"{path}: {len(missing)} of {len(samples)} files are missing, first {missing[0]}; paths count from the "
            f"list's folder, {path.parent.resolve()}; if the videos lie elsewhere: --videos FOLDER"
        )
