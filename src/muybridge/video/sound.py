"""The sound of one file, handed to another in pieces that keep step with its picture."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np

from muybridge.types import VideoError

KEPT_AS_THEY_ARE = {"aac", "mp3", "opus", "flac"}  # MP4 holds more, but these play in every browser
AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000}
TOLERATED_JUMP_S = 0.02  # Matroska rounds times to milliseconds; only longer jumps are gaps


class Sound:
    """Audio packets of a source file, in order of time, with time 0 at the first frame of its picture.

    Packets are copied where a browser plays their codec out of an MP4, else the sound becomes AAC.
    """

    def __init__(self, source: Any, packets: Iterator[Any]) -> None:
        self._source = source
        self._packets = packets
        self._waiting: Any = None

    @classmethod
    def of(cls, path: Path, target: Any) -> Self | None:
        """Open the sound of `path` and add a stream for it to the container `target`; None if it is silent.

        Raises:
            VideoError: The file can't be opened.
        """
        try:
            source = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise VideoError(f"{path}: its sound can't be read: {error}") from error
        if not source.streams.audio:
            source.close()
            return None
        stream = source.streams.audio[0]
        origin_s = _start_s(source.streams.video[0] if source.streams.video else stream)
        if stream.codec_context.codec.canonical_name in KEPT_AS_THEY_ARE:
            return cls(source, _copied(source, stream, target.add_stream_from_template(stream), origin_s))
        rate = stream.rate if stream.rate in AAC_RATES else 48_000
        encoder = target.add_stream("aac", rate=rate)
        encoder.layout = "mono" if stream.channels == 1 else "stereo"
        return cls(source, _transcoded(source, stream, encoder, origin_s))

    def until(self, end_s: float) -> list[Any]:
        """The packets that start before `end_s` and were not handed out yet."""
        packets: list[Any] = []
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return packets
            if packet.pts * packet.time_base >= end_s:
                self._waiting = packet
                return packets
            packets.append(packet)

    def close(self) -> None:
        """Let go of the source file."""
        self._source.close()


def _start_s(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)


def _read(source: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets; a source that breaks off has its sound up to there."""
    packets = source.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        yield packet


def _copied(source: Any, stream: Any, target: Any, origin_s: float) -> Iterator[Any]:
    shift = round(origin_s / stream.time_base)
    last_dts = None
    for packet in _read(source, stream):
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None or (last_dts is not None and dts <= last_dts):
            continue
        pts = packet.pts if packet.pts is not None else dts
        # A packet that ends exactly at the start is kept: the decoder overlaps it with the next.
        if pts - shift + (packet.duration or 0) < 0:
            continue
        last_dts = dts
        packet.pts, packet.dts = pts - shift, dts - shift
        packet.stream = target
        yield packet


def _transcoded(source: Any, stream: Any, encoder: Any, origin_s: float) -> Iterator[Any]:
    for frame in _without_gaps(_decoded(source, stream, encoder), encoder, origin_s):
        yield from encoder.encode(frame)
    yield from encoder.encode(None)


def _decoded(source: Any, stream: Any, encoder: Any) -> Iterator[Any]:
    resampler = av.AudioResampler(format="fltp", layout=encoder.layout, rate=encoder.rate)
    for packet in _read(source, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:  # a damaged packet costs its own few milliseconds only
            continue
        for frame in frames:
            yield from resampler.resample(frame)


def _without_gaps(frames: Iterator[Any], encoder: Any, origin_s: float) -> Iterator[Any]:
    """The samples from time 0 on: silence where the source has none, nothing where it overlaps itself."""
    rate, position = encoder.rate, 0
    for frame in frames:
        samples = frame.to_ndarray()
        start = position if frame.pts is None else round((frame.time - origin_s) * rate)
        jump = start - position
        if position == 0 or abs(jump) > TOLERATED_JUMP_S * rate:
            samples = samples[:, max(0, -jump) :]
            for begin in range(0, max(0, jump), rate):
                silence = np.zeros((len(samples), min(rate, jump - begin)), np.float32)
                yield _sound_frame(silence, encoder, position)
                position += silence.shape[1]
        if samples.shape[1]:
            yield _sound_frame(samples, encoder, position)
            position += samples.shape[1]


def _sound_frame(samples: np.ndarray[Any, Any], encoder: Any, position: int) -> Any:
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples, np.float32), format="fltp", layout=encoder.layout.name
    )
    frame.rate, frame.pts = encoder.rate, position
    frame.time_base = Fraction(1, encoder.rate)
    return frame
