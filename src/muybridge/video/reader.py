"""Reading frames of a video, exactly and no more of them than are needed.

    video = Video("clip.mp4")
    clip = video.frames(range(0, 64, 2), short_side=256)  # uint8 (t, c, h, w)

A frame is asked for by its number in the order shown, counted from 0. `packet_index` knows where it lies,
`decoding` gets it, `pixels` makes RGB of it. A folder of numbered images and a tensor of frames are read in
the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from muybridge.video.file_film import FileFilm
from muybridge.video.frame_folder import FolderFilm, TensorFilm
from muybridge.video.packet_index import Ints
from muybridge.video.pixels import Crop, Finisher, Pixels

Indices = Sequence[int] | NDArray[np.integer[Any]] | Tensor

MAX_PIXELS = 1 << 26  # two pictures of 8K
MAX_DURATION_S = 12 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoMeta:
    """What a video is.

    Attributes:
        width: Columns as seen: after rotation and with square pixels.
        height: Rows as seen.
        fps: Frames per second; the mean rate where frames are not evenly spaced.
        duration_s: From the start of the first frame to the end of the last.
        num_frames: Frames that can be read; counted, never believed from the header.
        rotation: Degrees clockwise by which the stored picture is turned (frames come turned).
        codec: Name of the codec, such as `h264`.
        has_audio: Whether the file has sound.
        variable_frame_rate: Whether frames are unevenly spaced.
    """

    width: int
    height: int
    fps: Fraction
    duration_s: float
    num_frames: int
    rotation: int
    codec: str
    has_audio: bool
    variable_frame_rate: bool


class Video:
    """A video, read by frame number or by time.

    Args:
        source: A file, a folder of numbered images, or frames as a uint8 tensor `(t, 3, h, w)`.
        fps: Frame rate of a folder or a tensor (30 if not given). A file knows its own.
        on_error: What to do with a damaged file: `raise`, or `partial`: give what can be read. A file that is
            cut short then ends earlier, and a frame that can't be decoded shows the one before it.
        max_pixels: Most pixels that a frame may have.
        max_duration_s: Longest video that is read.
        square_pixels: Widen or narrow a picture whose stored pixels are not square. False gives the pixels as
            they are stored, which is what decord does, and so what a model saw that was trained on such files
            with it.

    Raises:
        VideoError: The source can't be read; the text says what it is, what is wrong and what to do.
        ValueError: A tensor of another kind, or a bad argument.

    A `Video` can be sent to another process, which opens the file again; two threads must not share one.
    """

    def __init__(
        self,
        source: str | Path | Tensor,
        *,
        fps: Fraction | float | None = None,
        on_error: Literal["raise", "partial"] = "raise",
        max_pixels: int = MAX_PIXELS,
        max_duration_s: float = MAX_DURATION_S,
        square_pixels: bool = True,
    ) -> None:
        if on_error not in ("raise", "partial"):
            raise ValueError(f"on_error is {on_error!r}; it must be 'raise' or 'partial'")
        rate = Fraction(30) if fps is None else Fraction(fps).limit_denominator(100_000)
        if rate <= 0:
            raise ValueError(f"fps is {fps}; it must be positive")
        self.source = None if isinstance(source, Tensor) else Path(source)
        self._film: FileFilm | FolderFilm | TensorFilm
        if isinstance(source, Tensor):
            self._film = TensorFilm(source, fps=rate)
        elif Path(source).is_dir():
            self._film = FolderFilm(
                Path(source), fps=rate, max_pixels=max_pixels, max_duration_s=max_duration_s
            )
        elif fps is not None:
            raise ValueError(
                f"fps={fps} is for folders and tensors; the file {source} has its own frame rate"
            )
        else:
            self._film = FileFilm(
                Path(source),
                on_error=on_error,
                max_pixels=max_pixels,
                max_duration_s=max_duration_s,
                square_pixels=square_pixels,
            )
        self._meta: VideoMeta | None = None

    def __repr__(self) -> str:
        return f"Video({self.name!r}, {len(self)} frames, {float(self.fps):.6g} fps)"

    def __len__(self) -> int:
        return self._film.num_frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Reading again opens it again."""
        self._film.close()

    @property
    def name(self) -> str:
        """The source, for messages and tables."""
        return self._film.name

    @property
    def fps(self) -> Fraction:
        """Frames per second; as in `meta`, and known without decoding."""
        return self._film.fps

    @property
    def meta(self) -> VideoMeta:
        """Size, rate, length and the rest. The size is known once a frame has been decoded; this decodes one."""
        if self._meta is None:
            film = self._film
            width, height = film.geometry.shown
            self._meta = VideoMeta(
                width=width,
                height=height,
                fps=film.fps,
                duration_s=film.duration_s,
                num_frames=film.num_frames,
                rotation=film.geometry.rotation,
                codec=film.codec,
                has_audio=film.has_audio,
                variable_frame_rate=film.variable_frame_rate,
            )
        return self._meta

    @property
    def times_s(self) -> NDArray[np.float64]:
        """`(num_frames,)` when each frame begins, in seconds; the first at 0."""
        return self._film.times_s

    def frames(self, indices: Indices, *, short_side: int | None = None, crop: Crop | None = None) -> Tensor:
        """Read frames by number.

        Args:
            indices: `(t,)` numbers in any order, also several times; those out of range become the first or
                last.
            short_side: Length of the shorter side in pixels, the longer follows (rounded). None leaves the
                size alone.
            crop: `(top, left, height, width)` in pixels of the resized picture, or one number: the side of a square in
                its middle.

        Returns:
            uint8 `(t, c, h, w)`, RGB, contiguous.

        Raises:
            VideoError: A frame can't be decoded.
            ValueError: Indices that are not whole numbers, or a crop that does not fit.
        """
        numbers = self._clamp(indices)
        order = np.argsort(numbers, kind="stable")
        wanted = numbers[order]
        first_place = np.flatnonzero(np.diff(wanted, prepend=-1))
        finisher: Finisher | None = None
        out = torch.empty(0)
        pixels = out.numpy()
        for place, (_, frame) in zip(
            first_place.tolist(), self._film.pictures(wanted[first_place]), strict=True
        ):
            if finisher is None:
                finisher = Finisher(self._film.geometry, short_side, crop)
                out = torch.empty((len(numbers), *finisher.shape), dtype=torch.uint8)
                pixels = out.numpy()
            finisher.write(frame, pixels[order[place]])
        if finisher is None:
            finisher = Finisher(self._film.geometry, short_side, crop)
            return torch.empty((0, *finisher.shape), dtype=torch.uint8)
        if len(first_place) < len(numbers):
            for place in np.flatnonzero(np.diff(wanted, prepend=-1) == 0).tolist():
                pixels[order[place]] = pixels[order[place - 1]]
        return out

    def frames_at(
        self, times_s: ArrayLike, *, short_side: int | None = None, crop: Crop | None = None
    ) -> Tensor:
        """Read the frames that are shown at given times.

        Args:
            times_s: `(t,)` seconds from the first frame; a frame is shown until the next one begins.
            short_side: As for `frames`.
            crop: As for `frames`.

        Returns:
            uint8 `(t, c, h, w)`.
        """
        times = np.atleast_1d(np.asarray(times_s, dtype=np.float64))
        if not np.isfinite(times).all():
            raise ValueError("times_s has values that are not finite; give seconds from the first frame")
        # A time computed as n / fps may lie a rounding error before the frame it names.
        numbers = np.searchsorted(self.times_s, times + 1e-6, side="right") - 1
        return self.frames(numbers, short_side=short_side, crop=crop)

    def clips(
        self, clips: Sequence[Indices], *, short_side: int | None = None, crop: Crop | None = None
    ) -> Iterator[Tensor]:
        """Read many clips in one pass: each frame is decoded once, and forgotten after its last clip.

        Args:
            clips: `(n, t)` numbers of frames as for `frames`; clips may overlap and differ in length. Memory
                is bounded by the span of one clip where clips are ordered by their start.
            short_side: As for `frames`.
            crop: As for `frames`.

        Yields:
            uint8 `(t, c, h, w)` for each clip, in the order given.
        """
        numbers = [self._clamp(clip) for clip in clips]
        if not numbers:
            return
        uses = Counter(number for clip in numbers for number in clip.tolist())
        pictures = self._film.pictures(np.array(sorted(uses), dtype=np.int64), alone=True)
        held: dict[int, Pixels] = {}
        spare: list[Pixels] = []
        finisher: Finisher | None = None
        latest = -1
        try:
            for clip in numbers:
                while latest < clip.max(initial=-1):
                    latest, frame = next(pictures)
                    finisher = finisher or Finisher(self._film.geometry, short_side, crop)
                    held[latest] = spare.pop() if spare else np.empty(finisher.shape, np.uint8)
                    finisher.write(frame, held[latest])
                finisher = finisher or Finisher(self._film.geometry, short_side, crop)
                out = torch.empty((len(clip), *finisher.shape), dtype=torch.uint8)
                pixels = out.numpy()
                for place, number in enumerate(clip.tolist()):
                    pixels[place] = held[number]
                    uses[number] -= 1
                    if not uses[number]:
                        spare.append(held.pop(number))
                yield out
        finally:
            pictures.close()

    def __iter__(self) -> Iterator[Tensor]:
        """All frames in order, uint8 `(c, h, w)`, each decoded once, in constant memory."""
        finisher: Finisher | None = None
        pictures = self._film.pictures(np.arange(len(self), dtype=np.int64), alone=True)
        try:
            for _, frame in pictures:
                finisher = finisher or Finisher(self._film.geometry, None, None)
                out = torch.empty(finisher.shape, dtype=torch.uint8)
                finisher.write(frame, out.numpy())
                yield out
        finally:
            pictures.close()

    def _clamp(self, indices: Indices) -> Ints:
        numbers = np.asarray(indices if not isinstance(indices, Tensor) else indices.cpu())
        if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
            raise ValueError(f"frame numbers are whole numbers; these are {numbers.dtype}")
        return np.clip(numbers.astype(np.int64).reshape(-1), 0, len(self) - 1)
