"""What a trajectory is: the numbers of the papers, and the array that holds what was found.

Wang, Kläser, Schmid, Liu, "Action Recognition by Dense Trajectories" (CVPR 2011), "Dense trajectories and motion
boundary descriptors for action recognition" (IJCV 2013); Wang, Schmid, "Action Recognition with Improved
Trajectories" (ICCV 2013). Where text and published program differ (release 1.2 and its improved version), the
program is followed, and the field says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

BINS = 8
"""Directions of a histogram; HOF has one more, for what doesn't move."""
DESCRIPTORS = ("shape", "hog", "hof", "mbh_x", "mbh_y")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How points are chosen, followed, described and left out. The defaults are the authors'.

    Attributes:
        step: Distance of the grid on which points are set, at each scale, in pixels of that scale.
        length: Frames over which a point is followed.
        scales: Most spatial scales, each 1/sqrt(2) of the one before; as many as hold a patch are used.
        quality: A point is set where the smaller eigenvalue of the structure tensor exceeds this share of the
            picture's largest (Shi and Tomasi 1994).
        median: Side of the median filter on the flow, in pixels (3 in the text, 5 in the program).
        patch: Side of the square round a point that is described, in pixels.
        cells: Cells per side of the patch.
        time_cells: Cells along the trajectory.
        min_flow: Motion up to this is told as rest by HOF, in pixels per frame.
        static_px: A trajectory is left out if it spreads less than this both ways (standard deviation).
        erratic_px: It is left out if it spreads more than this in either way.
        jump_px: It is left out if one step is longer than this and more than `jump_share` of its length.
        jump_share: See `jump_px`.
        camera: Take the camera's motion out of the flow, and leave out trajectories that move with the scene
            (2013). False is the method of 2011.
        camera_px: A trajectory moves with the scene if none of its steps is longer than this once the camera's
            motion is out.

    Raises:
        ValueError: Numbers that make no trajectory.
    """

    step: int = 5
    length: int = 15
    scales: int = 8
    quality: float = 0.001
    median: int = 5
    patch: int = 32
    cells: int = 2
    time_cells: int = 3
    min_flow: float = 0.4
    static_px: float = sqrt(3)
    erratic_px: float = 50.0
    jump_px: float = 20.0
    jump_share: float = 0.7
    camera: bool = True
    camera_px: float = 1.0

    def __post_init__(self) -> None:
        for name in ("step", "length", "scales", "patch", "cells", "time_cells"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.median not in (1, 3, 5):
            raise ValueError(f"median is {self.median}; it must be 1 (none), 3 or 5")
        if self.patch % self.cells:
            raise ValueError(f"a patch of {self.patch} pixels has no {self.cells} equal cells per side")
        if self.length % self.time_cells:
            raise ValueError(
                f"length is {self.length}; it must be a multiple of time_cells, {self.time_cells}, "
                f"for example {max(1, round(self.length / self.time_cells)) * self.time_cells}"
            )

    @property
    def dims(self) -> dict[str, int]:
        """Numbers per trajectory, by descriptor."""
        area = self.cells**2 * self.time_cells
        histogram = area * BINS
        return {
            "shape": 2 * self.length,
            "hog": histogram,
            "hof": area * (BINS + 1),
            "mbh_x": histogram,
            "mbh_y": histogram,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Trajectories and what was seen along them, one row each.

    Attributes:
        points: `(n, length + 1, 2)` x and y from the first frame to the last, in pixels of the picture as read.
        last_frame: `(n,)` number of the frame in which it ends.
        scale: `(n,)` how many times smaller the picture was in which it was followed: 1, 1.41, 2, ...
        shape: `(n, 30)` its steps (x and y after each other) over their summed length; with `Settings.camera` the
            steps without the camera's motion.
        hog: `(n, 96)` histograms of the grey levels' gradient: by time cell, column, row and direction.
        hof: `(n, 108)` histograms of the flow, the last of nine bins for rest.
        mbh_x: `(n, 96)` histograms of the gradient of the flow's x.
        mbh_y: `(n, 96)` histograms of the gradient of the flow's y.
    """

    points: Floats
    last_frame: Ints
    scale: Floats
    shape: Floats
    hog: Floats
    hof: Floats
    mbh_x: Floats
    mbh_y: Floats

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, rows: Any) -> Trajectories:
        """Some of them: a slice, a mask or numbers."""
        return Trajectories(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def descriptors(self) -> dict[str, Floats]:
        """What is encoded, by name."""
        return {name: getattr(self, name) for name in DESCRIPTORS}


def joined(parts: Sequence[Trajectories], settings: Settings) -> Trajectories:
    """All rows of several; none where there are no parts."""
    if not parts:
        return nothing(settings)
    return Trajectories(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Trajectories))
    )


def nothing(settings: Settings) -> Trajectories:
    """No trajectory."""
    empty = {name: np.zeros((0, dim), np.float32) for name, dim in settings.dims.items()}
    return Trajectories(
        points=np.zeros((0, settings.length + 1, 2), np.float32),
        last_frame=np.zeros(0, np.int32),
        scale=np.zeros(0, np.float32),
        **empty,
    )
