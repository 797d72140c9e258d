"""Processes that encode films anew, each one film at a time.

They never see Ctrl-C: the process that started them tells them to stop, waits, and finds nothing half-written.
Should it die, they leave too.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from muybridge.types import VideoError
from muybridge.video.reencode import Encoding, reencode, shrink_images

# Not the film's fault: the next one would fail in the same way.
_NO_USE_TO_GO_ON = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)


@dataclass(frozen=True, slots=True)
class Job:
    """One film to encode.

    Attributes:
        source: A file, or a folder of numbered frames.
        staged: Where the copy is written.
        place: Its name in the data set.
    """

    source: Path
    staged: Path
    place: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: well, if nothing is said.

    Attributes:
        broken: Why the film can't be read.
        stopped: Number and text of the system's error that no other film would escape.
    """

    broken: str = ""
    stopped: tuple[int, str] | None = None


def work(jobs: list[Job], encoding: Encoding, workers: int) -> Generator[tuple[Job, Outcome], None, None]:
    """Do all jobs, in any order.

    Args:
        jobs: What to encode.
        encoding: How.
        workers: Processes; 1 works in this one.

    Yields:
        Each job as it is done. When the caller stops listening, work in progress ends and is removed.

    Raises:
        ValueError: A process died.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from ((job, attempt(job, encoding)) for job in jobs)
        return
    # Forked children would inherit this process's threads' locks in whatever state they are.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_enlist, initargs=(stop,))
    try:
        waiting = iter(jobs)
        running: dict[Future[Outcome], Job] = {}
        while True:
            # A hundred thousand jobs are not handed over at once.
            for job in islice(waiting, 2 * workers - len(running)):
                running[pool.submit(_attempt, job, encoding)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        names = ", ".join(job.place for job in running.values())
        raise ValueError(
            f"a worker process died (out of memory?) on one of {names}; what is ready is kept: type the same command "
            "again, with fewer --workers, or --workers 1 to see which film it is"
        ) from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def attempt(job: Job, encoding: Encoding, proceed: Callable[[], None] = lambda: None) -> Outcome:
    """Encode one film; whatever fails leaves nothing.

    Args:
        job: Which.
        encoding: How.
        proceed: As for `reencode`.
    """
    anew = shrink_images if job.source.is_dir() else reencode
    try:
        anew(job.source, job.staged, encoding, proceed)
    except (VideoError, OSError, ValueError) as error:
        shutil.rmtree(job.staged, ignore_errors=True)
        cause = error if isinstance(error, OSError) else error.__cause__
        number = getattr(cause, "errno", None)
        if str(job.source) not in str(error) and number in _NO_USE_TO_GO_ON:
            return Outcome(stopped=(number, os.strerror(number)))
        return Outcome(broken=str(error) if str(job.source) in str(error) else f"{job.source}: {error}")
    except BaseException:
        shutil.rmtree(job.staged, ignore_errors=True)
        raise
    return Outcome()


_stop: Any = None


class _StoppedError(Exception):
    pass


def _attempt(job: Job, encoding: Encoding) -> Outcome:
    return attempt(job, encoding, _proceed)


def _proceed() -> None:
    if _stop.is_set():
        raise _StoppedError


def _enlist(stop: Any) -> None:
    """Make this process a worker."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
