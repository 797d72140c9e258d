"""Colours that people and rooms are drawn from, and how far apart two of them look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot

import numpy as np

Colour = tuple[float, float, float]  # red, green, blue, 0..255

TRIES = 24
CHROMA = 0.7  # of what a difference in brightness counts: films are stored with less of it

HAIR: tuple[Colour, ...] = (
    (28, 22, 20),
    (60, 42, 30),
    (104, 68, 40),
    (176, 134, 76),
    (150, 70, 40),
    (150, 148, 146),
)


def gap(a: Colour, b: Colour) -> float:
    """How far apart two colours look, 0 to 255: their luma and chroma after ITU-R BT.601."""
    red, green, blue = (p - q for p, q in zip(a, b, strict=True))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return hypot(luma, CHROMA * 0.713 * (red - luma), CHROMA * 0.564 * (blue - luma))


def clear_of(others: Sequence[Colour], least: float, draw: Callable[[], Colour]) -> Colour:
    """The first colour drawn that is `least` away from all others; if there is none, the farthest of many."""
    best, farthest = (0.0, 0.0, 0.0), -1.0
    for _ in range(TRIES):
        colour = draw()
        nearest = min((gap(colour, other) for other in others), default=least)
        if nearest >= least:
            return colour
        if nearest > farthest:
            best, farthest = colour, nearest
    return best


def skin(rng: np.random.Generator) -> Colour:
    """From light to dark."""
    share, light, dark = rng.random(), (248, 208, 180), (96, 62, 44)
    red, green, blue = (a + (b - a) * share + rng.uniform(-6, 6) for a, b in zip(light, dark, strict=True))
    return red, green, blue


def hair(rng: np.random.Generator) -> Colour:
    """One of a few."""
    return HAIR[rng.integers(len(HAIR))]


def cloth(rng: np.random.Generator, dark: bool = False) -> Colour:
    """A dye: any hue, from grey to strong."""
    hue, strength = rng.random() * 6, rng.uniform(0.05, 0.75)
    value = rng.uniform(30, 120) if dark else rng.uniform(90, 240)
    red, green, blue = (
        value * (1 - strength * min(1, max(0, abs((hue + turn) % 6 - 3) - 1))) for turn in (3, 1, 5)
    )
    return red, green, blue


def leather(rng: np.random.Generator) -> Colour:
    """Of shoes: dark, or about white."""
    return cloth(rng, dark=True) if rng.random() < 0.6 else (rng.uniform(200, 245),) * 3
