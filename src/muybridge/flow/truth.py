"""Pairs of pictures whose flow is known exactly, because the scene is a formula.

A texture is a sum of waves, defined at every point of the plane, so a moved picture is computed and not resampled: no
interpolation favours one method. Amplitude falls with frequency as in photographs (Field 1987,
https://doi.org/10.1364/JOSAA.4.002379).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Scene = Callable[[Tensor, Tensor], Tensor]
"""Grey levels at points x and y."""

MOTIONS = {
    "translation": "the whole picture by (-3, 2) pixels",
    "subpixel": "the whole picture by (0.4, -0.3) pixels",
    "far": "the whole picture by (6, 4) pixels",
    "rotation": "2 degrees round the centre",
    "zoom": "5 % from the centre outwards",
    "square": "a square by (4, 2) pixels before a ground that moves by (-1, 0): some of it is hidden",
}
_WAVES = 120
_PERIODS = (5.0, 60.0)
"""Shortest and longest period of a texture's waves, in pixels."""


@dataclass(frozen=True)
class Pair:
    """Two pictures and the flow between them.

    Attributes:
        motion: What moves: one of `MOTIONS`.
        first: uint8 `(1, h, w)`.
        second: uint8 `(1, h, w)`.
        flow: From the first to the second, float32 `(2, h, w)` in pixels.
        visible: Which pixels of the first are in the second too, bool `(h, w)`: neither hidden nor out of the picture.
    """

    motion: str
    first: Tensor
    second: Tensor
    flow: Tensor
    visible: Tensor


def make_pair(motion: str, *, size: tuple[int, int] = (120, 160), seed: int = 0) -> Pair:
    """A pair that moves as `MOTIONS` says.

    Args:
        motion: One of `MOTIONS`.
        size: Height and width, in pixels.
        seed: Of the texture.

    Raises:
        ValueError: No such motion.
    """
    if motion not in MOTIONS:
        raise ValueError(f"there is no motion {motion!r}; there are {', '.join(MOTIONS)}")
    height, width = size
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    ground = texture(seed)
    if motion == "square":
        return _square(x, y, ground, texture(seed + 1_000_000))
    turn, shift = _affine(motion)
    centre = (width - 1) / 2, (height - 1) / 2
    to_x, to_y = _moved(x, y, turn, shift, centre)
    back = torch.linalg.inv(turn)
    from_x, from_y = _moved(x - shift[0], y - shift[1], back, torch.zeros(2), centre)
    inside = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
    return Pair(
        motion,
        _seen(ground(x, y)),
        _seen(ground(from_x, from_y)),
        torch.stack([to_x - x, to_y - y]).float(),
        inside,
    )


def make_pairs(*, size: tuple[int, int] = (120, 160), seeds: int = 1) -> list[Pair]:
    """Every motion, with `seeds` textures each."""
    return [make_pair(motion, size=size, seed=seed) for motion in MOTIONS for seed in range(seeds)]


def texture(seed: int) -> Scene:
    """A scene without end: waves in all directions, with random phases."""
    rng = torch.Generator().manual_seed(seed)
    draw = torch.rand(3, _WAVES, generator=rng, dtype=torch.float64)
    shortest, longest = _PERIODS
    period = shortest * (longest / shortest) ** draw[0]
    angle, phase = 2 * math.pi * draw[1], 2 * math.pi * draw[2]
    frequency_x, frequency_y = (
        2 * math.pi / period * torch.cos(angle),
        2 * math.pi / period * torch.sin(angle),
    )
    # Frequencies are drawn evenly on a logarithmic scale; then amplitudes of 1 / f in two dimensions are all equal.
    amplitude = 45.0 / math.sqrt(_WAVES / 2)

    def scene(x: Tensor, y: Tensor) -> Tensor:
        grey = torch.full_like(x, 127.5)
        for fx, fy, shift in zip(frequency_x, frequency_y, phase, strict=True):
            grey += amplitude * torch.cos(fx * x + fy * y + shift)
        return grey

    return scene


def _affine(motion: str) -> tuple[Tensor, Tensor]:
    """What a motion does to a point, seen from the centre: a matrix, then a shift."""
    turn, shift = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    if motion == "rotation":
        angle = math.radians(2)
        turn = torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64
        )
    elif motion == "zoom":
        turn = turn * 1.05
    else:
        shift = torch.tensor(
            {"translation": (-3.0, 2.0), "subpixel": (0.4, -0.3), "far": (6.0, 4.0)}[motion],
            dtype=torch.float64,
        )
    return turn, shift


def _moved(
    x: Tensor, y: Tensor, turn: Tensor, shift: Tensor, centre: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    x, y = x - centre[0], y - centre[1]
    return (
        turn[0, 0] * x + turn[0, 1] * y + centre[0] + shift[0],
        turn[1, 0] * x + turn[1, 1] * y + centre[1] + shift[1],
    )


def _square(x: Tensor, y: Tensor, ground: Scene, thing: Scene) -> Pair:
    height, width = x.shape
    side = min(height, width) // 3
    left, top = (width - side) // 2, (height - side) // 2
    thing_x, thing_y, ground_x = 4, 2, -1

    def covers(x: Tensor, y: Tensor) -> Tensor:
        return (x >= left) & (x < left + side) & (y >= top) & (y < top + side)

    before, after = covers(x, y), covers(x - thing_x, y - thing_y)
    first = torch.where(before, thing(x, y), ground(x, y))
    second = torch.where(after, thing(x - thing_x, y - thing_y), ground(x - ground_x, y))
    flow_x = torch.where(before, float(thing_x), float(ground_x))
    flow_y = torch.where(before, float(thing_y), 0.0)
    to_x, to_y = x + flow_x, y + flow_y
    inside = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
    hidden = ~before & covers(to_x - thing_x, to_y - thing_y)
    return Pair(
        "square", _seen(first), _seen(second), torch.stack([flow_x, flow_y]).float(), inside & ~hidden
    )


def _seen(grey: Tensor) -> Tensor:
    return grey.round().clamp(0, 255).byte()[None]
