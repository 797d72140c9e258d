"""Small films in which every frame carries its own number in its pixels, made with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_COLUMNS, _ROWS = 4, 2  # 8 blocks: numbers 0..255


def numbered_picture(number: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """RGB `(h, w, 3)`: the bits of `number` as light and dark blocks, under a little noise."""
    width, height = size
    noise = np.random.default_rng(number).integers(-12, 13, (height, width, 3))
    picture = np.full((height, width, 3), 40)
    for bit in range(_COLUMNS * _ROWS):
        if number >> bit & 1:
            rows, columns = _block(bit, width, height, 0.0)
            picture[rows, columns] = 215
    return (picture + noise).astype(np.uint8)


def read_number(frame: Tensor) -> int:
    """The number in a frame `(3, h, w)` of any size."""
    _, height, width = frame.shape
    number = 0
    for bit in range(_COLUMNS * _ROWS):
        rows, columns = _block(bit, width, height, 0.25)
        number |= int(frame[:, rows, columns].float().mean() > 128) << bit
    return number


def read_numbers(clip: Tensor) -> list[int]:
    """The numbers in a clip `(t, 3, h, w)`."""
    return [read_number(frame) for frame in clip]


def write_film(
    path: Path,
    count: int,
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    size: tuple[int, int] = (64, 48),
    fps: int | Fraction = 25,
    pixel_format: str = "yuv420p",
    gop: int = 12,
    b_frames: int = 0,
    ticks: Sequence[int] | None = None,
    shift: int = 0,
    mux: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    turn: int = 0,
    mirror: bool = False,
) -> Path:
    """Encode the numbers 0 to `count - 1`.

    Args:
        path: The file; its suffix chooses the container.
        count: Frames.
        codec: FFmpeg's name of the encoder.
        options: Its options.
        size: Width and height, as stored.
        fps: Frame rate.
        pixel_format: As stored.
        gop: Frames from one key frame to the next.
        b_frames: B-frames in a row.
        ticks: Time of each frame in milliseconds; None spaces them evenly.
        shift: Frames (at `fps`) by which all packets are shifted in time.
        mux: Options of the container.
        aspect: Width of a pixel over its height.
        turn: Quarter turns clockwise that a player has to make; pictures are stored turned back.
        mirror: Tell players to swap left and right.
    """
    width, height = (size[1], size[0]) if turn % 2 else size
    with av.open(str(path), "w", options=mux or {}) as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.gop_size, stream.max_b_frames = gop, b_frames
        stream.options = options or {}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000) if ticks else 1 / Fraction(fps)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if turn or mirror:
            stream.set_display_rotation(-90 * turn, hflip=mirror)
        for number in range(count):
            picture = np.rot90(numbered_picture(number, size), turn)  # counterclockwise, to be turned back
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = ticks[number] if ticks else number
            frame.time_base = stream.codec_context.time_base
            _mux(container, stream.encode(frame), shift, fps)
        _mux(container, stream.encode(None), shift, fps)
    return path


def decode_in_order(path: Path) -> NDArray[np.uint8]:
    """All frames `(t, 3, h, w)` by plain decoding from the first packet to the last."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="gbrp") for frame in container.decode(video=0)]
    return np.stack(frames).transpose(0, 3, 1, 2)


def add_sound(film: Path, target: Path) -> Path:
    """The film with a second of silence beside it (AAC)."""
    with av.open(str(film)) as source, av.open(str(target), "w") as container:
        old = source.streams.video[0]
        new = container.add_stream_from_template(old)
        _encode_silence(container)
        for packet in source.demux(old):
            if packet.dts is not None:
                packet.stream = new
                container.mux(packet)
    return target


def write_sound(path: Path) -> Path:
    """A second of silence and no picture (AAC)."""
    with av.open(str(path), "w") as container:
        _encode_silence(container)
    return path


def _encode_silence(container: Any) -> None:
    sound = container.add_stream("aac", rate=44100)
    for number in range(43):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 44100, 1024 * number
        container.mux(sound.encode(silence))
    container.mux(sound.encode(None))


def _mux(container: Any, packets: list[Any], shift: int, fps: int | Fraction) -> None:
    for packet in packets:
        if shift:
            ticks = round(Fraction(shift) / fps / packet.time_base)
            packet.pts += ticks
            packet.dts += ticks
        container.mux(packet)


def _block(bit: int, width: int, height: int, margin: float) -> tuple[slice, slice]:
    row, column = divmod(bit, _COLUMNS)
    step_x, step_y = width / _COLUMNS, height / _ROWS
    return (
        slice(round((row + margin) * step_y), round((row + 1 - margin) * step_y)),
        slice(round((column + margin) * step_x), round((column + 1 - margin) * step_x)),
    )
