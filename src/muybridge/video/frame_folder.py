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
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.video.opening import check_pixels, refusal
from muybridge.video.packet_index import Ints
from muybridge.video.pixels import Geometry, Pixels

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
            yield number, av.VideoFrame.from_ndarray(self._pixels(number), format="rgb24")

    def close(self) -> None:
        """Nothing is open."""

    def _pixels(self, number: int) -> Pixels:
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
                f"if that is meant, pass max_duration_s={seconds:.0f}",
            )

    @property
    def geometry(self) -> Geometry:
        """Shape of the first image."""
        if self._geometry is None:
            self._pixels(0)
        assert self._geometry is not None
        return self._geometry

    def _pixels(self, number: int) -> Pixels:
        from torchvision.io import ImageReadMode, decode_image

        file = self._files[number]
        try:
            image = decode_image(str(file), mode=ImageReadMode.RGB)
        except (RuntimeError, OSError) as error:
            why = str(error).splitlines()[0] if str(error) else "damaged"
            raise refusal(
                str(file), f"cannot be decoded as an image ({why})", "copy it again or remove it"
            ) from None
        height, width = image.shape[1:]
        check_pixels(str(file), width, height, self._max_pixels)
        if self._geometry is None:
            self._geometry = Geometry(width, height)
        if (width, height) != (self._geometry.width, self._geometry.height):
            raise refusal(
                str(file),
                f"is {width}x{height}, the frames before are {self._geometry.width}x{self._geometry.height}",
                "the frames of a folder must all have one size",
            )
        pixels: Pixels = image.permute(1, 2, 0).contiguous().numpy()
        return pixels


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

    def _pixels(self, number: int) -> Pixels:
        return self._frames[number].permute(1, 2, 0).contiguous().numpy()


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
