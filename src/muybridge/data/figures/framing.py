"""How the camera is held, and what it is set to so that people stay in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi, sin

import numpy as np

from muybridge.data.figures.acting import Person
from muybridge.data.figures.backdrop import Camera
from muybridge.data.figures.body import Floats, J
from muybridge.data.figures.furniture import Thing
from muybridge.data.figures.props import Carried, Door

WIDEST = 0.55  # the shortest focal length against the drawn one; who is farther apart leaves the picture
RIM = 0.04  # of the frame's height that stays free round people


@dataclass(frozen=True, kw_only=True)
class Handling:
    """What whoever holds the camera does with it.

    Attributes:
        follow: The share of the first person's way that the camera goes along.
        reach_m: How far it goes to either side at most.
        pan_m: How far it wanders to either side on its own.
        zoom: How much longer the focal length gets at most, as a share.
        sway_s: How long it takes to wander or zoom there and back.
        since: Where in that it is at 0 s, 0..1.
        shake: In pixels.
    """

    follow: float = 0.0
    reach_m: float = 3.0
    pan_m: float = 0.0
    zoom: float = 0.0
    sway_s: float = 8.0
    since: float = 0.0
    shake: float = 0.0

    def held(self, camera: Camera, first: Person | None, time_s: float) -> Camera:
        """The camera at a time, which follows the first person."""
        turn = 2 * pi * (time_s / self.sway_s + self.since)
        x = self.pan_m * sin(turn)
        if first and self.follow:
            x += self.follow * first.place_at(time_s)[0]
        x = camera.x_m + min(self.reach_m, max(-self.reach_m, x))
        right, down = (sum(sin(time_s * rate + k) for rate in (3.1, 7.3, 12.7)) / 2 for k in (0, 2))
        if self.zoom:
            camera = camera.zoomed(1 + self.zoom * (1 - cos(1.3 * turn)) / 2)
        return replace(camera, x_m=x, shake=(self.shake * right, self.shake * down))


def framed(
    camera: Camera, handling: Handling, people: Sequence[Person], things: Sequence[Thing]
) -> tuple[Camera, Handling]:
    """Widen and tilt until people and what they use are in the picture; zoom in no further than they stay."""
    if not people:
        return camera, handling
    begin = min(person.beats[0].start_s for person in people)
    end = max(person.beats[-1].end_s for person in people)
    times = np.linspace(begin, end, max(6, min(60, round(4 * (end - begin))))).tolist()
    used = [thing for thing in things if isinstance(thing, (Carried, Door))]
    crowd = [
        np.concatenate(
            [_outline(one, at) for one in people]
            + [part.points for thing in used for part in thing.parts_at(at)]
        )
        for at in times
    ]
    steady = replace(handling, zoom=0.0)
    followed = [steady.held(camera, people[0], at).x_m for at in times]
    away = [camera.away_m - points[:, 2] for points in crowd]
    ends = np.concatenate([points[:, 0] - x for points, x in zip(crowd, followed, strict=True)])
    middle = float(ends.min() + ends.max()) / 2
    across = max(
        float(np.abs((points[:, 0] - x - middle) / z).max())
        for points, x, z in zip(crowd, followed, away, strict=True)
    )
    down = np.concatenate([(camera.eye_m - points[:, 1]) / z for points, z in zip(crowd, away, strict=True)])
    top, bottom, rim = float(down.min()), float(down.max()), RIM * camera.height
    room = min((camera.height - 2 * rim) / (bottom - top), (camera.width / 2 - rim) / across)
    camera = camera.zoomed(min(1.0, max(WIDEST, room / camera.focal)))
    low, high = camera.height - rim - camera.focal * bottom, rim - camera.focal * top
    horizon = min(low, max(high, (camera.horizon + (low + high) / 2) / 2))
    camera = replace(camera, horizon=horizon, x_m=middle)

    def fits(handling: Handling) -> bool:
        held = [handling.held(camera, people[0], at) for at in times]
        return all(_holds(one, points) for one, points in zip(held, crowd, strict=True))

    zooms = (replace(handling, zoom=handling.zoom * share) for share in (1.0, 0.75, 0.5, 0.25))
    return camera, next((one for one in zooms if fits(one)), steady) if handling.zoom else steady


def _outline(person: Person, time_s: float) -> Floats:
    """A person's joints and the crown of the head (n, 3)."""
    joints = person.joints_at(time_s)
    head, neck = joints[J["head"]], joints[J["neck"]]
    return np.concatenate((joints, [head + 0.6 * (head - neck)]))


def _holds(camera: Camera, points: Floats) -> bool:
    """Whether the frame holds all of these."""
    x, y, _ = np.array(camera.spots(points)).T
    edge = RIM / 2 * camera.height
    return bool(min(x.min(), camera.width - x.max(), y.min(), camera.height - y.max()) >= edge)
