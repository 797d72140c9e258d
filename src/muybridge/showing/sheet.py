"""A contact sheet: frames of a few clips of each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from muybridge.data.figures.formats import Shares
from muybridge.files import appearing
from muybridge.ink import PALETTE, font_file, load_font, writable
from muybridge.showing.reading import CLIPS, Example, Shown, scaled
from muybridge.types import VideoError
from muybridge.video.reader import Video
from muybridge.viz import ellipsis

MOST_CLASSES = 60
FRAMES = 6  # of each clip
HEIGHT = 90  # pixels of a frame
_GROUND, _INK = (250, 250, 248), (24, 26, 30)


def contact_sheet(
    shown: Shown, out: Path, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Draw frames of a few clips of each class, in the order of time, under the name of the class.

    Args:
        shown: From `look_at`; of more than 60 classes, the first 60 are drawn.
        out: The PNG file to write.
        progress: Called with (classes done, classes in all).

    Raises:
        ValueError: No class has an example that can be read.
    """
    labels = list(shown.examples)[:MOST_CLASSES]
    strips: dict[str, list[Image.Image]] = {}
    for done, label in enumerate(labels, 1):
        strips[label] = _strips(shown.examples[label])
        progress(done, len(labels))
    widths = [strip.width for found in strips.values() for strip in found]
    if not widths:
        raise ValueError("not one video can be read; try: muybridge data check")
    gap, head = 14, 26
    cell_w, rows = max(widths), max(len(found) for found in strips.values())
    cell_h = head + rows * (HEIGHT + 3)
    columns = max(1, min(len(labels), round((len(labels) * cell_h * 1.5 / cell_w) ** 0.5)))
    lines = -(-len(labels) // columns)
    sheet = Image.new("RGB", (columns * (cell_w + gap) + gap, lines * (cell_h + gap) + gap), _GROUND)
    draw = ImageDraw.Draw(sheet)
    for number, label in enumerate(labels):
        left = gap + number % columns * (cell_w + gap)
        top = gap + number // columns * (cell_h + gap)
        name = writable(label, number)
        font = load_font(font_file(name), 18)
        draw.text((left, top + 18), ellipsis(name, font, cell_w), fill=_INK, font=font, anchor="ls")
        for row, strip in enumerate(strips[label]):
            sheet.paste(strip, (left, top + head + row * (HEIGHT + 3)))
    with appearing(out) as temporary:
        sheet.save(temporary, "PNG")
    return out


def _strips(examples: Sequence[Example]) -> list[Image.Image]:
    """Frames of the first clips that can be read, side by side."""
    strips: list[Image.Image] = []
    for example in examples[: 3 * CLIPS]:
        if len(strips) == CLIPS:
            break
        try:
            strips.append(_strip(example))
        except VideoError:
            continue
    return strips


def _strip(example: Example) -> Image.Image:
    with Video(example.path) as video:
        start_s = example.start_s or 0.0
        end_s = min(video.meta.duration_s, example.end_s or video.meta.duration_s)
        times = start_s + (np.arange(FRAMES) + 0.5) * max(0.0, end_s - start_s) / FRAMES
        frames = video.frames_at(times)
    width = max(1, round(HEIGHT * frames.shape[3] / frames.shape[2]))
    strip = Image.new("RGB", (FRAMES * (width + 2) - 2, HEIGHT), _GROUND)
    region = (0.0, 0.0, 1.0, 1.0) if example.box is None else _round_box(example.box)
    for place, frame in enumerate(frames):
        picture = Image.fromarray(frame.permute(1, 2, 0).numpy())
        picture = picture.resize((width, HEIGHT), box=scaled(region, *picture.size))
        if example.box is not None and place == FRAMES // 2:
            left, top, right, bottom = region
            sides = (right - left, bottom - top) * 2
            inside = [(b - r) / side for b, r, side in zip(example.box, (left, top) * 2, sides, strict=True)]
            corners = scaled((inside[0], inside[1], inside[2], inside[3]), width, HEIGHT)
            ImageDraw.Draw(picture).rectangle(corners, outline=PALETTE[1], width=2)
        strip.paste(picture, (place * (width + 2), 0))
    return strip


def _round_box(box: Shares) -> Shares:
    """The part of the picture, of the same shape, in which a box fills two thirds of the height or width."""
    left, top, right, bottom = box
    side = min(1.0, 1.5 * max(right - left, bottom - top))
    x, y = (min(max((a + b - side) / 2, 0.0), 1.0 - side) for a, b in ((left, right), (top, bottom)))
    return x, y, x + side, y + side
