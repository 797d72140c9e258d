"""Who does what when: a person's beats in time, as joints in the world.

Nothing is carried from frame to frame: pose and place are functions of time, whichever moment is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import cos, pi, radians, sin

import numpy as np

from muybridge.data.figures.action import Action, Style
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.body import Body, Floats, Pose, skeleton
from muybridge.data.figures.reaching import ARM_FIELDS, AVERAGE, arms_of

BLEND_S = 0.35  # from one action into the next


@dataclass(frozen=True, kw_only=True)
class Beat:
    """One action of one person: from when to when, how long a phase takes, and which way the body faces.

    `also` is a second action, of the arms alone, that is done on top of the first: to walk and wave.
    """

    action: str
    start_s: float
    end_s: float
    phase_s: float
    yaw: float
    phase: float = 0.0  # at start_s
    also: str = ""

    def phase_at(self, time_s: float) -> float:
        """The action's phase, which goes on before and after the beat itself."""
        return self.phase + (time_s - self.start_s) / self.phase_s

    @property
    def labels(self) -> tuple[str, ...]:
        """What is being done: one action, or two."""
        return (self.action, self.also) if self.also else (self.action,)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who does what, one beat after the other, and where the first begins (x, z in metres).

    Attributes:
        track: The number by which the truth knows them.
        role: 1 for the partner in what takes two, who does `Action.partner`.
    """

    body: Body
    style: Style
    beats: tuple[Beat, ...]
    x_m: float = 0.0
    z_m: float = 0.0
    track: int = 0
    role: int = 0

    def beat_at(self, time_s: float) -> int:
        """The index of the beat that is on."""
        return max((k for k, beat in enumerate(self.beats) if beat.start_s <= time_s), default=0)

    def pose_at(self, time_s: float) -> Pose:
        """The pose, mixed with that of the beat before while this one begins."""
        k = self.beat_at(time_s)
        pose, share = self._pose(k, time_s), self._share(k, time_s)
        return pose if share == 1 else self._pose(k - 1, self.beats[k].start_s).mixed(pose, share)

    def place_at(self, time_s: float) -> tuple[float, float, float]:
        """(x, z) in metres and yaw in degrees."""
        x, z, k = self.x_m, self.z_m, self.beat_at(time_s)
        for beat in self.beats[: k + 1]:
            action = ACTIONS[beat.action]
            if action.travels or (self.role and action.apart_m):
                until = beat.phase_at(time_s if beat is self.beats[k] else beat.end_s)
                ahead, aside = self._moved(action, until)
                ahead_before, aside_before = self._moved(action, beat.phase)
                c, s = cos(radians(beat.yaw)), sin(radians(beat.yaw))
                x += (ahead - ahead_before) * c - (aside - aside_before) * s
                z += (ahead - ahead_before) * s + (aside - aside_before) * c
        yaw, share = self.beats[k].yaw, self._share(k, time_s)
        if share < 1:
            turn = (yaw - self.beats[k - 1].yaw + 180) % 360 - 180  # the short way round
            yaw -= turn * (1 - share)
        return x, z, yaw

    def joints_at(self, time_s: float) -> Floats:
        """Joints (n, 3) in the world, metres."""
        x, z, yaw = self.place_at(time_s)
        return placed(skeleton(self.pose_at(time_s), self.body), x, z, yaw)

    def style_in(self, k: int) -> Style:
        """Their manner in one beat: a door is opened with the arm that is near us, and swings on that side of them."""
        beat = self.beats[k]
        if ACTIONS[beat.action].thing == "door":
            return replace(self.style, left_handed=cos(radians(beat.yaw)) < 0)
        return self.style

    def carries(self, k: int) -> bool:
        """Whether something picked up before this beat, or to be put down after it, is in their hands."""
        before = [beat.action for beat in self.beats[:k] if beat.action in ("pick_up", "put_down")]
        after = [beat.action for beat in self.beats[k + 1 :] if beat.action in ("pick_up", "put_down")]
        return before[-1] == "pick_up" if before else after[:1] == ["put_down"]

    def _moved(self, action: Action, phase: float) -> tuple[float, float]:
        """Metres forward and to the right since phase 0. In what takes two, only the partner leaves their place."""
        if self.role and action.apart_m:
            return metres_apart(action, 0.0, self.body) - metres_apart(action, phase, self.body), 0.0
        return action.moved(phase, self.body, self.style)

    def _pose(self, k: int, time_s: float) -> Pose:
        beat, style = self.beats[k], self.style_in(k)
        action = ACTIONS[beat.action]
        pose = action.pose(beat.phase_at(time_s), style, self.role)
        if beat.also:
            over = ACTIONS[beat.also]
            phase = (time_s - beat.start_s) / (sum(over.seconds) / 2)
            pose = arms_of(pose, over.pose(phase, style), _busy_arms(beat.also, style))
        elif action.thing != "box" and self.carries(k):
            pose = arms_of(pose, ACTIONS["pick_up"].pose(1.0, style))
        return pose

    def _share(self, k: int, time_s: float) -> float:
        share = min(1.0, max(0.0, (time_s - self.beats[k].start_s) / BLEND_S))
        return 1.0 if k == 0 else (1 - cos(pi * share)) / 2


def partner_of(person: Person, beat_index: int, body: Body, style: Style, track: int) -> Person:
    """The other one of a beat that takes two: opposite, facing, and waiting before and after.

    The partner is made about as tall as the person, with arms as long, or their hands would miss each other.

    Raises:
        ValueError: The beat's action takes one.
    """
    beat = person.beats[beat_index]
    action = ACTIONS[beat.action]
    if action.partner is None:
        raise ValueError(f"{beat.action} takes one; actions for two are {', '.join(_for_two())}")
    x, z, _ = replace(person, beats=person.beats[: beat_index + 1]).place_at(beat.start_s)
    metres = metres_apart(action, beat.phase, person.body)
    tall = person.body.stature_m
    body = replace(
        body,
        stature_m=min(1.025 * tall, max(0.975 * tall, body.stature_m)),
        legs=person.body.legs,
        arms=person.body.arms,
    )
    yaw = beat.yaw + 180
    wait = {"action": "stand", "phase_s": 4.0, "yaw": yaw}
    ends = person.beats[0].start_s, person.beats[-1].end_s
    beats = [replace(beat, yaw=yaw)]
    if beat_index > 0:
        beats.insert(0, Beat(**wait, start_s=ends[0], end_s=beat.start_s))  # type: ignore[arg-type]
    if beat.end_s < ends[1]:
        beats.append(Beat(**wait, start_s=beat.end_s, end_s=ends[1]))  # type: ignore[arg-type]
    return Person(
        body=body,
        style=replace(style, left_handed=person.style.left_handed, vigour=person.style.vigour),
        beats=tuple(beats),
        x_m=x + metres * cos(radians(beat.yaw)),
        z_m=z + metres * sin(radians(beat.yaw)),
        track=track,
        role=1,
    )


def metres_apart(action: Action, phase: float, body: Body) -> float:
    """Metres between two of this stature in what takes two; `Action.apart_m` is for people of average stature."""
    if action.apart_m is None:
        return 0.0
    return action.apart_m(phase % 1 if action.cyclic else min(1, max(0, phase))) * _stature(body)


def placed(points: Floats, x: float, z: float, yaw: float) -> Floats:
    """Points (n, 3) of a body's axes at a place in the world, facing `yaw` (0 right, 90 towards us)."""
    c, s = cos(radians(yaw)), sin(radians(yaw))
    across, up, side = points.T
    return np.stack((x + across * c - side * s, up, z + across * s + side * c), 1)


def _stature(body: Body) -> float:
    return body.stature_m / AVERAGE.stature_m


def _for_two() -> list[str]:
    return [name for name, action in ACTIONS.items() if action.partner]


@lru_cache(maxsize=256)
def _busy_arms(action: str, style: Style) -> str:
    """Which arms an action needs ("l", "r" or "lr"); who waves with one swings the other on."""
    idle = ACTIONS["stand"].pose(0, style)
    poses = [ACTIONS[action].pose(phase, style) for phase in (0.0, 0.25, 0.5, 0.75)]
    return "".join(
        side
        for side in "lr"
        if any(
            abs(getattr(pose, f"{name}_{side}") - getattr(idle, f"{name}_{side}")) > 20
            for pose in poses
            for name in ARM_FIELDS
        )
    )
