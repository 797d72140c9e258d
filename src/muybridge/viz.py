"""Answers drawn on the video they are about: a panel of labels, a timeline, a strip of small frames.

Panels are drawn once per window and blended into the frames that it speaks for, so a long video costs little
more than reading and writing it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from muybridge.ink import (
    Colour,
    Stretch,
    answer_colours,
    font_file,
    label_colours,
    legible_scale,
    load_font,
    ranked,
    stretch_at,
    stretches,
    writable,
)
from muybridge.types import Score, Window
from muybridge.video.reader import Video
from muybridge.video.writer import VideoWriter

_GROUND, _TRACK, _WHITE, _GREY = (12, 14, 18, 178), (74, 79, 88, 215), (255, 255, 255), (214, 218, 224)
_STRIP_ASPECT = 20


def annotate(
    video: Video,
    out: Path,
    *,
    top: Sequence[Score],
    labels: Sequence[str],
    windows: Sequence[Window] = (),
    max_labels: int = 3,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a copy of a video with its answer drawn on every frame; timing and sound are kept.

    Frames are read, drawn and written one at a time, so memory does not grow with the length. Videos too
    small for text are enlarged by a whole number (see `legible_scale`).

    Args:
        video: The video, of any length.
        out: The MP4 file to write; it appears when it is complete.
        top: The answer for the whole video, best first; shown when there are no windows.
        labels: All labels (`k`), which fix the colours.
        windows: The answer over time. Each frame shows the window whose centre is nearest, and a timeline
            runs along the bottom, coloured by the winning label.
        max_labels: Rows of the panel.
        progress: Called with (frames written, frames in all) after each frame.

    Returns:
        `out`.

    Raises:
        ValueError: If `out` is the video itself, or a window has not one score per label.
        VideoError: If the video can't be read or `out` can't be written.
    """
    out = Path(out)
    if video.source is not None and out.exists() and out.samefile(video.source):
        raise ValueError(f"{out} is the video to be read; give the annotated copy another name")
    meta = video.meta
    scale = legible_scale(meta.height, meta.width)
    size = (meta.height * scale, meta.width * scale)
    drawing = _Drawing(size, labels, top, windows, meta.duration_s, max_labels)
    audio = video.source if video.source is not None and meta.has_audio else None
    with VideoWriter(out, fps=meta.fps, audio_from=audio) as writer:
        for index, (frame, time_s) in enumerate(zip(video, video.times_s, strict=False), start=1):
            writer.write(drawing.on(enlarge(frame, scale), float(time_s)), float(time_s))
            if progress is not None:
                progress(index, len(video))
    return out


def draw_panel(
    frame: Tensor,
    scores: Sequence[Score],
    *,
    colours: Mapping[str, Colour] | None = None,
    width: int | None = None,
) -> Tensor:
    """Draw label names with score bars in the upper left corner.

    Args:
        frame: Pixels, uint8 (3, h, w).
        scores: The rows, from top to bottom. Rows that don't fit in the frame are left out.
        colours: Colour of each label's bar; by default the palette in the order of `scores`.
        width: Width of the panel in pixels; by default as wide as its text, up to 60 % of a wide frame.

    Returns:
        A new frame, uint8 (3, h, w).
    """
    drawn = frame.clone()
    names = [score.label for score in scores]
    patch = _panel(scores, colours or label_colours(names), drawn.shape[1], drawn.shape[2], width)
    if patch is not None:
        patch.blend(drawn)
    return drawn


def thumbnail_strip(video: Video, *, height: int = 96, count: int | None = None) -> bytes:
    """Small frames of the video side by side, from evenly spaced moments, as one JPEG picture.

    Args:
        video: The video.
        height: Height of the strip in pixels.
        count: Number of frames; by default as many as make the strip 20 times as wide as high.

    Returns:
        The bytes of a JPEG file.
    """
    aspect = video.meta.width / video.meta.height
    count = count or min(max(round(_STRIP_ASPECT / aspect), 4), 40)
    times = (np.arange(count) + 0.5) * video.meta.duration_s / count
    frames = video.frames_at(times, short_side=min(height, max(round(height * aspect), 1)))
    cell = (max(round(height * aspect), 1), height)
    strip = Image.new("RGB", (cell[0] * count, height))
    for index, frame in enumerate(frames):
        picture = Image.fromarray(frame.permute(1, 2, 0).numpy())
        strip.paste(picture if picture.size == cell else picture.resize(cell), (cell[0] * index, 0))
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=85)
    return file.getvalue()


