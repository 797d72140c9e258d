"""What an action is: a function from a phase to a pose, how long a phase takes, and how it is done and seen.

A cyclic action repeats every whole phase. The others run from phase 0 to 1 once and hold their ends, so a
time reverse (`stand_up` of `sit_down`) is the same curve read backwards: one frame can't tell them apart.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import cos, floor, hypot, pi, radians, sin
from typing import Literal

import numpy as np

from muybridge.data.figures.body import Body, Floats, Pose

FROM_THE_SIDE = ((-35.0, 35.0), (145.0, 215.0))
FROM_STRAIGHT_ASIDE = ((-16.0, 16.0), (164.0, 196.0))  # who is fast must not come too near
FROM_THE_FRONT = ((35.0, 145.0),)
FACING_US = ((52.0, 128.0),)  # for arms that move across the body
FROM_ANYWHERE = ((-40.0, 220.0),)


@dataclass(frozen=True, kw_only=True)
class Style:
    """How one person does things.

    Attributes:
        vigour: Size of the movement against the average.
        left_handed: Left and right exchanged.
        falls: Where a fall ends.
        bend: Elbow flexion held on top of the action's own, in degrees.
        lot: Drawn from 0 to 1, for what can be done in one of several ways: who draws less than
            `Action.backwards` goes backwards.
    """

    vigour: float = 1.0
    left_handed: bool = False
    falls: Literal["forward", "backward", "sideways"] = "forward"
    bend: float = 0.0
    lot: float = 1.0

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Style:
        """Somebody's manner."""
        return cls(
            vigour=rng.uniform(0.85, 1.15),
            left_handed=bool(rng.random() < 0.5),
            falls=("forward", "backward", "sideways")[rng.integers(3)],
            bend=rng.uniform(0, 20),
            lot=rng.random(),
        )


Curve = Callable[[float, Style], Pose]


@dataclass(frozen=True, kw_only=True)
class Action:
    """One kind of movement.

    Attributes:
        curve: (phase, style) -> Pose.
        seconds: Shortest and longest duration of one phase.
        cyclic: Whether it repeats.
        views: Ranges of the angle between the body's front and the picture's right, in degrees (90 faces us).
        turn: style -> degrees by which `views` are turned for that manner: ask `views_of`.
        path: (phase, style) -> how far the body has gone since phase 0, forward and to its right hand, in lengths
            of a leg; None stays in place.
        thing: What it is done with: "chair", "door" or "box".
        partner: What the other one does at that phase, where it takes two.
        apart_m: Metres between the two by phase.
        arms_only: Whether it may be done on top of walking, standing or sitting.
        backwards: Share of people who do it going backwards, time reversed: one frame doesn't tell where they go.
        heading: Where the body goes in the picture, if its name says so.
    """

    curve: Curve
    seconds: tuple[float, float]
    cyclic: bool = True
    views: tuple[tuple[float, float], ...] = FROM_ANYWHERE
    turn: Callable[[Style], float] | None = None
    path: Callable[[float, Style], tuple[float, float]] | None = None
    thing: str = ""
    partner: Curve | None = None
    apart_m: Callable[[float], float] | None = None
    arms_only: bool = False
    backwards: float = 0.0
    heading: Literal["left", "right"] | None = None

    @property
    def travels(self) -> bool:
        """Whether the body leaves its place."""
        return self.path is not None

    def pose(self, phase: float, style: Style, role: int = 0) -> Pose:
        """The pose at a phase; before 0 and after 1 an action that isn't cyclic stays at its ends.

        Role 1 is the partner's.
        """
        curve = self.partner if role and self.partner else self.curve
        pose = curve(self._own(phase, style) % 1 if self.cyclic else min(1, max(0, phase)), style)
        return pose.mirrored() if style.left_handed else pose

    def moved(self, phase: float, body: Body, style: Style) -> tuple[float, float]:
        """Metres gone since phase 0, forward and to the body's right hand; back and left are negative."""
        if self.path is None:
            return 0.0, 0.0
        phase = self._own(phase, style)
        whole = floor(phase) if self.cyclic else 0
        (ahead, aside), (each, each_aside) = (
            self.path(at, style) for at in (min(1, max(0, phase - whole)), 1.0)
        )
        ahead, aside = (ahead + whole * each) * body.leg_m, (aside + whole * each_aside) * body.leg_m
        return ahead, -aside if style.left_handed else aside

    def metres(self, body: Body, style: Style) -> float:
        """Ground covered in one phase."""
        return hypot(*self.moved(1.0, body, style))

    def goes_backwards(self, style: Style) -> bool:
        """Whether somebody does it going backwards."""
        return style.lot < self.backwards

    def views_of(self, style: Style) -> tuple[tuple[float, float], ...]:
        """`views` for somebody's manner; who goes backwards looks the other way."""
        turn = 180.0 * self.goes_backwards(style) + (self.turn(style) if self.turn else 0.0)
        return tuple((low + turn, high + turn) for low, high in self.views)

    def rewound(self) -> Action:
        """The same in reversed time: `stand_up` of `sit_down`."""
        return replace(self, curve=lambda phase, style: self.curve(1 - phase, style))

    def _own(self, phase: float, style: Style) -> float:
        return -phase if self.goes_backwards(style) else phase


