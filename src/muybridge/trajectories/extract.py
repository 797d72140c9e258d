"""A video's trajectories, in one pass and in memory that doesn't grow with its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from muybridge.trajectories.camera import Camera
from muybridge.trajectories.pictures import Grey, opencv
from muybridge.trajectories.settings import Settings, Trajectories, joined
from muybridge.trajectories.tracking import Found, Tracker
from muybridge.types import VideoError
from muybridge.video.reader import Video

CHUNK = 16
"""Pairs of frames whose flow is asked for at once: enough to fill a GPU, few enough to hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One frame of the pass.

    Attributes:
        frame: Its number; the first is 0.
        picture: uint8 `(3, h, w)`.
        found: What it completed.
    """

    frame: int
    picture: Tensor
    found: Found


def find_trajectories(
    video: str | Path | Video,
    *,
    settings: Settings | None = None,
    flow: str = "farneback",
    short_side: int | None = 256,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Trajectories]:
    """The dense trajectories of a video, as they are completed.

    Args:
        video: A path, or an open video.
        settings: How points are chosen, followed and described; by default as the authors do it (2013).
        flow: Method of optical flow, one of `muybridge.flow.METHODS`; the authors' is farneback.
        short_side: A larger video is made so small first; None leaves it as it is.
        device: Where flow is computed, for methods that can choose.
        progress: Called with (frames done, frames in all).

    Yields:
        Batches, in order of their last frame; none where nothing moves.

    Raises:
        VideoError: The video can't be read, is smaller than a patch, or too short for a trajectory.
        ValueError: No such method, or a package that is needed isn't there.
    """
    settings = settings or Settings()
    moments = watch(
        video, settings=settings, flow=flow, short_side=short_side, device=device, progress=progress
    )
    held: list[Trajectories] = []
    for moment in moments:
        if len(moment.found.kept):
            held.append(moment.found.kept)
        if sum(map(len, held)) >= 1 << 12:
            yield joined(held, settings)
            held = []
    if held:
        yield joined(held, settings)


def watch(
    video: str | Path | Video,
    *,
    settings: Settings,
    flow: str = "farneback",
    short_side: int | None = 256,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Moment]:
    """Every frame of a video with what it completed; see `find_trajectories`."""
    if not isinstance(video, Video):
        with Video(video) as opened:
            yield from watch(
                opened,
                settings=settings,
                flow=flow,
                short_side=short_side,
                device=device,
                progress=progress,
            )
        return
    short_side = _check(video, settings, short_side)
    make_flow = open_flow(flow, settings, device)
    camera = Camera() if settings.camera else None
    tracker: Tracker | None = None
    count = len(video)
    # Neighbouring chunks share a frame: every pair is in one of them.
    starts = range(0, count - 1, CHUNK)
    chunks = [range(start, min(start + CHUNK + 1, count)) for start in starts]
    for start, frames in zip(
        starts, video.clips([list(c) for c in chunks], short_side=short_side), strict=True
    ):
        greys = to_grey(frames)
        if tracker is None:
            tracker = Tracker(greys[0], settings)
            yield Moment(0, frames[0], Found.nothing(settings))
        stack = torch.from_numpy(greys)[:, None]
        fields = make_flow(stack[:-1], stack[1:]).permute(0, 2, 3, 1).cpu().numpy()
        for place, field in enumerate(fields):
            first, second = greys[place], greys[place + 1]
            motion = None if camera is None else camera.motion(first, second, field)
            found = tracker.advance(second, field, motion)
            yield Moment(start + place + 1, frames[place + 1], found)
            if progress is not None:
                progress(start + place + 2, count)


def _check(video: Video, settings: Settings, short_side: int | None) -> int | None:
    """The short side to read with."""
    meta = video.meta
    least = min(meta.width, meta.height)
    side = None if short_side is None or least <= short_side else short_side
    if (least if side is None else side) < settings.patch:
        raise VideoError(
            f"{video.name}: {meta.width}x{meta.height} pixels; trajectories describe squares of {settings.patch}, "
            f"so give a larger video" + ("" if side is None else " or a larger short side")
        )
    if len(video) <= settings.length:
        raise VideoError(
            f"{video.name}: {len(video)} frame{'s' * (len(video) > 1)}; a trajectory takes {settings.length + 1}: "
            "give a longer video"
        )
    return side


def to_grey(frames: Tensor) -> Grey:
    """Frames uint8 `(t, 3, h, w)` as grey `(t, h, w)`, by ITU-R BT.601."""
    cv2 = opencv()
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames.permute(0, 2, 3, 1).numpy()])


def open_flow(
    method: str, settings: Settings, device: str | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """A method of optical flow; Farnebäck's with the authors' options."""
    from muybridge.flow import open_method

    options: Mapping[str, Any] = {}
    if method == "farneback":
        # One level per scale of the trajectories, as the authors have it.
        options = {
            "pyr_scale": 2**-0.5,
            "levels": settings.scales,
            "winsize": 10,
            "iterations": 2,
            "poly_n": 7,
            "poly_sigma": 1.5,
            "gaussian": True,
        }
    return open_method(method, device=device, **options)
