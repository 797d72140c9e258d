"""A copy of a data set that trains faster: every film encoded anew, everything else as it was.

Names stay as they are, suffix and all, so every list, split file and folder of the data set is true of the copy, and
so are times and frame numbers: a film has as many frames as before, each at its moment. What is inside is MP4 whatever
the suffix says; readers of video look at the content.

Work goes on where it was stopped. Films are written under OUT/.prepare and appear whole; a ledger there tells which
originals they were made from, by size and time of change.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from muybridge.data.claiming import claim
from muybridge.data.copying import Job, Outcome, attempt
from muybridge.data.crew import side_by_side
from muybridge.data.footage import VIDEO_SUFFIXES, find_videos
from muybridge.data.gain import Gain, measure_gain
from muybridge.data.layouts import read_samples
from muybridge.video.reencode import Encoding

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".bz2", ".xz", ".zst")
_STAGING = ".prepare"
_TEXT_BYTES = 1 << 26


@dataclass(kw_only=True)
class Prepared:
    """What `prepare_data` did.

    Attributes:
        out: The copy.
        made: Films encoded now.
        ready: Films that were ready from an earlier run.
        copied: Other files.
        archives: Archives, which were left out.
        gone: Films in the copy whose originals are no longer there.
        broken: Films that can't be read, with the reason.
        bytes_before: Size of the originals of all films in the copy.
        bytes_after: Size of the copies.
        disguised: Films whose name doesn't say that they are MP4 now.
        gain: How much faster clips are read; None without films.
    """

    out: Path
    made: int = 0
    ready: int = 0
    copied: int = 0
    archives: int = 0
    gone: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    bytes_before: int = 0
    bytes_after: int = 0
    disguised: int = 0
    gain: Gain | None = None

    @property
    def ok(self) -> bool:
        """Whether every film is in the copy."""
        return not self.broken

    def describe(self) -> str:
        """The report as text."""
        lines = [
            f"{self.out}: films encoded {self.made}, ready before {self.ready}, other files copied {self.copied}"
        ]
        if self.archives:
            lines.append(f"archives left out ({', '.join(ARCHIVES[:3])}, ...): {self.archives}")
        if self.disguised:
            lines.append(
                f"MP4 under another name, so that lists stay true (.avi, .webm, ...): {self.disguised}"
            )
        if self.bytes_before:
            ratio = self.bytes_after / self.bytes_before
            lines.append(
                f"size: {self.bytes_before / 1e6:.1f} -> {self.bytes_after / 1e6:.1f} MB, {ratio:.2f}x"
            )
        if self.gain is not None:
            lines.append(f"speed: {self.gain}")
        if self.gone:
            lines.append(
                f"no original any more: {len(self.gone)}, first {self.gone[0]}; delete what isn't wanted"
            )
        if self.broken:
            lines.append(f"broken and left out: {len(self.broken)}; lists still name them")
            lines += [f"  {reason}" for reason in self.broken.values()]
        return "\n".join(lines)


def prepare_data(
    data: str | Path,
    out: str | Path,
    encoding: Encoding | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Make, or go on making, a copy of a data set that trains faster.

    Args:
        data: A folder, of any layout; or a list as for `read_samples`, whose films lie below its folder.
        out: The copy: a new folder, or one that an earlier call with the same settings has begun.
        encoding: How films are encoded; None: the default.
        workers: Processes; None: one for each core. 1 works in this process.
        progress: Called with films done and films in all.

    Raises:
        ValueError: `out` lies inside `data`, holds something else or was made with other settings; there are no videos;
            the disk is full. Nothing is half-written, and the same call goes on from there.
    """
    data, out, encoding = Path(data), Path(out), encoding or Encoding()
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; give 1 or more")
    root, films, others = _survey(data, out)
    if not films:
        raise ValueError(f"{data}: no videos in it; looked for {', '.join(VIDEO_SUFFIXES)} and frame folders")
    report = Prepared(out=out)
    try:
        with _claimed(out, encoding) as ledger:
            _films(root, films, ledger, encoding, workers, report, progress)
            _others(root, others, out, report)
            report.gone = sorted(set(ledger.rows) - {film.relative_to(root).as_posix() for film in films})
    except OSError as error:
        raise ValueError(
            f"{error.filename or out}: {error.strerror or error}; what is ready is kept: mend this and type the same "
            "command again"
        ) from None
    pairs = [(film, out / film.relative_to(root)) for film in films if film.is_file()]
    pairs = [pair for pair in pairs if pair[1].exists()]
    report.gain = measure_gain(pairs, encoding.short_side) if pairs else None
    return report


def _survey(data: Path, out: Path) -> tuple[Path, list[Path], list[Path]]:
    """The folder that names count from, the films, and all other files."""
    if not data.exists():
        raise ValueError(f"{data}: no such folder or list")
    if not data.is_dir():
        members = (sample for split in read_samples(data).splits.values() for sample in split)
        films = sorted({sample.path.absolute() for sample in members})
        root = data.absolute().parent
        for film in films:
            if not film.is_relative_to(root) or ".." in film.parts:
                raise ValueError(
                    f"{data}: {film} lies outside of the list's folder; give a folder that holds list and films"
                )
        if out.absolute() == root:
            raise ValueError(f"{out}: is the folder of the list itself; give a new one")
        return root, films, [data.absolute()]
    if out.resolve().is_relative_to(data.resolve()):
        raise ValueError(f"{out}: lies inside {data}; give a folder outside of it")
    films = find_videos(data)
    return data, films, list(_other_files(data, set(films)))


