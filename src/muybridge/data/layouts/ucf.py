"""UCF101 (Soomro et al. 2012, https://arxiv.org/abs/1212.0402) and UCF-Crime (Sultani et al. 2018,
https://arxiv.org/abs/1801.04264): text files of paths, `Class/video.avi`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from muybridge.data.annotations import numbered_classes, read_lines, whole
from muybridge.data.footage import Footage
from muybridge.data.layouts.gathering import Gathered, Row
from muybridge.data.samples import Samples

UCF101_LIST = re.compile(r"(train|test)list0?(\d)\.txt", re.IGNORECASE)
UCF_CRIME_LIST = re.compile(r"(train|test)_0*(\d)\.txt|Anomaly_(Train|Test)\.txt", re.IGNORECASE)
NORMAL = "Normal"


def read_ucf101(folder: Path, footage: Footage, fold: int, only: str = "") -> Samples:
    """Read one of UCF101's three splits: `classInd.txt`, `trainlist01.txt` and `testlist01.txt`.

    Args:
        folder: Where the lists are.
        footage: Where the videos are.
        fold: Which split, 1 to 3.
        only: `test` reads the test list alone.

    Raises:
        ValueError: No such split, or a mistake, named by file and line.
    """
    labels = _class_list(folder / "classInd.txt", number_first=True)
    gathered = Gathered(folder, footage)
    for split in ("train", "test"):
        path = folder / f"{split}list{fold:02}.txt"
        if split == only or not only:
            gathered.add(split, _ucf101_rows(_there(path, folder, UCF101_LIST), labels))
    return gathered.samples(labels, f"UCF101, split {fold}")


def _ucf101_rows(path: Path, labels: tuple[str, ...]) -> Iterator[Row]:
    for where, line in read_lines(path):
        name, *number = line.split()
        label = PurePosixPath(name).parent.name
        if len(number) > 1 or not label:
            raise ValueError(
                f"{where}: {line!r}; `Class/video.avi` was wanted, with the class's number in train lists"
            )
        if label not in labels:
            raise ValueError(f"{where}: no class {label!r} in classInd.txt")
        if number and not 1 <= whole(number[0], where, "the class's number") <= len(labels):
            raise ValueError(f"{where}: class {number[0]}; classInd.txt has 1 to {len(labels)}")
        if number and labels[int(number[0]) - 1] != label:
            raise ValueError(f"{where}: {name} as class {number[0]}, which is {labels[int(number[0]) - 1]!r}")
        yield Row(where, name, (label,))


def read_ucf_crime(folder: Path, footage: Footage, fold: int, only: str = "") -> Samples:
    """Read UCF-Crime's lists for recognition: 14 classes, `ClassIDs.txt`, `train_001.txt` and `test_001.txt`.

    Args:
        folder: Where the lists are.
        footage: Where the videos are.
        fold: Which of the four splits.
        only: `test` reads the test list alone.

    Raises:
        ValueError: No such split, or a mistake, named by file and line.
    """
    labels = _class_list(folder / "ClassIDs.txt", number_first=False)
    gathered = Gathered(folder, footage)
    for split in ("train", "test"):
        if split == only or not only:
            path = _there(folder / f"{split}_{fold:03}.txt", folder, UCF_CRIME_LIST)
            gathered.add(split, _crime_rows(path, labels))
    return gathered.samples(labels, f"UCF-Crime, recognition, split {fold}")


def read_ucf_crime_anomalies(folder: Path, footage: Footage, only: str = "") -> Samples:
    """Read UCF-Crime's lists for anomaly detection, `Anomaly_Train.txt` and `Anomaly_Test.txt`, for whole videos.

    The class is the folder; whatever lies in a folder of normal videos is of class `Normal`.

    Args:
        folder: Where the lists are.
        footage: Where the videos are.
        only: `test` reads the test list alone.

    Raises:
        ValueError: A mistake, named by file and line.
    """
    gathered = Gathered(folder, footage)
    labels: set[str] = set()
    for split in ("train", "test"):
        path = folder / f"Anomaly_{split.capitalize()}.txt"
        if split == only or (not only and path.is_file()):
            rows = list(_crime_rows(path, ()))
            labels |= {row.labels[0] for row in rows}
            gathered.add(split, rows)
    return gathered.samples(sorted(labels), "UCF-Crime, anomaly lists")


def _crime_rows(path: Path, labels: tuple[str, ...]) -> Iterator[Row]:
    for where, name in read_lines(path):
        label = PurePosixPath(name).parent.name
        if not label:
            raise ValueError(f"{where}: {name!r}; `Class/video.mp4` was wanted")
        if labels and label not in labels:
            raise ValueError(f"{where}: no class {label!r} in ClassIDs.txt")
        if not labels and "normal" in label.lower():
            yield Row(where, name, (NORMAL,), group=PurePosixPath(name).stem)
        else:
            yield Row(where, name, (label,))


def _class_list(path: Path, *, number_first: bool) -> tuple[str, ...]:
    rows = []
    for where, line in read_lines(path):
        cells = line.split()
        if len(cells) != 2:
            wanted = "1 ApplyEyeMakeup" if number_first else "Abuse 1"
            raise ValueError(f"{where}: {line!r}; `{wanted}` was wanted")
        number, name = cells if number_first else cells[::-1]
        rows.append((where, name, whole(number, where, "the class's number")))
    return numbered_classes(rows, first=1)


def _there(path: Path, folder: Path, pattern: re.Pattern[str]) -> Path:
    if not path.is_file():
        found = sorted(p.name for p in folder.iterdir() if pattern.fullmatch(p.name))
        raise ValueError(f"{path}: no such list; there are {', '.join(found)}; choose by --split-number")
    return path
