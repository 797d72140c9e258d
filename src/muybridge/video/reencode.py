"""One film anew, so that clips come out of it fast: fewer pixels, key frames close together, no B-frame leant on.

To show a clip from the middle of a film, a decoder begins at the key frame before it. Films from the web have one
every 250 frames and more pixels than a network looks at. The copy has as many frames as the original, each at the
same moment, so times and frame numbers in annotations stay true.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from muybridge.types import VideoError
from muybridge.video.opening import open_video
from muybridge.video.reader import MAX_PIXELS, Video
from muybridge.video.writer import VideoWriter

B_FRAMES = 3
"""A clip of every 4th frame then needs 2 of 4 pictures decoded, at worst. Unevenly spaced films go without: an MP4 says
how long its last frame stays in the order of decoding."""
_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_FINEST = 1_000_000  # ticks per second
_SAME_S = 1e-6  # what `Video.frames_at` forgives


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """How films are encoded anew.

    Attributes:
        short_side: Length of the shorter side in pixels; smaller films keep their size. None: all do.
        gop: At most so many frames from one key frame to the next; 1: every frame is one.
        crf: x264's constant rate factor: 0 lossless, 18 looks the same, 51 worst.
        fps: Most frames per second; slower films keep their rate. None: every frame is kept, at its time.
        audio: Whether the sound goes along.
    """

    short_side: int | None = 256
    gop: int = 12
    crf: int = 18
    fps: Fraction | None = None
    audio: bool = False

    def __post_init__(self) -> None:
        if self.short_side is not None and self.short_side < 16:
            raise ValueError(f"short_side is {self.short_side}; give 16 pixels or more, for example 256")
        if self.gop < 1:
            raise ValueError(f"gop is {self.gop}; give 1 (every frame a key frame) or more, for example 12")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"crf is {self.crf}; give 0 (lossless) to 51 (worst), for example 18")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise ValueError(f"fps is {self.fps}; give more than 0 and at most 1000, for example 30")


def reencode(
    source: Path, target: Path, encoding: Encoding, proceed: Callable[[], None] = lambda: None
) -> int:
    """Encode a file anew. The picture is turned upright; pixels that aren't square stay so, and say so.

    Args:
        source: The film, a file.
        target: Where the copy appears once it is whole: an `.mp4`.
        encoding: How.
        proceed: Called before every frame; an exception that it raises ends the work and leaves nothing.

    Returns:
        Frames written.

    Raises:
        VideoError: The source is damaged, or the target can't be written (`OSError` is then its cause).
    """
    aspect = _pixel_aspect(source)
    with Video(source, square_pixels=False) as video:
        short_side = smaller(video, encoding.short_side)
        numbers, times = _kept(video, encoding.fps)
        whole = len(numbers) == len(video)
        last_s = video.meta.duration_s - times[-1] if whole else None
        pictures = video.clips([[number] for number in numbers.tolist()], short_side=short_side)
        rate = min(max(min(video.fps, encoding.fps or video.fps), Fraction(1, 1000)), Fraction(1000))
        even = not (whole and video.meta.variable_frame_rate)
        writer = VideoWriter(
            target,
            fps=rate,
            audio_from=source if encoding.audio and video.meta.has_audio else None,
            crf=encoding.crf,
            threads=1,
            tick_s=_tick(times if len(times) > 1 else np.array([0, 1 / rate]), even=even),
            gop=encoding.gop,
            b_frames=B_FRAMES if even and encoding.gop > 1 else 0,
            pixel_aspect=1 / aspect if video.meta.rotation % 180 else aspect,
            fast_decode=True,
        )
        with writer:
            for place, (clip, time_s) in enumerate(zip(pictures, times.tolist(), strict=True), 1):
                proceed()
                writer.write(clip[0], time_s, last_s if place == len(times) else None)
    with Video(target) as copy:
        if len(copy) != len(times) or np.abs(copy.times_s - times).max() > _SAME_S:
            target.unlink()
            raise VideoError(
                f"{source}: its copy came out with {len(copy)} of {len(times)} frames, or at other times; "
                "please report this file"
            )
    return len(times)


def shrink_images(
    source: Path, target: Path, encoding: Encoding, proceed: Callable[[], None] = lambda: None
) -> int:
    """Write a folder of numbered frames anew, under the same names; images are key frames by nature.

    Args:
        source: The folder.
        target: A new folder for the copies. What remains there after an exception is the caller's to remove.
        encoding: Only `short_side` counts.
        proceed: As for `reencode`.

    Returns:
        Images written.

    Raises:
        VideoError: An image is damaged.
        OSError: The target can't be written.
    """
    target.mkdir()
    images = 0
    for file in sorted(path for path in source.iterdir() if path.is_file()):
        proceed()
        if file.suffix.lower() in _IMAGES:
            images += 1
            if _shrunk(file, target / file.name, encoding.short_side):
                continue
        shutil.copyfile(file, target / file.name)
    return images


def _shrunk(source: Path, target: Path, short_side: int | None) -> bool:
    """Write an image smaller, if it is larger than wanted."""
    try:
        with Image.open(source) as image:
            if short_side is None or min(image.size) <= short_side:
                image.load()
                return False
            kind, upright = image.format, ImageOps.exif_transpose(image)
            upright.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise VideoError(f"{source}: cannot be decoded as an image; copy it again or remove it") from error
    ratio = short_side / min(upright.size)
    width, height = (max(1, round(side * ratio)) for side in upright.size)
    upright.resize((width, height)).save(target, kind, quality=95)
    return True


def smaller(video: Video, short_side: int | None) -> int | None:
    """The short side to read a film at: never more than it has, None for all of it."""
    if short_side is None or min(video.meta.width, video.meta.height) <= short_side:
        return None
    return short_side


def _pixel_aspect(source: Path) -> Fraction:
    container, stream = open_video(source, max_pixels=MAX_PIXELS)
    with container:
        return stream.sample_aspect_ratio or Fraction(1)


def _kept(video: Video, fps: Fraction | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers of the frames to keep, and when each is shown, in seconds."""
    if fps is None or video.fps <= fps:
        return np.arange(len(video)), video.times_s
    times = np.arange(max(1, ceil(video.meta.duration_s * fps - _SAME_S))) / float(fps)
    return np.searchsorted(video.times_s, times + _SAME_S, side="right") - 1, times


def _tick(times_s: NDArray[np.float64], *, even: bool) -> Fraction:
    """A clock of 1 / n seconds in which every time is whole: the original's own, as far as times tell.

    Matroska rounds the times of an even film to milliseconds. On a finer clock they would look uneven; on a coarse one
    an uneven film would look even.
    """
    ticks = 1
    for denominator in {Fraction(time).limit_denominator(_FINEST).denominator for time in times_s.tolist()}:
        ticks = lcm(ticks, denominator)
        if ticks > _FINEST:
            return Fraction(1, _FINEST)
    return Fraction(1, ticks if even else ticks * ceil(10_000 / ticks))
