"""Several people at once: each does one thing after the other, some walk and wave, some meet."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from muybridge.data.figures.action import Style
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.body import Body
from muybridge.data.figures.bystanders import drawn_clutter
from muybridge.data.figures.props import things_for
from muybridge.data.figures.scenes import RATES, Scene, drawn_crf, generator
from muybridge.data.figures.script import ENDED_BY, Script, meet
from muybridge.data.figures.stage import drawn_stage
from muybridge.data.figures.untrimmed import ASLANT, TO_US, fitting

NEAREST, APART = 0.3, 0.6  # metres; each group has a lane of its own
MOST_LANES = 4
ON_TOP = 0.35  # share of walking and standing on top of which the arms do something


def crowd_scene(
    *,
    seed: int,
    split: str,
    index: int,
    size: tuple[int, int],
    length_s: tuple[float, float] = (15.0, 60.0),
    actions: Sequence[str] = tuple(ACTIONS),
) -> Scene:
    """A film of two to five people, each of whom does something with a name at any moment.

    Args:
        seed: Another seed is another data set.
        split: `train`, `val` or `test`.
        index: Number within the split.
        size: Height and width of the frames, in pixels.
        length_s: Shortest and longest film.
        actions: What is named; anything else that happens has no label.
    """
    rng = generator("crowd", seed, split, index)
    fps = Fraction(int(rng.choice(RATES)))
    num_frames = round(rng.uniform(*length_s) * fps)
    end_s = float(num_frames / fps)
    scripts = _scripts(rng, actions, end_s)
    for script in scripts:
        script.cut(end_s)
    people = [script.person for script in scripts]
    things = [thing for person in people for thing in things_for(person, rng)]
    clutter = drawn_clutter(rng) if len(people) < 4 else []
    stage = drawn_stage(rng, size, people, [*things, *clutter], reach_m=0.6)
    spans = sorted(
        (span for script in scripts for span in script.spans if span.label in actions),
        key=lambda span: (span.start_s, span.track),
    )
    return Scene(stage=stage, fps=fps, num_frames=num_frames, crf=drawn_crf(rng), spans=tuple(spans))


def _scripts(rng: np.random.Generator, actions: Sequence[str], end_s: float) -> list[Script]:
    together = [name for name in actions if ACTIONS[name].partner]
    number = int(rng.integers(2, 6))
    pairs = int(rng.integers(0, number // 2 + 1)) if together else 0
    pairs = max(pairs, number - MOST_LANES) if together else 0
    number = min(number, MOST_LANES + pairs)
    lanes = rng.permutation(NEAREST - APART * np.arange(number - pairs)) + rng.uniform(-0.1, 0.1)
    in_depth = number == 2 and not pairs and rng.random() < 0.8 and "walk" in actions
    scripts: list[Script] = []
    for group in range(number - pairs):
        z = float(lanes[group])
        if group < pairs:
            scripts += _pair(rng, z, len(scripts), actions, together, end_s)
        else:
            scripts.append(_single(rng, z, len(scripts), actions, end_s, in_depth))
    return scripts


def _single(
    rng: np.random.Generator, z: float, track: int, actions: Sequence[str], end_s: float, in_depth: bool
) -> Script:
    """Somebody who walks about in a lane of their own, up and down a column, or stays at a door."""
    x, room = rng.uniform(-1.3, 1.3), (-1.6, 1.6)
    at_door = "open_door" in actions and rng.random() < 0.2
    if in_depth:
        x = rng.uniform(1.0, 1.3) * (-1 if track else 1)
        z = rng.uniform(-1.5, 0.2)
    elif at_door:
        x = float(rng.choice((-0.9, 0.9)))
    if in_depth or at_door:
        room = (x, x)
    script = Script(rng, Body.drawn(rng), Style.drawn(rng), x_m=x, z_m=z, track=track, room_m=room)
    units = _units(actions, room)
    if in_depth:
        units += ["walk"] * 4
    elif at_door:
        units += ["open_door"] * 3
    _fill(script, units, end_s)
    return script


def _pair(
    rng: np.random.Generator,
    z: float,
    track: int,
    actions: Sequence[str],
    together: Sequence[str],
    end_s: float,
) -> list[Script]:
    """Two who do this and that on their own sides, and meet once or twice."""
    side = 1 if rng.random() < 0.5 else -1
    rooms = [tuple(sorted((-side * 0.5, -side * 1.7))), tuple(sorted((side * 0.6, side * 1.7)))]
    first = Script(
        rng,
        Body.drawn(rng),
        Style.drawn(rng),
        x_m=-side * rng.uniform(0.6, 0.8),
        z_m=z,
        track=track,
        room_m=(rooms[0][0], rooms[0][1]),
    )
    body, style = fitting(first, together[0], rng)
    second = Script(
        rng,
        body,
        style,
        x_m=side * rng.uniform(1.2, 1.6),
        z_m=z,
        track=track + 1,
        role=1,
        room_m=(rooms[1][0], rooms[1][1]),
    )
    used: tuple[set[str], set[str]] = (set(), set())
    home = first.place[0]
    for _ in range(2 if end_s > 30 else 1):
        until_s = first.now_s + rng.uniform(0.15, 0.4) * end_s
        for script, things in zip((first, second), used, strict=True):
            _fill(script, _units(actions, script.room_m), until_s, things)
        first.go(home)
        meet(first, second, str(rng.choice(list(together))))
        second.go(side * rng.uniform(1.2, 1.6))
    for script, things in zip((first, second), used, strict=True):
        _fill(script, _units(actions, script.room_m), end_s, things)
    return [first, second]


def _units(actions: Sequence[str], room: tuple[float, float]) -> list[str]:
    """What one can do in such a room; walking and standing more often than other things."""
    wide = room[1] - room[0] > 3
    units = ["stand", "stand"] if "stand" in actions else []
    for name in actions:
        does = ACTIONS[name]
        second = name in ENDED_BY.values()
        if does.partner or second or name in ("walk", "stand", "open_door"):
            continue
        if name in ("walk_left", "walk_right"):
            units += [name] * 2 if room[1] - room[0] > 1 else []
        elif wide or not does.travels:
            units.append(name)
    return units or ["stand"]


def _fill(script: Script, units: Sequence[str], until_s: float, used: set[str] | None = None) -> None:
    """Do one thing after the other; each chair and box once."""
    used, rng = set() if used is None else used, script.rng
    while script.now_s < until_s:
        unit = str(rng.choice([unit for unit in units if unit not in used] or ["stand"]))
        does = ACTIONS[unit]
        if unit == "stand":
            script.stand(until_s=script.now_s + rng.uniform(1.5, 4), also=_on_top(rng, units))
        elif unit in ("walk_left", "walk_right"):
            _walk(script, units)
        elif unit == "walk":
            z = script.place[1]
            script.walk_in_depth(rng.uniform(-0.1, 0.3) if z < -0.8 else rng.uniform(-1.7, -1.3))
        elif unit in ENDED_BY:
            if does.thing:
                used.add(unit)
            script.do_and_undo(unit, hold_s=0.0, yaw=_yaw(script, unit))
        elif does.travels:
            script.travel(unit)
        else:
            script.do(unit, seconds=rng.uniform(2.5, 5))


def _walk(script: Script, units: Sequence[str]) -> None:
    low, high = script.room_m
    x = script.place[0]
    goals = script.rng.uniform(low, high, 6)
    to = float(goals[np.abs(goals - x).argmax()])
    script.go(to, also=_on_top(script.rng, units))


def _on_top(rng: np.random.Generator, units: Sequence[str]) -> str:
    arms = sorted({unit for unit in units if ACTIONS[unit].arms_only})
    return str(rng.choice(arms)) if arms and rng.random() < ON_TOP else ""


def _yaw(script: Script, unit: str) -> float | None:
    rng = script.rng
    if unit == "sit_down":
        return rng.uniform(*TO_US)
    if unit == "pick_up":
        return rng.uniform(*ASLANT[rng.integers(2)])
    if unit == "open_door":
        right, left = ACTIONS["open_door"].views
        return rng.uniform(*(right if script.place[0] > 0 else left))
    return None
