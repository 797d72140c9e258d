"""A scene shot: its frames, where everybody is in them, and one story in which actions follow each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from muybridge.data.crew import proceed
from muybridge.data.figures.foley import write_sound
from muybridge.data.figures.formats import Tube
from muybridge.data.figures.scenes import Scene, known, story_scene
from muybridge.data.figures.stage import Truth
from muybridge.video.writer import VideoWriter


def shoot(path: Path, scene: Scene, *, tubes: bool = False) -> list[Tube]:
    """Write a scene as an MP4 file.

    Args:
        path: The file.
        scene: What it shows.
        tubes: Whether to tell where everybody is.

    Returns:
        The tubes, if they were asked for.

    Raises:
        VideoError: The file can't be written.
    """
    truths: list[list[Truth]] = []
    with VideoWriter(path, fps=scene.fps, crf=scene.crf, threads=1) as writer:
        for frame, truth in shots(scene):
            proceed()
            writer.write(frame)
            truths.append(truth)
    return tubes_of(scene, truths) if tubes else []


def shots(scene: Scene) -> Iterator[tuple[Tensor, list[Truth]]]:
    """The frames of a scene, uint8 (3, h, w) each, with the truth about them."""
    for index in range(scene.num_frames):
        image, truth = scene.stage.frame(float(index / scene.fps))
        yield torch.from_numpy((image + 0.5).astype(np.uint8)).permute(2, 0, 1), truth


def tubes_of(scene: Scene, truths: Sequence[Sequence[Truth]]) -> list[Tube]:
    """Where who does what: each span with a box in every frame in which the person is in the picture."""
    height, width = scene.stage.camera.height, scene.stage.camera.width
    found = []
    for span in scene.spans:
        boxes, visible = [], []
        first = min(_frame_at(span.start_s, scene.fps), scene.num_frames)
        last = min(_frame_at(span.end_s, scene.fps), scene.num_frames)
        for truth in (one for frame in truths[first:last] for one in frame if one.track == span.track):
            left, top, right, bottom = truth.box_xyxy
            boxes.append((left / width, top / height, right / width, bottom / height))
            visible.append(truth.visible)
        if boxes:
            found.append(Tube(span.track, span.label, first, boxes, visible))
    return found


def _frame_at(time_s: float, fps: Fraction) -> int:
    """The first frame that begins at a time or after it."""
    return ceil(time_s * float(fps) - 1e-6)


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
        actions: Names out of `ACTIONS`, in order. To `walk` becomes `walk_left` or `walk_right`, as it goes; who sat
            down stands up by itself, and who fell gets up.
        seed: Another seed is another person in another room.
        size: Height and width of the frames, in pixels.
        fps: Frames per second.
        sound: Whether steps and landings are heard.

    Returns:
        What is done from when to when: (action, start_s, end_s).

    Raises:
        ValueError: An action has no such name, or takes two.
        VideoError: The file can't be written.
    """
    scene = story_scene(known(actions), seed=seed, size=size, fps=Fraction(fps))
    with TemporaryDirectory() as folder:
        beats = scene.stage.people[0].beats
        heard = write_sound(Path(folder) / "steps.wav", beats, seed) if sound else None
        with VideoWriter(path, fps=scene.fps, audio_from=heard, threads=1) as writer:
            for frame, _ in shots(scene):
                writer.write(frame)
    return [(span.label, span.start_s, span.end_s) for span in scene.spans]
