"""What bodies do: each action is a function from a phase to a pose, and a line in `ACTIONS`.

A cyclic action repeats every whole phase. The others run from phase 0 to 1 once and hold their ends, so a
time reverse (`stand_up` of `sit_down`) is the same curve read backwards: one frame can't tell them apart.
A new action is one function here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, radians, sin
from typing import Literal

import numpy as np

from muybridge.data.figures.body import Body, Pose

FROM_THE_SIDE = ((-35.0, 35.0), (145.0, 215.0))
FROM_STRAIGHT_ASIDE = ((-16.0, 16.0), (164.0, 196.0))  # who is fast must not come too near
FROM_THE_FRONT = ((35.0, 145.0),)
FROM_ANYWHERE = ((-40.0, 220.0),)


@dataclass(frozen=True, kw_only=True)
class Style:
    """How one person does things.

    Attributes:
        vigour: Size of the movement against the average.
        left_handed: Left and right exchanged.
        both_arms: Wave with two arms.
        falls: Where a fall ends.
        bend: Elbow flexion held on top of the action's own, in degrees.
    """

    vigour: float = 1.0
    left_handed: bool = False
    both_arms: bool = False
    falls: Literal["forward", "backward", "sideways"] = "forward"
    bend: float = 0.0

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Style:
        """Somebody's manner."""
        return cls(
            vigour=rng.uniform(0.85, 1.15),
            left_handed=bool(rng.random() < 0.5),
            both_arms=bool(rng.random() < 0.25),
            falls=("forward", "backward", "sideways")[rng.integers(3)],
            bend=rng.uniform(0, 20),
        )


@dataclass(frozen=True, kw_only=True)
class Action:
    """One kind of movement.

    Attributes:
        curve: (phase, style) -> Pose.
        seconds: Shortest and longest duration of one phase.
        cyclic: Whether it repeats.
        views: Ranges of the angle between the body's front and the picture's right, in degrees (90 faces us).
        reach: Swing of the hip in degrees that carries the body along; 0 stays in place.
        on_chair: Whether the body sits at some point.
    """

    curve: Callable[[float, Style], Pose]
    seconds: tuple[float, float]
    cyclic: bool = True
    views: tuple[tuple[float, float], ...] = FROM_ANYWHERE
    reach: float = 0
    on_chair: bool = False

    def pose(self, phase: float, style: Style) -> Pose:
        """The pose at a phase; before 0 and after 1 an action that isn't cyclic stays at its ends."""
        pose = self.curve(phase % 1 if self.cyclic else min(1, max(0, phase)), style)
        return pose.mirrored() if style.left_handed else pose

    def metres(self, body: Body, style: Style) -> float:
        """Ground covered in one phase: two steps of a leg that swings from -reach to +reach."""
        return 4 * body.leg_m * sin(radians(self.reach * style.vigour))


def eased(phase: float, *keys: tuple[float, float]) -> float:
    """A value that passes through the (phase, value) keys and comes to rest at each."""
    for (begin, low), (end, high) in pairwise(keys):
        if phase <= end:
            share = min(1, max(0, (phase - begin) / (end - begin)))
            return low + (high - low) * (1 - cos(pi * share)) / 2
    return keys[-1][1]


def stand(phase: float, style: Style) -> Pose:
    """Waiting: breath and a shift of weight."""
    sway = sin(2 * pi * phase)
    return Pose(
        roll=1.2 * sway, twist=2 * sway, elbow_l=10 + style.bend, elbow_r=10 + style.bend, nod=2 * sway
    )


def stride(phase: float) -> float:
    """A leg's swing, 1 in front and -1 behind: evenly backward, as the floor passes by, then smoothly forward."""
    q = (phase - 0.25) % 1
    return 1 - 4 * q if q < 0.5 else -cos(2 * pi * (q - 0.5))


