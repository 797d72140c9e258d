"""Write an MP4 that plays everywhere: H.264, yuv420p, index in front, the source's sound kept.

Frames are encoded as they come and the sound is read beside them, so a film of any length needs the memory
of a few frames. The file grows under a temporary name and takes its own name only when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from torch import Tensor, uint8

from muybridge.types import VideoError
from muybridge.video.sound import Sound

SUFFIXES = (".mp4", ".m4v")
TICKS_PER_S = 90_000  # at least this many, so that explicit times round to less than a sample of any screen
SECONDS_BETWEEN_KEYFRAMES = 2  # a player's seek lands at most this far away
_FRAME_DURATION = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: packets last as long as their frames, not 1 / fps
HD_LINES = 576  # taller pictures are BT.709, others BT.601: players that ignore the tag guess the same


class VideoWriter:
    """Encodes frames to an MP4 file, one at a time.

    Use it in a `with` block: leaving the block finishes the file, an exception inside it removes what was
    written and leaves a file that was there before as it was.

        with VideoWriter("out.mp4", fps=Fraction(30000, 1001), audio_from="in.mp4") as writer:
            for frame in frames:
                writer.write(frame)

    Args:
        path: The file to write; `.mp4` (or `.m4v`).
        fps: Frames per second; also how long the last frame stays.
        audio_from: A video or sound file whose first audio stream goes along, moved so that it starts with
            that file's picture, and cut to the length of ours. A file without sound gives a silent film.
        crf: x264's constant rate factor: 0 lossless, 18 looks the same, 23 its default, 51 worst.
        preset: x264's preset, from `ultrafast` to `veryslow`.
        threads: Encoder threads; 0 lets x264 choose. The bytes depend on it, so films that must come out
            equal on every machine say 1.
        tick_s: What times are counted in, 1 / n seconds; given times that are multiples of it are kept to the
            bit. None: 1/90000 s or finer, and whole ticks per frame.
        gop: At most so many frames from one key frame to the next; 1 makes every frame one. None: 2 seconds.
        b_frames: B-frames in a row, on which no other picture leans: who wants few frames need not decode them.
            For evenly spaced films; in others, players may then misread how long the film is.
        pixel_aspect: Width of a pixel over its height, by which players widen the picture.
        fast_decode: Leave out what costs the decoder most, CABAC and the loop filter; files grow by a sixth.

    Raises:
        VideoError: The folder doesn't exist or can't be written to, the name is no MP4's, no frame was
            written, the frame size changed, the frame is no uint8 (3, h, w), or the encoder failed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: Fraction | float,
        audio_from: str | Path | None = None,
        crf: int = 20,
        preset: str = "veryfast",
        threads: int = 0,
        tick_s: Fraction | None = None,
        gop: int | None = None,
        b_frames: int = 0,
        pixel_aspect: Fraction = Fraction(1),
        fast_decode: bool = False,
    ) -> None:
        self.path = Path(path)
        if not 0 < fps <= 1000:
            raise ValueError(f"fps is {fps}; it must be more than 0 and at most 1000")
        # Denominators up to 1001 hold every broadcast rate, and turn 29.97002997 back into 30000/1001.
        self.fps = Fraction(fps).limit_denominator(1001)
        if not self.fps:
            raise ValueError(f"fps is {fps}; the slowest film has one frame in 1001 seconds")
        self.audio_from = None if audio_from is None else Path(audio_from)
        self.num_frames = 0
        self._crf, self._preset, self._threads = crf, preset, threads
        self._gop = max(1, round(self.fps * SECONDS_BETWEEN_KEYFRAMES)) if gop is None else gop
        if self._gop < 1 or not 0 <= b_frames <= 16:
            raise ValueError(f"gop is {self._gop}, b_frames {b_frames}; give 1 or more, and 0 to 16")
        self._b_frames, self._fast_decode, self._pixel_aspect = b_frames, fast_decode, pixel_aspect
        if tick_s is None:
            self._step = self.fps.denominator * -(-TICKS_PER_S // self.fps.numerator)
            self._tick_s = 1 / (self.fps * self._step)
        else:
            if tick_s.numerator != 1 or tick_s.denominator > 1_000_000:
                raise ValueError(f"tick_s is {tick_s}; give 1/n of a second, n at most 1000000")
            self._tick_s, self._step = tick_s, max(1, round(1 / (self.fps * tick_s)))
        self._end = 0  # ticks: where the next frame starts if nothing else is said
        self._last = -1  # ticks: where the last one started
        self._last_s: float | None = None
        self._shape: tuple[int, ...] | None = None
        self._temporary: Path | None = None
        self._container: Any = None
        self._video: Any = None
        self._sound: Sound | None = None

    def __enter__(self) -> Self:
        if self.path.suffix.lower() not in SUFFIXES:
            raise VideoError(f"{self.path}: an MP4 is written; name it {self.path.with_suffix('.mp4').name}")
        if self.path.is_dir():
            raise VideoError(f"{self.path}: is a folder; give the name of a file in it")
        temporary = self.path.with_name(f".{self.path.stem}.{secrets.token_hex(4)}.part")
        try:
            temporary.open("xb").close()
        except OSError as error:
            raise VideoError(f"{self.path}: {_why_not(error, self.path.parent)}") from error
        self._temporary = temporary
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._abandon()

    def write(self, frame: Tensor, time_s: float | None = None, duration_s: float | None = None) -> None:
        """Append one frame.

        Args:
            frame: uint8 (3, h, w), RGB, the same size each time. An odd height or width grows by one pixel
                that repeats the edge, because yuv420p shares colour between two.
            time_s: When the frame appears, in seconds from the start of the film, not before the last one.
                None: 1 / fps after the last one. Films of variable frame rate keep step with their sound
                this way.
            duration_s: How long it stays; only the last frame's counts, as others stay until the next. None:
                1 / fps.
        """
        if self._temporary is None:
            raise ValueError(f"{self.path}: open the writer in a with block before writing")
        self._check(frame)
        pixels = frame.detach().cpu().permute(1, 2, 0).numpy()
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        start = self._start_of(time_s)
        stays = self._step if duration_s is None else max(1, round(duration_s / self._tick_s))
        try:
            if self._container is None:
                self._open(*pixels.shape[:2])
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(
                format="yuv420p",
                dst_colorspace=self._matrix,
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
                threads=1,
            )
            picture.pts, picture.time_base, picture.duration = start, self._tick_s, stays
            self._container.mux(self._video.encode(picture))
            if self._sound is not None:
                self._container.mux(self._sound.until(float(start * self._tick_s)))
        except (av.FFmpegError, OSError) as error:
            raise VideoError(f"{self.path}: could not write frame {self.num_frames}: {error}") from error
        self._end = start + stays
        self._last = start
        self.num_frames += 1

    def _check(self, frame: Tensor) -> None:
        if not isinstance(frame, Tensor) or frame.dtype != uint8 or frame.ndim != 3 or frame.shape[0] != 3:
            got = (
                f"{frame.dtype} {tuple(frame.shape)}"
                if isinstance(frame, Tensor)
                else f"a {type(frame).__name__}"
            )
            raise VideoError(f"{self.path}: frame {self.num_frames} is {got}; give uint8 tensors (3, h, w)")
        shape = tuple(frame.shape)
        if 0 in shape:
            raise VideoError(f"{self.path}: frame {self.num_frames} is empty, {tuple(shape)}")
        if self._shape is not None and shape != self._shape:
            raise VideoError(
                f"{self.path}: frame {self.num_frames} is {shape[2]}x{shape[1]}, those before it "
                f"{self._shape[2]}x{self._shape[1]}; resize them to one size"
            )
        self._shape = shape

    def _start_of(self, time_s: float | None) -> int:
        if time_s is None:
            return self._end
        if time_s < 0 or (self._last_s is not None and time_s < self._last_s):
            raise ValueError(
                f"{self.path}: frame {self.num_frames} is to appear at {time_s:g} s, before the last one "
                f"({self._last_s or 0:g} s); give times that grow"
            )
        self._last_s = time_s
        # Damaged sources hold two frames with one time; a tick between them is enough for the container.
        after_last = self._last + 1
        return max(round(time_s / self._tick_s), after_last)

    def _open(self, height: int, width: int) -> None:
        # Without the second, FFmpeg would count in finer ticks than asked for.
        options = {"movflags": "+faststart", "video_track_timescale": str(self._tick_s.denominator)}
        self._container = av.open(str(self._temporary), "w", format="mp4", options=options)
        options = {"crf": str(self._crf), "preset": self._preset}
        if self._threads == 1:
            # x264's MB-tree reads memory that it hasn't written: bytes would differ from run to run.
            options["mbtree"] = "0"
        if self._fast_decode:
            options["tune"] = "fastdecode"
        if self._b_frames:
            # Always the same number, none of them leant on by another: that is what makes them cheap to skip.
            options |= {"b_strategy": "0", "b-pyramid": "none"}
        self._video = self._container.add_stream("libx264", rate=self.fps, options=options)
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._video.time_base = self._tick_s
        codec = self._video.codec_context
        codec.time_base = self._tick_s
        codec.gop_size = self._gop
        # Without B-frames packets leave in the order of time: no edit list that a player may misread, and the
        # length of a film of variable rate is what the last frame says.
        codec.max_b_frames = self._b_frames
        codec.flags |= _FRAME_DURATION
        codec.sample_aspect_ratio = self._pixel_aspect
        codec.thread_count = self._threads
        self._matrix = Colorspace.ITU709 if height > HD_LINES else Colorspace.SMPTE170M
        # Primaries and curve are those of the RGB we were given (sRGB shares them with BT.709); only the
        # matrix follows the size.
        codec.colorspace = 1 if height > HD_LINES else 6
        codec.color_range = ColorRange.MPEG
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        if self.audio_from is not None:
            self._sound = Sound.of(self.audio_from, self._container)

    def _finish(self) -> None:
        if not self.num_frames:
            raise VideoError(f"{self.path}: no frame was written, so there is no film")
        assert self._temporary is not None
        try:
            self._container.mux(self._video.encode(None))
            if self._sound is not None:
                self._container.mux(self._sound.until(float(self._end * self._tick_s)))
                self._sound.close()
            self._container.close()
            self._container = None
            self._temporary.replace(self.path)
        except (av.FFmpegError, OSError) as error:
            raise VideoError(f"{self.path}: could not finish the film: {error}") from error
        self._temporary = None

    def _abandon(self) -> None:
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            # Closing writes the index of a film that nobody wants; what goes wrong there doesn't matter.
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None


def write_video(
    path: str | Path,
    frames: Iterable[Tensor],
    *,
    fps: Fraction | float,
    audio_from: str | Path | None = None,
    times_s: Iterable[float] | None = None,
) -> Path:
    """Write `frames` to an MP4 file.

    Args:
        path: The file to write.
        frames: uint8 (3, h, w) each; a tensor (t, 3, h, w) will do, and so will a generator.
        fps: Frames per second.
        audio_from: A file whose sound goes along; see `VideoWriter`.
        times_s: When each frame appears, in seconds, for films of variable frame rate.

    Returns:
        The path, once the file is whole.

    Raises:
        VideoError: See `VideoWriter`.
    """
    with VideoWriter(path, fps=fps, audio_from=audio_from) as writer:
        for frame, time_s in zip(frames, repeat(None) if times_s is None else times_s, strict=False):
            writer.write(frame, time_s)
    return writer.path


def _why_not(error: OSError, folder: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no folder {folder}; make it first"
    if isinstance(error, NotADirectoryError):
        return f"{folder} is not a folder"
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"no permission to write in {folder}"
    return os.strerror(error.errno) if error.errno else str(error)
