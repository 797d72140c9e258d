"""A body as a chain of limbs: angles in, joints in space out (forward kinematics).

The body's own axes: x forward, y up, z to its right hand; metres. Segment lengths are the fractions of
stature of Drillis and Contini, "Body Segment Parameters" (1966), as printed in Winter, "Biomechanics and
Motor Control of Human Movement"; joint widths are narrowed by the thickness of the flesh drawn around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from muybridge.data.figures.colours import Colour, clear_of, cloth, hair, leather, skin

Floats = NDArray[np.float64]

JOINTS = (
    *("pelvis", "neck", "head", "nose"),
    *("shoulder_l", "elbow_l", "wrist_l", "hip_l", "knee_l", "ankle_l", "toe_l"),
    *("shoulder_r", "elbow_r", "wrist_r", "hip_r", "knee_r", "ankle_r", "toe_r"),
)
J = {name: index for index, name in enumerate(JOINTS)}

THIGH, SHIN, ANKLE_HEIGHT, FOOT = 0.245, 0.246, 0.039, 0.115
UPPER_ARM, FOREARM = 0.186, 0.146
TRUNK, NECK_TO_HEAD, NOSE = 0.288, 0.115, 0.058
HALF_SHOULDERS, HALF_HIPS = 0.087, 0.048


class Pose(NamedTuple):
    """Every angle a body can change, in degrees; all zero is standing with the arms hanging.

    Flexion (`shoulder`, `elbow`, `hip`, `knee`) swings a limb in the plane of walking; `spread` and `stance`
    move arm and leg sideways; `fold` bends the elbow in the plane of waving.
    """

    lean: float = 0  # trunk forward
    roll: float = 0  # trunk to its right
    twist: float = 0  # shoulders against hips, right shoulder forward
    nod: float = 0
    tilt: float = 0  # the whole body forward, as a falling tree
    topple: float = 0  # the whole body to its right
    shoulder_l: float = 0
    shoulder_r: float = 0
    spread_l: float = 6
    spread_r: float = 6
    elbow_l: float = 8
    elbow_r: float = 8
    fold_l: float = 0
    fold_r: float = 0
    hip_l: float = 0
    hip_r: float = 0
    stance_l: float = 3
    stance_r: float = 3
    knee_l: float = 2
    knee_r: float = 2
    lift_m: float = 0  # lowest point above the floor
    planted: float = 1  # 1: the place of the body is that of its feet; 0: that of its pelvis
    point_l: float = 0  # toes away from the shin
    point_r: float = 0

    def mixed(self, other: Pose, share: float) -> Pose:
        """The pose on the way to `other`; `share` 0 is this one, 1 the other."""
        return Pose(*(a + (b - a) * share for a, b in zip(self, other, strict=True)))

    def mirrored(self) -> Pose:
        """Left and right exchanged."""
        swapped = {
            name: getattr(self, name[:-1] + {"l": "r", "r": "l"}[name[-1]])
            for name in self._fields
            if name[-2:] in ("_l", "_r")
        }
        return self._replace(**swapped, roll=-self.roll, twist=-self.twist, topple=-self.topple)


@dataclass(frozen=True, kw_only=True)
class Body:
    """One person's proportions and looks. Colours are RGB, 0..255."""

    stature_m: float = 1.72
    legs: float = 1.0  # length against the average
    arms: float = 1.0
    girth: float = 1.0
    head: float = 1.0
    skin: Colour = (224, 172, 138)
    hair: Colour = (60, 42, 30)
    shirt: Colour = (70, 110, 170)
    trousers: Colour = (52, 54, 66)
    shoes: Colour = (40, 36, 36)
    long_sleeves: bool = False
    shorts: bool = False

    @classmethod
    def drawn(cls, rng: np.random.Generator, unlike: Sequence[Body] = ()) -> Self:
        """A person out of the crowd, whose shirt and hair are not those of the people in `unlike`.

        Hands are seen before the shirt, the face beside the hair, and feet below the trousers.
        """
        bare, trousers = skin(rng), cloth(rng, dark=True)
        shirts, heads = [other.shirt for other in unlike], [other.hair for other in unlike]
        return cls(
            stature_m=rng.uniform(1.52, 1.92),
            legs=rng.uniform(0.94, 1.06),
            arms=rng.uniform(0.95, 1.06),
            girth=rng.uniform(0.85, 1.25),
            head=rng.uniform(0.95, 1.12),
            skin=bare,
            hair=clear_of([bare, *heads], 40, lambda: hair(rng)),
            shirt=clear_of([bare, *shirts], 70, lambda: cloth(rng)),
            trousers=trousers,
            shoes=clear_of([trousers], 40, lambda: leather(rng)),
            long_sleeves=bool(rng.random() < 0.45),
            shorts=bool(rng.random() < 0.25),
        )

    @property
    def leg_m(self) -> float:
        """Hip to ankle."""
        return (THIGH + SHIN) * self.legs * self.stature_m


