"""The flow of one video, written in parts, so that work which was killed goes on, and several processes can share it.

Memory is that of one part whatever the length of the video. A part is closed on the disk, read back and compared with
the flow; its line in `parts.jsonl` then says that it is done. Parts are cut at the same fields whatever happened on the
way and whoever made them, so the result is the same to the byte.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from muybridge.flow.methods import FlowMaker
from muybridge.flow.planes import Facts
from muybridge.flow.scale import from_levels, to_levels
from muybridge.flow.shelves import FilmShelf, ImageShelf
from muybridge.flow.store import VERSION
from muybridge.flow.storing import Measured, Storing
from muybridge.types import VideoError
from muybridge.video.reader import Video
from muybridge.video.reencode import smaller

_PART_PIXELS, _STEP = 1 << 22, 12
_PARTS_FILE = "parts.jsonl"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some neighbouring fields of a video, made and written at once.

    Attributes:
        start: The first field.
        stop: The field after the last one.
        number: Its place among the parts.
        shelf: Where it is put.
        short_side: Of the frames that it is made of.
    """

    start: int
    stop: int
    number: int
    shelf: FilmShelf | ImageShelf
    short_side: int | None

    @property
    def frames(self) -> range:
        """The frames that it is made of."""
        return range(self.start, self.stop + 1)

    def make(self, frames: Tensor, maker: FlowMaker, progress: Callable[[int, int], None]) -> Measured:
        """Compute it, write it, and note that it is whole.

        Args:
            frames: uint8 `(n, 3, h, w)`, those of `frames`.
            maker: How flow is computed.
            progress: Called with fields done and fields in the part; what it raises ends the work.
        """
        flow = maker(frames[:-1], frames[1:], progress=progress).cpu()
        found = _put(self.shelf, self.number, self.start, flow)
        line = json.dumps({"part": self.number} | asdict(found)) + "\n"
        # One write to the end of the file: processes that make other parts do the same.
        with (self.shelf.work / _PARTS_FILE).open("a", encoding="utf-8") as file:
            file.write(line)
        return found


class Parts:
    """The flow of one video on its way: what is whole in `work`, and what is left to do.

    Args:
        video: The video.
        method: How flow is computed.
        storing: How it is stored.
        work: A folder for parts; what an interrupted call left in it is used if it was made of the same video in the
            same way.
        identity: What else is kept with the flow; see `store_flow`.

    Attributes:
        fields: Fields in all.

    Raises:
        VideoError: The video has one frame only.
        OSError: The folder can't be written into.
    """

    def __init__(
        self, video: Video, method: str, storing: Storing, *, work: Path, identity: Facts | None
    ) -> None:
        if len(video) < 2:
            raise VideoError(f"{video.name}: has a single frame; flow is made of two or more")
        self._short_side = smaller(video, storing.short_side)
        self._facts = _facts_of(video, method, storing, self._short_side) | (identity or {})
        self._shelf = (FilmShelf if storing.format == "video" else ImageShelf)(work, self._facts)
        self.fields = len(video) - 1
        _begin(work, self._facts)

    def left(self) -> list[Part]:
        """What is not there yet, in order."""
        done = _ready(self._shelf.work)
        length = part_length(self._facts["height"], self._facts["width"])
        return [
            Part(
                start=start,
                stop=min(start + length, self.fields),
                number=number,
                shelf=self._shelf,
                short_side=self._short_side,
            )
            for number, start in enumerate(range(0, self.fields, length))
            if number not in done
        ]

    @property
    def ready(self) -> int:
        """Fields that are whole."""
        return sum(part.fields for part in _ready(self._shelf.work).values())

    def finish(self, target: Path) -> Measured:
        """Let the flow appear, all parts being whole; `work` is gone then."""
        found = Measured()
        done = _ready(self._shelf.work)
        for _, part in sorted(done.items()):
            found.add(part)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._shelf.finish(target, len(done), self._facts | {"measured": asdict(found)})
        shutil.rmtree(self._shelf.work, ignore_errors=True)
        found.bytes = size_of(target)
        return found


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
    parts = Parts(video, maker.method, storing or Storing(), work=work, identity=identity)
    make_parts(parts.left(), video, maker, parts.ready, parts.fields, proceed=proceed, progress=progress)
    return parts.finish(target)


def make_parts(
    parts: Sequence[Part],
    video: Video,
    maker: FlowMaker,
    ready: int,
    total: int,
    *,
    proceed: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Make some parts of a video's flow, in order.

    Args:
        parts: Which, of `Parts.left`.
        video: The video.
        maker: How flow is computed.
        ready: Fields that were there before.
        total: Fields in all.
        proceed: Called before every chunk of pairs.
        progress: Called with fields done and fields in all.
    """

    def step(pairs: int, _: int) -> None:
        proceed()
        if progress is not None:
            progress(ready + pairs, total)

    step(0, 0)
    # A part is read at once, with the frame that the next one begins with: no frame is decoded twice.
    short_side = parts[0].short_side if parts else None
    clips = video.clips([part.frames for part in parts], short_side=short_side)
    for part, frames in zip(parts, clips, strict=True):
        ready += part.make(frames, maker, step).fields


def part_length(height: int, width: int) -> int:
    """Fields in a part: at most so many are made again after a kill. 48 at 340x256, never more than 240."""
    return _STEP * min(max(_PART_PIXELS // (height * width * _STEP), 1), 20)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size


def _facts_of(video: Video, method: str, storing: Storing, short_side: int | None) -> Facts:
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
        "method": method,
        "source": video.source.name if video.source else video.name,
    } | storing.facts()


def _begin(work: Path, facts: Facts) -> None:
    """Make `work` a folder for this flow. Parts of another video or another way are thrown away."""
    path = work / _PARTS_FILE
    rows = _rows(path)
    if not rows or rows[0] != facts:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        rows = [facts]
    # Written anew: the next line must not continue one that was cut off.
    fresh = path.with_suffix(".part")
    fresh.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    fresh.replace(path)


def _ready(work: Path) -> dict[int, Measured]:
    """The parts that are whole in `work`, by number."""
    rows = _rows(work / _PARTS_FILE)[1:]
    return {row["part"]: Measured(**{name: row[name] for name in row if name != "part"}) for row in rows}


def _rows(path: Path) -> list[Facts]:
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:  # cut off by a crash: a part that is made again
            continue
    return rows


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