def _other_files(data: Path, films: set[Path]) -> Iterator[Path]:
    seen: set[str] = set()
    for here, folders, files in os.walk(data, followlinks=True):
        real = os.path.realpath(here)
        if real in seen or Path(here) in films:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(here, name) for name in sorted(files) if not name.startswith("."))
        yield from (path for path in paths if path not in films and path.is_file())


class _Ledger:
    """Which copies are ready, one line of JSON each; the first tells the settings.

    A line that was cut off by a crash is a film that is made again.
    """

    def __init__(self, out: Path, encoding: Encoding) -> None:
        self.out, self.path = out, out / _STAGING / "ledger.jsonl"
        self.rows: dict[str, dict[str, Any]] = {}
        settings = {key: str(value) for key, value in asdict(encoding).items()} | {"format": "1"}
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        found = [row for row in map(_parsed, lines) if row]
        if found and found[0].get("settings") != settings:
            was = {k: v for k, v in found[0].get("settings", {}).items() if v != settings.get(k)}
            told = ", ".join(f"{k} {v}" for k, v in was.items()) or "another version"
            raise ValueError(f"{out}: was made with other settings ({told}); use them, or give a new folder")
        self.rows = {row["path"]: row for row in found[1:] if "path" in row}
        # Written anew: the next line must not continue one that was cut off.
        rows = [{"settings": settings}, *self.rows.values()]
        fresh = self.path.with_suffix(".part")
        fresh.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        fresh.replace(self.path)

    def ready(self, place: str, stamp: list[int]) -> bool:
        """Whether the copy at `place` is there and was made from this original."""
        row, copy = self.rows.get(place), self.out / place
        return row is not None and row["from"] == stamp and copy.exists() and _stamp(copy)[0] == row["bytes"]

    def add(self, place: str, stamp: list[int], size: int) -> None:
        """Note a copy that has appeared."""
        self.rows[place] = {"path": place, "from": stamp, "bytes": size}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.rows[place]) + "\n")


def _parsed(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


@contextmanager
def _claimed(out: Path, encoding: Encoding) -> Iterator[_Ledger]:
    """The folder for this process alone, with its ledger; staged leftovers are removed before and after."""
    if out.exists() and (not out.is_dir() or (not (out / _STAGING).is_dir() and any(out.iterdir()))):
        raise ValueError(f"{out}: is there already and was not made by `data prepare`; give a new folder")
    with claim(out, _STAGING, "data prepare") as staging:
        work = staging / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield _Ledger(out, encoding)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _films(
    root: Path,
    films: list[Path],
    ledger: _Ledger,
    encoding: Encoding,
    workers: int | None,
    report: Prepared,
    progress: Callable[[int, int], None] | None,
) -> None:
    stamps = {film.relative_to(root).as_posix(): _stamp(film) for film in films}
    jobs = []
    for number, film in enumerate(films):
        place = film.relative_to(root).as_posix()
        if ledger.ready(place, stamps[place]):
            report.ready += 1
            continue
        suffix = "" if film.is_dir() else ".mp4"
        jobs.append(Job(film, ledger.path.parent / "work" / f"{number}{suffix}", place, encoding))
    done = report.ready
    if progress is not None:
        progress(done, len(films))
    with closing(side_by_side(attempt, jobs, workers or len(os.sched_getaffinity(0)))) as outcomes:
        for job, outcome in outcomes:
            _settle(job, outcome, stamps[job.place], ledger, report)
            done += 1
            if progress is not None:
                progress(done, len(films))
    for film in films:
        place = film.relative_to(root).as_posix()
        if place not in report.broken:
            report.bytes_before += stamps[place][0]
            report.bytes_after += ledger.rows[place]["bytes"]
            report.disguised += film.is_file() and film.suffix.lower() not in (".mp4", ".m4v", ".mov")


def _settle(job: Job, outcome: Outcome, stamp: list[int], ledger: _Ledger, report: Prepared) -> None:
    """Let a finished copy appear, and note it."""
    target = ledger.out / job.place
    if outcome.stopped:
        raise OSError(outcome.stopped[0], outcome.stopped[1])
    # What is there was made from an original that has changed.
    if target.is_dir():
        shutil.rmtree(target)
    if outcome.broken:
        target.unlink(missing_ok=True)
        report.broken[job.place] = outcome.broken
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    job.staged.replace(target)
    ledger.add(job.place, stamp, _stamp(target)[0])
    report.made += 1


def _stamp(path: Path) -> list[int]:
    """Size and time of the last change: of a file, or of all files in a folder of frames."""
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
    found = [file.stat() for file in files]
    return [sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)]


def _others(root: Path, files: list[Path], out: Path, report: Prepared) -> None:
    """Copy what isn't a film. Absolute paths into the data set become paths into the copy."""
    inside = {os.fsencode(path) for path in (root.absolute(), root.resolve())}
    # Only whole paths: /data must not be found in /old/data.
    pattern = re.compile(rb"(?<![\w./-])(?:" + b"|".join(map(re.escape, inside)) + rb")(?=/)")
    for file in files:
        if file.suffix.lower() in ARCHIVES:
            report.archives += 1
            continue
        target = out / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = out / _STAGING / "work" / "other"
        if file.stat().st_size <= _TEXT_BYTES and b"\0" not in (content := file.read_bytes()):
            staged.write_bytes(pattern.sub(lambda _: os.fsencode(out.resolve()), content))
        else:
            shutil.copyfile(file, staged)
        staged.replace(target)
        report.copied += 1
