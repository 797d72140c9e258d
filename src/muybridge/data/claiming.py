"""A folder that one process at a time writes into."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claim(out: Path, staging: str, command: str) -> Iterator[Path]:
    """Make a folder, if it is new, and keep other processes of the same command out of it.

    The system frees the lock when the process ends, however it ends.

    Args:
        out: The folder; the one that it lies in is there.
        staging: Name of the folder in it for unfinished work and for the lock.
        command: The command that writes here, for the message.

    Raises:
        ValueError: `out` is a file or lies in no folder, or another process is at work in it.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is a file; give a folder")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: the folder {out.absolute().parent} does not exist; make it first")
    place = out / staging
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{out}: another `muybridge {command}` is at work in it; wait for it") from None
        yield place
