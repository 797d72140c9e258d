"""What happens on a stage and has nothing to do with the film: passers-by, plants, lamps, curtains, rolling balls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from muybridge.data.figures.acting import Beat, Person
from muybridge.data.figures.action import Style
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.body import Body
from muybridge.data.figures.colours import Colour
from muybridge.data.figures.furniture import Part, Thing, bright, chair_somewhere, wood


@dataclass(frozen=True, kw_only=True)
class Plant:
    """Leaves in a pot, which a draught moves a little."""

    x_m: float
    z_m: float
    tall_m: float
    leaves: int
    colour: Colour
    pot: Colour

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """The pot, and the leaves as they sway."""
        x, z, low = self.x_m, self.z_m, 0.28 * self.tall_m
        pot = np.array([(x - 0.11, 0.02, z), (x + 0.11, 0.02, z), (x + 0.15, low, z), (x - 0.15, low, z)])
        parts = [Part(pot, 0.02, self.pot)]
        for k in range(self.leaves):
            aside = -1 + 2 * (k + 0.5) / self.leaves + 0.06 * sin(1.7 * time_s + 2.1 * k)
            high = self.tall_m * (1 - 0.35 * aside * aside)
            middle = (x + 0.14 * aside, low + 0.6 * (high - low), z)
            tip = (x + 0.38 * aside, high - 0.2 * abs(aside) * self.tall_m, z + 0.02 * (k % 2))
            for a, b, radius in (((x, low, z), middle, 0.02), (middle, tip, 0.034)):
                parts.append(Part(np.array([a, b]), radius, self.colour, 0.001 * k, shades=k % 2 == 0))
        return parts


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A lamp that hangs from the ceiling and swings, more or less."""

    x_m: float
    z_m: float
    cord_m: float
    swing: float  # radians
    since: float
    colour: Colour

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """Cord and shade, where the pendulum is."""
        angle = self.swing * sin(time_s * (9.81 / self.cord_m) ** 0.5 + self.since)
        top, c, s = np.array((self.x_m, 3.1, self.z_m)), cos(angle), sin(angle)

        def at(aside: float, down: float) -> tuple[float, float, float]:
            return top[0] + down * s + aside * c, top[1] - down * c + aside * s, top[2]

        end = self.cord_m
        shade = np.array([at(-0.07, end), at(0.07, end), at(0.2, end + 0.2), at(-0.2, end + 0.2)])
        return [
            Part(np.array([top, at(0, end)]), 0.01, (40, 40, 40), shades=False),
            Part(np.array([at(0, end + 0.2)]), 0.06, (255, 246, 214), 0.001, shades=False),
            Part(shade, 0.012, self.colour, 0.002, shades=False),
        ]


@dataclass(frozen=True, kw_only=True)
class Curtain:
    """A curtain before the wall; waves run through its folds."""

    x_m: float
    z_m: float
    wide_m: float
    tall_m: float
    draught_m: float
    colour: Colour

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """One strip for each fold, light and dark by turns."""
        folds = 7
        low, strips = 2.25 - self.tall_m, []
        for k in range(folds):
            aside = self.draught_m * sin(1.9 * time_s - 0.9 * k)
            left, right = (self.x_m + self.wide_m * (j / folds - 0.5) for j in (k, k + 1))
            corners = [(left, 2.25), (right, 2.25), (right + aside, low), (left + aside, low)]
            share = 0.84 + 0.16 * cos(pi * k + aside * 9)
            red, green, blue = (share * c for c in self.colour)
            strip = np.array([(x, y, self.z_m) for x, y in corners])
            strips.append(Part(strip, 0.01, (red, green, blue), 0.001 * k, shades=False))
        return strips


@dataclass(frozen=True, kw_only=True)
class RollingBall:
    """A ball that rolls through the room."""

    x_m: float
    z_m: float
    speed_m_s: float
    radius_m: float
    colour: Colour
    spot: Colour

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """The ball, and a spot on it that turns."""
        x, radius = self.x_m + self.speed_m_s * time_s, self.radius_m
        turned = -self.speed_m_s * time_s / radius
        middle = np.array([(x, radius, self.z_m)])
        aside = np.array([(0.5 * radius * cos(turned), 0.5 * radius * sin(turned), 0.0)])
        return [
            Part(middle, radius, self.colour),
            Part(middle + aside, 0.35 * radius, self.spot, 0.001, shades=False),
        ]


