"""Who draws the flow of a video, frame by frame: dense flow as colours and arrows, or points with tails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from muybridge.flow.classical import track_points
from muybridge.flow.colour import MAGNITUDES, Magnitude, colour_flow, largest_motion
from muybridge.flow.methods import FlowMaker
from muybridge.flow.picture import draw_arrows, draw_legend, draw_tracks, enlarge, lay_over, nice_length
from muybridge.flow.store import StoredFlow
from muybridge.ink import legible_scale
from muybridge.video.reader import Video

Layout = Literal["flow", "beside", "frame"]
LAYOUTS = ("flow", "beside", "frame")
TRACKS = "lucas_kanade"

_SAMPLES = 16
_TAIL = 15
_POINTS = 300
_RENEW_EVERY = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How flow is shown.

    Attributes:
        layout: `flow`: its colours; `beside`: the frame and its colours side by side; `frame`: colours on the frame.
        arrows: Arrows too: on the frame where it is there, else on the colours.
        magnitude: What length is: `saturation` (rest is white) or `brightness` (rest is black).
        largest: Length that has the full colour, in pixels. None: what few pixels of the video exceed.
        legend: Whether the colour wheel with its scale is shown.
    """

    layout: Layout = "flow"
    arrows: bool = False
    magnitude: Magnitude = "saturation"
    largest: float | None = None
    legend: bool = True

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"there is no layout {self.layout!r}; it is one of {', '.join(LAYOUTS)}")
        if self.magnitude not in MAGNITUDES:
            raise ValueError(
                f"there is no magnitude {self.magnitude!r}; it is one of {', '.join(MAGNITUDES)}"
            )
        if self.largest is not None and not 0 < self.largest < float("inf"):
            raise ValueError(
                f"largest is {self.largest}; give the pixels that have the full colour, such as 10"
            )


def open_painter(
    video: Video, flow: FlowMaker | StoredFlow | Literal["lucas_kanade"], look: Look, short_side: int | None
) -> FieldPainter | TrackPainter:
    """Who draws what `flow` is."""
    if isinstance(flow, str):
        return TrackPainter(video, look, short_side)
    return FieldPainter(video, flow, look, short_side)


class FieldPainter:
    """Dense flow in pictures."""

    def __init__(
        self, video: Video, flow: FlowMaker | StoredFlow, look: Look, short_side: int | None
    ) -> None:
        self.video, self.flow, self.look, self.short_side = video, flow, look, short_side
        numbers = np.unique(np.linspace(0, len(video) - 2, _SAMPLES).round().astype(int))
        largest = look.largest
        if largest is None:
            sample = torch.cat([self.pair(int(number))[1] for number in numbers])
            largest = nice_length(largest_motion(sample))
        self.largest = largest
        self.what, self.size = flow.method or "flow", _size(video, short_side)

    def pair(self, number: int) -> tuple[Tensor, Tensor]:
        """A frame `(1, 3, h, w)` and its flow `(1, 2, h, w)`."""
        number = min(number, len(self.video) - 2)
        frames = self.video.frames([number, number + 1], short_side=self.short_side)
        if isinstance(self.flow, StoredFlow):
            return frames[:1], self.flow.fields([number])
        return frames[:1], self.flow(frames[:1], frames[1:]).cpu()

    def all(self) -> Iterator[Tensor]:
        """Every frame's picture."""
        last = len(self.video) - 1
        clips = [range(start, min(start + _SAMPLES, last) + 1) for start in range(0, last, _SAMPLES)]
        for numbers, frames in zip(clips, self.video.clips(clips, short_side=self.short_side), strict=True):
            if isinstance(self.flow, StoredFlow):
                fields = self.flow.fields(list(numbers)[:-1])
            else:
                fields = self.flow(frames[:-1], frames[1:]).cpu()
            for frame, field in zip(frames, fields, strict=False):
                yield self.paint(frame, field)
        yield self.paint(frames[-1], fields[-1])

    def at(self, number: int) -> Tensor:
        """One frame's picture."""
        frame, field = self.pair(number)
        return self.paint(frame[0], field[0], legend=False)

    def paint(self, frame: Tensor, field: Tensor, *, legend: bool = True) -> Tensor:
        """Frame `(3, h, w)` and flow `(2, h, w)` -> picture `(3, H, W)`."""
        look, largest = self.look, self.largest
        size = legible_size(*frame.shape[1:])
        if look.layout == "frame":
            colours = enlarge(lay_over(frame, field, largest=largest), size)
        else:
            colours = colour_flow(field[None], largest=largest, magnitude=look.magnitude)[0]
            colours = enlarge(colours, size)
        if look.arrows and look.layout != "beside":
            dark = look.layout == "flow" and look.magnitude == "saturation"
            ink = (12, 14, 18) if dark else (255, 255, 255)
            colours = draw_arrows(colours, field, largest=largest, colour=ink)
        if legend and look.legend:
            colours = draw_legend(colours, largest=largest, magnitude=look.magnitude)
        if look.layout != "beside":
            return colours
        frame = enlarge(frame, size)
        if look.arrows:
            frame = draw_arrows(frame, field, largest=largest)
        side = 2 if size[1] >= size[0] / 2 else 1
        return torch.cat([frame, colours], dim=side)


