"""Where every frame of a file lies: one pass over the packets, without decoding them.

A container hands out packets in decoding order. From their time stamps follows the order in which frames are
shown, from the key frames the place where decoding must begin for each of them. Where packets carry no time
stamps (AVI), or may hold no picture of their own, one decoding pass finds the same table out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av.error
import numpy as np
from numpy.typing import NDArray

from muybridge.video.bitstream import READABLE, is_clean_start, shows_picture
from muybridge.video.opening import cut_short, open_video, refusal

Ints = NDArray[np.int64]
NO_TIME = np.iinfo(np.int64).min
_KEEP_BYTES = 8 << 20
# Decoders for which dropping was compared, bit by bit, with decoding everything.
_SKIPPABLE = frozenset({"h264", "mpeg4", "vp8", "vp9"})
# One packet is one picture, shown at the packet's time (bitstream.shows_picture knows the exceptions).
_NEVER_REORDERED = frozenset(
    {"mjpeg", "png", "gif", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "ffv1", "dnxhd"}
)
_ONE_TO_ONE = _NEVER_REORDERED | {"h264", "hevc", "vvc", "mpeg4", "vp8", "vp9", "av1", "apng", "prores"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PacketIndex:
    """The table (`p` packets in decoding order, `t` frames in the order they are shown).

    Attributes:
        packets: `(p, 4)` time stamp, decoding time stamp, place and size of each packet, to know it again.
        order: `(t,)` the packet that holds each frame.
        start: `(t,)` the packet at which decoding must begin for each frame.
        times_s: `(t,)` when each frame is shown, in seconds from the first.
        duration_s: Until the last frame ends.
        fps: Rate; the mean one where frames are not evenly spaced.
        variable_frame_rate: Whether they are not.
        promised: How many frames a file that is cut short says it has, in words; None where it is whole.
        skippable: Whether the decoder may be told, packet by packet, to drop what no other picture leans on.
    """

    packets: Ints
    order: Ints
    start: Ints
    times_s: NDArray[np.float64]
    duration_s: float
    fps: Fraction
    variable_frame_rate: bool
    promised: str | None
    skippable: bool

    def __len__(self) -> int:
        return len(self.order)


def build_index(
    container: Any, stream: Any, path: Path, *, max_pixels: int, max_duration_s: float
) -> tuple[PacketIndex, list[Any]]:
    """Read all packets once.

    Returns:
        The index, and the packets themselves if they are few enough to keep (else an empty list).

    Raises:
        VideoError: No frame at all, or the video is longer than `max_duration_s`.
    """
    table = _Packets(stream, path, max_pixels, max_duration_s)
    for packet in readable_packets(container, stream, path):
        table.add(packet)
    if not table.rows:
        raise refusal(str(path), "holds no frame that can be read", "copy or download it again")
    return table.finish(container)


def readable_packets(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """Packets from where the container stands, without those that are empty, damaged or cut off."""
    end = path.stat().st_size
    try:
        for packet in container.demux(stream):
            if (
                packet.size
                and not packet.is_corrupt
                and (packet.pos is None or packet.pos + packet.size <= end)
            ):
                yield packet
    except (av.error.FFmpegError, OSError):
        return  # the demuxer gives up where the file is cut off; what is missing is counted elsewhere


def packet_row(packet: Any) -> tuple[int, int, int, int, int]:
    """Time stamp, decoding time stamp, place, size and duration."""
    pts, dts, pos = packet.pts, packet.dts, packet.pos
    return (
        NO_TIME if pts is None else pts,
        NO_TIME if dts is None else dts,
        -1 if pos is None else pos,
        packet.size,
        packet.duration or 0,
    )


class _Packets:
    """What is gathered during the pass; kept lean, as a dataset is opened many thousand times."""

    def __init__(self, stream: Any, path: Path, max_pixels: int, max_duration_s: float) -> None:
        self.stream, self.path = stream, path
        self.max_pixels, self.max_duration_s = max_pixels, max_duration_s
        self.codec = stream.codec_context.codec.canonical_name
        self.extradata = stream.codec_context.extradata or b""
        self.rows: list[tuple[int, int, int, int, int]] = []
        self.clean: list[int] = []
        self.hidden: list[int] = []
        self.kept: list[Any] = []
        self.kept_bytes = 0
        self.packed = False  # MPEG-4 with two pictures in a packet: the decoder rearranges them itself
        # AVI stores no order of showing, and what FFmpeg guesses is wrong for packed MPEG-4. A packet of an interlaced
        # film may be half a picture.
        in_order = stream.container.format.name != "avi" or self.codec in _NEVER_REORDERED
        self.certain = self.codec in _ONE_TO_ONE and in_order and stream.codec_context.field_order <= 1

    def add(self, packet: Any) -> None:
        number = len(self.rows)
        self.rows.append(packet_row(packet))
        if packet.is_keyframe and is_clean_start(self.codec, self.extradata, packet):
            self.clean.append(number)
        if packet.is_discard:
            self.hidden.append(number)
        elif self.codec in READABLE:
            shown = shows_picture(self.codec, packet)
            self.packed |= shown is None
            if not shown:
                self.hidden.append(number)
        if self.kept_bytes <= _KEEP_BYTES:
            self.kept_bytes += packet.size + 512
            self.kept.append(packet)
        elif self.kept:
            self.kept = []
        if number % 4096 == 4095:
            self._check_length()

    def _check_length(self) -> None:
        stamps = [row[0] if row[0] != NO_TIME else row[1] for row in self.rows[:1] + self.rows[-1:]]
        if NO_TIME not in stamps:
            self._refuse_if_longer(float((stamps[1] - stamps[0]) * self.stream.time_base))

    def _refuse_if_longer(self, seconds: float) -> None:
        if seconds > self.max_duration_s:
            raise refusal(
                str(self.path),
                f"too long: {seconds:.0f} s or more, the limit is {self.max_duration_s:.0f} s",
                f"if that is meant, pass max_duration_s={2 * seconds:.0f} (--max-duration {2 * seconds:.0f}s)",
            )

    def finish(self, container: Any) -> tuple[PacketIndex, list[Any]]:
        rows = np.array(self.rows, dtype=np.int64)
        clean = np.array(self.clean, dtype=np.int64)
        order, position = self._order_by_time(rows, clean)
        if order is None:
            order, position = self._order_by_decoding(rows)
        if len(order) == 0:
            raise refusal(str(self.path), "holds no frame that can be decoded", "copy or download it again")
        ticks = _shown_ticks(rows, order)
        tb = self.stream.time_base
        rates = [self.stream.average_rate, self.stream.guessed_rate, self.stream.base_rate]
        fps, even = _rate(ticks, tb, [r for r in rates if r])
        times = np.arange(len(order)) / float(fps) if ticks is None else (ticks - ticks[0]) * float(tb)
        last = float(rows[order[-1], 4] * tb)
        duration = float(len(order) / fps) if even else float(times[-1]) + (last or float(1 / fps))
        self._refuse_if_longer(duration)
        index = PacketIndex(
            packets=rows[:, :4],
            order=order,
            start=_starts(order, position, clean),
            times_s=times,
            duration_s=duration,
            fps=fps,
            variable_frame_rate=not even,
            promised=self._promised(container, len(order), len(rows), fps),
            skippable=self.codec in _SKIPPABLE and not self.packed,
        )
        return index, self.kept

    def _order_by_time(self, rows: Ints, clean: Ints) -> tuple[Ints | None, Ints]:
        pts = rows[:, 0]
        shown = np.delete(np.arange(len(rows)), self.hidden)
        stamps = pts[shown]
        if not self.certain or self.packed or self.clean[:1] != [0] or NO_TIME in stamps:
            return None, pts
        if len(np.unique(stamps)) < len(stamps):
            return None, pts
        if 0 not in self.hidden and stamps.min() < pts[0]:
            return None, pts  # frames that lead the very first key frame may or may not be decodable
        return shown[np.argsort(pts[shown], kind="stable")], pts

    def _order_by_decoding(self, rows: Ints) -> tuple[Ints, Ints]:
        order = _order_of_output(self.path, max_pixels=self.max_pixels)
        # A key frame that is never shown can't be placed in time, so no frame may start at it.
        position = np.full(len(rows), np.iinfo(np.int64).max)
        position[order] = np.arange(len(order))
        return order, position

    def _promised(self, container: Any, frames: int, packets: int, fps: Fraction) -> str | None:
        kind = container.format.name
        if "mp4" in kind:
            if len(self.stream.index_entries) <= packets:
                return None
            missing = sum(entry.size > 0 for entry in self.stream.index_entries) - packets
            return str(frames + missing) if missing > 0 else None
        if not cut_short(self.path):
            return None
        if kind == "avi" and self.stream.frames > frames:
            return str(self.stream.frames)
        expected = round((container.duration or 0) / 1_000_000 * fps)
        return f"about {expected}" if expected > frames else "an unknown number of"


def _shown_ticks(rows: Ints, order: Ints) -> Ints | None:
    """Time stamps of the frames in the order shown, or None where the packets tell none."""
    pts = rows[order, 0]
    if (pts != NO_TIME).all() and (np.diff(pts) > 0).all():
        return np.asarray(pts)
    # Without a word on reordering, the n-th to be decoded lends its time to the n-th shown.
    dts = np.sort(rows[order, 1])
    if (dts != NO_TIME).all() and (np.diff(dts) > 0).all():
        return np.asarray(dts)
    return None


def _rate(ticks: Ints | None, tb: Fraction, declared: list[Fraction]) -> tuple[Fraction, bool]:
    """Frames per second, and whether frames are evenly spaced (to the tick that the container counts in)."""
    if ticks is None or len(ticks) < 2:
        return (declared[0] if declared else Fraction(25)), True
    span = int(ticks[-1] - ticks[0])
    mean = Fraction(len(ticks) - 1) / (span * tb)
    for rate in [*declared, mean.limit_denominator(1001), mean]:
        expected = np.arange(len(ticks)) * float(1 / (rate * tb))
        if np.abs(ticks - ticks[0] - expected).max() <= 1.01:
            return rate, True
    return mean.limit_denominator(100_000), False


def _starts(order: Ints, position: Ints, keys: Ints) -> Ints:
    """For each frame the last clean key frame that is no later than it, in the file and on the screen.

    The second condition is for open groups of pictures: frames that follow a key frame in the file and
    precede it on the screen lean on the group before.
    """
    if len(keys) == 0:
        return np.zeros_like(order)
    at = np.searchsorted(keys, order, side="right") - 1
    while True:
        early = (at >= 0) & (position[keys[np.maximum(at, 0)]] > position[order])
        if not early.any():
            return np.where(at >= 0, keys[np.maximum(at, 0)], 0)
        at[early] -= 1


def _order_of_output(path: Path, *, max_pixels: int) -> Ints:
    """Numbers of the packets that give a frame, as the frames come out: found by decoding everything once.

    The transform and the loop filter are left out, as only the order matters here.
    """
    container, stream = open_video(path, max_pixels=max_pixels)
    with container:
        context = stream.codec_context
        context.options = {**context.options, "skip_idct": "all", "skip_loop_filter": "all"}
        numbers: dict[int, None] = {}
        for number, packet in enumerate(chain(readable_packets(container, stream, path), [None])):
            if packet is not None:
                packet.pts, packet.dts = number, None
            try:
                numbers.update((frame.pts, None) for frame in context.decode(packet))
            except (av.error.FFmpegError, OSError, ValueError):
                continue
    return np.array([n for n in numbers if n is not None], dtype=np.int64)
