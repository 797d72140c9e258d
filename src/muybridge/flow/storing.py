"""The flow of one video, written in parts, so that work which was killed goes on at the last whole part.

Memory is that of one part whatever the length of the video. A part is closed on the disk, read back and compared with
the flow before the next one begins; its line in `parts.jsonl` says that it is done. Parts are cut at the same
fields whatever happened on the way, so the result is the same to the byte.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from muybridge.flow.methods import FlowMaker
from muybridge.flow.planes import Facts
from muybridge.flow.scale import BOUND_PX, check_bound, from_levels, to_levels
from muybridge.flow.shelves import FilmShelf, ImageShelf
from muybridge.flow.store import FORMATS, VERSION, Format
from muybridge.types import VideoError
from muybridge.video.reader import Video
from muybridge.video.reencode import smaller

QUALITY = {"video": 10, "jpeg": 95}
_PART_PIXELS, _STEP = 1 << 22, 12
_PARTS_FILE = "parts.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Storing:
    """How flow is stored.

    Attributes:
        format: `video`: a grey film, x above y; `jpeg`: pairs of images in MMAction2's layout.
        short_side: Length of the shorter side of the pictures that flow is made of, in pixels; smaller videos keep
            their size. None: all do.
        bound: Where flow is truncated, in pixels.
        quality: Of a film the quantizer, 0 (lossless) to 51 (worst); of JPEGs 1 (worst) to 100. None: 10 and 95.
    """

    format: Format = "video"
    short_side: int | None = 256
    bound: float = BOUND_PX
    quality: int | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"there is no store format {self.format!r}; it is one of {', '.join(FORMATS)}")
        if self.short_side is not None and self.short_side < 16:
            raise ValueError(f"short_side is {self.short_side}; give 16 pixels or more, for example 256")
        check_bound(self.bound)
        least, most = (0, 51) if self.format == "video" else (1, 100)
        if self.quality is not None and not least <= self.quality <= most:
            said = "0 (lossless) to 51 (worst)" if self.format == "video" else "1 (worst) to 100"
            raise ValueError(
                f"quality is {self.quality}; for {self.format} give {said}, for example {QUALITY[self.format]}"
            )

    def facts(self) -> Facts:
        """What is kept with the flow."""
        quality = QUALITY[self.format] if self.quality is None else self.quality
        return {"bound_px": self.bound, "asked_short_side": self.short_side, "quality": quality}


@dataclass(kw_only=True)
class Measured:
    """How near stored flow is to the flow that was computed.

    Attributes:
        fields: Fields.
        bytes: On the disk.
        values: Displacements, two per pixel and field.
        beyond: How many of them were longer than the bound.
        squares: Sum of squared errors of the others, in square pixels.
        worst_px: The largest error among them, in pixels.
    """

    fields: int = 0
    bytes: int = 0
    values: int = 0
    beyond: int = 0
    squares: float = 0.0
    worst_px: float = 0.0

    def add(self, other: Measured) -> None:
        """Count another part or video in."""
        for name in ("fields", "bytes", "values", "beyond", "squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.worst_px = max(self.worst_px, other.worst_px)

    @property
    def rms_px(self) -> float:
        """Root mean square error of what is within the bound, in pixels."""
        return float((self.squares / max(self.values - self.beyond, 1)) ** 0.5)

    def __str__(self) -> str:
        return (
            f"{self.bytes / 1e6:.2f} MB, {self.bytes / max(self.fields, 1):.0f} bytes per field; error "
            f"{self.rms_px:.3f} px rms, at most {self.worst_px:.2f}; beyond the bound "
            f"{self.beyond / max(self.values, 1):.2%}"
        )


def store_flow(
    video: Video,
    target: Path,
    maker: FlowMaker,
    storing: Storing | None = None,
    *,
    work: Path,
    identity: Facts | None = None,
    proceed: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Compute and store the flow of one video, or go on with it.

    Args:
        video: The video.
        target: Where it appears when it is whole: `NAME.flow.mp4`, or for JPEGs the folder `NAME`.
        maker: How flow is computed.
        storing: How it is stored.
        work: A folder for parts; what an interrupted call left in it is used if it was made of the same video in the
            same way. It is gone when the target appears.
        identity: What else is kept with the flow: which video it is of and in which way it was made, by which work that
            was interrupted is recognized; `source` is the video's name.
        proceed: Called before every chunk of pairs; an exception that it raises ends the work, and what is whole stays.
        progress: Called with fields done and fields in all.

    Raises:
        VideoError: The video can't be read, or has one frame only.
        OSError: The target can't be written.
    """
    storing = storing or Storing()
    if len(video) < 2:
        raise VideoError(f"{video.name}: has a single frame; flow is made of two or more")
    short_side = smaller(video, storing.short_side)
    facts = _facts_of(video, maker, storing, short_side) | (identity or {})
    shelf = (FilmShelf if storing.format == "video" else ImageShelf)(work, facts)
    done = _begun(work, facts)
    total, length = facts["fields"], part_length(facts["height"], facts["width"])
    starts = range(len(done) * length, total, length)
    first = min(len(done) * length, total)

    def step(pairs: int, _: int) -> None:
        proceed()
        if progress is not None:
            progress(first + pairs, total)

    step(0, 0)
    # A part is read at once, with the frame that the next one begins with: no frame is decoded twice.
    clips = [range(start, min(start + length, total) + 1) for start in starts]
    for start, frames in zip(starts, video.clips(clips, short_side=short_side), strict=True):
        first = start
        flow = maker(frames[:-1], frames[1:], progress=step).cpu()
        done.append(_put(shelf, len(done), start, flow))
        with (work / _PARTS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(done[-1])) + "\n")
    found = Measured()
    for part in done:
        found.add(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    shelf.finish(target, len(done), facts | {"measured": asdict(found)})
    shutil.rmtree(work, ignore_errors=True)
    found.bytes = size_of(target)
    return found


def part_length(height: int, width: int) -> int:
    """Fields in a part: at most so many are made again after a kill. 48 at 340x256, never more than 240."""
    return _STEP * min(max(_PART_PIXELS // (height * width * _STEP), 1), 20)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size


def _facts_of(video: Video, maker: FlowMaker, storing: Storing, short_side: int | None) -> Facts:
    height, width = video.frames([0], short_side=short_side).shape[2:]
    rate = min(max(video.fps, Fraction(1, 1000)), Fraction(1000)).limit_denominator(1001)
    return {
        "muybridge_flow": VERSION,
        "layout": "x above y" if storing.format == "video" else "x_00001.jpg, y_00001.jpg",
        "values": "pixels = level * 2 * bound_px / 255 - bound_px",
        "fields": len(video) - 1,
        "height": height,
        "width": width,
        "fps": str(rate),
        "method": maker.method,
        "source": video.source.name if video.source else video.name,
    } | storing.facts()


def _begun(work: Path, facts: Facts) -> list[Measured]:
    """The parts that are whole in `work`. Those of another video or another way are thrown away."""
    path = work / _PARTS_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:  # cut off by a crash: a part that is made again
            break
    if not rows or rows[0] != facts:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        rows = [facts]
    # Written anew: the next line must not continue one that was cut off.
    fresh = path.with_suffix(".part")
    fresh.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    fresh.replace(path)
    return [Measured(**row) for row in rows[1:]]


def _put(shelf: FilmShelf | ImageShelf, number: int, start: int, flow: Tensor) -> Measured:
    bound = float(shelf.facts["bound_px"])
    back = shelf.put(number, start, to_levels(flow, bound=bound))
    found = Measured(fields=len(flow), values=flow.numel())
    for one, levels in zip(flow, back, strict=True):
        within = one.abs() <= bound
        error = (from_levels(levels, bound=bound) - one)[within]
        found.beyond += one.numel() - len(error)
        found.squares += float(error.square().sum())
        found.worst_px = max(found.worst_px, float(error.abs().max()) if len(error) else 0.0)
    return found
