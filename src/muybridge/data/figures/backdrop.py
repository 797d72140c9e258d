"""What stands behind people: a wall or a landscape, a floor that meets it, and a camera that looks at both.

The picture is painted once per film, wider than the frame; each row then slides by as much as its distance
from the camera asks for, so the floor stays under the feet when the camera pans.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from muybridge.data.figures.body import Colour, Floats
from muybridge.data.figures.brush import Image

MARGIN = 6  # pixels painted above and below the frame, for a camera that shakes
FINER = 2  # painted at this many times the resolution, then averaged


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole that looks straight ahead; the world's x goes right, y up, z towards it; metres.

    Attributes:
        width, height: The frame, in pixels.
        focal: Focal length in pixels.
        eye_m: Height above the floor.
        away_m: Distance from the plane z = 0 in which people stand.
        wall_m: How far behind that plane the wall is.
        horizon: The row of the eye's height, in pixels.
        x_m: Place along the room.
        shake: (right, down), in pixels.
    """

    width: int
    height: int
    focal: float
    eye_m: float
    away_m: float
    wall_m: float
    horizon: float
    x_m: float = 0.0
    shake: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def drawn(cls, rng: np.random.Generator, height: int, width: int) -> Self:
        """A place from which a grown person fills about two thirds of the frame."""
        away, eye = rng.uniform(4.2, 7.5), rng.uniform(0.95, 1.55)
        focal = rng.uniform(0.54, 0.68) * height * away / 1.75
        return cls(
            width=width,
            height=height,
            focal=focal,
            eye_m=eye,
            away_m=away,
            wall_m=rng.uniform(1.9, 3.3),
            horizon=rng.uniform(0.87, 0.93) * height - focal * eye / away,
        )

    def spots(self, points: Floats) -> list[tuple[float, float, float]]:
        """Where world points (n, 3) are seen: x and y in pixels, and pixels per metre there."""
        scale = self.focal / np.maximum(self.away_m - points[:, 2], 0.1)
        right = self.width / 2 + (points[:, 0] - self.x_m) * scale + self.shake[0]
        down = self.horizon + (self.eye_m - points[:, 1]) * scale + self.shake[1]
        return list(zip(right.tolist(), down.tolist(), scale.tolist(), strict=True))

    def zoomed(self, zoom: float) -> Camera:
        """With a focal length `zoom` times as long; what stands at z = 0 keeps its feet in the same row."""
        feet = self.horizon + self.focal * self.eye_m / self.away_m
        horizon = feet + (self.horizon - feet) * zoom
        return replace(self, focal=self.focal * zoom, horizon=horizon)

    def row_scale(self, rows: Image) -> Image:
        """Pixels per metre of what is seen in each row: the floor below the wall's foot, the wall above."""
        wall = self.focal / (self.away_m + self.wall_m)
        scale: Image = np.maximum((rows - self.horizon) / self.eye_m, wall)
        return scale


