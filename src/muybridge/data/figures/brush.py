"""Rounded shapes drawn by distance: an edge covers a pixel in part, so nothing flickers as it moves.

A shape is the hull of one, two or more points, widened by a radius: a disc, a limb, a rounded polygon. The
distance to it gives the coverage (Quilez, https://iquilezles.org/articles/distfunctions2d), and its gradient
the slope of the surface, which a light falls on as on a cylinder.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]  # float32, 0..255; typed loosely because NumPy's own types widen


class Light(NamedTuple):
    """Where light comes from, in the picture's axes: x right, y down, z towards us; unit length."""

    x: float = -0.4
    y: float = -0.6
    z: float = 0.69
    ambient: float = 0.5


# The corners of a hull, in pixels, and how far the shape reaches round each: (x, y, radius). Plain numbers,
# because NumPy is slower than Python on four of them, and a frame has fifty shapes.
Shape = Sequence[tuple[float, float, float]]


Box = tuple[float, float, float, float]


def box_of(shape: Shape) -> Box:
    """The smallest box round a shape, x0 y0 x1 y1, half a pixel of soft edge included."""
    x, y, r = shape[0]
    x0, y0, x1, y1 = x - r, y - r, x + r, y + r
    for x, y, r in shape[1:]:  # asked thousands of times a second: four comparisons beat four generators
        if x - r < x0:
            x0 = x - r
        if y - r < y0:
            y0 = y - r
        if x + r > x1:
            x1 = x + r
        if y + r > y1:
            y1 = y + r
    return x0 - 0.5, y0 - 0.5, x1 + 0.5, y1 + 0.5


def box_round(boxes: Sequence[Box]) -> Box:
    """The smallest box round several."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def paint(image: Image, shape: Shape, colour: tuple[float, float, float], light: Light) -> None:
    """Draw a shape on `image` (h, w, 3) in place."""
    patch = _patch(image, shape, 0)
    if patch is None:
        return
    part, xs, ys = patch
    dx, dy, radius = _offset(shape, xs, ys)
    distance2 = dx * dx + dy * dy
    cover = radius - np.sqrt(distance2) + 0.5
    _clip01(cover)
    towards = np.sqrt(np.maximum(radius * radius - distance2, 0))
    lit = (dx * light.x + dy * light.y + towards * light.z) / radius
    shade = np.maximum(lit, 0) * (1.08 - light.ambient) + light.ambient
    change = shade[..., None] * np.asarray(colour, np.float32)
    change -= part
    change *= cover[..., None]
    part += change


def cast(mask: Image, shape: Shape, softness: float) -> None:
    """Darken `mask` (h, w), 0 light to 1 shadow, in place under a shape whose edge is `softness` pixels wide."""
    patch = _patch(mask, shape, softness)
    if patch is None:
        return
    part, xs, ys = patch
    dx, dy, radius = _offset(shape, xs, ys)
    cover = (radius - np.sqrt(dx * dx + dy * dy)) * (0.5 / softness) + 0.5
    np.maximum(part, np.minimum(cover, 1), out=part)


def _clip01(values: Image) -> None:
    # np.clip asks more questions than two ufuncs do, and here arrays are small.
    np.maximum(values, 0, out=values)
    np.minimum(values, 1, out=values)


def _patch(image: Image, shape: Shape, margin: float) -> tuple[Image, Image, Image] | None:
    """The part of the image that the shape can touch, and the centres of its pixels."""
    x0, y0, x1, y1 = box_of(shape)
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    right, bottom = min(image.shape[1], int(x1 + margin) + 1), min(image.shape[0], int(y1 + margin) + 1)
    if left >= right or top >= bottom:
        return None
    xs = np.arange(left + 0.5, right, dtype=np.float32)
    ys = np.arange(top + 0.5, bottom, dtype=np.float32)[:, None]
    return image[top:bottom, left:right], xs, ys


def _offset(shape: Shape, xs: Image, ys: Image) -> tuple[Image, Image, Image | float]:
    """From the nearest point of the hull to each pixel, (dx, dy), and the radius there."""
    if len(shape) == 1:
        x, y, radius = shape[0]
        return xs - x, ys - y, radius
    if len(shape) == 2:
        return _offset_from_line(shape[0], shape[1], xs, ys)
    return _offset_from_polygon(shape, xs, ys)


def _offset_from_line(
    a: tuple[float, float, float], b: tuple[float, float, float], xs: Image, ys: Image
) -> tuple[Image, Image, Image]:
    (ax, ay, ra), (bx, by, rb) = a, b
    run_x, run_y = bx - ax, by - ay
    length2 = max(run_x * run_x + run_y * run_y, 1e-6)
    px, py = xs - ax, ys - ay
    along = px * (run_x / length2) + py * (run_y / length2)
    _clip01(along)
    return px - along * run_x, py - along * run_y, along * (rb - ra) + ra


def _offset_from_polygon(shape: Shape, xs: Image, ys: Image) -> tuple[Image, Image, Image]:
    corners = [*shape, shape[0]]
    turn = 1 if sum(a[0] * b[1] - a[1] * b[0] for a, b in pairwise(corners)) > 0 else -1
    inside = np.ones((len(ys), len(xs)), bool)
    best: tuple[Image, Image, Image] | None = None
    for a, b in pairwise(corners):
        edge = _offset_from_line(a, b, xs, ys)
        inside &= ((b[0] - a[0]) * (ys - a[1]) - (b[1] - a[1]) * (xs - a[0])) * turn > 0
        if best is None:
            best = edge
            continue
        nearer = edge[0] ** 2 + edge[1] ** 2 < best[0] ** 2 + best[1] ** 2
        for values, better in zip(best, edge, strict=True):
            np.copyto(values, better, where=nearer)
    assert best is not None
    best[0][inside] = 0
    best[1][inside] = 0
    best[2][inside] = np.maximum(best[2][inside], 0.5)  # covered in full, however sharp the corners
    return best
