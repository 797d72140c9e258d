"""Trajectories drawn on the video in which they were found."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.flow.colour import colour_flow
from muybridge.ink import Colour
from muybridge.trajectories.extract import Moment
from muybridge.trajectories.pictures import opencv
from muybridge.trajectories.settings import Floats
from muybridge.video.writer import VideoWriter

HEAD: Colour = (255, 255, 255)
SCENERY: Colour = (128, 128, 128)
_PARTS = 1 << 4
"""Lines end between pixels: OpenCV takes their ends in 16ths of one."""


def draw_trajectories(
    picture: Tensor, tails: Floats, ages: NDArray[np.integer[Any]], *, scenery: Floats
) -> Tensor:
    """A frame with its trajectories: tails in the colour of their direction on the wheel, a white dot at each point.

    Args:
        picture: uint8 `(3, h, w)`; it is darkened, so that lines stand out.
        tails: `(n, t, 2)` x and y in pixels.
        ages: `(n,)` which of a tail's points is this frame's.
        scenery: `(m, 2, 2)` start and end of the last steps of points that move with the scene: grey, without a dot.

    Returns:
        uint8 `(3, h, w)`.
    """
    cv2 = opencv()
    image = np.ascontiguousarray(picture.permute(1, 2, 0).numpy() // 2)
    whole = np.rint(tails * _PARTS).astype(np.int32)
    steps = list(np.rint(scenery * _PARTS).astype(np.int32))
    cv2.polylines(image, steps, False, SCENERY, 1, cv2.LINE_AA, shift=4)
    heads = whole[np.arange(len(ages)), ages]
    for tail, age, colour in zip(whole, ages.tolist(), _colours(heads - whole[:, 0]), strict=True):
        cv2.polylines(image, [tail[: age + 1]], False, colour, 1, cv2.LINE_AA, shift=4)
    image[tuple(np.clip(heads[:, ::-1] // _PARTS, 0, np.array(image.shape[:2]) - 1).T)] = HEAD
    return torch.from_numpy(image).permute(2, 0, 1)


def _colours(ways: NDArray[np.int32]) -> list[Colour]:
    """The wheel's colour for each direction."""
    long = torch.from_numpy(ways).float()
    flow = torch.nn.functional.normalize(long, dim=1).T[None, :, None]
    wheel = colour_flow(flow, largest=1.0)[0, :, 0].T
    return [(r, g, b) for r, g, b in wheel.tolist()]


def drawn(moments: Iterator[Moment], length: int) -> Iterator[Tensor]:
    """Each frame with the trajectories that run through it, `length` frames late: only then it is known which are kept.

    Args:
        moments: What `watch` gives.
        length: `Settings.length`.

    Yields:
        uint8 `(3, h, w)`, one per frame.
    """
    painter = _Painter(length)
    for moment in moments:
        painter.take(moment)
        if len(painter.waiting) > length:
            yield painter.give()
    while painter.waiting:
        yield painter.give()


class _Painter:
    """The frames whose trajectories are not known yet, and the trajectories of the last frames."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.waiting: deque[tuple[int, Tensor]] = deque()
        self.tracks: deque[tuple[int, Floats, Floats]] = deque()

    def take(self, moment: Moment) -> None:
        self.waiting.append((moment.frame, moment.picture))
        if len(moment.found.kept) or len(moment.found.scenery):
            kept = moment.found.kept
            self.tracks.append((moment.frame, kept.points[kept.scale == 1], moment.found.scenery))

    def give(self) -> Tensor:
        frame, picture = self.waiting.popleft()
        while self.tracks and self.tracks[0][0] < frame:
            self.tracks.popleft()
        tails = [np.zeros((0, self.length + 1, 2), np.float32)]
        ages = [np.zeros(0, np.int64)]
        steps = [np.zeros((0, 2, 2), np.float32)]
        for last, points, scenery in self.tracks:
            age = frame - (last - self.length)
            if age > 0:
                tails.append(points)
                ages.append(np.full(len(points), age))
                steps.append(scenery[:, age - 1 : age + 1])
        return draw_trajectories(
            picture, np.concatenate(tails), np.concatenate(ages), scenery=np.concatenate(steps)
        )


class TrackWriter:
    """An MP4 on which trajectories are drawn, written beside other work on the same moments.

    Use it in a `with` block, give it every moment.

    Args:
        path: The MP4.
        fps: Frames per second.
        length: `Settings.length`.
        audio_from: A file whose sound goes along.
    """

    def __init__(self, path: Path, *, fps: Any, length: int, audio_from: Path | None = None) -> None:
        self._painter = _Painter(length)
        self._writer = VideoWriter(path, fps=fps, audio_from=audio_from)
        self._length = length

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._painter.waiting:
                self._writer.write(self._painter.give())
        finally:
            self._writer.__exit__(kind, error, trace)

    def take(self, moment: Moment) -> None:
        """The next frame."""
        self._painter.take(moment)
        if len(self._painter.waiting) > self._length:
            self._writer.write(self._painter.give())