class Backdrop:
    """A painted room or landscape.

    Args:
        rng: Decides what is painted.
        camera: The one that will look at it; later it may pan, shake and zoom in.
        reach_m: How far to either side the camera may go from its place.
        outdoors: Whether hills take the wall's place.
    """

    def __init__(
        self, rng: np.random.Generator, camera: Camera, reach_m: float, *, outdoors: bool = False
    ) -> None:
        self._focal, self._horizon, self._x_m = camera.focal, camera.horizon, camera.x_m
        tall = camera.height + 2 * MARGIN
        rows = (np.arange(tall * FINER) + 0.5) / FINER - MARGIN
        self._scale = camera.row_scale(np.arange(tall) + 0.5 - MARGIN)
        self._side = int(np.ceil(reach_m * self._scale.max())) + MARGIN
        columns = (np.arange((camera.width + 2 * self._side) * FINER) + 0.5) / FINER - self._side
        scale = camera.row_scale(rows)[:, None].astype(np.float32)
        across = ((columns - camera.width / 2)[None, :] / scale).astype(np.float32)
        foot = int(np.searchsorted(rows, camera.horizon + camera.eye_m * scale.min()))
        up = (camera.eye_m - (rows[:foot, None] - camera.horizon) / scale[:foot]).astype(np.float32)
        deep = (camera.focal / scale[foot:] - camera.away_m).astype(np.float32)
        image = np.empty((len(rows), len(columns), 3), np.float32)
        image[:foot] = _landscape(rng, across[:foot], up) if outdoors else _wall(rng, across[:foot], up)
        image[foot:] = _floor(rng, across[foot:], deep, outdoors)
        if not outdoors:
            _decorate(rng, image[:foot], across[:foot], up, float(scale.min()), reach_m)
            image[max(0, foot - round(0.09 * scale.min() * FINER)) : foot] *= 0.72  # skirting board
        self._last: tuple[Camera, Image] | None = None
        shape = (tall, FINER, camera.width + 2 * self._side, FINER, 3)
        self._image: Image = np.clip(image, 0, 255).reshape(shape).mean((1, 3))

    def seen(self, camera: Camera) -> Image:
        """What the camera sees now, float (h, w, 3), 0..255, a new array."""
        if self._last is None or self._last[0] != camera:  # most cameras stand still
            self._last = camera, self._view(camera)
        return self._last[1].copy()

    def _view(self, camera: Camera) -> Image:
        zoom = camera.focal / self._focal
        if zoom != 1:
            return self._zoomed(camera, zoom)
        tall, wide, _ = self._image.shape
        left = np.clip(
            self._side + (camera.x_m - self._x_m) * self._scale - camera.shake[0],
            0,
            wide - camera.width - 1.001,
        )
        whole = left.astype(np.int64)
        part = (left - whole).astype(np.float32)[:, None, None]
        first = (np.arange(tall) * wide + whole)[:, None] + np.arange(camera.width)
        flat = self._image.reshape(-1, 3)
        image = (
            flat.take(first, 0) * (1 - part) + flat.take(first + 1, 0) * part
            if part.any()
            else flat.take(first, 0)
        )
        top = min(max(MARGIN - camera.shake[1], 0.0), 2 * MARGIN - 1.001)
        row, share = int(top), np.float32(top % 1)
        seen: Image = image[row : row + camera.height]
        return seen * (1 - share) + image[row + 1 : row + 1 + camera.height] * share if share else seen

    def _zoomed(self, camera: Camera, zoom: float) -> Image:
        """The same with a longer focal length: each pixel lies between four painted ones."""
        tall, wide, _ = self._image.shape
        rows = self._horizon + (np.arange(camera.height) + 0.5 - camera.shake[1] - camera.horizon) / zoom
        rows = np.clip(rows - 0.5 + MARGIN, 0, tall - 1.001)
        top = rows.astype(np.int64)
        down = (rows - top).astype(np.float32)[:, None, None]
        half = camera.width / 2
        columns = half + (np.arange(camera.width) + 0.5 - camera.shake[0] - half) / zoom - 0.5 + self._side
        columns = np.clip(
            columns[None, :] + (camera.x_m - self._x_m) * self._scale[top][:, None], 0, wide - 1.001
        )
        left = columns.astype(np.int64)
        right = (columns - left).astype(np.float32)[..., None]
        flat, first = self._image.reshape(-1, 3), top[:, None] * wide + left
        upper, lower = flat.take(first, 0), flat.take(first + wide, 0)
        upper += (flat.take(first + 1, 0) - upper) * right
        lower += (flat.take(first + wide + 1, 0) - lower) * right
        lower -= upper
        lower *= down
        seen: Image = upper + lower
        return seen


def _paint(rng: np.random.Generator, low: float, high: float, strength: float = 0.3) -> Image:
    value, tint = rng.uniform(low, high), rng.uniform(1 - strength, 1, 3)
    return np.asarray(value * tint / tint.max(), np.float32)


