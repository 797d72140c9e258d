"""Decoding no more than is needed for the frames that are wanted.

For each wanted frame the index tells the packet to begin with. Only the packets from there to the last one
needed are fed; the decoder is told to drop pictures that nobody wants and no other picture leans on
(`skip_frame=NONREF`), which changes not one bit of the rest; and it is drained after the last packet instead
of decoding on. A packet's number travels through the decoder as its time stamp, so that a frame is known by
the packet it came from and never by counting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av.error
import numpy as np

from muybridge.video.opening import open_video
from muybridge.video.packet_index import NO_TIME, Ints, PacketIndex, packet_row, readable_packets

_FIND_AHEAD = 400  # packets to look through after a seek before giving the seek up
_ERRORS = (av.error.FFmpegError, OSError, ValueError)


class Decoder:
    """One open file with one decoder, which can be sent to any frame.

    Args:
        path: The file.
        index: Its table of packets.
        max_pixels: Largest frame that may be decoded.
        opened: The container and stream if they are open already.
        kept: All packets if they are in memory.
    """

    def __init__(
        self,
        path: Path,
        index: PacketIndex,
        *,
        max_pixels: int,
        opened: tuple[Any, Any] | None = None,
        kept: list[Any] | None = None,
    ) -> None:
        self._path, self._index, self._max_pixels = path, index, max_pixels
        self._container, self._stream = opened or open_video(path, max_pixels=max_pixels)
        self._kept = kept or []
        self._context = self._stream.codec_context
        self._reorder_depth = self._context.reorder_depth
        self._used = False

    def frames(self, wanted: Ints) -> Iterator[tuple[int, Any]]:
        """Decode frames.

        Args:
            wanted: `(t,)` numbers of frames, ascending, none twice.

        Yields:
            Each number with its frame (PyAV's), in order; with None where the frame can't be decoded.
        """
        order, start = self._index.order[wanted], self._index.start[wanted]
        begin = 0
        last = -1
        for i in range(len(wanted) + 1):
            if i == len(wanted) or (i > begin and start[i] > last + 1):
                if i > begin:
                    yield from self._run(wanted[begin:i], int(start[begin]), last)
                begin, last = i, -1
            if i < len(wanted):
                last = max(last, int(order[i]))

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _run(self, wanted: Ints, first: int, last: int) -> Iterator[tuple[int, Any]]:
        """Frames that one stretch of packets gives; a second, careful pass if the first leaves a gap."""
        number_of = dict(zip(self._index.order[wanted].tolist(), wanted.tolist(), strict=True))
        pending = deque(wanted.tolist())
        for packet_number, frame in self._feed(first, last, number_of, skip=self._index.skippable):
            number = number_of.get(packet_number)
            if number is None:
                continue
            if number != pending[0] or frame.is_corrupt:
                break
            yield pending.popleft(), frame
            if not pending:
                return
        starts = np.unique(self._index.start)
        back = starts[max(0, int(np.searchsorted(starts, first)) - 2)]
        for packet_number, frame in self._feed(int(back), last, number_of, skip=False):
            number = number_of.get(packet_number, -1)
            while pending and number > pending[0]:
                yield pending.popleft(), None
            if pending and number == pending[0]:
                yield pending.popleft(), frame
        for number in pending:
            yield number, None

    def _feed(
        self, first: int, last: int, wanted: dict[int, int], *, skip: bool
    ) -> Iterator[tuple[int, Any]]:
        """Decode packets `first..last` and yield what comes out, with the number of its packet."""
        context = self._context
        if self._used:
            context.flush_buffers()
        self._used = True
        context.reorder_depth = max(self._reorder_depth, context.reorder_depth)
        context.skip_frame = level = "DEFAULT"
        for number, packet in self._packets(first, last):
            packet.pts, packet.dts = number, None
            level_now = "NONREF" if skip and number not in wanted else "DEFAULT"
            if level_now != level:
                context.skip_frame = level = level_now
            try:
                frames = context.decode(packet)
            except _ERRORS:
                continue  # the frame is then missing, and its reader is told
            for frame in frames:
                yield frame.pts, frame
        context.skip_frame = "DEFAULT"
        try:
            frames = context.decode(None)
        except _ERRORS:
            return
        for frame in frames:
            yield frame.pts, frame

    def _packets(self, first: int, last: int) -> Iterator[tuple[int, Any]]:
        """Packets by number: from memory, else after a seek, else read from the file's beginning."""
        if self._kept:
            yield from zip(range(first, last + 1), self._kept[first : last + 1], strict=True)
            return
        packets = self._after_seek(first)
        if packets is None:
            # A new container, not a seek to 0: some demuxers can't go back to their very first packet.
            self._container.close()
            self._container, self._stream = open_video(self._path, max_pixels=self._max_pixels)
            packets = enumerate(readable_packets(self._container, self._stream, self._path))
        for number, packet in packets:
            if number >= first:
                yield number, packet
            if number >= last:
                return

    def _after_seek(self, first: int) -> Iterator[tuple[int, Any]] | None:
        """Seek to a packet, recognized by its place, size and time; None if the container can't find it."""
        for ticks in dict.fromkeys(self._index.packets[first, [1, 0]].tolist()):
            if ticks == NO_TIME:
                continue
            try:
                self._container.seek(ticks, stream=self._stream)
                packets = readable_packets(self._container, self._stream, self._path)
                for packet in islice(packets, _FIND_AHEAD):
                    found = np.flatnonzero((self._index.packets == packet_row(packet)[:4]).all(axis=1))
                    if len(found) == 1:
                        if found[0] > first:
                            break
                        return chain([(int(found[0]), packet)], enumerate(packets, int(found[0]) + 1))
            except _ERRORS:
                continue
        return None
