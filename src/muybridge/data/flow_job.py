"""One video's flow computed and stored, as a job that a process of `crew` can do."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.data.crew import proceed
from muybridge.flow.methods import FlowMaker, open_method
from muybridge.flow.planes import Facts
from muybridge.flow.storing import Measured, Storing, store_flow
from muybridge.types import VideoError
from muybridge.video.reader import Video


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


def attempt_flow(job: Job, progress: Callable[[int, int], None] | None = None) -> Outcome:
    """Make one video's flow, or go on with it; what is whole when it fails stays."""
    if multiprocessing.parent_process() is not None:
        _use_one_thread()
    try:
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
    except (VideoError, ValueError) as error:
        said = str(error)
        return Outcome(broken=said if str(job.source) in said else f"{job.source}: {said}")
    except OSError as error:  # not the video's fault: the next one would fail in the same way
        return Outcome(stopped=f"{error.filename or job.target}: {error.strerror or error}")
    return Outcome(measured=measured)


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