def enlarge(frame: Tensor, scale: int) -> Tensor:
    """A copy of a frame, uint8 (c, h, w), `scale` times as high and wide (bilinear)."""
    if scale == 1:
        return frame.clone()
    size = (frame.shape[1] * scale, frame.shape[2] * scale)
    return F.interpolate(frame[None], size=size, mode="bilinear", align_corners=False)[0].contiguous()


class _Drawing:
    """What is drawn on the frames of one video; keeps the panel of the window that is on."""

    def __init__(
        self,
        size: tuple[int, int],
        labels: Sequence[str],
        top: Sequence[Score],
        windows: Sequence[Window],
        duration_s: float,
        max_labels: int,
    ) -> None:
        self.duration_s = duration_s
        self.parts = stretches(windows, duration_s)
        self.rows = [ranked(part.window.scores, labels, max_labels) for part in self.parts]
        self.rows = self.rows or [list(top[:max_labels])]
        shown = dict.fromkeys(score.label for score in chain.from_iterable(self.rows))
        self.colours = answer_colours(labels, windows, top, shown)
        self.names = _shown_names(labels, shown)
        # One width for all panels: a box that changes with every window flickers.
        self.width = _panel_width(list(self.names.values()), *size)
        self.strip = _timeline(self.parts, labels, self.colours, duration_s, *size) if windows else None
        self.panel: _Patch | None = None
        self.current = -1

    def on(self, frame: Tensor, time_s: float) -> Tensor:
        """Draw on a frame, in place."""
        index = stretch_at(self.parts, time_s)
        if index != self.current:
            height, width = frame.shape[1:]
            self.panel = _panel(self.rows[index], self.colours, height, width, self.width, self.names)
            self.current = index
        if self.panel is not None:
            self.panel.blend(frame)
        if self.strip is not None:
            self.strip.blend(frame)
            _play_head(frame, self.strip, time_s / max(self.duration_s, 1e-9))
        return frame


@dataclass(frozen=True, slots=True)
class _Patch:
    """A drawn rectangle and where it goes; `ink` is colour times alpha, `rest` is 255 minus alpha."""

    top: int
    left: int
    ink: npt.NDArray[np.uint16]  # (3, h, w)
    rest: npt.NDArray[np.uint16]  # (1, h, w)

    @classmethod
    def of(cls, picture: Image.Image, top: int, left: int) -> _Patch:
        rgba = np.asarray(picture, dtype=np.uint16).transpose(2, 0, 1)
        return cls(top, left, rgba[:3] * rgba[3:], 255 - rgba[3:])

    def blend(self, frame: Tensor) -> None:
        height, width = self.ink.shape[1:]
        region = frame.numpy()[:, self.top : self.top + height, self.left : self.left + width]
        mixed = region * self.rest + self.ink
        region[:] = (mixed + 128 + (mixed >> 8)) >> 8  # mixed / 255, rounded, without a division


def _em(height: int, width: int) -> int:
    """Font size for a frame: a twenty-fourth of its height, less when it is narrow; 13 pixels can be read."""
    return max(round(min(height, 0.75 * width) / 24), 13)


def _shown_names(labels: Sequence[str], shown: Iterable[str]) -> dict[str, str]:
    places = {label: index for index, label in enumerate(labels)}
    return {label: writable(label, places.get(label, index)) for index, label in enumerate(shown)}


def _panel_width(texts: Sequence[str], height: int, width: int) -> int:
    em = _em(height, width)
    longest = max((load_font(font_file(text), em).getlength(text) for text in texts), default=0.0)
    percent = load_font(None, em).getlength("100%")
    return round(min(max(longest + percent + 2.6 * em, 8 * em), max(0.6 * width, 20 * em), width - em))