def striding(reach: float) -> Callable[[float, Style], tuple[float, float]]:
    """The path of who swings each leg from -reach to +reach (degrees, before vigour): two steps in one phase."""
    return lambda phase, style: (4 * sin(radians(reach * style.vigour)) * phase, 0.0)


def both(pose: Pose, **angles: float) -> Pose:
    """A pose whose limbs do the same on both sides."""
    sides = {name for name in angles if f"{name}_l" in Pose._fields}
    given = {name: value for name, value in angles.items() if name not in sides}
    limbs = {f"{name}_{side}": angles[name] for name in sides for side in "lr"}
    return pose._replace(**given, **limbs)


def eased(phase: float, *keys: tuple[float, float]) -> float:
    """A value that passes through the (phase, value) keys and comes to rest at each."""
    for (begin, low), (end, high) in pairwise(keys):
        if phase <= end:
            share = min(1, max(0, (phase - begin) / (end - begin)))
            return low + (high - low) * (1 - cos(pi * share)) / 2
    return keys[-1][1]


def through(phase: float, *keys: tuple[float, Pose], cyclic: bool = False) -> Pose:
    """A pose that passes smoothly through the (phase, pose) keys, overshoots none and comes to rest at both ends.

    Slopes are those of Fritsch and Carlson, "Monotone Piecewise Cubic Interpolation" (1980), as the harmonic mean.
    With `cyclic`, the first key follows the last and nothing rests.
    """
    times, poses = [at for at, _ in keys], [np.array(pose) for _, pose in keys]
    if cyclic:
        times = [times[-1] - 1, *times, times[0] + 1, times[1] + 1]
        poses = [poses[-1], *poses, poses[0], poses[1]]
        phase = times[1] + (phase - times[1]) % 1
    k = min(max(bisect(times, phase), 1), len(times) - 1)
    span = times[k] - times[k - 1]
    slopes = [_slope(times, poses, at) * span for at in (k - 1, k)]
    u = min(1.0, max(0.0, (phase - times[k - 1]) / span))
    rise = u * u * (3 - 2 * u)
    along = u * (1 - u) * ((1 - u) * slopes[0] - u * slopes[1])
    return Pose(*(poses[k - 1] + rise * (poses[k] - poses[k - 1]) + along).tolist())


def _slope(times: list[float], poses: list[Floats], at: int) -> Floats:
    """Change by phase at a key: none where a value turns round, else between those of its two sides."""
    if at in (0, len(times) - 1):
        return np.zeros(len(poses[at]))
    before, after = ((poses[k + 1] - poses[k]) / (times[k + 1] - times[k]) for k in (at - 1, at))
    goes_on = before * after > 0
    return np.where(goes_on, 2 * before * after / np.where(goes_on, before + after, 1), 0)


def flight(phase: float, begin: float, end: float) -> float:
    """How high who leaves the floor at `begin` and lands at `end` is, 1 at the top of the parabola."""
    share = (phase - begin) / (end - begin)
    return max(0.0, 4 * share * (1 - share))
