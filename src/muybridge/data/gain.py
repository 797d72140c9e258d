"""How much faster random clips come out of one copy of a film than out of another, measured where it matters.

Each clip opens its file anew, as a loader that shuffles thousands of films does, and its frames come out at the size
that training asks for. CPU time of one thread is counted, so that a busy machine disturbs little.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muybridge.video.reader import Video
from muybridge.video.reencode import smaller

FRAMES, STRIDE = 16, 4
CLIPS, FILES = 8, 8
_ENOUGH_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """Random clips per second of CPU time.

    Attributes:
        before: From the originals.
        after: From the copies.
        clips: Clips read from each.
        files: Films that they were read from.
        short_side: Length of their shorter side, in pixels; None: each film's own.
    """

    before: float
    after: float
    clips: int
    files: int
    short_side: int | None

    def __str__(self) -> str:
        size = f", short side {self.short_side}" if self.short_side else ""
        return (
            f"{self.before:.1f} -> {self.after:.1f} random clips a second, {self.after / self.before:.1f}x "
            f"({FRAMES} frames, every {STRIDE}th{size}, one thread; {self.clips} clips of {self.files} films)"
        )


def measure_gain(pairs: Sequence[tuple[Path, Path]], short_side: int | None = 256, seed: int = 0) -> Gain:
    """Read the same moments from originals and copies, in turn.

    Args:
        pairs: Original and copy of each film; 8 of them, evenly spread, are read.
        short_side: Length of the shorter side that clips are asked for at, in pixels.
        seed: Chooses the moments.

    Raises:
        ValueError: No films.
    """
    if not pairs:
        raise ValueError("no films to measure")
    rng = random.Random(seed)
    spent = [0.0, 0.0]
    clips = files = 0
    begun = time.perf_counter()
    for place in np.unique(np.linspace(0, len(pairs) - 1, FILES).round().astype(int)).tolist():
        moments = _moments(pairs[place][0], rng)
        for path in pairs[place]:  # the first clip from the disk is not the decoder's time
            _read(path, moments[0], short_side)
        for moment in moments:
            for side, path in enumerate(pairs[place]):
                before = time.process_time()
                _read(path, moment, short_side)
                spent[side] += time.process_time() - before
        clips, files = clips + len(moments), files + 1
        if time.perf_counter() - begun > _ENOUGH_S:
            break
    return Gain(
        before=clips / spent[0], after=clips / spent[1], clips=clips, files=files, short_side=short_side
    )


def _moments(path: Path, rng: random.Random) -> list[list[float]]:
    """When the frames of each clip are shown, in seconds."""
    with Video(path) as video:
        starts = [rng.randint(0, max(0, len(video) - (FRAMES - 1) * STRIDE - 1)) for _ in range(CLIPS)]
        numbers = np.array(starts)[:, None] + np.arange(FRAMES) * STRIDE
        return video.times_s[np.minimum(numbers, len(video) - 1)].tolist()  # type: ignore[no-any-return]


def _read(path: Path, times_s: list[float], short_side: int | None) -> None:
    with Video(path) as video:
        video.frames_at(times_s, short_side=smaller(video, short_side))
