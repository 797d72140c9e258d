"""Things that move when somebody moves them: doors, and what hands carry; and the thing that fits each user.

A thing that somebody uses is made after the user: its seat where they sit, its handle where their hand reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import cos, radians, sin

import numpy as np

from muybridge.data.figures.acting import Person, placed
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.body import Floats, J, skeleton
from muybridge.data.figures.colours import Colour, clear_of
from muybridge.data.figures.furniture import Chair, Part, Table, Thing, block, bright, darker, placer, wood
from muybridge.data.figures.things import GRIP, HANDLE, LEAF, TURN, door_angle, on_table, pulls

DARK: Colour = (44, 34, 26)  # in which the panels of a leaf are lost


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A box or a ball that lies, is in somebody's hands from `from_s` to `to_s`, and lies again.

    Attributes:
        person: Whose hands.
        half_m: Half its length, height and width; a ball has its radius three times.
        tables: What it lies on, if not on the floor.
    """

    person: Person
    from_s: float
    to_s: float
    half_m: tuple[float, float, float]
    colour: Colour
    is_ball: bool = False
    tables: tuple[Table, ...] = ()

    def place_at(self, time_s: float) -> tuple[float, float, float, float]:
        """Its middle (x, y, z), and the way it is turned, in degrees."""
        return hands(self.person, min(self.to_s, max(self.from_s, time_s)), self.half_m[0])

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """The thing where it is then, and the tables."""
        x, y, z, yaw = self.place_at(time_s)
        tables = [part for table in self.tables for part in table.parts_at(time_s)]
        if self.is_ball:
            return [*tables, Part(np.array([(x, y, z)]), self.half_m[1], self.colour)]
        return [*tables, *block((x, y, z), self.half_m, yaw, self.colour)]


@dataclass(frozen=True, kw_only=True)
class Door:
    """A door in its frame, made for the hand of whoever opens or closes it in some beats.

    Attributes:
        handle: Where the closed door's handle is, in the opener's axes, in metres.
        hinge: 1 if the leaf hangs on the opener's right, else -1.
        way: 1 if it opens away from the opener, else -1.
        beats: Which of the opener's beats move it.
    """

    person: Person
    beats: tuple[int, ...]
    handle: tuple[float, float, float]
    hinge: int
    way: int
    colour: Colour
    frame: Colour

    def angle_at(self, time_s: float) -> float:
        """How far it stands open, in degrees."""
        begun = [k for k in self.beats if self.person.beats[k].start_s <= time_s]
        beat = self.person.beats[begun[-1] if begun else self.beats[0]]
        phase = min(1.0, max(0.0, beat.phase_at(time_s)))
        return door_angle(phase if beat.action == "open_door" else 1 - phase)

    def parts_at(self, time_s: float) -> Sequence[Part]:
        """The frame, and the leaf as far open as it is then."""
        return [*self._frame_parts, *self._leaf_parts(self.angle_at(time_s))]

    @cached_property
    def _stands(self) -> Callable[[Sequence[tuple[float, float, float]]], Floats]:
        beat = self.person.beats[self.beats[0]]
        x, z, _ = self.person.place_at(beat.start_s)
        return placer(x, z, beat.yaw)

    @property
    def _size(self) -> tuple[float, float, float]:
        """Handle's and leaf's reach from the hinge, and the leaf's height."""
        tall = self.person.body.stature_m
        return HANDLE * tall, LEAF * tall, 1.14 * tall

    @cached_property
    def _frame_parts(self) -> list[Part]:
        (x, _, z), (reach, wide, tall) = self.handle, self._size
        x += 0.05
        hung, shut = z + self.hinge * (reach + 0.04), z + self.hinge * (reach - wide - 0.05)
        posts = [
            Part(self._stands([(x, 0, at), (x, tall + 0.05, at)]), 0.042, self.frame) for at in (hung, shut)
        ]
        lintel = Part(self._stands([(x, tall + 0.05, hung), (x, tall + 0.05, shut)]), 0.042, self.frame)
        return [*posts, lintel._replace(shades=False)]

    def _leaf_parts(self, angle: float) -> list[Part]:
        (x, up, z), (reach, wide, tall) = self.handle, self._size
        s, c = self.way * sin(radians(angle)), -self.hinge * cos(radians(angle))
        x, z = x + 0.05, z + self.hinge * reach

        def on(along: float, y: float, out: float = 0.0) -> tuple[float, float, float]:
            return x + along * s + out * -c, y, z + along * c + out * s

        def sheet(from_m: float, to_m: float, low: float, high: float) -> Floats:
            return self._stands([on(from_m, low), on(to_m, low), on(to_m, high), on(from_m, high)])

        leaf = sheet(0, wide, 0.02, tall)
        across = leaf[1] - leaf[0]
        normal = np.array((across[2], 0, -across[0])) / np.hypot(across[0], across[2])
        normal *= 1 if normal[2] > 0 else -1  # the side that we see
        panels = [
            Part(
                sheet(0.14 * wide, 0.86 * wide, low * tall, high * tall),
                0.004,
                darker(self.colour, 0.86),
                0.004,
            )
            for low, high in ((0.07, 0.43), (0.57, 0.93))
        ]
        knobs = [
            Part(self._stands([on(reach, up, out), on(reach - 0.1, up, out)]), 0.016, (205, 196, 170), 0.006)
            for out in (-0.045, 0.045)
        ]
        return [
            Part(leaf, 0.015, self.colour, 0.0, normal),
            *(panel._replace(normal=normal, shades=False) for panel in panels),
            *(knob._replace(shades=False) for knob in knobs),
        ]


