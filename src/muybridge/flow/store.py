"""Stored flow: read by the number of its frame, and found by the name of its video.

    stored = find_flow("clips/walk/a.mp4", "flow")  # None where there is none
    fields = stored.fields(range(0, 64, 2))         # float32 (n, 2, h, w), in pixels

Two forms, both 8-bit (see `scale`). `a.flow.mp4` is a grey film, x above y in each picture, which says in its metadata
what it is. A folder `a` of `x_00001.jpg` and `y_00001.jpg` is MMAction2's layout, with a `flow.json` for what it can't
say; folders that others made are read too, also with names such as `flow_x_00001.jpg`. `storing` writes both.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from muybridge.flow.planes import Facts, FilmPlanes, ImagePlanes, damaged, has_planes
from muybridge.flow.scale import BOUND_PX, from_levels, resize_flow
from muybridge.types import VideoError
from muybridge.video.opening import open_video
from muybridge.video.pixels import Geometry
from muybridge.video.reader import MAX_PIXELS, Indices

FILM_SUFFIX = ".flow.mp4"
FACTS_FILE = "flow.json"
FORMATS = ("video", "jpeg")
VERSION = 1

Format = Literal["video", "jpeg"]


class StoredFlow:
    """The flow of one video, on disk. `open_flow` and `find_flow` give one.

    It can be sent to another process, which opens the file again; two threads must not share one.

    Attributes:
        path: The film, or the folder of JPEGs.
        format: `video` or `jpeg`.
        num_fields: Fields: one less than the video has frames.
        height: Rows of a field.
        width: Its columns. Values are pixels at this size.
        bound: Where they were truncated, in pixels. Folders of others don't say; then 20.
        method: How they were made; None if nothing says it.
        source: Name of the video in its folder; None if nothing says it.
        fps: Frames per second of the video; None if nothing says it.
    """

    def __init__(self, path: Path, planes: FilmPlanes | ImagePlanes, facts: Facts) -> None:
        self.path = path
        self._planes = planes
        self.format: Format = "video" if isinstance(planes, FilmPlanes) else "jpeg"
        self.num_fields: int
        self.height: int
        self.width: int
        self.num_fields, self.height, self.width = planes.shape
        self.bound = float(facts.get("bound_px", BOUND_PX))
        self.method: str | None = facts.get("method")
        self.source: str | None = facts.get("source")
        self.fps = Fraction(facts["fps"]) if "fps" in facts else None

    def __repr__(self) -> str:
        return f"StoredFlow({str(self.path)!r}, {self.num_fields} fields of {self.width}x{self.height})"

    def __len__(self) -> int:
        return self.num_fields

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Reading again opens it again."""
        self._planes.close()

    @property
    def num_frames(self) -> int:
        """Frames of the video."""
        return self.num_fields + 1

    @property
    def short_side(self) -> int:
        """Length of the shorter side of a field, in pixels."""
        return min(self.height, self.width)

    def check_frames(self, num_frames: int) -> None:
        """Whether this can be the flow of a video of so many frames.

        Raises:
            VideoError: It has another number of fields. Tools that say the last one twice are forgiven.
        """
        if num_frames - self.num_fields not in ((1,) if self.method else (0, 1)):
            raise VideoError(
                f"{self.path}: holds the flow of {self.num_frames} frames, but the video has {num_frames}; "
                "it is of another video, or of an older version of it: make it again with muybridge flow --store"
            )

    def levels(self, indices: Indices) -> Tensor:
        """Fields as they are stored.

        Args:
            indices: `(n,)` numbers of frames in any order, also several times; field i goes from frame i to frame
                i + 1. Numbers out of range become the first or last, so the last frame shows the field before it.

        Returns:
            uint8 `(n, 2, h, w)`.

        Raises:
            VideoError: A field can't be decoded.
            ValueError: Indices that are not whole numbers.
        """
        numbers = np.asarray(indices if not isinstance(indices, Tensor) else indices.cpu())
        if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
            raise ValueError(f"frame numbers are whole numbers; these are {numbers.dtype}")
        numbers = np.clip(numbers.astype(np.int64).reshape(-1), 0, self.num_fields - 1)
        out = np.empty((len(numbers), 2, self.height, self.width), np.uint8)
        wanted, places = np.unique(numbers, return_inverse=True)
        for place, planes in enumerate(self._planes.read(wanted)):
            out[places == place] = planes
        return torch.from_numpy(out)

    def fields(self, indices: Indices, *, short_side: int | None = None) -> Tensor:
        """Fields in pixels.

        Args:
            indices: As for `levels`.
            short_side: Resize so that the shorter side is so long; values are scaled with it. None: as stored.

        Returns:
            float32 `(n, 2, h, w)`, x to the right and y downwards.
        """
        flow = from_levels(self.levels(indices), bound=self.bound)
        width, height = Geometry(self.width, self.height).resized(short_side)
        return resize_flow(flow, (height, width))


