"""How people get from place to place: a body that goes along with its feet."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi, sin

from muybridge.data.figures.action import (
    FROM_STRAIGHT_ASIDE,
    FROM_THE_SIDE,
    Action,
    Style,
    both,
    flight,
    striding,
    through,
)
from muybridge.data.figures.body import Pose

TOWARDS_OR_AWAY = ((82.0, 98.0), (262.0, 278.0))
ON_HIPS = 0.5  # share of gallopers whose hands are there; the others let their arms hang


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


def skip(phase: float, style: Style) -> Pose:
    """Step and hop on the right leg, the left knee and the right arm high; then the same on the left."""
    high, back = 70 * style.vigour, -32 * style.vigour
    still = Pose(lean=4, elbow_l=40 + style.bend, elbow_r=40 + style.bend, planted=0)
    right = (
        (0.0, still._replace(hip_r=18, knee_r=10, hip_l=-9, knee_l=16, point_l=14)),
        (0.11, still._replace(hip_r=11, knee_r=22, hip_l=22, knee_l=82, shoulder_r=20, shoulder_l=-12)),
        (0.22, still._replace(hip_r=-12, knee_r=5, hip_l=86, knee_l=96, shoulder_r=high, shoulder_l=back)),
        (0.37, still._replace(hip_r=10, knee_r=12, hip_l=74, knee_l=84, shoulder_r=high, shoulder_l=back)),
    )
    half = tuple((at + 0.5, pose.mirrored()) for at, pose in right)
    rising = flight(phase % 0.5, 0.2, 0.38)
    pose = through(phase, *right, *half, cyclic=True)
    if phase % 1 < 0.5:
        pose = pose._replace(point_r=pose.point_r + 40 * rising)
    else:
        pose = pose._replace(point_l=pose.point_l + 40 * rising)
    return pose._replace(lift_m=0.17 * style.vigour * rising)


def side_gallop(phase: float, style: Style) -> Pose:
    """The right leg reaches out, the left one closes to it, both off the floor; hands on the hips, or low."""
    out = 30 * style.vigour
    closed = Pose(hip_l=11, hip_r=11, knee_l=20, knee_r=20, stance_l=-4, stance_r=2, planted=0)
    if style.lot < ON_HIPS:
        closed = both(closed, spread=44, fold=-92, shoulder=-12, elbow=14)
    else:
        closed = both(closed, spread=9, elbow=10 + style.bend)
    opened = closed._replace(hip_l=4, hip_r=4, knee_l=8, knee_r=8)
    if style.lot >= ON_HIPS:
        opened = both(opened, spread=20)
    pose = through(
        phase,
        (0.0, closed._replace(stance_r=8)),
        (0.3, opened._replace(stance_r=out, stance_l=0.6 * out)),
        (0.44, opened._replace(stance_r=0.6 * out, stance_l=out)),
        (0.64, closed._replace(stance_r=2, stance_l=0.6 * out, knee_r=6, hip_r=3)),
        (0.84, closed._replace(stance_r=-1, stance_l=-1, knee_l=10, knee_r=10, point_l=35, point_r=35)),
        cyclic=True,
    )
    return pose._replace(lift_m=0.15 * style.vigour * flight(phase, 0.6, 1))


def jump(phase: float, style: Style) -> Pose:
    """Crouch with the arms back, throw them forward, fly with the knees drawn up, land on feet far in front."""
    still = Pose(elbow_l=12 + style.bend, elbow_r=12 + style.bend)
    pose = through(
        phase,
        (0.0, still),
        (0.2, both(still, lean=48, nod=-18, hip=72, knee=92, shoulder=-48)),
        (0.38, both(still, tilt=20, hip=-8, knee=4, shoulder=105, point=40)),
        (0.53, both(still, lean=22, hip=72, knee=84, shoulder=118)),
        (0.66, both(still, lean=36, hip=66, knee=30, shoulder=62)),
        (0.76, both(still, lean=40, nod=-14, hip=78, knee=92, shoulder=30)),
        cyclic=True,
    )
    return pose._replace(lift_m=0.28 * style.vigour * flight(phase, 0.38, 0.66))


def _leap(phase: float, style: Style) -> tuple[float, float]:
    return 1.75 * style.vigour * min(1, max(0, (phase - 0.38) / 0.28)), 0.0


WALK = Action(curve=walk, seconds=(0.95, 1.3), path=striding(25))
# Half of the people walk backwards: who sees one frame sees where they look, not where they go.
ASIDE = replace(WALK, backwards=0.5)

GAITS: dict[str, Action] = {
    # At a stroll, or the picture would soon be left.
    "walk": replace(WALK, seconds=(1.1, 1.45), views=TOWARDS_OR_AWAY),
    "walk_left": replace(ASIDE, views=FROM_STRAIGHT_ASIDE[1:], heading="left"),
    "walk_right": replace(ASIDE, views=FROM_STRAIGHT_ASIDE[:1], heading="right"),
    "run": Action(curve=run, seconds=(0.6, 0.78), views=FROM_STRAIGHT_ASIDE, path=striding(40)),
    "skip": Action(
        curve=skip,
        seconds=(1.0, 1.3),
        views=FROM_STRAIGHT_ASIDE,
        path=lambda phase, style: (2.2 * style.vigour * phase, 0.0),
    ),
    "side_gallop": Action(
        curve=side_gallop,
        seconds=(0.6, 0.8),
        views=((72.0, 108.0),),
        path=lambda phase, style: (0.0, 1.35 * style.vigour * phase),
    ),
    "jump": Action(curve=jump, seconds=(1.2, 1.6), views=FROM_THE_SIDE, path=_leap),
}
