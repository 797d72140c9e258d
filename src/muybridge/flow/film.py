"""The flow of a whole video as a film or as one picture, made as the frames come, in the memory of a few of them.

with Video("a.mp4") as video:
film_flow(video, Path("flow.mp4"), open_method("tvl1"), look=Look(layout="beside"))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from muybridge.files import appearing
from muybridge.flow.methods import FlowMaker
from muybridge.flow.painters import FieldPainter, Look, TrackPainter, open_painter
from muybridge.flow.picture import wheel_image
from muybridge.flow.store import StoredFlow
from muybridge.ink import clock, load_font
from muybridge.types import VideoError
from muybridge.video.reader import Video
from muybridge.video.reencode import smaller
from muybridge.video.writer import VideoWriter

Progress = Callable[[int, int], None]

_CELLS = 6


def film_flow(
    video: Video,
    out: Path,
    flow: FlowMaker | StoredFlow | Literal["lucas_kanade"],
    *,
    look: Look | None = None,
    short_side: int | None = 256,
    progress: Progress | None = None,
) -> Path:
    """Show the flow of a video: as a film that keeps its timing and sound, or as one picture of six moments.

    The last frame shows the flow that led to it. Pictures too small for text are enlarged by a whole number.

    Args:
        video: The video, of any length.
        out: `.mp4` or `.png`; it appears when it is complete.
        flow: How flow is computed, or where it is stored; or `lucas_kanade`: single points followed, with tails.
        look: How it is shown; None: the default.
        short_side: Length of the shorter side of the pictures that flow is made of, in pixels; smaller videos keep
            their size. Stored flow has its own.
        progress: Called with frames drawn and frames in all.

    Returns:
        `out`.

    Raises:
        VideoError: The video can't be read or has one frame only; `out` can't be written.
        ValueError: `out` is the video itself, or neither a film nor a picture.
    """
    look = look or Look()
    if out.suffix.lower() not in (".mp4", ".m4v", ".png"):
        raise ValueError(f"{out}: wanted a film (.mp4) or a picture (.png)")
    if video.source is not None and out.exists() and out.samefile(video.source):
        raise ValueError(f"{out} is the video to be read; give the film of its flow another name")
    if len(video) < 2:
        raise VideoError(f"{video.name}: has a single frame; flow is made of two or more")
    if isinstance(flow, StoredFlow):
        flow.check_frames(len(video))
        short_side = flow.short_side
    else:
        short_side = smaller(video, short_side)
    painter = open_painter(video, flow, look, short_side)
    if out.suffix.lower() == ".png":
        return _write_sheet(video, out, painter, progress)
    meta = video.meta
    audio = video.source if video.source is not None and meta.has_audio else None
    with VideoWriter(out, fps=meta.fps, audio_from=audio) as writer:
        for done, (picture, time_s) in enumerate(zip(painter.all(), video.times_s, strict=False), 1):
            writer.write(picture, float(time_s))
            if progress is not None:
                progress(done, len(video))
    return out


def _write_sheet(
    video: Video, out: Path, painter: FieldPainter | TrackPainter, progress: Progress | None
) -> Path:
    """Moments of a video in two columns, with the legend below them."""
    numbers = np.unique(np.linspace(0, len(video) - 2, _CELLS).round().astype(int)).tolist()
    cells = []
    for done, number in enumerate(numbers, 1):
        cells.append(painter.at(number))
        if progress is not None:
            progress(done, len(numbers))
    height, width = cells[0].shape[1:]
    em, gap = max(round(height / 24), 13), 4
    columns = min(2 if width > 1.5 * height else 3, len(cells))
    rows = -(-len(cells) // columns)
    foot = round(5 * em) if painter.look.legend else 0
    size = (columns * (width + gap) - gap, rows * (height + gap) - gap + foot)
    sheet = Image.new("RGB", size, (255, 255, 255))
    draw, font = ImageDraw.Draw(sheet), load_font(None, em)
    for place, (number, cell) in enumerate(zip(numbers, cells, strict=True)):
        left, top = place % columns * (width + gap), place // columns * (height + gap)
        sheet.paste(Image.fromarray(cell.permute(1, 2, 0).numpy()), (left, top))
        _tag(draw, clock(float(video.times_s[number])), (left, top), em)
    if foot:
        top = size[1] - foot + em // 2
        wheel = wheel_image(4 * em, painter.look.magnitude)
        sheet.paste(wheel, (em // 2, top), wheel)
        said = f"{painter.what} at {painter.size}; full colour: {painter.largest:g} px from frame to frame, or more"
        draw.text((5 * em, top + 2 * em), said, fill=(12, 14, 18), font=font, anchor="lm")
    with appearing(out) as temporary:
        sheet.save(temporary, "PNG")
    return out


def _tag(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], em: int) -> None:
    font = load_font(None, em)
    left, top = corner
    box = (left, top, left + round(font.getlength(text)) + em, top + round(1.6 * em))
    draw.rectangle(box, fill=(12, 14, 18))
    draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, (255, 255, 255), font, anchor="mm")
