"""Films that are not files: a folder of numbered images (RawFrames) and a tensor of frames.

Both hand out frames as a decoder does, so that everything behind them is the same.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.video.opening import check_pixels, refusal
from muybridge.video.packet_index import Ints
from muybridge.video.pixels import Geometry, geometry_of

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_NUMBERED = re.compile(r"^(.*?)(\d+)$")
_USUAL = ("img", "image", "frame", "rgb")


class _Stills:
    """Frames at a constant rate that need no decoder."""

    name: str
    codec: str
    has_audio = False
    variable_frame_rate = False

    def __init__(self, num_frames: int, fps: Fraction) -> None:
        self.fps = fps
        self.num_frames = num_frames
        self.duration_s = float(num_frames / fps)
        self.times_s: NDArray[np.float64] = np.arange(num_frames) / float(fps)

    @property
    def geometry(self) -> Geometry:
        """Shape of the picture."""
        raise NotImplementedError

    def pictures(self, wanted: Ints, *, alone: bool = False) -> Generator[tuple[int, Any], None, None]:
        """Frames by number."""
        for number in wanted.tolist():
            yield number, self._picture(number)

    def close(self) -> None:
        """Nothing is open."""

    def _picture(self, number: int) -> Any:
        """One frame as PyAV's decoders give it."""
        raise NotImplementedError


class FolderFilm(_Stills):
    """Images such as `img_00001.jpg`, in the order of their numbers.

    Raises:
        VideoError: No numbered images in the folder, or several series of which none is named as pictures
            usually are.
    """

    codec = "images"

    def __init__(self, folder: Path, *, fps: Fraction, max_pixels: int, max_duration_s: float) -> None:
        self.name = str(folder)
        self._files = _numbered_images(folder)
        self._max_pixels = max_pixels
        self._geometry: Geometry | None = None
        super().__init__(len(self._files), fps)
        seconds = float(len(self._files) / fps)
        if seconds > max_duration_s:
            raise refusal(
                self.name,
                f"too long: {seconds:.0f} s, the limit is {max_duration_s:.0f} s",
                f"if that is meant, pass max_duration_s={seconds:.0f} (--max-duration {seconds:.0f}s)",
            )

    @property
    def geometry(self) -> Geometry:
        """Shape of the first image."""
        if self._geometry is None:
            self._picture(0)
        assert self._geometry is not None
        return self._geometry

    def _picture(self, number: int) -> Any:
        file = self._files[number]
        try:
            with av.open(f"file:{file}", options={"max_pixels": str(self._max_pixels)}) as container:
                frame = next(container.decode(video=0))
        except (av.error.FFmpegError, OSError, ValueError, IndexError, StopIteration):
            raise refusal(str(file), "cannot be decoded as an image", "copy it again or remove it") from None
        geometry = geometry_of(frame, None)
        check_pixels(str(file), *geometry.shown, self._max_pixels)
        self._geometry = self._geometry or geometry
        if geometry.shown != self._geometry.shown:
            sizes = [f"{width}x{height}" for width, height in (geometry.shown, self._geometry.shown)]
            raise refusal(
                str(file),
                f"is {sizes[0]}, the frames before are {sizes[1]}",
                "the frames of a folder must all have one size",
            )
        return frame


class TensorFilm(_Stills):
    """Frames that are in memory already, uint8 `(t, 3, h, w)`."""

    name = "tensor"
    codec = "tensor"

    def __init__(self, frames: Tensor, *, fps: Fraction) -> None:
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape:
            raise ValueError(
                f"a video tensor is uint8 of shape (t, 3, h, w), t at least 1; "
                f"this one is {str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}"
            )
        self._frames = frames.detach().cpu()
        super().__init__(len(frames), fps)

    @property
    def geometry(self) -> Geometry:
        """Shape of the frames."""
        return Geometry(self._frames.shape[3], self._frames.shape[2])

    def _picture(self, number: int) -> Any:
        pixels = self._frames[number].permute(1, 2, 0).contiguous().numpy()
        return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def _numbered_images(folder: Path) -> list[Path]:
    series: dict[tuple[str, str], list[tuple[int, Path]]] = {}
    for file in folder.iterdir():
        match = _NUMBERED.match(file.stem)
        if match and file.suffix.lower() in _IMAGES and file.is_file():
            series.setdefault((match[1], file.suffix.lower()), []).append((int(match[2]), file))
    if not series:
        raise refusal(
            str(folder),
            "a folder without numbered images (such as img_00001.jpg)",
            "give a video file, or a folder that holds the frames of one video",
        )
    if len(series) > 1:
        named = {key: files for key, files in series.items() if key[0].rstrip("_-. ").lower() in _USUAL}
        if len(named) != 1:
            found = ", ".join(sorted(f"{prefix}*{suffix}" for prefix, suffix in series))
            raise refusal(
                str(folder),
                f"a folder with several series of images ({found})",
                "leave one series in the folder",
            )
        series = named
    (files,) = series.values()
    return [file for _, file in sorted(files)]