def skeleton(pose: Pose, body: Body) -> Floats:
    """Joints (n, 3) in metres in the order of `JOINTS`, the lowest point of the body `lift_m` above y = 0."""
    trunk = _bent_trunk(pose)
    hips = _about_y(-0.5 * pose.twist)
    points = np.zeros((len(JOINTS), 3))
    points[J["neck"]] = trunk @ (0, TRUNK, 0)
    gaze = trunk @ _about_y(-0.8 * pose.twist) @ _about_z(-pose.nod)
    points[J["head"]] = points[J["neck"]] + gaze @ (0.012, NECK_TO_HEAD, 0)
    points[J["nose"]] = points[J["head"]] + gaze @ (NOSE, -0.008, 0)
    for side, sign in (("l", -1), ("r", 1)):
        angle = {
            name[:-2]: value
            for name, value in zip(Pose._fields, pose, strict=True)
            if name[-2:] == f"_{side}"
        }
        shoulder = trunk @ (0, TRUNK * 0.93, sign * HALF_SHOULDERS)
        upper = trunk @ _limb(angle["shoulder"], angle["spread"], sign)
        fore = trunk @ _limb(angle["shoulder"] + angle["elbow"], angle["spread"] + angle["fold"], sign)
        elbow = shoulder + upper * UPPER_ARM * body.arms
        hip = hips @ (0, 0, sign * HALF_HIPS)
        knee = hip + _limb(angle["hip"], angle["stance"], sign) * THIGH * body.legs
        shin = angle["hip"] - angle["knee"]
        ankle = knee + _limb(shin, angle["stance"], sign) * SHIN * body.legs
        foot = radians(0.55 * shin - angle["point"])  # the ankle makes up for about half of the shin's slope
        toe = ankle + np.array((cos(foot) * FOOT, sin(foot) * FOOT - 0.014, sign * 0.014))
        points[J[f"shoulder_{side}"] : J[f"shoulder_{side}"] + 7] = (
            *(shoulder, elbow, elbow + fore * FOREARM * body.arms),
            *(hip, knee, ankle, toe),
        )
    points = points @ (_about_x(pose.topple) @ _about_z(-pose.tilt)).T * body.stature_m
    feet = (points[J["ankle_l"]] + points[J["ankle_r"]]) / 2
    points[:, (0, 2)] -= pose.planted * feet[[0, 2]]
    points[:, 1] += pose.lift_m - (points[:, 1] - CLEARANCE * body.stature_m * body.girth).min()
    return points


# How far flesh reaches round each joint, as a fraction of stature: what keeps a fallen body out of the floor.
CLEARANCE = np.array([0.05, 0.045, 0.055, 0.02, *[0.03, 0.025, 0.02, 0.045, 0.035, 0.022, 0.02] * 2])


def trunk_axes(pose: Pose) -> Floats:
    """Columns: where the trunk's forward, up and right point in the body's axes."""
    return _about_x(pose.topple) @ _about_z(-pose.tilt) @ _bent_trunk(pose)


def _bent_trunk(pose: Pose) -> Floats:
    return _about_z(-pose.lean) @ _about_x(pose.roll) @ _about_y(pose.twist)


def _limb(forward: float, sideways: float, sign: int) -> Floats:
    """The direction of a limb that hangs down at (0, 0)."""
    a, b = radians(forward), radians(sideways)
    return np.array((sin(a) * cos(b), -cos(a) * cos(b), sign * sin(b)))


def _about_x(degrees: float) -> Floats:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.array(((1, 0, 0), (0, c, -s), (0, s, c)))


def _about_y(degrees: float) -> Floats:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.array(((c, 0, s), (0, 1, 0), (-s, 0, c)))


def _about_z(degrees: float) -> Floats:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.array(((c, -s, 0), (s, c, 0), (0, 0, 1)))
