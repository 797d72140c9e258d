"""Points followed through the frames: state that takes one flow field after another and gives what is complete."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muybridge.trajectories.camera import Matrix, steady
from muybridge.trajectories.pictures import (
    Grey,
    describe,
    level_sizes,
    new_points,
    patch_sums,
    shrink,
    shrink_flow,
)
from muybridge.trajectories.settings import Floats, Settings, Trajectories, joined, nothing


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one frame completed.

    Attributes:
        kept: Trajectories that are kept.
        scenery: `(n, length + 1, 2)` points of those that were left out because they move with the scene.
    """

    kept: Trajectories
    scenery: Floats

    @classmethod
    def nothing(cls, settings: Settings) -> Found:
        """What the first frame completes."""
        return cls(nothing(settings), np.zeros((0, settings.length + 1, 2), np.float32))


class _Level:
    """The points followed at one scale."""

    def __init__(self, size: tuple[int, int], full: tuple[int, int], number: int, settings: Settings) -> None:
        self.size = size
        self.ratio = np.array([full[1] / size[1], full[0] / size[0]], np.float32)
        self.scale = 2 ** (number / 2)
        self.settings = settings
        length, columns = settings.length, sum(settings.dims.values()) - 2 * settings.length
        self.age = np.zeros(0, np.int64)
        self.points = np.zeros((0, length + 1, 2), np.float32)
        self.steps = np.zeros((0, length, 2), np.float32)
        self.seen = np.zeros((0, settings.time_cells, columns // settings.time_cells), np.float32)

    @property
    def latest(self) -> Floats:
        """`(n, 2)` where the points are now."""
        return self.points[np.arange(len(self.age)), self.age]

    def seed(self, grey: Grey) -> None:
        """Set points where there are none."""
        added = new_points(grey, self.latest, self.settings)
        count = len(added)
        self.age = np.concatenate([self.age, np.zeros(count, np.int64)])
        for name in ("points", "steps", "seen"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros((count, *old.shape[1:]), np.float32)]))
        if count:
            self.points[-count:, 0] = added

    def advance(self, grey: Grey, flow: Floats, still: Floats) -> None:
        """Move every point by the flow (`still`: without the camera's motion), and describe where it was."""
        settings, (height, width) = self.settings, self.size
        now = self.latest
        place = np.clip(np.rint(now).astype(np.int64), 0, [width - 1, height - 1])
        after = now + flow[place[:, 1], place[:, 0]]
        inside = np.asarray(((after > 0) & (after < [width, height])).all(axis=1))
        self._keep(inside)
        now, place, after = now[inside], place[inside], after[inside]
        if not len(now):
            return
        rows = np.arange(len(now))
        self.steps[rows, self.age] = still[place[:, 1], place[:, 0]]
        part = self.age // (settings.length // settings.time_cells)
        self.seen[rows, part] += describe(patch_sums(grey, still, settings), now, settings)
        self.age += 1
        self.points[rows, self.age] = after

    def harvest(self, frame: int) -> Found:
        """Take away what is complete, and judge it."""
        settings = self.settings
        done = self.age == settings.length
        points = (self.points[done] + 0.5) * self.ratio - 0.5
        steps = self.steps[done] * self.ratio
        seen = self.seen[done] / (settings.length // settings.time_cells)
        self._keep(~done)
        moving = is_moving(points, settings)
        path = np.hypot(steps[..., 0], steps[..., 1])
        own = moving & (path.max(axis=1, initial=0) > settings.camera_px if settings.camera else True)
        points, scenery, steps, path = points[own], points[moving & ~own], steps[own], path[own]
        shape = (steps / path.sum(axis=1)[:, None, None]).reshape(len(points), 2 * settings.length)
        return Found(
            Trajectories(
                points=points,
                last_frame=np.full(len(points), frame, np.int32),
                scale=np.full(len(points), self.scale, np.float32),
                shape=shape,
                **_by_descriptor(seen[own], settings),
            ),
            scenery,
        )

    def _keep(self, mask: NDArray[np.bool_]) -> None:
        if not mask.all():
            for name in ("age", "points", "steps", "seen"):
                setattr(self, name, getattr(self, name)[mask])


def _by_descriptor(seen: Floats, settings: Settings) -> dict[str, Floats]:
    """`(n, time, numbers of one frame)` as one array per descriptor, by time first."""
    dims = {name: dim // settings.time_cells for name, dim in settings.dims.items() if name != "shape"}
    bounds = np.cumsum(list(dims.values()))[:-1]
    parts = np.split(seen, bounds, axis=2)
    return {
        name: part.reshape(len(seen), settings.dims[name]) for name, part in zip(dims, parts, strict=True)
    }


def is_moving(points: Floats, settings: Settings) -> NDArray[np.bool_]:
    """Which trajectories `(n, t, 2)` neither rest nor jump about: bool `(n,)`."""
    spread = points.std(axis=1)
    steps = np.diff(points, axis=1)
    path = np.hypot(steps[..., 0], steps[..., 1])
    longest = path.max(axis=1, initial=0)
    jumps = (longest > settings.jump_px) & (longest > settings.jump_share * path.sum(axis=1))
    rests = (spread < settings.static_px).all(axis=1)
    strays = (spread > settings.erratic_px).any(axis=1)
    return np.asarray(~(rests | strays | jumps))


class Tracker:
    """Follows points from frame to frame at several scales.

    Args:
        first: `(h, w)` uint8, the first frame in grey.
        settings: How.

    Raises:
        ValueError: The picture is smaller than a patch.
    """

    def __init__(self, first: Grey, settings: Settings) -> None:
        size = (first.shape[0], first.shape[1])
        self.settings = settings
        self.frame = 0
        self._sizes = level_sizes(*size, settings)
        self._levels = [_Level(each, size, number, settings) for number, each in enumerate(self._sizes)]
        self._pictures = shrink(first, self._sizes)
        for level, picture in zip(self._levels, self._pictures, strict=True):
            level.seed(picture)

    def advance(self, grey: Grey, flow: Floats, motion: Matrix | None = None) -> Found:
        """Go on to the next frame.

        Args:
            grey: `(h, w)` uint8, the next frame.
            flow: `(h, w, 2)` pixels, from the last frame to this one.
            motion: The camera's, from `Camera.motion`.

        Returns:
            What this frame completed.
        """
        self.frame += 1
        still = steady(flow, motion)
        pictures = shrink(grey, self._sizes)
        found = []
        for level, before, after in zip(self._levels, self._pictures, pictures, strict=True):
            fields = [
                shrink_flow(field, level.size, self.settings.median)
                for field in ([flow] if motion is None else [flow, still])
            ]
            level.advance(before, fields[0], fields[-1])
            found.append(level.harvest(self.frame))
            level.seed(after)
        self._pictures = pictures
        return Found(
            joined([each.kept for each in found], self.settings),
            np.concatenate([each.scenery for each in found]),
        )