def _clouds(rng: np.random.Generator, x: Image, y: Image, metres: float) -> Image:
    """Slow unevenness of about unit size: a few waves of any direction."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    for _ in range(3):
        a, b, phase = rng.normal(0, 3 / metres), rng.normal(0, 3 / metres), rng.uniform(0, 7)
        total += np.sin(np.float32(a) * x + np.float32(b) * y + np.float32(phase))
    return total / np.float32(2)


def _grain(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> Image:
    return rng.standard_normal((*shape, 1), np.float32) * np.float32(size)


def _wall(rng: np.random.Generator, x: Image, y: Image) -> Image:
    colour = _paint(rng, 110, 225)
    kind = rng.choice(("plain", "stripes", "bricks", "panels", "gradient"))
    tone = 1 + np.float32(rng.uniform(0, 0.05)) * _clouds(rng, x, y, 1.5) + np.float32(0.05) * (y - 1.2)
    if kind == "stripes":
        tone = tone + np.float32(rng.uniform(0.03, 0.1)) * np.sign(np.sin(x * np.float32(rng.uniform(8, 22))))
    elif kind == "bricks":
        course = np.floor(y / 0.14)
        joint = (np.mod(y, 0.14) < 0.02) | (np.mod(x + 0.15 * np.mod(course, 2), 0.3) < 0.02)
        tone = tone - np.float32(0.13) * joint
    elif kind == "panels":
        tone = tone - np.float32(0.16) * (np.mod(x, np.float32(rng.uniform(0.5, 1.1))) < 0.025)
    elif kind == "gradient":
        to = _paint(rng, 60, 225)
        share = np.float32(rng.choice((-0.25, 0.0, 0.25))) * x + (y - 1) * np.float32(rng.uniform(0.35, 0.7))
        return tone[..., None] * (colour + np.clip(0.5 + share, 0, 1)[..., None] * (to - colour))
    return tone[..., None] * colour + _grain(rng, tone.shape, rng.uniform(0, 7))


def _landscape(rng: np.random.Generator, x: Image, y: Image) -> Image:
    sky = np.clip((y - 0.5) / 4, 0, 1)[..., None]
    image = _paint(rng, 205, 240, 0.1) * (1 - sky) + np.asarray((105, 160, 225), np.float32) * sky
    image = np.broadcast_to(image, (*x.shape, 3)).copy()
    image += np.maximum(_clouds(rng, x, y * 3, 2.5) - 0.3, 0)[..., None] * 25
    for height, fade in ((rng.uniform(1.3, 2.2), 0.55), (rng.uniform(0.6, 1.2), 0.9)):
        ridge = height + 0.3 * _clouds(rng, x[:1], np.zeros_like(x[:1]), 1.2)
        cover = np.clip((ridge - y) * 30, 0, 1)[..., None]
        green = np.asarray((62, 104, 50), np.float32) * rng.uniform(0.75, 1.3) * fade + 100 * (1 - fade)
        image += cover * (green + _grain(rng, x.shape, 7) - image)
    return image


def _floor(rng: np.random.Generator, x: Image, z: Image, outdoors: bool) -> Image:
    tone = 1 + np.float32(0.05) * _clouds(rng, x, z, 1.2)
    tone = tone * (1 - np.float32(0.05) * np.clip(z + 1, 0, 3))
    if outdoors:
        colour = np.asarray((96, 142, 66), np.float32) if rng.random() < 0.6 else _paint(rng, 120, 180, 0.15)
        return tone[..., None] * colour + _grain(rng, tone.shape, 9)
    kind = rng.choice(("planks", "tiles", "carpet", "boards"))
    colour = (
        np.asarray((178, 134, 92), np.float32) * rng.uniform(0.6, 1.15)
        if kind in ("planks", "boards")
        else _paint(rng, 90, 190)
    )
    if kind == "planks":
        row = np.floor(z / 0.16)
        tone = tone * (1 + np.float32(0.06) * np.sin(row * 7.3 + np.floor(x / 1.1 + row * 0.37) * 2.1))
        tone = tone - np.float32(0.14) * (np.mod(z, 0.16) < 0.014)
    elif kind == "boards":
        tone = tone * (1 + np.float32(0.07) * np.sin(np.floor(x / 0.2) * 5.7))
        tone = tone - np.float32(0.14) * (np.mod(x, 0.2) < 0.014)
    elif kind == "tiles":
        size = rng.uniform(0.35, 0.6)
        odd = np.mod(np.floor(x / size) + np.floor(z / size), 2)
        tone = tone * (1 - np.float32(rng.uniform(0.06, 0.3)) * odd)
    grain = rng.uniform(4, 10) if kind == "carpet" else 2
    return tone[..., None] * colour + _grain(rng, tone.shape, grain)


def _decorate(
    rng: np.random.Generator, wall: Image, x: Image, y: Image, scale: float, reach_m: float
) -> None:
    """Pictures, windows, doors, shelves and cupboards along the wall, in place."""
    half = float(x.max())
    for at in np.arange(-half, half, 1.3):
        kind = rng.choice(("nothing", "picture", "window", "door", "shelf", "cupboard"))
        centre = float(at + rng.uniform(0.3, 1.0))
        dark = tuple(_paint(rng, 40, 110))
        if kind == "picture":
            width, height = rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.5)
            _rectangle(wall, x, y, scale, (centre, 1.6, width + 0.05, height + 0.05), dark)
            _rectangle(wall, x, y, scale, (centre, 1.6, width, height), tuple(_paint(rng, 90, 230, 0.7)))
        elif kind == "window":
            _rectangle(wall, x, y, scale, (centre, 1.55, 0.9, 1.0), (236, 236, 232))
            for pane in (-0.21, 0.21):
                _rectangle(wall, x, y, scale, (centre + pane, 1.55, 0.36, 0.88), (176, 208, 236))
        elif kind == "door":
            _rectangle(wall, x, y, scale, (centre, 0.98, 0.95, 2.06), dark)
            _rectangle(wall, x, y, scale, (centre, 0.98, 0.82, 1.96), tuple(_paint(rng, 100, 200)))
            _rectangle(wall, x, y, scale, (centre + 0.32, 0.98, 0.06, 0.05), (60, 55, 50))
        elif kind == "shelf":
            _rectangle(wall, x, y, scale, (centre, 1.5, 0.9, 0.04), dark)
            for book in np.arange(-0.4, 0.35, 0.08):
                size = rng.uniform(0.15, 0.28)
                spine = tuple(_paint(rng, 60, 210, 0.7))
                _rectangle(wall, x, y, scale, (centre + book, 1.52 + size / 2, 0.07, size), spine)
        elif kind == "cupboard":
            height, colour = rng.uniform(0.6, 1.5), tuple(_paint(rng, 80, 180))
            _rectangle(wall, x, y, scale, (centre, height / 2, 0.9, height), colour)
            _rectangle(wall, x, y, scale, (centre, height / 2, 0.02, height - 0.1), dark)


def _rectangle(
    wall: Image, x: Image, y: Image, scale: float, box: tuple[float, float, float, float], colour: Colour
) -> None:
    """Fill a box (centre x, centre y, width, height), in metres on the wall."""
    columns = np.flatnonzero(np.abs(x[0] - box[0]) < box[2] / 2 + 1 / scale)
    rows = np.flatnonzero(np.abs(y[:, 0] - box[1]) < box[3] / 2 + 1 / scale)
    if not len(columns) or not len(rows):
        return
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    sharp = np.float32(scale * FINER)
    inside_x = np.clip((box[2] / 2 - np.abs(x[:1, part[1]] - box[0])) * sharp + 0.5, 0, 1)
    inside_y = np.clip((box[3] / 2 - np.abs(y[part[0]] - box[1])) * sharp + 0.5, 0, 1)
    wall[part] += (inside_x * inside_y)[..., None] * (np.asarray(colour, np.float32) - wall[part])
