"""Annotations played onto the video that they are of: labels, a timeline, boxes with persons and actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from muybridge.data.figures.formats import Shares
from muybridge.ink import PALETTE, Colour, clock, font_file, label_colours, legible_scale, load_font, writable
from muybridge.showing.reading import Shown, Track, scaled
from muybridge.video.reader import Video
from muybridge.video.writer import VideoWriter
from muybridge.viz import enlarge

_GREY, _BAR = (120, 124, 130), (12, 14, 18)


def play(shown: Shown, out: Path, *, progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
    """Write the sample with its annotations on it: what is on now, a timeline, and boxes with persons and actions.

    Args:
        shown: From `look_at`.
        out: The MP4 file to write.
        progress: Called with (frames done, frames in all).

    Raises:
        VideoError: The sample can't be read, or `out` can't be written.
    """
    with Video(shown.sample) as video:
        meta = video.meta
        scale = legible_scale(meta.height, meta.width)
        drawing = _Drawing(shown, meta.duration_s, meta.height * scale, meta.width * scale)
        audio = shown.sample if meta.has_audio else None
        with VideoWriter(out, fps=meta.fps, audio_from=audio) as writer:
            for done, (frame, time_s) in enumerate(zip(video, video.times_s, strict=False), 1):
                writer.write(drawing.on(enlarge(frame, scale), float(time_s)), float(time_s))
                progress(done, len(video))
    return out


class _Drawing:
    """What is drawn on every frame of one video."""

    def __init__(self, shown: Shown, duration_s: float, height: int, width: int) -> None:
        self.tracks, self.duration_s = shown.tracks, duration_s
        self.em = max(13, round(height / 22))
        self.font = load_font(None, self.em)
        happens = dict.fromkeys(track.label for track in shown.tracks)
        self.colours = label_colours(shown.labels, happens)
        self.names = {label: writable(label, n) for n, label in enumerate(shown.labels)}
        self.boxed = any(track.boxes for track in shown.tracks)
        self.bar = self._bar(width)

    def on(self, frame: Tensor, time_s: float) -> Tensor:
        """The frame, uint8 (3, h, w), with the annotations of that moment."""
        picture = Image.fromarray(frame.permute(1, 2, 0).numpy())
        draw = ImageDraw.Draw(picture)
        now = [track for track in self.tracks if track.start_s <= time_s < track.end_s]
        if self.boxed:
            self._persons(draw, picture, now, time_s)
        else:
            self._panel(draw, list(dict.fromkeys(track.label for track in now)), time_s)
        top = picture.height - self.bar.height
        picture.paste(self.bar, (0, top))
        at = round(time_s / max(self.duration_s, 1e-9) * (picture.width - 1))
        draw.rectangle((at - 2, top - 4, at + 2, picture.height), fill=_BAR)
        draw.rectangle((at - 1, top - 3, at + 1, picture.height), fill=(255, 255, 255))
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)

    def _bar(self, width: int) -> Image.Image:
        """A row per person, or one, in which time runs from left to right."""
        persons = sorted({-1 if track.person is None else track.person for track in self.tracks}) or [-1]
        row = max(8, self.em // 2)
        bar = Image.new("RGB", (width, row * len(persons)), _BAR)
        draw = ImageDraw.Draw(bar)
        for track in self.tracks:
            place = persons.index(-1 if track.person is None else track.person)
            end_s = min(track.end_s, self.duration_s)
            left, right = (round(t / max(self.duration_s, 1e-9) * width) for t in (track.start_s, end_s))
            box = (left, place * row + 1, max(left, right - 2), (place + 1) * row - 2)
            draw.rectangle(box, fill=self.colours[track.label])
        return bar

    def _panel(self, draw: ImageDraw.ImageDraw, labels: Sequence[str], time_s: float) -> None:
        texts = [self.names[label] for label in labels] or ["background"]
        colours: list[Colour] = [self.colours[label] for label in labels] or [_GREY]
        for number, (text, colour) in enumerate(zip(texts, colours, strict=True)):
            self._tag(draw, 0.5 * self.em, (0.5 + 1.7 * number) * self.em, text, colour)
        self._tag(draw, 0.5 * self.em, (0.5 + 1.7 * len(texts)) * self.em, clock(time_s), _BAR)

    def _persons(
        self, draw: ImageDraw.ImageDraw, picture: Image.Image, now: Sequence[Track], time_s: float
    ) -> None:
        boxes: dict[tuple[int | None, Shares], list[str]] = {}
        for track in now:
            if track.boxes:
                share = (time_s - track.start_s) / (track.end_s - track.start_s)
                box = track.boxes[min(int(share * len(track.boxes) + 1e-6), len(track.boxes) - 1)]
                boxes.setdefault((track.person, box), []).append(self.names[track.label])
        for (person, box), labels in boxes.items():
            colour = PALETTE[(person or 0) % len(PALETTE)]
            corners = scaled(box, *picture.size)
            draw.rectangle(corners, outline=colour, width=max(2, self.em // 7))
            text = ("" if person is None else f"{person}: ") + " + ".join(labels)
            width = self.font.getlength(text) + 0.6 * self.em
            left = min(max(corners[0], 0), picture.width - width)
            self._tag(draw, left, max(corners[1] - 1.4 * self.em, 0), text, colour)

    def _tag(self, draw: ImageDraw.ImageDraw, left: float, top: float, text: str, colour: Colour) -> None:
        font = load_font(font_file(text), self.em)
        right = left + font.getlength(text) + 0.6 * self.em
        draw.rectangle((left, top, right, top + 1.4 * self.em), fill=colour)
        # Black or white, whichever is read better on that colour.
        light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140
        ink = (0, 0, 0) if light else (255, 255, 255)
        draw.text((left + 0.3 * self.em, top + 1.07 * self.em), text, fill=ink, font=font, anchor="ls")
