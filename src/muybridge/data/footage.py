"""Where the videos of an annotation file lie.

Lists name videos by an id, a path or a file name, and downloads sort them into folders by split, by class, or not at
all. So all files below a folder are looked up by name, and where a name is there twice, its class and split decide.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from muybridge.data.samples import natural
from muybridge.flow.store import FILM_SUFFIX

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".mts", ".3gp",
    ".ogv", ".gif",
)  # fmt: skip
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

_FLOW_IMAGE = re.compile(r"(flow_)?[xy]_\d+\.")
_LISTS = re.compile(
    r"annot|(?<![a-z])anno?s?(?![a-z])|label|split|lists?(?![a-z])|meta|csv|json", re.IGNORECASE
)


def find_videos(folder: Path) -> list[Path]:
    """Video files below a folder and the folders of numbered frames in it, in natural order.

    Links are followed, hidden files (`._clip.mp4` of macOS) are not read, and neither is stored flow.
    """
    return sorted(_walk(folder), key=lambda p: natural(p.relative_to(folder).as_posix()))


def is_frame_folder(folder: Path) -> bool:
    """Whether a folder is itself a video: numbered images, and no video file beside them."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return any(map(is_frame, files)) and not any(path.suffix.lower() in VIDEO_SUFFIXES for path in files)


def is_frame(path: Path) -> bool:
    """Whether a name is that of a numbered image of a film, not of its optical flow (`x_00001.jpg`)."""
    return (
        path.suffix.lower() in IMAGE_SUFFIXES
        and path.stem[-1:].isdecimal()
        and not _FLOW_IMAGE.match(path.name)
    )


def is_flow_film(name: str) -> bool:
    """Whether a file is flow that `muybridge flow --store` left beside the videos."""
    return name.endswith(FILM_SUFFIX)


def _walk(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        # A link that points upwards would be walked for ever.
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        visible = [Path(here, name) for name in files if not (name.startswith(".") or is_flow_film(name))]
        videos = [path for path in visible if path.suffix.lower() in VIDEO_SUFFIXES]
        yield from videos
        if not videos and Path(here) != folder and any(map(is_frame, visible)):
            yield Path(here)


def footage_of(data: Path, videos: Path | None = None) -> Footage:
    """Where to look for the videos of an annotation file, or of a folder of them.

    Below `videos`, if it is given. Else below the folder; and where that holds no video and is by its name only the
    place of the lists (`annotations`, `ucfTrainTestlist`, `labels`), below the one that it lies in.

    Raises:
        ValueError: `videos` is no folder.
    """
    if videos is not None:
        if not videos.is_dir():
            raise ValueError(
                f"{videos}: no such folder; give the one that the videos lie in: --videos FOLDER"
            )
        return Footage(videos)
    folder = (data if data.is_dir() else data.parent).resolve()
    folders = [folder]
    while is_for_lists(folder) and folder.parent != folder:
        folder = folder.parent
        folders.append(folder)
    return Footage(*folders)


def is_for_lists(folder: Path) -> bool:
    """Whether a folder is by its name the place of a data set's lists."""
    return _LISTS.search(folder.name) is not None


class Footage:
    """The videos below some folders, found by name.

    Args:
        folders: Where to look; the first that holds any video is the one.
    """

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self._named: dict[str, list[Path]] | None = None

    def find(self, name: str, *hints: str) -> Path | None:
        """The file or folder of frames of a video.

        Args:
            name: Its path or file name, with or without suffix.
            hints: Its class and split: which one it is, where there are several of that name.

        Raises:
            ValueError: Several of that name that can't be told apart.
        """
        for folder in self.folders:
            path = folder / name
            if name and (os.path.isfile(path) or (os.path.isdir(path) and is_frame_folder(path))):  # noqa: PTH112, PTH113 - Path's raise where a name is too long
                return path
        found = self._index.get(_stem(PurePosixPath(name)), [])
        if len(found) < 2:
            return found[0] if found else None
        hints = (*PurePosixPath(name).parts[:-1], *hints)
        rank = {path: self._rank(path, hints) for path in found}
        best = [path for path in found if rank[path] == max(rank.values())]
        if len(best) > 1:
            raise ValueError(
                f"two files could be {name!r}: {best[0]} and {best[1]}; say which folder is meant: --videos FOLDER"
            )
        return best[0]

    def __str__(self) -> str:
        return " or ".join(str(folder) for folder in self.folders)

    @property
    def _index(self) -> dict[str, list[Path]]:
        if self._named is None:
            self._named = {}
            for folder in self.folders:
                named: defaultdict[str, list[Path]] = defaultdict(list)
                for path in _walk(folder):
                    named[_stem(path)].append(path)
                if named:
                    self._named = dict(named)
                    break
        return self._named

    def _rank(self, path: Path, hints: tuple[str, ...]) -> tuple[int, bool]:
        parents = {_plain(part) for part in path.parts[:-1]}
        # Frames are often extracted beside the videos: the same film twice, and the file is the original.
        return sum(_plain(hint) in parents for hint in hints), path.suffix.lower() in VIDEO_SUFFIXES


def _stem(path: Path | PurePosixPath) -> str:
    return path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ")
