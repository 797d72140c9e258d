"""What walls, floors, hills and meadows look like, painted by metres.

`x` is metres along the picture, `y` metres up the wall, `z` metres towards us on the floor; `beside` is what must be
seen before it all: no large part has a colour near one of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muybridge.data.figures.brush import Image
from muybridge.data.figures.colours import Colour, clear_of

FINER = 2  # painted at this many times the resolution, then averaged
CLEAR = 36  # how far (`colours.gap`) walls and floors are from what is to be seen before them
HILLS: Colour = (84, 132, 66)
GRASS: Colour = (112, 160, 80)


def _paint(
    rng: np.random.Generator, low: float, high: float, strength: float = 0.3, beside: Sequence[Colour] = ()
) -> Image:
    def drawn() -> Colour:
        value, tint = rng.uniform(low, high), rng.uniform(1 - strength, 1, 3)
        red, green, blue = (value * tint / tint.max()).tolist()
        return red, green, blue

    return np.asarray(clear_of(beside, CLEAR, drawn), np.float32)


def _clouds(rng: np.random.Generator, x: Image, y: Image, metres: float) -> Image:
    """Slow unevenness of about unit size: a few waves of any direction."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    for _ in range(3):
        a, b, phase = rng.normal(0, 3 / metres), rng.normal(0, 3 / metres), rng.uniform(0, 7)
        total += np.sin(np.float32(a) * x + np.float32(b) * y + np.float32(phase))
    return total / np.float32(2)


def _grain(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> Image:
    return rng.standard_normal((*shape, 1), np.float32) * np.float32(size)


def wall(rng: np.random.Generator, x: Image, y: Image, beside: Sequence[Colour]) -> Image:
    """Plain, striped, of bricks, of panels, or from one colour to another."""
    colour = _paint(rng, 120, 230, beside=beside)
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
        to = _paint(rng, 100, 230, beside=beside)
        share = np.float32(rng.choice((-0.25, 0.0, 0.25))) * x + (y - 1) * np.float32(rng.uniform(0.35, 0.7))
        return tone[..., None] * (colour + np.clip(0.5 + share, 0, 1)[..., None] * (to - colour))
    return tone[..., None] * colour + _grain(rng, tone.shape, rng.uniform(0, 7))


def landscape(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Two rows of hills under a sky."""
    sky = np.clip((y - 0.5) / 4, 0, 1)[..., None]
    image = _paint(rng, 205, 240, 0.1) * (1 - sky) + np.asarray((105, 160, 225), np.float32) * sky
    image = np.broadcast_to(image, (*x.shape, 3)).copy()
    image += np.maximum(_clouds(rng, x, y * 3, 2.5) - 0.3, 0)[..., None] * 25
    for height, fade in ((rng.uniform(1.3, 2.2), 0.55), (rng.uniform(0.6, 1.2), 0.9)):
        ridge = height + 0.3 * _clouds(rng, x[:1], np.zeros_like(x[:1]), 1.2)
        cover = np.clip((ridge - y) * 30, 0, 1)[..., None]
        green = np.asarray(HILLS, np.float32) * rng.uniform(0.85, 1.2) * fade + 110 * (1 - fade)
        image += cover * (green + _grain(rng, x.shape, 7) - image)
    return image


def _light_on_floor(rng: np.random.Generator, x: Image, z: Image) -> Image:
    tone: Image = 1 + np.float32(0.05) * _clouds(rng, x, z, 1.2)
    return tone * (1 - np.float32(0.05) * np.clip(z + 1, 0, 3))


def meadow(rng: np.random.Generator, x: Image, z: Image) -> Image:
    """Grass, or sand."""
    tone = _light_on_floor(rng, x, z)
    colour = np.asarray(GRASS, np.float32) if rng.random() < 0.6 else _paint(rng, 130, 190, 0.15)
    return tone[..., None] * colour + _grain(rng, tone.shape, 9)


def floor(rng: np.random.Generator, x: Image, z: Image, beside: Sequence[Colour]) -> Image:
    """Planks, boards, tiles or a carpet."""
    tone = _light_on_floor(rng, x, z)
    kind = rng.choice(("planks", "tiles", "carpet", "boards"))
    colour = _paint(rng, 105, 200, beside=beside)
    if kind in ("planks", "boards"):
        value = clear_of(beside, CLEAR, lambda: _planks(rng.uniform(0.75, 1.25)))
        colour = np.asarray(value, np.float32)
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


def _planks(share: float) -> Colour:
    return 178 * share, 134 * share, 92 * share


def decorate(
    rng: np.random.Generator, wall: Image, x: Image, y: Image, scale: float, beside: Sequence[Colour]
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
            _rectangle(
                wall, x, y, scale, (centre, 0.98, 0.82, 1.96), tuple(_paint(rng, 100, 210, beside=beside))
            )
            _rectangle(wall, x, y, scale, (centre + 0.32, 0.98, 0.06, 0.05), (60, 55, 50))
        elif kind == "shelf":
            _rectangle(wall, x, y, scale, (centre, 1.5, 0.9, 0.04), dark)
            for book in np.arange(-0.4, 0.35, 0.08):
                size = rng.uniform(0.15, 0.28)
                spine = tuple(_paint(rng, 60, 210, 0.7))
                _rectangle(wall, x, y, scale, (centre + book, 1.52 + size / 2, 0.07, size), spine)
        elif kind == "cupboard":
            height, colour = rng.uniform(0.6, 1.5), tuple(_paint(rng, 90, 200, beside=beside))
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