def open_flow(path: str | Path) -> StoredFlow:
    """Open stored flow.

    Args:
        path: A `.flow.mp4`, or a folder of numbered JPEGs.

    Raises:
        VideoError: It is none, or damaged.
    """
    path = Path(path)
    facts = stored_facts(path)
    return StoredFlow(path, (ImagePlanes if path.is_dir() else FilmPlanes)(path, facts), facts)


def read_flow(path: str | Path, indices: Indices, *, short_side: int | None = None) -> Tensor:
    """Fields of a stored flow by number of frame: float32 `(n, 2, h, w)`, in pixels. See `StoredFlow.fields`."""
    with open_flow(path) as stored:
        return stored.fields(indices, short_side=short_side)


def find_flow(video: str | Path, folder: str | Path) -> StoredFlow | None:
    """The stored flow of a video.

    The place of the video among its folders is looked for below `folder`, the longest first: of `clips/walk/a.mp4`
    `folder/clips/walk/a`, then `folder/walk/a`, then `folder/a`, each as a film, then as a folder of JPEGs.

    Args:
        video: The video, a file or a folder of frames; it need not exist.
        folder: Where flow is stored.

    Returns:
        None if there is none.

    Raises:
        VideoError: What is there is damaged.
        ValueError: There is no such folder.
    """
    video, folder = Path(video).absolute(), Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of flow; make it: muybridge flow VIDEOS --store {folder}")
    names = [video.name] if video.is_dir() else [video.name, video.stem]
    parents = video.parts[1:-1]
    for start in range(len(parents) + 1):
        place = folder.joinpath(*parents[start:])
        for name in dict.fromkeys(names) if place.is_dir() else ():
            if (place / f"{name}{FILM_SUFFIX}").is_file():
                return open_flow(place / f"{name}{FILM_SUFFIX}")
            if (place / name).is_dir() and is_flow_folder(place / name):
                return open_flow(place / name)
    return None


def is_flow_folder(folder: Path) -> bool:
    """Whether a folder holds numbered JPEGs of flow."""
    return (folder / FACTS_FILE).is_file() or has_planes(folder)


def stored_facts(path: Path) -> Facts:
    """What stored flow says about itself: a film in its metadata, a folder in `flow.json` (empty without one).

    Raises:
        VideoError: It can't be read, or it is a film that says nothing.
    """
    if path.is_dir():
        path = path / FACTS_FILE
        if not path.is_file():
            return {}  # somebody else's
        return _facts(path, path.read_text(encoding="utf-8", errors="replace"), "says nothing about flow")
    container, _ = open_video(path, max_pixels=2 * MAX_PIXELS)
    with container:
        text = container.metadata.get("comment", "")
    return _facts(
        path, text, f"a film without flow; flow that is stored as a film is named NAME{FILM_SUFFIX}"
    )


_WANTED: dict[str, Callable[[Any], Any]] = {
    "fields": int, "height": int, "width": int, "bound_px": float, "fps": Fraction,
}  # fmt: skip


def _facts(path: Path, text: str, else_: str) -> Facts:
    try:
        facts = json.loads(text)
        version = facts["muybridge_flow"]
    except (ValueError, KeyError, TypeError):
        raise VideoError(f"{path}: {else_}") from None
    if version != VERSION:
        raise VideoError(f"{path}: flow of version {version}, this muybridge reads {VERSION}; upgrade it")
    try:
        for name, kind in _WANTED.items():
            if kind(facts[name]) <= 0:
                raise ValueError
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        raise damaged(path, f"says no sensible {name}") from None
    known: Facts = facts
    return known
