"""What one person does with nothing but their body. A new action is one function and one line of `ALONE`."""

from __future__ import annotations

from math import cos, pi, sin

from muybridge.data.figures.action import (
    FACING_US,
    FROM_THE_FRONT,
    FROM_THE_SIDE,
    Action,
    Style,
    both,
    eased,
    flight,
    through,
)
from muybridge.data.figures.body import Pose

Keys = tuple[tuple[float, Pose], ...]


def stand(phase: float, style: Style) -> Pose:
    """Waiting: breath and a shift of weight."""
    sway = sin(2 * pi * phase)
    return Pose(
        roll=1.2 * sway, twist=2 * sway, elbow_l=10 + style.bend, elbow_r=10 + style.bend, nod=2 * sway
    )


def wave(phase: float, style: Style) -> Pose:
    """Upper arm out and up, forearm to and fro, from about level to over the head."""
    beat = sin(2 * pi * phase)
    return stand(phase, style)._replace(
        spread_r=104 + 6 * beat, elbow_r=6, fold_r=52 + 42 * style.vigour * beat, roll=-3 + 2 * beat
    )


def wave_both(phase: float, style: Style) -> Pose:
    """Waving with two arms."""
    one = wave(phase, style)
    return one._replace(spread_l=one.spread_r, elbow_l=one.elbow_r, fold_l=one.fold_r, roll=0)


def clap(phase: float, style: Style) -> Pose:
    """Arms forward, wide open, and together: the hands meet at phase 1/2, well before the chest."""
    apart = (1 + cos(2 * pi * phase)) / 2 * (0.6 + 0.4 * style.vigour)
    return both(
        stand(phase, style),
        shoulder=60 - 4 * apart,
        elbow=38 + 6 * apart,
        spread=-6 + 30 * apart,
        fold=-12 + 18 * apart,
        twist=0,
        roll=0,
    )


def box(phase: float, style: Style) -> Pose:
    """One foot forward, fists at the chin; the right one strikes while the left stays there, then the left."""
    guard = both(
        Pose(lean=8, nod=8, hip_l=24, knee_l=20, hip_r=-12, knee_r=24), shoulder=50, elbow=136, fold=-14
    )
    right = guard._replace(shoulder_r=90, elbow_r=4, fold_r=-4, twist=32, lean=12)
    left = guard._replace(shoulder_l=90, elbow_l=4, fold_l=-4, twist=-28, lean=12)
    return through(
        phase, (0.0, guard), (0.14, right), (0.22, right), (0.38, guard),
        (0.5, guard), (0.64, left), (0.72, left), (0.88, guard), cyclic=True,
    )  # fmt: skip


def kick(phase: float, style: Style) -> Pose:
    """The right leg swings back, then forward and up; arms and trunk answer it."""
    still = Pose(
        hip_l=5, knee_l=10, hip_r=5, knee_r=10, elbow_l=20 + style.bend, elbow_r=20 + style.bend, planted=0
    )
    high = still._replace(
        hip_r=90 * style.vigour, knee_r=6, lean=-18, nod=14, shoulder_l=62, shoulder_r=-42,
        spread_l=22, spread_r=34, twist=14, hip_l=3, knee_l=8,
    )  # fmt: skip
    return through(
        phase,
        (0.0, still),
        (
            0.26,
            still._replace(hip_r=-32, knee_r=78, lean=10, shoulder_r=34, shoulder_l=-30, hip_l=8, knee_l=16),
        ),
        (0.46, high),
        (0.54, high),
        (0.8, still._replace(hip_r=12, knee_r=30)),
        cyclic=True,
    )


def jump_in_place(phase: float, style: Style) -> Pose:
    """Crouch, spring straight up with the arms high, land where it began."""
    still = both(Pose(), elbow=10 + style.bend)
    top = both(still, shoulder=168, spread=14, point=45)
    pose = through(
        phase,
        (0.0, still),
        (0.22, both(still, lean=24, hip=46, knee=72, shoulder=-30)),
        (0.38, both(top, shoulder=120)),
        (0.52, top),
        (0.66, both(still, shoulder=110, hip=8, knee=12, point=30)),
        (0.78, both(still, lean=18, hip=42, knee=62, shoulder=20)),
        cyclic=True,
    )
    return pose._replace(lift_m=0.28 * style.vigour * flight(phase, 0.38, 0.66))


def jumping_jack(phase: float, style: Style) -> Pose:
    """Arms from the thighs over the sides to above the head, while the legs jump apart; and back."""
    opened = (1 - cos(2 * pi * phase)) / 2
    pose = both(
        Pose(),
        spread=8 + 170 * opened,
        fold=4 + 26 * opened**2,
        stance=3 + 22 * style.vigour * opened,
        hip=4,
        knee=8,
    )
    return pose._replace(lift_m=0.11 * style.vigour * (flight(phase, 0.1, 0.4) + flight(phase, 0.6, 0.9)))


