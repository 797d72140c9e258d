"""The flow of many videos, stored by several processes, one video each; work that was stopped goes on where it was.

Nothing but the stored files themselves tells what is ready: each says which video it is of, by size and time of change,
and how it was made. Parts of videos that are being worked on lie under OUT/.flow.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from muybridge.data.claiming import claim
from muybridge.data.crew import side_by_side
from muybridge.data.flow_job import Job, Outcome, attempt_flow, attempt_together
from muybridge.data.footage import find_videos, is_flow_film, is_frame_folder
from muybridge.flow.methods import open_method
from muybridge.flow.parts import size_of
from muybridge.flow.planes import Facts
from muybridge.flow.store import FACTS_FILE, FILM_SUFFIX, is_flow_folder, stored_facts
from muybridge.flow.storing import Measured, Storing
from muybridge.types import VideoError

_STAGING = ".flow"
_SAME_WAY = ("method", "options", "asked_short_side", "bound_px", "quality")


@dataclass(kw_only=True)
class Stored:
    """What `write_store` did.

    Attributes:
        out: The folder.
        targets: Each video with where its flow is: a `.flow.mp4` or a folder.
        made: Videos done now.
        ready: Videos that were ready from an earlier run.
        broken: Videos that flow can't be made of, with the reason.
        measured: Size and error of all flow of these videos.
    """

    out: Path
    targets: dict[Path, Path] = field(default_factory=dict)
    made: int = 0
    ready: int = 0
    broken: dict[Path, str] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)

    @property
    def ok(self) -> bool:
        """Whether there is flow of every video."""
        return not self.broken

    def describe(self, *, broken: bool = True) -> str:
        """The report as text; with the reasons why some are missing, or without."""
        lines = [f"{self.out}: flow of {self.made} videos made, of {self.ready} ready before"]
        if self.measured.fields:
            lines.append(f"stored: {self.measured}")
        if self.broken and broken:
            lines.append(f"no flow of {len(self.broken)}:")
            lines += [f"  {reason}" for reason in self.broken.values()]
        return "\n".join(lines)


def write_store(
    videos: str | Path | Sequence[str | Path],
    out: str | Path,
    storing: Storing | None = None,
    *,
    method: str = "tvl1",
    options: Mapping[str, Any] | None = None,
    reading: Mapping[str, Any] | None = None,
    workers: int | None = None,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Stored:
    """Compute and store the flow of videos, or go on with it.

    Args:
        videos: A video, a folder of them, or several of these. Below a folder, flow lies in the same folders as the
            videos: of `clips/walk/a.mp4` in `clips` at `out/walk/a.flow.mp4`.
        out: A folder, new or one that holds flow made in the same way.
        storing: How flow is stored; None: the default.
        method: One of `muybridge.flow.METHODS`.
        options: Settings of the method.
        reading: What else `Video` is told, such as `on_error`.
        workers: Processes; None: one for each core, or one if a device is given. 1 works in this process.
        device: Where flow is computed; None: on the CPU.
        progress: Called with videos done and videos in all; of a single video, with fields done and fields in all.

    Raises:
        ValueError: No videos, two that would be stored under one name, no such method; `out` holds flow that was made
            otherwise, or of another video of that name; the disk is full. Nothing is half-written, and the same call
            goes on from there.
    """
    out, storing = Path(out), storing or Storing()
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; give 1 or more")
    open_method(method, device=device, **(options or {}))  # says what is wrong before anything is written
    found = _placed([videos] if isinstance(videos, str | Path) else videos)
    report = Stored(out=out)
    how = {"method": method, "device": device, "options": dict(options or {}), "reading": dict(reading or {})}
    try:
        with _at_work(out) as staging:
            jobs = list(_jobs(found, out, staging, storing, how, report))
            _do(jobs, workers or (1 if device else len(os.sched_getaffinity(0))), report, progress)
    except OSError as error:
        raise ValueError(
            f"{error.filename or out}: {error.strerror or error}; what is ready is kept: mend this and type the same "
            "command again"
        ) from None
    return report


def _placed(videos: Sequence[str | Path]) -> dict[Path, Path]:
    """Each video with its name in the store, suffix and all."""
    found: dict[Path, Path] = {}
    for path in map(Path, videos):
        if path.is_dir() and not is_frame_folder(path):
            inside = find_videos(path)
            if not inside:
                raise ValueError(f"{path}: no videos in it")
            found |= {film: film.relative_to(path) for film in inside}
        else:
            found[path] = Path(path.name or path.resolve().name)
    if not found:
        raise ValueError("no videos are given")
    named: dict[Path, Path] = {}
    for film, place in found.items():
        if place in named and film.resolve() != named[place].resolve():
            raise ValueError(
                f"{named[place]} and {film} would both be stored as {place}; give the folder that holds both"
            )
        named[place] = film
    return {film: place for place, film in named.items()}


def _is_flow(path: Path) -> bool:
    return (is_flow_film(path.name) and path.is_file()) or (path / FACTS_FILE).is_file()


def _jobs(
    found: dict[Path, Path],
    out: Path,
    staging: Path,
    storing: Storing,
    how: Mapping[str, Any],
    report: Stored,
) -> Iterator[Job]:
    """What is left to do."""
    short = {film: place if film.is_dir() else place.with_suffix("") for film, place in found.items()}
    count = Counter(short.values())
    for film, place in found.items():
        name = short[film] if count[short[film]] == 1 else place
        film_at, folder_at = out / name.with_name(name.name + FILM_SUFFIX), out / name
        target, other = (film_at, folder_at) if storing.format == "video" else (folder_at, film_at)
        if not film.exists():
            report.broken[film] = f"{film}: no such file; check the path"
            continue
        identity = _identity(film, place) | {"options": how["options"]}
        wanted = identity | storing.facts() | {"method": how["method"]}
        report.targets[film] = target
        if _is_flow(other):
            raise ValueError(
                f"{other}: is the flow of this video in another format; give another --store, or delete it"
            )
        if (ready := _ready(target, wanted)) is not None:
            report.ready += 1
            report.measured.add(ready)
            continue
        yield Job(
            source=film, target=target, work=staging / "work" / target.relative_to(out),
            storing=storing, identity=identity, **how,
        )  # fmt: skip


def _identity(film: Path, place: Path) -> Facts:
    """Which video it is: its name, where it lies, size and time of the last change."""
    files = [film] if film.is_file() else [path for path in film.iterdir() if path.is_file()]
    stats = [path.stat() for path in files]
    return {
        "source": place.as_posix(),
        # Not the path itself: stores are passed on.
        "source_place": hashlib.sha256(os.fsencode(film.resolve())).hexdigest()[:16],
        "source_bytes": sum(stat.st_size for stat in stats),
        "source_changed_ns": max((stat.st_mtime_ns for stat in stats), default=0),
    }


def _ready(target: Path, wanted: Facts) -> Measured | None:
    """What was measured of a target that is ready; None where it has to be made.

    Raises:
        ValueError: It is the flow of another video, was made in another way, or is no flow of ours.
    """
    if not target.exists():
        return None
    if target.is_dir() and not (target / FACTS_FILE).is_file():
        what = "flow that somebody else made" if is_flow_folder(target) else "something else"
        raise ValueError(f"{target}: holds {what}; give another --store")
    try:
        facts = stored_facts(target)
    except VideoError:
        return None
    if other := [name for name in _SAME_WAY if facts.get(name) != wanted[name]]:
        told = ", ".join(f"{name.removeprefix('asked_')} {facts.get(name)}" for name in other)
        raise ValueError(f"{target}: was made in another way ({told}); use that, or give another --store")
    if all(facts.get(name) == wanted[name] for name in ("source_bytes", "source_changed_ns")):
        measured = Measured(**facts["measured"])
        measured.bytes = size_of(target)
        return measured
    if facts.get("source_place") != wanted["source_place"]:
        raise ValueError(
            f"{target}: is the flow of another video of that name, or of this one elsewhere; give the folder that "
            "holds both videos, or another --store, or delete it"
        )
    return None  # the video has changed


def _do(jobs: list[Job], workers: int, report: Stored, progress: Callable[[int, int], None] | None) -> None:
    attempt: Callable[[Job], Outcome] = attempt_flow
    alone = len(report.targets) == 1
    if alone:  # its fields are counted, and its parts are shared out
        attempt, workers = partial(attempt_together, workers=workers, progress=progress), 1
    done = report.ready + len(report.broken)
    total = done + len(jobs)

    def step() -> None:
        if progress is not None and not alone:
            progress(done, total)

    step()
    with closing(side_by_side(attempt, jobs, workers)) as outcomes:
        for job, outcome in outcomes:
            if outcome.stopped:
                raise OSError(outcome.stopped)
            if outcome.measured is None:
                report.broken[job.source] = outcome.broken
            else:
                report.made += 1
                report.measured.add(outcome.measured)
            done += 1
            step()


@contextmanager
def _at_work(out: Path) -> Iterator[Path]:
    """The store for this process alone, and the folder in it for work. What is left over is removed at the end."""
    is_new = not out.exists()
    with claim(out, _STAGING, "flow") as staging:
        yield staging
        # Not after an error: the parts of a video that are ready are for the next run.
        shutil.rmtree(staging / "work", ignore_errors=True)
        if is_new and list(out.iterdir()) == [staging]:  # no video could be read
            shutil.rmtree(out)