class TrackPainter:
    """Points that are followed, with tails; new ones are looked for where old ones are lost."""

    def __init__(self, video: Video, look: Look, short_side: int | None) -> None:
        self.video, self.look, self.short_side = video, look, short_side
        self.what, self.size = TRACKS, _size(video, short_side)
        self.largest = look.largest or nice_length(self._fastest())

    def _fastest(self) -> float:
        numbers = np.unique(np.linspace(0, len(self.video) - 2, _SAMPLES).round().astype(int)).tolist()
        steps = [torch.zeros(1, 2)]
        for pair in self.video.clips([[n, n + 1] for n in numbers], short_side=self.short_side):
            tracks, alive = track_points(pair, count=_POINTS)
            steps.append((tracks[1] - tracks[0])[alive[1]])
        # Single points are lost and found elsewhere now and then; that is no motion.
        return largest_motion(torch.cat(steps).T[None, :, :, None], quantile=0.8)

    def all(self) -> Iterator[Tensor]:
        """Every frame's picture."""
        frames = self.video.clips([[n] for n in range(len(self.video))], short_side=self.short_side)
        yield from self._painted(frames)

    def at(self, number: int) -> Tensor:
        """One frame's picture."""
        first = max(min(number, len(self.video) - 2) - _TAIL, 0)
        frames = self.video.frames(range(first, number + 1), short_side=self.short_side)
        *_, last = self._painted(iter(frames[:, None]), legend=False)
        return last

    def _painted(self, frames: Iterator[Tensor], *, legend: bool = True) -> Iterator[Tensor]:
        history: deque[Tensor] = deque(maxlen=_TAIL + 1)  # (n, 2) each; NaN where a point wasn't yet
        before: Tensor | None = None
        for number, frame in enumerate(frames):
            if before is not None:
                tracks, alive = track_points(torch.cat([before, frame]), history[-1])
                history.append(tracks[1])
                for place, points in enumerate(history):
                    history[place] = points[alive[1]]
            if number % _RENEW_EVERY == 0:
                _add_points(history, frame)
            before = frame
            yield self._paint(frame[0], torch.stack(list(history)), legend=legend)

    def _paint(self, frame: Tensor, tracks: Tensor, *, legend: bool) -> Tensor:
        size = legible_size(*frame.shape[1:])
        picture = draw_tracks(
            enlarge(frame, size),
            tracks.nan_to_num(),
            ~tracks.isnan().any(dim=2),
            largest=self.largest,
            tail=_TAIL,
            scale=size[0] / frame.shape[1],
        )
        return draw_legend(picture, largest=self.largest) if legend and self.look.legend else picture


def _add_points(history: deque[Tensor], frame: Tensor) -> None:
    """Look for new points that are not near the old ones."""
    found = track_points(frame, count=_POINTS)[0][0]
    if not history:
        history.append(found)
        return
    known = history[-1]
    if len(known) and len(found):
        found = found[torch.cdist(found, known).amin(dim=1) > 7]
    found = found[: max(_POINTS - len(known), 0)]
    for place, points in enumerate(history):
        fresh = found if place == len(history) - 1 else torch.full_like(found, float("nan"))
        history[place] = torch.cat([points, fresh])


def _size(video: Video, short_side: int | None) -> str:
    height, width = video.frames([0], short_side=short_side).shape[2:]
    return f"{width}x{height}"


def legible_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns, enlarged by a whole number where letters couldn't be read."""
    scale = legible_scale(height, width, beside=2)
    return height * scale, width * scale
