"""What a film shows and what is true of it, as functions of a seed and a number: short clips, and stories.

Long videos are in untrimmed.py, groups of people in crowd.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction
from zlib import crc32

import numpy as np

from muybridge.data.figures.acting import Beat, Person, partner_of
from muybridge.data.figures.action import FROM_THE_FRONT, Style
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.body import Body
from muybridge.data.figures.bystanders import drawn_clutter, drawn_passers_by
from muybridge.data.figures.furniture import chair_somewhere
from muybridge.data.figures.props import things_for
from muybridge.data.figures.script import ENDED_BY, Script, Span
from muybridge.data.figures.stage import Stage, drawn_stage

SPLITS = ("train", "val", "test")
RATES = (25, 30)
FINEST, ROUGHEST = 20, 32  # x264's rate factor
LONGEST_CLIP_S = 3.0
WALKS = ("walk", "walk_left", "walk_right")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A film that can be shot.

    Attributes:
        stage: All that is to be seen.
        fps: Frames per second.
        num_frames: Its length.
        crf: How roughly it is compressed, as `VideoWriter` counts.
        spans: Who does what from when to when; what no span covers is background.
    """

    stage: Stage
    fps: Fraction
    num_frames: int
    crf: int
    spans: tuple[Span, ...]

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return float(self.num_frames / self.fps)


def generator(kind: str, seed: int, split: str, index: int) -> np.random.Generator:
    """What decides one film of a kind: the same numbers, the same film."""
    return np.random.default_rng((seed, SPLITS.index(split), crc32(kind.encode()), index))


def drawn_crf(rng: np.random.Generator) -> int:
    """Between hardly compressed and visibly so."""
    return int(rng.integers(FINEST, ROUGHEST + 1))


def clip_scene(label: str, *, seed: int, split: str, index: int, size: tuple[int, int]) -> Scene:
    """Two to three seconds in which somebody does one thing, or two do it together.

    What is done once begins and ends within the clip, with rests before and after that are drawn alike, so that an
    action and its reverse (`sit_down`, `stand_up`) differ by the order of the frames and by nothing else.

    Args:
        label: Name out of `ACTIONS`.
        seed: Another seed is another data set.
        split: `train`, `val` or `test`.
        index: Number within class and split.
        size: Height and width of the frames, in pixels.
    """
    rng = generator(label, seed, split, index)
    does, body, style = ACTIONS[label], Body.drawn(rng), Style.drawn(rng)
    fps, phase_s = Fraction(int(rng.choice(RATES))), rng.uniform(*does.seconds)
    shortest = 2.0 if does.cyclic else max(2.0, phase_s + 0.3)
    seconds = rng.uniform(shortest, max(shortest, LONGEST_CLIP_S))
    views = does.views_of(style)
    yaw = rng.uniform(*views[rng.integers(len(views))])
    rest_s = seconds - phase_s
    phase = rng.random() if does.cyclic else -rng.uniform(0.2 * rest_s, 0.8 * rest_s) / phase_s
    beat = Beat(action=label, start_s=0, end_s=seconds, phase_s=phase_s, yaw=yaw, phase=phase)
    people = [Person(body=body, style=style, beats=(beat,))]
    if does.partner:
        other = Body.drawn(rng, [body])
        people.append(partner_of(people[0], 0, other, Style.drawn(rng), track=1))
    people = _centred(people, rng)
    half_way = abs(people[0].place_at(seconds)[0] - people[0].x_m) / 2
    # Who is fast is followed by the camera; so are some who are not.
    follow = max(rng.random() * (rng.random() < 0.4), 1 - 0.9 / max(half_way, 0.9))
    # Two who walk, one this way and one that, would leave open whose way the name tells.
    passers_by = [] if label in WALKS else drawn_passers_by(rng, seconds, people)
    stage = drawn_stage(
        rng,
        size,
        people,
        [*things_for(people[0], rng), *drawn_clutter(rng)],
        passers_by=passers_by,
        follow=follow,
        reach_m=half_way + 0.5,
    )
    num_frames = round(seconds * fps)
    spans = tuple(Span(person.track, label, 0.0, float(num_frames / fps)) for person in people)
    return Scene(stage=stage, fps=fps, num_frames=num_frames, crf=drawn_crf(rng), spans=spans)


