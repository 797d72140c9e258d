"""A video file as a film: its index, its decoder, and what happens where a frame can't be had."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from muybridge.types import VideoError
from muybridge.video.decoding import Decoder
from muybridge.video.opening import check_pixels, open_video, refusal
from muybridge.video.packet_index import Ints, build_index
from muybridge.video.pixels import Geometry, geometry_of


class FileFilm:
    """A file that has been indexed. Decoders are opened when they are needed, and again after unpickling."""

    def __init__(
        self,
        path: Path,
        *,
        on_error: Literal["raise", "partial"],
        max_pixels: int,
        max_duration_s: float,
        square_pixels: bool,
    ) -> None:
        self.path, self.name = path, str(path)
        self._on_error, self._max_pixels = on_error, max_pixels
        self._geometry: Geometry | None = None
        opened = container, stream = open_video(path, max_pixels=max_pixels)
        try:
            self.codec: str = stream.codec_context.codec.canonical_name
            self.has_audio = len(container.streams.audio) > 0
            self._aspect: Fraction | None = stream.sample_aspect_ratio if square_pixels else None
            self.index, self._kept = build_index(
                container, stream, path, max_pixels=max_pixels, max_duration_s=max_duration_s
            )
            if self.index.promised is not None and on_error == "raise":
                raise refusal(
                    self.name,
                    f"cut short: {len(self.index)} of {self.index.promised} frames can be read",
                    'copy or download it again, or pass on_error="partial" (--partial) to use what is there',
                )
        except BaseException:
            container.close()
            raise
        self._decoder: Decoder | None = self._new_decoder(opened)
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoder": None, "_kept": []}

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Start of each frame, in seconds from the first."""
        return self.index.times_s

    @property
    def num_frames(self) -> int:
        """Frames that can be read."""
        return len(self.index)

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self.index.fps

    @property
    def duration_s(self) -> float:
        """Until the last frame ends."""
        return self.index.duration_s

    @property
    def variable_frame_rate(self) -> bool:
        """Whether frames are unevenly spaced."""
        return self.index.variable_frame_rate

    @property
    def geometry(self) -> Geometry:
        """Shape of the picture; known once a frame has been decoded."""
        if self._geometry is None:
            next(self.pictures(np.zeros(1, np.int64)))
        assert self._geometry is not None
        return self._geometry

    def pictures(self, wanted: Ints, *, alone: bool = False) -> Generator[tuple[int, Any], None, None]:
        """Decode frames.

        Args:
            wanted: `(t,)` numbers, ascending, none twice.
            alone: Use a decoder of one's own, so that other calls may come in between.

        Raises:
            VideoError: A frame can't be decoded (`on_error="raise"`), or not a single one (`"partial"`).
        """
        if alone:
            decoder = self._new_decoder(None)
            try:
                yield from self._pictures(decoder, wanted)
            finally:
                decoder.close()
            return
        if self._decoder is None or self._process != os.getpid():
            # After a fork, parent and children would move one another's place in the same open file.
            self._decoder = self._new_decoder(None)
            self._process = os.getpid()
        yield from self._pictures(self._decoder, wanted)

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def _new_decoder(self, opened: tuple[Any, Any] | None) -> Decoder:
        return Decoder(self.path, self.index, max_pixels=self._max_pixels, opened=opened, kept=self._kept)

    def _pictures(self, decoder: Decoder, wanted: Ints) -> Iterator[tuple[int, Any]]:
        before = None
        early = []  # frames without one before them to stand in
        for number, frame in decoder.frames(wanted):
            if (frame is None or frame.is_corrupt) and self._on_error == "raise":
                raise self._undecodable(number)
            if frame is None:
                if before is None:
                    early.append(number)
                    continue
                frame = before
            if self._geometry is None:
                self._geometry = self._shape(frame)
            for missed in early:
                yield missed, frame
            early.clear()
            yield number, frame
            before = frame
        if early:
            raise self._undecodable(early[0])

    def _shape(self, frame: Any) -> Geometry:
        geometry = geometry_of(frame, self._aspect)
        check_pixels(self.name, *geometry.shown, self._max_pixels)
        return geometry

    def _undecodable(self, number: int) -> VideoError:
        hint = "copy or download it again"
        if self._on_error == "raise":
            hint += ', or pass on_error="partial" (--partial) to use what can be decoded'
        return refusal(
            self.name, f"frame {number} of {len(self.index)} cannot be decoded (the file is damaged)", hint
        )
