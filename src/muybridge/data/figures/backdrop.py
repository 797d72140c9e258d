"""What stands behind people: a wall or a landscape, a floor that meets it, and a camera that looks at both.

The picture is painted once per film, wider than the frame; each row then slides by as much as its distance
from the camera asks for, so the floor stays under the feet when the camera pans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from muybridge.data.figures.body import Floats
from muybridge.data.figures.brush import Image
from muybridge.data.figures.colours import Colour
from muybridge.data.figures.rooms import FINER, decorate, floor, landscape, meadow, wall

MARGIN = 6  # pixels painted above and below the frame, for a camera that shakes


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
        focal = rng.uniform(0.62, 0.75) * height * away / 1.75
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
        beside: What must be seen before wall and floor: no large part of them has a colour near one of these.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        camera: Camera,
        reach_m: float,
        *,
        outdoors: bool = False,
        beside: Sequence[Colour] = (),
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
        if outdoors:
            image[:foot] = landscape(rng, across[:foot], up)
            image[foot:] = meadow(rng, across[foot:], deep)
        else:
            image[:foot] = wall(rng, across[:foot], up, beside)
            image[foot:] = floor(rng, across[foot:], deep, beside)
            decorate(rng, image[:foot], across[:foot], up, float(scale.min()), beside)
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