def walk(phase: float, style: Style) -> Pose:
    """Right leg forward at phase 1/4; the knee bends while its leg swings forward."""
    swing, along = sin(2 * pi * phase), cos(2 * pi * phase)
    reach, arm = 25 * style.vigour, 27 * style.vigour * swing
    return Pose(
        lean=3,
        twist=-7 * swing,
        hip_r=reach * stride(phase) + 3,
        hip_l=reach * stride(phase + 0.5) + 3,
        knee_r=6 + 48 * max(0, along) ** 1.5,
        knee_l=6 + 48 * max(0, -along) ** 1.5,
        shoulder_r=-arm,
        shoulder_l=arm,
        elbow_r=14 + style.bend - 8 * swing,
        elbow_l=14 + style.bend + 8 * swing,
        planted=0,
    )


def run(phase: float, style: Style) -> Pose:
    """As walking, with higher knees, bent arms, a lean, and both feet off the floor when the legs are apart."""
    swing, along = sin(2 * pi * phase), cos(2 * pi * phase)
    reach, arm = 42 * style.vigour, 44 * style.vigour * swing
    return Pose(
        lean=13,
        twist=-11 * swing,
        nod=-6,
        hip_r=reach * stride(phase) + 13,
        hip_l=reach * stride(phase + 0.5) + 13,
        knee_r=20 + 82 * max(0, along) ** 1.3,
        knee_l=20 + 82 * max(0, -along) ** 1.3,
        shoulder_r=-arm - 6,
        shoulder_l=arm - 6,
        elbow_r=82 + style.bend - 14 * swing,
        elbow_l=82 + style.bend + 14 * swing,
        lift_m=0.09 * swing**2,
        planted=0,
    )


def wave(phase: float, style: Style) -> Pose:
    """Upper arm out and up, forearm to and fro."""
    beat = sin(2 * pi * phase)
    still = stand(phase / 3, style)
    pose = still._replace(spread_r=102, elbow_r=8, fold_r=52 + 30 * style.vigour * beat, roll=-3 + 1.5 * beat)
    if style.both_arms:
        pose = pose._replace(spread_l=102, elbow_l=8, fold_l=52 + 30 * style.vigour * beat, roll=0)
    return pose


def jump(phase: float, style: Style) -> Pose:
    """Crouch, spring, fly along a parabola, land in a crouch."""
    crouch = eased(phase, (0, 0.1), (0.26, 1), (0.38, 0), (0.74, 0), (0.84, 0.75), (1, 0.1))
    arms = eased(phase, (0, 0), (0.24, -50), (0.47, 150 * style.vigour), (0.62, 110), (0.84, 10), (1, 0))
    flight = (phase - 0.38) / 0.36
    tuck = max(0.0, 4 * flight * (1 - flight))
    hip, knee = 62 * crouch + 14 * tuck, 88 * crouch + 34 * tuck
    return Pose(
        lean=34 * crouch,
        shoulder_l=arms,
        shoulder_r=arms,
        elbow_l=15 + style.bend,
        elbow_r=15 + style.bend,
        hip_l=hip,
        hip_r=hip,
        knee_l=knee,
        knee_r=knee,
        lift_m=0.34 * style.vigour * tuck,
    )


def sit_down(phase: float, style: Style) -> Pose:
    """The trunk goes forward, the hips back and down, the trunk comes up again."""
    down = eased(phase, (0, 0), (0.12, 0.02), (0.85, 1), (1, 1))
    lean = eased(phase, (0, 0), (0.45, 40 * style.vigour), (1, 4))
    hands = eased(phase, (0, 0), (0.4, 0.6), (1, 1))
    return Pose(
        lean=lean,
        nod=-0.3 * lean,
        hip_l=86 * down,
        hip_r=88 * down,
        knee_l=88 * down + 2,
        knee_r=86 * down + 2,
        stance_l=3 + 3 * down,
        stance_r=3 + 3 * down,
        shoulder_l=30 * hands,
        shoulder_r=30 * hands,
        elbow_l=10 + 32 * hands + style.bend,
        elbow_r=10 + 32 * hands + style.bend,
    )


