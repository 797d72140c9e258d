"""From a folder or a list to labelled videos, with no video opened.

Three layouts: a folder per class (`DATA/label/*.mp4`), the same under `train`, `val` and `test`, and a list with one
`path label [group]` per line. Whatever is wrong with a data set is told here, before anything is trained.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from muybridge.data.groups import source_of
from muybridge.data.samples import Sample, Samples, natural

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".mts", ".3gp",
    ".ogv", ".gif",
)  # fmt: skip
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

_SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_COLUMNS = {
    "path": "path", "file": "path", "filename": "path", "video": "path",
    "label": "label", "class": "label", "action": "label",
    "group": "group", "source": "group", "subject": "group",
    "split": "split", "subset": "split",
    "start_s": "start_s", "end_s": "end_s",
}  # fmt: skip


def read_samples(data: str | Path) -> Samples:
    """Find the labelled videos of a data set.

    Args:
        data: A folder per class, the same under train/val/test folders, or a list. A list has the columns
            `path`, `label` and optionally `group`, `split`, `start_s` and `end_s`, named by a header line;
            without a header it is `path label [group]`, and a third column that holds only split names is the
            split. Columns are parted by tabs, commas, semicolons or spaces; quotes protect them; paths are
            relative to the list.

    Returns:
        Samples with the split that the data set brings; without one, all are in `train`.

    Raises:
        ValueError: Nothing there, no videos, a line that can't be understood, or files that are missing.
    """
    data = Path(data)
    if not data.exists():
        raise ValueError(
            f"{data}: no such folder or list; give a folder of class folders or a `path label` list"
        )
    if data.is_dir():
        found = _read_folder(data)
    elif data.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(
            f"{data}: one video is not a data set; give a folder of class folders or a `path label` list"
        )
    else:
        found = _read_list(data)
    if not any(found.values()):
        raise ValueError(
            f"{data}: no videos in it; looked for {', '.join(VIDEO_SUFFIXES)} and folders of numbered images "
            "in a folder per class (DATA/label/*.mp4, or DATA/train/label/*.mp4)"
        )
    train, val, test = (tuple(found.get(name, ())) for name in ("train", "val", "test"))
    return Samples(train, val, test)


def _read_folder(data: Path) -> dict[str, list[Sample]]:
    folders = [p for p in data.iterdir() if p.is_dir() and not p.name.startswith(".")]
    splits = [p for p in folders if p.name.lower() in _SPLITS]
    # `test` alone could be a class; `train`, or nothing but split names, could not.
    if splits and (len(splits) == len(folders) or any(_SPLITS[p.name.lower()] == "train" for p in splits)):
        found: dict[str, list[Sample]] = {}
        for folder in sorted(splits, key=lambda p: natural(p.name)):
            found.setdefault(_SPLITS[folder.name.lower()], []).extend(_class_folders(folder))
        return found
    return {"train": list(_class_folders(data))}


def _class_folders(folder: Path) -> Iterator[Sample]:
    for label in sorted(folder.iterdir(), key=lambda p: natural(p.name)):
        if label.is_dir() and not label.name.startswith("."):
            for path in find_videos(label):
                inside = path.relative_to(label).parent.as_posix()
                yield Sample(path, label.name, source_of(path, label.name, "" if inside == "." else inside))


def find_videos(folder: Path) -> list[Path]:
    """Video files below a folder and the folders of numbered frames in it, in natural order.

    Links are followed, hidden files (`._clip.mp4` of macOS) are not read.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        # A link that points upwards would be walked for ever.
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        visible = [Path(here, name) for name in files if not name.startswith(".")]
        videos = [path for path in visible if path.suffix.lower() in VIDEO_SUFFIXES]
        found += videos
        if not videos and Path(here) != folder and any(_is_frame(path) for path in visible):
            found.append(Path(here))
    return sorted(found, key=lambda p: natural(p.relative_to(folder).as_posix()))


def is_frame_folder(folder: Path) -> bool:
    """Whether a folder is itself a video: numbered images, and no video file beside them."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return any(map(_is_frame, files)) and not any(path.suffix.lower() in VIDEO_SUFFIXES for path in files)


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.stem[-1:].isdecimal()


def _read_list(path: Path) -> dict[str, list[Sample]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as a list of `path label` lines ({error})") from None
    rows = [
        (n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")
    ]
    if not rows:
        raise ValueError(f"{path}: the list is empty; write one `path label` per line")
    mark = next((mark for mark in "\t,;" if mark in rows[0][1]), " ")
    cells = [(n, _cells(line, mark)) for n, line in rows]
    columns = [_COLUMNS.get(name.lower(), name.lower()) for name in cells[0][1]]
    if "path" in columns and "label" in columns:
        cells = cells[1:]
    else:
        thirds = {row[2].lower() for _, row in cells if len(row) == 3}
        columns = ["path", "label", "split" if thirds and thirds <= set(_SPLITS) else "group"]
    found: dict[str, list[Sample]] = {}
    for number, row in cells:
        where = f"{path}, line {number}"
        if not 2 <= len(row) <= len(columns):
            raise ValueError(
                f"{where}: {len(row)} columns in {mark.join(row)!r}; wanted {' '.join(columns)} "
                "(put quotes round what holds the separator)"
            )
        split, sample = _sample(dict(zip(columns, row, strict=False)), path.parent, where)
        found.setdefault(split, []).append(sample)
    _refuse_missing(path, [sample for samples in found.values() for sample in samples])
    return found


def _cells(line: str, mark: str) -> list[str]:
    row = next(csv.reader([line.strip()], delimiter=mark, skipinitialspace=True))
    return [cell.strip() for cell in row if cell.strip() or mark != " "]


def _sample(values: dict[str, str], folder: Path, where: str) -> tuple[str, Sample]:
    if not values.get("path") or not values.get("label"):
        raise ValueError(f"{where}: no {'label' if values.get('path') else 'path'}; write `path label`")
    split = values.get("split", "").lower() or "train"
    if split not in _SPLITS:
        raise ValueError(f"{where}: no split {split!r}; write train, val or test")
    times: dict[str, float | None] = {}
    for name in ("start_s", "end_s"):
        try:
            times[name] = float(values[name]) if values.get(name) else None
        except ValueError:
            raise ValueError(f"{where}: {name} is {values[name]!r}; write seconds, for example 2.5") from None
    start_s, end_s = times["start_s"], times["end_s"]
    if end_s is not None and not end_s > (start_s or 0.0) >= 0.0:
        raise ValueError(
            f"{where}: from {start_s or 0} s to {end_s} s is no stretch of time; end after the start"
        )
    path, label = folder / values["path"], values["label"]
    group = values.get("group") or source_of(path, label)
    return _SPLITS[split], Sample(path, label, group, start_s, end_s)


def _refuse_missing(path: Path, samples: Sequence[Sample]) -> None:
    missing = [sample.path for sample in samples if not sample.path.exists()]
    if missing:
        raise ValueError(
            f"{path}: {len(missing)} of {len(samples)} files are missing, first {missing[0]}; "
            f"paths count from the list's folder, {path.parent.resolve()}"
        )
