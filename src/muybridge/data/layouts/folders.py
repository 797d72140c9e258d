"""A folder per class, perhaps under train, val and test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from muybridge.data.annotations import SPLITS
from muybridge.data.footage import VIDEO_SUFFIXES, find_videos
from muybridge.data.groups import source_of
from muybridge.data.samples import Sample, Samples, natural


def read_folders(data: Path) -> Samples:
    """Read `DATA/label/*.mp4`, or `DATA/train/label/*.mp4` and its like.

    Raises:
        ValueError: No videos.
    """
    folders = [p for p in data.iterdir() if p.is_dir() and not p.name.startswith(".")]
    splits = [p for p in folders if p.name.lower() in SPLITS]
    # `test` alone could be a class; `train`, or nothing but split names, could not.
    if splits and (len(splits) == len(folders) or any(SPLITS[p.name.lower()] == "train" for p in splits)):
        layout = "class folders under split folders"
        found: dict[str, list[Sample]] = {}
        for folder in sorted(splits, key=lambda p: natural(p.name)):
            found.setdefault(SPLITS[folder.name.lower()], []).extend(_class_folders(folder))
    else:
        layout, found = "class folders", {"train": list(_class_folders(data))}
    if not any(found.values()):
        raise ValueError(
            f"{data}: no videos in it; looked for {', '.join(VIDEO_SUFFIXES)} and folders of numbered images "
            "in a folder per class (DATA/label/*.mp4, or DATA/train/label/*.mp4)"
        )
    train, val, test = (tuple(found.get(name, ())) for name in ("train", "val", "test"))
    return Samples(train, val, test, layout=layout)


def _class_folders(folder: Path) -> Iterator[Sample]:
    for label in sorted(folder.iterdir(), key=lambda p: natural(p.name)):
        if label.is_dir() and not label.name.startswith("."):
            for path in find_videos(label):
                inside = path.relative_to(label).parent.as_posix()
                yield Sample(
                    path, (label.name,), source_of(path, label.name, "" if inside == "." else inside)
                )