INDOORS = (Lamp, Curtain)  # what needs a ceiling or a wall


def drawn_clutter(rng: np.random.Generator) -> list[Thing]:
    """Things that nobody uses, behind everybody; often none."""
    kinds = (chair_somewhere, _plant, _lamp, _curtain, _ball)
    number = int(rng.choice((0, 1, 1, 2, 3)))
    return [kinds[k](rng) for k in rng.choice(len(kinds), number, p=(0.4, 0.2, 0.12, 0.13, 0.15))]


PASSED, PASSED_BEFORE = (
    0.2,
    0.15,
)  # share of films somebody walks through, and of those who do so before all others


def drawn_passers_by(rng: np.random.Generator, end_s: float, people: Sequence[Person]) -> list[Person]:
    """Mostly nobody; or one who walks through behind these people, or, seldom, before them, dressed unlike them."""
    return [_passer_by(rng, end_s, people)] if rng.random() < PASSED else []


def _passer_by(rng: np.random.Generator, end_s: float, people: Sequence[Person]) -> Person:
    body, style = Body.drawn(rng, [person.body for person in people]), Style.drawn(rng)
    way = 1 if rng.random() < 0.5 else -1
    gone = people[0].place_at(end_s)[0] - people[0].x_m
    if abs(gone) > 0.3:  # soon past each other, not side by side all the time
        way = -1 if gone > 0 else 1
    phase_s = rng.uniform(*ACTIONS["walk"].seconds)
    speed = ACTIONS["walk"].metres(body, style) / phase_s
    near = rng.random() < PASSED_BEFORE
    share = rng.uniform(0, 0.15 if near else 1)  # of the film, when the middle of the room is passed
    passes_s = (share if rng.random() < 0.5 else 1 - share) * end_s
    beat = Beat(
        action="walk",
        start_s=0.0,
        end_s=end_s,
        phase_s=phase_s,
        yaw=(0 if way > 0 else 180) + rng.uniform(-6, 6),
        phase=rng.random(),
    )
    z = rng.uniform(0.65, 0.9) if near else rng.uniform(-1.35, -0.8)
    return Person(body=body, style=style, beats=(beat,), x_m=-way * speed * passes_s, z_m=z, track=-1)


def _aside(rng: np.random.Generator) -> float:
    return float(rng.choice((-1, 1)) * rng.uniform(0.7, 1.9))


def _plant(rng: np.random.Generator) -> Plant:
    green = (rng.uniform(30, 80), rng.uniform(95, 150), rng.uniform(30, 70))
    return Plant(
        x_m=_aside(rng),
        z_m=rng.uniform(-1.4, -0.9),
        tall_m=rng.uniform(0.6, 1.3),
        leaves=int(rng.integers(5, 9)),
        colour=green,
        pot=wood(rng),
    )


def _lamp(rng: np.random.Generator) -> Lamp:
    return Lamp(
        x_m=rng.uniform(-1.4, 1.4),
        z_m=rng.uniform(-1.4, -0.9),
        cord_m=rng.uniform(0.5, 1.0),
        swing=rng.uniform(0, 0.25),
        since=rng.uniform(0, 2 * pi),
        colour=bright(rng),
    )


def _curtain(rng: np.random.Generator) -> Curtain:
    return Curtain(
        x_m=_aside(rng),
        z_m=-1.75,
        wide_m=rng.uniform(0.6, 1.1),
        tall_m=rng.uniform(1.2, 2.2),
        draught_m=rng.uniform(0, 0.08),
        colour=bright(rng) if rng.random() < 0.5 else wood(rng),
    )


def _ball(rng: np.random.Generator) -> RollingBall:
    way = float(rng.choice((-1, 1)))
    return RollingBall(
        x_m=-way * rng.uniform(0.2, 1.6),
        z_m=rng.uniform(-1.4, -0.7),
        speed_m_s=way * rng.uniform(0.2, 1.2),
        radius_m=rng.uniform(0.08, 0.16),
        colour=bright(rng),
        spot=(240, 240, 235),
    )
