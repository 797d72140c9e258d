"""Where the two planes of stored flow lie: in a grey film, or in pairs of numbered images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge.types import VideoError
from muybridge.video.file_film import FileFilm
from muybridge.video.reader import MAX_PIXELS

Facts = dict[str, Any]
Levels = NDArray[np.uint8]

_PLANE = re.compile(r"^(?:flow_)?(x|y)_(\d+)\.(?:jpe?g|png)$", re.IGNORECASE)


class FilmPlanes:
    """Levels in a grey film, x above y."""

    def __init__(self, path: Path, facts: Facts) -> None:
        self._film = FileFilm(
            path, on_error="raise", max_pixels=2 * MAX_PIXELS, max_duration_s=inf, square_pixels=False
        )
        self.shape = self._film.num_frames, int(facts["height"]), int(facts["width"])
        if self.shape[0] != facts["fields"]:
            raise damaged(path, f"{self.shape[0]} of {facts['fields']} fields are there")

    def read(self, wanted: NDArray[np.int64]) -> Iterator[Levels]:
        """Fields by ascending numbers, `(2, h, w)` each."""
        _, height, width = self.shape
        for _, frame in self._film.pictures(wanted):
            yield luma(frame, 2 * height, width).reshape(2, height, width)

    def close(self) -> None:
        """Close the file."""
        self._film.close()


class ImagePlanes:
    """Levels in pairs of numbered images."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        files: dict[str, dict[int, Path]] = {"x": {}, "y": {}}
        for path in folder.iterdir():
            if match := _PLANE.match(path.name):
                files[match[1].lower()][int(match[2])] = path
        numbers = sorted(files["x"])
        if not numbers:
            raise VideoError(
                f"{folder}: no flow in it; wanted images such as x_00001.jpg and y_00001.jpg, or flow_x_00001.jpg"
            )
        if odd := sorted(set(files["x"]) ^ set(files["y"])):
            raise damaged(folder, f"image {odd[0]} is there in one of x and y only")
        if len(numbers) != facts.get("fields", len(numbers)) or numbers[-1] - numbers[0] >= len(numbers):
            wanted = facts.get("fields", numbers[-1] - numbers[0] + 1)
            raise damaged(folder, f"{len(numbers)} of {wanted} fields are there")
        self._pairs = [(files["x"][number], files["y"][number]) for number in numbers]
        self.shape = len(numbers), *_grey(self._pairs[0][0]).shape

    def read(self, wanted: NDArray[np.int64]) -> Iterator[Levels]:
        """Fields by ascending numbers, `(2, h, w)` each."""
        for number in wanted.tolist():
            planes = [_grey(path) for path in self._pairs[number]]
            for path, plane in zip(self._pairs[number], planes, strict=True):
                if plane.shape != self.shape[1:]:
                    height, width = plane.shape
                    raise damaged(path, f"is {width}x{height}, the first one {self.shape[2]}x{self.shape[1]}")
            yield np.stack(planes)

    def close(self) -> None:
        """Nothing is open."""


def has_planes(folder: Path) -> bool:
    """Whether a folder holds numbered images of flow."""
    return any(_PLANE.match(path.name) for path in folder.iterdir())


def luma(frame: Any, height: int, width: int) -> Levels:
    """The grey of a PyAV frame as it was coded; colour conversion would shift levels."""
    plane: Any = frame.planes[0]
    rows: Levels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[:height, :width]


def _grey(path: Path) -> Levels:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError):
        raise damaged(path, "cannot be decoded as an image") from None


def damaged(path: Path, cause: str) -> VideoError:
    """What is stored is not what was stored."""
    return VideoError(f"{path}: {cause}; delete it and make it again: muybridge flow VIDEO --store FOLDER")