def stand_up(phase: float, style: Style) -> Pose:
    """Sitting down, read backwards."""
    return sit_down(1 - phase, style)


def fall(phase: float, style: Style) -> Pose:
    """Knees give way and the body topples, faster and faster, to lie on the floor."""
    toppled = min(1, phase / 0.8) ** 2
    buckle = eased(phase, (0, 0), (0.45, 1), (0.8, 0.2), (1, 0.2))
    reach = eased(
        phase, (0, 0), (0.45, 1), (0.8, 0), (1, 0)
    )  # arms thrown out, then under or beside the body
    down = eased(phase, (0, 0), (0.35, 0), (0.8, 1), (1, 1))
    pose = Pose(
        knee_l=58 * buckle + 2,
        knee_r=66 * buckle + 2,
        hip_l=30 * (buckle - 0.2 * down),
        hip_r=36 * (buckle - 0.2 * down),
        stance_l=3 + 7 * buckle,
        stance_r=3 + 4 * buckle - 3 * down,
        spread_l=6 + 20 * reach,
        spread_r=6 + 20 * reach,
    )
    if style.falls == "forward":  # ends on the belly, arms above the head
        arms = {"shoulder_l": 105 * reach + 168 * down, "shoulder_r": 120 * reach + 174 * down}
        return pose._replace(tilt=88 * toppled, lean=10 * reach, nod=-15 * down, **arms)
    if style.falls == "backward":  # on the back, arms out
        limbs = {
            "shoulder_l": 35 * reach,
            "shoulder_r": 55 * reach,
            "hip_l": 24 * buckle,
            "hip_r": 32 * buckle,
        }
        spread = {"spread_l": 6 + 30 * reach + 60 * down, "spread_r": 6 + 30 * reach + 48 * down}
        return pose._replace(tilt=-88 * toppled, lean=16 * reach, **limbs, **spread)
    legs = {"hip_l": 40 * buckle + 22 * down, "hip_r": 40 * buckle + 10 * down}  # on the side, knees drawn up
    legs |= {"knee_l": 60 * buckle + 34 * down, "knee_r": 60 * buckle + 20 * down}
    arms = {"shoulder_l": 30 * reach + 48 * down, "shoulder_r": 30 * reach + 84 * down}
    return pose._replace(topple=86 * toppled, roll=10 * reach, spread_r=6 + 60 * reach, **arms, **legs)


def squat(phase: float, style: Style) -> Pose:
    """Knee bends, arms forward for balance."""
    down = (1 - cos(2 * pi * phase)) / 2 * min(1, style.vigour)
    return Pose(
        lean=32 * down,
        nod=-14 * down,
        hip_l=104 * down,
        hip_r=104 * down,
        knee_l=112 * down + 2,
        knee_r=112 * down + 2,
        stance_l=4 + 8 * down,
        stance_r=4 + 8 * down,
        shoulder_l=105 * down,
        shoulder_r=105 * down,
    )


ACTIONS: dict[str, Action] = {
    "stand": Action(curve=stand, seconds=(3, 5)),
    "walk": Action(curve=walk, seconds=(0.95, 1.3), views=FROM_THE_SIDE, reach=25),
    "run": Action(curve=run, seconds=(0.6, 0.78), views=FROM_STRAIGHT_ASIDE, reach=40),
    "wave": Action(curve=wave, seconds=(0.5, 0.9), views=FROM_THE_FRONT),
    "jump": Action(curve=jump, seconds=(1.0, 1.4)),
    "sit_down": Action(curve=sit_down, seconds=(1.1, 1.7), cyclic=False, on_chair=True),
    "stand_up": Action(curve=stand_up, seconds=(1.0, 1.6), cyclic=False, on_chair=True),
    "fall": Action(curve=fall, seconds=(0.8, 1.2), cyclic=False),
    "squat": Action(curve=squat, seconds=(1.3, 2.0)),
}
