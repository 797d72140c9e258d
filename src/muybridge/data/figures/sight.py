"""Who hides whom: what share of a body's joints has nothing drawn over it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from muybridge.data.figures.body import Floats
from muybridge.data.figures.brush import Box, box_of, box_round
from muybridge.data.figures.flesh import Painted

BESIDE_M = 0.1  # what is nearer by less than this lies beside a joint, not before it


class Group(NamedTuple):
    """What is drawn of one person or thing, and the box round all of it."""

    shapes: Sequence[Painted]
    box: Box

    @classmethod
    def of(cls, shapes: Sequence[Painted]) -> Group:
        """The group of these shapes."""
        return cls(shapes, box_round([box_of(shape) for _, shape, _ in shapes]))


def unhidden(spots: Floats, nearness: Floats, own: Group, others: Sequence[Group]) -> float:
    """The share of joints, seen at `spots` (n, 2) pixels and `nearness` (n,) metres, that nothing nearer covers."""
    hidden = np.zeros(len(spots), bool)
    farthest = float(nearness.min()) + BESIDE_M
    for group in others:
        if not _meet(group.box, own.box):
            continue
        for near, shape, _ in group.shapes:
            if near > farthest and _meet(box_of(shape), own.box):
                hidden |= (nearness + BESIDE_M < near) & _covers(np.asarray(shape), spots)
    return 1 - float(hidden.mean())


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _covers(shape: Floats, spots: Floats) -> NDArray[np.bool_]:
    """Which spots (n, 2) a shape (corners of x, y, radius) lies over."""
    ring = [*shape, shape[0]] if len(shape) != 2 else list(shape)
    over = np.zeros(len(spots), bool)
    sides = []
    for a, b in pairwise(ring):
        run, to = b[:2] - a[:2], spots - a[:2]
        along = np.clip(to @ run / max(run @ run, 1e-9), 0, 1)
        over |= np.hypot(*(to - along[:, None] * run).T) < a[2] + along * (b[2] - a[2])
        sides.append(np.sign(run[0] * to[:, 1] - run[1] * to[:, 0]))
    if len(shape) > 2:
        over |= np.abs(np.sum(sides, 0)) == len(sides)
    return over
