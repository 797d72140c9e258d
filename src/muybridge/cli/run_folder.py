"""The folder of a training run: whose it is, what it remembers, what a killed run has left in it.

A run can end at any moment (a power cut, `kill -9`), so nothing here relies on its last words: that it lives is told by
a lock which the system drops with the process, that it has come somewhere by its `last.ckpt`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muybridge.cli import console
from muybridge.files import write_text

_LOCK = ".lock"
_STORY = "run.json"
_EARLY = {_LOCK, _STORY, "recipe.json", "tensorboard", "best.ckpt", "metrics.csv", "broken.txt"}
"""What may lie in a run's folder before its first epoch is on the disk."""


def new_folder(name: str) -> Path:
    """`runs/NAME`, or the first free `runs/NAME-2`, `runs/NAME-3`, ..."""
    base = Path("runs") / name.replace(":", "_").replace("/", "_")
    number = 1
    path = base
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


def stem(start: str | None) -> str | None:
    """A name for what grows out of `runs/tiny3d/model.safetensors`: `tiny3d-tuned`."""
    if start is None:
        return None
    path = Path(start)
    return f"{path.resolve().parent.name if path.stem == 'model' else path.stem}-tuned"


def find_run(resume: Path) -> Path:
    """The folder of a run, given as itself or as a file in it.

    Raises:
        ValueError: No run is there.
    """
    folder = resume.parent if resume.is_file() else resume
    if not (folder / "recipe.json").is_file():
        what = "no such folder" if not folder.is_dir() else "no run in it (no recipe.json)"
        raise ValueError(f"{folder}: {what}; start one: muybridge train DATA --out {folder}")
    return folder


def has_begun(folder: Path) -> bool:
    """Whether a run has come so far that it can be gone on with: one epoch."""
    return (folder / "last.ckpt").exists()


def remember(folder: Path, story: Mapping[str, Any]) -> None:
    """Write down what a run was started with, beside its recipe."""
    write_text(folder / _STORY, json.dumps(dict(story), indent=2) + "\n")


def recall(folder: Path) -> dict[str, Any]:
    """What `remember` wrote; empty where nothing lies (a run of an earlier version)."""
    try:
        story: dict[str, Any] = json.loads((folder / _STORY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return story


@contextmanager
def claimed(out: Path, resume: Path | None) -> Iterator[None]:
    """Make the output folder and keep every other run out of it as long as the block lasts.

    What a run left that was killed in its first epoch is cleared away; a run that has come further is never written
    over.

    Args:
        out: The folder.
        resume: The folder of the run that is gone on with; None: a new run.

    Raises:
        ValueError: The folder holds something else, or a run that is alive.
    """
    goes_on = resume is not None and out.resolve() == resume.resolve()
    if not goes_on and out.exists():
        there = [path.name for path in out.iterdir()] if out.is_dir() else [out.name]
        if there and not _is_stillborn(there):
            raise ValueError(
                f"{out}: exists already; give another --out, or go on with that run: --resume {out}"
            )
    out.mkdir(parents=True, exist_ok=True)
    with _locked(out):
        if not has_begun(out):
            _clear(out, everything=not goes_on)
        for part in out.glob(".*.part*"):
            part.unlink(missing_ok=True)
        yield


def _is_stillborn(names: list[str]) -> bool:
    """Whether these are the remains of a run that was killed before its first epoch was done, and nothing else."""
    ours = [name for name in names if name in _EARLY or (name.startswith(".") and ".part" in name)]
    return len(ours) == len(names) and bool({_LOCK, "recipe.json"} & set(names))


def _clear(out: Path, *, everything: bool) -> None:
    kept = {_LOCK} if everything else {_LOCK, _STORY, "recipe.json"}
    left = [path for path in out.iterdir() if path.name in _EARLY - kept]
    if left:
        console.say(f"{out}: a run was killed here before its first epoch was done; starting it anew")
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder's lock; the system gives it back whatever becomes of this process."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield
        return
    path = out / _LOCK
    with path.open("a+") as file:
        try:
            # Unlike flock's, this lock is not inherited by loader workers, which outlive a killed run by seconds.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            owner = file.read().strip() or "another"
            raise ValueError(
                f"{out}: a run is being written here (process {owner}); wait for it, or give another --out"
            ) from None
        except OSError:  # a file system without locks: better no lock than no run
            yield
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
