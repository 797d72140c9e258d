"""Who does what when: a person's beats in time, as joints in the world.

Nothing is carried from frame to frame: pose and place are functions of time, whichever moment is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np

from muybridge.data.figures.actions import ACTIONS, Style
from muybridge.data.figures.body import Body, Floats, Pose, skeleton

BLEND_S = 0.35  # from one action into the next


@dataclass(frozen=True, kw_only=True)
class Beat:
    """One action of one person: from when to when, how long a phase takes, and which way the body faces."""

    action: str
    start_s: float
    end_s: float
    phase_s: float
    yaw: float
    phase: float = 0.0  # at start_s

    def phase_at(self, time_s: float) -> float:
        """The action's phase, which goes on before and after the beat itself."""
        return self.phase + (time_s - self.start_s) / self.phase_s


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who does what, one beat after the other, and where the first begins (x, z in metres)."""

    body: Body
    style: Style
    beats: tuple[Beat, ...]
    x_m: float = 0.0
    z_m: float = 0.0

    def beat_at(self, time_s: float) -> int:
        """The index of the beat that is on."""
        return max((k for k, beat in enumerate(self.beats) if beat.start_s <= time_s), default=0)

    def pose_at(self, time_s: float) -> Pose:
        """The pose, mixed with that of the beat before while this one begins."""
        k = self.beat_at(time_s)
        pose = self._pose(self.beats[k], time_s)
        share = self._share(k, time_s)
        return pose if share == 1 else self._pose(self.beats[k - 1], self.beats[k].start_s).mixed(pose, share)

    def place_at(self, time_s: float) -> tuple[float, float, float]:
        """(x, z) in metres and yaw in degrees."""
        x, z = self.x_m, self.z_m
        k = self.beat_at(time_s)
        for beat in self.beats[: k + 1]:
            action = ACTIONS[beat.action]
            if action.reach:
                until = time_s if beat is self.beats[k] else beat.end_s
                metres = (until - beat.start_s) / beat.phase_s * action.metres(self.body, self.style)
                x += metres * cos(radians(beat.yaw))
                z += metres * sin(radians(beat.yaw))
        yaw, share = self.beats[k].yaw, self._share(k, time_s)
        return x, z, yaw if share == 1 else self.beats[k - 1].yaw + (yaw - self.beats[k - 1].yaw) * share

    def joints_at(self, time_s: float) -> Floats:
        """Joints (n, 3) in the world, metres."""
        x, z, yaw = self.place_at(time_s)
        return placed(skeleton(self.pose_at(time_s), self.body), x, z, yaw)

    def _pose(self, beat: Beat, time_s: float) -> Pose:
        return ACTIONS[beat.action].pose(beat.phase_at(time_s), self.style)

    def _share(self, k: int, time_s: float) -> float:
        share = min(1.0, max(0.0, (time_s - self.beats[k].start_s) / BLEND_S))
        return 1.0 if k == 0 else (1 - cos(pi * share)) / 2


def placed(points: Floats, x: float, z: float, yaw: float) -> Floats:
    """Points (n, 3) of a body's axes at a place in the world, facing `yaw` (0 right, 90 towards us)."""
    c, s = cos(radians(yaw)), sin(radians(yaw))
    across, up, side = points.T
    return np.stack((x + across * c - side * s, up, z + across * s + side * c), 1)
