"""Long videos: somebody comes, does several things with pauses between them, goes, and leaves an empty room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

import numpy as np

from muybridge.data.figures.acting import Person, partner_of
from muybridge.data.figures.action import Style
from muybridge.data.figures.actions import ACTIONS, RECOGNIZED
from muybridge.data.figures.body import Body
from muybridge.data.figures.bystanders import drawn_clutter
from muybridge.data.figures.framing import WIDEST
from muybridge.data.figures.props import things_for
from muybridge.data.figures.scenes import RATES, Scene, drawn_crf, generator
from muybridge.data.figures.script import ENDED_BY, Script, Span, meet
from muybridge.data.figures.stage import Stage, drawn_stage

FEWEST, MOST = 3, 12  # actions, besides coming and going
LONGEST_PAUSE_S = 7.0  # on the average; if there is more time, nobody is there for longer
TO_US = (58.0, 122.0)  # so that a chair is behind whoever walks by
ASLANT = ((36.0, 50.0), (130.0, 144.0))  # so that a table is before whoever walks by
BEGINNINGS = {second: first for first, second in ENDED_BY.items()}


def long_scene(
    *,
    seed: int,
    split: str,
    index: int,
    size: tuple[int, int],
    length_s: tuple[float, float] = (60.0, 300.0),
    actions: Sequence[str] = RECOGNIZED,
) -> Scene:
    """An untrimmed video, in which most of the time nothing happens that has a name.

    Who walks in or out does so under the name of what it is, from the first frame in which half of them is seen.

    Args:
        seed: Another seed is another data set.
        split: `train`, `val` or `test`.
        index: Number within the split.
        size: Height and width of the frames, in pixels.
        length_s: Shortest and longest film.
        actions: What is named; anything else that happens counts as background.
    """
    rng = generator("long", seed, split, index)
    fps = Fraction(int(rng.choice(RATES)))
    num_frames = round(rng.uniform(*length_s) * fps)
    end_s = float(num_frames / fps)
    play = _Play(rng, end_s, size[1] / size[0])
    play.perform(_chosen(rng, actions, end_s))
    people = [script.person for script in play.scripts]
    clutter = [] if "walk" in play.done else drawn_clutter(rng)
    things = [thing for person in people for thing in things_for(person, rng)]
    # Framed for what happens in the room, not for the ways in and out.
    stage = drawn_stage(rng, size, play.inside(), [*things, *clutter], reach_m=0.6)
    stage = replace(stage, people=people)
    spans = [
        seen
        for script in play.scripts
        for span in script.spans
        if span.label in actions and (seen := _as_seen(span, script.person, stage, fps))
    ]
    spans.sort(key=lambda span: (span.start_s, span.track))
    return Scene(stage=stage, fps=fps, num_frames=num_frames, crf=drawn_crf(rng), spans=tuple(spans))


def _chosen(rng: np.random.Generator, actions: Sequence[str], end_s: float) -> list[str]:
    """Different things to do, in order; what must be undone stands for both."""
    units = sorted({BEGINNINGS.get(action, action) for action in actions if action != "stand"})
    fewest = min(max(FEWEST, round(end_s / 30)), MOST)
    wanted = max(1, min(int(rng.integers(fewest, MOST + 1)), round(end_s / 7)))
    chosen: list[str] = []
    for unit in rng.permutation(units).tolist():
        count = sum(2 if one in ENDED_BY else 1 for one in chosen)
        clash = {"walk": "sit_down", "sit_down": "walk"}.get(unit)  # nobody walks through a chair
        if clash not in chosen and count + (unit in ENDED_BY) < wanted:
            chosen.append(unit)
    return chosen or units[:1]


class _Play:
    """Who comes when, to do what where."""

    def __init__(self, rng: np.random.Generator, end_s: float, aspect: float) -> None:
        self.rng, self.end_s = rng, end_s
        self.out_m = 1.62 * aspect / WIDEST + 0.9  # farther than any camera sees
        self.side = 1 if rng.random() < 0.5 else -1  # from which people come
        room = (-1.2, 1.6) if self.side > 0 else (-1.6, 1.2)  # a door may be on the other
        spots = [-0.75 * self.side, 0.9 * self.side]
        self.spots = dict(zip(("sit_down", "pick_up"), rng.permutation(spots).tolist(), strict=True))
        self.spots["open_door"] = -1.0 * self.side
        begins_outside = end_s > 30 and rng.random() < 0.7
        self.lead = Script(
            rng,
            Body.drawn(rng),
            Style.drawn(rng),
            x_m=self.side * self.out_m if begins_outside else rng.uniform(-0.8, 0.8),
            z_m=rng.uniform(-0.15, 0.2),
            room_m=room,
        )
        self.outside = begins_outside
        self.scripts = [self.lead]
        self.done: list[str] = []
        self._stays: list[tuple[int, int]] = []  # beats of the lead's that are in the room

    def perform(self, units: Sequence[str]) -> None:
        """Write all of it, in one visit or several."""
        visits = int(self.rng.integers(1, 4)) if self.end_s > 60 else 1
        parts = [part.tolist() for part in np.array_split(list(units), min(visits, len(units)))]
        idle_s = self.end_s - 6 * len(units) - 9 * len(parts)
        self._pause_s = min(LONGEST_PAUSE_S, max(0.8, idle_s / (len(units) + 2 * len(parts) + 1)))
        idle_s -= self._pause_s * (len(units) + len(parts))
        self._away_s = max(1.0, idle_s / (len(parts) + 1))
        for number, part in enumerate(parts):
            if self._left_s < 6 and number:
                break
            self._come()
            first = len(self.lead.beats)
            self._wait()
            for unit in part:
                if self._left_s > (12 if self.end_s > 40 else 5) or not self.done:
                    self._do(unit)
                    self.done.append(unit)
                    self._wait()
            self._stays.append((first, len(self.lead.beats)))
            last = number + 1 == len(parts)
            if not last or (self._left_s > 8 and self.rng.random() < 0.75):
                self.lead.go(self.side * self.out_m)
                self.outside = True
        for script in self.scripts:
            script.stand(until_s=self.end_s)
            script.cut(self.end_s)

    def inside(self) -> list[Person]:
        """Everybody as they are while they are in the room, one for each visit."""
        person, found = self.lead.person, []
        for first, last in self._stays:
            beats = person.beats[first:last]
            if beats:
                x, z, _ = replace(person, beats=person.beats[: first + 1]).place_at(beats[0].start_s)
                found.append(replace(person, beats=beats, x_m=x, z_m=z))
        return found

    @property
    def _left_s(self) -> float:
        return self.end_s - self.lead.now_s

    def _wait(self) -> None:
        lead = self.lead
        lead.stand(until_s=lead.now_s + max(0.6, self._pause_s * self.rng.uniform(0.3, 1.7)))

    def _come(self) -> None:
        if self.outside:
            self.lead.stand(until_s=self.lead.now_s + self._away_s * self.rng.uniform(0.4, 1.6))
            self.lead.go(self.rng.uniform(-0.6, 0.4) * self.side)
            self.outside = False

    def _do(self, unit: str) -> None:
        lead, rng = self.lead, self.rng
        does = ACTIONS[unit]
        if unit in ENDED_BY:
            if unit in self.spots:
                lead.go(self.spots[unit])
            lead.do_and_undo(unit, hold_s=rng.uniform(0.3, min(4, self._pause_s + 1)), yaw=self._yaw(unit))
        elif does.partner:
            self._meet(unit)
        elif unit == "walk":
            lead.walk_in_depth(rng.uniform(-1.6, -1.2))
            lead.stand(until_s=lead.now_s + rng.uniform(0.5, 2), yaw=90)
            lead.walk_in_depth(rng.uniform(-0.15, 0.2))
        elif unit in ("walk_left", "walk_right"):
            low, high = lead.room_m
            begin, end = (low, high) if unit == "walk_right" else (high, low)
            if abs(lead.place[0] - end) < 1.5:
                lead.go(begin)
                lead.stand(until_s=lead.now_s + rng.uniform(0.5, 2))
            lead.go(end)
        elif does.travels:
            lead.travel(unit)
        else:
            if rng.random() < 0.4:
                lead.go(rng.uniform(*lead.room_m))
            lead.do(unit, seconds=rng.uniform(2.5, 6))

    def _yaw(self, unit: str) -> float | None:
        rng = self.rng
        if unit == "sit_down":
            return rng.uniform(*TO_US)
        if unit == "pick_up":
            return rng.uniform(*ASLANT[rng.integers(2)])
        if unit == "open_door":
            right, left = ACTIONS["open_door"].views
            return rng.uniform(*(left if self.side > 0 else right))
        return None

    def _meet(self, unit: str) -> None:
        """Somebody comes in, does it with the lead, and leaves."""
        lead, rng = self.lead, self.rng
        lead.go(-0.45 * self.side)
        body, style = fitting(lead, unit, rng)
        other = Script(
            rng,
            body,
            style,
            x_m=self.side * self.out_m,
            z_m=lead.place[1],
            track=len(self.scripts),
            role=1,
        )
        other.stand(until_s=lead.now_s)
        meet(lead, other, unit)
        lead.stand(until_s=lead.now_s + rng.uniform(1, 2), yaw=lead.beats[-1].yaw)
        other.stand(until_s=other.now_s + rng.uniform(0.5, 1.2), yaw=other.beats[-1].yaw)
        other.go(self.side * self.out_m)
        self.scripts.append(other)


def fitting(first: Script, action: str, rng: np.random.Generator) -> tuple[Body, Style]:
    """Somebody whose hands find those of the first."""
    script = Script(rng, first.body, first.style)
    script.do(action)
    partner = partner_of(script.person, 0, Body.drawn(rng), Style.drawn(rng), track=0)
    return partner.body, partner.style


def _as_seen(span: Span, person: Person, stage: Stage, fps: Fraction) -> Span | None:
    """Of who walks in or out, the part in which half of them is in the picture."""
    if span.label not in ("walk_left", "walk_right"):
        return span
    frames = range(ceil(span.start_s * fps), ceil(span.end_s * fps))
    seen = [k for k in frames if _half_seen(person, stage, float(k / fps))]
    if not seen:
        return None
    start_s = span.start_s if seen[0] == frames[0] else float(seen[0] / fps)
    end_s = span.end_s if seen[-1] == frames[-1] else float((seen[-1] + 1) / fps)
    return span._replace(start_s=start_s, end_s=end_s)


def _half_seen(person: Person, stage: Stage, time_s: float) -> bool:
    camera = stage.camera_at(time_s)
    x = np.array(camera.spots(person.joints_at(time_s)))[:, 0]
    return bool(((x >= 0) & (x < camera.width)).mean() >= 0.5)
