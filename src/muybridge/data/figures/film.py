"""Figures as files: a data set of short clips in class folders, or one story in which actions follow each other.

Every file is a function of its seed and number alone, so a data set comes out the same wherever and in
whichever order it is filmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from muybridge.data.figures.acting import Beat, Person, placed
from muybridge.data.figures.actions import ACTIONS, FROM_THE_FRONT, FROM_THE_SIDE, Style
from muybridge.data.figures.backdrop import Backdrop, Camera
from muybridge.data.figures.body import Body, J, skeleton
from muybridge.data.figures.brush import Light
from muybridge.data.figures.foley import write_sound
from muybridge.data.figures.stage import Chair, Stage
from muybridge.video.writer import VideoWriter

FILMED = ("walk", "run", "wave", "jump", "sit_down", "fall")
SPLITS = ("train", "val", "test")
RATES = (25, 30)
ON_ONES_FEET_AGAIN = {"sit_down": "stand_up"}  # what must come before anything else can be done


def film_dataset(
    folder: str | Path,
    *,
    videos_per_class: tuple[int, int, int] = (24, 6, 6),
    seed: int = 0,
    size: tuple[int, int] = (120, 160),
    actions: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> Path:
    """Film clips of two to three seconds, one action each, as `folder/{train,val,test}/{action}/*.mp4`.

    Person, clothes, room, camera, light, speed and manner differ from clip to clip and between the splits.

    Args:
        folder: Where the splits go; made where it doesn't exist. A file there of the same name is replaced.
        videos_per_class: How many clips of each action in train, val and test.
        seed: Another seed is another data set.
        size: Height and width of the frames, in pixels.
        actions: Names out of `ACTIONS`; None films the six of `FILMED`.
        progress: Called with (clips done, clips in all) after each.
        workers: Processes that film side by side. They start afresh, so a script that asks for more than one
            calls this under `if __name__ == "__main__"`.

    Returns:
        The folder.

    Raises:
        ValueError: An action has no such name.
        VideoError: A file can't be written.
    """
    names = _known(FILMED if actions is None else actions)
    jobs = [
        (Path(folder), name, seed, split, index, size)
        for split, number in zip(SPLITS, videos_per_class, strict=True)
        for index in range(number)
        for name in names
    ]
    with ExitStack() as stack:
        run: Callable[..., Iterator[None]] = map
        if workers > 1:
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
            run = partial(pool.map, chunksize=4)
        for done, _ in enumerate(run(_film_clip, jobs), start=1):
            if progress is not None:
                progress(done, len(jobs))
    return Path(folder)


def _film_clip(job: tuple[Path, str, int, str, int, tuple[int, int]]) -> None:
    folder, action, seed, split, index, size = job
    path = folder / split / action / f"{action}_s{index:04d}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    stage, fps, frames = clip_stage(action, seed=seed, split=split, index=index, size=size)
    with VideoWriter(path, fps=fps, crf=23, threads=1) as writer:
        for frame in shots(stage, fps, frames):
            writer.write(frame)


def film_story(
    path: str | Path,
    *,
    actions: Sequence[str] = ("walk", "wave", "jump", "sit_down", "run", "fall"),
    seed: int = 0,
    size: tuple[int, int] = (240, 320),
    fps: int = 25,
    sound: bool = True,
) -> list[tuple[str, float, float]]:
    """Film one person who does several things one after the other, with footsteps to hear.

    Args:
        path: The MP4 to write.
        actions: Names out of `ACTIONS`, in order. After `sit_down` the person stands up by itself.
        seed: Another seed is another person in another room.
        size: Height and width of the frames, in pixels.
        fps: Frames per second.
        sound: Whether steps and landings are heard.

    Returns:
        What is done from when to when: (action, start_s, end_s).

    Raises:
        ValueError: An action has no such name, or something is to follow a fall.
        VideoError: The file can't be written.
    """
    names = _known(actions)
    if "fall" in names[:-1]:
        raise ValueError("a story goes on after a fall, but nobody gets up; put fall last")
    stage = story_stage(names, seed=seed, size=size)
    beats = stage.people[0].beats
    with TemporaryDirectory() as folder:
        heard = write_sound(Path(folder) / "steps.wav", beats, seed) if sound else None
        with VideoWriter(path, fps=fps, audio_from=heard, threads=1) as writer:
            for frame in shots(stage, Fraction(fps), round(beats[-1].end_s * fps)):
                writer.write(frame)
    return [(beat.action, beat.start_s, beat.end_s) for beat in beats]


def shots(stage: Stage, fps: Fraction, frames: int) -> Iterator[Tensor]:
    """The frames of a stage, uint8 (3, h, w) each."""
    for index in range(frames):
        image, _ = stage.frame(float(index / fps))
        yield torch.from_numpy((image + 0.5).astype(np.uint8)).permute(2, 0, 1)


def clip_stage(
    action: str, *, seed: int, split: str, index: int, size: tuple[int, int]
) -> tuple[Stage, Fraction, int]:
    """One clip of a data set: its stage, frames per second and number of frames."""
    rng = np.random.default_rng((seed, SPLITS.index(split), crc32(action.encode()), index))
    does, body, style = ACTIONS[action], Body.drawn(rng), Style.drawn(rng)
    fps, seconds = Fraction(int(rng.choice(RATES))), rng.uniform(2.0, 3.0)
    phase_s = rng.uniform(*does.seconds)
    yaw = rng.uniform(*does.views[rng.integers(len(does.views))])
    # A cyclic action is cut anywhere; one that happens once begins within the clip and ends in it.
    phase = rng.random() if does.cyclic else -rng.uniform(0.1, max(0.2, seconds - phase_s - 0.2)) / phase_s
    beat = Beat(action=action, start_s=0, end_s=seconds, phase_s=phase_s, yaw=yaw, phase=phase)
    person = _centred(Person(body=body, style=style, beats=(beat,)), rng)
    half_way = abs(person.place_at(seconds)[0] - person.x_m) / 2
    follow = max(rng.random() * (rng.random() < 0.4), 1 - 0.9 / max(half_way, 0.9))
    if does.on_chair:
        chairs = [_chair_under(person, 0, rng)]
    else:
        chairs = [_chair_somewhere(rng) for _ in range(int(rng.choice((0, 1, 1, 2))))]
    stage = _stage(rng, size, [person], chairs, follow=follow, reach_m=half_way + 0.5)
    return stage, fps, round(seconds * fps)


def story_stage(actions: Sequence[str], *, seed: int, size: tuple[int, int]) -> Stage:
    """A room in which one person does `actions` one after the other."""
    rng = np.random.default_rng((seed, crc32(b"story")))
    style = replace(Style.drawn(rng), falls="forward")  # towards the middle of the picture, as it is turned
    person = Person(body=Body.drawn(rng), style=style, beats=(), x_m=-1.1)
    names: list[str] = []
    for name in actions:
        if names and names[-1] in ON_ONES_FEET_AGAIN and name != ON_ONES_FEET_AGAIN[names[-1]]:
            names.append(ON_ONES_FEET_AGAIN[names[-1]])
        names.append(name)
    for name in names:
        person = replace(person, beats=(*person.beats, _next_beat(person, name, rng)))
    sat = [k for k, beat in enumerate(person.beats) if beat.action == "sit_down"]
    chairs = [_chair_under(person, k, rng) for k in sat] or [_chair_somewhere(rng)]
    return _stage(rng, size, [person], chairs, follow=0.75, reach_m=4.0)


def _next_beat(person: Person, action: str, rng: np.random.Generator) -> Beat:
    """What a person in a story does next: whole phases, towards the middle of the room, or facing us."""
    does, start = ACTIONS[action], person.beats[-1].end_s if person.beats else 0.0
    x, _, yaw = person.place_at(start) if person.beats else (person.x_m, 0.0, 90.0)
    phase_s = rng.uniform(*does.seconds)
    if does.reach:
        yaw = rng.uniform(-8, 8) if x <= 0 else rng.uniform(172, 188)
        phases = max(2, round((abs(x) + 1.1) / does.metres(person.body, person.style)))
    else:
        if action != "stand_up":
            low, high = FROM_THE_FRONT[0] if action != "fall" else FROM_THE_SIDE[int(x > 0)]
            yaw = rng.uniform(low + 20, high - 20)
        phases = max(2, round(2.6 / phase_s)) if does.cyclic else 1
    hold = 0.0 if does.cyclic else 0.7
    end = start + phases * phase_s + hold
    return Beat(action=action, start_s=start, end_s=end, phase_s=phase_s, yaw=yaw)


def _centred(person: Person, rng: np.random.Generator) -> Person:
    """Moved so that what the body does happens about the middle of the picture, and nothing leaves it."""
    ends = np.concatenate([person.joints_at(at) for at in (person.beats[0].start_s, person.beats[-1].end_s)])
    x = rng.uniform(-0.3, 0.3) - ends[:, 0].mean()
    z = rng.uniform(-0.3, 0.3) - ends[:, 2].mean()
    z = min(z, 0.55 - ends[:, 2].max())  # no nearer, or feet leave the picture at its lower edge
    return replace(person, x_m=person.x_m + x, z_m=person.z_m + z)


def _chair_under(person: Person, beat: int, rng: np.random.Generator) -> Chair:
    """A chair that fits whoever sits in that beat."""
    does, begin = person.beats[beat].action, person.beats[beat]
    seated = skeleton(ACTIONS[does].pose(1.0 if does == "sit_down" else 0.0, person.style), person.body)
    x, z, _ = replace(person, beats=person.beats[: beat + 1]).place_at(begin.end_s)
    at = placed(seated[J["pelvis"]][None] + (0.07, 0, 0), x, z, begin.yaw)[0]
    seat = seated[J["pelvis"], 1] - 0.06 * person.body.stature_m * person.body.girth
    return Chair(x_m=at[0], z_m=at[2], yaw=begin.yaw, seat_m=seat, colour=_wood(rng))


def _chair_somewhere(rng: np.random.Generator) -> Chair:
    side = 1 if rng.random() < 0.5 else -1
    return Chair(
        x_m=side * rng.uniform(0.3, 1.7),
        z_m=rng.uniform(-1.0, -0.65),
        yaw=rng.uniform(0, 360),
        seat_m=rng.uniform(0.4, 0.5),
        colour=_wood(rng),
    )


def _wood(rng: np.random.Generator) -> tuple[float, float, float]:
    value = rng.uniform(60, 190)
    return value, value * rng.uniform(0.6, 1.0), value * rng.uniform(0.35, 1.0)


def _stage(
    rng: np.random.Generator,
    size: tuple[int, int],
    people: list[Person],
    chairs: list[Chair],
    *,
    follow: float,
    reach_m: float,
) -> Stage:
    camera = Camera.drawn(rng, *size)
    x, y = rng.uniform(-0.6, 0.6), rng.uniform(-0.7, -0.4)
    light = Light(x, y, float(np.sqrt(1 - x * x - y * y)), rng.uniform(0.4, 0.62))
    return Stage(
        camera=camera,
        backdrop=Backdrop(rng, camera, reach_m),
        people=people,
        chairs=chairs,
        light=light,
        brightness=rng.uniform(0.86, 1.16),
        warmth=rng.uniform(-0.07, 0.09),
        noise=rng.uniform(0, 4.5),
        shake=rng.uniform(0.2, 1.6) * size[0] / 120 * (rng.random() < 0.4),
        follow=follow,
        reach_m=reach_m,
        seed=int(rng.integers(2**31)),
    )


def _known(actions: Sequence[str]) -> list[str]:
    for name in actions:
        if name not in ACTIONS:
            near = get_close_matches(name, ACTIONS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ACTIONS)}"
            raise ValueError(f"no action is called {name!r}; {hint}")
    return list(actions)