def _panel(
    scores: Sequence[Score],
    colours: Mapping[str, Colour],
    height: int,
    width: int,
    panel_width: int | None = None,
    names: Mapping[str, str] | None = None,
) -> _Patch | None:
    """The box with label names and bars for a frame of that size; None if it holds no row."""
    em = _em(height, width)
    pad, row, margin = round(0.55 * em), round(1.8 * em), round(0.5 * em)
    names = names or _shown_names([], [score.label for score in scores])
    rows = scores[: max((height - 2 * margin - 2 * pad) // row, 0)]
    if not rows:
        return None
    panel_width = min(panel_width or _panel_width(list(names.values()), height, width), width - 2 * margin)
    picture = Image.new("RGBA", (panel_width, len(rows) * row + 2 * pad))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, picture.width - 1, picture.height - 1), em // 3, fill=_GROUND)
    right, bar_height = picture.width - pad - 1, max(em // 4, 2)
    for index, (label, score) in enumerate(rows):
        top = pad + index * row
        ink = _WHITE if index == 0 else _GREY
        percent, font = _percent(score), load_font(None, em)
        baseline, bar = top + round(1.0 * em), top + round(1.3 * em)
        draw.text((right, baseline), percent, fill=ink, font=font, anchor="rs")
        room = right - pad - font.getlength(percent) - 0.6 * em
        name = names.get(label, label)
        font = load_font(font_file(name), em)
        draw.text((pad, baseline), ellipsis(name, font, room), fill=ink, font=font, anchor="ls")
        draw.rectangle((pad, bar, right, bar + bar_height - 1), fill=_TRACK)
        filled = round(min(max(score, 0.0), 1.0) * (right - pad))
        if filled:
            draw.rectangle((pad, bar, pad + filled, bar + bar_height - 1), fill=colours.get(label, _GREY))
    return _Patch.of(picture, margin, margin)


def ellipsis(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    """`text`, its end replaced by an ellipsis where it is longer than `room` pixels."""
    if font.getlength(text) <= room:
        return text
    kept = len(text)
    while kept and font.getlength(text[:kept].rstrip() + "…") > room:
        kept -= 1
    return text[:kept].rstrip() + "…" if kept else ""


def _percent(score: float) -> str:
    return "<1%" if 0 < score < 0.005 else f"{score:.0%}"


def _timeline(
    parts: Sequence[Stretch],
    labels: Sequence[str],
    colours: Mapping[str, Colour],
    duration_s: float,
    height: int,
    width: int,
) -> _Patch:
    """The strip along the bottom of a frame of that size."""
    em = _em(height, width)
    strip_height = max(round(0.5 * em), 4)
    picture = Image.new("RGBA", (width, strip_height), _GROUND)
    draw = ImageDraw.Draw(picture)
    for part in parts:
        winner = ranked(part.window.scores, labels, 1)[0].label
        left = round(part.start_s / max(duration_s, 1e-9) * width)
        right = round(part.end_s / max(duration_s, 1e-9) * width)
        if right > left:
            draw.rectangle((left, 0, right - 1, strip_height - 1), fill=(*colours[winner], 235))
    draw.line((0, 0, width, 0), fill=(0, 0, 0, 200))
    return _Patch.of(picture, max(height - strip_height, 0), 0)


def _play_head(frame: Tensor, strip: _Patch, share: float) -> None:
    """A white line with dark edges across the strip and a little above it."""
    height, width = frame.shape[1:]
    strip_height = strip.ink.shape[1]
    thick = max(strip_height // 4, 2)
    left = round(min(max(share, 0.0), 1.0) * width - thick / 2)
    left = min(max(left, 0), max(width - thick, 0))
    top = max(height - strip_height - max(strip_height // 2, 2), 0)
    frame[:, top:, max(left - 1, 0) : left + thick + 1] = 16
    frame[:, top + 1 :, left : left + thick] = 255
