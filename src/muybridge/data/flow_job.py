"""One video's flow computed and stored: as a job that a process of `crew` can do, or by several of them."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.data.crew import proceed, side_by_side
from muybridge.flow.methods import FlowMaker, Progress, open_method
from muybridge.flow.parts import Part, Parts, make_parts, store_flow
from muybridge.flow.planes import Facts
from muybridge.flow.storing import Measured, Storing
from muybridge.types import VideoError
from muybridge.video.reader import Video

_MOST_TOGETHER = 8


@dataclass(frozen=True, kw_only=True)
class Job:
    """One video to make flow of.

    Attributes:
        source: A file, or a folder of numbered frames.
        target: Where its flow appears.
        work: Where parts lie until then.
        method: How it is computed,
        device: where,
        options: and with which settings.
        reading: What else `Video` is told.
        storing: How it is stored.
        identity: Which video it is; see `store_flow`.
    """

    source: Path
    target: Path
    work: Path
    method: str
    device: str | None
    options: Mapping[str, Any]
    reading: Mapping[str, Any]
    storing: Storing
    identity: Facts

    def __str__(self) -> str:
        return str(self.source)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it went.

    Attributes:
        measured: Size and error, if flow was made.
        broken: Why the video can't be read.
        stopped: The system's error that no other video would escape.
    """

    measured: Measured | None = None
    broken: str = ""
    stopped: str = ""


def attempt_flow(job: Job, progress: Progress | None = None) -> Outcome:
    """Make one video's flow, or go on with it; what is whole when it fails stays."""
    return _attempted(job, lambda: _make(job, progress))


def attempt_together(job: Job, workers: int, progress: Progress | None = None) -> Outcome:
    """The same by several processes, which make its parts."""
    return _attempted(job, lambda: _share(job, workers, progress))


def _attempted(job: Job, make: Callable[[], Outcome]) -> Outcome:
    if multiprocessing.parent_process() is not None:
        _use_one_thread()
    try:
        return make()
    except (VideoError, ValueError) as error:
        said = str(error)
        return Outcome(broken=said if str(job.source) in said else f"{job.source}: {said}")
    except OSError as error:  # not the video's fault: the next one would fail in the same way
        return Outcome(stopped=f"{error.filename or job.target}: {error.strerror or error}")


def _make(job: Job, progress: Progress | None) -> Outcome:
    with Video(job.source, **job.reading) as video:
        measured = store_flow(
            video,
            job.target,
            _opened(job.method, job.device, job.options),
            job.storing,
            work=job.work,
            identity=job.identity,
            proceed=proceed,
            progress=progress,
        )
    return Outcome(measured=measured)


def _share(job: Job, workers: int, progress: Progress | None) -> Outcome:
    if workers == 1:
        return _make(job, progress)
    with Video(job.source, **job.reading) as video:
        parts = Parts(video, job.method, job.storing, work=job.work, identity=job.identity)
    left, ready = parts.left(), parts.ready
    if len(left) < 2 * workers:
        return _make(job, progress)
    # Neighbours go together, so that few frames are decoded twice, but not so many that a process is left over.
    together = min(max(len(left) // (4 * workers), 1), _MOST_TOGETHER)
    stretches = [Stretch(job, tuple(left[at : at + together])) for at in range(0, len(left), together)]
    if progress is not None:
        progress(ready, parts.fields)
    with closing(side_by_side(_attempt_stretch, stretches, workers)) as outcomes:
        for stretch, outcome in outcomes:
            if outcome.measured is None:
                return outcome
            ready += sum(part.stop - part.start for part in stretch.parts)
            if progress is not None:
                progress(ready, parts.fields)
    return Outcome(measured=parts.finish(job.target))


@dataclass(frozen=True)
class Stretch:
    """Neighbouring parts of a video, for one process."""

    job: Job
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return str(self.job)


def _attempt_stretch(stretch: Stretch) -> Outcome:
    job = stretch.job

    def make() -> Outcome:
        video = _watched(job)
        maker = _opened(job.method, job.device, job.options)
        make_parts(stretch.parts, video, maker, 0, len(video), proceed=proceed)
        return Outcome(measured=Measured())

    return _attempted(job, make)


_watching: dict[str, Video] = {}


def _watched(job: Job) -> Video:
    """The video, opened once per process: the frames of a long one take seconds to count."""
    key = repr((job.source, sorted(job.reading.items())))
    if key not in _watching:
        for video in _watching.values():
            video.close()
        _watching.clear()
        _watching[key] = Video(job.source, **job.reading)
    return _watching[key]


_open: dict[str, FlowMaker] = {}


def _opened(method: str, device: str | None, options: Mapping[str, Any]) -> FlowMaker:
    """The method, opened once per process."""
    key = repr((method, device, sorted(options.items())))
    if key not in _open:
        _open.clear()
        _open[key] = open_method(method, device=device, **options)
    return _open[key]


def _use_one_thread() -> None:
    """Processes are as many as cores: threads of each would only wait for one another."""
    import torch

    torch.set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
