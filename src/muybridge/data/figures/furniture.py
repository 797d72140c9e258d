"""Parts that things are made of, and what stands on the floor: chairs and low tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from muybridge.data.figures.acting import placed
from muybridge.data.figures.body import Floats
from muybridge.data.figures.colours import Colour


class Part(NamedTuple):
    """A hull of world points (n, 3), widened by a radius, in metres.

    A part with a normal is one side of something: it is drawn where it faces the camera and shaded by how it faces
    the light. `nearer` is how many metres nearer the part counts than it is when what lies before what is decided.
    """

    points: Floats
    radius_m: float
    colour: Colour
    nearer: float = 0.0
    normal: Floats | None = None
    shades: bool = True


class Thing(Protocol):
    """Anything that isn't a person."""

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """What is drawn of it at that time."""
        ...


@dataclass(frozen=True, kw_only=True)
class Chair:
    """A chair, its seat's middle at (x, z), the sitter looking along `yaw`."""

    x_m: float
    z_m: float
    yaw: float
    seat_m: float = 0.45
    colour: Colour = (120, 80, 50)

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """A chair stands still."""
        return self._parts

    @cached_property
    def _parts(self) -> list[Part]:
        half, seat, top = 0.21, self.seat_m, self.seat_m + 0.45
        corners = [(-half, -half), (-half, half), (half, half), (half, -half)]
        dark = darker(self.colour)
        back = [
            (-half - 0.03, top - 0.22, -half),
            (-half - 0.03, top - 0.22, half),
            (-half - 0.05, top, half),
            (-half - 0.05, top, -half),
        ]
        # A sitter's thighs lie on the seat, not in it; shadows of legs and posts are too thin to be missed.
        return [
            *(self._part([(x, 0, z), (x, seat, z)], 0.018, dark, -0.12, False) for x, z in corners),
            self._part([(x, seat - 0.02, z) for x, z in corners], 0.025, self.colour, -0.12),
            *(
                self._part([(-half, seat, z), (-half - 0.05, top, z)], 0.018, dark, -0.12, False)
                for z in (-half, half)
            ),
            self._part(back, 0.02, self.colour),
        ]

    def _part(
        self,
        points: Sequence[tuple[float, float, float]],
        radius_m: float,
        colour: Colour,
        nearer: float = 0.0,
        shades: bool = True,
    ) -> Part:
        world = placed(np.array(points), self.x_m, self.z_m, self.yaw)
        return Part(world, radius_m, colour, nearer, shades=shades)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A low table, its top at `top_m`."""

    x_m: float
    z_m: float
    yaw: float
    top_m: float
    colour: Colour

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """A table stands still."""
        return self._parts

    @cached_property
    def _parts(self) -> list[Part]:
        at = placer(self.x_m, self.z_m, self.yaw)
        top = block((self.x_m, self.top_m - 0.02, self.z_m), (0.24, 0.02, 0.36), self.yaw, self.colour)
        legs = [
            Part(at([(x, 0, z), (x, self.top_m - 0.04, z)]), 0.02, darker(self.colour), -0.25, shades=False)
            for x in (-0.2, 0.2)
            for z in (-0.31, 0.31)
        ]
        return [part._replace(nearer=-0.2) for part in top] + legs


def chair_somewhere(rng: np.random.Generator) -> Chair:
    """A chair behind everybody, that nobody uses."""
    side = 1 if rng.random() < 0.5 else -1
    return Chair(
        x_m=side * rng.uniform(0.3, 1.7),
        z_m=rng.uniform(-1.0, -0.65),
        yaw=rng.uniform(0, 360),
        seat_m=rng.uniform(0.4, 0.5),
        colour=wood(rng),
    )


def wood(rng: np.random.Generator) -> Colour:
    """A colour for furniture."""
    value = rng.uniform(60, 190)
    return value, value * rng.uniform(0.6, 1.0), value * rng.uniform(0.35, 1.0)


def placer(x: float, z: float, yaw: float) -> Callable[[Sequence[tuple[float, float, float]]], Floats]:
    """From points of something's own axes to points in the world."""
    return lambda points: placed(np.array(points, float), x, z, yaw)


def block(
    middle: tuple[float, float, float], half: tuple[float, float, float], yaw: float, colour: Colour
) -> list[Part]:
    """The six sides of a box."""
    sides = []
    for axis in range(3):
        others = [k for k in range(3) if k != axis]
        for way in (-1.0, 1.0):
            corners = np.zeros((5, 3))  # and the normal
            corners[:4, axis] = way * half[axis]
            corners[:4, others[0]] = np.array((-1, 1, 1, -1)) * half[others[0]]
            corners[:4, others[1]] = np.array((-1, -1, 1, 1)) * half[others[1]]
            corners[4, axis] = way
            turned = placed(corners, 0, 0, yaw)
            points = turned[:4] + np.array(middle)
            # All sides count as far as the middle: what lies before the box lies before all of them.
            nearer = middle[2] - float(points[:, 2].mean()) + 0.001 * float(turned[4, 2])
            sides.append(Part(points, 0.008, colour, nearer, turned[4], axis == 1 and way > 0))
    return sides


def darker(colour: Colour, share: float = 0.75) -> Colour:
    """A shade of the colour."""
    red, green, blue = (share * c for c in colour)
    return red, green, blue


def bright(rng: np.random.Generator) -> Colour:
    """A strong colour, for what is made to be seen."""
    strong = [(208, 60, 48), (232, 138, 40), (236, 204, 60), (62, 140, 84), (58, 108, 190), (150, 84, 170)]
    red, green, blue = (min(255.0, c * rng.uniform(0.85, 1.12)) for c in strong[rng.integers(len(strong))])
    return red, green, blue
