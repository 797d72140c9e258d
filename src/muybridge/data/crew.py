"""Processes that do long work on films, each one film at a time.

They never see Ctrl-C: the process that started them tells them to stop, waits, and finds nothing half-written.
Should it die, they leave too.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")


def side_by_side(
    do: Callable[[Job], Answer], jobs: Sequence[Job], workers: int
) -> Generator[tuple[Job, Answer], None, None]:
    """Do all jobs in several processes.

    The processes never see Ctrl-C: when the caller stops listening they are told by `proceed`, and when this process
    dies they leave too.

    Args:
        do: A function that a fresh process can import.
        jobs: What it is called with; as text, what a person would call it.
        workers: Processes; 1 works in this one.

    Yields:
        Each job with its answer, as it is done, in any order.

    Raises:
        ValueError: A process died.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from ((job, do(job)) for job in jobs)
        return
    # Forked children would inherit the locks of this process's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_enlist, initargs=(stop,))
    try:
        waiting = iter(jobs)
        running: dict[Future[Answer], Job] = {}
        while True:
            # A hundred thousand jobs are not handed over at once.
            for job in islice(waiting, 2 * workers - len(running)):
                running[pool.submit(do, job)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        names = ", ".join(str(job) for job in running.values())
        raise ValueError(
            f"a worker process died (out of memory?) on one of {names}; what is ready is kept: type the same command "
            "again, with fewer --workers, or --workers 1 to see which film it is"
        ) from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


_stop: Any = None


class _StoppedError(Exception):
    pass


def proceed() -> None:
    """To be called now and then by whoever works; raises what ends the work where nobody waits for it any more."""
    if _stop is not None and _stop.is_set():
        raise _StoppedError


def _enlist(stop: Any) -> None:
    """Make this process one that works for another."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
