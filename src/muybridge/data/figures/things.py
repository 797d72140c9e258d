"""What a body does with a thing: pick it up, put it down, open and close a door.

The curves say where the hands go; props.py puts the thing where the hands of that very body find it. The second of
each pair is the first in reversed time.
"""

from __future__ import annotations

from math import cos, radians, sin

from muybridge.data.figures.action import Action, Style, eased
from muybridge.data.figures.alone import stand
from muybridge.data.figures.body import Pose
from muybridge.data.figures.reaching import Place, arms_of, reaching

GRIP, HELD = 0.42, 0.95  # phases of picking up: the hands are at the thing; it is where it is carried
PALM = 0.092  # statures from the middle of the body to each hand that holds something
CARRIED: Place = (0.2, 0.6, PALM)
TURN, LET_GO, OPEN = (
    0.24,
    0.58,
    0.92,
)  # phases of opening: the leaf begins to turn, the hand leaves it, it rests
WIDE_OPEN = 82.0  # degrees
LEAF, HANDLE = 0.44, 0.385  # statures from the hinge to the leaf's edge and to its handle
HANDLE_UP = 0.56
HANDLE_ASIDE = 0.15  # of who opens, towards the arm that does: they stand beside the leaf, not before it
DOOR_AHEAD = {"pull": 0.34, "push": 0.22}  # statures from who opens to the closed leaf


def on_table(style: Style) -> bool:
    """Whether somebody finds the thing on a low table, else on the floor."""
    return style.lot < 0.4


def pulls(style: Style) -> bool:
    """Whether somebody opens a door by pulling it, else by pushing."""
    return style.lot < 0.5


def pick_up(phase: float, style: Style) -> Pose:
    """Down to the thing, both hands at it, and up again with the thing before the body."""
    low = 0.42 if on_table(style) else 0.085
    rest: Place = (0.24 if on_table(style) else 0.2, low, PALM)
    down = eased(phase, (0, 0), (GRIP - 0.04, 1), (GRIP + 0.06, 1), (HELD, 0))
    held = eased(phase, (0, 0), (GRIP, 0), (GRIP + 0.06, 0), (HELD, 1), (1, 1))
    place = _between(rest, CARRIED, held)
    bowed = _bowed(down, style)
    pose = reaching(bowed, left=(*place[:2], -place[2]), right=place)
    return bowed.mixed(pose, eased(phase, (0, 0), (0.06, 0), (GRIP, 1), (1, 1)))


def _bowed(down: float, style: Style) -> Pose:
    still = stand(0, style)
    if on_table(style):
        return still._replace(
            lean=38 * down, nod=8 * down, hip_l=24 * down, hip_r=24 * down, knee_l=26 * down, knee_r=26 * down
        )
    stoop = style.bend / 20  # some bend their backs, some their knees
    lean, hip, knee = 62 + 14 * stoop, 100 - 32 * stoop, 118 - 48 * stoop
    return still._replace(
        lean=lean * down,
        nod=-14 * down,
        hip_l=hip * down,
        hip_r=hip * down,
        knee_l=knee * down + 2,
        knee_r=knee * down + 2,
        stance_l=3 + 7 * down,
        stance_r=3 + 7 * down,
    )


def _between(a: Place, b: Place, share: float) -> Place:
    x, y, z = (p + (q - p) * share for p, q in zip(a, b, strict=True))
    return x, y, z


def door_angle(phase: float) -> float:
    """How far the door stands open, in degrees, while it is opened."""
    return eased(phase, (0, 0), (TURN, 0), (OPEN, WIDE_OPEN), (1, WIDE_OPEN))


def open_door(phase: float, style: Style) -> Pose:
    """The hand goes to the handle and takes it along until the leaf swings by itself; then it comes back."""
    still = stand(0, style)
    work = eased(phase, (0, 0), (TURN, 1), (0.42, 1.6), (LET_GO, 1.4), (0.86, 0), (1, 0))
    lean = (-4 if pulls(style) else 11) * work
    step = 9 * work
    body = still._replace(lean=lean, hip_r=step, hip_l=-step, knee_l=2 + step, knee_r=2 + step)
    if phase > LET_GO:
        last = open_door(LET_GO, style)
        return body.mixed(arms_of(body, last, "r"), eased(phase, (LET_GO, 1), (0.84, 0)))
    at = reaching(body, right=handle_at(door_angle(phase), style))
    return body.mixed(at, eased(phase, (0, 0), (TURN, 1)))


def handle_at(angle: float, style: Style) -> Place:
    """Where the handle is when the door stands open by `angle` degrees; the hinge is on the right."""
    way, ahead = (-1, DOOR_AHEAD["pull"]) if pulls(style) else (1, DOOR_AHEAD["push"])
    hinge = HANDLE_ASIDE + HANDLE
    return (
        ahead + way * HANDLE * sin(radians(angle)),
        HANDLE_UP,
        hinge - HANDLE * cos(radians(angle)),
    )


PICK_UP = Action(
    curve=pick_up, seconds=(1.3, 1.9), cyclic=False, views=((-40.0, 50.0), (130.0, 220.0)), thing="box"
)
OPEN_DOOR = Action(
    curve=open_door,
    seconds=(1.4, 2.0),
    cyclic=False,
    # From behind: the whole of a closed leaf is seen, the edge of an open one, and nobody stands before either.
    views=((-84.0, -70.0), (250.0, 264.0)),
    thing="door",
)
THINGS: dict[str, Action] = {
    "pick_up": PICK_UP,
    "put_down": PICK_UP.rewound(),
    "open_door": OPEN_DOOR,
    "close_door": OPEN_DOOR.rewound(),
}