def story_scene(actions: Sequence[str], *, seed: int, size: tuple[int, int], fps: Fraction) -> Scene:
    """A room in which one person does `actions` one after the other, and gets up again where that is needed.

    To `walk` is to walk to the other side: it becomes `walk_left` or `walk_right`.

    Raises:
        ValueError: What takes two.
    """
    rng = np.random.default_rng((seed, crc32(b"story")))
    # Nobody walks backwards here, and who falls falls towards the middle of the picture.
    style = replace(Style.drawn(rng), falls="forward", lot=rng.uniform(0.5, 1))
    script = Script(rng, Body.drawn(rng), style, x_m=-1.1, room_m=(-3.4, 3.4))
    for name in _completed(actions):
        if ACTIONS[name].partner:
            raise ValueError(f"it takes two to {name}, and a story has one person; leave it out")
        _tell(script, name)
    things = things_for(script.person, rng) or [chair_somewhere(rng)]
    stage = drawn_stage(rng, size, [script.person], things, follow=0.75, reach_m=4.0)
    spans = tuple(
        Span(0, beat.action, beat.start_s, beat.end_s) for beat in script.beats
    )  # rests and all: a story has no background
    return Scene(stage=stage, fps=fps, num_frames=round(script.now_s * fps), crf=FINEST, spans=spans)


def _completed(actions: Sequence[str]) -> list[str]:
    """With what must come before (sitting before standing up) or after (getting up before going on)."""
    beginnings = {second: first for first, second in ENDED_BY.items()}
    names: list[str] = []
    for name in actions:
        last = names[-1] if names else ""
        if last in ("sit_down", "fall") and name != ENDED_BY[last]:
            names.append(ENDED_BY[last])
        if name in beginnings and beginnings[name] not in names:
            names.append(beginnings[name])
        names.append(name)
    return names


def _tell(script: Script, name: str) -> None:
    """What a person in a story does next: towards the middle of the room, or facing us."""
    x = script.place[0]
    if name in WALKS:
        right = name == "walk_right" or (name == "walk" and x <= 0)
        script.go(max(x, 0) + 1.2 if right else min(x, 0) - 1.2)
    elif ACTIONS[name].travels:
        script.travel(name)
    elif name in ENDED_BY.values():
        yaw = next(beat.yaw for beat in reversed(script.beats) if beat.action in ENDED_BY)
        script.do(name, yaw=yaw, hold_s=0.5)
    else:
        low, high = FROM_THE_FRONT[0]
        yaw = script.rng.uniform(low + 20, high - 20)
        if name == "fall":
            yaw = script.rng.uniform(-15, 15) + (180 if x > 0 else 0)
        elif name in ("pick_up", "put_down", "open_door"):
            yaw = None
        script.do(name, yaw=yaw, seconds=2.6, hold_s=0.6)


def _centred(people: Sequence[Person], rng: np.random.Generator) -> list[Person]:
    """Moved so that what they do happens about the middle of the picture, and not too near."""
    begin, end = people[0].beats[0].start_s, people[0].beats[-1].end_s
    ends = np.concatenate([person.joints_at(at) for person in people for at in (begin, end)])
    x = rng.uniform(-0.3, 0.3) - ends[:, 0].mean()
    z = rng.uniform(-0.3, 0.3) - ends[:, 2].mean()
    z = min(z, 0.55 - ends[:, 2].max())  # no nearer, or feet leave the picture at its lower edge
    return [replace(person, x_m=person.x_m + x, z_m=person.z_m + z) for person in people]


def known(actions: Sequence[str]) -> list[str]:
    """These actions, each once, if all are known.

    Raises:
        ValueError: One is not, or there are none.
    """
    for name in actions:
        if name not in ACTIONS:
            near = get_close_matches(name, ACTIONS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ACTIONS)}"
            raise ValueError(f"no action is called {name!r}; {hint}")
    if not actions:
        raise ValueError(f"no actions; give some of {', '.join(ACTIONS)}")
    return list(actions)
