"""From a decoded frame to the RGB pixels of the picture as it is meant to be seen: colour, shape, size, crop.

Colour follows the stream's own matrix and range. A stream that names none is read as BT.601 with limited
range, which is swscale's default and so what decord, OpenCV and torchcodec give: published models were
trained on just that. (Phones and cameras do name theirs.) Pixel aspect widens or narrows the picture, the
display matrix turns and mirrors it. Size is changed by swscale's bilinear filter, which widens with the ratio
when shrinking and so does not alias.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Crop = tuple[int, int, int, int] | int
# swscale (FFmpeg 8) writes planar RGB in steps of so many columns and can leave the rest of a line untouched.
_STEP = 16
_ASPECTS = (Fraction(1, 16), Fraction(16))  # outside of these a pixel aspect is a mistake


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a stored picture becomes the one to be seen.

    Attributes:
        width: Of the stored picture, with its pixels made square.
        height: Of the stored picture.
        transpose: Swap rows and columns, then
        flip_x: mirror left and right, and
        flip_y: top and bottom.
        rotation: The same in degrees clockwise, for people.
    """

    width: int
    height: int
    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False
    rotation: int = 0

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as seen."""
        return (self.height, self.width) if self.transpose else (self.width, self.height)

    def resized(self, short_side: int | None) -> tuple[int, int]:
        """Width and height as seen, after the shorter one has become `short_side`."""
        width, height = self.shown
        if short_side is None or short_side == min(width, height):
            return width, height
        if short_side < 1:
            raise ValueError(f"short_side is {short_side}; it must be at least 1")
        if width < height:
            return short_side, max(1, round(height * short_side / width))
        return max(1, round(width * short_side / height)), short_side


def geometry_of(frame: Any, aspect: Fraction | None) -> Geometry:
    """Read a decoded frame's size, pixel aspect and display matrix.

    Args:
        frame: A PyAV frame.
        aspect: Width of a pixel over its height; None or 0 means square.
    """
    width = frame.width
    if aspect and _ASPECTS[0] <= aspect <= _ASPECTS[1]:
        width = max(1, round(width * aspect))
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    if data is None:
        return Geometry(width, frame.height)
    # ISO/IEC 14496-12, 6.2.2: x' = ax + cy, y' = bx + dy, with y pointing down
    a, b, _, c, d = struct.unpack("<5i", bytes(data)[:20])
    turn = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Geometry(width, frame.height, True, c < 0, b < 0, turn)
    return Geometry(width, frame.height, False, a < 0, d < 0, turn)


class Finisher:
    """Turns frames of one video into RGB pixels of one size.

    Args:
        geometry: The video's.
        short_side: Length of the shorter side, in pixels; None leaves the size alone.
        crop: `(top, left, height, width)` in pixels of the resized picture, or the side of a square in its middle;
            None takes all of it.

    Raises:
        ValueError: The crop reaches outside of the picture.
    """

    def __init__(self, geometry: Geometry, short_side: int | None, crop: Crop | None) -> None:
        width, height = geometry.resized(short_side)
        if isinstance(crop, int):
            crop = (round((height - crop) / 2), round((width - crop) / 2), crop, crop)
        top, left, rows, columns = crop or (0, 0, height, width)
        if top < 0 or left < 0 or rows < 1 or columns < 1 or top + rows > height or left + columns > width:
            raise ValueError(
                f"crop {crop} (top, left, height, width) does not fit into a picture of "
                f"{height} rows and {width} columns"
            )
        self.shape = (3, rows, columns)
        self._geometry = geometry
        self._size = (height, width) if geometry.transpose else (width, height)
        self._crop = (slice(top, top + rows), slice(left, left + columns))
        stored = np.broadcast_to(np.arange(self._size[0]), self._size[::-1])
        seen = self._turn(stored)[self._crop]
        self._last_column = int(max(seen[0, 0], seen[-1, -1]))
        self._planar, self._packed = VideoReformatter(), VideoReformatter()

    def write(self, frame: Any, out: Pixels) -> None:
        """Finish one frame.

        Args:
            frame: A PyAV frame.
            out: `(3, h, w)` uint8, written to.
        """
        # Planar RGB: its pixels come in the order of the output, and swscale makes it faster than packed RGB.
        green, blue, red = (_plane(p) for p in self._convert(self._planar, frame, "gbrp").planes)
        width = self._size[0]
        whole = width - width % _STEP
        if self._last_column >= whole and (frame.width, frame.height) == self._size:
            packed = _plane(self._convert(self._packed, frame, "rgb24").planes[0])
            for channel, plane in enumerate((red, green, blue)):
                plane[:, whole:width] = packed[:, 3 * whole + channel : 3 * width : 3]
        for channel, plane in enumerate((red, green, blue)):
            np.copyto(out[channel], self._turn(plane[:, :width])[self._crop])

    def _convert(self, reformatter: VideoReformatter, frame: Any, pixel_format: str) -> Any:
        width, height = self._size
        return reformatter.reformat(
            frame, width, height, pixel_format, interpolation=Interpolation.BILINEAR, threads=1
        )

    def _turn(self, picture: NDArray[Any]) -> NDArray[Any]:
        if self._geometry.transpose:
            picture = picture.T
        if self._geometry.flip_x:
            picture = picture[:, ::-1]
        return picture[::-1] if self._geometry.flip_y else picture


def _plane(plane: Any) -> Pixels:
    """The bytes of a plane, `(h, line)`; lines are longer than the picture is wide."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
