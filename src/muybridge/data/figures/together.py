"""What takes two. The first stays where they are; the partner comes, and is moved.

Distances are those between people of average stature, who face each other; their hands are aimed with the arms of
an average body.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sin

from muybridge.data.figures.action import FROM_STRAIGHT_ASIDE, Action, Style, eased
from muybridge.data.figures.alone import stand
from muybridge.data.figures.body import Pose
from muybridge.data.figures.gaits import walk
from muybridge.data.figures.reaching import AVERAGE, Place, reaching

TALL = AVERAGE.stature_m
CYCLE_M = 1.4  # metres of one phase of walking: two steps
CLASPED_M = 0.84  # between two who shake hands
EMBRACED_M = 0.3
PUSHING_M = 0.74


def shaking_apart_m(phase: float) -> float:
    """The partner comes a step nearer."""
    return eased(phase, (0, 1.5), (0.24, CLASPED_M), (1, CLASPED_M))


def shake_hands(phase: float, style: Style) -> Pose:
    """Right hands meet between the two, go up and down, and part."""
    still = stand(0, style)._replace(lean=3)
    reached = eased(phase, (0, 0), (0.08, 0), (0.3, 1), (0.82, 1), (1, 0))
    swing = sin(2 * pi * 4 * (phase - 0.3) / 0.52) if 0.3 < phase < 0.82 else 0.0
    clasp: Place = (CLASPED_M / TALL / 2 - 0.012, 0.6 + 0.035 * style.vigour * swing, 0.0)
    leaning = still._replace(lean=3 + 5 * reached)
    return leaning.mixed(reaching(leaning, right=clasp), reached)


def shake_hands_too(phase: float, style: Style) -> Pose:
    """The same, coming a step nearer."""
    return _stepping(shake_hands(phase, style), phase, shaking_apart_m)


def hugging_apart_m(phase: float) -> float:
    """The partner comes, and at the end steps back."""
    return eased(phase, (0, 1.25), (0.34, EMBRACED_M), (0.84, EMBRACED_M), (1, 0.62))


def hug(phase: float, style: Style) -> Pose:
    """Arms open, close round the other's back, hold and pat, and let go."""
    closed = eased(phase, (0, 0), (0.24, 0), (0.42, 1), (0.8, 1), (0.95, 0), (1, 0))
    opened = eased(phase, (0, 0.25), (0.16, 1), (0.42, 1), (0.8, 1), (1, 0))
    pat = 0.012 * max(0.0, sin(2 * pi * 6 * phase)) * closed
    still = stand(0, style)
    wide = still._replace(
        shoulder_l=52, shoulder_r=62, spread_l=38, spread_r=38, elbow_l=22, elbow_r=22, fold_l=-8, fold_r=-8
    )
    body = still._replace(lean=7 * closed, roll=6 * closed, nod=6 * closed)
    back = EMBRACED_M / TALL + 0.062 + pat
    held = reaching(body, left=(back, 0.66, 0.02), right=(back - 0.01, 0.75, -0.03))
    return still.mixed(wide, opened).mixed(held, closed)


def hug_too(phase: float, style: Style) -> Pose:
    """The same of who comes."""
    return _stepping(hug(phase, style), phase, hugging_apart_m)


HIT, SHOVED = 0.36, 0.46  # phases: hands are at the other's chest; arms are straight


def pushing_apart_m(phase: float) -> float:
    """The partner is driven back, fast and then slower."""
    gone = min(1.0, max(0.0, (phase - HIT) / 0.48))
    return PUSHING_M + 0.95 * (1 - (1 - gone) ** 2)


def push(phase: float, style: Style) -> Pose:
    """Hands to the own chest, then with a lunge against the other's."""
    drawn = eased(phase, (0, 0), (0.2, 1), (HIT - 0.08, 1), (HIT, 0), (1, 0))
    thrust = eased(phase, (0, 0), (0.22, 0), (HIT, 1), (0.62, 1), (1, 0))
    still = stand(0, style)
    body = still._replace(
        lean=18 * thrust - 5 * drawn,
        hip_r=26 * thrust,
        hip_l=-18 * thrust,
        knee_r=2 + 24 * thrust,
        knee_l=2 + 8 * thrust,
    )
    near = reaching(body, left=(0.12, 0.72, -0.08), right=(0.12, 0.72, 0.08))
    ahead = PUSHING_M / TALL - 0.09 + 0.07 * eased(phase, (HIT, 0), (SHOVED, 1))
    out = reaching(body, left=(ahead, 0.74, -0.07), right=(ahead, 0.74, 0.07))
    return body.mixed(near, drawn).mixed(out, thrust)


def push_too(phase: float, style: Style) -> Pose:
    """Struck on the chest: the trunk goes back, the arms fly up, the feet catch up."""
    struck = eased(phase, (0, 0), (HIT - 0.02, 0), (SHOVED + 0.04, 1), (0.62, 0.8), (0.9, 0), (1, 0))
    still = stand(0, style)
    thrown = still._replace(
        tilt=-15 * struck,
        lean=14 * struck,
        nod=12 * struck,
        shoulder_l=72 * struck,
        shoulder_r=86 * struck,
        spread_l=6 + 26 * struck,
        spread_r=6 + 22 * struck,
        elbow_l=10 + 40 * struck + style.bend,
        elbow_r=10 + 30 * struck + style.bend,
    )
    return _stepping(thrown, phase, pushing_apart_m)


def _stepping(pose: Pose, phase: float, apart_m: Callable[[float], float]) -> Pose:
    """The pose on the legs of somebody who comes or goes as the distance between the two changes."""
    metres = (apart_m(max(0.0, phase - 0.04)) - apart_m(min(1.0, phase + 0.04))) / 0.08
    stride = walk((apart_m(0) - apart_m(phase)) / CYCLE_M, Style())
    legs = {name: getattr(stride, name) for name in ("hip_l", "hip_r", "knee_l", "knee_r", "planted")}
    return pose.mixed(pose._replace(**legs), min(1.0, abs(metres) / 1.4))


TOGETHER: dict[str, Action] = {
    "shake_hands": Action(
        curve=shake_hands,
        seconds=(2.0, 2.6),
        cyclic=False,
        views=FROM_STRAIGHT_ASIDE,
        partner=shake_hands_too,
        apart_m=shaking_apart_m,
    ),
    "hug": Action(
        curve=hug,
        seconds=(2.0, 2.6),
        cyclic=False,
        views=FROM_STRAIGHT_ASIDE,
        partner=hug_too,
        apart_m=hugging_apart_m,
    ),
    "push": Action(
        curve=push,
        seconds=(1.5, 2.0),
        cyclic=False,
        views=FROM_STRAIGHT_ASIDE,
        partner=push_too,
        apart_m=pushing_apart_m,
    ),
}