def things_for(person: Person, rng: np.random.Generator) -> list[Thing]:
    """All that a person uses, each thing once: who stands up gets up from the chair they sat down on."""
    things, done = [], set[int]()
    for k, beat in enumerate(person.beats):
        if ACTIONS[beat.action].thing and k not in done:
            things.append(thing_for(person, k, rng))
            done.update(_served(person, k))
    return things


def thing_for(person: Person, beat_index: int, rng: np.random.Generator) -> Thing:
    """The chair, door, box or ball that fits what a person does in that beat, and in the next with the same thing.

    Raises:
        ValueError: The beat's action needs no thing.
    """
    beat = person.beats[beat_index]
    kind = ACTIONS[beat.action].thing
    if kind == "chair":
        return _chair_under(person, beat_index, rng)
    if kind == "door":
        return _door_before(person, beat_index, rng)
    if kind == "box":
        return _carried_by(person, beat_index, rng)
    raise ValueError(f"nothing is needed to {beat.action}")


def hands(person: Person, time_s: float, ahead_m: float = 0.0) -> tuple[float, float, float, float]:
    """Between a person's hands, or a little ahead: (x, y, z), and the way they face, in degrees."""
    joints = person.joints_at(time_s)
    x, y, z = ((joints[J["wrist_l"]] + joints[J["wrist_r"]]) / 2).tolist()
    yaw = person.place_at(time_s)[2]
    ahead_m *= 0.4
    return x + ahead_m * cos(radians(yaw)), y, z + ahead_m * sin(radians(yaw)), yaw


def _served(person: Person, beat: int) -> list[int]:
    """This beat, and the next ones that use the same thing at the same place, or carry it."""
    kind = ACTIONS[person.beats[beat].action].thing
    served = [beat]
    for k in range(beat + 1, len(person.beats)):
        action = ACTIONS[person.beats[k].action]
        if action.travels and kind != "box":
            break
        if action.thing == kind:
            if person.beats[k].action == person.beats[beat].action:
                break
            served.append(k)
            if kind != "door":
                break
    return served if kind != "box" or person.beats[beat].action == "pick_up" else [beat]


def _chair_under(person: Person, beat: int, rng: np.random.Generator) -> Chair:
    does, begin = person.beats[beat].action, person.beats[beat]
    seated = skeleton(ACTIONS[does].pose(1.0 if does == "sit_down" else 0.0, person.style), person.body)
    x, z, _ = replace(person, beats=person.beats[: beat + 1]).place_at(begin.end_s)
    at = placed(seated[J["pelvis"]][None] + (0.07, 0, 0), x, z, begin.yaw)[0]
    seat = seated[J["pelvis"], 1] - 0.06 * person.body.stature_m * person.body.girth
    return Chair(x_m=at[0], z_m=at[2], yaw=begin.yaw, seat_m=seat, colour=wood(rng))


def _door_before(person: Person, beat: int, rng: np.random.Generator) -> Door:
    style = person.style_in(beat)
    joints = skeleton(ACTIONS["open_door"].pose(TURN, style), person.body)
    x, y, z = joints[J["wrist_l" if style.left_handed else "wrist_r"]].tolist()
    body, painted = person.body, rng.random() < 0.4
    colour = clear_of(
        [body.shirt, body.trousers, DARK], 45, lambda: (rng.uniform(170, 235),) * 3 if painted else wood(rng)
    )
    return Door(
        person=person,
        beats=tuple(_served(person, beat)),
        handle=(x + 0.02, y, z),
        hinge=-1 if style.left_handed else 1,
        way=-1 if pulls(style) else 1,
        colour=colour,
        frame=darker(colour, rng.uniform(0.4, 0.6)),
    )


def _carried_by(person: Person, beat: int, rng: np.random.Generator) -> Carried:
    begin = person.beats[beat]
    served = _served(person, beat)
    times = {}
    for k in served:
        does = person.beats[k]
        touched = GRIP if does.action == "pick_up" else 1 - GRIP
        times[does.action] = does.start_s + (touched - does.phase) * does.phase_s
    lies = skeleton(ACTIONS["pick_up"].pose(GRIP, person.style), person.body)
    left, right = lies[J["wrist_l"]], lies[J["wrist_r"]]
    width = abs(right[2] - left[2]) / 2 - 0.02
    table, is_ball = on_table(person.style), bool(rng.random() < 0.35)
    tall = width if is_ball else rng.uniform(0.09, 0.15)
    if not table:
        tall = float(left[1])
        width = tall if is_ball else width
    half = (width, tall, width) if is_ball else (rng.uniform(0.11, 0.19), tall, width)
    thing = Carried(
        person=person,
        from_s=times.get("pick_up", begin.start_s - 1e3),
        to_s=times.get("put_down", person.beats[-1].end_s + 1e3),
        half_m=half,
        colour=bright(rng) if is_ball or rng.random() < 0.5 else (186, 146, 98),
        is_ball=is_ball,
    )
    if not table:
        return thing
    colour, tables = wood(rng), []
    for time_s in times.values():
        x, y, z, yaw = thing.place_at(time_s)
        x, z = x + 0.1 * cos(radians(yaw)), z + 0.1 * sin(radians(yaw))
        tables.append(Table(x_m=x, z_m=z, yaw=yaw, top_m=y - tall, colour=colour))
    return replace(thing, tables=tuple(tables))
