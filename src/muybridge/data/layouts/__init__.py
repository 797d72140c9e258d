"""From a folder or a list to labelled videos, with no video opened.

One file per family of layouts. Each is told by its own marks (a file's name, a header, the keys of a JSON file), never
by what would merely fit, and whatever is wrong is told here, before anything is trained.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from muybridge.data.annotations import companions, read_json, refuse_binary, split_word
from muybridge.data.ava import is_ava
from muybridge.data.footage import (
    VIDEO_SUFFIXES,
    Footage,
    find_videos,
    footage_of,
    is_for_lists,
    is_frame_folder,
)
from muybridge.data.layouts.folders import read_folders
from muybridge.data.layouts.hmdb51 import HMDB51_FILE, read_hmdb51
from muybridge.data.layouts.kinetics import read_kinetics
from muybridge.data.layouts.lists import read_list
from muybridge.data.layouts.something import is_something_json, read_something
from muybridge.data.layouts.temporal import read_charades_videos, trimmed
from muybridge.data.layouts.ucf import (
    UCF101_LIST,
    UCF_CRIME_LIST,
    read_ucf101,
    read_ucf_crime,
    read_ucf_crime_anomalies,
)
from muybridge.data.samples import Samples
from muybridge.data.segments import read_activitynet, read_thumos, read_ucf_crime_times, thumos_file

__all__ = ["VIDEO_SUFFIXES", "find_videos", "is_frame_folder", "read_samples"]

_TEXTS = {".txt", ".csv", ".tsv", ".json", ".pbtxt", ".lst", ".list", ""}
_HEAD = 4096
_TIMES = re.compile(r"Temporal_Anomaly_Annotation.*\.txt", re.IGNORECASE)
_JSON_OF_VIDEOS = re.compile(r'"database"\s*:\s*\{|"annotations"\s*:\s*\[|"segment"\s*:\s*\[')
_ENTRY = re.compile(r'\s*\[\s*\{[^{}]*"id"\s*:[^{}]*"(template|placeholders)"', re.DOTALL)


class _Found(NamedTuple):
    """An annotation file that was recognized: which layout, and by which file."""

    kind: str
    path: Path


def read_samples(data: str | Path, videos: str | Path | None = None, fold: int | None = None) -> Samples:
    """Find the labelled videos of a data set, whatever it looks like.

    A folder is searched for annotation files (in it, in folders right below it, and one deeper in those called
    `annotations`, `labels` and the like). Exactly one data set must be recognized; none means class folders. A file is
    what its name or first lines say: UCF101, HMDB51, UCF-Crime and THUMOS14 are known by names (`trainlist01.txt`,
    `walk_test_split1.txt`, `Anomaly_Train.txt`, `Diving_val.txt`), Kinetics, Charades and AVA by their columns,
    Something-Something and ActivityNet by their keys; any other text is a list of `path label`, see
    `muybridge.data.layouts.lists`. A train file brings the val and test files beside it that are named alike, any
    other file stands for itself.

    What published sets call test is `test` here, also where papers choose by it; validation is then held out of train.

    Args:
        data: A folder, or an annotation file.
        videos: Folder that the videos lie in, where they are not near the annotations.
        fold: Which of several published splits (UCF101 and HMDB51 have 3, UCF-Crime 4); None: the one that the file's
            name says, else 1.

    Returns:
        Samples with the split that the data set brings; without one, all are in `train`.

    Raises:
        ValueError: Nothing there, no videos, a line that can't be understood, or files that are missing.
    """
    data, videos = Path(data), None if videos is None else Path(videos)
    if not data.exists():
        raise ValueError(
            f"{data}: no such folder or list; give a folder of class folders or a `path label` list"
        )
    if not data.is_dir() and data.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(
            f"{data}: one video is not a data set; give a folder of class folders or a `path label` list"
        )
    found = _recognized(data) if data.is_dir() else [_Found(_kind(data) or "list", data)]
    kinds = sorted({one.kind for one in found})
    if len(kinds) > 1:
        named = " and ".join(f"{kind} ({next(f.path for f in found if f.kind == kind)})" for kind in kinds)
        raise ValueError(f"{data}: holds several data sets, {named}; give one of these files")
    kind = kinds[0] if kinds else "folders"
    if fold is not None and kind not in _FOLDS:
        raise ValueError(f"{data}: {kind} have no numbered splits; leave --split-number out")
    if kind == "folders":
        if videos is not None:
            raise ValueError(f"{data}: no annotation file in it to look up in {videos}; leave --videos out")
        return read_folders(data)
    return _read(kind, data, [one.path for one in found], videos, fold)


_FOLDS = {"UCF101 lists": 3, "HMDB51 lists": 3, "UCF-Crime lists": 4}


def _read(kind: str, data: Path, files: Sequence[Path], videos: Path | None, fold: int | None) -> Samples:
    if kind == "AVA files":
        raise ValueError(
            f"{files[0]}: boxes of persons (AVA), which a recognizer can't learn from; they need the spatio-temporal "
            "task, which `train` does not have yet"
        )
    if kind in _FOLDS:
        return _read_fold(kind, data, files, footage_of(data, videos), fold)
    if kind == "THUMOS14 files":
        return trimmed(read_thumos(data if data.is_dir() else files[0], videos))
    if kind == "UCF-Crime times":
        return trimmed(read_ucf_crime_times(_only(files), videos))
    if kind == "ActivityNet JSON files":
        return trimmed(read_activitynet(_only(files), videos))
    parts = companions(files[0]) if not data.is_dir() else _parts(files)
    if kind == "list":
        # A list of one's own may be called `my_test_clips.csv` and be all there is.
        parts = parts if len(parts) > 1 else {"train": data}
        return read_list(parts, None if videos is None else footage_of(data, videos))
    read = {
        "Kinetics lists": read_kinetics,
        "Charades lists": read_charades_videos,
        "Something-Something lists": read_something,
    }[kind]
    return read(parts, footage_of(data, videos))


def _read_fold(kind: str, data: Path, files: Sequence[Path], footage: Footage, fold: int | None) -> Samples:
    folder, name = files[0].parent, "" if data.is_dir() else data.name
    if any(path.parent != folder for path in files):
        raise ValueError(f"{data}: {kind} in {folder} and in other folders below it; give one of the folders")
    named = re.search(r"(\d+)\.txt$", name)
    if named and fold not in (None, int(named[1])):
        raise ValueError(
            f"{data}: is of split {int(named[1])}, and --split-number says {fold}; leave one of them out"
        )
    fold = int(named[1]) if named else fold or 1
    only = "test" if name.lower().startswith(("test", "anomaly_test")) else ""
    if kind == "UCF101 lists":
        return read_ucf101(folder, footage, fold, only)
    if kind == "HMDB51 lists":
        return read_hmdb51(folder, footage, fold)
    anomalies = name.lower().startswith("anomaly") or not (folder / "ClassIDs.txt").is_file()
    return (
        read_ucf_crime_anomalies(folder, footage, only)
        if anomalies
        else read_ucf_crime(folder, footage, fold, only)
    )


def _only(files: Sequence[Path]) -> Path:
    if len(files) > 1:
        raise ValueError(f"{files[0]} and {files[1]} are two data sets; give one of these files")
    return files[0]


def _parts(files: Sequence[Path]) -> dict[str, Path]:
    parts: dict[str, Path] = {}
    for path in files:
        split = split_word(path.name) or "train"
        if split in parts:
            raise ValueError(f"{parts[split]} and {path} are both for {split}; give the list that is meant")
        parts[split] = path
    return parts


def _recognized(folder: Path) -> list[_Found]:
    below = _folders(folder)
    deeper = [path for one in below if is_for_lists(one) for path in _folders(one)]
    found: dict[str, list[_Found]] = defaultdict(list)
    for here in (folder, *below, *deeper):
        for path in sorted(here.iterdir()):
            if path.suffix.lower() in _TEXTS - {""} and not path.name.startswith(".") and path.is_file():
                kind = _kind(path, in_folder=True)
                if kind:
                    found[kind].append(_Found(kind, path))
    if "UCF-Crime lists" in found:
        # The times of its events come with the lists; they are another task's.
        found.pop("UCF-Crime times", None)
    return [one for kind in found.values() for one in kind]


def _folders(folder: Path) -> list[Path]:
    inside = (p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return sorted(path for path in inside if os.access(path, os.R_OK | os.X_OK))


def _kind(path: Path, *, in_folder: bool = False) -> str | None:
    """Which data set's file it is; None: no particular one's."""
    if path.name == "classInd.txt" or (
        UCF101_LIST.fullmatch(path.name) and (path.parent / "classInd.txt").is_file()
    ):
        return "UCF101 lists"
    if HMDB51_FILE.fullmatch(path.name):
        return "HMDB51 lists"
    if path.name.startswith("Anomaly_") and UCF_CRIME_LIST.fullmatch(path.name):
        return "UCF-Crime lists"
    if UCF_CRIME_LIST.fullmatch(path.name) and (path.parent / "ClassIDs.txt").is_file():
        return "UCF-Crime lists"
    if _TIMES.fullmatch(path.name):
        return "UCF-Crime times"
    if thumos_file(path) and _three_columns(path):
        return "THUMOS14 files"
    if ".pbtxt" in path.suffixes:
        return "AVA files"
    if path.suffix.lower() not in _TEXTS or not in_folder:
        refuse_binary(path, _head(path, 4))
    if path.suffix.lower() == ".json":
        return _json_kind(path, in_folder)
    head = _head(path, _HEAD)
    columns = {name.strip().strip('"').lower() for name in _decoded(head).partition("\n")[0].split(",")}
    if {"youtube_id", "time_start", "time_end"} <= columns:
        return "Kinetics lists"
    if {"id", "actions"} <= columns:
        return "Charades lists"
    if path.suffix.lower() == ".csv" and is_ava(path):
        return "AVA files"
    if path.suffix.lower() == ".csv" and _something_v1(path):
        return "Something-Something lists"
    return None


def _json_kind(path: Path, in_folder: bool) -> str | None:
    head = _decoded(_head(path, _HEAD))
    if _ENTRY.match(head) or (in_folder and _is_untold_test(path)):
        return "Something-Something lists"
    if head.lstrip().startswith("{") and _JSON_OF_VIDEOS.search(head):
        return "ActivityNet JSON files"
    if in_folder:
        return None
    if is_something_json(given := read_json(path)):
        return "Something-Something lists"
    if isinstance(given, dict) and "database" in given:
        return "ActivityNet JSON files"
    raise ValueError(
        f"{path}: JSON of no layout that is known (ActivityNet, Something-Something); write a list, `path,label` per "
        "line"
    )


def _is_untold_test(path: Path) -> bool:
    """Something-Something's test.json: ids alone."""
    others = [p for p in path.parent.glob("*.json") if _ENTRY.match(_decoded(_head(p, _HEAD)))]
    return split_word(path.name) == "test" and bool(others)


def _something_v1(path: Path) -> bool:
    labels = [p for p in path.parent.glob("*labels.csv") if p != path]
    line = _decoded(_head(path, _HEAD)).partition("\n")[0]
    return (
        bool(labels) and split_word(path.name) is not None and re.fullmatch(r"\d+(;.*)?\s*", line) is not None
    )


def _three_columns(path: Path) -> bool:
    line = _decoded(_head(path, _HEAD)).strip().partition("\n")[0]
    return re.fullmatch(r"\S+\s+[\d.]+\s+[\d.]+\s*", line) is not None


def _head(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None


def _decoded(head: bytes) -> str:
    return head.decode("utf-8-sig", "replace")