def bend(phase: float, style: Style) -> Pose:
    """Down from the hips with straight legs until the hands are at the toes, and up again."""
    down = eased(phase, (0, 0), (0.42, 1), (0.58, 1), (1, 0))
    return both(
        Pose(lean=122 * down, nod=12 * down),
        shoulder=118 * down,
        elbow=6,
        hip=9 * down + 1,
        knee=5 * down + 2,
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


def fall(phase: float, style: Style) -> Pose:
    """Knees give way, faster and faster, and the body comes to lie: on its belly, its back or its side."""
    still = both(Pose(), elbow=8 + style.bend)
    ways = {"forward": _on_the_belly, "backward": _on_the_back, "sideways": _on_the_side}
    return through(phase, (0.0, still), *ways[style.falls](still))


def _on_the_belly(still: Pose) -> Keys:
    """Over the knees and the hands."""
    return (
        (0.34, both(still, lean=14, hip=34, knee=62, shoulder=26, elbow=30)),
        (0.54, both(still, lean=34, nod=-22, hip=6, knee=78, shoulder=74, elbow=24, spread=14)),
        (0.69, both(still, lean=66, nod=-30, hip=-26, knee=52, shoulder=98, elbow=20, spread=16, point=20)),
        (0.86, both(still, lean=88, nod=-16, hip=-87, knee=5, shoulder=168, elbow=8, spread=28, point=95)),
    )


def _on_the_back(still: Pose) -> Keys:
    """Over the seat."""
    return (
        (0.34, both(still, lean=26, hip=54, knee=74, shoulder=44, elbow=20)),
        (0.54, both(still, lean=34, hip=118, knee=128, shoulder=50, elbow=20, spread=20)),
        (0.68, both(still, lean=-16, nod=10, hip=124, knee=84, shoulder=-24, spread=34)),
        (0.86, both(still, lean=-87, hip=108, knee=42, shoulder=4, spread=66, point=-16)),
    )


def _on_the_side(still: Pose) -> Keys:
    """Over the right hip, knees drawn up."""
    down = both(still, hip=72, knee=96, elbow=24)
    return (
        (0.34, both(still, hip=32, knee=56, roll=8, spread=24, shoulder=16)),
        (0.54, down._replace(topple=16, roll=16, spread_r=46, spread_l=40, shoulder_r=30, shoulder_l=30)),
        (0.69, down._replace(topple=54, roll=10, spread_r=40, spread_l=36, shoulder_r=60, shoulder_l=40)),
        (0.86, down._replace(
            topple=88, roll=-6, hip_r=54, hip_l=40, knee_r=78, knee_l=62, spread_r=-2, spread_l=4,
            shoulder_r=118, shoulder_l=44, elbow_l=50,
        )),
    )  # fmt: skip


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


SIT_DOWN = Action(curve=sit_down, seconds=(1.1, 1.7), cyclic=False, thing="chair")
FALL = Action(
    curve=fall,
    seconds=(1.0, 1.5),
    cyclic=False,
    views=((-50.0, 50.0), (130.0, 230.0)),  # across the picture, whichever way it goes
    turn=lambda style: 90.0 * (style.falls == "sideways"),
)

ALONE: dict[str, Action] = {
    "stand": Action(curve=stand, seconds=(3, 5)),
    "jump_in_place": Action(curve=jump_in_place, seconds=(0.95, 1.3), views=FROM_THE_SIDE),
    "jumping_jack": Action(curve=jumping_jack, seconds=(0.9, 1.3), views=FROM_THE_FRONT),
    "bend": Action(curve=bend, seconds=(1.8, 2.6)),
    "squat": Action(curve=squat, seconds=(1.3, 2.0)),
    "kick": Action(curve=kick, seconds=(1.0, 1.5), views=FROM_THE_SIDE),
    "wave": Action(curve=wave, seconds=(0.6, 0.95), views=FACING_US, arms_only=True),
    "wave_both": Action(curve=wave_both, seconds=(0.6, 0.95), views=FACING_US, arms_only=True),
    # Turned to us a little, so that both arms are seen.
    "box": Action(curve=box, seconds=(0.9, 1.3), views=((-5.0, 38.0), (142.0, 185.0))),
    "clap": Action(curve=clap, seconds=(0.45, 0.7), views=FACING_US, arms_only=True),
    "sit_down": SIT_DOWN,
    "stand_up": SIT_DOWN.rewound(),
    "fall": FALL,
    "get_up": FALL.rewound(),
}
