"""A person's beats as they are written, one after the other: stand, do this, go there, meet somebody.

What happens is written down as it is decided, so the spans of a film are exact.
"""

from __future__ import annotations

from dataclasses import replace
from math import atan2, cos, degrees, radians, sin
from typing import NamedTuple

import numpy as np

from muybridge.data.figures.acting import Beat, Person, metres_apart
from muybridge.data.figures.action import Style
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.body import Body

# What must be over before anything else can be done.
ENDED_BY = {"sit_down": "stand_up", "fall": "get_up", "pick_up": "put_down", "open_door": "close_door"}
STEEPEST = 12.0  # degrees by which who walks across the picture comes nearer or goes farther
LONGEST_TRAVEL = 4  # phases
SHORTEST_WAY_M = 0.5


class Span(NamedTuple):
    """What one person does from when to when, in seconds."""

    track: int
    label: str
    start_s: float
    end_s: float


class Script:
    """Beats and spans of one person, who is somewhere at the beginning.

    Args:
        rng: Decides speed and direction.
        body: Who it is.
        style: How they do things.
        x_m: Where they begin, along the picture.
        z_m: Where they begin, towards us; they come back to it whenever they walk across.
        track: Their number.
        role: 1 for who is a partner in what takes two.
        room_m: How far to the left and to the right they go to do something.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        body: Body,
        style: Style,
        *,
        x_m: float = 0.0,
        z_m: float = 0.0,
        track: int = 0,
        role: int = 0,
        room_m: tuple[float, float] = (-1.6, 1.6),
    ) -> None:
        self.rng, self.body, self.style = rng, body, style
        self.beats: list[Beat] = []
        self.spans: list[Span] = []
        self.room_m = room_m
        self._from, self._track, self._role = (x_m, z_m), track, role

    @property
    def person(self) -> Person:
        """Who has been written so far."""
        x, z = self._from
        return Person(
            body=self.body,
            style=self.style,
            beats=tuple(self.beats),
            x_m=x,
            z_m=z,
            track=self._track,
            role=self._role,
        )

    @property
    def now_s(self) -> float:
        """When the last beat ends."""
        return self.beats[-1].end_s if self.beats else 0.0

    @property
    def place(self) -> tuple[float, float]:
        """Where (x, z) the person is by then."""
        return self.person.place_at(self.now_s)[:2] if self.beats else self._from

    def stand(self, *, until_s: float, yaw: float | None = None, also: str = "") -> None:
        """Stand about, turned more or less to us where nothing else is said."""
        if until_s <= self.now_s:
            return
        yaw = self.rng.uniform(45, 135) if yaw is None else yaw
        self._add("stand", yaw, self.rng.uniform(*ACTIONS["stand"].seconds), until_s - self.now_s, also=also)

    def do(self, action: str, *, seconds: float = 3.0, yaw: float | None = None, hold_s: float = 0.0) -> None:
        """Do something where one is: whole phases, about so many seconds; or once, then hold the end."""
        does = ACTIONS[action]
        phase_s = self.rng.uniform(*does.seconds)
        if yaw is None:
            views = does.views_of(self.style)
            yaw = self.rng.uniform(*views[self.rng.integers(len(views))])
        phases = max(2 if phase_s < 2 else 1, round(seconds / phase_s)) if does.cyclic else 1
        self._add(action, yaw, phase_s, phases * phase_s, hold_s=0.0 if does.cyclic else hold_s)

    def do_and_undo(self, action: str, *, hold_s: float, yaw: float | None = None) -> None:
        """Sit down and stand up, and its like: the second where and as the first."""
        self.do(action, yaw=yaw, hold_s=hold_s)
        self.do(ENDED_BY[action], yaw=self.beats[-1].yaw)

    def go(self, x_m: float, z_m: float | None = None, *, also: str = "") -> None:
        """Walk across the picture to a place, forwards or, for some, backwards; nobody walks less than a step.

        Without `z_m` the place is about where they began, in depth.
        """
        x, z = self.place
        right, away = x_m - x, (self._from[1] if z_m is None else z_m) - z
        if abs(right) < (SHORTEST_WAY_M if z_m is None else 0.02):
            return
        steep = degrees(atan2(away, abs(right)))
        if z_m is None:  # on the way somewhere else, the lane need not be reached
            steep = max(-STEEPEST, min(STEEPEST, steep))
        action = "walk_right" if right > 0 else "walk_left"
        does = ACTIONS[action]
        yaw = steep if right > 0 else 180 - steep
        metres = abs(right) / cos(radians(steep))
        phases = metres / does.metres(self.body, self.style)
        phase_s = self.rng.uniform(*does.seconds)
        turned = 180.0 * does.goes_backwards(self.style)
        self._add(action, yaw + turned, phase_s, phases * phase_s, also=also)

    def travel(self, action: str) -> None:
        """Run, skip, gallop or jump through the room, after walking to where there is space for it."""
        does = ACTIONS[action]
        ways = [(self._way(action, sum(view) / 2), view) for view in does.views_of(self.style)]
        low, high = self.room_m
        x = self.place[0]
        rooms = [((high - x if way > 0 else x - low) / abs(way), way, view) for way, view in ways]
        phases, way, view = max(rooms, key=lambda item: item[0])
        whole = (high - low) / abs(way)
        if phases < 1.5 or phases < 2 <= whole:
            self.go(low + 0.05 if way > 0 else high - 0.05)
            phases = whole
        yaw = self._into_lane(action, self.rng.uniform(*view))
        phases = max(1, min(LONGEST_TRAVEL, int(phases)))
        phase_s = self.rng.uniform(*does.seconds)
        self._add(action, yaw, phase_s, phases * phase_s)

    def walk_in_depth(self, z_m: float) -> None:
        """Walk towards us or away until one is as near as `z_m`."""
        away = z_m - self.place[1]
        if abs(away) < 0.3:
            return
        does = ACTIONS["walk"]
        phase_s = self.rng.uniform(*does.seconds)
        phases = abs(away) / does.metres(self.body, self.style)
        yaw = (90 if away > 0 else 270) + self.rng.uniform(-6, 6)
        self._add("walk", yaw, phase_s, phases * phase_s)

    def cut(self, end_s: float) -> None:
        """End here, whatever is being done."""
        self.beats = [beat for beat in self.beats if beat.start_s < end_s]
        if self.beats and self.beats[-1].end_s > end_s:
            self.beats.append(replace(self.beats.pop(), end_s=end_s))
        self.spans = [
            span._replace(end_s=min(span.end_s, end_s)) for span in self.spans if span.start_s < end_s
        ]

    def _way(self, action: str, yaw: float) -> float:
        """Metres to the right of the picture in one phase."""
        return self._moved(action, yaw)[0]

    def _into_lane(self, action: str, yaw: float) -> float:
        """That direction, or its mirror image that leads back to where one began, in depth."""
        off_m = self.place[1] - self._from[1]
        ways = ((self._moved(action, angle), angle) for angle in (yaw, -yaw, 180 - yaw))
        right = self._way(action, yaw)
        return min((abs(off_m + dz), angle) for (dx, dz), angle in ways if abs(dx - right) < 1e-6)[1]

    def _moved(self, action: str, yaw: float) -> tuple[float, float]:
        """Metres to the right of the picture and towards us in one phase."""
        ahead, aside = ACTIONS[action].moved(1.0, self.body, self.style)
        c, s = cos(radians(yaw)), sin(radians(yaw))
        return ahead * c - aside * s, ahead * s + aside * c

    def _add(
        self,
        action: str,
        yaw: float,
        phase_s: float,
        seconds: float,
        *,
        hold_s: float = 0.0,
        also: str = "",
    ) -> None:
        start_s = self.now_s
        end_s = start_s + seconds
        beat = Beat(action=action, start_s=start_s, end_s=end_s + hold_s, phase_s=phase_s, yaw=yaw, also=also)
        self.beats.append(beat)
        self.spans += [Span(self._track, label, start_s, end_s) for label in beat.labels]


def meet(first: Script, second: Script, action: str) -> None:
    """The second comes to the first, and they do together what takes two."""
    does, rng = ACTIONS[action], first.rng
    (x, z), facing = first.place, second.place[0] > first.place[0]
    yaw = rng.uniform(-8, 8) + (0 if facing else 180)
    metres = metres_apart(does, 0.0, first.body)
    second.go(x + metres * cos(radians(yaw)), z + metres * sin(radians(yaw)))
    start_s = max(first.now_s, second.now_s) + 0.3
    first.stand(until_s=start_s, yaw=yaw)
    second.stand(until_s=start_s, yaw=yaw + 180)
    phase_s = rng.uniform(*does.seconds)
    for one, turned in ((first, 0.0), (second, 180.0)):
        one._add(action, yaw + turned, phase_s, phase_s)
